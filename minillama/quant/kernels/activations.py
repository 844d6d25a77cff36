"""Activations as small integers: int8 codes with a scale for each block of 32, in the order in which tiles read them.

The tokens of a tile lie side by side, block by block. With tiles of 4 tokens and 6 tokens in all:

    tile of tokens 0-3           token 4            token 5
    | b0: t0 t1 t2 t3 | b1: ...  | b0: t4 | b1: ... | b0: t5 | b1: ... |      one record (records.py) each

Source: Dettmers et al. 2022, "LLM.int8()", section 2, with a scale for each block instead of each row.
"""

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from minillama.quant.kernels.path import tokens_of, wide
from minillama.quant.kernels.records import OFFSETS_AT, RECORD_BYTES, SCALE_AT, SCALED_SUM_AT
from minillama.quant.kernels.vectors import F32, I8, I32, call, load, save, splat, split

BLOCK = 32
FLOATS32, INTS32 = ir.VectorType(F32, BLOCK), ir.VectorType(I32, BLOCK)
BYTES32, INTS16 = ir.VectorType(I8, BLOCK), ir.VectorType(I32, BLOCK // 2)
SMALLEST = 2.0**-100  # a block below it counts as zero: 127 / SMALLEST is still finite
# Adding it to a float32 of size below 2**22 leaves the nearest whole number in the low bits of the sum.
ROUNDER = 1.5 * 2**23


@njit(nogil=True)
def tile_start(token, n_tokens, width):
    """The first token of the tile that holds `token`, and how many tokens that tile has."""
    first = token - token % width
    return (first, width) if first + width <= n_tokens else (token, 1)


def _scales(builder, x):
    """largest |x| / 127 and its inverse, or 0 and 0 where x is too small."""
    sizes = builder.and_(builder.bitcast(x, INTS32), ir.Constant(INTS32, [0x7FFFFFFF] * BLOCK))
    # Without the sign, larger floats have larger bits, infinity larger ones still, and NaN the largest of all.
    largest = builder.bitcast(call(builder, "llvm.vector.reduce.umax.v32i32", I32, sizes), F32)
    small = builder.fcmp_ordered("<", largest, F32(SMALLEST))
    scale, inverse = builder.fdiv(largest, F32(127)), builder.fdiv(F32(127), largest)
    return builder.select(small, F32(0), scale), builder.select(small, F32(0), inverse)


@intrinsic
def quantize_block(typing, x, record):
    """Fills the record at an address (records.py) with the 32 float32 at another; a block with NaN or infinity has such
    a scale, so that every product with it is NaN.
    """

    def generate(context, builder, signature, args):
        address, record = args
        x = load(builder, address, 0, FLOATS32, 4)
        scale, inverse = _scales(builder, x)
        rounded = builder.fadd(
            builder.fmul(x, splat(builder, inverse, FLOATS32)), splat(builder, F32(ROUNDER), FLOATS32)
        )
        codes = builder.trunc(builder.bitcast(rounded, INTS32), BYTES32)
        save(builder, codes, record, 0)
        sums = [
            call(builder, "llvm.vector.reduce.add.v16i32", I32, builder.sext(half, INTS16))
            for half in split(builder, codes, 2)
        ]
        total = builder.add(*sums)
        save(builder, scale, record, SCALE_AT)
        save(builder, builder.fmul(scale, builder.sitofp(total, F32)), record, SCALED_SUM_AT)
        for i, value in enumerate((total, *sums)):
            save(builder, builder.mul(value, I32(-8)), record, OFFSETS_AT + 4 * i)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), generate


@njit(nogil=True, cache=True)
def quantize_tokens(path, x, first, last, records):
    """Quantizes tokens first..last-1 of x.

    Args:
        path: the instruction path whose tiles will read them.
        x: float32 (T, K), K a multiple of 32, the values of a token side by side.
        first: the first token.
        last: one past the last.
        records: RECORD (T * K / 32,), filled where these tokens lie.
    """
    n_tokens, n_blocks = x.shape[0], x.shape[1] // BLOCK
    for token in range(first, last):
        start, width = tile_start(token, n_tokens, tokens_of(wide(path)))
        row = x.ctypes.data + token * x.strides[0]
        for block in range(n_blocks):
            place = start * n_blocks + block * width + token - start
            quantize_block(row + 4 * BLOCK * block, records.ctypes.data + RECORD_BYTES * place)
