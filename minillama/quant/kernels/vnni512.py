"""AVX-512 VNNI: one instruction multiplies 64 bytes and adds them to 16 sums.

`vpdpbusd` takes codes as unsigned bytes and activations as signed bytes, four of each a lane:

    codes        | w0 w1 w2 w3 of row 0 | w0 w1 w2 w3 of row 1 | ... | w0 w1 w2 w3 of row 15 |
    activations  | x0 x1 x2 x3          | x0 x1 x2 x3          | ... | x0 x1 x2 x3           |   one word, broadcast
                         |                      |                            |
    sums         |  s + w0x0 + ... + w3x3 |   s + ...            | ... |  s + ...              |   16 int32

A lane is a row, so nothing is ever added across a register. Signed codes are made unsigned by adding 128 (which
flips the top bit); the sums then start at -128 * sum(x) instead of 0.

Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, VPDPBUSD.
"""

from llvmlite import ir

from minillama.quant.kernels.vectors import BYTES64, INTS16, call

SIGNED_OFFSET_SHIFT = 4  # the record's offset is -8 * sum(x); shifted by 4 it is -128 * sum(x)


def partial_type():
    """Nothing beside the 16 int32 sums."""
    return None


def dot(builder, sums, partial, codes, word):
    """sums + codes (unsigned) * word (4 signed activations, broadcast)."""
    words = builder.bitcast(word, BYTES64)
    return call(builder, "llvm.x86.avx512.vpdpbusd.512", INTS16, sums, codes, words), partial


def make_unsigned(builder, codes):
    """Signed codes + 128."""
    return builder.xor(codes, ir.Constant(BYTES64, [128] * 64))


def dot_signed(builder, sums, partial, codes, word):
    """sums + (codes + 128) * word."""
    return dot(builder, sums, partial, make_unsigned(builder, codes), word)


def settle(builder, sums, partial):
    """The sums are always settled."""
    return sums, partial
