"""Downloads against a stand-in Hub on 127.0.0.1: what is brought, resumed, checked and refused."""

import errno
import io
import json
import logging
import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest
import sentencepiece
import torch

from minillama.checkpoint import download as module
from minillama.checkpoint.catalogue import CATALOGUE, find_weights, select_files
from minillama.checkpoint.download import download, models_folder
from minillama.errors import DownloadError
from tests.checkpoint.hub import COMMIT, Hub, serve

BLOB = bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture(autouse=True)
def _quiet_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "MINILLAMA_MODELS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-token"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    files = {"config.json": b"{}", "model.safetensors": BLOB, "pytorch_model.bin": b"x", "flax_model.msgpack": b"y"}
    with serve(Hub({"owner/name": files})) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


def test_files_arrive_whole_and_the_second_run_transfers_nothing(hub: Hub, tmp_path: Path) -> None:
    assert download("owner/name", folder=tmp_path / "out") == tmp_path / "out"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"config.json", "model.safetensors"}
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == BLOB
    assert all(COMMIT in path for _, path, _ in hub.requests if "/resolve/" in path)
    hub.requests.clear()
    download("owner/name", folder=tmp_path / "out")
    assert not [path for _, path, _ in hub.requests if "/resolve/" in path]


def test_a_changed_file_is_brought_again(hub: Hub, tmp_path: Path) -> None:
    download("owner/name", folder=tmp_path)
    (tmp_path / "model.safetensors").write_bytes(BLOB[::-1])
    download("owner/name", folder=tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == BLOB


def test_a_cut_transfer_goes_on_where_it_broke(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1 << 16)
    hub.cut_after["model.safetensors"] = 300_000
    with pytest.raises(DownloadError, match=r"503.*what has come is kept"):
        download("owner/name", folder=tmp_path)
    assert not (tmp_path / "model.safetensors").exists()
    (partial,) = tmp_path.glob("model.safetensors.*.part")
    assert 0 < partial.stat().st_size <= 300_000
    have = partial.stat().st_size
    hub.cut_after.clear()
    hub.requests.clear()
    download("owner/name", folder=tmp_path)
    assert hub.ranges("model.safetensors") == [f"bytes={have}-"]
    assert (tmp_path / "model.safetensors").read_bytes() == BLOB
    assert not list(tmp_path.glob("*.part"))


def test_a_server_without_ranges_starts_the_file_over(hub: Hub, tmp_path: Path) -> None:
    hub.ignore_range = True
    listed = next(e for e in hub.listing("owner/name")["siblings"] if e["rfilename"] == "model.safetensors")  # type: ignore[attr-defined]
    (tmp_path / f"model.safetensors.{listed['lfs']['sha256'][:12]}.part").write_bytes(BLOB[:1000])
    download("owner/name", folder=tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == BLOB


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_changed_byte_is_caught_and_the_file_removed(hub: Hub, tmp_path: Path, name: str) -> None:
    hub.corrupt.add(name)
    with pytest.raises(DownloadError, match=f"{name} came out different: checksum"):
        download("owner/name", folder=tmp_path)
    assert not list(tmp_path.glob(f"{name}*"))


def test_gated_weights_say_where_to_accept_and_how_to_log_in(hub: Hub, tmp_path: Path, monkeypatch) -> None:
    hub.repositories["meta-llama/Llama-2-7b"] = {"params.json": b"{}", "consolidated.00.pth": b"weights"}
    hub.gated.add("meta-llama/Llama-2-7b")
    for token in (None, "hf_bad"):
        with pytest.raises(DownloadError, match=r"huggingface.co/meta-llama/Llama-2-7b, then set HF_TOKEN"):
            download("llama2-7b", folder=tmp_path, token=token)
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    download("llama2-7b", folder=tmp_path)
    assert (tmp_path / "consolidated.00.pth").read_bytes() == b"weights"


def test_errors_name_the_remedy(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DownloadError, match="did you mean open-llama-7b"):
        download("openllama-7b", folder=tmp_path)
    with pytest.raises(DownloadError, match="no repository owner/missing is open to you"):
        download("owner/missing", folder=tmp_path)
    with pytest.raises(DownloadError, match="no such revision"):
        download("owner/name", folder=tmp_path, revision="v9")
    with pytest.raises(DownloadError, match=r"no file 'model.gguf'; it has model.safetensors"):
        download("owner/name", folder=tmp_path, files=["model.gguf"])
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DownloadError, match=r"broke off .*check the network"):
        download("owner/name", folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_disk_space_is_checked_before_anything_is_written(hub: Hub, tmp_path: Path, monkeypatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 10**6, 10**6))
    with pytest.raises(DownloadError, match=r"0\.001 GB are to come.*take another folder"):
        download("owner/name", folder=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_full_disk_keeps_what_came(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("huggingface_hub.file_download.http_get", full)
    with pytest.raises(DownloadError, match="no space left on the disk"):
        download("owner/name", folder=tmp_path)


def test_a_folder_that_cannot_be_made_is_one_line(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DownloadError, match="cannot write to"):
        download("owner/name", folder=tmp_path / "file" / "inner")


@pytest.mark.parametrize("name", ["../evil.safetensors", "/evil.safetensors", "a/../../evil.safetensors"])
def test_a_listing_cannot_write_outside_the_folder(hub: Hub, tmp_path: Path, name: str) -> None:
    hub.extra_names.append(name)
    with pytest.raises(DownloadError, match="would leave the folder"):
        download("owner/name", folder=tmp_path / "out", files=[name])
    assert not list(tmp_path.rglob("*evil*"))


def test_without_checksums_a_warning_says_so(hub: Hub, tmp_path: Path, monkeypatch, caplog) -> None:
    plain = {"id": "owner/name", "sha": COMMIT, "siblings": [{"rfilename": "model.safetensors"}]}
    monkeypatch.setattr(hub, "listing", lambda repository: plain)
    with caplog.at_level(logging.WARNING, logger="minillama"):
        download("owner/name", folder=tmp_path)
    assert "could not be verified" in caplog.text
    assert (tmp_path / "model.safetensors").read_bytes() == BLOB


def test_one_gguf_file_and_all_its_parts(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {f"big-0000{n}-of-00002.gguf": bytes([n]) for n in (1, 2)}
    hub.repositories["o/g"] = {"small.gguf": b"s", "LICENSE.txt": b"terms", "README.md": b"r", **parts}
    with pytest.raises(DownloadError, match="3 GGUF files, expected one"):
        download("o/g", folder=tmp_path)
    monkeypatch.setenv("MINILLAMA_MODELS", str(tmp_path / "models"))
    path = download("o/g", files=["big-00002-of-00002.gguf"])
    assert path == models_folder() / "o--g" / "big-00001-of-00002.gguf"
    assert {file.name for file in path.parent.iterdir()} == {"LICENSE.txt", *parts}


def test_select_files_takes_weights_once() -> None:
    llama3 = ["LICENSE", "USE_POLICY.md", "config.json", "model-00001-of-00002.safetensors", "tokenizer.json"]
    index = ["model-00002-of-00002.safetensors", "model.safetensors.index.json"]
    extra = ["original/consolidated.00.pth", "original/params.json", "README.md", "onnx/model.onnx", "tf_model.h5"]
    assert set(select_files(llama3 + index + extra)) == {*llama3, *index}
    meta = ["checklist.chk", "consolidated.00.pth", "consolidated.01.pth", "params.json", "tokenizer.model"]
    assert set(select_files(meta)) == set(meta[1:])
    mistral = ["consolidated.safetensors", "model.safetensors", "pytorch_model.bin", "params.json"]
    assert set(select_files(mistral)) == {"model.safetensors", "params.json"}
    with pytest.raises(DownloadError, match=r"no .safetensors, .bin"):
        select_files(["model.safetensors.index.json", "README.md"])


def test_the_catalogue_is_complete() -> None:
    for name, weights in CATALOGUE.items():
        assert find_weights(name) is weights
        assert weights.repository.count("/") == 1
        assert all((weights.licence, weights.note, weights.size_bytes > 10**9))
        assert weights.gated == weights.repository.startswith(("meta-llama/", "mistralai/"))


# What the real repositories look like, in small.

OPEN_LLAMA = {
    "architectures": ["LlamaForCausalLM"], "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu",
    "hidden_size": 32, "initializer_range": 0.02, "intermediate_size": 88, "max_position_embeddings": 64,
    "model_type": "llama", "num_attention_heads": 4, "num_hidden_layers": 2, "pad_token_id": 0, "rms_norm_eps": 1e-06,
    "tie_word_embeddings": False, "torch_dtype": "float16", "transformers_version": "4.30.0.dev0", "use_cache": True,
    "vocab_size": 320,
}  # fmt: skip
TINY_LLAMA = OPEN_LLAMA | {
    "attention_bias": False, "num_key_value_heads": 2, "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling": None,
    "rope_theta": 10000.0, "torch_dtype": "bfloat16", "transformers_version": "4.35.0",
}  # fmt: skip


@pytest.fixture(scope="module")
def vocabulary() -> bytes:
    """A SentencePiece model of 320 pieces, made by the sentencepiece library."""
    out = io.BytesIO()
    text = ["Once upon a time there was a little robot who lived by the sea.", "She said hello to every bird."] * 20
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text), model_writer=out, vocab_size=320, model_type="bpe", byte_fallback=True,
        character_coverage=1.0, minloglevel=2, unk_id=0, bos_id=1, eos_id=2, pad_id=-1,
    )  # fmt: skip
    return out.getvalue()


def _reference(config: dict[str, object]):
    """A model of transformers with seeded weights, which the download must behave like."""
    import transformers

    torch.manual_seed(3)
    known = {key: value for key, value in config.items() if key not in ("architectures", "transformers_version")}
    dtype = getattr(torch, str(known.pop("torch_dtype")))
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**known)).eval()
    for weight in model.parameters():
        weight.data = (weight.data * 8).to(dtype)
    return model


def _greedy(model, ids: list[int], count: int) -> list[int]:
    made: list[int] = []
    model = model.float()
    for _ in range(count):
        made.append(int(model(torch.tensor([ids + made])).logits[0, -1].argmax()))
    return made


def _check_generates(path: Path, model, vocabulary: bytes) -> None:
    import minillama

    prompt = "Once upon a time"
    loaded, tokenizer = minillama.load(path, dtype=torch.float32)
    ids = sentencepiece.SentencePieceProcessor(model_proto=vocabulary).encode(prompt, add_bos=True)
    assert tokenizer.encode(prompt) == ids
    expected = _greedy(model, ids, 8)
    text = minillama.generate(loaded, tokenizer, prompt, max_new_tokens=8)
    assert prompt + text == tokenizer.decode(ids + expected[: expected.index(2) if 2 in expected else 8])


def test_open_llama_layout_loads_and_generates(hub: Hub, tmp_path: Path, vocabulary: bytes) -> None:
    model = _reference(OPEN_LLAMA)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for layer in range(2):
        state[f"model.layers.{layer}.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    names = sorted(state)
    shards = {"pytorch_model-00001-of-00002.bin": names[:9], "pytorch_model-00002-of-00002.bin": names[9:]}
    files = {"config.json": json.dumps(OPEN_LLAMA).encode(), "tokenizer.model": vocabulary, "README.md": b"# OpenLLaMA"}
    for shard, held in shards.items():
        stream = io.BytesIO()
        torch.save({name: state[name] for name in held}, stream)
        files[shard] = stream.getvalue()
    weight_map = {name: shard for shard, held in shards.items() for name in held}
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    files["pytorch_model.bin.index.json"] = json.dumps(index).encode()
    special = {"bos_token": {"content": "<s>"}, "eos_token": {"content": "</s>"}, "unk_token": {"content": "<unk>"}}
    files |= {"special_tokens_map.json": json.dumps(special).encode(), "generation_config.json": b"{}"}
    hub.repositories["openlm-research/open_llama_7b"] = files
    path = download("open-llama-7b", folder=tmp_path)
    assert {file.name for file in path.iterdir()} == set(files) - {"README.md"}
    _check_generates(path, model, vocabulary)


def test_tiny_llama_layout_loads_and_generates(hub: Hub, tmp_path: Path, vocabulary: bytes) -> None:
    import safetensors.torch

    from minillama.tokenizer.hf_json import write_tokenizer_json
    from minillama.tokenizer.sentencepiece import SentencePieceTokenizer

    model = _reference(TINY_LLAMA)
    weights = safetensors.torch.save({k: v.clone() for k, v in model.state_dict().items()}, metadata={"format": "pt"})
    (tmp_path / "tokenizer.model").write_bytes(vocabulary)
    tokenizer = SentencePieceTokenizer.from_file(tmp_path / "tokenizer.model")
    write_tokenizer_json(tokenizer, tmp_path / "tokenizer.json")
    hub.repositories["TinyLlama/TinyLlama-1.1B-Chat-v1.0"] = {
        "config.json": json.dumps(TINY_LLAMA).encode(),
        "eval_results.json": b"{}",
        "model.safetensors": weights,
        "tokenizer.json": (tmp_path / "tokenizer.json").read_bytes(),
        "tokenizer.model": vocabulary,
        "tokenizer_config.json": b'{"add_bos_token": true, "add_eos_token": false}',
    }
    path = download("tinyllama-1.1b-chat", folder=tmp_path / "tiny")
    assert not (path / "eval_results.json").exists()
    _check_generates(path, model, vocabulary)
