"""Which instructions a product uses, told to the compiler as the type of an argument.

Numba compiles a function once for each tuple of argument types. A `Path` holds nothing at run time, but its type
carries a name, so the same plain function becomes one machine code for each name, and the disk cache keeps them apart:

    multiply_rows(Path("vnni512"), ...)   vpdpbusd on 512-bit registers
    multiply_rows(Path("portable"), ...)  plain loops

A `Tile` is a path and a number of tokens that are multiplied side by side, both known to the compiler.
"""

import functools
import hashlib
from pathlib import Path as FilePath

from llvmlite import ir
from numba import types
from numba.core.datamodel import models
from numba.extending import NativeValue, intrinsic, register_model, typeof_impl, unbox

# How many tokens a path multiplies side by side: as many running sums as its registers hold.
TILE_TOKENS = {"vnni512": 8, "avxvnni": 4, "avx2": 4, "arm": 4, "portable": 1}


@functools.cache
def source_digest() -> str:
    """A name for the source of this package, of 12 letters.

    Numba's cache looks only at the file of the outermost function; with the digest in the type of an argument, an edit
    in any of these files compiles anew.
    """
    sources = sorted(FilePath(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]


class Path:
    """The instructions of a product: "vnni512", "avxvnni", "avx2", "arm" or "portable"."""

    def __init__(self, name: str) -> None:
        self.name = name


class PathType(types.Type):
    """The type of a `Path`."""

    def __init__(self, path: str, digest: str) -> None:
        self.path = path
        self.digest = digest
        super().__init__(name=f"Path({path}, {digest})")


class TileType(types.Type):
    """The type of a tile: a path and a number of tokens."""

    def __init__(self, path: str, tokens: int) -> None:
        self.path = path
        self.tokens = tokens
        super().__init__(name=f"Tile({path}, {tokens})")


register_model(PathType)(models.OpaqueModel)
register_model(TileType)(models.OpaqueModel)


@typeof_impl.register(Path)
def _typeof_path(path, context):
    return PathType(path.name, source_digest())


@unbox(PathType)
def _unbox_path(type_, path, context):
    return NativeValue(context.context.get_dummy_value())


@intrinsic
def single(typing, path):
    """The tile of one token."""

    def generate(context, builder, signature, args):
        return context.get_dummy_value()

    return TileType(path.path, 1)(path), generate


@intrinsic
def wide(typing, path):
    """The tile of as many tokens as the path's registers hold."""

    def generate(context, builder, signature, args):
        return context.get_dummy_value()

    return TileType(path.path, TILE_TOKENS[path.path])(path), generate


@intrinsic
def tokens_of(typing, tile):
    """The number of tokens of a tile, known while compiling."""

    def generate(context, builder, signature, args):
        return ir.Constant(ir.IntType(64), tile.tokens)

    return types.intp(tile), generate
