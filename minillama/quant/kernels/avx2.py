"""AVX2: products of bytes added in pairs to 16 bits, and those added in pairs to 32 bits.

    pmaddubsw   codes        | w0 w1 w2 w3 of row 0 | ...        unsigned bytes
                activations  | x0 x1 x2 x3          | ...        signed bytes
                             | w0x0+w1x1  w2x2+w3x3 | ...        16 bits, saturating at 32767
    pmaddwd     with ones    | w0x0+w1x1+w2x2+w3x3  | ...        32 bits

The saturation must never happen. |x| <= 127, so a pair is at most 2 * 127 * code: the 16-bit sums of nibbles (15) fit
for 8 pairs, of five bits (31) for 4, of six bits (63) for 2. `settle` moves them into the 32-bit sums in time.
For signed codes pmaddubsw gets |w| and x with the sign of w: at most 2 * 127 * 128 = 32512, which fits once.

A register of 64 codes is two of this path's 32 bytes.

Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, PMADDUBSW, PMADDWD, PSIGNB.
"""

from llvmlite import ir

from minillama.quant.kernels.vectors import BYTES64, I8, I32, call, join, split

I16 = ir.IntType(16)
BYTES32, SHORTS16, INTS8 = ir.VectorType(I8, 32), ir.VectorType(I16, 16), ir.VectorType(I32, 8)
SHORTS32 = ir.VectorType(I16, 32)
SIGNED_OFFSET_SHIFT = None  # signed codes stay as they are


def partial_type():
    """Beside the 16 int32 sums, 32 sums of 16 bits."""
    return SHORTS32


def dot(builder, sums, partial, codes, word):
    """Adds codes (unsigned) * word (4 signed activations, broadcast) to the 16-bit sums."""
    words = split(builder, builder.bitcast(word, BYTES64), 2)
    products = [
        call(builder, "llvm.x86.avx2.pmadd.ub.sw", SHORTS16, code, x)
        for code, x in zip(split(builder, codes, 2), words, strict=True)
    ]
    return sums, builder.add(partial, join(builder, products))


def dot_signed(builder, sums, partial, codes, word):
    """The same for signed codes: |w| * (x with the sign of w)."""
    products = []
    for code, x in zip(split(builder, codes, 2), split(builder, builder.bitcast(word, BYTES64), 2), strict=True):
        size = call(builder, "llvm.abs.v32i8", BYTES32, code, ir.Constant(ir.IntType(1), 0))
        signed = call(builder, "llvm.x86.avx2.psign.b", BYTES32, x, code)
        products.append(call(builder, "llvm.x86.avx2.pmadd.ub.sw", SHORTS16, size, signed))
    return sums, builder.add(partial, join(builder, products))


def settle(builder, sums, partial):
    """Moves the 16-bit sums into the 32-bit sums."""
    ones = ir.Constant(SHORTS16, [1] * 16)
    wide = [call(builder, "llvm.x86.avx2.pmadd.wd", INTS8, half, ones) for half in split(builder, partial, 2)]
    return builder.add(sums, join(builder, wide)), ir.Constant(SHORTS32, None)
