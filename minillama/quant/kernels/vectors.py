"""Words for registers that hold 16 rows: Numba has no vector type, so these intrinsics add one.

LLVM splits the vectors into whatever registers the machine has (one of 512 bits, two of 256, four of 128), so all
instruction paths share these words. What they do not share, the dot product, is in dots.py.

    codes    64 bytes   4 columns of each of 16 rows      r0 r0 r0 r0 | r1 r1 r1 r1 | ... | r15 r15 r15 r15
    floats   16 float32, one a row
    totals   floats for each token of a tile: the running sums of a product

An address is a whole number: where in memory the bytes start.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.extending import intrinsic, register_model

from minillama.quant.kernels.records import RECORD_BYTES, SCALE_AT, SCALED_SUM_AT

ROWS = 16
I8, I32, I64, F32 = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.FloatType()
BYTES64, INTS16, FLOATS16 = ir.VectorType(I8, 64), ir.VectorType(I32, 16), ir.VectorType(F32, 16)
HALVES16 = ir.VectorType(ir.HalfType(), 16)
FUSED = {"flags": ["contract"]}  # a product and a sum may become one instruction, rounded once


class Registers(types.Type):
    """The type of one word's value: `kind` is "codes", "floats", "totals" or "dots"."""

    def __init__(self, kind: str, path: str = "", tokens: int = 1) -> None:
        self.kind = kind
        self.path = path
        self.tokens = tokens
        super().__init__(name=f"Registers({kind}, {path}, {tokens})")


CODES, FLOATS = Registers("codes"), Registers("floats")

_STORAGE = {
    "codes": lambda kind: BYTES64,
    "floats": lambda kind: FLOATS16,
    "totals": lambda kind: ir.ArrayType(FLOATS16, kind.tokens),
}


def define_storage(kind, storage):
    """Says which LLVM type the registers of a kind have; `storage` gets the Numba type."""
    _STORAGE[kind] = storage


@register_model(Registers)
class _RegistersModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, _STORAGE[kind.kind](kind))


def splat(builder, scalar, vector_type):
    """A vector whose elements all equal the scalar."""
    undefined = ir.Constant(vector_type, ir.Undefined)
    first = builder.insert_element(undefined, scalar, I32(0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(I32, vector_type.count), None))


def load(builder, address, offset, value_type, align):
    """The value at address + offset (bytes)."""
    pointer = builder.inttoptr(address, I8.as_pointer())
    moved = builder.gep(pointer, [I64(offset)])
    value = builder.load(builder.bitcast(moved, value_type.as_pointer()))
    value.align = align
    return value


def save(builder, value, address, offset):
    """Writes a value at address + offset (bytes), a multiple of 4."""
    pointer = builder.inttoptr(builder.add(address, I64(offset)), value.type.as_pointer())
    builder.store(value, pointer).align = 4


def broadcast(builder, address, offset, scalar_type):
    """The 4-byte scalar at address + offset (bytes), sixteen times."""
    return splat(builder, load(builder, address, offset, scalar_type, 4), ir.VectorType(scalar_type, ROWS))


def split(builder, vector, count):
    """A vector as `count` vectors of equal length, one for each register of a machine with narrower ones."""
    length = vector.type.count // count
    undefined = ir.Constant(vector.type, ir.Undefined)
    lanes = [list(range(i * length, (i + 1) * length)) for i in range(count)]
    return [builder.shuffle_vector(vector, undefined, ir.Constant(ir.VectorType(I32, length), part)) for part in lanes]


def join(builder, parts):
    """The reverse of `split`, for two or four parts."""
    if len(parts) > 2:
        middle = len(parts) // 2
        parts = [join(builder, parts[:middle]), join(builder, parts[middle:])]
    count = 2 * parts[0].type.count
    return builder.shuffle_vector(*parts, ir.Constant(ir.VectorType(I32, count), list(range(count))))


def call(builder, name, result, *args):
    """An instruction of the processor, by the name that LLVM has for it."""
    function = ir.FunctionType(result, [arg.type for arg in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, function, name), args)


def unpack_array(builder, array, count):
    """The elements of an LLVM array as a list."""
    return [builder.extract_value(array, i) for i in range(count)]


def pack_array(builder, values):
    """A list as an LLVM array."""
    array = ir.Constant(ir.ArrayType(values[0].type, len(values)), ir.Undefined)
    for i, value in enumerate(values):
        array = builder.insert_value(array, value, i)
    return array


@intrinsic
def load_codes(typing, address):
    """64 bytes of codes."""

    def generate(context, builder, signature, args):
        return load(builder, args[0], 0, BYTES64, 32)

    return CODES(types.intp), generate


@intrinsic
def low(typing, codes):
    """The low nibbles."""

    def generate(context, builder, signature, args):
        return builder.and_(args[0], ir.Constant(BYTES64, [15] * 64))

    return CODES(CODES), generate


@intrinsic
def high(typing, codes):
    """The high nibbles."""

    def generate(context, builder, signature, args):
        words = builder.lshr(builder.bitcast(args[0], INTS16), ir.Constant(INTS16, [4] * 16))
        return builder.and_(builder.bitcast(words, BYTES64), ir.Constant(BYTES64, [15] * 64))

    return CODES(CODES), generate


@intrinsic
def with_upper_bits(typing, nibbles, plane, position, mask):
    """Nibbles with the bits of a plane above them.

    Args:
        nibbles: codes 0..15.
        plane: codes whose bits `position`, `position + 1`... belong to these nibbles.
        position: the lowest of those bits.
        mask: 1 for one bit, 3 for two.
    """

    def generate(context, builder, signature, args):
        nibbles, plane, position, mask = args
        shift = splat(builder, builder.trunc(position, I32), INTS16)
        bits = builder.bitcast(builder.lshr(builder.bitcast(plane, INTS16), shift), BYTES64)
        bits = builder.and_(bits, splat(builder, builder.trunc(mask, I8), BYTES64))
        # The bits are below the masked place, so a shift of whole words moves none of them into a neighbour.
        upper = builder.shl(builder.bitcast(bits, INTS16), ir.Constant(INTS16, [4] * 16))
        return builder.or_(nibbles, builder.bitcast(upper, BYTES64))

    return CODES(CODES, CODES, types.intp, types.intp), generate


@intrinsic
def load_halves(typing, address):
    """16 float16 as floats."""

    def generate(context, builder, signature, args):
        return builder.fpext(load(builder, args[0], 0, HALVES16, 2), FLOATS16)

    return FLOATS(types.intp), generate


@intrinsic
def load_unsigned(typing, address):
    """16 bytes 0..255 as floats."""

    def generate(context, builder, signature, args):
        values = load(builder, args[0], 0, ir.VectorType(I8, ROWS), 1)
        return builder.sitofp(builder.zext(values, INTS16), FLOATS16)

    return FLOATS(types.intp), generate


@intrinsic
def load_signed(typing, address):
    """16 bytes -128..127 as floats."""

    def generate(context, builder, signature, args):
        values = load(builder, args[0], 0, ir.VectorType(I8, ROWS), 1)
        return builder.sitofp(builder.sext(values, INTS16), FLOATS16)

    return FLOATS(types.intp), generate


@intrinsic
def multiply(typing, left, right):
    """The product, row by row."""

    def generate(context, builder, signature, args):
        return builder.fmul(args[0], args[1])

    return FLOATS(FLOATS, FLOATS), generate


@intrinsic
def zeros(typing, tile):
    """Totals of zero."""
    totals = Registers("totals", "", tile.tokens)

    def generate(context, builder, signature, args):
        return ir.Constant(ir.ArrayType(FLOATS16, tile.tokens), None)

    return totals(tile), generate


@intrinsic
def add_scaled(typing, totals, dots, steps, x):
    """totals + steps * (scale of the activations * dots), for each token.

    Args:
        totals: running sums.
        dots: settled dot products (dots.py) of the same tile.
        steps: floats, the scale of each row.
        x: address of the tile's records of this block.
    """

    def generate(context, builder, signature, args):
        old, dots_value, steps, x = args
        sums = unpack_array(builder, old, totals.tokens)
        integers = unpack_array(builder, builder.extract_value(dots_value, 0), totals.tokens)
        for token in range(totals.tokens):
            scale = broadcast(builder, x, token * RECORD_BYTES + SCALE_AT, F32)
            value = builder.fmul(builder.sitofp(integers[token], FLOATS16), scale)
            sums[token] = builder.fadd(sums[token], builder.fmul(value, steps, **FUSED), **FUSED)
        return pack_array(builder, sums)

    return totals(totals, dots, FLOATS, types.intp), generate


@intrinsic
def subtract_minimums(typing, totals, minimums, x):
    """totals - minimums * (scale * sum of the activations), for each token; arguments as in `add_scaled`."""

    def generate(context, builder, signature, args):
        old, minimums, x = args
        sums = unpack_array(builder, old, totals.tokens)
        for token in range(totals.tokens):
            scaled_sum = broadcast(builder, x, token * RECORD_BYTES + SCALED_SUM_AT, F32)
            sums[token] = builder.fsub(sums[token], builder.fmul(minimums, scaled_sum, **FUSED), **FUSED)
        return pack_array(builder, sums)

    return totals(totals, FLOATS, types.intp), generate


@intrinsic
def store(typing, totals, out, stride):
    """Writes the totals: token t's 16 float32 at address out + t * stride (bytes)."""

    def generate(context, builder, signature, args):
        values, out, stride = args
        for token in range(totals.tokens):
            save(builder, builder.extract_value(values, token), builder.add(out, builder.mul(stride, I64(token))), 0)
        return context.get_dummy_value()

    return types.void(totals, types.intp, types.intp), generate
