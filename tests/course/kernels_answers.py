"""Answers to lesson 12's tasks in unusual spellings, right ones and wrong ones: compiled, in NumPy, and in Python."""

import struct

import numpy as np
import torch
from numba import njit, prange

from minillama.course.proving import Book
from minillama.quant.kernels.ladder_int8 import quantize_activations

book = Book()
RIGHT, WRONG, STRAY = book.RIGHT, book.WRONG, book.STRAY
right, stray = book.right, book.stray


# kernels.ladder_by_hand

HAND = {
    "bytes": 2304, "bound": 5, "weight": -2.5, "wrapped": -112, "largest": 32_512, "place": 22, "tokens": 6,
}  # fmt: skip
RIGHT["kernels.ladder_by_hand"] = [
    HAND,
    HAND | {"bytes": 64 * 64 * 4.5 / 8, "bound": 20 / 4, "weight": np.float16(-2.5), "wrapped": np.int8(-112)},
    HAND | {"largest": torch.tensor(32 * 8 * 127), "place": 6.0 + 16, "tokens": np.ceil(5.625)},
]
for name, by_hand in {
    "no_scales": [{"bytes": 2048}, {"bytes": 64 * 64 / 2}],
    "byte_a_weight": [{"bytes": 4096}, {"bytes": 64.0**2}],
    "float_scales": [{"bytes": 2560}, {"bytes": 128 * 20}],
    "upside_down": [{"bound": 0.2}, {"bound": 4 / 20}],
    "bits": [{"bound": 0.625}, {"bound": 20 / 32}],
    "offset_lost": [{"weight": 1.5}, {"weight": 0.5 * 3}],
    "offset_after": [{"weight": -6.5}, {"weight": 0.5 * 3 - 8}],
    "not_wrapped": [{"wrapped": 400}, {"wrapped": 20.0 * 20}],
    "held_at_end": [{"wrapped": 127}, {"wrapped": np.int8(127)}],
    "no_sign": [{"wrapped": 144}, {"wrapped": 400 % 256}],
    "end_of_seven": [{"largest": 28_448}, {"largest": 32 * 7 * 127}],
    "one_product": [{"largest": 1016}, {"largest": 8 * 127}],
    "both_int8": [{"largest": 516_128}, {"largest": 32 * 127 * 127}],
    "row_by_row": [{"place": 82}, {"place": 5 * 16 + 2}],
    "by_ones": [{"place": 37}, {"place": 2 * 16 + 5}],
    "column_a_byte": [{"place": 278}, {"place": 4 * 64 + 22}],
    "floor": [{"tokens": 5}, {"tokens": 5.0}],
    "one_operation": [{"tokens": 12}, {"tokens": np.ceil(11.25)}],
}.items():
    WRONG["kernels.ladder_by_hand", name] = [HAND | each for each in by_hand]
STRAY["kernels.ladder_by_hand"] = [HAND | {"bytes": 1}, HAND | {"place": "the first"}, HAND | {"tokens": 128}]


# kernels.matvec_q8 and kernels.matvec_q4

Q8, Q4 = "kernels.matvec_q8", "kernels.matvec_q4"


def wrapped(number, bits):
    """As so many bits hold it."""
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> (bits - 1) else number


def nibbles(bits, bug):
    """The 32 codes of a block's 16 bytes, in Python."""
    low, high = [byte & 15 for byte in bits], [byte >> 4 for byte in bits]
    if bug == "high_first":
        low, high = high, low
    codes = [code for pair in zip(low, high, strict=True) for code in pair] if bug == "neighbours" else low + high
    if bug == "no_offset":
        return codes
    if bug == "twos_complement":
        return [(code ^ 8) - 8 for code in codes]
    return [(code - 8) & 255 for code in codes] if bug == "unsigned_offset" else [code - 8 for code in codes]


def in_python(bug="", bits=8):
    """Every number on its own, read with struct."""

    def matvec(blocks, x):
        codes, scales = (each.tolist() for each in quantize_activations(x))
        size, values, y = (34, x.tolist(), []) if bits == 8 else (18, x.tolist(), [])
        for row in blocks:
            data, total = row.tobytes(), 0.0
            first = struct.unpack_from("<e", data)[0]
            for b in range(len(data) // size):
                block = data[b * size : (b + 1) * size]
                step = 1.0 if bug == "weight_scale_lost" else first
                if bug not in ("weight_scale_lost", "first_weight_scale"):
                    step = struct.unpack_from("<e", block)[0]
                if bits == 4:
                    weights = nibbles(block[2:], bug)
                elif bug == "unsigned":
                    weights = list(block[2:])
                else:
                    weights = struct.unpack("32b", block[: 32 if bug == "scale_as_codes" else 34][-32:])
                scale = 1.0 if bug == "activation_scale_lost" else scales[0 if bug == "first_activation_scale" else b]
                if bug == "in_float":
                    total += step * sum(w * v for w, v in zip(weights, values[32 * b :], strict=False))
                    continue
                products = [w * c for w, c in zip(weights, codes[b], strict=True)]
                if bug == "int8_products":
                    products = [wrapped(each, 8) for each in products]
                whole = sum(products)
                if bug in ("int8_sum", "int16_sum"):
                    whole = wrapped(whole, 8 if bug == "int8_sum" else 16)
                total += step * scale * whole
            y.append(total)
        return np.array(y, np.float32)

    return matvec


def in_numpy(bug="", bits=8):
    """All blocks at once, each bug as NumPy's own types make it."""

    def matvec(blocks, x):
        codes, scales = quantize_activations(x)
        stored = blocks.reshape(len(blocks), len(scales), -1)
        steps = np.ascontiguousarray(stored[:, :, :2]).view(np.float16)[:, :, 0].astype(np.float32)
        body = np.ascontiguousarray(stored[:, :, 0 if bug == "scale_as_codes" else 2 :][:, :, :32])
        if bits == 8:
            weights = body if bug == "unsigned" else body.view(np.int8)
        else:
            low, high = (body & 15, body >> 4) if bug != "high_first" else (body >> 4, body & 15)
            weights = np.concatenate([low, high], 2) if bug != "neighbours" else np.stack([low, high], 3)
            weights = weights.reshape(*weights.shape[:2], 32)
            if bug == "twos_complement":
                weights = weights.astype(np.int8)
                weights[weights >= 8] -= 16
            elif bug == "unsigned_offset":
                weights = weights - np.uint8(8)
            elif bug != "no_offset":
                weights = weights.astype(np.int8) - np.int8(8)
        if bug == "in_float":
            return (steps[:, :, None] * weights).reshape(len(blocks), -1) @ x
        if bug == "int8_products":
            sums = (weights.astype(np.int8) * codes).sum(-1)
        elif bug == "int8_sum":
            sums = np.einsum("nbi,bi->nb", weights.astype(np.int8), codes)
        elif bug == "int16_sum":
            sums = np.einsum("nbi,bi->nb", weights.astype(np.int16), codes.astype(np.int16))
        else:
            sums = np.einsum("nbi,bi->nb", weights.astype(np.int32), codes.astype(np.int32))
        if bug == "weight_scale_lost":
            return sums.astype(np.float32) @ scales
        if bug == "first_weight_scale":
            return steps[:, 0] * (sums @ scales)
        if bug == "activation_scale_lost":
            return (sums * steps).sum(1)
        return (sums * steps * (scales[:1] if bug == "first_activation_scale" else scales)).sum(1)

    return matvec


@njit
def compiled_rows(codes, steps, x_codes, x_scales, y):
    for n in range(len(y)):
        y[n] = np.float32(0)
        for b in range(len(x_scales)):
            total = np.int32(0)
            for i in range(32):
                total += np.int32(codes[n, b, i]) * np.int32(x_codes[b, i])
            y[n] += steps[n, b] * x_scales[b] * total


@njit(parallel=True)
def compiled_in_parallel(codes, steps, x_codes, x_scales, y):
    for n in prange(len(y)):
        total = 0.0
        for b in range(len(x_scales)):
            whole = 0.0
            for i in range(32):
                whole += float(codes[n, b, i]) * float(x_codes[b, i])
            total += whole * steps[n, b] * x_scales[b]
        y[n] = total


def halves_of(blocks, n_blocks):
    stored = blocks.reshape(len(blocks), n_blocks, -1)
    return stored[..., 2:], np.ascontiguousarray(stored[..., :2]).view("<f2")[..., 0].astype(np.float32)


@right(Q8)
def compiled_with_lists_around_it(blocks, x):
    codes, scales = quantize_activations(x)
    body, steps = halves_of(blocks, len(scales))
    y = np.zeros(len(blocks), np.float32)
    compiled_rows(body.view(np.int8), steps, codes, scales, y)
    return y


@right(Q4)
def compiled_in_parallel_with_floats_that_are_whole(blocks, x):
    codes, scales = quantize_activations(x)
    body, steps = halves_of(blocks, len(scales))
    weights = np.concatenate([body & 15, body >> 4], axis=-1).astype(np.int8) - 8
    y = np.zeros(len(blocks))
    compiled_in_parallel(weights, steps, codes, scales, y)
    return y


@right(Q4)
def offset_once_a_block(blocks, x):
    """Nibbles as they are, and 8 times the sum of the codes taken away at the end."""
    codes, scales = quantize_activations(x)
    body, steps = halves_of(blocks, len(scales))
    left, right_half = codes[:, :16].astype(np.int64), codes[:, 16:].astype(np.int64)
    sums = ((body & 15) * left + (body >> 4) * right_half).sum(-1) - 8 * codes.sum(-1, dtype=np.int64)
    return (sums * steps * scales).sum(-1)


@right(Q8)
@njit
def compiled_from_end_to_end(blocks, x):
    """Everything in one compiled function; the scale by its bits."""
    y = np.zeros(len(blocks), np.float32)
    for n in range(len(blocks)):
        for b in range(len(x) // 32):
            block, part = blocks[n, 34 * b : 34 * b + 34], x[32 * b : 32 * b + 32]
            largest = np.abs(part).max()
            half = np.int64(block[0]) + 256 * np.int64(block[1])
            step = (1 + (half & 1023) / 1024) * 2.0 ** ((half >> 10 & 31) - 15)
            total = 0
            for i in range(32):
                code = np.int64(block[2 + i])
                total += (code - 256 if code > 127 else code) * int(np.rint(part[i] * 127 / largest))
            y[n] += step * largest / 127 * total
    return y


RIGHT[Q8] += [in_python(), in_numpy()]
RIGHT[Q4] += [in_python(bits=4), in_numpy(bits=4)]
SHARED = (
    "int8_sum", "int8_products", "in_float", "weight_scale_lost", "first_weight_scale", "activation_scale_lost",
    "first_activation_scale",
)  # fmt: skip
for name in (*SHARED, "int16_sum", "unsigned", "scale_as_codes"):
    WRONG[Q8, name] = [in_python(name), in_numpy(name)]
for name in (*SHARED, "no_offset", "twos_complement", "unsigned_offset", "neighbours", "high_first"):
    WRONG[Q4, name] = [in_python(name, 4), in_numpy(name, 4)]


@stray(Q8)
def one_row_too_few(blocks, x):
    return in_numpy()(blocks[:-1], x)


@stray(Q8)
@njit
def not_to_be_compiled(blocks, x):
    names = {"rows": [len(blocks), "x"]}
    return names["rows"]


@stray(Q8)
def squared(blocks, x):
    return in_numpy()(blocks, x) ** 2


@stray(Q4)
def backwards(blocks, x):
    return in_numpy(bits=4)(blocks[::-1].copy(), x)


@stray(Q4)
def a_matrix(blocks, x):
    return in_numpy(bits=4)(blocks, x)[:, None]


# kernels.repair_race

RACE = "kernels.repair_race"


def with_ranges(bug=""):
    """Rows one by one."""

    def thread_of(thread, threads, weights, x, y):
        n = len(y)
        if bug == "columns":
            for i in range(thread, len(x), threads):
                for row in range(n):
                    y[row] += weights[row, i] * x[i]
            return
        bounds = [n * i // threads for i in range(threads + 1)]
        begin, end = bounds[thread], bounds[thread + 1]
        if bug == "all_rows":
            begin, end = 0, n
        if bug == "alone":
            begin, end = 0, 0 if thread else n
        if bug == "rest_lost":
            begin, end = (n // threads) * thread, (n // threads) * (thread + 1)
        if bug == "overlap":
            end = min(end + 1, n)
        if bug == "from_one":
            begin, end = (0, 0) if thread == 0 else (bounds[thread - 1], bounds[thread])
        if bug == "clears_all":
            y.fill(0)
        if bug == "nothing_written":
            y = y.copy()
        for row in range(begin, end):
            total = y[row] if bug == "adds" else 0
            for i in range(len(x)):
                total += weights[row, i] * x[i]
            y[row] = total

    return thread_of


@njit
def compiled_share(weights, x, y, begin, end):
    for row in range(begin, end):
        y[row] = np.float32(0)
        for i in range(len(x)):
            y[row] += weights[row, i] * x[i]


def with_masks(bug=""):
    """Which rows are mine, as a mask."""

    def thread_of(thread, threads, weights, x, y):
        numbers = np.arange(len(y))
        mine = numbers * threads // len(y) == thread
        first = np.array([len(y) * i // threads for i in range(threads + 1)])
        mine = (numbers >= first[thread]) & (numbers < first[thread + 1])
        if bug == "columns":
            part = x * (np.arange(len(x)) % threads == thread)
            y[:] = weights @ part
            return None
        if bug == "rest_lost":
            mine = numbers // max(1, len(y) // threads) == thread if len(y) >= threads else numbers < 0
        if bug == "from_one":
            mine = (numbers >= first[max(0, thread - 1)]) & (numbers < first[thread])
        if bug == "overlap":
            mine |= numbers == first[thread + 1]
        if bug == "all_rows":
            mine[:] = True
        if bug == "alone":
            mine[:] = thread == 0
        if bug == "clears_all":
            np.multiply(y, 0, out=y)
        if bug == "nothing_written":
            return np.where(mine, weights @ x, 0)
        result = weights @ x
        y[mine] = y[mine] + result[mine] if bug == "adds" else result[mine]
        return None

    return thread_of


@right(RACE)
def every_so_many_rows(thread, threads, weights, x, y):
    """Dealt out like cards."""
    for row in range(thread, len(y), threads):
        y[row] = np.dot(weights[row], x)


@right(RACE)
def compiled_shares(thread, threads, weights, x, y):
    compiled_share(weights, x, y, thread * len(y) // threads, (thread + 1) * len(y) // threads)


@right(RACE)
def the_last_takes_the_rest(thread, threads, weights, x, y):
    size = len(y) // threads
    end = len(y) if thread == threads - 1 else (thread + 1) * size
    np.matmul(weights[thread * size : end], x, out=y[thread * size : end])


RIGHT[RACE] += [with_ranges(), with_masks()]
for name in (
    "columns",
    "all_rows",
    "alone",
    "rest_lost",
    "overlap",
    "from_one",
    "adds",
    "clears_all",
    "nothing_written",
):
    WRONG[RACE, name] = [with_ranges(name), with_masks(name)]


@stray(RACE)
def in_the_wrong_rows(thread, threads, weights, x, y):
    for row in range(thread, len(y), threads):
        y[len(y) - 1 - row] = weights[row] @ x


@stray(RACE)
def one_thread_does_it_wrongly(thread, threads, weights, x, y):
    if thread == 0:
        y[:] = 2 * (weights @ x)


# kernels.pack_rows

PACK = "kernels.pack_rows"


def byte_by_byte(bug=""):
    """Where each byte goes, one after the other."""

    def pack(blocks):
        n, n_blocks = len(blocks), blocks.shape[1] // 18
        groups = n // 16 if bug == "rest_lost" else (n + 15) // 16
        used = 288 * n_blocks
        size = used if bug == "unaligned" else (used + 63) // 64 * 64
        out = np.zeros((groups, size), np.uint8)
        for g in range(groups):
            for r in range(16):
                row = 16 * g + r
                if row >= n:
                    if bug != "rest_repeated":
                        continue
                    row = n - 1
                for b in range(n_blocks):
                    block = blocks[row, 18 * b : 18 * b + 18]
                    for i in range(2):
                        at = 256 * n_blocks + 32 * b + 2 * r + i
                        if bug == "scales_by_row":
                            at = 256 * n_blocks + 2 * n_blocks * r + 2 * b + i
                        if bug == "scales_first":
                            at = 32 * b + 2 * r + i
                        if bug == "scales_in_blocks":
                            at = 288 * b + 18 * r + i
                        if bug == "untouched":
                            at = 18 * n_blocks * r + 18 * b + i
                        out[g, at] = block[i]
                    for i in range(16):
                        line, j = divmod(i, 4)
                        at = 256 * b + 64 * line + 4 * r + j
                        if bug == "row_by_row":
                            at = 16 * n_blocks * r + 16 * b + i
                        if bug == "by_ones":
                            at = 256 * b + 16 * i + r
                        if bug == "by_twos":
                            at = 256 * b + 32 * (i // 2) + 2 * r + i % 2
                        if bug == "by_blocks":
                            at = 256 * b + 16 * r + i
                        if bug == "lines_first":
                            at = 64 * n_blocks * line + 64 * b + 4 * r + j
                        if bug == "scales_first":
                            at += 32 * n_blocks
                        if bug == "scales_in_blocks":
                            at = 288 * b + 18 * r + 2 + i
                        if bug == "untouched":
                            at = 18 * n_blocks * r + 18 * b + 2 + i
                        out[g, at] = block[2 + i]
        return out

    return pack


def with_words(bug=""):
    """Four bytes as one number of 32 bits, group by group."""

    def pack(blocks):
        n_blocks, found = blocks.shape[1] // 18, []
        starts = range(0, len(blocks) // 16 * 16 if bug == "rest_lost" else len(blocks), 16)
        for start in starts:
            part = blocks[start : start + 16]
            missing = 16 - len(part)
            filling = np.repeat(part[-1:], missing, 0) if bug == "rest_repeated" else np.zeros((missing, 18 * n_blocks))
            part = np.concatenate([part, filling.astype(np.uint8)]).reshape(16, n_blocks, 18)
            kind = {"by_ones": "u1", "by_twos": "<u2"}.get(bug, "<u4")
            words = np.ascontiguousarray(part[:, :, 2:]).view(kind)  # (row, block, line)
            if bug == "by_blocks":
                words = np.swapaxes(words, 0, 1)
            elif bug == "lines_first":
                words = words.T
            elif bug != "row_by_row":
                words = np.moveaxis(words, 0, 2)
            scales = np.ascontiguousarray(part[:, :, :2]).view("<u2")[:, :, 0]
            scales = scales if bug == "scales_by_row" else scales.T
            pieces = [np.ascontiguousarray(words).tobytes(), np.ascontiguousarray(scales).tobytes()]
            if bug == "scales_first":
                pieces = pieces[::-1]
            if bug == "scales_in_blocks":
                pieces = [np.swapaxes(part, 0, 1).tobytes()]
            if bug == "untouched":
                pieces = [part.tobytes()]
            data = b"".join(pieces)
            found.append(data if bug == "unaligned" else data + bytes(-len(data) % 64))
        if not found:
            return np.zeros((0, -(-288 * n_blocks // 64) * 64), np.uint8)
        return np.array([list(each) for each in found], np.uint8)

    return pack


@right(PACK)
@njit
def compiled_packing(blocks):
    n_blocks = blocks.shape[1] // 18
    out = np.zeros(((len(blocks) + 15) // 16, (288 * n_blocks + 63) // 64 * 64), np.uint8)
    for row in range(len(blocks)):
        for place in range(18 * n_blocks):
            b, i = place // 18, place % 18
            if i < 2:
                out[row // 16, 256 * n_blocks + 32 * b + 2 * (row % 16) + i] = blocks[row, place]
            else:
                out[row // 16, 256 * b + 64 * ((i - 2) // 4) + 4 * (row % 16) + (i - 2) % 4] = blocks[row, place]
    return out


RIGHT[PACK] += [byte_by_byte(), with_words()]
for name in (
    "row_by_row", "by_ones", "by_twos", "by_blocks", "lines_first", "scales_in_blocks", "untouched", "scales_first",
    "scales_by_row", "rest_lost", "rest_repeated", "unaligned",
):  # fmt: skip
    WRONG[PACK, name] = [byte_by_byte(name), with_words(name)]


@stray(PACK)
def one_long_row(blocks):
    return with_words()(blocks).reshape(-1)


@stray(PACK)
def bytes_turned_round(blocks):
    return with_words()(blocks)[:, ::-1]


# kernels.matmul_tile

TILE = "kernels.matmul_tile"


def tile_in_loops(bug=""):
    """Every product on its own."""

    def tile(n_rows, take_apart, codes, scales):
        y = [[0.0] * n_rows for _ in codes]
        for row in range(n_rows):
            apart = take_apart(row)
            for t in range(len(codes)):
                if bug == "each_token" and t > 0:
                    apart = take_apart(row)
                for b, block in enumerate(apart[0].tolist()):
                    theirs = codes[0 if bug == "first_token" else t, b].tolist()
                    products = [one * other for one, other in zip(block, theirs, strict=True)]
                    if bug == "int8_products":
                        products = [wrapped(each, 8) for each in products]
                    total = wrapped(sum(products), 8) if bug == "int8_sum" else sum(products)
                    total = wrapped(total, 16) if bug == "int16_sum" else total
                    total *= 1 if bug == "steps_lost" else apart[1][b]
                    total *= 1 if bug == "scales_lost" else scales[0 if bug == "first_scales" else t, b]
                    y[t][row] += total
        return np.array(y).T if bug == "transposed" else np.array(y)

    return tile


def tile_at_once(bug=""):
    """All tokens of a row in one product."""

    def tile(n_rows, take_apart, codes, scales):
        columns = []
        for row in range(n_rows):
            weights, steps = take_apart(row)
            for _ in codes[1:] if bug == "each_token" else ():
                take_apart(row)
            theirs = codes[:1].repeat(len(codes), 0) if bug == "first_token" else codes
            if bug == "int8_sum":
                sums = np.einsum("bi,tbi->tb", weights, theirs)
            elif bug == "int8_products":
                sums = (weights * theirs).sum(-1)
            elif bug == "int16_sum":
                sums = np.einsum("bi,tbi->tb", weights.astype(np.int16), theirs.astype(np.int16))
            else:
                sums = np.einsum("bi,tbi->tb", weights.astype(np.int32), theirs.astype(np.int32))
            factors = np.ones_like(scales) if bug == "scales_lost" else scales
            factors = scales[:1] if bug == "first_scales" else factors
            columns.append((sums * factors) @ (np.ones_like(steps) if bug == "steps_lost" else steps))
        return np.array(columns) if bug == "transposed" else np.stack(columns, axis=1)

    return tile


@njit
def compiled_tokens(weights, steps, codes, scales, out):
    for t in range(len(codes)):
        out[t] = np.float32(0)
        for b in range(len(steps)):
            total = np.int32(0)
            for i in range(32):
                total += np.int32(weights[b, i]) * codes[t, b, i]
            out[t] += steps[b] * scales[t, b] * total


@right(TILE)
def compiled_inside(n_rows, take_apart, codes, scales):
    y = np.empty((len(codes), n_rows), np.float32)
    for row in range(n_rows):
        out = np.empty(len(codes), np.float32)
        compiled_tokens(*take_apart(row), codes, scales, out)
        y[:, row] = out
    return y


@right(TILE)
def all_rows_first(n_rows, take_apart, codes, scales):
    weights, steps = (np.stack(each) for each in zip(*map(take_apart, range(n_rows)), strict=True))
    floats = (weights * steps[..., None].astype(np.float64)).reshape(n_rows, -1)
    return (codes * scales[..., None].astype(np.float64)).reshape(len(codes), -1) @ floats.T


RIGHT[TILE] += [tile_in_loops(), tile_at_once()]
for name in (
    "each_token", "first_token", "first_scales", "int8_sum", "int8_products", "scales_lost", "steps_lost", "transposed",
    "int16_sum",
):  # fmt: skip
    WRONG[TILE, name] = [tile_in_loops(name), tile_at_once(name)]


@stray(TILE)
def rows_from_the_end(n_rows, take_apart, codes, scales):
    return tile_at_once()(n_rows, lambda row: take_apart(n_rows - 1 - row), codes, scales)


@stray(TILE)
def nothing_taken_apart(n_rows, take_apart, codes, scales):
    return np.zeros((len(codes), n_rows), np.float32)


# kernels.matvec_minimums

MINIMUMS = "kernels.matvec_minimums"


def minimums_in_python(bug=""):
    """Block by block with struct."""

    def matvec(blocks, x):
        codes, scales = quantize_activations(x)
        y = np.zeros(len(blocks))
        for n, row in enumerate(blocks):
            for b in range(len(scales)):
                block = row[20 * b : 20 * b + 20].tobytes()
                step, minimum = struct.unpack_from("<2e", block)
                if bug == "exchanged":
                    step, minimum = minimum, step
                weights = [code for byte in block[4:] for code in (byte & 15, byte >> 4)]
                if bug == "other_order":
                    weights = [byte & 15 for byte in block[4:]] + [byte >> 4 for byte in block[4:]]
                if bug == "offset":
                    weights = [code - 8 for code in weights]
                part, values = codes[b].tolist(), x[32 * b : 32 * b + 32].tolist()
                if bug == "in_float":
                    y[n] += sum((step * w + minimum) * v for w, v in zip(weights, values, strict=True))
                    continue
                products = [w * c for w, c in zip(weights, part, strict=True)]
                if bug == "int8_products":
                    products = [wrapped(each, 8) for each in products]
                total = wrapped(sum(products), 8) if bug == "int8_sum" else sum(products)
                lift = minimum * scales[b] * sum(part)
                if bug == "minimum_lost":
                    lift = 0
                if bug == "minimum_once":
                    lift = minimum * scales[b]
                if bug == "minimum_unscaled":
                    lift = minimum * sum(part)
                if bug == "minimum_scaled":
                    lift *= step
                if bug == "exact_sum":
                    lift = minimum * sum(values)
                y[n] += step * scales[b] * total + (-lift if bug == "subtracted" else lift)
        return y

    return matvec


def minimums_in_numpy(bug=""):
    """All blocks at once."""

    def matvec(blocks, x):
        codes, scales = quantize_activations(x)
        stored = blocks.reshape(len(blocks), -1, 20)
        pair = np.ascontiguousarray(stored[..., :4]).view(np.float16).astype(np.float32)
        step, least = pair[..., 0], pair[..., 1]
        if bug == "exchanged":
            step, least = least, step
        body = stored[..., 4:]
        weights = np.stack([body & 15, body >> 4], -1) if bug != "other_order" else np.stack([body & 15, body >> 4], -2)
        weights = weights.reshape(*body.shape[:2], 32).astype(np.int32) - (8 if bug == "offset" else 0)
        if bug == "in_float":
            return (weights * step[..., None] + least[..., None]).reshape(len(blocks), -1) @ x
        if bug == "int8_sum":
            sums = np.einsum("nbi,bi->nb", weights.astype(np.int8), codes)
        elif bug == "int8_products":
            sums = (weights.astype(np.int8) * codes).sum(-1)
        else:
            sums = (weights * codes.astype(np.int32)).sum(-1)
        beside = codes.sum(1, dtype=np.int32) * scales
        if bug == "minimum_once":
            beside = scales
        if bug == "minimum_unscaled":
            beside = codes.sum(1, dtype=np.int32)
        if bug == "exact_sum":
            beside = x.reshape(-1, 32).sum(1)
        if bug == "minimum_scaled":
            least = least * step
        sign = {"minimum_lost": 0, "subtracted": -1}.get(bug, 1)
        return (sums * step) @ scales + sign * (least @ beside)

    return matvec


@right(MINIMUMS)
def minimum_as_a_thirty_third_weight(blocks, x):
    """One more column for each block: weight 1, activation the sum."""
    codes, scales = quantize_activations(x)
    stored = blocks.reshape(len(blocks), -1, 20)
    pair = np.ascontiguousarray(stored[..., :4]).view(np.float16).astype(np.float64)
    weights = np.empty((*stored.shape[:2], 33))
    weights[..., 0:32:2], weights[..., 1:32:2] = stored[..., 4:] & 15, stored[..., 4:] >> 4
    weights[..., :32] *= pair[..., :1]
    weights[..., 32] = pair[..., 1]
    columns = np.concatenate([codes, codes.sum(1, keepdims=True, dtype=np.int64)], 1) * scales[:, None]
    return weights.reshape(len(blocks), -1) @ columns.reshape(-1)


@right(MINIMUMS)
def compiled_minimums(blocks, x):
    codes, scales = quantize_activations(x)
    stored = blocks.reshape(len(blocks), -1, 20)
    pair = np.ascontiguousarray(stored[..., :4]).view(np.float16).astype(np.float32)
    y = np.zeros(len(blocks))
    compiled_lifted(stored[..., 4:].copy(), pair, codes, scales, y)
    return y


@njit
def compiled_lifted(body, pair, codes, scales, y):
    for n in range(len(y)):
        for b in range(len(scales)):
            total, beside = 0, 0
            for i in range(16):
                total += (
                    np.int64(body[n, b, i] & 15) * codes[b, 2 * i] + np.int64(body[n, b, i] >> 4) * codes[b, 2 * i + 1]
                )
                beside += np.int64(codes[b, 2 * i]) + codes[b, 2 * i + 1]
            y[n] += scales[b] * (pair[n, b, 0] * total + pair[n, b, 1] * beside)


RIGHT[MINIMUMS] += [minimums_in_python(), minimums_in_numpy()]
for name in (
    "minimum_lost", "minimum_once", "minimum_unscaled", "minimum_scaled", "subtracted", "offset", "exchanged",
    "other_order", "int8_sum", "int8_products", "in_float", "exact_sum",
):  # fmt: skip
    WRONG[MINIMUMS, name] = [minimums_in_python(name), minimums_in_numpy(name)]


@stray(MINIMUMS)
def half_of_it(blocks, x):
    return minimums_in_numpy()(blocks, x) / 2


@stray(MINIMUMS)
def rows_in_another_order(blocks, x):
    return minimums_in_numpy()(blocks, x)[::-1]


# kernels.at_the_bound

FOUND = {
    "memory_gb_per_s": 24.1, "mine_gb_per_s": 19.0, "share": 0.79, "what_i_changed": "rows on two threads",
    "what_holds_it_back": "the memory",
}  # fmt: skip
RIGHT["kernels.at_the_bound"] = [
    FOUND,
    FOUND | {"memory_gb_per_s": np.float64(20), "share": torch.tensor(0.9)},
    FOUND | {"mine_gb_per_s": [10.1, 19.5], "what_i_changed": "nothing"},
]
STRAY["kernels.at_the_bound"] = [{}, FOUND | {"share": None}, FOUND | {"what_i_changed": ""}]
