"""tokenizer.json of both kinds: ids equal to the tokenizers library's, which comes with transformers."""

import contextlib
import copy
import doctest
import json
import random
import shutil

import pytest
import tokenizers
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from minillama.errors import TokenizerError
from minillama.tokenizer import Tokenizer, hf_json
from minillama.tokenizer.bpe import alphabet, train_bpe, vocabulary_from_merges
from minillama.tokenizer.hf_json import parse_tokenizer_json, read_tokenizer_json, write_tokenizer_json
from minillama.tokenizer.hf_json_llama import MetaspaceTokenizer
from minillama.tokenizer.llama3 import PATTERN, ByteBPETokenizer
from minillama.tokenizer.sentencepiece import SentencePieceTokenizer, Vocabulary

TEXT = "the cat sat on the mat, the hat  and the   cat ate 12 hats; naïve 你好 that's that. " * 3
SPECIAL = ["<s>Hello</s>world<s> x", "</s>", "a</s>", "</s>a", " a", "▁a", "", "<s>", "a <s> b"]
TEXTS = st.text("the cat▁\n12é🙂,.'s", max_size=30) | st.text(
    st.characters(max_codepoint=0x2FFF, categories=["L", "P", "Zs"])
)


def hf(document):
    return tokenizers.Tokenizer.from_str(json.dumps(document))


def written(tokenizer, folder):
    write_tokenizer_json(tokenizer, folder / "tokenizer.json")
    return json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))


def parsed(document, config=None):
    return parse_tokenizer_json(json.dumps(document).encode(), config)


@pytest.fixture(scope="module")
def llama():
    """A document of LLaMA 2's kind, from a small vocabulary of our own."""
    tokenizer = SentencePieceTokenizer(vocabulary_from_merges(train_bpe(TEXT, 330), alphabet(TEXT)))
    return hf_json.llama_document(tokenizer)


@pytest.fixture(scope="module")
def llama3():
    """A document of Llama 3's kind, trained by the tokenizers library."""
    trained = tokenizers.Tokenizer(tokenizers.models.BPE(ignore_merges=True))
    split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(PATTERN), "isolated")
    as_bytes = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trained.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([split, as_bytes])
    trained.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<s>", "</s>", "<|eot_id|>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    trained.train_from_iterator([TEXT], trainer)
    return json.loads(trained.to_str())


def test_examples_in_docstrings():
    assert doctest.testmod(hf_json).failed == 0


@given(text=TEXTS | st.sampled_from(SPECIAL))
@settings(max_examples=150, deadline=None)
def test_llama_ids_and_text_equal_tokenizers(llama, text):
    ours, theirs = parsed(llama), hf(llama)
    ids = ours.encode(text, special=True)
    assert ids == theirs.encode(text).ids
    assert ours.decode(ids) == theirs.decode(ids)


@pytest.mark.parametrize("scheme", ["always", "first", "never"])
@given(text=TEXTS | st.sampled_from(SPECIAL))
@settings(max_examples=80, deadline=None)
def test_metaspace_ids_equal_tokenizers(llama, scheme, text):
    words = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": False}
    document = llama | {"normalizer": None, "pre_tokenizer": words}
    assert parsed(document).encode(text, special=True) == hf(document).encode(text).ids


@given(text=TEXTS | st.sampled_from(SPECIAL))
@settings(max_examples=100, deadline=None)
def test_llama3_ids_and_text_equal_tokenizers(llama3, text):
    ours, theirs = parsed(llama3), hf(llama3)
    ids = ours.encode(text, bos=False, special=True)
    assert ids == theirs.encode(text).ids
    assert ours.decode(ids) == theirs.decode(ids)


def test_merges_may_be_written_as_pairs(llama):
    document = copy.deepcopy(llama)
    document["model"]["merges"] = [merge.split(" ") for merge in document["model"]["merges"]]
    assert parsed(document).vocabulary == parsed(llama).vocabulary


def test_a_vocabulary_of_all_pairs_is_one_of_sentencepiece(llama, tmp_path):
    tokenizer = SentencePieceTokenizer(vocabulary_from_merges(train_bpe(TEXT, 330), alphabet(TEXT)))
    again = parsed(written(tokenizer, tmp_path))
    assert type(again) is SentencePieceTokenizer
    assert again.vocabulary.merges == ()
    assert again.vocabulary.types == tokenizer.vocabulary.types
    again.save(tmp_path / "tokenizer.model")
    assert SentencePieceTokenizer.from_file(tmp_path / "tokenizer.model").encode(TEXT) == tokenizer.encode(TEXT)


@given(text=st.text("the cat", max_size=20))
@settings(max_examples=100, deadline=None)
def test_missing_pairs_do_not_join(llama, text):
    document = copy.deepcopy(llama)
    model, vocab = document["model"], document["model"]["vocab"]
    for piece in ("he", "the", "hec"):
        vocab[piece] = len(vocab)
    model["merges"] = [["h", "e"], ["t", "h"], ["th", "e"], ["c", "a"], ["h", "ec"], ["a", "t"], ["▁", "th"]]
    vocab |= {piece: len(vocab) + i for i, piece in enumerate(["ca", "ec"])}
    ours = parsed(document)
    assert ours.vocabulary.merges
    assert "the" not in [ours.piece(token) for token in ours.encode("the")]
    assert ours.encode(text) == hf(document).encode(text).ids
    with pytest.raises(TokenizerError, match=r"tokenizer\.json"):
        ours.save("never-written.model")


def test_extra_spaces_are_removed_as_the_library_does(tmp_path):
    vocab = vocabulary_from_merges(train_bpe(TEXT, 330), alphabet(TEXT))
    fields = {name: getattr(vocab, name) for name in ("pieces", "scores", "types")}
    tokenizer = SentencePieceTokenizer(Vocabulary(**fields, remove_extra_whitespaces=True))
    document = written(tokenizer, tmp_path)
    again = parsed(document)
    assert again.vocabulary.remove_extra_whitespaces
    for text in ("  the   cat ", "", "   ", "a\n  b "):
        assert again.encode(text) == tokenizer.encode(text) == hf(document).encode(text).ids


@pytest.mark.shared
def test_the_real_llama_written_and_read_by_transformers(shared_data, tmp_path):
    tokenizer = SentencePieceTokenizer.from_file(shared_data / "llama_tokenizer.model")
    write_tokenizer_json(tokenizer, tmp_path / "tokenizer.json")
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"))
    again = read_tokenizer_json(tmp_path / "tokenizer.json")
    assert isinstance(again, Tokenizer)
    assert (again.bos_id, again.eos_id, again.vocab_size) == (1, 2, 32_000)
    for text in real_texts(shared_data, 300):
        ids = tokenizer.encode(text)
        assert ids == again.encode(text) == theirs(text)["input_ids"]


@pytest.mark.shared
@pytest.mark.parametrize("legacy", [True, False])
def test_what_transformers_makes_of_the_real_llama(shared_data, tmp_path, legacy):
    shutil.copy(shared_data / "llama_tokenizer.model", tmp_path / "tokenizer.model")
    config = {"tokenizer_class": "LlamaTokenizer", "legacy": legacy, "bos_token": "<s>", "eos_token": "</s>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    transformers.AutoTokenizer.from_pretrained(tmp_path).save_pretrained(tmp_path / "saved")
    ours = read_tokenizer_json(tmp_path / "saved" / "tokenizer.json")
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "saved" / "tokenizer.json"))
    assert isinstance(ours, MetaspaceTokenizer)
    for text in [*real_texts(shared_data, 300), *SPECIAL]:
        assert ours.encode(text, bos=False, special=True) == theirs.encode(text, add_special_tokens=False).ids


@pytest.mark.shared
def test_the_real_llama3_written_and_read_by_transformers(shared_data, tmp_path):
    tokenizer = ByteBPETokenizer.from_file(shared_data / "llama3_tokenizer.model")
    write_tokenizer_json(tokenizer, tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": "<|eot_id|>"}', encoding="utf-8")
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"))
    again = read_tokenizer_json(tmp_path / "tokenizer.json")
    assert (again.bos_id, again.eos_id, again.vocab_size) == (128_000, 128_009, 128_256)
    assert again.stop_ids == tokenizer.stop_ids
    for text in [*real_texts(shared_data, 300), "<|begin_of_text|>hi<|eot_id|>"]:
        ids = tokenizer.encode(text, special=True)
        assert ids == again.encode(text, special=True) == theirs(text)["input_ids"]


def real_texts(shared_data, count):
    lines = (shared_data / "tinyshakespeare.txt").read_text(encoding="utf-8").split("\n")
    records = json.loads((shared_data / "alpaca_5000.json").read_text(encoding="utf-8"))
    return random.Random(1).sample([*lines, *(record["output"] for record in records)], count)


def test_the_config_beside_names_bos_and_eos(llama, tmp_path):
    (tmp_path / "tokenizer.json").write_text(json.dumps(llama | {"post_processor": None}), encoding="utf-8")
    names = {"bos_token": {"content": "</s>"}, "eos_token": "<s>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(names), encoding="utf-8")
    tokenizer = read_tokenizer_json(tmp_path / "tokenizer.json")
    assert (tokenizer.bos_id, tokenizer.eos_id, tokenizer.stop_ids) == (2, 1, frozenset({1}))


def test_added_tokens_extend_the_vocabulary(llama):
    document = copy.deepcopy(llama)
    size = len(document["model"]["vocab"])
    document["added_tokens"].append(document["added_tokens"][1] | {"id": size, "content": "[PAD]"})
    tokenizer = parsed(document)
    assert tokenizer.vocab_size == size + 1
    assert tokenizer.encode("a[PAD]", special=True)[-1] == size == hf(document).encode("a[PAD]").ids[-1]


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("model", {"type": "WordPiece", "vocab": {}}, "expected 'BPE'"),
        ("model", {"type": "Unigram", "vocab": []}, "expected 'BPE'"),
        ("model", None, "expected dict"),
        ("normalizer", {"type": "NFC"}, "not those of a LLaMA"),
        ("normalizer", [], "expected an object"),
        ("pre_tokenizer", {"type": "Whitespace"}, "not those of a LLaMA"),
        ("pre_tokenizer", {"type": "Sequence", "pretokenizers": [1]}, "no object"),
        ("added_tokens", [7], "expected objects"),
        ("added_tokens", [{"id": 1, "content": "<s>", "lstrip": True}], "lstrip"),
        ("added_tokens", [{"id": 9, "content": "<s>"}], "ids are missing"),
        ("added_tokens", [{"id": 10**9, "content": "x"}], "expected 0 to"),
        ("added_tokens", [{"id": 1, "content": "\ud800"}], "surrogate"),
    ],
)
def test_other_kinds_are_refused_in_one_line(llama, part, value, message):
    with pytest.raises(TokenizerError, match=message) as caught:
        parsed(llama | {part: value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocab": {"a": -1}}, "expected 0 to"),
        ({"vocab": {"a": True}}, "expected 0 to"),
        ({"vocab": {"<unk>": 0, "a": 9}}, "ids are missing"),
        ({"merges": ["a b c"]}, "expected two pieces"),
        ({"merges": [["nothing", "known"]]}, "not made of pieces"),
        ({"unk_token": "missing"}, "unk_token"),
        ({"unk_token": [1]}, "unk_token"),
        ({"dropout": 0.1}, "dropout"),
        ({"ignore_merges": True}, "ignore_merges"),
    ],
)
def test_damaged_models_are_refused(llama, change, message):
    with pytest.raises(TokenizerError, match=message):
        parsed(llama | {"model": llama["model"] | change})


def test_another_pattern_is_refused(llama3):
    document = copy.deepcopy(llama3)
    document["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "(a+)+$"
    with pytest.raises(TokenizerError, match="another pattern"):
        parsed(document)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[]", b"[" * 100_000, b'{"model": {"type": "BPE"}}'])
def test_what_is_no_tokenizer_is_refused(data):
    with pytest.raises(TokenizerError):
        parse_tokenizer_json(data)


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_value_in_any_place_gives_a_tokenizer_or_the_named_error(llama, llama3, data):
    document = copy.deepcopy(data.draw(st.sampled_from([llama, llama3])))
    place = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(min(len(place), 5)))
        if not keys:
            break
        key = data.draw(st.sampled_from(keys[:12]))
        if not isinstance(place[key], dict | list) or data.draw(st.integers(0, 3)) == 0:
            place[key] = data.draw(
                st.sampled_from([None, True, -1, 3, 1e9, "x", "", [], {}, [1], {"type": "Sequence"}])
            )
            break
        place = place[key]
    with contextlib.suppress(TokenizerError):
        parsed(document).encode("the cat")


def test_other_tokenizers_are_not_written(tmp_path):
    with pytest.raises(TokenizerError, match="cannot be written"):
        write_tokenizer_json(object(), tmp_path / "tokenizer.json")
    assert list(tmp_path.iterdir()) == []
