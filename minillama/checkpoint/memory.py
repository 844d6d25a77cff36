"""How much memory is free, how much a model needs, and a refusal before anything is read when it would not fit.

Memory is counted as anonymous: what a process owns. Mapped weight files are not: the system reads them from the disk
when they are touched and drops them when it needs the room.
"""

import ctypes
import re
import subprocess
import sys
from pathlib import Path

from minillama.config import ModelConfig
from minillama.errors import NotEnoughMemoryError
from minillama.model import count_parameters
from minillama.quant.formats import FORMATS

UNLIMITED = 1 << 60  # cgroup v1 writes a number near 2**63 for "no limit"
WORKING_BYTES = 256 << 20  # activations of a prompt, conversion buffers, the allocator's slack


def free_memory(root: Path = Path("/")) -> int | None:
    """Bytes that a process can still take without swapping; None where the system does not say.

    Args:
        root: where /proc and /sys are.
    """
    if sys.platform == "win32":
        return _free_windows()
    if sys.platform == "darwin":
        return _free_macos()
    known = [size for size in (_free_linux(root), _free_cgroup_v2(root), _free_cgroup_v1(root)) if size is not None]
    return min(known, default=None)


def own_memory(root: Path = Path("/")) -> tuple[int | None, int | None]:
    """This process's anonymous memory now, and its largest total so far, mapped files included, in bytes.

    Both are None where /proc/self/status is missing, as on macOS and Windows.
    """
    text = _read(root / "proc/self/status")
    return _kilobytes(text, "RssAnon"), _kilobytes(text, "VmHWM")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _kilobytes(text: str, key: str) -> int | None:
    match = re.search(rf"^{key}:\s+(\d+) kB", text, re.MULTILINE)
    return int(match[1]) * 1024 if match else None


def _number(path: Path) -> int | None:
    text = _read(path).strip()
    return int(text) if text.isdecimal() and int(text) < UNLIMITED else None


def _free_linux(root: Path) -> int | None:
    return _kilobytes(_read(root / "proc/meminfo"), "MemAvailable")


def _free_cgroup_v2(root: Path) -> int | None:
    """The least that is left in this process's control group and those above it; files in the cache count as free."""
    own = re.search(r"^0::/(.*)$", _read(root / "proc/self/cgroup"), re.MULTILINE)
    group = root / "sys/fs/cgroup"
    folders = [group]
    for part in Path(own[1] if own else "").parts:
        folders.append(folders[-1] / part)
    left = []
    for folder in folders:
        limit, used = _number(folder / "memory.max"), _number(folder / "memory.current")
        if limit is not None and used is not None:
            left.append(limit - used + _cached(folder / "memory.stat", ("active_file", "inactive_file")))
    return max(0, min(left)) if left else None


def _free_cgroup_v1(root: Path) -> int | None:
    own = re.search(r"^\d+:[^:]*\bmemory\b[^:]*:/(.*)$", _read(root / "proc/self/cgroup"), re.MULTILINE)
    group = root / "sys/fs/cgroup/memory"
    left = []
    for folder in (group, group / (own[1] if own else "")):  # inside a container the group itself is the top
        limit, used = _number(folder / "memory.limit_in_bytes"), _number(folder / "memory.usage_in_bytes")
        if limit is not None and used is not None:
            left.append(limit - used + _cached(folder / "memory.stat", ("total_active_file", "total_inactive_file")))
    return max(0, min(left)) if left else None


def _cached(path: Path, keys: tuple[str, ...]) -> int:
    lines = (line.split() for line in _read(path).splitlines())
    return sum(int(words[1]) for words in lines if len(words) == 2 and words[0] in keys and words[1].isdecimal())


def _free_macos() -> int | None:
    try:
        text = subprocess.run(["/usr/bin/vm_stat"], capture_output=True, text=True, timeout=5, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_vm_stat(text)


def parse_vm_stat(text: str) -> int | None:
    """Bytes that macOS's vm_stat calls free or easily freed."""
    page = re.search(r"page size of (\d+) bytes", text)
    counts = re.findall(r"^Pages (?:free|inactive|speculative|purgeable):\s+(\d+)\.", text, re.MULTILINE)
    return int(page[1]) * sum(map(int, counts)) if page and counts else None


def _free_windows() -> int | None:
    class MemoryStatus(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("total", "available", "a", "b", "c", "d", "e")),
        )

    status = MemoryStatus()
    status.length = ctypes.sizeof(status)
    windows = getattr(ctypes, "windll", None)
    if windows is None or not windows.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None
    return int(status.available)


def weight_bytes(config: ModelConfig, format: str) -> int:
    """Bytes of a model's weights if all were in one format of quant.formats.

    >>> from minillama.config import PRESETS
    >>> round(weight_bytes(PRESETS["llama-7b"], "q4_0") / 1e9, 1)
    3.8
    """
    block = FORMATS[format]
    return count_parameters(config) * block.block_bytes // block.block_size


def cache_bytes(config: ModelConfig, max_len: int, format: str = "f16") -> int:
    """Bytes of a key/value cache for one sequence of `max_len` tokens, in a format of quant.formats.

    >>> from minillama.config import PRESETS
    >>> [round(cache_bytes(PRESETS["llama-7b"], 2048, format) / 1e9, 2) for format in ("f16", "q8_0")]
    [1.07, 0.57]
    """
    block = FORMATS[format]
    return config.kv_bytes_per_token // 2 * block.block_bytes * max_len // block.block_size


def rope_bytes(config: ModelConfig) -> int:
    """Bytes that the rotary tables take at their peak: angles in float64, cosines and sines on the way to float32."""
    return config.max_seq_len * config.head_dim // 2 * 32


def fits_in_memory(config: ModelConfig, bytes_per_weight: float, context: int, free_gib: float) -> bool:
    """Whether a model and its key/value cache fit.

    Args:
        config: sizes.
        bytes_per_weight: 4 for float32, 2 for 16-bit floats, 0.5625 for Q4_0.
        context: tokens in the 16-bit cache.
        free_gib: what there is, in GiB of 2**30 bytes, as machines count their memory.

    >>> from minillama.config import PRESETS
    >>> fits_in_memory(PRESETS["llama-7b"], 2, 2048, free_gib=16)
    True
    """
    need = count_parameters(config) * bytes_per_weight + context * config.kv_bytes_per_token
    return need <= free_gib * 2**30


def check_fits(what: object, config: ModelConfig, own_bytes: int, context: int, free_bytes: int | None) -> None:
    """Refuse a model whose own memory would not fit.

    Args:
        what: the model's path, for the message.
        config: sizes.
        own_bytes: of the weights that do not stay in mapped files.
        context: tokens that the key/value cache should hold.
        free_bytes: what there is; None is unknown and lets everything pass.

    Raises:
        NotEnoughMemoryError: with need, free, and what would help.
    """
    cache = cache_bytes(config, context)
    need = own_bytes + cache + rope_bytes(config) + WORKING_BYTES
    if free_bytes is None or need <= free_bytes:
        return
    rest = need - own_bytes
    advice = "free some, or take a smaller model"
    for format in ("q8_0", "q4_0"):
        size = weight_bytes(config, format)
        if size < own_bytes and size + rest <= free_bytes:
            advice = f'load it with quant="{format}", which needs {_gigabytes(size + rest)}'
            break
    raise NotEnoughMemoryError(
        f"{what}: needs {_gigabytes(need)} of memory (weights {_gigabytes(own_bytes)}, cache for {context} tokens "
        f"{_gigabytes(cache)}), {_gigabytes(free_bytes)} are free: {advice}"
    )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
