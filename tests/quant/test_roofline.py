"""The two limits of a machine, and how a kernel is timed beside them."""

import numpy as np
import pytest
from quant.kernel_cases import expected

from minillama.errors import ConfigError
from minillama.quant.kernels import roofline
from minillama.quant.kernels.ladder_int8 import matvec_q4, matvec_q8
from minillama.quant.kernels.roofline import Roof, measure_matvec, measure_memory, measure_roof, random_blocks, read_all
from minillama.quant.kernels.rungs import RUNGS, Measurement, describe


def measured(name: str, seconds: float | None) -> Measurement:
    rung = next(rung for rung in RUNGS if rung.name == name)
    return Measurement(rung=rung, shape=(4096, 11008), n_bytes=25_362_432, threads=1, seconds=seconds)


def test_a_roof_slopes_and_then_is_level() -> None:
    roof = Roof(gb_per_s=20.0, gops=400.0, threads=2)
    assert roof.ridge == 20
    assert [roof.at(intensity) for intensity in (0.5, 20, 21, 1000)] == [10, 400, 400, 400]


def test_what_a_kernel_reaches_the_machine_can_do() -> None:
    roof = Roof(gb_per_s=20.0, gops=400.0, threads=2)
    assert roof.over([measured("int8", 0.01), measured("python", None)]) == roof
    higher = roof.over([measured("dot_product", 0.001), measured("final_tile", 0.02)])
    assert higher.gb_per_s == pytest.approx(25.362432)
    assert higher.gops == pytest.approx(2 * 128 * 4096 * 11008 / 0.02 / 1e9)


def test_a_machine_is_measured() -> None:
    assert int(read_all(np.arange(1000, dtype=np.int64))) == 499_500
    roof = measure_roof(threads=1, megabytes=1, rounds=1)
    assert roof.threads == 1
    assert 0.01 < roof.gb_per_s < 1e5
    assert 0.01 < roof.gops < 1e6
    with pytest.raises(ConfigError, match="expected at least 1 of each"):
        measure_memory(megabytes=0)


@pytest.mark.parametrize(("name", "matvec"), [("q4_0", matvec_q4), ("q8_0", matvec_q8)])
def test_random_blocks_are_a_matrix_like_any_other(name, matvec) -> None:
    blocks, x = random_blocks(name, (5, 64)), np.ones((1, 64), np.float32)
    wanted, rounding = expected(name, blocks, x)
    assert (np.abs(matvec(blocks, x[0]) - wanted) <= rounding).all()


def test_a_kernel_is_timed_on_all_rows_or_counted_up(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []

    def matvec(blocks: np.ndarray, x: np.ndarray) -> np.ndarray:
        rows.append(len(blocks))
        return matvec_q4(blocks, x)

    found = measure_matvec("mine", matvec, shape=(64, 32), rounds=2, megabytes=0)
    assert rows == [16, 16, 64, 64, 64]
    assert (found.rung.title, found.n_bytes, found.rung.sample) == ("mine", 64 * 18, 0)
    assert found.seconds is not None
    rows.clear()
    monkeypatch.setattr(roofline, "ENOUGH_SECONDS", 0.0)
    counted = measure_matvec("mine", matvec, shape=(64, 32), rounds=1, megabytes=0)
    assert rows == [16, 16, 16, 16]
    assert counted.rung.sample == 16
    with pytest.raises(ConfigError, match="expected at least 1"):
        measure_matvec("mine", matvec, shape=(0, 32))


def test_a_description_has_a_line_a_rung_and_says_what_is_missing() -> None:
    lines = describe([measured("python", 20.0), measured("int8", 0.01), measured("dot_product", None)]).splitlines()
    assert len(lines) == 4
    assert lines[1].split()[-3:] == ["0.001", "0.00451", "0.000341"] or "0.001" in lines[1]
    assert lines[2].split()[-3:] == ["2.54", "9.02", "0.682"]
    assert "missing: this processor lacks AVX-512 VNNI" in lines[3]
