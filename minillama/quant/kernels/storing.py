"""Keys and values on their way into the panels of a cache (panels.py)."""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from minillama.quant.kernels.activations import quantize_block
from minillama.quant.kernels.panels import BLOCK, BLOCK_BYTES, CODE_ROW, F16, HALF_ROW
from minillama.quant.kernels.records import RECORD
from minillama.quant.kernels.vectors import FLOATS16, HALVES16, I8, ROWS, load


@intrinsic
def store_half(typing, value, address):
    """Writes a float32 as float16."""

    def generate(context, builder, signature, args):
        pointer = builder.inttoptr(args[1], ir.HalfType().as_pointer())
        builder.store(builder.fptrunc(args[0], ir.HalfType()), pointer).align = 2
        return context.get_dummy_value()

    return types.void(types.float32, types.intp), generate


@intrinsic
def store_halves(typing, x, address):
    """Writes 16 float32 at address x as float16."""

    def generate(context, builder, signature, args):
        values = builder.fptrunc(load(builder, args[0], 0, FLOATS16, 4), HALVES16)
        pointer = builder.inttoptr(args[1], HALVES16.as_pointer())
        builder.store(values, pointer).align = 2
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), generate


@intrinsic
def store_code(typing, code, address):
    """Writes an int8."""

    def generate(context, builder, signature, args):
        builder.store(args[0], builder.inttoptr(args[1], I8.as_pointer()))
        return context.get_dummy_value()

    return types.void(types.int8, types.intp), generate


@njit(inline="always")
def key_panel_bytes(kind, head_dim):
    """Bytes of 16 positions of a head's keys."""
    return HALF_ROW * head_dim if kind == F16 else head_dim // BLOCK * BLOCK_BYTES


@njit(nogil=True)
def value_bytes(kind, head_dim, places):
    """Bytes of a head's values."""
    n_rows = (head_dim + ROWS - 1) // ROWS * places
    return n_rows * HALF_ROW if kind == F16 else n_rows * CODE_ROW + head_dim // BLOCK * places * 2


@njit(nogil=True, cache=True)
def store_key(kind, x, keys, place):
    """Puts the key x (K,) float32 into the column of its position.

    Args:
        kind: F16 or Q8_0.
        x: C-contiguous.
        keys: address of the head's panels.
        place: its position.
    """
    panel, column = keys + place // ROWS * key_panel_bytes(kind, len(x)), place % ROWS
    if kind == F16:
        for d in range(len(x)):
            store_half(x[d], panel + HALF_ROW * d + 2 * column)
        return
    record = np.empty(1, RECORD)
    for block in range(len(x) // BLOCK):
        quantize_block(x.ctypes.data + 4 * BLOCK * block, record.ctypes.data)
        start = panel + BLOCK_BYTES * block
        store_half(record[0].scale, start + 2 * column)
        for d in range(BLOCK):
            store_code(record[0].codes[d], start + HALF_ROW + CODE_ROW * d + column)


@njit(nogil=True, cache=True)
def store_value(kind, x, values, places, place):
    """Puts the value x (K,) into its row of each panel; arguments as in `store_key`."""
    if kind == F16:
        n_whole = len(x) // ROWS
        for panel in range(n_whole):
            store_halves(x.ctypes.data + 4 * ROWS * panel, values + HALF_ROW * (panel * places + place))
        if n_whole * ROWS < len(x):
            row = values + HALF_ROW * (n_whole * places + place)
            for i in range(ROWS):  # numbers beyond K are zero
                d = n_whole * ROWS + i
                store_half(x[d] if d < len(x) else np.float32(0), row + 2 * i)
        return
    record, scales = np.empty(1, RECORD), values + CODE_ROW * (len(x) // ROWS) * places
    for block in range(len(x) // BLOCK):
        quantize_block(x.ctypes.data + 4 * BLOCK * block, record.ctypes.data)
        store_half(record[0].scale, scales + 2 * (block * places + place))
        for d in range(BLOCK):
            panel = (block * BLOCK + d) // ROWS
            store_code(record[0].codes[d], values + CODE_ROW * (panel * places + place) + d % ROWS)
