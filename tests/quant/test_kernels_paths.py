"""The choice of a path, what is compiled and when, and the machine code for another processor."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from minillama.errors import ConfigError
from minillama.quant.kernels import choose, pairs, rows, threads, tiles
from minillama.quant.kernels.choose import available_paths, choose_path
from minillama.quant.kernels.cross import assembly
from minillama.quant.kernels.path import TILE_TOKENS

FORMATS = ("q4_0", "q8_0", "q4_k", "q5_k", "q6_k")
STEPS = 8  # of 4 columns, in a block

DISPATCHERS = """
import sys
from numba.core.dispatcher import Dispatcher
found = {id(value): value for name, module in list(sys.modules.items()) if name.startswith("minillama.quant.kernels")
         for value in vars(module).values() if isinstance(value, Dispatcher)}.values()
assert len(found) > 10
"""


def run(code: str) -> str:
    """What a fresh Python prints."""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize(
    ("features", "best"),
    [
        (("avx512f", "avx512bw", "avx512vnni", "avx2", "fma", "f16c"), "vnni512"),
        (("avx512f", "avx512bw", "avx2", "fma", "f16c"), "avx2"),
        (("avx2", "avxvnni", "fma", "f16c"), "avxvnni"),
        (("avx", "sse2"), "portable"),
        (("neon", "dotprod"), "arm"),
        (("neon",), "portable"),
        ((), "portable"),
    ],
)
def test_the_fastest_path_is_chosen(monkeypatch: pytest.MonkeyPatch, features: tuple[str, ...], best: str) -> None:
    monkeypatch.setattr(choose.binding, "get_host_cpu_features", lambda: dict.fromkeys(features, True))
    available = available_paths.__wrapped__()
    assert available[0] == best
    assert available[-1] == "portable"


def test_paths_can_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    features = dict.fromkeys(("avx512f", "avx512bw", "avx512vnni", "avx2", "fma", "f16c"), True)
    monkeypatch.setattr(choose.binding, "get_host_cpu_features", lambda: features)
    for without, left in (("vnni512", ("avx2", "portable")), ("vnni512, avx2", ("portable",)), ("", None)):
        monkeypatch.setenv("MINILLAMA_WITHOUT", without)
        assert available_paths.__wrapped__() == (left or ("vnni512", "avx2", "portable"))
    for unknown in ("vnni", "portable"):
        monkeypatch.setenv("MINILLAMA_WITHOUT", unknown)
        with pytest.raises(ConfigError, match=f"names {unknown}, expected some of vnni512"):
            available_paths.__wrapped__()


@pytest.mark.parametrize(("system", "best"), [("Darwin", "arm"), ("Linux", "portable")])
def test_a_mac_that_lists_no_features_has_the_dot_product(
    monkeypatch: pytest.MonkeyPatch, system: str, best: str
) -> None:
    monkeypatch.setattr(choose.binding, "get_host_cpu_features", dict)
    monkeypatch.setattr(choose.platform, "machine", lambda: "arm64")
    monkeypatch.setattr(choose.platform, "system", lambda: system)
    assert available_paths.__wrapped__()[0] == best


def test_a_path_can_be_named() -> None:
    assert choose_path().name == available_paths()[0]
    assert choose_path("portable").name == "portable"


@pytest.mark.parametrize(("name", "message"), [("sse9", "no such path"), ("arm", "lacks its instructions")])
def test_a_path_that_is_not_here_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, message: str) -> None:
    monkeypatch.setattr(choose, "available_paths", lambda: ("avx2", "portable"))
    with pytest.raises(ConfigError, match=f"{message}, expected one of avx2, portable"):
        choose_path(name)


def test_importing_compiles_nothing() -> None:
    run("import minillama.quant.kernels.matmul" + DISPATCHERS + "assert not any(f.signatures for f in found)")


USE_EVERYTHING = """
import numpy as np
from minillama.quant.kernels.packing import pack
from minillama.quant.kernels.matmul import matmul
from minillama.quant.kernels.portable import unpack
packed = pack(np.zeros((16, 36), np.uint8), "q4_0", (16, 64))
matmul(packed, np.ones((2, 64), np.float32), threads=1)
matmul(packed, np.ones((512, 64), np.float32), threads=2)
unpack(packed)
"""

COUNT_COMPILED = """
loaded = [f for f in found if sum(f.stats.cache_hits.values())]
compiled = [f for f in found if sum(f.stats.cache_misses.values()) or f.signatures and f not in loaded]
print(len(loaded), len(compiled))
"""


def test_a_later_process_compiles_nothing() -> None:
    """The first may compile; another process that writes to the cache at the same time may undo that once."""
    for _ in range(3):
        loaded, compiled = map(int, run(USE_EVERYTHING + DISPATCHERS + COUNT_COMPILED).split())
        if not compiled:
            break
    assert compiled == 0
    assert loaded >= 3  # pack, unpack, one thread; on a machine with several cores, several


@pytest.mark.parametrize(
    ("path", "instruction"), [("arm", "sdot"), ("avxvnni", "vpdpbusd"), ("avx2", "vpmaddubsw"), ("vnni512", "vpdpbusd")]
)
@pytest.mark.parametrize("name", FORMATS)
def test_machine_code_has_the_dot_products_and_no_others(path: str, instruction: str, name: str) -> None:
    registers = {"arm": 4, "avxvnni": 2, "avx2": 2, "vnni512": 1}[path]  # that hold 16 rows
    tile, pair = getattr(tiles, f"tile_{name}"), getattr(pairs, f"pair_{name}")
    for kernel, tokens, groups in ((tile, TILE_TOKENS[path], 1), (pair, 1, 2)):
        lines = re.findall(r"^\s+(?:\{vex\}\s+)?([a-z]\w+)", assembly(kernel, path, tokens), re.MULTILINE)
        assert lines.count(instruction) == STEPS * registers * tokens * groups


@pytest.mark.parametrize(
    ("path", "instruction"), [("arm", "sdot"), ("avxvnni", "vpdpbusd"), ("avx2", "vpmaddubsw"), ("vnni512", "vpdpbusd")]
)
@pytest.mark.parametrize(("name", "steps"), [("q8_0", 1), ("q6_k", 4)])
def test_machine_code_of_rows_in_the_file_has_the_dot_products(
    path: str, instruction: str, name: str, steps: int
) -> None:
    """Four rows a step, and one product more where codes are made unsigned; the compiler may unroll the steps."""
    registers = {"arm": 4, "avxvnni": 2, "avx2": 2, "vnni512": 1}[path]
    products = rows.AT_ONCE + (name == "q6_k" or path in ("avxvnni", "vnni512"))
    code = assembly(getattr(rows, f"rows_{name}"), path, 1)
    lines = re.findall(r"^\s+(?:\{vex\}\s+)?([a-z]\w+)", code, re.MULTILINE)
    assert lines.count(instruction) in (registers * products, registers * products * steps)
    assert any(line.startswith(("prefetch", "prfm")) for line in lines)


def test_cores_are_counted_once(tmp_path: Path) -> None:
    for cpu, siblings in enumerate(["0,2", "1,3", "0,2", "1,3"]):
        folder = tmp_path / f"cpu{cpu}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(siblings)
    assert threads._cores(tmp_path, {0, 1, 2, 3}) == 2
    assert threads._cores(tmp_path, {0, 2}) == 1
    assert threads._cores(tmp_path / "missing", {0, 1, 2}) == 3


@pytest.mark.parametrize(
    ("text", "cpus"), [("150000 100000\n", 1.5), ("max 100000\n", float("inf")), ("", float("inf"))]
)
def test_a_containers_limit_counts(tmp_path: Path, text: str, cpus: float) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert threads._quota(tmp_path / "cpu.max") == cpus
    assert threads._quota(tmp_path / "missing") == float("inf")


def test_callers_wait_for_each_other_on_workqueue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads.numba, "threading_layer", lambda: "workqueue")
    with threads.parallel_calls(1):
        assert threads._one_caller.locked()
    assert not threads._one_caller.locked()
    monkeypatch.setattr(threads.numba, "threading_layer", lambda: "omp")
    with threads.parallel_calls(1):
        assert not threads._one_caller.locked()


@pytest.mark.parametrize(
    ("chosen", "spins"),
    [({}, threads.SPINS), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, None)],
)
def test_waiting_threads_sleep_unless_the_user_chose(
    monkeypatch: pytest.MonkeyPatch, chosen: dict[str, str], spins: str | None
) -> None:
    monkeypatch.setattr(threads.os, "environ", dict(chosen))
    with threads.parallel_calls(1):
        pass
    assert threads.os.environ.get("GOMP_SPINCOUNT") == spins
