"""Arm's dot product: like VNNI, four lanes at a time, and signed on both sides.

`sdot` multiplies 16 signed bytes by 16 signed bytes and adds them by fours:

    codes        | w0 w1 w2 w3 of row 0 | row 1 | row 2 | row 3 |      a register of 64 codes is four of these
    activations  | x0 x1 x2 x3          | same  | same  | same  |
    sums         | s + w0x0 + ... + w3x3 | ...                   |      4 int32

All codes fit in a signed byte (0..63 at most, or -128..127), so none needs an offset for this instruction.

Source: Arm Architecture Reference Manual for A-profile, SDOT (vector), FEAT_DotProd.
"""

from llvmlite import ir
from numba.core import cgutils

from minillama.quant.kernels.vectors import BYTES64, I8, I32

BYTES16, INTS4 = ir.VectorType(I8, 16), ir.VectorType(I32, 4)
SIGNED_OFFSET_SHIFT = None


def partial_type():
    """Nothing beside the 16 int32 sums."""
    return None


def dot(builder, sums, partial, codes, word):
    """sums + codes * word (4 activations, broadcast)."""
    instruction = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(INTS4, [INTS4, BYTES16, BYTES16]), "llvm.aarch64.neon.sdot.v4i32.v16i8"
    )
    word = builder.bitcast(word, BYTES64)
    quarters = []
    for quarter in range(4):
        rows = _quarter(builder, sums, quarter)
        bytes_ = [_quarter(builder, vector, quarter) for vector in (codes, word)]
        quarters.append(builder.call(instruction, [rows, *bytes_]))
    halves = [_join(builder, *quarters[:2]), _join(builder, *quarters[2:])]
    return _join(builder, *halves), partial


def _quarter(builder, vector, which):
    count = vector.type.count // 4
    lanes = list(range(which * count, (which + 1) * count))
    undefined = ir.Constant(vector.type, ir.Undefined)
    return builder.shuffle_vector(vector, undefined, ir.Constant(ir.VectorType(I32, count), lanes))


def _join(builder, left, right):
    count = 2 * left.type.count
    return builder.shuffle_vector(left, right, ir.Constant(ir.VectorType(I32, count), list(range(count))))


def dot_signed(builder, sums, partial, codes, word):
    """The same: the instruction is signed."""
    return dot(builder, sums, partial, codes, word)


def settle(builder, sums, partial):
    """The sums are always settled."""
    return sums, partial
