"""Machine code for another machine than this one, to look at: an Arm kernel on a PC.

Numba compiles a tile as far as LLVM's own language, which knows all the dot-product instructions; LLVM then translates
that for the other processor.
"""

from typing import Any

import llvmlite.binding as llvm
from numba import types
from numba.core import compiler, registry
from numba.core.compiler_lock import global_compiler_lock

from minillama.quant.kernels.path import TileType

TARGETS = {
    "arm": ("aarch64-unknown-linux-gnu", "+neon,+dotprod,+fp16fml"),
    "avxvnni": ("x86_64-unknown-linux-gnu", "+avx2,+avxvnni,+fma,+f16c"),
    "avx2": ("x86_64-unknown-linux-gnu", "+avx2,+fma,+f16c"),
    "vnni512": ("x86_64-unknown-linux-gnu", "+avx512f,+avx512bw,+avx512vl,+avx512vnni,+f16c,+fma"),
}


@global_compiler_lock
def _llvm_code(kernel, tile: TileType) -> str:
    """A function of tiles.py or pairs.py in LLVM's language."""
    target = registry.cpu_target
    flags: Any = compiler.Flags()
    flags.no_compile = True
    arguments = (tile, *[types.intp] * (kernel.py_func.__code__.co_argcount - 1))
    result = compiler.compile_extra(
        target.typing_context, target.target_context, kernel.py_func, arguments, types.none, flags, {}
    )
    return result.library.get_llvm_str()


def assembly(kernel, path: str, tokens: int) -> str:
    """The assembly of a tile function for a path that this machine may not have.

    Args:
        kernel: a function of tiles.py or pairs.py.
        path: "vnni512", "avxvnni", "avx2" or "arm".
        tokens: the tokens of the tile.
    """
    triple, features = TARGETS[path]
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    module = llvm.parse_assembly(_llvm_code(kernel, TileType(path, tokens)))
    module.triple = triple
    machine = llvm.Target.from_triple(triple).create_target_machine(features=features, opt=3)
    module.data_layout = str(machine.target_data)
    return machine.emit_assembly(module)
