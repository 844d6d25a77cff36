from dataclasses import replace
from pathlib import Path

import numpy as np

import minillama
from minillama.checkpoint.gguf_writer import write_gguf
from minillama.checkpoint.stand_in import random_checkpoint
from minillama.config import PRESETS

SMALL = replace(PRESETS["tinyllama-1.1b"], dim=256, n_layers=2, n_heads=8, n_kv_heads=4, head_dim=32, hidden_dim=512)


def test_a_stand_in_is_a_model_of_its_shape(tmp_path: Path) -> None:
    write_gguf(random_checkpoint(SMALL, "q4_0", minillama.load_tokenizer), tmp_path / "x.gguf", "q4_0")
    model, tokenizer = minillama.load(tmp_path / "x.gguf")
    assert replace(model.config, norm_eps=SMALL.norm_eps) == SMALL
    assert isinstance(minillama.generate(model, tokenizer, "Once", max_new_tokens=3), str)


def test_rows_repeat_and_matrices_differ() -> None:
    tensors = random_checkpoint(SMALL, "q8_0").tensors
    w1, w3 = (tensors[f"layers.0.feed_forward.{name}.weight"].read() for name in ("w1", "w3"))
    assert np.array_equal(w1[:64], w1[64:128])
    assert not np.array_equal(w1, w3)
    assert tensors["norm.weight"].read().shape == (256,)
