"""Every rung of the ladder against dequantized weights and float64, and what the measurement says of them."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from quant.kernel_cases import expected, quantized, random_blocks, with_scales

from minillama.errors import ConfigError, ShapeError
from minillama.quant.formats import FORMATS
from minillama.quant.kernels import rungs
from minillama.quant.kernels.cross import assembly
from minillama.quant.kernels.ladder import matvec_fused, matvec_loops, matvec_numpy, matvec_python
from minillama.quant.kernels.ladder_int8 import (
    matmul_q4,
    matvec_q4,
    matvec_q8,
    pack_rows,
    quantize_activations,
    rows_q4,
)
from minillama.quant.kernels.layout import group_bytes
from minillama.quant.kernels.listing import assembly_of, count_instruction
from minillama.quant.kernels.packing import pack
from minillama.quant.kernels.rungs import RUNGS, Measurement, Weights, measure_rungs, weights_per_token
from minillama.quant.kernels.tiles import tile_q4_0

FLOAT_RUNGS = (matvec_python, matvec_numpy, matvec_loops, matvec_fused)
FLOAT_NAMES = ("python", "numpy", "loops", "fused", "numpy_many")
HERE = [rung for rung in RUNGS if rung.path]
BY_NAME = {rung.name: rung for rung in RUNGS}


def activations(tokens: int, columns: int, seed: int = 1) -> np.ndarray:
    """Normal values with an outlier, and a block of zeros."""
    x = np.random.default_rng(seed).standard_normal((tokens, columns)).astype(np.float32)
    x[0, columns // 2] = 100
    x[-1, :32] = 0
    return x


def exact(name: str, blocks: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The product with the weights in float64, and how far float32 sums may be from it."""
    weights, x = FORMATS[name].dequantize(blocks).astype(np.float64), x.astype(np.float64)
    return x @ weights.T, 2e-6 * (np.abs(x) @ np.abs(weights).T) + 1e-30


def half_steps(name: str, blocks: np.ndarray, x: np.ndarray) -> np.ndarray:
    """What rounding the activations to int8 may change: half a step of each, times the weight (ladder_int8.py)."""
    weights = np.abs(FORMATS[name].dequantize(blocks).astype(np.float64))
    steps = np.abs(x.reshape(len(x), -1, 32)).max(-1).repeat(32, axis=1) / 127.0
    return steps / 2 * (1 + 1e-5) @ weights.T


def product(name: str, blocks: np.ndarray, x: np.ndarray) -> np.ndarray:
    """What the rung called `name` makes of tokens (T, K), those for one token one after the other."""
    rung = BY_NAME[name]
    weights = Weights(blocks=blocks, packed=pack(blocks, "q4_0", (len(blocks), x.shape[1])))
    tokens = [x] if rung.tokens > 1 else [x[t : t + 1] for t in range(len(x))]
    return np.concatenate([rung.multiply(weights, part, 1, rung.path or "portable") for part in tokens])


def assert_all_rungs(blocks: np.ndarray, x: np.ndarray) -> None:
    """Float rungs are exact but for rounding; int8 rungs have the int8 product, within the bound of the exact one."""
    wanted, rounding = exact("q4_0", blocks, x)
    wanted_int8, rounding_int8 = expected("q4_0", blocks, x)
    for rung in HERE:
        got = product(rung.name, blocks, x)
        assert got.dtype == np.float32
        assert got.shape == wanted.shape
        if rung.name in FLOAT_NAMES:
            assert (np.abs(got - wanted) <= rounding).all(), rung.name
        else:
            assert (np.abs(got - wanted_int8) <= rounding_int8).all(), rung.name
            assert (np.abs(got - wanted) <= half_steps("q4_0", blocks, x) + rounding).all(), rung.name


@pytest.mark.parametrize(("rows", "columns"), [(1, 32), (16, 96), (37, 544)])
def test_every_rung_multiplies(rows: int, columns: int) -> None:
    assert_all_rungs(random_blocks("q4_0", rows, columns), activations(11, columns))


@pytest.mark.parametrize("byte", [0x00, 0x0F, 0xF0, 0x7F, 0x80, 0xFF])
@pytest.mark.parametrize("scale", [1.0, -65504.0, 6e-8, 0.0])
def test_codes_and_scales_at_their_ends(byte: int, scale: float) -> None:
    """With activations of one size every product of a block is as large as it can be, and of one sign."""
    blocks = with_scales("q4_0", np.full((17, 18 * 9), byte, np.uint8), np.float16(scale))
    signs = np.where(np.arange(288) % 32 < 16, 1, -1)
    assert_all_rungs(blocks, np.stack([np.ones(288), -np.ones(288), signs, -signs]).astype(np.float32))


def test_zeros_give_zeros() -> None:
    blocks = random_blocks("q4_0", 5, 64)
    for rung in HERE:
        assert not product(rung.name, blocks, np.zeros((2, 64), np.float32)).any()


@pytest.mark.parametrize("rows", [1, 16, 37])
@pytest.mark.parametrize("byte", [None, 0x80, 0x7F])
def test_q8(rows: int, byte: int | None) -> None:
    blocks, x = random_blocks("q8_0", rows, 544), activations(3, 544)
    if byte is not None:
        blocks = with_scales("q8_0", np.full(blocks.shape, byte, np.uint8), np.float16(1))
        x[1] = 1
    wanted, rounding = expected("q8_0", blocks, x)
    got = np.stack([matvec_q8(blocks, token) for token in x])
    assert (np.abs(got - wanted) <= rounding).all()
    exact_product, _ = exact("q8_0", blocks, x)
    assert (np.abs(got - exact_product) <= half_steps("q8_0", blocks, x) + rounding).all()


@settings(max_examples=15)
@given(rows=st.integers(1, 40), n_blocks=st.integers(1, 9), seed=st.integers(0))
def test_packed_bytes_are_those_of_the_layout(rows: int, n_blocks: int, seed: int) -> None:
    blocks = random_blocks("q4_0", rows, 32 * n_blocks, seed)
    packed = pack_rows(blocks)
    assert packed.shape == (-(-rows // 16), group_bytes(0, n_blocks))
    assert packed.tobytes() == pack(blocks, "q4_0", (rows, 32 * n_blocks)).data.tobytes()


def test_activations_become_the_codes_that_the_kernels_use() -> None:
    x = activations(3, 96)
    codes, scales = quantize_activations(x)
    assert (codes.dtype, codes.shape, scales.shape) == (np.int8, (3, 3, 32), (3, 3))
    np.testing.assert_array_equal((codes * scales[..., None].astype(np.float64)).reshape(3, 96), quantized(x))


def test_threads_do_not_change_the_product() -> None:
    blocks, x = random_blocks("q4_0", 100, 64), activations(9, 64)
    assert matvec_q4(blocks, x[0], threads=2).tobytes() == matvec_q4(blocks, x[0]).tobytes()
    assert matmul_q4(blocks, x, threads=2).tobytes() == matmul_q4(blocks, x).tobytes()
    with pytest.raises(ConfigError, match="threads is 0"):
        matvec_q4(blocks, x[0], threads=0)


@pytest.mark.parametrize("matvec", [*FLOAT_RUNGS, matvec_q4, matvec_q8])
def test_other_layouts_in_memory(matvec: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
    name = "q8_0" if matvec is matvec_q8 else "q4_0"
    blocks, x = random_blocks(name, 6, 64), activations(1, 128)[0]
    wanted = matvec(blocks[::2].copy(), x[::2].copy())
    np.testing.assert_array_equal(matvec(blocks[::2], x[::2]), wanted)
    blocks.flags.writeable = False
    np.testing.assert_array_equal(matvec(blocks[::2], x[::2]), wanted)


@pytest.mark.parametrize("matvec", [*FLOAT_RUNGS, matvec_q4, matvec_q8, matmul_q4])
def test_operands_that_do_not_fit_are_refused(matvec: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
    name = "q8_0" if matvec is matvec_q8 else "q4_0"
    blocks, one = random_blocks(name, 4, 64), np.zeros(64, np.float32)
    x = one[None] if matvec is matmul_q4 else one
    for bad_blocks, bad_x, message in [
        (blocks, x.astype(np.float64), "x is float64, expected float32"),
        (blocks, x[None], "x has shape"),
        (blocks, np.float32(1).reshape(()), r"x has shape \(\)"),
        (blocks, x[..., :32], "blocks has shape"),
        (blocks, x[..., :33], "do not divide into"),
        (blocks[0], x, "blocks has shape"),
        (blocks.view(np.int8), x, "blocks are int8, expected uint8"),
    ]:
        with pytest.raises(ShapeError, match=message) as caught:
            matvec(bad_blocks, bad_x)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", [np.zeros((4, 19), np.uint8), np.zeros((4, 18), np.int8), np.zeros(18, np.uint8)])
def test_rows_that_are_no_blocks_are_not_packed(bad: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="blocks"):
        pack_rows(bad)


def test_each_rung_is_measured_once() -> None:
    found = measure_rungs((48, 64), threads=1, rounds=1, megabytes=0)
    assert [measured.rung.name for measured in found] == [rung.name for rung in RUNGS]
    assert len({rung.title for rung in RUNGS}) == len(RUNGS)
    for measured in found:
        assert (measured.seconds is None) == (measured.rung.path is None)
        if measured.seconds is not None:
            assert measured.seconds > 0
            assert (measured.gb_per_s is None) == (measured.rung.tokens > 1)


def test_a_processor_without_dot_products_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rungs, "available_paths", lambda: ("portable",))
    names = ("int8", "multiply_add", "dot_product", "final_tile")
    found = measure_rungs((16, 32), threads=1, rounds=1, megabytes=0, rungs=[BY_NAME[name] for name in names])
    assert [measured.seconds is None for measured in found] == [False, True, True, False]
    assert found[1].gops is None
    assert found[2].tokens_per_s_7b is None
    assert "lacks" in found[1].rung.lacking
    assert "VNNI" in found[2].rung.lacking


def test_a_sample_is_scaled_up() -> None:
    """8 of 48 rows, or 8 of 128 tokens, count for all of them."""
    clock = iter([0.0, 1.0] * 8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rungs.time, "perf_counter", lambda: next(clock))
        found = measure_rungs(
            (48, 32), 1, 1, 0, [BY_NAME["python"], BY_NAME["int8"], BY_NAME["int8_each"]]
        )  # fmt: skip
    assert [measured.seconds for measured in found] == [6.0, 1.0, 16.0]


def test_rates() -> None:
    one = Measurement(rung=BY_NAME["int8"], shape=(4096, 11008), n_bytes=25_362_432, threads=1, seconds=0.01)
    assert one.gb_per_s == pytest.approx(2.5362432)
    assert one.gops == pytest.approx(9.0177536)
    assert one.tokens_per_s_7b == pytest.approx(2.5362432e9 / (6_607_077_376 * 18 / 32))
    many = Measurement(rung=BY_NAME["int8_tile"], shape=(4096, 11008), n_bytes=25_362_432, threads=1, seconds=1.28)
    assert many.gops == pytest.approx(one.gops)
    assert many.tokens_per_s_7b == pytest.approx(one.tokens_per_s_7b)


def test_weights_of_a_token_are_the_parameters_without_embedding_and_norms() -> None:
    assert weights_per_token("llama-7b") == 6_738_415_616 - 32_000 * 4096 - 65 * 4096


@pytest.mark.parametrize(("shape", "rounds"), [((0, 32), 1), ((16, 0), 1), ((16, 32), 0)])
def test_nothing_to_measure_is_refused(shape: tuple[int, int], rounds: int) -> None:
    with pytest.raises(ConfigError, match="expected at least 1"):
        measure_rungs(shape, threads=1, rounds=rounds)


def test_instructions_are_counted() -> None:
    text = "\tvpdpbusd\t%zmm1, %zmm2, %zmm0\n\tvpdpbusds\t%zmm1, %zmm2, %zmm0\n# vpdpbusd\nvpdpbusd:\n"
    assert count_instruction(text, "vpdpbusd") == 1
    assert count_instruction(assembly(tile_q4_0, "vnni512", 1), "vpdpbusd") == 8
    assert count_instruction(assembly(tile_q4_0, "arm", 1), "sdot") == 32


def test_plain_loops_have_no_dot_products_of_bytes() -> None:
    matvec_q4(random_blocks("q4_0", 2, 32), np.zeros(32, np.float32))
    text = assembly_of(rows_q4)
    assert len(text) > 1000
    assert count_instruction(text, "vpdpbusd") == 0


def test_the_assembly_of_a_function_that_never_ran_is_refused() -> None:
    with pytest.raises(ConfigError, match="is not compiled"):
        assembly_of(njit(lambda x: x))


USE_ALL = """
import numpy as np
from numba.core.dispatcher import Dispatcher
from minillama.quant.kernels import ladder, ladder_int8
blocks, x = np.zeros((3, 36), np.uint8), np.zeros(64, np.float32)
for matvec in (ladder.matvec_loops, ladder.matvec_fused, ladder_int8.matvec_q4):
    matvec(blocks, x)
ladder_int8.matvec_q8(np.zeros((3, 68), np.uint8), x)
ladder_int8.matvec_q4(blocks, x, threads=2)
ladder_int8.matmul_q4(blocks, x[None])
found = [value for module in (ladder, ladder_int8) for value in vars(module).values() if isinstance(value, Dispatcher)]
loaded = [f for f in found if sum(f.stats.cache_hits.values())]
print(len(loaded), sum(bool(f.signatures) and f not in loaded for f in found))
"""


def test_a_later_process_compiles_nothing() -> None:
    """The first may compile; another process that writes to the cache at the same time may undo that once."""
    for _ in range(3):
        result = subprocess.run(
            [sys.executable, "-c", USE_ALL], capture_output=True, text=True, cwd=Path(__file__).parents[2], check=True
        )
        loaded, compiled = map(int, result.stdout.split())
        if not compiled:
            break
    assert compiled == 0
    assert loaded >= 6
