"""Which instruction path this machine takes."""

import functools
import platform

from llvmlite import binding

from minillama.errors import ConfigError
from minillama.quant.kernels.path import TILE_TOKENS, Path

# The features that each path needs, as LLVM calls them; the fastest path first.
NEEDS = {
    "vnni512": ("avx512f", "avx512bw", "avx512vnni"),
    "avxvnni": ("avxvnni", "avx2", "fma", "f16c"),
    "avx2": ("avx2", "fma", "f16c"),
    "arm": ("neon", "dotprod"),
    "portable": (),
}


@functools.cache
def available_paths() -> tuple[str, ...]:
    """The paths that this machine's instructions allow, the fastest first; "portable" is always the last."""
    features = dict(binding.get_host_cpu_features())
    if platform.machine() in ("arm64", "aarch64"):
        features.setdefault("neon", True)  # every 64-bit Arm has it, and not every system lists it
    return tuple(name for name, needs in NEEDS.items() if all(features.get(need) for need in needs))


def choose_path(name: str | None = None) -> Path:
    """The path called `name`, or the fastest of this machine.

    Raises:
        ConfigError: an unknown path, or one whose instructions this machine lacks.

    >>> choose_path("portable").name
    'portable'
    """
    available = available_paths()
    if name is None:
        return Path(available[0])
    if name not in available:
        known = "this machine lacks its instructions" if name in TILE_TOKENS else "no such path"
        raise ConfigError(f"path is {name!r}, {known}, expected one of {', '.join(available)}")
    return Path(name)
