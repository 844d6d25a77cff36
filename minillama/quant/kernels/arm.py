"""Arm's dot product: like VNNI, four lanes at a time, and signed on both sides.

`sdot` multiplies 16 signed bytes by 16 signed bytes and adds them by fours:

    codes        | w0 w1 w2 w3 of row 0 | row 1 | row 2 | row 3 |      a register of 64 codes is four of these
    activations  | x0 x1 x2 x3          | same  | same  | same  |
    sums         | s + w0x0 + ... + w3x3 | ...                   |      4 int32

All codes fit in a signed byte (0..63 at most, or -128..127), so none needs an offset for this instruction.

Source: Arm Architecture Reference Manual for A-profile, SDOT (vector), FEAT_DotProd.
"""

from llvmlite import ir

from minillama.quant.kernels.vectors import BYTES64, I32, call, join, split

INTS4 = ir.VectorType(I32, 4)
SIGNED_OFFSET_SHIFT = None


def partial_type():
    """Nothing beside the 16 int32 sums."""
    return None


def dot(builder, sums, partial, codes, word):
    """sums + codes * word (4 activations, broadcast)."""
    operands = (split(builder, vector, 4) for vector in (sums, codes, builder.bitcast(word, BYTES64)))
    quarters = [
        call(builder, "llvm.aarch64.neon.sdot.v4i32.v16i8", INTS4, *quarter) for quarter in zip(*operands, strict=True)
    ]
    return join(builder, quarters), partial


def dot_signed(builder, sums, partial, codes, word):
    """The same: the instruction is signed."""
    return dot(builder, sums, partial, codes, word)


def settle(builder, sums, partial):
    """The sums are always settled."""
    return sums, partial
