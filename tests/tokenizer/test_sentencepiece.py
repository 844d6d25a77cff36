"""SentencePiece models: ids and text equal to the library's, on the real LLaMA vocabulary and on trained odd ones."""

import contextlib
import doctest
import io
import json
import random

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from minillama.errors import TokenizerError
from minillama.tokenizer import Tokenizer, protobuf, vocabulary
from minillama.tokenizer import sentencepiece as module
from minillama.tokenizer.bpe import stream_decode
from minillama.tokenizer.sentencepiece import (
    SentencePieceTokenizer,
    Vocabulary,
    parse_vocabulary,
    serialize_vocabulary,
)

CORPUS = ["the quick brown fox jumps over the lazy dog", "a naïve café — ﬁne １２ things", "the dog, the fox; the end."]
HARD = [
    "", " ", "  ", "   hello   world  ", "▁", " ▁", "▁▁a", "Hello world", " Hello world", "1234567", "\n",
    "\n\nHi\t\r\n", "你好", "🙂👍🏽", "e\u0301 é", "<s>hi</s>", "<unk>", "<0x41>", "\x00\x01", "\ufffd",
    "a\u200bb", "\ufeffx", "ﬁ ½ Ⅳ", "نص عربي", "def f(x):\n    return x  # ok", "a" * 300, "ab" * 300, "▁" * 300,
    " " * 300, "☃☃ ☃",
]  # fmt: skip
TEXTS = st.text(max_size=30) | st.text("the quick▁ \n12é🙂<s>", max_size=30)


@pytest.fixture(scope="module")
def llama(shared_data):
    return SentencePieceTokenizer.from_file(shared_data / "llama_tokenizer.model")


@pytest.fixture(scope="module")
def library(shared_data):
    return sentencepiece.SentencePieceProcessor(str(shared_data / "llama_tokenizer.model"))


def train_with_library(**options):
    """A model of the library's own trainer, with options that LLaMA's does not use."""
    model = io.BytesIO()
    settings = {"vocab_size": 60, "hard_vocab_limit": False, "minloglevel": 2, "model_type": "bpe"} | options
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS * 5), model_writer=model, **settings)
    return model.getvalue()


VARIANTS = {
    "defaults": {},
    "nfkc, no bytes": {"normalization_rule_name": "nmt_nfkc", "remove_extra_whitespaces": True},
    "identity, extra spaces kept": {"normalization_rule_name": "identity", "remove_extra_whitespaces": False},
    "identity, extra spaces removed": {"normalization_rule_name": "identity", "remove_extra_whitespaces": True},
    "bytes": {"vocab_size": 330, "byte_fallback": True, "normalization_rule_name": "identity"},
    "no prefix": {"add_dummy_prefix": False, "normalization_rule_name": "identity"},
    "symbols": {"user_defined_symbols": ["quick", "the", "<sep>", "ab"], "normalization_rule_name": "identity"},
    "controls": {"control_symbols": ["<pad>", "[INST]"], "pad_id": 3, "bos_id": 5, "eos_id": 4, "unk_id": 2},
    "pieces across spaces": {"split_by_whitespace": False, "vocab_size": 80},
    "unk surface": {"unk_surface": "?"},
}


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request):
    data = train_with_library(**VARIANTS[request.param])
    return SentencePieceTokenizer(parse_vocabulary(data)), sentencepiece.SentencePieceProcessor(model_proto=data)


def test_examples_in_docstrings():
    assert doctest.testmod(module).failed == doctest.testmod(protobuf).failed == doctest.testmod(vocabulary).failed == 0


def test_it_is_a_tokenizer(llama):
    assert isinstance(llama, Tokenizer)
    assert (llama.vocab_size, llama.bos_id, llama.eos_id, llama.stop_ids) == (32_000, 1, 2, frozenset({2}))


@pytest.mark.shared
@pytest.mark.parametrize("text", HARD)
def test_llama_ids_and_text_equal_the_library_on_hard_strings(llama, library, text):
    ids = llama.encode(text, bos=False)
    assert ids == library.encode(text)
    assert llama.decode(ids) == library.decode(ids)
    assert "".join(stream_decode(ids, llama)) == llama.decode(ids)


@pytest.mark.shared
def test_llama_ids_and_text_equal_the_library_on_real_text(llama, library, shared_data):
    lines = (shared_data / "tinyshakespeare.txt").read_text(encoding="utf-8").split("\n")
    records = json.loads((shared_data / "alpaca_5000.json").read_text(encoding="utf-8"))
    texts = [*lines, *("\n".join(record.values()) for record in records)]
    for text in random.Random(0).sample(texts, 1000):
        ids = llama.encode(text, bos=False)
        assert ids == library.encode(text)
        assert llama.decode(ids) == library.decode(ids)


@pytest.mark.shared
@given(text=TEXTS)
@settings(max_examples=200, deadline=None)
def test_llama_ids_and_text_equal_the_library_on_random_strings(llama, library, text):
    ids = llama.encode(text, bos=False)
    assert ids == library.encode(text) == llama.library.encode(text)
    assert llama.decode(ids) == library.decode(ids)


@pytest.mark.shared
@given(ids=st.lists(st.integers(0, 31_999) | st.integers(0, 258) | st.just(29871), max_size=10))
@settings(max_examples=300, deadline=None)
def test_llama_decodes_any_ids_as_the_library(llama, library, ids):
    assert llama.decode(ids) == library.decode(ids)
    assert "".join(stream_decode(ids, llama)) == llama.decode(ids)


@pytest.mark.shared
def test_llama_ids_equal_the_library_on_very_long_words(llama, library):
    letters = "".join(random.Random(0).choices("abcdeéABC019+/▁你", k=20_000))
    for text in ("a" * 20_000, letters, "".join(map(chr, range(0x4E00, 0x9000))), " " * 20_000):
        assert llama.encode(text, bos=False) == library.encode(text)


@pytest.mark.shared
def test_llama_numbers_that_are_known(llama):
    assert llama.encode("Hello world") == [1, 15043, 3186]
    assert llama.encode(" Hello world", eos=True) == [1, 29871, 15043, 3186, 2]


@pytest.mark.shared
def test_control_pieces_in_the_text_are_text_unless_special(llama, library):
    text = "<s>[INST] hi [/INST] yes </s><s>"
    assert llama.encode(text, bos=False) == library.encode(text)
    expected = [1, *library.encode("[INST] hi [/INST] yes "), 2, 1]
    assert llama.encode(text, bos=False, special=True) == expected
    assert llama.decode(expected) == "[INST] hi [/INST] yes "


@pytest.mark.shared
def test_llama_vocabulary_survives_writing(llama, library, tmp_path):
    llama.save(tmp_path / "copy.model")
    copy = sentencepiece.SentencePieceProcessor(str(tmp_path / "copy.model"))
    assert SentencePieceTokenizer.from_file(tmp_path / "copy.model").vocabulary == llama.vocabulary
    assert [copy.encode(text) for text in HARD] == [library.encode(text) for text in HARD]
    assert (copy.bos_id(), copy.eos_id(), copy.unk_id(), copy.pad_id()) == (1, 2, 0, -1)
    assert [path.name for path in tmp_path.iterdir()] == ["copy.model"]


@given(text=TEXTS | st.sampled_from(HARD))
@settings(max_examples=120, deadline=None)
def test_variants_equal_the_library(variant, text):
    ours, theirs = variant
    ids = ours.encode(text, bos=False)
    assert ids == theirs.encode(text)
    assert ours.decode(ids) == theirs.decode(ids)


@given(data=st.data())
@settings(max_examples=120, deadline=None)
def test_variants_decode_any_ids_as_the_library(variant, data):
    ours, theirs = variant
    ids = data.draw(st.lists(st.integers(0, ours.vocab_size - 1), max_size=8))
    assert ours.decode(ids) == theirs.decode(ids)


def test_variants_survive_writing(variant):
    ours, theirs = variant
    data = serialize_vocabulary(ours.vocabulary)
    assert parse_vocabulary(data) == ours.vocabulary
    copy = sentencepiece.SentencePieceProcessor(model_proto=data)
    assert [copy.encode(text) for text in HARD] == [theirs.encode(text) for text in HARD]
    wanted = [-1 if token is None else token for token in (ours.bos_id, ours.eos_id, ours.vocabulary.pad_id)]
    assert (
        wanted == [copy.bos_id(), copy.eos_id(), copy.pad_id()] == [theirs.bos_id(), theirs.eos_id(), theirs.pad_id()]
    )


def test_unused_pieces_fall_apart_as_in_the_library():
    pieces = ("<unk>", "<s>", "</s>", "▁", "a", "b", "ab", "▁ab", "bab", "abab")
    scores = (0.0, 0.0, 0.0, -9.0, -9.0, -9.0, -1.0, -2.0, -3.0, -1.5)
    types = (2, 3, 3, 1, 1, 1, 5, 1, 1, 5)
    tokenizer = SentencePieceTokenizer(Vocabulary(pieces=pieces, scores=scores, types=types))
    for text in ("ab", "abab", "aab", "babab", "b ab abab"):
        assert tokenizer.encode(text, bos=False) == tokenizer.library.encode(text)


def test_half_a_surrogate_pair_is_refused(variant):
    with pytest.raises(TokenizerError, match="surrogate"):
        variant[0].encode("a\ud800b")


def test_other_model_types_are_refused(tmp_path):
    for kind in ("unigram", "char"):
        with pytest.raises(TokenizerError, match="expected BPE"):
            parse_vocabulary(train_with_library(model_type=kind))


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"\x00" * 40, b"\n\xff\xff\xff\xff\xff\xff\xff\xff\x7f", b"{}", b"\x0a" * 99]
)
def test_what_is_no_model_is_refused(data):
    with pytest.raises(TokenizerError):
        parse_vocabulary(data)


def test_every_cut_is_refused_or_read_whole():
    data = train_with_library(normalization_rule_name="identity")
    end_of_settings = data.rindex(b"identity") + len(b"identity")
    for end in range(0, end_of_settings):
        with pytest.raises(TokenizerError):
            parse_vocabulary(data[:end])


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_models_give_a_vocabulary_or_the_named_error(data):
    model = bytearray(serialize_vocabulary(Vocabulary(pieces=("<unk>", "a", "b"), scores=(0.0, -1.0, -2.0),
                                                      types=(2, 1, 1), bos_id=None, eos_id=None)))  # fmt: skip
    for _ in range(data.draw(st.integers(1, 4))):
        model[data.draw(st.integers(0, len(model) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(TokenizerError):
        SentencePieceTokenizer(parse_vocabulary(bytes(model))).encode("ab")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.model", tmp_path):
        with pytest.raises(TokenizerError, match="no such file"):
            SentencePieceTokenizer.from_file(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pieces": ("<unk>", "a", "a")}, "no other piece"),
        ({"pieces": ("<unk>", "a", "")}, "no other piece"),
        ({"pieces": ("<unk>", "a")}, "as many of each"),
        ({"pieces": ("<unk>", "a", "\ud800")}, "surrogate"),
        ({"scores": (0.0, float("nan"), 0.0)}, "finite"),
        ({"types": (2, 1, 9)}, "type 9"),
        ({"types": (2, 1, 2)}, "one unknown piece"),
        ({"types": (2, 1, 6)}, "byte piece"),
        ({"bos_id": 3}, "bos_id is 3"),
        ({"unk_id": 1}, "one unknown piece"),
    ],
)
def test_absurd_vocabularies_are_refused(change, message):
    fine = {
        "pieces": ("<unk>", "a", "b"),
        "scores": (0.0, 0.0, 0.0),
        "types": (2, 1, 1),
        "bos_id": None,
        "eos_id": None,
    }
    Vocabulary(**fine)
    with pytest.raises(TokenizerError, match=message):
        Vocabulary(**fine | change)


def test_other_definitions_take_the_places_of_the_packages_own():
    vocabulary = Vocabulary(pieces=("<unk>", "<s>", "</s>", "▁", "a"), scores=(0.0,) * 5, types=(2, 3, 3, 1, 1))
    tokenizer = SentencePieceTokenizer(vocabulary)
    other = tokenizer.with_pieces(
        encode_bpe=lambda text, vocab, at_start: [vocab.ids["a"]] * len(text),
        decode=lambda ids, vocab: "-".join(vocab.piece(token) for token in ids),
        stream_decode=lambda ids, vocab, at_start: iter([str(at_start)]),
    )
    assert other.encode("xy") == [1, 4, 4, 4]  # the dummy prefix is the tokenizer's part
    assert other.decode([4, 4]) == "a-a"
    assert list(other.stream_decode([4], at_start=False)) == ["False"]
    assert tokenizer.decode([4, 4]) == "aa"
    assert list(tokenizer.stream_decode([3, 4])) == ["a"]
