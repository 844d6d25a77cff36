"""The bits of numbers inside jitted loops: Numba has no float16 arrays on the CPU, so their bits travel as uint16.

LLVM turns a loop over the first two into the processor's own conversions (`vcvtph2ps`, `vcvtps2ph`; `fcvtl` on Arm).
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


@intrinsic
def half_to_float(typingctx, bits):
    """The float32 that a float16's bits (uint16) stand for."""

    def codegen(context, builder, signature, args):
        return builder.fpext(builder.bitcast(args[0], ir.HalfType()), ir.FloatType())

    return types.float32(types.uint16), codegen


@intrinsic
def float_to_half(typingctx, value):
    """The bits (uint16) of the float16 nearest to a float32."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(builder.fptrunc(args[0], ir.HalfType()), ir.IntType(16))

    return types.uint16(types.float32), codegen


@intrinsic
def bits_to_float(typingctx, bits):
    """The float32 with these bits (int32)."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), codegen


@intrinsic
def load_word(typingctx, address):
    """The uint32 at an address, which need not be a multiple of 4."""

    def codegen(context, builder, signature, args):
        word = builder.load(builder.inttoptr(args[0], ir.IntType(32).as_pointer()))
        word.align = 1
        return word

    return types.uint32(types.intp), codegen


@intrinsic
def store_word(typingctx, address, word):
    """Writes a uint32 at an address, which need not be a multiple of 4."""

    def codegen(context, builder, signature, args):
        builder.store(args[1], builder.inttoptr(args[0], ir.IntType(32).as_pointer())).align = 1
        return context.get_dummy_value()

    return types.void(types.intp, types.uint32), codegen


@intrinsic
def store_float(typingctx, address, value):
    """Writes a float32 at an address, a multiple of 4."""

    def codegen(context, builder, signature, args):
        builder.store(args[1], builder.inttoptr(args[0], ir.FloatType().as_pointer())).align = 4
        return context.get_dummy_value()

    return types.void(types.intp, types.float32), codegen


@intrinsic
def pointer(typingctx, address):
    """An address as a pointer that carray takes."""

    def codegen(context, builder, signature, args):
        return builder.inttoptr(args[0], context.get_value_type(types.voidptr))

    return types.voidptr(types.intp), codegen
