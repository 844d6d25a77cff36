import errno
import json
import shutil
from pathlib import Path

import pytest
import torch
import transformers
from oracles import relative_difference
from safetensors.torch import load_file, save_file

from minillama.checkpoint import convert, files, load, open_checkpoint, quantize
from minillama.checkpoint.gguf_writer import write_gguf
from minillama.checkpoint.source import Checkpoint
from minillama.errors import CheckpointError
from minillama.quant.formats import FORMATS
from minillama.tokenizer.bpe import vocabulary_from_merges
from minillama.tokenizer.hf_json import write_tokenizer_json
from minillama.tokenizer.sentencepiece import SentencePieceTokenizer
from tests.checkpoint.gguf_files import sentencepiece_tokenizer
from tests.checkpoint.models import MODEL_CONFIGS, PLAIN, TOKENS, checkpoint_of, hf_folder, meta_folder, model_of

PATHS = [["hf"], ["meta"], ["gguf"], ["meta", "hf"], ["gguf", "meta"], ["hf", "gguf"], ["meta", "gguf", "hf", "meta"]]


def numbers_are_equal(one: Checkpoint, other: Checkpoint) -> bool:
    """Bit for bit; norm weights may be float32 in a file of 16-bit matrices, as GGUF's are."""
    return one.tensors.keys() == other.tensors.keys() and all(
        torch.equal(tensor.read().float(), other.tensors[name].read().float()) for name, tensor in one.tensors.items()
    )


@pytest.mark.parametrize("path", PATHS, ids="-".join)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_chain_of_conversions_is_bit_exact(tmp_path, path, dtype) -> None:
    source = (
        hf_folder(tmp_path / "start", dtype=dtype) if path[0] != "hf" else meta_folder(tmp_path / "start", dtype=dtype)
    )
    start, place = open_checkpoint(source), source
    for number, kind in enumerate(path):
        place = convert(place, tmp_path / f"{number}.{kind}", kind)
    found = open_checkpoint(place)
    assert found.kind == path[-1]
    assert found.config == start.config
    assert numbers_are_equal(found, start)
    if path[-1] != "gguf":  # the vectors are back in the dtype of the matrices
        assert {t.format for t in found.tensors.values()} == {t.format for t in start.tensors.values()}
    for text in ("ab", "é 💛\n", ""):
        assert found.tokenizer().encode(text) == sentencepiece_tokenizer().encode(text)


@pytest.mark.parametrize("name", MODEL_CONFIGS)
@pytest.mark.parametrize("kind", ["hf", "meta", "gguf"])
def test_every_config_survives(tmp_path, name, kind) -> None:
    config = MODEL_CONFIGS[name]
    source = hf_folder(tmp_path / "start", config)
    if (kind, name) == ("meta", "wide heads"):
        with pytest.raises(CheckpointError, match="write hf or gguf"):
            convert(source, tmp_path / "out", kind)
        return
    model, _ = load(convert(source, tmp_path / "out", kind))
    assert relative_difference(model(TOKENS), model_of(config)(TOKENS)) <= 1e-4


@pytest.mark.parametrize("type", ["q8_0", "q4_0"])
def test_quantize_writes_the_quantizers_bytes(tmp_path, type) -> None:
    out = quantize(hf_folder(tmp_path / "start"), tmp_path / "out.gguf", type)
    found = open_checkpoint(out).tensors["layers.1.feed_forward.w3.weight"]
    weight = model_of().layers[1].feed_forward.w3.weight.numpy()
    assert found.format == type
    assert (found.read() == FORMATS[type].quantize(weight)).all()


@pytest.mark.parametrize("kind", ["hf", "meta"])
def test_quantized_weights_become_float16(tmp_path, kind) -> None:
    write_gguf(checkpoint_of(), tmp_path / "start.gguf", "q4_0")
    found = open_checkpoint(convert(tmp_path / "start.gguf", tmp_path / "out", kind))
    floats, _ = load(tmp_path / "start.gguf", quant="none")
    assert {t.format for t in found.tensors.values() if len(t.shape) == 2} == {"f16"}
    for name in ("tok_embeddings.weight", "layers.2.attention.wq.weight"):
        assert torch.equal(found.tensors[name].read(), floats.get_parameter(name).half())


@pytest.mark.parametrize("kind", ["hf", "meta", "gguf"])
def test_a_format_may_be_asked_for(tmp_path, kind) -> None:
    found = open_checkpoint(convert(hf_folder(tmp_path / "start"), tmp_path / "out", kind, format="bf16"))
    assert found.tensors["layers.0.attention.wo.weight"].format == "bf16"


def test_shards_may_be_asked_for(tmp_path) -> None:
    folder = convert(hf_folder(tmp_path / "start"), tmp_path / "out", "meta", shards=4)
    assert len(list(folder.glob("consolidated.*.pth"))) == 4


def test_progress_ends_at_the_whole(tmp_path) -> None:
    for kind in ("hf", "meta", "gguf"):
        calls: list[tuple[int, int]] = []
        convert(
            meta_folder(tmp_path / f"{kind}0"), tmp_path / kind, kind, progress=lambda *c, calls=calls: calls.append(c)
        )
        assert [done for done, _ in calls] == sorted(done for done, _ in calls)
        assert calls[-1][0] == calls[-1][1] > 0


@pytest.mark.parametrize(
    ("out", "to", "options"),
    [
        ("start", "hf", {}), ("start", "hf", {"overwrite": True}), (".", "meta", {}),
        (".", "meta", {"overwrite": True}),
        ("taken", "gguf", {}), ("taken", "hf", {"overwrite": True}), ("a/b", "hf", {}), ("new", "onnx", {}),
        ("new", "hf", {"shards": 2}), ("new", "meta", {"shards": 5}), ("new", "hf", {"format": "q4_0"}),
        ("new", "gguf", {"format": "q5_k"}), ("folder", "gguf", {"overwrite": True}), ("folder", "hf", {}),
    ],
)  # fmt: skip
def test_what_would_lose_something_or_cannot_be_is_refused(tmp_path, out, to, options) -> None:
    source = hf_folder(tmp_path / "start")
    (tmp_path / "taken").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/mine").write_text("mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(CheckpointError) as caught:
        convert(source, tmp_path / out, to, **options)
    assert "\n" not in str(caught.value)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_overwriting_replaces_a_model_whole(tmp_path) -> None:
    meta_folder(tmp_path / "out", shards=4)
    convert(hf_folder(tmp_path / "start"), tmp_path / "out", "meta", overwrite=True)
    assert [path.name for path in (tmp_path / "out").glob("*.pth")] == ["consolidated.00.pth"]
    assert numbers_are_equal(open_checkpoint(tmp_path / "out"), checkpoint_of(PLAIN))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "start"]


@pytest.mark.parametrize("kind", ["hf", "meta", "gguf"])
def test_a_full_disk_is_seen_before(tmp_path, monkeypatch, kind) -> None:
    source = hf_folder(tmp_path / "start")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(CheckpointError, match=r"(MB|bytes) are to be written, 1000 bytes are free: make room"):
        convert(source, tmp_path / "out", kind)
    assert [path.name for path in tmp_path.iterdir()] == ["start"]


@pytest.mark.parametrize("kind", ["hf", "meta"])
def test_a_failure_half_way_leaves_nothing(tmp_path, monkeypatch, kind) -> None:
    source = hf_folder(tmp_path / "start")

    def fail(path: Path, content: dict) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(f"minillama.checkpoint.{kind}.write_json", fail)
    with pytest.raises(CheckpointError, match="No space left"):
        convert(source, tmp_path / "out", kind)
    assert [path.name for path in tmp_path.iterdir()] == ["start"]


TEXTS = ("Hello", " Hello", "  x", " ", "", "a\n b", "▁x", "</s> a", "</s>a", "a</s>  b")


def metaspace_folder(folder: Path, scheme: str) -> Path:
    """A model whose tokenizer is written as transformers 5 does."""
    hf_folder(folder)
    vocabulary = vocabulary_from_merges([("a", "b"), ("▁", "ab"), ("▁", "a")], ["▁", "a", "b", "x"])
    write_tokenizer_json(SentencePieceTokenizer(vocabulary), folder / "tokenizer.json")
    content = json.loads((folder / "tokenizer.json").read_text())
    words = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": False}
    (folder / "tokenizer.json").write_text(json.dumps(content | {"normalizer": None, "pre_tokenizer": words}))
    (folder / "tokenizer.model").unlink(missing_ok=True)
    return folder


def ids_of(folder: Path) -> list[list[int]]:
    tokenizer = open_checkpoint(folder).tokenizer()
    return [tokenizer.encode(text, special=special) for text in TEXTS for special in (False, True)]


@pytest.mark.parametrize("scheme", ["always", "first", "never"])
def test_a_metaspace_tokenizer_keeps_its_ids(tmp_path, scheme) -> None:
    source = metaspace_folder(tmp_path / "start", scheme)
    out = convert(source, tmp_path / "out", "hf")
    assert ids_of(out) == ids_of(source)
    assert (out / "tokenizer.model").exists() == (scheme == "never")
    theirs = transformers.AutoTokenizer.from_pretrained(out)
    for text in TEXTS[:6]:
        assert theirs.encode(text, add_special_tokens=False) == open_checkpoint(out).tokenizer().encode(text, bos=False)


@pytest.mark.parametrize("kind", ["meta", "gguf"])
@pytest.mark.parametrize(
    ("scheme", "texts"), [("always", "begin with a space get"), ("first", "follow a control token"), ("never", "")]
)
def test_a_metaspace_tokenizer_that_cannot_keep_its_ids_is_named(tmp_path, caplog, kind, scheme, texts) -> None:
    source = metaspace_folder(tmp_path / "start", scheme)
    out = convert(source, tmp_path / "out", kind)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    if scheme == "never":
        assert (ids_of(out), warnings) == (ids_of(source), [])
        return
    assert len(warnings) == 1
    assert texts in warnings[0]
    assert ids_of(out) != ids_of(source)


def test_a_tokenizer_with_merges_of_its_own_stays_json(tmp_path) -> None:
    source = hf_folder(tmp_path / "start")
    write_tokenizer_json(sentencepiece_tokenizer(), source / "tokenizer.json")
    (source / "tokenizer.model").unlink(missing_ok=True)
    out = convert(source, tmp_path / "out", "hf")
    assert not (out / "tokenizer.model").exists()
    assert ids_of(out) == ids_of(source)
    assert open_checkpoint(out).tokenizer().vocabulary.merges


@pytest.mark.parametrize("kind", ["hf", "meta", "gguf"])
def test_a_weight_that_is_no_number_is_named_with_its_file(tmp_path, kind) -> None:
    source = hf_folder(tmp_path / "start")
    weights = load_file(source / "model.safetensors")
    weights["model.norm.weight"][3] = float("nan")
    save_file(weights, source / "model.safetensors")
    for act in (
        lambda: convert(source, tmp_path / "out", kind),
        lambda: load(source),
        lambda: load(source, quant="q4_0"),
    ):
        with pytest.raises(CheckpointError, match=r"start: tensor norm\.weight holds NaN"):
            act()
