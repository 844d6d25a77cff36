"""Tasks of lesson 10 that read headers: of a safetensors file, and one entry of a GGUF file's list of tensors."""

import json
import math
import struct
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import numpy as np

from minillama.course.record import Bugs, Case, Probe, Task
from minillama.course.tasks.checkpoint_hand import LESSON
from minillama.course.tasks.generate_ideas import Generator, idea

Entry = tuple[str, list[int], int, int]
SIZES = {"F32": 4, "F16": 2, "BF16": 2}


def faulty_header(bugs: Bugs = frozenset()) -> Callable[[BinaryIO], dict[str, Entry]]:
    """checkpoint.read_safetensors_header with these bugs."""

    def read_safetensors_header(file: BinaryIO) -> dict[str, Entry]:
        length = int.from_bytes(file.read(8), "little")
        text = file.read(length)
        if "reads_all" in bugs:
            file.read()
        begin = 8 + len(text.rstrip() if "unpadded" in bugs else text)
        if bugs & {"from_file_start", "without_length"}:
            begin = 0 if "from_file_start" in bugs else length
        found, place = {}, 0
        for name, entry in json.loads(text).items():
            if name == "__metadata__":
                continue
            first, last = entry["data_offsets"]
            if "laid_in_order" in bugs:
                first, last = place, place + last - first
                place = last
            stop = last - first if "length_for_end" in bugs else last if "end_unmoved" in bugs else begin + last
            shape = entry["shape"][::-1] if "reversed" in bugs else entry["shape"]
            found[name] = (entry["dtype"], shape, begin + first, stop)
        return found

    return read_safetensors_header


def safetensors_bytes(tensors: Sequence[tuple[str, str, tuple[int, ...]]], order: Sequence[int], note: str, pad: int,
                      rng: Generator) -> np.ndarray:  # fmt: skip
    """A whole file of random numbers, uint8.

    Args:
        tensors: name, dtype and shape, in the order of the header.
        order: in which their bytes follow each other.
        note: for `__metadata__`, none where it is empty.
        pad: spaces behind the header's text.
    """
    places, at = {}, 0
    for i in order:
        name, dtype, shape = tensors[i]
        places[name] = [at, at := at + math.prod(shape) * SIZES[dtype]]
    header: dict[str, Any] = {"__metadata__": {"format": note}} if note else {}
    header |= {
        name: {"dtype": dtype, "shape": list(shape), "data_offsets": places[name]} for name, dtype, shape in tensors
    }
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode() + b" " * pad
    data = rng.integers(0, 256, at, dtype=np.uint8)
    return np.concatenate([np.frombuffer(struct.pack("<Q", len(text)) + text, np.uint8), data])


def header_cases(rng: Generator) -> list[Case]:
    """Order and place agree and do not; with a note, with padding, with a name that is longer in bytes."""

    def size() -> int:
        return int(rng.integers(2, 9))

    a, b, c, d = (int(each) for each in rng.choice(np.arange(2, 12), 4, replace=False))
    plain = [("lm_head.weight", "F16", (a, b)), ("model.norm.weight", "F32", (b,))]
    three = [("wq", "BF16", (c, d)), ("wo", "BF16", (d, c)), ("norm", "F32", (c,))]

    def case(name: str, tensors: Any, order: Sequence[int], note: str = "", pad: int = 0) -> Case:
        return Case(name=name, args=(safetensors_bytes(tensors, order, note, pad, rng),))

    return [
        case("two tensors", plain, (0, 1)),
        case("a note and three tensors", three, (0, 1, 2), note="pt"),
        case("a padded header", plain, (0, 1), pad=int(rng.integers(3, 8))),
        case("tensors that lie in another order than they are named", three, (2, 0, 1)),
        case("a number without axes, and a name of several bytes a letter",
             [("größe", "F32", ()), ("層.weight", "F16", (size(), size(), size()))], (0, 1)),
    ]  # fmt: skip


read_safetensors_header: Task = Task(
    id="checkpoint.read_safetensors_header", lesson=LESSON, kind="complete", title="Read the header of a safetensors "
    "file", points=4, difficulty=3, importance=4, minutes=12,
    reference=faulty_header(), faulty=faulty_header, cases=header_cases, driver="on_file", framework="numpy",
    outputs=("header", "what was read"),
    forbidden=(
        "safetensors:safe_open", "safetensors.torch:load", "safetensors.torch:load_file", "safetensors.numpy:load",
        "minillama.checkpoint.safetensors_files:open_safetensors",
    ),
    misconceptions=(
        idea(
            "from_file_start", "offsets that are counted from the beginning of the file",
            "The header says where a tensor lies behind the header: who writes it does not know yet how long it gets.",
            "At which byte of the file does the tensor with offset 0 begin?",
        ),
        idea(
            "without_length", "a header that begins the file",
            "In front of the header stands its length, and these eight bytes count too.",
            "At which byte of the file does the { stand?",
        ),
        idea(
            "length_for_end", "lengths in the place of ends", "Asked for are the first byte, and the first one after.",
            "Which byte follows the last one of your first tensor?", 0.6,
        ),
        idea(
            "end_unmoved", "a beginning that was moved, and an end that was not",
            "Both offsets count from the end of the header.", "How many bytes lie between your beginning and your end?",
            0.6,
        ),
        idea(
            "laid_in_order", "places worked out from the order of the names",
            "JSON's order says nothing: tensors may lie in any order, and the offsets say where.",
            "Which part of an entry have you not used?", 0.4,
        ),
        idea(
            "reversed", "shapes that were turned round",
            "It is GGUF that names the fastest axis first. Safetensors writes shapes as torch does.",
            "How long is a row of your first matrix?", 0.6,
        ),
        idea(
            "unpadded", "a header without the spaces at its end",
            "The header may be filled up with spaces, so that the tensors begin at a round number. They count.",
            "Which of the two lengths do you use: that of the bytes, or of the text?", 0.7,
        ),
        idea(
            "reads_all", "a function that reads the whole file", "Behind the header come gigabytes.",
            "How many bytes do you have to read to know how long the header is?", 0.8,
        ),
    ),
    hints=(
        "Eight bytes, a number; so many bytes, a text in JSON; then the tensors, whose places count from there.",
        "A dict from name to (dtype, shape, first byte, the byte after the last), both counted in the file.",
        "length = the first 8 bytes, as a number, the smallest byte first\nheader = the next `length` bytes, as JSON\n"
        "for each entry but __metadata__: its dtype, its shape, both offsets plus 8 plus length",
    ),
)  # fmt: skip


def faulty_entry(bugs: Bugs = frozenset()) -> Callable[[bytes], tuple[str, list[int]]]:
    """checkpoint.gguf_shape with these bugs."""

    def gguf_shape(entry: bytes) -> tuple[str, list[int]]:
        (length,) = struct.unpack_from("<Q", entry)
        name = entry[8 : 8 + length].decode("utf-8")
        (count,) = struct.unpack_from("<I", entry, 8 + length)
        count = 2 if "always_two" in bugs else count
        kind = "I" if "four_bytes" in bugs else "Q"
        dimensions = list(struct.unpack_from(f"<{count}{kind}", entry, 12 + length))
        if "unreversed" in bugs:
            return name, dimensions
        if "first_two" in bugs:
            return name, [*dimensions[:2][::-1], *dimensions[2:]]
        return name, dimensions[::-1]

    return gguf_shape


def entry_bytes(name: str, shape: Sequence[int], kind: int, offset: int) -> np.ndarray:
    """One entry of GGUF's list of tensors, uint8."""
    raw = name.encode()
    packed = struct.pack("<Q", len(raw)) + raw + struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape))
    return np.frombuffer(packed + struct.pack("<IQ", kind, offset), np.uint8).copy()


def entry_cases(rng: Generator) -> list[Case]:
    """One axis, two and three, more rows than columns and fewer; a name of several bytes a letter."""
    a, b, c = sorted(int(each) for each in rng.choice(np.arange(3, 200), 3, replace=False))
    layer, offset = int(rng.integers(0, 80)), 32 * int(rng.integers(1, 10**6))
    shapes = {
        "a matrix": (f"blk.{layer}.ffn_down.weight", (a, b), 2),
        "a vector": (f"blk.{layer}.attn_norm.weight", (c,), 0),
        "three axes": (f"blk.{layer}.ffn_gate_exps.weight", (b, a, c), 12),
        "large numbers": ("token_embd.weight", (128_256, 4096 + a), 1),
        "a name of several bytes a letter": (f"größe.{layer}", (b, c), 8),
    }
    return [
        Case(name=what, args=(entry_bytes(name, shape, kind, offset),)) for what, (name, shape, kind) in shapes.items()
    ]


def _turned_round(cases: Sequence[Case], outputs: Sequence[Any]) -> str | None:
    """A shape whose product is right and whose order is not, in words."""
    wanted = faulty_entry()
    for case, (_, got) in zip(cases, outputs, strict=True):
        name, shape = wanted(bytes(case.args[0]))
        if sorted(map(int, got)) == sorted(shape) and list(map(int, got)) != shape:
            row = case.args[0][12 + len(name.encode()) :][:8].view("<u8")[0]
            return f"The file says that {row} numbers of {name} lie side by side; your rows have {int(got[-1])}."
    return None


ROWS_AS_IN_THE_FILE = Probe(
    name="rows as in the file", cases=entry_cases, broken=_turned_round,
    principle="GGUF's first dimension is the fastest one: numbers that lie side by side. In NumPy it is the last.",
    question="Which of your numbers says how long a row is?",
)  # fmt: skip

gguf_shape: Task = Task(
    id="checkpoint.gguf_shape", lesson=LESSON, kind="complete", title="Read a tensor's name and shape from GGUF",
    points=3, difficulty=2, importance=3, minutes=10,
    reference=faulty_entry(), faulty=faulty_entry, cases=entry_cases, probes=(ROWS_AS_IN_THE_FILE,),
    driver="on_bytes", framework="numpy", outputs=("name", "shape"),
    forbidden=("minillama.checkpoint.gguf_format:parse_header",),
    misconceptions=(
        idea(
            "unreversed", "dimensions in the order of the file",
            "GGUF names the fastest dimension first, NumPy and torch name it last.",
            "How many numbers lie side by side in the file?",
        ),
        idea(
            "first_two", "two dimensions exchanged, and more left where they were",
            "All of the order is turned round, however many there are.", "What becomes of a tensor with three axes?",
            0.6,
        ),
        idea(
            "four_bytes", "dimensions of four bytes each", "In GGUF's second version and later a dimension has eight.",
            "How many bytes lie between the first dimension and the second?",
        ),
        idea(
            "always_two", "two dimensions, whatever the entry says", "A norm's weight has one axis.",
            "Which number says how many dimensions follow?",
        ),
    ),
    hints=(
        "Walk along the entry: every length says where the next thing begins.",
        "A text, and a list of whole numbers: rows before columns.",
        "8 bytes: length of the name\nso many bytes: the name\n4 bytes: how many dimensions\n8 bytes for each\nturn "
        "them round",
    ),
)  # fmt: skip
