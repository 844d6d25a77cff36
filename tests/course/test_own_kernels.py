"""Learners' kernels, compiled or not: what is taken along, what is said of them, and the model that runs them."""

from pathlib import Path

import nbformat
import numba
import numpy as np
import pytest
import torch
from numba import njit, prange

import minillama
from minillama import course
from minillama.checkpoint.bundled import bundled_model
from minillama.checkpoint.conversion import quantize
from minillama.checkpoint.own_pieces import own_names
from minillama.course.promoting import piece_path
from minillama.course.sources import standalone_source
from minillama.course.tasks import find_task
from minillama.errors import ConfigError
from minillama.model import Pieces
from minillama.quant.kernels import ladder_int8
from minillama.quant.kernels.ladder import scale_of, split_blocks
from minillama.quant.kernels.ladder_int8 import quantize_activations
from minillama.quant.linear import QuantLinear

ROOT = Path(__file__).parents[2]
TEXT = "Once upon a time there was a girl named Lily. She had a red ball, and she gave it to her friend."


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MINILLAMA_HOME", str(tmp_path))


@njit(nogil=True)
def sum_of_products(left, right):
    total = numba.int32(0)
    for i in range(len(left)):
        total += np.int32(left[i]) * np.int32(right[i])
    return total


@njit(parallel=True, nogil=True)
def rows_of(blocks, codes, scales, y):
    for row in prange(len(y)):
        y[row] = 0
        weights = np.empty(32, np.int8)
        for b in range(len(scales)):
            for i in range(16):
                weights[i] = (blocks[row, b, 2 + i] & 15) - 8
                weights[16 + i] = (blocks[row, b, 2 + i] >> 4) - 8
            y[row] += scale_of(blocks[row, b]) * scales[b] * sum_of_products(weights, codes[b])


def matvec_q4(blocks, x):
    y = np.empty(len(blocks), np.float32)
    rows_of(split_blocks(blocks, x), *quantize_activations(x), y)
    return y


def matvec_q8(blocks, x):
    """No loop at all."""
    codes, scales = quantize_activations(x)
    stored = blocks.reshape(len(blocks), len(scales), 34)
    steps = stored[..., :2].copy().view(np.float16)[..., 0].astype(np.float32)
    return (np.einsum("nbi,bi->nb", stored[..., 2:].view(np.int8), codes, dtype=np.int32) * steps) @ scales


@njit
def pack_rows(blocks):
    n_blocks = blocks.shape[1] // 18
    out = np.zeros(((len(blocks) + 15) // 16, (288 * n_blocks + 63) // 64 * 64), np.uint8)
    for row in range(len(blocks)):
        group, r = row // 16, row % 16
        for b in range(n_blocks):
            for i in range(2):
                out[group, 256 * n_blocks + 32 * b + 2 * r + i] = blocks[row, 18 * b + i]
            for i in range(16):
                out[group, 256 * b + 64 * (i // 4) + 4 * r + i % 4] = blocks[row, 18 * b + 2 + i]
    return out


def assert_same_logits(mine, reference, tokenizer):
    """Token by token, as kernels are used; sums in another order move an 8-bit activation by a step here and there."""
    ids = torch.tensor([tokenizer.encode(TEXT)])
    caches = [model.new_cache(1, ids.shape[1]) for model in (mine, reference)]
    for token in ids.split(1, dim=1):
        got, expected = (model(token, cache=cache) for model, cache in zip((mine, reference), caches, strict=True))
        assert (got - expected).abs().max() < 0.05 * expected.std()


def test_compiled_helpers_are_taken_along_with_their_decorators():
    source = standalone_source(matvec_q4, "matvec_q4")
    for words in (
        "@njit(nogil=True)\ndef sum_of_products",
        "@njit(parallel=True, nogil=True)\ndef rows_of",
        "import numba",
    ):
        assert words in source
    for line in ("ladder import scale_of", "ladder_int8 import quantize_activations", "prange"):
        assert line in source
    assert "@njit\ndef pack_rows" in standalone_source(pack_rows, "pack_rows")


def test_promoted_kernels_run_in_the_model_and_say_what_the_reference_says(tmp_path):
    """From a quantized file, and quantized while loading: the learner's kernels, and the package's in their places."""
    file = tmp_path / "tiny.gguf"
    quantize(bundled_model(), file, "q4_0")
    for name, piece in (("matvec_q4", matvec_q4), ("matvec_q8", matvec_q8), ("pack_rows", pack_rows)):
        report = course.promote(f"kernels.{name}", piece)
        assert repr(report).startswith("✓"), report
        assert "runs it" in repr(report)
    mine, tokenizer = minillama.load(file, pieces="my_llama")
    assert own_names(mine.pieces) == ["matvec_q4", "matvec_q8", "pack_rows"]
    layer = mine.layers[0].attention.wq
    assert isinstance(layer, QuantLinear)
    assert layer.matrix.matvec.__module__ == "my_llama.kernels.matvec_q4"
    assert layer.matrix.packed is not None
    theirs = Pieces(matvec_q4=ladder_int8.matvec_q4, pack_rows=ladder_int8.pack_rows)
    reference, _ = minillama.load(file, pieces=theirs)
    assert_same_logits(mine, reference, tokenizer)
    eight, _ = minillama.load(quant="q8_0", pieces="my_llama")
    package, _ = minillama.load(quant="q8_0", pieces=Pieces(matvec_q8=ladder_int8.matvec_q8))
    assert_same_logits(eight, package, tokenizer)


def test_a_wrong_kernel_stays_out():
    def matvec_q4(blocks, x):
        return np.zeros(len(blocks), np.float32)

    assert "is not promoted" in repr(course.promote("kernels.matvec_q4", matvec_q4))
    assert not piece_path(find_task("kernels.matvec_q4")).exists()


# What cannot be compiled


@njit
def of_a_dict(blocks, x):
    sizes = {"rows": len(blocks), 2: x}
    return sizes


@njit
def with_unknown_numpy(blocks, x):
    return np.einsum("nk,k->n", blocks, x)


@njit
def with_float_indices(blocks, x):
    half = len(x) / 2
    return x[half]


CONTEXT = [1, "two"]


@njit
def leaning_on_a_list(blocks, x):
    return CONTEXT[0] * x


@njit
def two_types(blocks, x):
    total = 0
    for i in range(len(x)):
        total = x if i else "none"
    return total


@pytest.mark.parametrize(
    ("answer", "words", "line"),
    [
        (of_a_dict, "Numba could not compile it", ""),
        (with_unknown_numpy, "numpy.einsum", "np.einsum"),
        (with_float_indices, "it has no getitem(", "x[half]"),
        (leaning_on_a_list, "cannot take `CONTEXT` along", "CONTEXT[0]"),
        (two_types, "Cannot unify", ""),
    ],
)
def test_what_numba_cannot_compile_is_one_sentence(answer, words, line):
    def with_a_wrapper(blocks, x):
        return answer(blocks, x)

    for each in (answer, with_a_wrapper):
        report = course.check("kernels.matvec_q8", each, seed=1)
        first = repr(report).splitlines()[0]
        assert first.startswith("✗ kernels.matvec_q8: Numba could not compile it: ")
        assert words in first
        assert line in first
        assert "\x1b" not in first
        assert len(first) < 320
        assert "site-packages" not in repr(report)
        assert repr(report).count("?") >= 1


# Speed, which decides nothing


def test_the_speed_stands_beside_the_packages():
    text = repr(course.speed("kernels.matvec_q4", matvec_q4, shape=(64, 64)))
    for words in ("GB of weights a second", "yours", "the package's", "the memory at its best"):
        assert words in text

    def unwritten(blocks, x):
        raise NotImplementedError("two codes a byte")

    assert repr(course.speed("kernels.matvec_q8", unwritten, shape=(64, 64))).startswith("○")
    assert "What does its check say?" in repr(course.speed("kernels.matvec_q8", len, shape=(64, 64)))
    with pytest.raises(ConfigError, match="expected one of"):
        course.speed("kernels.pack_rows", pack_rows)


# The lesson on another processor


SMALL = """
import functools
measure_rungs = functools.partial(measure_rungs, shape=(64, 64), megabytes=0)
measure_roof = functools.partial(measure_roof, megabytes=4, rounds=1)
"""


@pytest.mark.parametrize("without", ["vnni512,avxvnni,arm", "vnni512,avxvnni,arm,avx2"])
def test_the_ladder_goes_on_without_its_instruction(without, monkeypatch):
    """The lesson's own cells, on small matrices, where paths are left out as if the processor lacked them."""
    from nbclient import NotebookClient

    from minillama.course.notebooks import KERNEL

    monkeypatch.setenv("MINILLAMA_WITHOUT", without)
    notebook = nbformat.read(ROOT / "notebooks" / "12_kernels.ipynb", as_version=4)
    words = ("import numpy", "from minillama", "measure_r", "RUNGS", "roof", "add_products", "line_of_16")
    cells = [c for c in notebook.cells if c.cell_type == "code" and any(word in c.source for word in words)]
    small = nbformat.v4.new_code_cell(SMALL)
    at = next(
        i for i, cell in enumerate(cells) if "import measure_roof" in cell.source or "measure_roof," in cell.source
    )
    notebook.cells = [*cells[: at + 1], small, *cells[at + 1 :]]
    NotebookClient(notebook, timeout=300, kernel_name=KERNEL["name"]).execute()
    text = "\n".join(
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for cell in notebook.cells
        for output in cell.outputs
    )
    assert "This ladder lacks its last rung: this processor lacks AVX-512 VNNI" in text
    assert "dot-product instruction        missing:" in text
    assert "the page goes on without it" in text
