"""Real trained weights, through every format and back: the text stays the same to the byte."""

from pathlib import Path

import pytest

import minillama
from minillama.checkpoint import convert

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def golden(shared_data: Path) -> str:
    return (shared_data / "stories260K_greedy.txt").read_bytes().decode()


@pytest.fixture(scope="module")
def formats(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The checkpoint in each format, each made from the one before it."""
    folder = tmp_path_factory.mktemp("stories260K")
    tokenizer = shared_data / "tok512.bin"
    made = {
        name: folder / name for name in ("hf", "meta-1", "meta-2", "f32.gguf", "f16.gguf", "hf-again", "meta-again")
    }
    convert(shared_data / "stories260K.bin", made["hf"], to="hf", tokenizer=tokenizer)
    convert(made["hf"], made["meta-1"], to="meta")
    convert(made["meta-1"], made["meta-2"], to="meta", shards=2)
    convert(made["meta-2"], made["f32.gguf"], to="gguf", format="f32")
    convert(made["f32.gguf"], made["hf-again"], to="hf")
    convert(made["hf-again"], made["f16.gguf"], to="gguf", format="f16")
    convert(made["f16.gguf"], made["meta-again"], to="meta", shards=2)
    return made


def story(path: Path, **options: object) -> str:
    model, tokenizer = minillama.load(path, **options)
    return minillama.generate(model, tokenizer, "", max_new_tokens=256) + "\n"


def test_as_it_is(shared_data: Path, golden: str) -> None:
    assert story(shared_data / "stories260K.bin", tokenizer=shared_data / "tok512.bin") == golden


@pytest.mark.parametrize("name", ["hf", "meta-1", "meta-2", "f32.gguf", "f16.gguf", "hf-again", "meta-again"])
def test_after_conversion(formats: dict[str, Path], name: str, golden: str) -> None:
    assert story(formats[name]) == golden


def test_transformers_says_the_same(formats: dict[str, Path], golden: str) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    other = AutoModelForCausalLM.from_pretrained(formats["hf"], dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(formats["hf"])
    ids = other.generate(
        torch.tensor([[1]]), attention_mask=torch.ones(1, 1), max_new_tokens=256, do_sample=False, eos_token_id=1,
        pad_token_id=0,
    )  # fmt: skip
    text = tokenizer.decode(ids[0], skip_special_tokens=True)
    assert text.strip() == golden.strip()
