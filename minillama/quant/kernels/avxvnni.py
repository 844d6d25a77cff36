"""AVX-VNNI: the instruction of AVX-512 VNNI on registers of 32 bytes, for processors without AVX-512.

A register of 64 codes is two of these. See vnni512.py for what `vpdpbusd` does and how signed codes are made unsigned.

Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, VPDPBUSD (VEX encoding).
"""

from llvmlite import ir

from minillama.quant.kernels.vectors import BYTES64, I32, call, join, split
from minillama.quant.kernels.vnni512 import SIGNED_OFFSET_SHIFT, make_unsigned, partial_type, settle

__all__ = ["SIGNED_OFFSET_SHIFT", "dot", "dot_signed", "partial_type", "settle"]
INTS8 = ir.VectorType(I32, 8)


def dot(builder, sums, partial, codes, word):
    """sums + codes (unsigned) * word (4 signed activations, broadcast)."""
    operands = (split(builder, vector, 2) for vector in (sums, codes, builder.bitcast(word, BYTES64)))
    halves = [call(builder, "llvm.x86.avx512.vpdpbusd.256", INTS8, *half) for half in zip(*operands, strict=True)]
    return join(builder, halves), partial


def dot_signed(builder, sums, partial, codes, word):
    """sums + (codes + 128) * word."""
    return dot(builder, sums, partial, make_unsigned(builder, codes), word)
