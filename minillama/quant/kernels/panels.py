"""Keys and values in panels: rows of 16 numbers, so that attention never adds across a register.

    keys of a head                                  values of a head
    a panel for 16 positions, a row for each dim    a panel for 16 dims, a row for each position

          s0 s1 ... s15    s16 s17 ... s31                d0 d1 ... d15    d16 d17 ... d31
    d0  |               |                 |         s0  |               |                 |
    d1  |               |                 |         s1  |               |                 |
    ...                                             ...

16 scores are the sum of q[d] * row d, 16 outputs are the sum of weight[s] * row s: the same work, done for some
queries side by side. The numbers are float16 (F16), or int8 codes with a float16 scale for each 32 dims of a
position (Q8_0, with the values of ggml's block of that name):

    keys, Q8_0      for each panel, for each 32 of its rows: 16 scales, 32 rows of 16 codes
    values, Q8_0    all panels of codes, then for each 32 dims the scales of all positions

Functions take the addresses of a head's panels, and `places`: how many positions they have room for, a multiple of 16.
"""

from llvmlite import ir
from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from minillama.quant.kernels.path import TileType
from minillama.quant.kernels.vectors import (
    F32,
    FLOATS,
    FLOATS16,
    FUSED,
    HALVES16,
    I8,
    I32,
    I64,
    INTS16,
    ROWS,
    Registers,
    broadcast,
    call,
    define_storage,
    load,
    pack_array,
    save,
    splat,
    unpack_array,
)

F16, Q8_0 = 0, 1  # kinds of panels
KINDS = {"f16": F16, "q8_0": Q8_0}
BLOCK = 32  # dims that share a scale
BLOCK_BYTES = 2 * ROWS + BLOCK * ROWS  # of Q8_0 keys: 16 scales and 32 rows
HALF_ROW, CODE_ROW = 2 * ROWS, ROWS  # bytes

# Running sums of 16 that a path's registers hold. Tiles of few queries take several panels side by side: one sum alone
# would wait for its last addition to finish before the next can begin. The rows of a panel are always added in order,
# so that a query's result does not depend on its tile.
RUNNING_SUMS = {"vnni512": 8, "avxvnni": 4, "avx2": 4, "arm": 4, "portable": 4}
MOST_PANELS = 4


def _panels(tile):
    """How many panels a tile takes side by side; "sum" are the registers for one alone."""
    return 1 if getattr(tile, "kind", "sums") == "sum" else min(MOST_PANELS, RUNNING_SUMS[tile.path] // tile.tokens)


for _kind in ("sums", "sum"):
    define_storage(_kind, lambda sums: ir.ArrayType(FLOATS16, sums.tokens * _panels(sums)))


@intrinsic
def queries(typing, path, count):
    """The tile of `count` queries, a constant, or of as many as the path's registers hold."""
    if not isinstance(count, types.IntegerLiteral):
        raise TypingError("count must be a constant")

    def generate(context, builder, signature, args):
        return context.get_dummy_value()

    return TileType(path.path, min(count.literal_value, RUNNING_SUMS[path.path]))(path, count), generate


@intrinsic
def panels_of(typing, tile):
    """How many panels the tile takes side by side."""

    def generate(context, builder, signature, args):
        return I64(_panels(tile))

    return types.intp(tile), generate


def _places(builder, sums, out, stride):
    """Where the 16 float32 of each query and panel are."""
    for query in range(sums.tokens):
        start = builder.add(out, builder.mul(stride, I64(query)))
        for panel in range(_panels(sums)):
            yield start, 4 * ROWS * panel


def _loading(sums):
    """Code that loads sums from an address and stride."""

    def generate(context, builder, signature, args):
        places = _places(builder, sums, *args[1:])
        return pack_array(builder, [load(builder, start, offset, FLOATS16, 4) for start, offset in places])

    return generate


@intrinsic
def load_sums(typing, tile, out, stride):
    """Sums that begin with query t's 16 float32 a panel at address out + t * stride (bytes)."""
    sums = Registers("sums", tile.path, tile.tokens)
    return sums(tile, types.intp, types.intp), _loading(sums)


@intrinsic
def load_sum(typing, tile, out, stride):
    """The same for one panel."""
    sums = Registers("sum", tile.path, tile.tokens)
    return sums(tile, types.intp, types.intp), _loading(sums)


@intrinsic
def no_sums(typing, like):
    """Sums of zero, for as many panels as others."""

    def generate(context, builder, signature, args):
        return ir.Constant(ir.ArrayType(FLOATS16, like.tokens * _panels(like)), None)

    return like(like), generate


@intrinsic
def store_sums(typing, sums, out, stride):
    """Writes the sums to where `load_sums` or `load_sum` would read them."""

    def generate(context, builder, signature, args):
        value, out, stride = args
        values = unpack_array(builder, value, sums.tokens * _panels(sums))
        for total, (start, offset) in zip(values, _places(builder, sums, out, stride), strict=True):
            save(builder, total, start, offset)
        return context.get_dummy_value()

    return types.void(sums, types.intp, types.intp), generate


def _halves(builder, row):
    """A row of float16."""
    return builder.fpext(load(builder, row, 0, HALVES16, 2), FLOATS16)


def _codes(builder, row):
    """A row of int8."""
    values = load(builder, row, 0, ir.VectorType(I8, ROWS), 1)
    return builder.sitofp(builder.sext(values, INTS16), FLOATS16)


def _adding(sums, read):
    """Code that adds a row of each panel."""
    n_panels = _panels(sums)

    def generate(context, builder, signature, args):
        value, row, panel_bytes, x, stride = args
        totals = unpack_array(builder, value, sums.tokens * n_panels)
        rows = [read(builder, builder.add(row, builder.mul(panel_bytes, I64(panel)))) for panel in range(n_panels)]
        for query in range(sums.tokens):
            weight = broadcast(builder, builder.add(x, builder.mul(stride, I64(query))), 0, F32)
            for panel in range(n_panels):
                place = query * n_panels + panel
                product = builder.fmul(rows[panel], weight, **FUSED)
                totals[place] = builder.fadd(totals[place], product, **FUSED)
        return pack_array(builder, totals)

    return sums(sums, types.intp, types.intp, types.intp, types.intp), generate


@intrinsic
def add_halves(typing, sums, row, panel_bytes, x, stride):
    """sums + weight * row, for each query and panel.

    Args:
        sums: of a tile.
        row: address of the first panel's row, float16.
        panel_bytes: to the next panel's.
        x: address of the first query's weight of that row.
        stride: bytes to the next query's.
    """
    return _adding(sums, _halves)


@intrinsic
def add_codes(typing, sums, row, panel_bytes, x, stride):
    """The same for rows of int8, without their scales."""
    return _adding(sums, _codes)


@intrinsic
def add_scaled_sums(typing, sums, more, scales, panel_bytes):
    """sums + more * the 16 float16 of each panel.

    Args:
        sums, more: of a tile.
        scales: address of the first panel's.
        panel_bytes: to the next panel's.
    """
    n_panels = _panels(sums)

    def generate(context, builder, signature, args):
        *values, scales, panel_bytes = args
        totals, added = (unpack_array(builder, value, sums.tokens * n_panels) for value in values)
        rows = [
            _halves(builder, builder.add(scales, builder.mul(panel_bytes, I64(panel)))) for panel in range(n_panels)
        ]
        for i, product in enumerate(added):
            scaled = builder.fmul(product, rows[i % n_panels], **FUSED)
            totals[i] = builder.fadd(totals[i], scaled, **FUSED)
        return pack_array(builder, totals)

    return sums(sums, more, types.intp, types.intp), generate


@intrinsic
def scale_row(typing, x, scales, out):
    """Writes 16 float32 at address x times 16 float16 at address scales."""

    def generate(context, builder, signature, args):
        x, scales, out = args
        save(builder, builder.fmul(load(builder, x, 0, FLOATS16, 4), _halves(builder, scales)), out, 0)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), generate


@intrinsic
def larger(typing, left, x):
    """The larger of floats and 16 float32 at an address, number by number; NaN in memory counts for nothing."""

    def generate(context, builder, signature, args):
        other = load(builder, args[1], 0, FLOATS16, 4)
        return builder.select(builder.fcmp_ordered(">", other, args[0]), other, args[0])

    return FLOATS(FLOATS, types.intp), generate


@intrinsic
def splat_float(typing, value):
    """A float32 sixteen times."""

    def generate(context, builder, signature, args):
        return splat(builder, args[0], FLOATS16)

    return FLOATS(types.float32), generate


@intrinsic
def largest_of(typing, floats):
    """The largest of 16."""

    def generate(context, builder, signature, args):
        return call(builder, "llvm.vector.reduce.fmax.v16f32", F32, args[0])

    return types.float32(FLOATS), generate


@intrinsic
def fetch(typing, sums, address, panel_bytes):
    """Asks memory for the line at an address and those of the next panels; any address is allowed.

    One core asks for too little at once by itself.
    """

    def generate(context, builder, signature, args):
        _, address, panel_bytes = args
        for panel in range(_panels(sums)):
            there = builder.add(address, builder.mul(panel_bytes, I64(panel)))
            pointer = builder.inttoptr(there, I8.as_pointer())
            call(builder, "llvm.prefetch.p0", ir.VoidType(), pointer, I32(0), I32(3), I32(1))
        return context.get_dummy_value()

    return types.void(sums, types.intp, types.intp), generate
