"""Which instruction path this machine takes.

MINILLAMA_WITHOUT="vnni512,avx2" leaves paths out, as if the processor lacked their instructions.
"""

import functools
import os
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


def _features() -> set[str]:
    """What LLVM says of this processor, and what goes without saying: not every system lists an Arm's features."""
    features = {name for name, present in binding.get_host_cpu_features().items() if present}
    if platform.machine() in ("arm64", "aarch64"):
        features.add("neon")
        if platform.system() == "Darwin":  # every Mac with an Arm has the dot product
            features.add("dotprod")
    return features


@functools.cache
def available_paths() -> tuple[str, ...]:
    """The paths that this machine's instructions allow, the fastest first; "portable" is always the last.

    Raises:
        ConfigError: MINILLAMA_WITHOUT names what is no path, or "portable".
    """
    features, without = _features(), set(os.environ.get("MINILLAMA_WITHOUT", "").replace(",", " ").split())
    unknown = without - NEEDS.keys() | without & {"portable"}
    if unknown:
        known = ", ".join(name for name in NEEDS if name != "portable")
        raise ConfigError(f"MINILLAMA_WITHOUT names {', '.join(sorted(unknown))}, expected some of {known}")
    return tuple(name for name, needs in NEEDS.items() if features.issuperset(needs) and name not in without)


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
