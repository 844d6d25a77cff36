import sys
from pathlib import Path

import pytest

from minillama.checkpoint import memory
from minillama.checkpoint.memory import (
    cache_bytes,
    check_fits,
    fits_in_memory,
    free_memory,
    own_memory,
    parse_vm_stat,
    weight_bytes,
)
from minillama.config import PRESETS
from minillama.errors import NotEnoughMemoryError
from minillama.quant.pages import own_pages

GB = 10**9
SEVEN = PRESETS["llama-7b"]
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def system(root: Path, files: dict[str, str]) -> Path:
    for name, text in {"proc/meminfo": "MemTotal: 9 kB\nMemAvailable:   8000000 kB\n", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@linux
def test_without_control_groups_the_kernel_decides(tmp_path) -> None:
    assert free_memory(system(tmp_path, {})) == 8_000_000 * 1024


@linux
def test_nothing_is_known_without_proc(tmp_path) -> None:
    assert free_memory(tmp_path) is None


@linux
def test_the_tightest_group_above_the_process_decides(tmp_path) -> None:
    files = {
        "proc/self/cgroup": "0::/box/job\n",
        "sys/fs/cgroup/box/memory.max": "3000000000\n",
        "sys/fs/cgroup/box/memory.current": "2500000000\n",
        "sys/fs/cgroup/box/memory.stat": "anon 9\nfile 700\ninactive_file 400000000\nactive_file 100000000\n",
        "sys/fs/cgroup/box/job/memory.max": "max\n",
        "sys/fs/cgroup/box/job/memory.current": "100\n",
    }
    assert free_memory(system(tmp_path, files)) == 1_000_000_000


@linux
def test_a_container_sees_its_own_group_as_the_top(tmp_path) -> None:
    files = {
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/memory.max": "2000000000",
        "sys/fs/cgroup/memory.current": "500000000",
    }
    assert free_memory(system(tmp_path, files)) == 1_500_000_000


@linux
@pytest.mark.parametrize(("limit", "expected"), [("2000000000", 1_600_000_000), ("9223372036854771712", 8_192_000_000)])
def test_the_first_version_of_control_groups(tmp_path, limit, expected) -> None:
    files = {
        "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/docker/1f\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": limit,
        "sys/fs/cgroup/memory/memory.usage_in_bytes": "500000000",
        "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 100000000\n",
    }
    assert free_memory(system(tmp_path, files)) == expected


def test_macos_counts_what_it_can_free() -> None:
    text = (
        "Mach Virtual Memory Statistics: (page size of 16384 bytes)\nPages free:    100.\nPages active:   9000.\n"
        "Pages inactive:     20.\nPages speculative:   3.\nPages purgeable:   1.\n"
    )
    assert parse_vm_stat(text) == 124 * 16384
    assert parse_vm_stat("something else") is None


def test_windows_without_its_library_is_unknown() -> None:
    if sys.platform != "win32":
        assert memory._free_windows() is None


@linux
def test_own_memory_grows_with_what_is_taken() -> None:
    before, _ = own_memory()
    taken = own_pages(50_000_000)  # a part of the heap could be one that is free but held already
    taken[:] = 1
    after, peak = own_memory()
    assert after - before > 0.9 * taken.nbytes
    assert peak >= after


def test_sizes_of_the_published_models() -> None:
    assert weight_bytes(SEVEN, "f16") / 2**30 == pytest.approx(12.55, abs=0.01)
    assert weight_bytes(SEVEN, "q4_0") / 2**30 == pytest.approx(3.53, abs=0.01)
    assert cache_bytes(SEVEN, 2048) == 2**30
    assert cache_bytes(PRESETS["llama3-8b"], 8192, "f32") == 2 * 2**30
    assert cache_bytes(SEVEN, 2048, "q8_0") == 2**30 * 34 // 64


@pytest.mark.parametrize(("free_gib", "fits"), [(16, True), (13.56, True), (13.54, False), (12, False)])
def test_fits_in_memory(free_gib, fits) -> None:
    assert fits_in_memory(SEVEN, 2, 2048, free_gib) is fits  # 12.55 GiB of weights and 1 GiB of cache


def test_a_refusal_says_need_free_and_remedy() -> None:
    with pytest.raises(NotEnoughMemoryError, match=r"needs 27\..* GB .* 8\.00 GB are free: .*quant=\"q8_0\"") as caught:
        check_fits("7b", SEVEN, weight_bytes(SEVEN, "f32"), 512, 8 * GB)
    assert "\n" not in str(caught.value)
    with pytest.raises(NotEnoughMemoryError, match=r"quant=\"q4_0\", which needs 4\."):
        check_fits("7b", SEVEN, weight_bytes(SEVEN, "f16"), 512, 6 * GB)
    with pytest.raises(NotEnoughMemoryError, match="smaller model"):
        check_fits("7b", SEVEN, weight_bytes(SEVEN, "f16"), 512, 2 * GB)


def test_what_fits_or_is_unknown_passes() -> None:
    check_fits("7b", SEVEN, weight_bytes(SEVEN, "q4_0"), 512, 5 * GB)
    check_fits("7b", SEVEN, 0, 512, GB)  # mapped weights are not counted
    check_fits("7b", SEVEN, weight_bytes(SEVEN, "f32"), 512, None)
