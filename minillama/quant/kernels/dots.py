"""Dot products of 16 rows with the tokens of a tile: the words that each instruction path has its own way for.

`dots` holds, for each token, 16 int32, one a row. A product of a block goes

    dots = start(tile, ...)          from zero or from an offset
    dots = dot(dots, codes, ...)     4 columns of 16 rows with 4 activations of each token
    dots = settle(dots)              before sums of fewer bits would overflow, and before the dots are used
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from minillama.quant.kernels import arm, avx2, avxvnni, vnni512
from minillama.quant.kernels.records import OFFSETS_AT, RECORD_BYTES
from minillama.quant.kernels.vectors import (
    CODES,
    I32,
    I64,
    INTS16,
    Registers,
    broadcast,
    define_storage,
    pack_array,
    unpack_array,
)

INSTRUCTIONS = {"vnni512": vnni512, "avxvnni": avxvnni, "avx2": avx2, "arm": arm}


def _storage(dots):
    """The 32-bit sums of each token, and the partial sums where the path has some."""
    partial = INSTRUCTIONS[dots.path].partial_type()
    arrays = [ir.ArrayType(kind, dots.tokens) for kind in (INTS16, partial) if kind]
    return ir.LiteralStructType(arrays)


define_storage("dots", _storage)


def split_dots(builder, dots, value):
    """The sums and the partial sums of each token as lists."""
    sums = unpack_array(builder, builder.extract_value(value, 0), dots.tokens)
    if not INSTRUCTIONS[dots.path].partial_type():
        return sums, [None] * dots.tokens
    return sums, unpack_array(builder, builder.extract_value(value, 1), dots.tokens)


def join_dots(builder, dots, sums, partials):
    value = ir.Constant(_storage(dots), ir.Undefined)
    value = builder.insert_value(value, pack_array(builder, sums), 0)
    return value if partials[0] is None else builder.insert_value(value, pack_array(builder, partials), 1)


def _from_offsets(builder, tile, x, which, shift):
    """Dots that start at the record's offset `which` of each token, shifted."""
    shifts = ir.Constant(INTS16, [shift] * 16)
    sums = [broadcast(builder, x, token * RECORD_BYTES + OFFSETS_AT + 4 * which, I32) for token in range(tile.tokens)]
    return [builder.shl(value, shifts) if shift else value for value in sums]


def _starting(tile, first_sums):
    """The type of a tile's dots, and code that starts them with what `first_sums` gives for the address."""
    dots = Registers("dots", tile.path, tile.tokens)
    partial = INSTRUCTIONS[tile.path].partial_type()

    def generate(context, builder, signature, args):
        partials = [partial and ir.Constant(partial, None)] * tile.tokens
        return join_dots(builder, dots, first_sums(builder, args[1]), partials)

    return dots(tile, types.intp), generate


@intrinsic
def start(typing, tile, x):
    """Dots of zero; x: address of the tile's records of this block."""
    return _starting(tile, lambda builder, x: [ir.Constant(INTS16, None)] * tile.tokens)


@intrinsic
def start_less_8(typing, tile, x):
    """Dots of -8 * sum(activations), for codes that lie 8 above what they mean."""
    return _starting(tile, lambda builder, x: _from_offsets(builder, tile, x, 0, 0))


@intrinsic
def start_left_half_less_32(typing, tile, x):
    """Dots of -32 * sum(first 16 activations), for codes that lie 32 above what they mean."""
    return _starting(tile, lambda builder, x: _from_offsets(builder, tile, x, 1, 2))


@intrinsic
def start_right_half_less_32(typing, tile, x):
    """Dots of -32 * sum(last 16 activations)."""
    return _starting(tile, lambda builder, x: _from_offsets(builder, tile, x, 2, 2))


@intrinsic
def start_signed(typing, tile, x):
    """Dots for `dot_signed`: zero, or the offset of a path that makes signed codes unsigned."""
    shift = INSTRUCTIONS[tile.path].SIGNED_OFFSET_SHIFT
    if shift is None:
        return _starting(tile, lambda builder, x: [ir.Constant(INTS16, None)] * tile.tokens)
    return _starting(tile, lambda builder, x: _from_offsets(builder, tile, x, 0, shift))


def _adding(dots, instruction):
    """Code that adds the products of codes and activations to the dots of each token."""

    def generate(context, builder, signature, args):
        value, codes, x, quad = args
        sums, partials = split_dots(builder, dots, value)
        here = builder.add(x, builder.mul(quad, I64(4)))
        for token in range(dots.tokens):
            word = broadcast(builder, here, token * RECORD_BYTES, I32)
            sums[token], partials[token] = instruction(builder, sums[token], partials[token], codes, word)
        # An empty instruction that loads cannot cross: without it the compiler multiplies token by token, and each
        # product of a token waits for the one before it.
        builder.asm(ir.FunctionType(ir.VoidType(), []), "", "~{memory}", [], side_effect=True)
        return join_dots(builder, dots, sums, partials)

    return dots(dots, CODES, types.intp, types.intp), generate


@intrinsic
def dot(typing, dots, codes, x, quad):
    """dots + codes * activations, for each token.

    Args:
        dots: running sums.
        codes: 4 columns of 16 rows, 0..63.
        x: address of the tile's records of this block.
        quad: which four of the block's 32 activations, 0..7.
    """
    return _adding(dots, INSTRUCTIONS[dots.path].dot)


@intrinsic
def dot_signed(typing, dots, codes, x, quad):
    """The same for codes -128..127; the dots must come from `start_signed`."""
    return _adding(dots, INSTRUCTIONS[dots.path].dot_signed)


@intrinsic
def settle(typing, dots):
    """Dots whose sums are all in their 32 bits."""

    def generate(context, builder, signature, args):
        sums, partials = split_dots(builder, dots, args[0])
        settled = [INSTRUCTIONS[dots.path].settle(builder, *pair) for pair in zip(sums, partials, strict=True)]
        return join_dots(builder, dots, *([pair[i] for pair in settled] for i in (0, 1)))

    return dots(dots), generate
