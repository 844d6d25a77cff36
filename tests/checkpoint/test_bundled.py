"""The bundled model in other programs and in fewer bits: it says what it says here."""

from itertools import islice
from pathlib import Path

import pytest
import torch

import minillama
from minillama.checkpoint import convert
from minillama.checkpoint.bundled import bundled_model
from minillama.config import PRESETS
from minillama.evaluate import perplexity
from minillama.train.corpus import stories

PROMPTS = ("Once upon a time", "Tom and Mia went to the", "Zorbik Quamel met a fox. Zorbik", "", '"Hello," said')
TYPES = ("q8_0", "q6_k", "q4_k", "q4_k_m", "q4_0")


@pytest.fixture(scope="module")
def held_out() -> str:
    return "\n".join(islice(stories(7, "held_out"), 8))


def test_transformers_says_the_same_after_conversion(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    convert(bundled_model(), tmp_path / "hf", to="hf")
    other = AutoModelForCausalLM.from_pretrained(tmp_path / "hf", dtype=torch.float32)
    words = AutoTokenizer.from_pretrained(tmp_path / "hf")
    model, tokenizer = minillama.load()
    for prompt in PROMPTS:
        ids = tokenizer.encode(prompt)
        assert words(prompt)["input_ids"] == ids
        tokens = torch.tensor([ids])
        found = other.generate(
            tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=100, do_sample=False,
            eos_token_id=tokenizer.eos_id, pad_token_id=0,
        )  # fmt: skip
        theirs = words.decode(found[0], skip_special_tokens=True)
        ours = minillama.generate(model, tokenizer, prompt, max_new_tokens=100)
        assert theirs == prompt + ours, prompt


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_that_is_written_tells_stories(kind: str, tmp_path: Path, held_out: str) -> None:
    path = tmp_path / "quantized.gguf"
    convert(bundled_model(), path, to="gguf", format=kind)
    assert path.stat().st_size < 0.6 * bundled_model().stat().st_size
    floats, tokenizer = minillama.load()
    model, _ = minillama.load(path)
    exact, lossy = (perplexity(each, tokenizer, held_out).value for each in (floats, model))
    assert lossy < 1.1 * exact, "a few bits less cost a few per cent, never a story"
    assert model.config == PRESETS["tiny"]
    assert len(minillama.generate(model, tokenizer, "Once upon a time", max_new_tokens=100).split()) > 40
