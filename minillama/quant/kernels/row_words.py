"""Words for rows that lie as the file has them: a register holds 64 columns of one row, two blocks of 32.

    codes    64 bytes     columns 0..31 of the first block | columns 0..31 of the second
    words    64 bytes     the activations of the same columns
    dots     16 int32     sums of 4 columns each: lanes 0..7 of the first block, 8..15 of the second
    steps    16 float32   what the dots are multiplied by, lane by lane

The lanes are added up once, at the end of the row. The instructions are those of dots.py.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from minillama.quant.kernels.dots import INSTRUCTIONS, join_dots, split_dots
from minillama.quant.kernels.records import SCALE_AT
from minillama.quant.kernels.vectors import (
    BYTES64,
    CODES,
    F32,
    FLOATS,
    FLOATS16,
    FUSED,
    I8,
    I32,
    INTS16,
    Registers,
    call,
    join,
    load,
    splat,
    split,
)

BYTES32, FLOATS8 = ir.VectorType(I8, 32), ir.VectorType(F32, 8)


def _lanes(values):
    return ir.Constant(INTS16, values)


@intrinsic
def load_two(typing, first, second):
    """Codes: 32 bytes from each of two addresses."""

    def generate(context, builder, signature, args):
        return join(builder, [load(builder, address, 0, BYTES32, 1) for address in args])

    return CODES(types.intp, types.intp), generate


@intrinsic
def with_two_bits(typing, nibbles, plane, position):
    """Nibbles with two bits of a plane above them: from `position` for the first block, two further for the second."""

    def generate(context, builder, signature, args):
        nibbles, plane, position = args
        shifts = builder.add(splat(builder, builder.trunc(position, I32), INTS16), _lanes([0] * 8 + [2] * 8))
        bits = builder.bitcast(builder.lshr(builder.bitcast(plane, INTS16), shifts), BYTES64)
        bits = builder.and_(bits, ir.Constant(BYTES64, [3] * 64))
        upper = builder.shl(builder.bitcast(bits, INTS16), _lanes([4] * 16))
        return builder.or_(nibbles, builder.bitcast(upper, BYTES64))

    return CODES(CODES, CODES, types.intp), generate


def _starting(tile, shift):
    """Dots of -2**shift * activations, or of zero where shift is None."""
    dots, instructions = Registers("dots", tile.path, 1), INSTRUCTIONS[tile.path]
    partial = instructions.partial_type()

    def generate(context, builder, signature, args):
        sums, nothing = ir.Constant(INTS16, None), partial and ir.Constant(partial, None)
        if shift is not None:
            words, ones = builder.bitcast(args[1], INTS16), ir.Constant(BYTES64, [1] * 64)
            sums, _ = instructions.settle(builder, *instructions.dot(builder, sums, nothing, ones, words))
            sums = builder.sub(ir.Constant(INTS16, None), builder.shl(sums, _lanes([shift] * 16)))
        return join_dots(builder, dots, [sums], [nothing])

    return dots(tile, CODES), generate


@intrinsic
def start_row_less_32(typing, tile, words):
    """Dots for codes that lie 32 above what they mean."""
    return _starting(tile, 5)


@intrinsic
def start_row_signed(typing, tile, words):
    """Dots for `dot_row_signed`."""
    return _starting(tile, None if INSTRUCTIONS[tile.path].SIGNED_OFFSET_SHIFT is None else 7)


def _adding(dots, instruction):
    settle = INSTRUCTIONS[dots.path].settle

    def generate(context, builder, signature, args):
        value, codes, words = args
        sums, partials = split_dots(builder, dots, value)
        done = settle(builder, *instruction(builder, sums[0], partials[0], codes, builder.bitcast(words, INTS16)))
        return join_dots(builder, dots, [done[0]], [done[1]])

    return dots(dots, CODES, CODES), generate


@intrinsic
def dot_row(typing, dots, codes, words):
    """dots + codes * activations, settled; codes 0..63."""
    return _adding(dots, INSTRUCTIONS[dots.path].dot)


@intrinsic
def dot_row_signed(typing, dots, codes, words):
    """The same for codes -128..127; the dots must come from `start_row_signed`."""
    return _adding(dots, INSTRUCTIONS[dots.path].dot_signed)


def _halves(builder, first, second):
    """Floats: one scalar in lanes 0..7, another in lanes 8..15."""
    return join(builder, [splat(builder, first, FLOATS8), splat(builder, second, FLOATS8)])


@intrinsic
def scales_of(typing, first, second):
    """Floats: the scales of two records of activations."""

    def generate(context, builder, signature, args):
        return _halves(builder, *(load(builder, address, SCALE_AT, F32, 4) for address in args))

    return FLOATS(types.intp, types.intp), generate


@intrinsic
def load_two_halves(typing, first, second):
    """Floats: a float16 from each of two addresses."""

    def generate(context, builder, signature, args):
        values = [load(builder, address, 0, ir.HalfType(), 1) for address in args]
        return _halves(builder, *(builder.fpext(value, F32) for value in values))

    return FLOATS(types.intp, types.intp), generate


@intrinsic
def first_half(typing, floats):
    """Floats with zeros in lanes 8..15."""

    def generate(context, builder, signature, args):
        lanes = list(range(8)) + [16] * 8
        return builder.shuffle_vector(args[0], ir.Constant(FLOATS16, None), _lanes(lanes))

    return FLOATS(FLOATS), generate


@intrinsic
def load_four_signed(typing, address):
    """Floats: 4 bytes -128..127, each in four lanes."""

    def generate(context, builder, signature, args):
        four = load(builder, args[0], 0, ir.VectorType(I8, 4), 1)
        lanes = ir.Constant(INTS16, [lane // 4 for lane in range(16)])
        spread = builder.shuffle_vector(four, ir.Constant(four.type, ir.Undefined), lanes)
        return builder.sitofp(builder.sext(spread, INTS16), FLOATS16)

    return FLOATS(types.intp), generate


@intrinsic
def add_steps(typing, total, dots, steps):
    """total + steps * dots, lane by lane: floats."""

    def generate(context, builder, signature, args):
        total, dots_value, steps = args
        sums, _ = split_dots(builder, dots, dots_value)
        return builder.fadd(total, builder.fmul(builder.sitofp(sums[0], FLOATS16), steps, **FUSED), **FUSED)

    return FLOATS(FLOATS, dots, FLOATS), generate


@intrinsic
def no_floats(typing, tile):
    """Floats of zero."""

    def generate(context, builder, signature, args):
        return ir.Constant(FLOATS16, None)

    return FLOATS(tile), generate


@intrinsic
def sum_of(typing, floats):
    """The sum of the 16 lanes, float32."""

    def generate(context, builder, signature, args):
        (floats,) = args
        while floats.type.count > 1:  # the upper half onto the lower one, until one lane is left
            floats = builder.fadd(*split(builder, floats, 2))
        return builder.extract_element(floats, I32(0))

    return types.float32(FLOATS), generate


@intrinsic
def prefetch(typing, address):
    """Asks for the line at an address."""

    def generate(context, builder, signature, args):
        pointer = builder.inttoptr(args[0], I8.as_pointer())
        call(builder, "llvm.prefetch.p0i8", ir.VoidType(), pointer, I32(0), I32(3), I32(1))  # to read, to keep, data
        return context.get_dummy_value()

    return types.void(types.intp), generate
