"""Answers to lesson 11's tasks in unusual spellings, right ones and wrong ones."""

import math
import struct

import numpy as np
import torch

from minillama.course.proving import Book

book = Book()
RIGHT, WRONG, STRAY = book.RIGHT, book.WRONG, book.STRAY
right, stray = book.right, book.stray


# quant.block_by_hand

HAND = {
    "scale": 0.5, "codes": [9, 0, 10, 15], "bytes": [169, 240], "back": [0.5, -4, 1, 3.5], "turned": -0.25,
    "bits": 4.5, "megabytes": 25.36,
}  # fmt: skip
RIGHT["quant.block_by_hand"] = [
    HAND,
    HAND | {"codes": np.array([9, 0, 10, 15], np.uint8), "back": torch.tensor([0.5, -4, 1, 3.5]), "bits": 18 * 8 / 32},
    HAND | {"scale": np.float16(0.5), "bytes": (0xA9, 0xF0), "megabytes": 4096 * 11008 // 32 * 18 / 1e6},
]
for name, by_hand in {
    "seven": [{"scale": 0.571}, {"scale": 4 / 7}],
    "minus_half": [{"scale": -0.5}, {"scale": np.float32(-4 / 8)}],
    "sixteen": [{"codes": [9, 0, 10, 16]}, {"codes": np.array([9.0, 0, 10, 16])}],
    "centred": [{"codes": [1, -8, 2, 7]}, {"codes": (1, -8, 2, 7)}],
    "neighbours": [{"bytes": [9, 250]}, {"bytes": (9 + 16 * 0, 10 + 16 * 15)}],
    "swapped": [{"bytes": [154, 15]}, {"bytes": [9 * 16 + 10, 0 * 16 + 15]}],
    "unmoved": [{"back": [4.5, 0, 5, 7.5]}, {"back": np.array([9, 0, 10, 15]) / 2}],
    "exact": [{"back": [0.6, -4, 1.2, 3.9]}, {"back": torch.tensor([0.6, -4, 1.2, 3.9])}],
    "whole": [{"back": [0.5, -4, 1, 4]}, {"back": (0.5, -4.0, 1.0, 4.0)}],
    "above_zero": [{"turned": 0.25}, {"turned": 2 / 8}],
    "no_scale": [{"bits": 4}, {"bits": 32 * 4 / 32}],
    "float32_scale": [{"bits": 5}, {"bits": 20 * 8 / 32}],
    "half_a_byte": [{"megabytes": 22.54}, {"megabytes": 4096 * 11008 / 2 / 1e6}],
    "in_bits": [{"megabytes": 202.9}, {"megabytes": 4096 * 11008 * 4.5 / 1e6}],
    "mebibytes": [{"megabytes": 24.19}, {"megabytes": 4096 * 11008 * 4.5 / 8 / 2**20}],
}.items():
    WRONG["quant.block_by_hand", name] = [HAND | each for each in by_hand]
STRAY["quant.block_by_hand"] = [HAND | {"scale": 8}, HAND | {"codes": "many"}, HAND | {"bits": 4.25}]


# quant.quantize_q8_0

EIGHT = "quant.quantize_q8_0"


def half(value):
    """Through two bytes and back."""
    return struct.unpack("<e", struct.pack("<e", value))[0]


def largest_of(block, row, everything, bug):
    values = {"per_row": row, "per_tensor": everything}.get(bug, block)
    if bug == "no_abs":
        return max(values)
    return (max(values) - min(values)) * 127 / 255 if bug == "range" else max(abs(v) for v in values)


def eight_in_loops(bug=""):
    """Number by number, in Python's own floats."""

    def code(steps):
        if bug == "truncated":
            return int(steps)
        if bug == "floored":
            return math.floor(steps)
        return round(steps) if bug == "halves" else int(math.copysign(math.floor(abs(steps) + 0.5), steps))

    def quantize(x):
        rows = []
        for row in x.tolist():
            heads, tails = [], []
            for start in range(0, len(row), 32):
                block = row[start : start + 32]
                d = largest_of(block, row, x.ravel().tolist(), bug) / (128 if bug == "by_128" else 127)
                by = half(d) if bug == "rounded_scale" else d
                codes = [code(v / by) if d or bug == "zero_block" else 0 for v in block]
                codes = [max(-128, min(127, each)) for each in codes]
                heads.append(struct.pack("<e", d))
                tails.append(bytes(each + 128 if bug == "offset" else each & 255 for each in codes))
            if bug == "planar":
                rows.append(b"".join(heads + tails))
            else:
                pairs = zip(tails, heads, strict=True) if bug == "scale_last" else zip(heads, tails, strict=True)
                rows.append(b"".join(one + other for one, other in pairs))
        return np.frombuffer(b"".join(rows), np.uint8).reshape(len(x), -1)

    return quantize


def eight_in_torch(bug=""):
    """All blocks at once, in double precision."""

    def quantize(x):
        blocks = torch.from_numpy(x).double().unflatten(1, (-1, 32))
        low, high = blocks.aminmax(dim=-1, keepdim=True)
        size = torch.maximum(high, -low)
        if bug == "per_row":
            size = size.amax(1, keepdim=True).expand_as(size)
        if bug == "per_tensor":
            size = torch.full_like(size, float(size.max()))
        d = size / 127
        if bug == "by_128":
            d = size * 0.0078125
        if bug == "no_abs":
            d = high / 127
        if bug == "range":
            d = (high - low) / 255
        stored = d.half()
        if bug == "zero_block":
            stored = torch.where(d == 0, torch.ones_like(stored), stored)  # a scale of 1 for zeros
        steps = blocks / torch.where(d == 0, 1.0, stored.double() if bug == "rounded_scale" else d)
        codes = {
            "truncated": steps.trunc(), "floored": steps.floor(), "halves": steps.round(),
        }.get(bug, (steps.abs() + 0.5).floor() * steps.sign())  # fmt: skip
        codes = codes.clamp(-128, 127) + (128 if bug == "offset" else 0)
        parts = [stored.view(torch.uint8), codes.to(torch.int16).to(torch.uint8)]
        if bug == "planar":
            return torch.cat([each.flatten(1) for each in parts], dim=1).numpy()
        return torch.cat(parts[::-1] if bug == "scale_last" else parts, dim=-1).flatten(1).numpy()

    return quantize


@right(EIGHT)
def eight_in_records(x):
    """A structured array, filled column by column."""
    made = np.zeros(x.size // 32, np.dtype([("scale", "<f2"), ("codes", "i1", 32)]))
    for i, block in enumerate(np.split(x.reshape(-1), x.size // 32)):
        d = np.linalg.norm(block, np.inf) / np.float32(127)
        made[i]["scale"] = d
        if d > 0:
            steps = block / d
            made[i]["codes"] = np.where(steps < 0, np.ceil(steps - 0.5), np.floor(steps + 0.5))
    return np.frombuffer(made.tobytes(), np.uint8).reshape(len(x), -1)


RIGHT[EIGHT] += [eight_in_loops(), eight_in_torch()]
for name in (
    "per_row", "per_tensor", "truncated", "floored", "halves", "rounded_scale", "by_128", "no_abs", "range",
    "zero_block", "offset", "scale_last", "planar",
):  # fmt: skip
    WRONG[EIGHT, name] = [eight_in_loops(name), eight_in_torch(name)]


@stray(EIGHT)
def down_the_columns(x):
    blocks = x.reshape(32, -1).T
    return eight_in_loops()(np.ascontiguousarray(blocks).reshape(x.shape))


@stray(EIGHT)
def random_rounding(x):
    rng = np.random.default_rng(0)
    steps = np.abs(x).reshape(-1, 32).max(axis=1).repeat(32).reshape(x.shape) / 127
    return eight_in_loops()((x + (rng.random(x.shape) - 0.5) * steps).astype(np.float32))


@stray(EIGHT)
def scale_of_32_bits(x):
    blocks = x.reshape(-1, 32)
    d = np.abs(blocks).max(axis=1, keepdims=True) / np.float32(127)
    codes = np.rint(np.divide(blocks, d, out=np.zeros_like(blocks), where=d > 0)).astype(np.int8)
    return np.concatenate([d.view(np.uint8), codes.view(np.uint8)], axis=1).reshape(len(x), -1)


@stray(EIGHT)
def as_floats(x):
    return eight_in_loops()(x).astype(np.float64)


@stray(EIGHT)
def big_endian_scale(x):
    made = eight_in_loops()(x).reshape(-1, 34).copy()
    made[:, :2] = made[:, 1::-1]
    return made.reshape(len(x), -1)


@stray(EIGHT)
def nothing_at_all(x):
    return None


# quant.quantize_q4_0

FOUR = "quant.quantize_q4_0"


def pick(values, bug):
    """The weight that decides about a block."""
    if bug == "no_abs":
        return max(values)
    if bug == "tie":
        return max(max(values), min(values), key=abs)  # of two equal magnitudes the one above zero
    return max(values, key=abs)


def four_in_loops(bug=""):
    """Number by number, in Python's own floats."""

    def code(steps):
        if bug in ("truncated", "floored"):
            return (int(steps) if bug == "truncated" else math.floor(steps)) + 8
        return round(steps) + 8 if bug == "halves" else math.floor(steps + 8.5)

    def pairs_of(codes):
        if bug == "neighbours":
            return zip(codes[::2], codes[1::2], strict=True)
        return (
            zip(codes[16:], codes[:16], strict=True) if bug == "swapped" else zip(codes[:16], codes[16:], strict=True)
        )

    def quantize(x):
        rows = []
        for row in x.tolist():
            heads, tails = [], []
            for start in range(0, len(row), 32):
                block = row[start : start + 32]
                m = pick({"per_row": row, "per_tensor": x.ravel().tolist()}.get(bug, block), bug)
                if bug in ("symmetric", "sign_lost", "always_below"):
                    m = abs(m)
                d = m / {"symmetric": 7, "sign_lost": 8, "other_end": 8}.get(bug, -8)
                by = half(d) if bug == "rounded_scale" else d
                codes = [code(v / by) if d or bug == "zero_block" else 8 for v in block]
                codes = [max(0, min(16 if bug == "unclipped" else 15, each)) for each in codes]
                if bug == "no_offset":
                    codes = [(each + 8) % 16 for each in codes]
                heads.append(struct.pack("<e", d))
                tails.append(bytes((low + 16 * high) & 255 for low, high in pairs_of(codes)))
            if bug == "planar":
                rows.append(b"".join(heads + tails))
            else:
                both = zip(tails, heads, strict=True) if bug == "scale_last" else zip(heads, tails, strict=True)
                rows.append(b"".join(one + other for one, other in both))
        return np.frombuffer(b"".join(rows), np.uint8).reshape(len(x), -1)

    return quantize


def four_in_torch(bug=""):
    """All blocks at once; the sign found by looking at both ends."""

    def quantize(x):
        blocks = torch.from_numpy(x).unflatten(1, (-1, 32))
        of = {"per_row": blocks.flatten(1)[:, None], "per_tensor": blocks.reshape(1, 1, -1)}.get(bug, blocks)
        size = of if bug == "no_abs" else of.abs()
        at = size.argmax(-1, keepdim=True)
        if bug == "tie":
            at = of.shape[-1] - 1 - size.flip(-1).argmax(-1, keepdim=True)
        m = of.gather(-1, at).expand(*blocks.shape[:2], 1)
        d = {
            "symmetric": m.abs() / 7, "sign_lost": m.abs() / 8, "always_below": -m.abs() / 8, "other_end": m / 8,
        }.get(bug, -m / 8)  # fmt: skip
        stored = d.half()
        if bug == "zero_block":
            stored = torch.where(d == 0, torch.ones_like(stored), stored)
        inverse = torch.where(d == 0, 0.0, 1 / (stored.float() if bug == "rounded_scale" else d))
        steps = blocks * inverse
        codes = {"truncated": steps.trunc() + 8, "floored": (steps + 8).floor()}.get(bug, (steps + 8.5).floor())
        if bug == "halves":
            codes = steps.sign() * (steps.abs() + 0.5).floor() + 8
        codes = codes.clamp(0, 16 if bug == "unclipped" else 15).to(torch.uint8)
        if bug == "no_offset":
            codes = (codes - 8) & 15
        if bug == "neighbours":
            codes = torch.cat([codes[..., ::2], codes[..., 1::2]], dim=-1)
        low, high = codes.chunk(2, dim=-1)
        packed = (high | low << 4) if bug == "swapped" else (low | high << 4)
        parts = [stored.contiguous().view(torch.uint8), packed]
        if bug == "planar":
            return torch.cat([each.flatten(1) for each in parts], dim=1).numpy()
        return torch.cat(parts[::-1] if bug == "scale_last" else parts, dim=-1).flatten(1).numpy()

    return quantize


@right(FOUR)
def four_in_one_number(x):
    """The sixteen bytes of a block as a sum of products, in a structured array."""
    blocks = x.reshape(-1, 2, 16)
    flat = x.reshape(-1, 32)
    m = flat[np.arange(len(flat)), np.abs(flat).argmax(axis=1)]
    d = m * np.float32(-0.125)
    steps = np.divide(blocks, d[:, None, None], out=np.zeros_like(blocks), where=d[:, None, None] != 0)
    codes = np.clip(np.trunc(steps + 8.5), 0, 15)
    made = np.empty(len(d), [("d", "<f2"), ("q", "u1", 16)])
    made["d"], made["q"] = d, np.einsum("bhj,h->bj", codes, [1, 16])
    return made.view(np.uint8).reshape(len(x), -1)


RIGHT[FOUR] += [four_in_loops(), four_in_torch()]
for name in (
    "symmetric", "sign_lost", "always_below", "other_end", "no_abs", "tie", "per_row", "per_tensor", "truncated",
    "floored", "halves", "rounded_scale", "zero_block", "unclipped", "neighbours", "swapped", "no_offset", "scale_last",
    "planar",
):  # fmt: skip
    WRONG[FOUR, name] = [four_in_loops(name), four_in_torch(name)]


@stray(FOUR)
def three_bits(x):
    made = four_in_loops()(x).reshape(-1, 18).copy()
    made[:, 2:] &= 0xEE
    return made.reshape(len(x), -1)


@stray(FOUR)
def all_zero(x):
    return np.zeros((len(x), x.shape[1] // 32 * 18), np.uint8)


@stray(FOUR)
def one_code_a_byte(x):
    return np.zeros((len(x), x.shape[1] // 32 * 34), np.uint8)


@stray(FOUR)
def rows_backwards(x):
    return four_in_loops()(x[:, ::-1])


@stray(FOUR)
def twice(x):
    """Quantized, read back wrongly and quantized once more."""
    return four_in_loops()((x * np.linspace(0.5, 1, x.shape[1])).astype(np.float32))


# quant.dequantize_q4_0

READ = "quant.dequantize_q4_0"
READ_BUGS = (
    "no_offset", "seven", "wraps", "twos_complement", "swapped", "neighbours", "unmasked", "unshifted", "first_scale",
    "by_place", "magnitude", "scale_as_integer", "big_endian", "scale_last", "in_16_bits",
)  # fmt: skip


def read_in_loops(bug=""):
    """Byte by byte."""

    def scale(block):
        two = block[-2:] if bug == "scale_last" else block[:2]
        d = struct.unpack({"scale_as_integer": "<h", "big_endian": ">e"}.get(bug, "<e"), bytes(two))[0]
        return abs(d) if bug == "magnitude" else d

    def moved(code):
        if bug == "twos_complement":
            return code - 16 if code > 7 else code
        code -= {"no_offset": 0, "seven": 7}.get(bug, 8)
        return code % 256 if bug == "wraps" else code

    def codes_of(packed):
        low = [byte if bug == "unmasked" else byte % 16 for byte in packed]
        high = [byte - byte % 16 if bug == "unshifted" else byte // 16 for byte in packed]
        if bug == "swapped":
            low, high = high, low
        if bug == "neighbours":
            return [code for pair in zip(low, high, strict=True) for code in pair]
        return low + high

    def dequantize(blocks):
        rows = []
        for row in blocks:
            parts = [row[i : i + 18] for i in range(0, len(row), 18)]
            values = []
            for part in parts:
                d = scale(blocks[0, :18] if bug == "first_scale" else part)
                codes = codes_of([int(each) for each in (part[:16] if bug == "scale_last" else part[2:])])
                values.append([d * moved(code) for code in codes])
            if bug == "by_place":
                values = [list(column) for column in zip(*values, strict=True)]
            rows.append([value for part in values for value in part])
        with np.errstate(over="ignore"):
            return np.array(rows, dtype=np.float16 if bug == "in_16_bits" else np.float32)

    return dequantize


def read_in_torch(bug=""):
    def dequantize(blocks):
        parts = torch.from_numpy(blocks).reshape(len(blocks), -1, 18)
        two, packed = (parts[..., 16:], parts[..., :16]) if bug == "scale_last" else (parts[..., :2], parts[..., 2:])
        if bug == "big_endian":
            two = two.flip(-1)
        d = two.contiguous().view(torch.int16 if bug == "scale_as_integer" else torch.float16).float()
        if bug == "first_scale":
            d = d[0, 0].expand_as(d)
        if bug == "magnitude":
            d = d.abs()
        packed = packed.int()
        halves = [packed if bug == "unmasked" else packed & 15, packed & 240 if bug == "unshifted" else packed >> 4]
        if bug == "swapped":
            halves.reverse()
        codes = torch.stack(halves, dim=-1).flatten(-2) if bug == "neighbours" else torch.cat(halves, dim=-1)
        codes = codes - {"no_offset": 0, "seven": 7}.get(bug, 8)
        if bug == "wraps":
            codes = codes.to(torch.uint8)
        if bug == "twos_complement":
            codes = ((codes + 8) ^ 8) - 8
        values = d.half() * codes.half() if bug == "in_16_bits" else d * codes
        return (values.mT if bug == "by_place" else values).reshape(len(blocks), -1).numpy()

    return dequantize


@right(READ)
def read_from_a_table(blocks):
    """Sixteen weights for each block, and a look-up."""
    parts = blocks.reshape(-1, 18)
    d = np.frombuffer(parts[:, :2].tobytes(), "<f2").astype(np.float64)
    table = (d[:, None] * np.arange(-8, 8)).astype(np.float32)
    nibbles = np.stack([parts[:, 2:] % 16, parts[:, 2:] // 16], axis=1).reshape(len(parts), 32)
    return np.take_along_axis(table, nibbles.astype(np.int64), axis=1).reshape(len(blocks), -1)


RIGHT[READ] += [read_in_loops(), read_in_torch()]
for name in READ_BUGS:
    WRONG[READ, name] = [read_in_loops(name), read_in_torch(name)]


@book.wrong(READ, "wraps")
def two_slips_of_one_line(blocks):
    """Neither the codes nor the scales leave their dtype."""
    parts = blocks.reshape(-1, 18)
    codes = np.concatenate([parts[:, 2:] & 15, parts[:, 2:] >> 4], axis=1) - 8
    with np.errstate(over="ignore"):
        return (parts[:, :2].copy().view(np.float16) * codes).reshape(len(blocks), -1)


@stray(READ)
def no_scale(blocks):
    return read_in_torch()(blocks) * 0


@stray(READ)
def codes_alone(blocks):
    packed = blocks.reshape(-1, 18)[:, 2:]
    return np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.float32).reshape(len(blocks), -1)


@stray(READ)
def sixteen_weights_a_block(blocks):
    return read_in_torch()(blocks)[:, ::2]


@stray(READ)
def sign_extended(blocks):
    """The high half moved down as a number with a sign."""
    parts = blocks.reshape(-1, 18)
    d = parts[:, :2].copy().view("<f2").astype(np.float32)
    signed = parts[:, 2:].view(np.int8)
    codes = np.concatenate([signed & 15, signed >> 4], axis=1) - np.int8(8)
    return (d * codes).reshape(len(blocks), -1)


# quant.repair_q8_0

REPAIR = "quant.repair_q8_0"


def repair_in_numpy(bug=""):
    def reader(blocks):
        parts = blocks.reshape(len(blocks), -1, 34)
        d = parts[..., :2].copy().view("<f2").astype(np.float32)
        if bug == "first_scale":
            d = np.full_like(d, d.flat[0])
        raw = parts[..., 2:]
        codes = {
            "unsigned": raw.astype(np.float32),
            "minus_128": raw.astype(np.float32) - 128,
            "sign_bit": np.where(raw & 128, -1.0, 1.0) * (raw & 127),
            "minus_255": raw - 255.0 * (raw > 127),
        }.get(bug, raw.view(np.int8).astype(np.float32))
        with np.errstate(over="ignore"):
            values = d.astype(np.float16) * codes.astype(np.float16) if bug == "in_16_bits" else d * codes
        return (values.swapaxes(1, 2) if bug == "by_place" else values).reshape(len(blocks), -1)

    return reader


def repair_in_loops(bug=""):
    """Block by block, with struct; "unsigned" is the colleague's own reader."""

    def hers(blocks):
        stored = blocks.reshape(-1, 34)
        d = stored[:, :2].copy().view("<f2")
        with np.errstate(over="ignore"):
            return (d * stored[:, 2:]).reshape(len(blocks), -1)

    def signed(byte):
        if bug == "minus_128":
            return byte - 128
        if byte < 128:
            return byte
        return {"sign_bit": 128 - byte, "minus_255": byte - 255}.get(bug, byte - 256)

    def reader(blocks):
        rows = []
        for row in blocks.tolist():
            made = []
            for i in range(0, len(row), 34):
                head = blocks[0, :2].tolist() if bug == "first_scale" else row[i : i + 2]
                d = struct.unpack("<e", bytes(head))[0]
                made.append([d * signed(byte) for byte in row[i + 2 : i + 34]])
            if bug == "by_place":
                made = list(zip(*made, strict=True))
            rows.append([value for part in made for value in part])
        with np.errstate(over="ignore"):
            return np.array(rows, np.float16 if bug == "in_16_bits" else np.float64)

    return hers if bug == "unsigned" else reader


@right(REPAIR)
def repair_in_torch(blocks):
    parts = torch.from_numpy(blocks).unflatten(1, (-1, 34))
    d, codes = parts[..., :2].contiguous().view(torch.half), parts[..., 2:].contiguous().view(torch.int8)
    return (d.double() * codes).flatten(1)


RIGHT[REPAIR] += [repair_in_numpy(), repair_in_loops()]
for name in ("unsigned", "minus_128", "sign_bit", "minus_255", "first_scale", "by_place", "in_16_bits"):
    WRONG[REPAIR, name] = [repair_in_numpy(name), repair_in_loops(name)]


@stray(REPAIR)
def magnitudes(blocks):
    return np.abs(repair_in_numpy()(blocks))


@stray(REPAIR)
def without_scales(blocks):
    return blocks.reshape(-1, 34)[:, 2:].view(np.int8).astype(np.float32).reshape(len(blocks), -1)


# quant.quantize_minimum

MINIMUM = "quant.quantize_minimum"
MINIMUM_BUGS = (
    "unrounded", "levels", "no_minimum", "reaches_zero", "range_of_stored", "per_row", "per_tensor", "truncated",
    "unclipped", "zero_block", "exchanged",
)  # fmt: skip


def minimum_in_loops(bug=""):
    """Number by number: 3 bits, blocks of 16."""

    def quantize(x):
        codes, scales, minimums = [], [], []
        for row in x.tolist():
            for start in range(0, len(row), 16):
                block = row[start : start + 16]
                of = {"per_row": row, "per_tensor": x.ravel().tolist()}.get(bug, block)
                low, high = min(of), max(of)
                if bug == "no_minimum":
                    low = 0.0
                if bug == "reaches_zero":
                    low = min(low, 0.0)
                m, top = half(low), 8 if bug == "levels" else 7
                exact = (high - (m if bug == "range_of_stored" else low)) / top
                d = half(exact)
                by, under = (exact, low) if bug == "unrounded" else (d, m)
                for value in block:
                    if d == 0 and bug != "zero_block":
                        codes.append(0)
                        continue
                    steps = (value - under) / by  # ZeroDivisionError in a block of equal weights
                    code = math.floor(steps) if bug == "truncated" else round(steps)
                    codes.append(code if bug == "unclipped" else min(7, max(0, code)))
                scales.append(d)
                minimums.append(m)
        shape = len(x), x.shape[1] // 16
        codes, scales = np.array(codes).reshape(x.shape), np.array(scales, np.float16).reshape(shape)
        minimums = np.array(minimums, np.float16).reshape(shape)
        return (codes, minimums, scales) if bug == "exchanged" else (codes, scales, minimums)

    return quantize


def minimum_in_torch(bug=""):
    def quantize(x):
        blocks = torch.from_numpy(x).double().reshape(len(x), -1, 16)
        low, high = blocks.aminmax(dim=-1, keepdim=True)
        if bug == "per_row":
            low, high = (each.expand_as(low) for each in (low.amin(1, keepdim=True), high.amax(1, keepdim=True)))
        if bug == "per_tensor":
            low, high = torch.full_like(low, float(low.min())), torch.full_like(high, float(high.max()))
        if bug == "no_minimum":
            low = low * 0
        if bug == "reaches_zero":
            low = low.clamp(max=0)
        m = low.half()
        d = ((high - m if bug == "range_of_stored" else high - low) / (8 if bug == "levels" else 7)).half()
        steps = (blocks - m) / d.double()
        if bug == "unrounded":
            steps = (blocks - low) / (high - low) * 7
        equal = (high == low).expand_as(steps)
        steps = torch.where(equal, torch.tensor(5.0 if bug == "zero_block" else 0.0, dtype=torch.double), steps)
        codes = steps.floor() if bug == "truncated" else (steps + 0.5).floor()
        codes = (codes if bug == "unclipped" else codes.clamp(0, 7)).to(torch.uint8)  # -1 becomes 255
        found = codes.reshape(x.shape).numpy(), d[..., 0].numpy(), m[..., 0].numpy()
        return (found[0], found[2], found[1]) if bug == "exchanged" else found

    return quantize


@right(MINIMUM)
def minimum_by_search(x):
    """The nearest of eight levels, looked for one by one."""
    blocks = x.reshape(len(x), -1, 16)
    m = blocks.min(axis=-1).astype(np.float16)
    d = (np.ptp(blocks, axis=-1) / np.float32(7)).astype(np.float16)
    levels = d.astype(np.float32)[..., None] * np.arange(8, dtype=np.float32) + m.astype(np.float32)[..., None]
    codes = np.abs(blocks[..., None] - levels[..., None, :]).argmin(axis=-1)
    return codes.reshape(x.shape), d, m


RIGHT[MINIMUM] += [minimum_in_loops(), minimum_in_torch()]
for name in MINIMUM_BUGS:
    WRONG[MINIMUM, name] = [minimum_in_loops(name), minimum_in_torch(name)]


@stray(MINIMUM)
def weights_instead(x):
    return x, *minimum_in_torch()(x)[1:]


@stray(MINIMUM)
def scales_in_32_bits(x):
    codes, d, m = minimum_in_torch()(x)
    return codes, d.astype(np.float32), m.astype(np.float32)


@stray(MINIMUM)
def blocks_of_32(x):
    blocks = x.reshape(len(x), -1, 32)
    return np.zeros(x.shape), np.ptp(blocks, axis=-1).astype(np.float16), blocks.min(axis=-1).astype(np.float16)


@stray(MINIMUM)
def codes_from_above(x):
    codes, d, m = minimum_in_torch()(x)
    return 7 - codes, d, m


# quant.kv_cache_int8

CACHE = "quant.kv_cache_int8"
CACHE_BUGS = ("per_tensor", "per_head", "per_token", "truncated", "floored", "by_128", "no_abs", "zero_key")


def cache_in_numpy(bug=""):
    def quantize(keys):
        x = keys.numpy().astype(np.float64)
        axes = {"per_tensor": (0, 1, 2, 3), "per_head": (1, 3), "per_token": (2, 3)}.get(bug, (3,))
        size = (x if bug == "no_abs" else np.abs(x)).max(axis=axes, keepdims=True)
        d = np.broadcast_to(size / (128 if bug == "by_128" else 127), (*x.shape[:3], 1))
        steps = np.divide(x, d, out=np.full_like(x, 3.0 if bug == "zero_key" else 0.0), where=d != 0)
        codes = {"truncated": np.trunc(steps), "floored": np.floor(steps)}.get(bug, np.rint(steps))
        return np.clip(codes, -128, 127).astype(np.int8), d[..., 0].astype(np.float32)

    return quantize


def cache_in_loops(bug=""):
    """Key by key."""

    def quantize(keys):
        codes, scales = torch.zeros_like(keys, dtype=torch.int8), torch.zeros(keys.shape[:3])
        for b, s, g in np.ndindex(*keys.shape[:3]):
            key = keys[b, s, g].tolist()
            seen = {"per_tensor": keys, "per_head": keys[b, :, g], "per_token": keys[b, s]}.get(bug, keys[b, s, g])
            values = seen.reshape(-1).tolist()
            d = (max(values) if bug == "no_abs" else max(map(abs, values))) / (128 if bug == "by_128" else 127)
            scales[b, s, g] = d
            for i, value in enumerate(key):
                if d or bug == "zero_key":
                    steps = value / d
                    near = math.floor(steps + 0.5)
                    code = {"truncated": math.trunc(steps), "floored": math.floor(steps)}.get(bug, near)
                    codes[b, s, g, i] = max(-128, min(127, code))
        return codes, scales

    return quantize


@right(CACHE)
def cache_by_norm(keys):
    scales = torch.linalg.vector_norm(keys, ord=torch.inf, dim=-1) / 127
    safe = scales.masked_fill(scales == 0, 1.0)
    return (keys / safe.unsqueeze(-1)).round().char(), scales


RIGHT[CACHE] += [cache_in_numpy(), cache_in_loops()]
for name in CACHE_BUGS:
    WRONG[CACHE, name] = [cache_in_numpy(name), cache_in_loops(name)]


@stray(CACHE)
def keys_as_they_are(keys):
    return keys, torch.ones(keys.shape[:3])


@stray(CACHE)
def scales_keep_an_axis(keys):
    codes, scales = cache_by_norm(keys)
    return codes, scales[..., None]


@stray(CACHE)
def codes_as_floats(keys):
    codes, scales = cache_by_norm(keys)
    return codes.float(), scales


@stray(CACHE)
def per_channel(keys):
    scales = keys.abs().amax(1, keepdim=True) / 127
    return (keys / scales).round().char(), keys.abs().amax(-1) / 127


# quant.spend_bits

SPEND = "quant.spend_bits"
RIGHT[SPEND] = [
    {"hypothesis": "wv", "choice": {"wv": "q6_k"}, "bits": 4.9, "moved": 5.0, "conclusion": "so it is"},
    {"hypothesis": "w2", "choice": "w2 in q8_0", "bits": 5, "moved": torch.tensor(5.1), "conclusion": "no"},
    {"hypothesis": "all alike", "choice": ["q4_k"], "bits": 4.5, "moved": np.float32(5), "conclusion": "yes"},
]
STRAY[SPEND] = [{"hypothesis": "wv"}]
