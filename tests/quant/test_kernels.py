"""Products on every path that this machine has, against dequantized weights and float64."""

import threading

import numpy as np
import pytest
from quant.kernel_cases import KERNEL_FORMATS, LAYOUTS, Lay, columns_of, expected, random_blocks, with_scales

from minillama.errors import ConfigError, ShapeError
from minillama.quant.formats import FORMATS, row_bytes
from minillama.quant.kernels import matmul as matmul_module
from minillama.quant.kernels.choose import available_paths
from minillama.quant.kernels.layout import IN_FILE_NUMBERS
from minillama.quant.kernels.matmul import matmul, matvec
from minillama.quant.kernels.packing import pack, prepare

PATHS = available_paths()
TOKENS = (1, 2, 3, 5, 8, 17, 128)


def activations(tokens: int, columns: int, seed: int = 1) -> np.ndarray:
    """Normal values with an outlier, and a block of zeros."""
    x = np.random.default_rng(seed).standard_normal((tokens, columns)).astype(np.float32)
    x[0, columns // 2] = 100
    x[-1, :32] = 0
    return x


def assert_product(name: str, lay: Lay, blocks: np.ndarray, x: np.ndarray, path: str) -> None:
    """The product is within float32 rounding of the exact one."""
    got = matmul(lay(blocks, name, (len(blocks), x.shape[1])), x, path, threads=1)
    wanted, tolerance = expected(name, blocks, x)
    assert got.dtype == np.float32
    assert got.shape == wanted.shape
    assert (np.abs(got - wanted) <= tolerance).all()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("name", "lay"), LAYOUTS)
def test_products_of_all_shapes(name: str, lay: Lay, path: str) -> None:
    for columns in columns_of(name):
        for tokens in TOKENS:
            assert_product(name, lay, random_blocks(name, 37, columns), activations(tokens, columns), path)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("name", "lay"), LAYOUTS)
@pytest.mark.parametrize("rows", [1, 16, 33])
def test_rows_that_do_not_fill_a_group(name: str, lay: Lay, path: str, rows: int) -> None:
    assert_product(name, lay, random_blocks(name, rows, 256), activations(9, 256), path)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("name", "lay"), LAYOUTS)
@pytest.mark.parametrize("byte", [0x00, 0x7F, 0x80, 0x81, 0xFF, 0x3F])
def test_codes_and_activations_at_their_ends(name: str, lay: Lay, path: str, byte: int) -> None:
    """Sums of 16 and 32 bits hold the largest products of either sign."""
    blocks = with_scales(name, np.full((16, row_bytes(name, 512)), byte, np.uint8), np.float16(1))
    signs = np.where(np.arange(512) % 2, 1, -1)
    x = np.stack([np.ones(512), -np.ones(512), signs, -signs, np.where(np.arange(512) % 4 < 2, 1, -1)])
    assert_product(name, lay, blocks, np.tile(x, (2, 1)).astype(np.float32), path)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("name", "lay"), LAYOUTS)
@pytest.mark.parametrize("scale", [65504.0, -65504.0, 6e-8, 0.0])
def test_scales_at_the_ends_of_float16(name: str, lay: Lay, path: str, scale: float) -> None:
    blocks = with_scales(name, random_blocks(name, 16, 256), np.float16(scale))
    assert_product(name, lay, blocks, activations(9, 256), path)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("size", [1e-44, 1e-31, 1e-12, 1e30])
def test_activations_of_any_size(path: str, size: float) -> None:
    x = activations(9, 64) * np.float32(size)
    got = matmul(pack(random_blocks("q8_0", 16, 64), "q8_0", (16, 64)), x, path, threads=1)
    wanted, tolerance = expected("q8_0", random_blocks("q8_0", 16, 64), x)
    assert (np.abs(got - wanted) <= tolerance).all()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_token_that_is_not_finite_gives_nan_and_spares_the_others(path: str, bad: float) -> None:
    x = activations(9, 64)
    packed = pack(random_blocks("q4_0", 16, 64), "q4_0", (16, 64))
    clean = matmul(packed, x, path, threads=1)
    x[4, 7] = bad
    got = matmul(packed, x, path, threads=1)
    assert np.isnan(got[4]).all()
    np.testing.assert_array_equal(np.delete(got, 4, axis=0), np.delete(clean, 4, axis=0))


@pytest.mark.parametrize(("name", "lay"), LAYOUTS)
def test_paths_agree_within_rounding(name: str, lay: Lay) -> None:
    blocks, x = random_blocks(name, 40, 1024), activations(11, 1024)
    packed = lay(blocks, name, (40, 1024))
    _, tolerance = expected(name, blocks, x)
    first, *others = (matmul(packed, x, path, threads=1) for path in PATHS)
    for other in others:
        assert (np.abs(first - other) <= 2 * tolerance).all()


@pytest.mark.parametrize(("name", "lay"), LAYOUTS)
def test_a_token_is_the_same_alone_and_among_others(name: str, lay: Lay) -> None:
    blocks, x = random_blocks(name, 40, 512), activations(11, 512)
    packed, tolerance = lay(blocks, name, (40, 512)), expected(name, blocks, x)[1]
    together = matmul(packed, x, threads=1)
    if not packed.in_file_order:  # those are packed for many tokens, and read as they are for one
        np.testing.assert_array_equal(together[9], matvec(packed, x[9], threads=1))
    for token in (2, 9):
        assert (np.abs(together[token] - matvec(packed, x[token], threads=1)) <= 2 * tolerance[token]).all()


@pytest.mark.parametrize("name", list(IN_FILE_NUMBERS))
def test_blocks_of_an_odd_address_stay_where_they_are(name: str) -> None:
    blocks, x = random_blocks(name, 37, 256), activations(3, 256)
    inside = np.empty(blocks.size + 7, np.uint8)
    inside[7:] = blocks.reshape(-1)
    kept = prepare(inside[7:].reshape(blocks.shape), name, (37, 256))
    assert kept.address == inside.ctypes.data + 7
    wanted, tolerance = expected(name, blocks, x)
    assert (np.abs(matmul(kept, x, threads=1) - wanted) <= tolerance).all()


def test_results_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matmul_module, "PARALLEL_FROM", 0)
    for tokens in (1, 17):
        for rows in (5, 1000):
            packed = pack(random_blocks("q4_k", rows, 256), "q4_k", (rows, 256))
            x = activations(tokens, 256)
            alone = matmul(packed, x, threads=1)
            for threads in (2, 3):
                assert matmul(packed, x, threads=threads).tobytes() == alone.tobytes()


def test_two_python_threads_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matmul_module, "PARALLEL_FROM", 0)
    packed = pack(random_blocks("q4_0", 500, 256), "q4_0", (500, 256))
    inputs = [activations(17, 256, seed) for seed in range(2)]
    wanted = [matmul(packed, x, threads=1) for x in inputs]
    start, wrong = threading.Barrier(2), []

    def work(i: int) -> None:
        start.wait(timeout=60)
        for _ in range(20):
            if matmul(packed, inputs[i], threads=2).tobytes() != wanted[i].tobytes():
                wrong.append(i)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=120)
        assert not worker.is_alive()
    assert wrong == []


def test_other_layouts_of_x_and_no_tokens() -> None:
    packed = pack(random_blocks("q4_0", 16, 64), "q4_0", (16, 64))
    x = activations(6, 64)
    np.testing.assert_array_equal(matmul(packed, np.asfortranarray(x)), matmul(packed, x))
    np.testing.assert_array_equal(matmul(packed, x[::2]), matmul(packed, x[::2].copy()))
    assert matmul(packed, x[:0]).shape == (0, 16)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((1, 64)), "float64, expected float32"),
        (np.zeros((1, 32), np.float32), r"expected \(any, 64\)"),
        (np.zeros(64, np.float32), r"expected \(any, 64\)"),
    ],
)
def test_activations_that_do_not_fit_are_refused(x: np.ndarray, message: str) -> None:
    packed = pack(random_blocks("q4_0", 16, 64), "q4_0", (16, 64))
    with pytest.raises(ShapeError, match=message):
        matmul(packed, x)


def test_no_threads_are_refused() -> None:
    packed = pack(random_blocks("q4_0", 16, 64), "q4_0", (16, 64))
    with pytest.raises(ConfigError, match="threads is 0"):
        matmul(packed, activations(1, 64), threads=0)


def test_formats_with_kernels_exist() -> None:
    assert set(KERNEL_FORMATS) <= set(FORMATS)
