import numpy as np
import pytest

from minillama.viz import checkpoint


@pytest.mark.parametrize("shards", [1, 2, 8])
def test_every_matrix_is_cut_into_as_many_parts(shards):
    axes = checkpoint.draw_cuts(shards).axes[0]
    assert len(axes.patches) == 9 * shards + 1  # and the norm, whole


def test_a_map_names_the_shares():
    picture = checkpoint.plot_map({"tok_embeddings.weight": 25, "layers.0.attention.wq.weight": 75, "norm.weight": 0})
    assert "embeddings 25%, attention 75%" in picture.alt


def test_what_fits_is_named():
    assert "What fits: small." in checkpoint.plot_needs({"large": 9.0, "small": 2.0}, 3.0, "a model").alt
    assert "What fits: nothing." in checkpoint.plot_needs({"large": 9.0}, 3.0, "a model").alt


@pytest.mark.parametrize("value", [1.0, -0.15625, 3e4])
def test_bits_are_those_of_the_number(value):
    whole = int(np.array(value, np.float16).view(np.uint16))
    assert checkpoint.bits_of(value, "float16") == f"{whole:016b}"
    wide = int(np.array(value, np.float32).view(np.uint32))
    assert checkpoint.bits_of(value, "float32") == f"{wide:032b}"
    assert checkpoint.bits_of(value, "bfloat16") == f"{wide:032b}"[:16]
    assert checkpoint.plot_bits(value).png
