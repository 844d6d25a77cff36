"""Answers to lesson 10's tasks in unusual spellings, right ones and wrong ones; see proving.py."""

import io
import json
import mmap
import re
import struct

import numpy as np
import torch

from minillama.course.proving import Book
from minillama.rope import permute_hf_to_meta

BOOK = Book()
RIGHT, WRONG, STRAY = BOOK.RIGHT, BOOK.WRONG, BOOK.STRAY
right, stray = BOOK.right, BOOK.stray


# checkpoint.by_hand

HAND = "checkpoint.by_hand"
READ = {"start": 592, "rows": 64, "number": 4.0, "shape": [11008, 4096], "shard": [5120, 6912], "gib": 12.57}
RIGHT[HAND] = [
    READ,
    READ | {"start": 8 + 0x48 + 512, "shape": (11008, 4096), "gib": 13.5e9 / 2**30, "number": 4},
    READ | {"shard": np.array([5120, 6912]), "shape": torch.Size([11008, 4096]), "rows": 64.0, "gib": 12.573},
]
for name, answers in {
    "from_file_start": [{"start": 512}, {"start": 512.0}],
    "without_length": [{"start": 584}, {"start": 0x48 + 512}],
    "decimal_length": [{"start": 568}, {"start": 8 + 48 + 512}],
    "four_bytes": [{"rows": 32}, {"rows": 1024 / 4 / 8}],
    "elements": [{"rows": 128}, {"rows": 1024 // 8}],
    "as_fp16": [{"number": 2.25}, {"number": float(np.frombuffer(b"\x80\x40", "<f2")[0])}],
    "unreversed": [{"shape": [4096, 11008]}, {"shape": (4096, 11008)}],
    "by_rows": [{"shard": [2560, 13824]}, {"shard": (5120 // 2, 13824)}],
    "of_w1": [{"shard": [6912, 5120]}, {"shard": np.array([6912, 5120])}],
    "whole": [{"shard": [5120, 13824]}, {"shard": (5120, 13824)}],
    "gb": [{"gib": 13.5}, {"gib": 13.5e9 / 1e9}],
    "wrong_way": [{"gib": 14.5}, {"gib": 13.5 * 2**30 / 1e9}],
}.items():
    WRONG[HAND, name] = [READ | answer for answer in answers]
STRAY[HAND] = [READ | {"number": 1.0}, READ | {"shape": "11008 x 4096"}, READ | {"start": 0}, READ | {"gib": 13.18}]


# checkpoint.read_safetensors_header

HEADER = "checkpoint.read_safetensors_header"


def header(place, stop=None, shape=list, read_on=False):
    """From (bytes of the header, its length, an offset) to a byte of the file; the end may have a rule of its own."""

    def read(file):
        (length,) = struct.unpack("<Q", file.read(8))
        raw = file.read(length)
        if read_on:
            file.read(-1)
        found = {}
        for key, entry in json.loads(raw.decode()).items():
            if "dtype" in entry:
                first, last = entry["data_offsets"]
                end = place(raw, length, last) if stop is None else stop(length, first, last)
                found[key] = entry["dtype"], shape(entry["shape"]), place(raw, length, first), end
        return found

    return read


@right(HEADER)
def with_numpy_and_seek(file):
    file.seek(0)
    length = int(np.frombuffer(file.read(8), dtype="<u8")[0])
    header = json.loads(str(file.read(length), "utf-8"))
    header.pop("__metadata__", None)
    data = file.tell()
    return {k: [v["dtype"], tuple(v["shape"]), *(data + o for o in v["data_offsets"])] for k, v in header.items()}


@right(HEADER)
def by_mapping(file):
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        end = 8 + int.from_bytes(data[:8], "little")
        entries = json.loads(data[8:end])
    return {
        name: (
            entry["dtype"],
            torch.Size(entry["shape"]),
            end + entry["data_offsets"][0],
            end + entry["data_offsets"][1],
        )
        for name, entry in sorted(entries.items())
        if not name.startswith("__")
    }


@right(HEADER)
def closes_the_file(file):
    with file:
        n = sum(byte << (8 * i) for i, byte in enumerate(file.read(8)))
        found = json.loads(file.read(n).rstrip(b" "))
    return {
        name: (e["dtype"], np.array(e["shape"], dtype=int).tolist(), np.int64(n + 8 + e["data_offsets"][0]),
               np.int64(n + 8 + e["data_offsets"][1]))
        for name, e in found.items() if name != "__metadata__"
    }  # fmt: skip


RIGHT[HEADER].append(header(lambda raw, n, offset: 8 + n + offset))


@right(HEADER)
def reads_once(file):
    file.seek(0)
    n = struct.unpack_from("<Q", file.read(8))[0]
    file.seek(0)
    text = file.read(8 + n)[8:]
    return {
        name: (entry["dtype"], entry["shape"], *(np.add(entry["data_offsets"], 8 + n).tolist()))
        for name, entry in json.loads(text).items() if name != "__metadata__"
    }  # fmt: skip


def lays_one_after_another(counts):
    def read(file):
        n = int.from_bytes(file.read(8), "little")
        at, found = 8 + n, {}
        entries = json.loads(file.read(n))
        for name in [each for each in entries if each != "__metadata__"]:
            entry = entries[name]
            size = counts(entry)
            found[name] = (entry["dtype"], entry["shape"], at, at + size)
            at += size
        return found

    return read


for name, answers in {
    "from_file_start": [
        header(lambda raw, n, offset: offset), header(lambda raw, n, o: o + n - len(raw)),
    ],
    "without_length": [header(lambda raw, n, offset: n + offset), header(lambda raw, n, o: len(raw) + o)],
    "length_for_end": [
        header(lambda raw, n, o: 8 + n + o, lambda n, first, last: last - first),
        header(lambda raw, n, o: 8 + len(raw) + o, lambda n, first, last: -(first - last)),
    ],
    "end_unmoved": [
        header(lambda raw, n, o: 8 + n + o, lambda n, first, last: last),
        header(lambda raw, n, o: 8 + len(raw) + o, lambda n, *both: max(both)),
    ],
    "laid_in_order": [
        lays_one_after_another(lambda e: e["data_offsets"][1] - e["data_offsets"][0]),
        lays_one_after_another(lambda e: int(np.prod(e["shape"])) * (4 if e["dtype"] == "F32" else 2)),
    ],
    "reversed": [
        header(lambda raw, n, o: 8 + n + o, shape=lambda shape: shape[::-1]),
        header(lambda raw, n, o: 8 + n + o, shape=lambda shape: tuple(reversed(shape))),
    ],
    "unpadded": [
        header(lambda raw, n, o: 8 + len(raw.decode().strip().encode()) + o),
        header(lambda raw, n, o: 9 + raw.rindex(b"}") + o),
    ],
    "reads_all": [
        header(lambda raw, n, o: 8 + n + o, read_on=True),
        lambda file: header(lambda raw, n, o: 8 + n + o)(io.BytesIO(file.read())),
    ],
}.items():  # fmt: skip
    WRONG[HEADER, name] = answers


@stray(HEADER)
def keeps_the_note(file):
    n = int.from_bytes(file.read(8), "little")
    return {name: (e.get("dtype"), e.get("shape"), 0, 0) for name, e in json.loads(file.read(n)).items()}


@stray(HEADER)
def trips_over_the_note(file):
    n = int.from_bytes(file.read(8), "little")
    return {
        k: (e["dtype"], e["shape"], *(8 + n + o for o in e["data_offsets"]))
        for k, e in json.loads(file.read(n)).items()
    }


STRAY[HEADER] += [
    lambda file: {},
    lambda file: None,
    lambda file: json.loads(file.read(int.from_bytes(file.read(8), "big"))),
    lambda file: list(header(lambda raw, n, o: 8 + n + o)(file).items()),
    header(lambda raw, n, offset: 7 + n + offset),
    header(lambda raw, n, offset: 16 + n + offset),
]


# checkpoint.bf16_to_float32

BF16 = "checkpoint.bf16_to_float32"


@right(BF16)
def by_bytes(raw):
    return np.frombuffer(b"".join(b"\0\0" + bytes(pair) for pair in raw.reshape(-1, 2)), "<f4")


@right(BF16)
def by_padding(raw):
    out = np.zeros((len(raw) // 2, 4), np.uint8)
    out[:, 2:] = raw.reshape(-1, 2)
    return out.view(np.float32)[:, 0]


@right(BF16)
def by_struct(raw):
    numbers = struct.unpack(f"<{len(raw) // 2}H", raw.tobytes())
    return np.array([struct.unpack("<f", struct.pack("<I", n << 16))[0] for n in numbers], np.float32)


@right(BF16)
def by_formula(raw):
    bits = raw[1::2].astype(np.int64) * 256 + raw[::2]
    sign, exponent, fraction = np.where(bits >> 15, -1.0, 1.0), (bits >> 7) & 255, (bits & 127) / 128
    return np.where(
        exponent == 0, sign * fraction * 2.0**-126, sign * (1 + fraction) * 2.0 ** (exponent - 127.0)
    ).astype(np.float32)


@right(BF16)
def by_torch_integers(raw):
    wide = torch.from_numpy(raw.view(np.int16).astype(np.int32)) << 16
    return wide.view(torch.float32)


@right(BF16)
def by_torchs_own(raw):
    return torch.from_numpy(raw).view(torch.bfloat16).float()


def bits(raw):
    return raw.copy().view(np.uint16).astype(np.uint32)


for name, answers in {
    "as_fp16": [
        lambda raw: np.frombuffer(raw.tobytes(), np.float16).astype("f4"),
        lambda raw: torch.from_numpy(raw).view(torch.float16).float(),
    ],
    "swapped": [
        lambda raw: by_bytes(raw.reshape(-1, 2)[:, ::-1].ravel()),
        lambda raw: (bits(raw).astype(np.uint16).byteswap().astype(np.uint32) << 16).view(np.float32),
    ],
    "integers": [
        lambda raw: np.float32(raw[1::2]) * 256 + np.float32(raw[::2]),
        lambda raw: raw.view(np.uint16).astype(np.float32),
    ],
    "lower_half": [
        lambda raw: bits(raw).view("<f4"),
        lambda raw: np.frombuffer(b"".join(bytes(pair) + b"\0\0" for pair in raw.reshape(-1, 2)), "<f4"),
    ],
    "lost_bits": [
        lambda raw: (raw.view(np.uint16) << 16).astype(np.uint32).view(np.float32),
        lambda raw: np.left_shift(raw.view(np.uint16), np.uint16(16)).astype(np.uint32).view("f4"),
    ],
    "at_fraction": [
        lambda raw: (bits(raw) * 2**13).view(np.float32),
        lambda raw: np.left_shift(bits(raw), 13).astype(np.uint32).view("<f4"),
    ],
}.items():
    WRONG[BF16, name] = answers
STRAY[BF16] = [
    lambda raw: raw.astype(np.float32),
    lambda raw: (bits(raw) << 8).view(np.float32),
    lambda raw: by_padding(raw).astype(np.float64),
    lambda raw: -by_padding(raw),
    lambda raw: raw.view(np.float32),
]


# checkpoint.merge_shards

MERGE = "checkpoint.merge_shards"


def merge(axis_of):
    """From (name, the shards' parts, dim) to an axis; None takes the first."""

    def merge_shards(shards, dim):
        out = {}
        for name in shards[0]:
            parts = [shard[name] for shard in shards]
            axis = axis_of(name, parts, dim)
            out[name] = parts[0] if axis is None else torch.cat(parts, axis)
        return out

    return merge_shards


def true_axis(name, parts, dim):
    if parts[0].ndim == 1:
        return None
    if "tok_emb" in name:
        return 0 if parts[0].shape[1] == dim else 1
    return 1 if name.endswith(("wo.weight", "w2.weight")) else 0


RIGHT[MERGE] = [
    merge(true_axis),
    merge(lambda name, parts, dim: None if parts[0].dim() < 2 else 0 if parts[0].shape[-1] == dim else 1),
]


@right(MERGE)
def into_empty_tensors(shards, dim):
    n, merged = len(shards), {}
    for name, first in sorted(shards[0].items()):
        if first.ndim == 1:
            merged[name] = torch.stack([shard[name] for shard in shards]).mean(0)
            continue
        rows, columns = first.shape
        if name.split(".")[-2] in ("wo", "w2") or columns * n == dim:
            whole = first.new_empty(rows, columns * n)
            for i, shard in enumerate(shards):
                whole[:, i * columns : (i + 1) * columns] = shard[name]
        else:
            whole = torch.vstack([shard[name] for shard in shards])
        merged[name] = whole
    return merged


@right(MERGE)
def by_transposing(shards, dim):
    def join(name):
        parts = [shard[name] for shard in shards]
        if parts[0].ndim == 1 or len(parts) == 1:
            return parts[-1].clone()
        if true_axis(name, parts, dim):
            return torch.cat([part.T for part in parts]).T
        return torch.concatenate(parts)

    return {name: join(name) for name in shards[0]}


@right(MERGE)
def in_numpy(shards, dim):
    return {
        name: np.concatenate([s[name].numpy() for s in shards], true_axis(name, [part], dim)) if part.ndim == 2
        else part.numpy()
        for name, part in shards[0].items()
    }  # fmt: skip


def other_axis(part, axis):
    """The right axes, but for one part."""
    return merge(
        lambda name, parts, dim: axis if f"{part}." in name and parts[0].ndim == 2 else true_axis(name, parts, dim)
    )


def by_stacking(part, axis):
    def merge_shards(shards, dim):
        out = in_numpy(shards, dim)
        for name in out:
            if name.split(".")[-2] == part:
                out[name] = (np.vstack if axis == 0 else np.hstack)([shard[name] for shard in shards])
        return out

    return merge_shards


def joins_vectors(shards, dim):
    return {
        name: torch.cat([shard[name] for shard in shards], true_axis(name, [part], dim) or 0)
        for name, part in shards[0].items()
    }


def adds_vectors(shards, dim):
    out = in_numpy(shards, dim)
    return {name: each * len(shards) if each.ndim == 1 else each for name, each in out.items()}


def reshapes(join):
    def merge_shards(shards, dim):
        out = merge(true_axis)(shards, dim)
        for name, first in shards[0].items():
            if true_axis(name, [first], dim) == 1:
                out[name] = join([shard[name] for shard in shards]).reshape(out[name].shape)
        return out

    return merge_shards


for name, answers in {
    "wo_rows": [other_axis("wo", 0), by_stacking("wo", 0)],
    "w2_rows": [other_axis("w2", 0), by_stacking("w2", 0)],
    "all_rows": [
        merge(lambda name, parts, dim: 0 if parts[0].ndim == 2 else None),
        lambda shards, dim: {k: np.vstack([s[k] for s in shards]) if v.ndim > 1 else v for k, v in shards[0].items()},
    ],
    "all_columns": [
        merge(lambda name, parts, dim: 1 if parts[0].ndim == 2 else None),
        merge(lambda name, parts, dim: -1 if "norm" not in name else None),
    ],
    "embedding_rows": [other_axis("tok_embeddings", 0), by_stacking("tok_embeddings", 0)],
    "embedding_columns": [other_axis("tok_embeddings", 1), by_stacking("tok_embeddings", 1)],
    "output_columns": [other_axis("output", 1), by_stacking("output", 1)],
    "norms_joined": [joins_vectors, merge(lambda *given: 0 if "norm" in given[0] else true_axis(*given))],
    "norms_summed": [
        adds_vectors,
        lambda shards, dim: {
            k: sum(s[k] for s in shards) if k.endswith("norm.weight") else v
            for k, v in merge(true_axis)(shards, dim).items()
        },
    ],
    "first_only": [lambda shards, dim: dict(shards[0]), lambda shards, dim: merge(true_axis)(shards[:1], dim)],
    "backwards": [
        lambda shards, dim: merge(true_axis)(shards[::-1], dim),
        merge(lambda *given: true_axis(*given) if given[1].reverse() is None else None),
    ],
    "reshaped": [reshapes(torch.cat), reshapes(torch.stack)],
}.items():
    WRONG[MERGE, name] = answers
STRAY[MERGE] = [
    lambda shards, dim: {},
    lambda shards, dim: shards,
    lambda shards, dim: {name: torch.stack([s[name] for s in shards]) for name in shards[0]},
    lambda shards, dim: {name: torch.cat([s[name] for s in shards]).T for name in shards[0]},
    lambda shards, dim: {name.removesuffix(".weight"): part for name, part in merge(true_axis)(shards, dim).items()},
    lambda shards, dim: merge(true_axis)(shards[1:] + shards[:1], dim) if len(shards) > 2 else None,
]


# checkpoint.hf_names_to_meta

NAMES = "checkpoint.hf_names_to_meta"
TABLE = {
    "self_attn.q_proj": "attention.wq", "self_attn.k_proj": "attention.wk", "self_attn.v_proj": "attention.wv",
    "self_attn.o_proj": "attention.wo", "mlp.gate_proj": "feed_forward.w1", "mlp.down_proj": "feed_forward.w2",
    "mlp.up_proj": "feed_forward.w3", "input_layernorm": "attention_norm", "post_attention_layernorm": "ffn_norm",
}  # fmt: skip
OUTSIDE = {"model.embed_tokens.weight": "tok_embeddings.weight", "model.norm.weight": "norm.weight",
           "lm_head.weight": "output.weight"}  # fmt: skip


def by_pattern(tensors, table=TABLE, outside=OUTSIDE, prefix="", suffix=".weight", digits=r"\d+", others=False):
    out = {}
    for name, value in tensors.items():
        found = re.fullmatch(rf"model\.layers\.({digits})\d*\.(.+)\.weight", name)
        if name in outside:
            out[outside[name].removesuffix(".weight") + suffix] = value
        elif found and found[2] in table:
            out[f"{prefix}layers.{found[1]}.{table[found[2]]}{suffix}"] = value
        elif others:
            out[name] = value
    return out


def by_a_whole_table(tensors, table=TABLE, outside=OUTSIDE, prefix=""):
    names = dict(outside)
    for layer in range(200):
        names |= {f"model.layers.{layer}.{a}.weight": f"{prefix}layers.{layer}.{b}.weight" for a, b in table.items()}
    return {names[name]: tensors[name] for name in tensors if name in names}


def by_parts(tensors):
    found = {}
    for name in reversed(list(tensors)):
        match name.split("."):
            case ["model", "layers", layer, *part, "weight"] if ".".join(part) in TABLE:
                found[".".join(("layers", layer, TABLE[".".join(part)], "weight"))] = tensors[name]
            case ["model", "embed_tokens", "weight"]:
                found["tok_embeddings.weight"] = tensors[name]
            case ["model", "norm", "weight"]:
                found["norm.weight"] = tensors[name]
            case ["lm_head", "weight"]:
                found["output.weight"] = tensors[name]
    return found


RIGHT[NAMES] = [by_pattern, by_a_whole_table, by_parts]


def exchange(one, other):
    swapped = {a: {one: other, other: one}.get(b, b) for a, b in TABLE.items()}
    return [lambda tensors: by_pattern(tensors, swapped), lambda tensors: by_a_whole_table(tensors, swapped)]


def keep_head(names):
    return lambda tensors: names(tensors, outside=OUTSIDE | {"lm_head.weight": "lm_head.weight"})


def first_digit(tensors):
    return {re.sub(r"layers\.(\d)\d+", r"layers.\1", name): value for name, value in by_a_whole_table(tensors).items()}


def with_biases(names):
    def rename(tensors):
        out = names(tensors)
        biases = {f"{name.removesuffix('.bias')}.weight": v for name, v in tensors.items() if name.endswith(".bias")}
        return out | {f"{name.removesuffix('.weight')}.bias": value for name, value in names(biases).items()}

    return rename


def tie(names):
    def rename(tensors):
        out = names(tensors)
        if "tok_embeddings.weight" in out:
            out.setdefault("output.weight", out["tok_embeddings.weight"])
        return out

    return rename


for idea, answers in {
    "gate_and_up": exchange("feed_forward.w1", "feed_forward.w3"),
    "up_and_down": exchange("feed_forward.w2", "feed_forward.w3"),
    "norms": exchange("attention_norm", "ffn_norm"),
    "one_digit": [lambda tensors: by_pattern(tensors, digits=r"\d"), first_digit],
    "no_weight": [
        lambda tensors: by_pattern(tensors, suffix=""),
        lambda tensors: {name[:-7]: value for name, value in by_parts(tensors).items()},
    ],
    "prefix_kept": [
        lambda tensors: by_pattern(tensors, prefix="model."),
        lambda tensors: by_a_whole_table(tensors, prefix="model."),
    ],
    "head_kept": [keep_head(by_pattern), keep_head(by_a_whole_table)],
    "others_kept": [
        lambda tensors: by_pattern(tensors, others=True),
        lambda tensors: by_parts(tensors) | {name: v for name, v in tensors.items() if not by_parts({name: v})},
    ],
    "biases": [with_biases(by_pattern), with_biases(by_parts)],
    "ties": [tie(by_pattern), tie(by_parts)],
    "old_names": [
        lambda tensors: by_pattern({name: name for name in tensors}),
        lambda tensors: by_parts(dict(zip(tensors, tensors, strict=True))),
    ],
}.items():
    WRONG[NAMES, idea] = answers


@stray(NAMES)
def by_replacing(tensors):
    out = {}
    for name, value in tensors.items():
        new = name.removeprefix("model.")
        for theirs, ours in (*TABLE.items(), ("embed_tokens", "tok_embeddings"), ("lm_head", "output")):
            new = new.replace(theirs, ours)
        out[new] = value
    return out


STRAY[NAMES] += [
    lambda tensors: {},
    lambda tensors: list(by_pattern(tensors)),
    lambda tensors: {value: name for name, value in by_pattern(tensors).items()},
    lambda tensors: {OUTSIDE[name]: tensors[name] for name in tensors},
    lambda tensors: by_pattern(tensors, {a: b for a, b in TABLE.items() if "norm" not in b}),
]


# checkpoint.gguf_shape

SHAPE = "checkpoint.gguf_shape"


def walk(entry):
    """The name, how many dimensions, and the bytes from the first of them on."""
    size = struct.unpack("<Q", entry[:8])[0]
    rest = entry[8 + size :]
    return str(entry[8 : 8 + size], "utf-8"), int.from_bytes(rest[:4], "little"), rest[4:]


@right(SHAPE)
def from_the_end(entry):
    name, count, _ = walk(entry)
    return name, tuple(np.frombuffer(entry[-12 - 8 * count : -12], "<u8")[::-1].tolist())


@right(SHAPE)
def with_an_array(entry):
    name, count, rest = walk(entry)
    return [name, np.frombuffer(rest, "<u8", count)[::-1].astype(np.int64)]


@right(SHAPE)
def by_recursion(entry):
    name, count, rest = walk(entry)

    def shape(left, rest):
        return [] if left == 0 else [*shape(left - 1, rest[8:]), *struct.unpack("<Q", rest[:8])]

    return name, shape(count, rest)


@right(SHAPE)
def as_a_size(entry):
    name, count, rest = walk(entry)
    return name, torch.Size(int.from_bytes(rest[8 * i : 8 * i + 8], "little") for i in reversed(range(count)))


for name, answers in {
    "unreversed": [
        lambda entry: (walk(entry)[0], [*struct.unpack_from(f"<{walk(entry)[1]}Q", walk(entry)[2])]),
        lambda entry: (walk(entry)[0], np.frombuffer(walk(entry)[2], "<i8", walk(entry)[1])),
    ],
    "first_two": [
        lambda entry: (walk(entry)[0], (lambda d: [*d[1::-1], *d[2:]])(by_recursion(entry)[1][::-1])),
        lambda entry: (
            walk(entry)[0],
            (lambda d: d if len(d) == 1 else [d[1], d[0], *d[2:]])(as_a_size(entry)[1][::-1]),
        ),
    ],
    "four_bytes": [
        lambda entry: (walk(entry)[0], [*struct.unpack_from(f"<{walk(entry)[1]}I", walk(entry)[2])][::-1]),
        lambda entry: (walk(entry)[0], np.frombuffer(walk(entry)[2], "<u4", walk(entry)[1])[::-1].tolist()),
    ],
    "always_two": [
        lambda entry: (walk(entry)[0], [*struct.unpack_from("<2Q", walk(entry)[2])][::-1]),
        lambda entry: (
            walk(entry)[0],
            [int.from_bytes(walk(entry)[2][i : i + 8], "little") for i in (8, 0)],
        ),
    ],
}.items():
    WRONG[SHAPE, name] = answers
STRAY[SHAPE] = [
    lambda entry: by_recursion(entry)[1],
    lambda entry: (entry[4 : 4 + entry[0]].decode(), by_recursion(entry)[1]),
    lambda entry: (walk(entry)[0].encode(), by_recursion(entry)[1]),
    lambda entry: (walk(entry)[0], sorted(by_recursion(entry)[1])[::-1]),
    lambda entry: (walk(entry)[0], [*by_recursion(entry)[1], 1]),
]


# checkpoint.fits_in_memory

FITS = "checkpoint.fits_in_memory"


def parameters(config):
    attention = config.dim * config.head_dim * 2 * (config.n_heads + config.n_kv_heads)
    layer = attention + 3 * config.dim * config.hidden_dim + 2 * config.dim
    return config.n_layers * layer + config.dim + config.vocab_size * config.dim * (1 if config.tied else 2)


def fits(tokens=None, unit=2**30, **changes):
    """By layers, from the sizes; `tokens`: (config, bytes a weight) -> bytes of the cache for one token."""

    def per_token(config, width):
        return 4 * config.n_layers * config.n_kv_heads * config.head_dim

    def answer(config, bytes_per_weight, context, free_gib):
        cache = (tokens or per_token)(config, bytes_per_weight) * context
        return parameters(config) * bytes_per_weight + cache < free_gib * unit

    return answer


def known(tokens, unit=1024**3):
    """By the package's counts, in GiB."""
    from minillama.model import count_parameters

    def answer(config, bytes_per_weight, context, free_gib):
        need = count_parameters(config) * bytes_per_weight / unit
        for _ in range(1):
            need += context / unit * tokens(config, bytes_per_weight)
        return bool(np.float64(need) <= free_gib)

    return answer


def cache(config, width):
    return config.kv_bytes_per_token


RIGHT[FITS] = [
    fits(),
    known(cache),
    lambda c, b, n, g: int(g - (parameters(c) * b + n * c.kv_bytes_per_token) / 2**30 >= 0),
    lambda c, b, n, g: np.bool_(
        g * 1024 >= (parameters(c) * b + 2 * n * c.n_layers * c.n_kv_heads * c.head_dim * 2) / 2**20
    ),
]
for name, (tokens, unit) in {
    "gb": (cache, 1e9),
    "no_cache": (lambda c, w: 0, 2**30),
    "all_heads": (lambda c, w: 4 * c.n_layers * c.dim, 2**30),
    "keys_only": (lambda c, w: c.kv_bytes_per_token / 2, 2**30),
    "one_layer": (lambda c, w: c.kv_bytes_per_token / c.n_layers, 2**30),
    "float32_cache": (lambda c, w: 8 * c.n_layers * c.n_kv_heads * c.head_dim, 2**30),
    "weights_format": (lambda c, w: 2 * w * c.n_layers * c.n_kv_heads * c.head_dim, 2**30),
}.items():
    WRONG[FITS, name] = [fits(tokens, unit), known(tokens, unit)]
WRONG[FITS, "other_way"] = [lambda *given: not fits()(*given), lambda *given: 1 - known(cache)(*given)]
STRAY[FITS] = [
    lambda c, b, n, g: True,
    lambda c, b, n, g: False,
    fits(unit=2**20),
    fits(lambda c, w: c.kv_bytes_per_token * 1.3),
    lambda c, b, n, g: parameters(c) * b / 8 + n * c.kv_bytes_per_token <= g * 2**30,
    lambda c, b, n, g: (parameters(c) * b + n * c.kv_bytes_per_token) / 2**30,
]


# checkpoint.name_the_fault

FAULT = "checkpoint.name_the_fault"
MOVED = [0, 4, 1, 5, 2, 6, 3, 7]  # the rows of a head of eight, in neighbouring pairs


def numbered(heads, kv_heads, rows):
    """A layer whose rows carry numbers, whatever Hugging Face's layer has."""
    sizes = {"q_proj": heads * rows, "k_proj": kv_heads * rows, "v_proj": kv_heads * rows}
    made = {f"self_attn.{name}": torch.arange(float(size))[:, None] for name, size in sizes.items()}
    made |= {"mlp.gate_proj": torch.ones(2, 1), "mlp.up_proj": 2 * torch.ones(2, 1)}
    return {f"model.layers.0.{name}.weight": tensor for name, tensor in made.items()}


def examined(heads=6, kv_heads=2, rows=8, values=True, gate=True):
    def answer(suspect):
        out = suspect(numbered(heads, kv_heads, rows), heads, kv_heads)
        q, k, v = (out[f"layers.0.attention.w{which}.weight"].flatten().tolist() for which in "qkv")
        if gate and out["layers.0.feed_forward.w1.weight"][0, 0] == 2:
            return "gate"
        if values and v != sorted(v):
            return "values"
        order = MOVED if rows == 8 else [0, 2, 1, 3]
        if q == sorted(q):
            return "order"
        if q[:rows] != order:
            return "way"
        return "right" if k == [head * rows + row for head in range(kv_heads) for row in order] else "heads"

    return answer


def in_separate_trials(suspect, names=("order", "way", "heads", "values", "gate"), H=2, G=1):
    def alone(name, rows):
        return suspect({f"model.layers.3.{name}.weight": torch.arange(2.0 * rows).view(rows, 2)}, H, G)

    def first_rows(found):
        (tensor,) = found.values()
        return tensor[:, 0].div(2).long().tolist()

    q = first_rows(alone("self_attn.q_proj", 12))
    if q != [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]:
        return names[0] if q == list(range(12)) else names[1]
    if first_rows(alone("self_attn.k_proj", 8 * G))[1] != 4:
        return names[2]
    if first_rows(alone("self_attn.v_proj", 6 * G))[1] != 1:
        return names[3]
    return "right" if "w1" in next(iter(alone("mlp.gate_proj", 2))) else names[4]


def by_comparing(suspect):
    layer = numbered(4, 1, 16)
    out = suspect(layer, 4, 1)
    wanted = {"wq": permute_hf_to_meta(layer["model.layers.0.self_attn.q_proj.weight"], 4)}
    for kind, heads in (("k", 1), ("v", None)):
        given = layer[f"model.layers.0.self_attn.{kind}_proj.weight"]
        wanted[f"w{kind}"] = permute_hf_to_meta(given, heads) if heads else given
    wrong = {k for k, v in wanted.items() if not torch.equal(out[f"layers.0.attention.{k}.weight"], v)}
    if wrong == {"wq", "wk"}:
        still = torch.equal(out["layers.0.attention.wq.weight"], layer["model.layers.0.self_attn.q_proj.weight"])
        return "order" if still else "way"
    if wrong:
        return {"wk": "heads", "wv": "values"}[wrong.pop()]
    return "gate" if out["layers.0.feed_forward.w1.weight"].mean() > 1.5 else "right"


RIGHT[FAULT] = [examined(), in_separate_trials, by_comparing, examined(4, 1)]
for name, answers in {
    "says_right": [lambda suspect: "right", lambda suspect: f"{'right'}"],
    "small_heads": [examined(4, 2, 4), examined(8, 2, 4)],
    "all_equal": [examined(4, 4), examined(2, 2)],
    "blind_to_values": [
        examined(values=False),
        lambda suspect: "right" if by_comparing(suspect) == "values" else by_comparing(suspect),
    ],
    "blind_to_gate": [
        examined(gate=False),
        lambda suspect: "right" if by_comparing(suspect) == "gate" else by_comparing(suspect),
    ],
}.items():
    WRONG[FAULT, name] = answers
STRAY[FAULT] = [
    lambda suspect: "order",
    lambda suspect: None,
    lambda suspect: by_comparing(suspect).strip().upper(),
    lambda suspect: {"order": "way", "way": "order"}.get(by_comparing(suspect), by_comparing(suspect)),
    lambda suspect: suspect({}, 1, 1)["layers.0.attention.wq.weight"],
]


# checkpoint.split_fused

FUSED = "checkpoint.split_fused"


@right(FUSED)
def head_by_head(weight, H, G):
    K, kinds = weight.shape[0] // (H + 2 * G), {"q": [], "k": [], "v": []}
    for i, head in enumerate(weight.split(K)):
        place = i % (H // G + 2)
        kinds["q" if place < H // G else "k" if place == H // G else "v"].append(head)
    return tuple(torch.cat(heads) for heads in kinds.values())


@right(FUSED)
def by_numbers_of_rows(weight, H, G):
    rows = np.arange(len(weight)).reshape(G, H // G + 2, -1)
    return [weight[torch.from_numpy(part.ravel())] for part in (rows[:, :-2], rows[:, -2], rows[:, -1])]


@right(FUSED)
def by_a_view(weight, H, G):
    x = weight.view(G, H // G + 2, len(weight) // (H + 2 * G), -1)
    flat = (-1, weight.shape[1])
    return x[:, : H // G].reshape(flat), x[:, H // G].reshape(flat), x[:, H // G + 1].reshape(flat)


def fused(order):
    """An answer from (numbers of heads, H, G) -> the heads of q, k and v."""

    def split(weight, H, G):
        K = len(weight) // (H + 2 * G)
        heads = weight.reshape(H + 2 * G, K, -1)
        return tuple(heads[list(kind)].flatten(0, 1) for kind in order(H, G))

    return split


def grouped(H, G, k=-2, v=-1, first=0):
    size = H // G + 2
    starts = range(0, H + 2 * G, size)
    return [
        [start + first + i for start in starts for i in range(H // G)],
        *([start + place % size for start in starts] for place in (k, v)),
    ]


def blocks(H, G):
    return range(H), range(H, H + G), range(H + G, H + 2 * G)


def then(change, split):
    return lambda weight, H, G: change(*split(weight, H, G), H, G)


for name, answers in {
    "other_layout": [fused(blocks), lambda w, H, G: w.split([len(w) * n // (H + 2 * G) for n in (H, G, G)])],
    "thirds": [lambda w, H, G: w.chunk(3), lambda w, H, G: tuple(w.reshape(3, -1, w.shape[1]))],
    "other_order": [
        fused(lambda H, G: grouped(H, G, 0, 1, 2)),
        lambda w, H, G: tuple(
            part.reshape(-1, w.shape[1])
            for part in (lambda x: (x[:, 2:], x[:, 0], x[:, 1]))(w.reshape(G, H // G + 2, -1, w.shape[1]))
        ),
    ],
    "exchanged": [fused(lambda H, G: grouped(H, G, -1, -2)), then(lambda q, k, v, H, G: (q, v, k), by_a_view)],
    "interleaved": [
        fused(lambda H, G: [[h for i in range(H // G) for h in grouped(H, G)[0][i :: H // G]], *grouped(H, G)[1:]]),
        then(
            lambda q, k, v, H, G: (torch.cat([head for i in range(H // G) for head in q.chunk(H)[i :: H // G]]), k, v),
            head_by_head,
        ),
    ],
    "reordered": [
        then(lambda q, k, v, H, G: (permute_hf_to_meta(q, H), permute_hf_to_meta(k, G), v), head_by_head),
        then(
            lambda q, k, v, H, G: (
                *(torch.cat([torch.stack(head.chunk(2), 1).flatten(0, 1) for head in each.chunk(n)])
                  for each, n in ((q, H), (k, G))), v,
            ),
            by_a_view,
        ),
    ],
}.items():  # fmt: skip
    WRONG[FUSED, name] = answers
STRAY[FUSED] = [
    then(lambda q, k, v, H, G: (k, q, v), head_by_head),
    then(lambda q, k, v, H, G: (q.flip(0), k, v), head_by_head),
    lambda w, H, G: w,
    lambda w, H, G: by_a_view(w, G, H),
    then(lambda q, k, v, H, G: (q, k), head_by_head),
]


# checkpoint.your_files: nothing is compared, so there is no wrong answer but an empty one

WEIGHED = {"file": "a folder of Meta's", "predicted_gib": 0.01, "measured_gib": 0.02, "difference": "the program"}
RIGHT["checkpoint.your_files"] = [
    WEIGHED,
    WEIGHED | {"predicted_gib": "about 4", "difference": "mapped files count for nothing"},
    WEIGHED | {"measured_gib": np.float64(3.5), "file": "TinyLlama"},
]
STRAY["checkpoint.your_files"] = [{}, WEIGHED | {"difference": ""}, WEIGHED | {"file": ...}, WEIGHED | {"file": None}]
