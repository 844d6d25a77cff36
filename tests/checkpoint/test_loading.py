import dataclasses
import logging
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from oracles import relative_difference
from safetensors.torch import load_file, save_file

from minillama import norm
from minillama.checkpoint import load, load_tokenizer, loading, memory, open_checkpoint
from minillama.checkpoint.gguf_writer import write_gguf
from minillama.checkpoint.source import from_model
from minillama.config import ModelConfig
from minillama.errors import CheckpointError, ConfigError, NotEnoughMemoryError, TokenizerError
from minillama.model import Llama, Pieces
from minillama.quant.engine.model import QuantizedLlama
from minillama.quant.formats import FORMATS
from minillama.quant.linear import QuantEmbedding, QuantLinear
from minillama.tokenizer.llama3 import ByteBPETokenizer
from minillama.tokenizer.sentencepiece import SentencePieceTokenizer
from tests.checkpoint.gguf_files import sentencepiece_tokenizer
from tests.checkpoint.models import (
    MODEL_CONFIGS,
    PLAIN,
    TOKENS,
    checkpoint_of,
    edit_json,
    hf_folder,
    meta_folder,
    model_of,
)

ODD = dataclasses.replace(PLAIN, hidden_dim=172)  # as llama2.c's 260K model: rows of w2 do not divide into blocks


def gguf_file(path: Path, config: ModelConfig = PLAIN, format: str = "f16") -> Path:
    write_gguf(checkpoint_of(config), path, format)
    return path


@pytest.mark.parametrize("kind", ["hf", "meta", "gguf"])
def test_every_kind_gives_the_same_logits(tmp_path, kind) -> None:
    path = {
        "hf": lambda: hf_folder(tmp_path / "m"),
        "meta": lambda: meta_folder(tmp_path / "m", shards=2),
        "gguf": lambda: gguf_file(tmp_path / "m.gguf", format="f32"),
    }[kind]()
    model, tokenizer = load(str(path))
    assert open_checkpoint(path).kind == kind
    assert torch.equal(model(TOKENS), model_of()(TOKENS))
    assert tokenizer.encode("ab") == sentencepiece_tokenizer().encode("ab")
    assert not model.training


@pytest.mark.parametrize("quant", ["q8_0", "q4_0"])
@pytest.mark.parametrize("name", ["theta 5e5", "tied", "wide heads"])
def test_quantizing_while_loading_is_the_quantizer_and_nothing_else(tmp_path, quant, name) -> None:
    config = MODEL_CONFIGS[name]
    folder = hf_folder(tmp_path / "m", config)
    model, _ = load(folder, quant=quant, pieces=Pieces())
    assert isinstance(model.tok_embeddings, QuantEmbedding)
    assert isinstance(model.output, QuantLinear)
    expected = model_of(config)
    for weight in expected.parameters():
        if weight.dim() == 2:
            weight.copy_(torch.from_numpy(FORMATS[quant].dequantize(FORMATS[quant].quantize(weight.numpy()))))
    assert relative_difference(model(TOKENS), expected(TOKENS)) <= 1e-4
    engine, _ = load(folder, quant=quant)
    assert isinstance(engine, QuantizedLlama)
    assert relative_difference(engine(TOKENS), expected(TOKENS)) <= 0.05  # its activations are int8


def test_a_quantized_file_stays_as_it_is_and_mapped(tmp_path) -> None:
    path = gguf_file(tmp_path / "m.gguf", format="q8_0")
    kept, _ = load(path, pieces=Pieces())
    blocks = kept.layers[0].attention.wq.matrix.blocks
    assert (kept.layers[0].attention.wq.matrix.format, blocks.flags.owndata) == ("q8_0", False)
    floats, _ = load(path, quant="none")
    assert isinstance(floats.layers[0].attention.wq, torch.nn.Linear)
    assert relative_difference(kept(TOKENS), floats(TOKENS)) <= 1e-4


def test_quantizing_again_is_said(tmp_path, caplog) -> None:
    path = gguf_file(tmp_path / "m.gguf", format="q8_0")
    with caplog.at_level(logging.INFO, logger="minillama"):
        model, _ = load(path, quant="q4_0")
    assert model.matrices["layers.0.attention.wq"].format == "q4_0"
    assert "quantized already" in caplog.text


def test_rows_that_do_not_divide_stay_float_and_are_named(tmp_path, caplog) -> None:
    with caplog.at_level(logging.INFO, logger="minillama"):
        model, _ = load(hf_folder(tmp_path / "m", ODD), quant="q4_0", dtype="bfloat16")
    assert "layers.1.feed_forward.w2.weight: rows of 172" in caplog.text
    assert model.layers[1].feed_forward.w2.weight.dtype == torch.bfloat16
    assert model(TOKENS).isfinite().all()


@pytest.mark.parametrize("dtype", ["bfloat16", torch.bfloat16, "float16", "float32"])
def test_dtype_by_name_or_as_torchs(tmp_path, dtype) -> None:
    model, _ = load(hf_folder(tmp_path / "m"), dtype=dtype)
    expected = getattr(torch, dtype) if isinstance(dtype, str) else dtype
    assert {parameter.dtype for parameter in model.parameters()} == {expected}
    assert model(TOKENS).dtype == torch.float32
    assert relative_difference(model(TOKENS), model_of()(TOKENS)) < 0.1


@pytest.mark.parametrize(
    ("free", "expected"), [(10**9, torch.float32), (None, torch.float32), (900_000, torch.bfloat16)]
)
def test_dtype_follows_the_free_memory(tmp_path, monkeypatch, free, expected) -> None:
    monkeypatch.setattr(loading, "free_memory", lambda: free)
    monkeypatch.setattr(memory, "WORKING_BYTES", 0)
    model, _ = load(hf_folder(tmp_path / "m", dtype=torch.bfloat16))
    assert model.norm.weight.dtype == expected


def test_what_would_not_fit_is_refused_before_a_weight_is_read(tmp_path, monkeypatch) -> None:
    path = hf_folder(tmp_path / "m")
    monkeypatch.setattr(loading, "free_memory", lambda: 10**6)
    monkeypatch.setattr(loading, "read_checked", lambda *_: pytest.fail("a weight is read"))
    with pytest.raises(NotEnoughMemoryError, match=r"m on cpu: needs"):
        load(path)


def test_weights_of_the_right_dtype_take_no_memory(tmp_path) -> None:
    """A model of 60 MB: what its process owns grows by little more than wq and wk, whose rows change their order."""
    sizes = {"dim": 512, "n_layers": 4, "n_heads": 8, "n_kv_heads": 8, "hidden_dim": 4096, "max_seq_len": 256}
    hf_folder(tmp_path / "m", ModelConfig(**sizes, vocab_size=280), dtype=torch.bfloat16)
    program = """if True:
        import sys, torch
        from minillama.checkpoint import load
        from minillama.checkpoint.memory import own_memory
        load(sys.argv[2])
        before, _ = own_memory()
        model, _ = load(sys.argv[1], dtype="bfloat16")
        after, _ = own_memory()
        print(after - before, sum(p.numel() * 2 for p in model.parameters()))
    """
    small = hf_folder(tmp_path / "small")
    arguments = [sys.executable, "-c", program, str(tmp_path / "m"), str(small)]
    grown, whole = map(int, subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.split())
    assert whole > 50_000_000
    rotary = 2 * 4 * 512 * 512 * 2
    assert grown < rotary + 0.1 * whole


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["model.norm.weight", "model.layers.2.self_attn.k_proj.weight", "lm_head.weight"])
def test_a_weight_that_is_no_number_is_named(tmp_path, value, name) -> None:
    folder = hf_folder(tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    weights[name].view(-1)[-1] = value
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"tensor (norm|layers\.2\.attention\.wk|output)\.weight holds NaN"):
        load(folder)


def test_a_scale_that_is_no_number_is_named(tmp_path) -> None:
    path = gguf_file(tmp_path / "m.gguf", format="q8_0")
    start = open_checkpoint(path).tensors["layers.1.attention.wv.weight"].read()
    content = bytearray(path.read_bytes())
    place = bytes(content).index(start[:1].tobytes())
    content[place : place + 2] = b"\x00\x7e"  # NaN
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"layers\.1\.attention\.wv\.weight holds NaN"):
        load(path)


@pytest.mark.parametrize("name", ["model.embed_tokens.weight", "model.layers.2.self_attn.k_proj.weight"])
def test_a_weight_too_large_for_the_scales_of_a_block(tmp_path, name) -> None:
    folder = hf_folder(tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    weights[name] = weights[name].float()
    weights[name].view(-1)[-1] = 1e6
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(
        CheckpointError, match=r"tensor .* holds a weight of magnitude 1e\+06, .* more than q4_0 can hold"
    ):
        load(folder, quant="q4_0")


def test_a_weight_too_large_for_float16(tmp_path) -> None:
    folder = hf_folder(tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][0] = 70_000.0
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"norm\.weight .*use bfloat16"):
        load(folder, dtype="float16")
    assert load(folder, dtype="bfloat16")[0].norm.weight[0] == 70_144


def test_a_tokenizer_with_more_pieces_than_rows_does_not_fit(tmp_path) -> None:
    folder = hf_folder(tmp_path / "m")
    sentencepiece_tokenizer(281).save(folder / "tokenizer.model")
    with pytest.raises(CheckpointError, match="tokenizer does not fit the model"):
        load(folder)
    sentencepiece_tokenizer(270).save(tmp_path / "other.model")
    assert load(folder, tokenizer=tmp_path / "other.model")[1].vocab_size == 270


def test_a_learners_pieces_are_built_in(tmp_path) -> None:
    class Loud(norm.RMSNorm):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 0 * super().forward(x)

    folder = hf_folder(tmp_path / "m")
    model, _ = load(folder, pieces=Pieces(RMSNorm=Loud))
    assert isinstance(model.norm, Loud)
    assert not model(TOKENS).any()

    class Renamed(torch.nn.Module):
        def __init__(self, dim: int, eps: float) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(dim))

    with pytest.raises(CheckpointError, match="no parameter"):
        load(folder, pieces=Pieces(RMSNorm=Renamed))


@pytest.mark.parametrize(
    "options",
    [{"quant": "q2"}, {"dtype": "float8"}, {"dtype": torch.int64}, {"device": "toaster"}, {"device": "cuda:99"},
     {"pieces": "my_llama"},
     {"device": "meta"}, *([] if torch.cuda.is_available() else [{"device": "cuda"}])],
)  # fmt: skip
def test_options_that_there_are_not(tmp_path, options) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(options))} is"):
        load(hf_folder(tmp_path / "m"), **options)


def test_paths_that_hold_no_model(tmp_path) -> None:
    with pytest.raises(CheckpointError, match=r"no such file or folder; expected a folder with params\.json"):
        load(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="folder is empty"):
        load(tmp_path / "empty")
    (tmp_path / "notes.txt").write_text("a shopping list")
    with pytest.raises(CheckpointError, match="no known kind"):
        load(tmp_path / "notes.txt")
    with pytest.raises(CheckpointError, match=r"neither params\.json nor config\.json"):
        load(tmp_path)
    (tmp_path / "zero.gguf").write_bytes(b"")
    with pytest.raises(CheckpointError, match="empty"):
        load(tmp_path / "zero.gguf")
    for file in ("hf/model.safetensors", "meta/consolidated.00.pth"):
        (hf_folder if file.startswith("hf") else meta_folder)(tmp_path / file.split("/")[0])
        with pytest.raises(CheckpointError, match="give the folder"):
            load(tmp_path / file)


def test_a_folder_with_two_models(tmp_path, caplog) -> None:
    folder = meta_folder(tmp_path / "m")
    for path in hf_folder(tmp_path / "hf", MODEL_CONFIGS["tied"]).iterdir():
        path.replace(folder / path.name)
    with caplog.at_level(logging.INFO, logger="minillama"):
        assert open_checkpoint(folder).kind == "hf"
    assert "the first is taken" in caplog.text
    (folder / "model.safetensors").unlink()
    assert open_checkpoint(folder).kind == "meta"


def test_a_folder_with_one_gguf_file(tmp_path) -> None:
    gguf_file(tmp_path / "m.gguf")
    assert open_checkpoint(tmp_path).kind == "gguf"
    gguf_file(tmp_path / "n.gguf")
    with pytest.raises(CheckpointError, match="give one of them"):
        open_checkpoint(tmp_path)


def test_what_was_chosen_is_logged(tmp_path, caplog) -> None:
    with caplog.at_level(logging.INFO, logger="minillama"):
        load(hf_folder(tmp_path / "m"), quant="q8_0", dtype="bfloat16")
    assert "hf, float weights as bfloat16, matrices as q8_0 on cpu" in caplog.text


def test_the_real_tokenizers(shared_data) -> None:
    llama = load_tokenizer(shared_data / "llama_tokenizer.model")
    assert isinstance(llama, SentencePieceTokenizer)
    assert llama.encode("Hello world") == [1, 15043, 3186]
    llama3 = load_tokenizer(shared_data / "llama3_tokenizer.model")
    assert isinstance(llama3, ByteBPETokenizer)
    assert llama3.vocab_size == 128_256
    assert load_tokenizer(shared_data / "tok512.bin").vocab_size == 512


def test_tokenizers_of_models_and_of_nothing(tmp_path) -> None:
    for path in (hf_folder(tmp_path / "hf"), meta_folder(tmp_path / "meta"), gguf_file(tmp_path / "m.gguf")):
        assert load_tokenizer(path).encode("ab é") == sentencepiece_tokenizer().encode("ab é")
    with pytest.raises(CheckpointError, match="no such file"):
        load_tokenizer(tmp_path / "nothing.model")
    (tmp_path / "notes.txt").write_text("a shopping list")
    with pytest.raises(TokenizerError, match="no known tokenizer"):
        load_tokenizer(tmp_path / "notes.txt")
    for name in ("tokenizer.model", "tokenizer.json"):
        (tmp_path / "hf" / name).unlink()
    with pytest.raises(CheckpointError, match=r"tokenizer\.model or tokenizer\.json"):
        load(tmp_path / "hf")


def test_real_weights_of_llama2c(shared_data) -> None:
    model, tokenizer = load(shared_data / "stories260K.bin", tokenizer=shared_data / "tok512.bin")
    ids = [tokenizer.bos_id]
    with torch.no_grad():
        for _ in range(20):
            ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
    story = (shared_data / "stories260K_greedy.txt").read_text(encoding="utf-8")
    assert len(tokenizer.decode(ids)) > 20
    assert story.startswith(tokenizer.decode(ids).lstrip())


def test_a_long_context_in_a_damaged_header_is_refused_not_allocated(tmp_path, monkeypatch) -> None:
    folder = hf_folder(tmp_path / "m")
    edit_json(folder / "config.json", max_position_embeddings=1 << 24)
    monkeypatch.setattr(loading, "free_memory", lambda: 10**9)
    with pytest.raises(NotEnoughMemoryError):
        load(folder)


def test_models_in_memory_load_like_those_on_disk(tmp_path) -> None:
    source = from_model(model_of(), sentencepiece_tokenizer())
    assert {tensor.format for tensor in source.tensors.values()} == {"f32"}
    assert isinstance(load(hf_folder(tmp_path / "m"))[0], Llama)


def test_the_copies_of_tensors_that_are_not_aligned_count_as_memory(tmp_path, monkeypatch) -> None:
    folder = hf_folder(tmp_path / "m", dtype=torch.bfloat16)
    path = folder / "model.safetensors"
    sizes: list[int] = []
    monkeypatch.setattr(loading, "check_fits", lambda what, config, size, *_: sizes.append(size))
    load(folder, dtype="bfloat16")
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + length] + b" "
    path.write_bytes(len(header).to_bytes(8, "little") + header + content[8 + length :])
    load(folder, dtype="bfloat16")
    assert sizes[0] < sizes[1] == len(content) - 8 - length


def test_a_learners_readers_read_the_files(tmp_path, monkeypatch) -> None:
    from minillama.checkpoint.hf import hf_names_to_meta
    from minillama.checkpoint.meta import merge_shards
    from minillama.rope import permute_hf_to_meta

    called = []

    def watched(name, function):
        return lambda *arguments: called.append(name) or function(*arguments)

    pieces = Pieces(
        merge_shards=watched("merge", merge_shards), hf_names_to_meta=watched("names", hf_names_to_meta),
        permute_hf_to_meta=watched("permute", permute_hf_to_meta), fits_in_memory=watched("fits", lambda *_: False),
    )  # fmt: skip
    monkeypatch.setattr(loading, "free_memory", lambda: 1 << 40)
    for path, asked in (
        (hf_folder(tmp_path / "hf"), {"names", "permute", "fits"}),
        (meta_folder(tmp_path / "meta", shards=2), {"merge", "fits"}),
    ):
        called.clear()
        model, _ = load(path, pieces=pieces)
        assert set(called) == asked
        assert model.norm.weight.dtype == torch.bfloat16  # which is what an answer of "no" leads to
        assert relative_difference(model(TOKENS), model_of()(TOKENS)) < 0.05


def test_a_learners_wrong_reader_is_seen(tmp_path) -> None:
    def beside(shards, dim):
        return {name: torch.cat([shard[name] for shard in shards], dim=-1) for name in shards[0]}

    with pytest.raises(CheckpointError, match="its header said"):
        load(meta_folder(tmp_path / "m", shards=2), pieces=Pieces(merge_shards=beside))
