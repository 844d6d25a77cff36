"""What is fuzzed: each reader of a binary format, with small valid files to start from."""

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch

from minillama.checkpoint import gguf, gguf_format, llama2c
from minillama.checkpoint.gguf_model import gguf_name
from minillama.checkpoint.gguf_tokenizer import metadata_of_tokenizer
from minillama.checkpoint.source import Checkpoint, tensor_shapes
from minillama.config import ModelConfig
from minillama.errors import CheckpointError, MinillamaError, TokenizerError
from minillama.quant.formats import FORMATS, row_bytes
from minillama.tokenizer.llama2c import parse_tokenizer_bin
from minillama.tokenizer.protobuf import parse_vocabulary, serialize_vocabulary
from minillama.tokenizer.sentencepiece import SentencePieceTokenizer, Vocabulary
from tests.checkpoint.gguf_files import byte_pair_tokenizer, encode_gguf
from tests.fuzz.mutations import EXTREMES, Seed

PATH = Path("fuzzed")


@dataclass(frozen=True)
class Reader:
    """A function that reads bytes, the errors that it may raise, files to start from, and one that makes more."""

    read: Callable[[bytes], object]
    errors: tuple[type[MinillamaError], ...]
    seeds: Callable[[], list[Seed]]
    generate: Callable[[random.Random], bytes] | None = None


def read_weights(checkpoint: Checkpoint) -> None:
    """Every weight that was promised has its shape."""
    for name, stored in checkpoint.tensors.items():
        data = stored.read()
        if isinstance(data, torch.Tensor):
            assert tuple(data.shape) == stored.shape, name
        else:
            assert data.shape == (stored.shape[0], row_bytes(stored.format, stored.shape[1])), name


def read_gguf(data: bytes) -> None:
    buffer = bytearray(data)  # stands for a mapped file
    part = gguf.Part(PATH, buffer, gguf_format.parse_header(memoryview(buffer), PATH))  # type: ignore[arg-type]
    errors = []
    for use in (
        lambda: read_weights(gguf.checkpoint_of(PATH, [part])),
        lambda: gguf.tokenizer_of(part.header.metadata),
    ):
        try:
            use()
        except (CheckpointError, TokenizerError) as error:  # the other half is to be tried as well
            errors.append(error)
    if errors:
        raise errors[0]


def read_llama2c(data: bytes) -> None:
    read_weights(llama2c.checkpoint_of(PATH, bytearray(data)))  # type: ignore[arg-type]


def small_vocabulary() -> Vocabulary:
    pieces = ("<unk>", "<s>", "</s>", "▁", "a", "b", "ab", "é")
    return Vocabulary(pieces=pieces, scores=tuple(-float(i) for i in range(8)), types=(2, 3, 3, 1, 1, 1, 4, 1))


def byte_vocabulary() -> Vocabulary:
    pieces = ("<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "a", "▁a")
    return Vocabulary(pieces=pieces, scores=tuple(-float(i) for i in range(262)), types=(2, 3, 3, *[6] * 256, 1, 1, 1))


def gguf_fields(data: bytes) -> list[tuple[int, int]]:
    """Where the reader finds its numbers: every reading of at most eight bytes."""
    fields = []
    need = gguf_format._Cursor.need

    def recorded(cursor: gguf_format._Cursor, count: int) -> int:
        if 0 < count <= 8:
            fields.append((cursor.offset, count))
        return need(cursor, count)

    with patch.object(gguf_format._Cursor, "need", recorded):
        gguf_format.parse_header(memoryview(data))
    return fields


TINY = ModelConfig(dim=8, hidden_dim=8, n_layers=1, n_heads=2, n_kv_heads=1, vocab_size=8, max_seq_len=16, tied=True)
HPARAMS = {
    "general.architecture": "llama", "general.alignment": 32, "llama.context_length": 16, "llama.embedding_length": 8,
    "llama.block_count": 1, "llama.feed_forward_length": 8, "llama.attention.head_count": 2,
    "llama.attention.head_count_kv": 1, "llama.rope.dimension_count": 4, "llama.attention.key_length": 4,
    "llama.attention.value_length": 4, "llama.attention.layer_norm_rms_epsilon": 1e-5, "llama.rope.freq_base": 1e4,
    "llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 2.0, "llama.attention.sliding_window": 8,
    "llama.expert_count": 0,
}  # fmt: skip
SPLIT = {"split.no": struct.pack("<IH", 2, 0), "split.count": struct.pack("<IH", 2, 1)}
PIECES = metadata_of_tokenizer(SentencePieceTokenizer(small_vocabulary()), 8)
PAIRS = metadata_of_tokenizer(byte_pair_tokenizer(), 264)
TENSORS = {
    gguf_name(name): (shape, 0, np.ones(shape, np.float32).tobytes()) for name, shape in tensor_shapes(TINY).items()
} | {"rope_freqs.weight": ((2,), 0, np.array([1, 8], np.float32).tobytes())}
WORDS = [
    "llama",
    "gpt2",
    "linear",
    "none",
    "yarn",
    "llama-bpe",
    "default",
    "<s>",
    "a b",
    "Ġ",
    "",
    "x\n",
    "\x00",
    "é" * 99,
]


def gguf_seeds() -> list[Seed]:
    half = {name: (shape, 1, raw[: len(raw) // 2]) for name, (shape, _, raw) in TENSORS.items() if len(shape) == 2}
    blocks = {
        f"blk.{i}.attn_q.weight": ((1, each.block_size), each.ggml_type, bytes(each.block_bytes))
        for i, each in enumerate(FORMATS.values())
    }
    scalars = {
        f"x.{kind}": struct.pack("<I", kind) + bytes(layout.size) for kind, layout in gguf_format.SCALARS.items()
    }
    scalars["x.nested"] = struct.pack("<IIQ", 9, 9, 2) + struct.pack("<IQ2H", 2, 2, 7, 8) * 2
    files = [
        encode_gguf(HPARAMS | PIECES, TENSORS | half),
        encode_gguf(HPARAMS, TENSORS, version=2),
        encode_gguf(HPARAMS | SPLIT, TENSORS | half),
        encode_gguf(scalars, {}),
        encode_gguf(PIECES | {"general.architecture": "llama"}, {}),
        encode_gguf(scalars, blocks),
        encode_gguf(PAIRS, {}),
    ]
    words = [word.encode() for word in (*HPARAMS, *PIECES, *SPLIT, *TENSORS, *WORDS[:9])]
    return [Seed(data, gguf_fields(data), words) for data in files]


def random_value(rng: random.Random, value: object) -> object:
    """A value like `value`, or of another type."""
    if isinstance(value, list) and rng.random() < 0.8:
        changed = list(value)
        for _ in range(rng.choice((1, 2, 20))):
            place = rng.randrange(len(changed) + 1)
            changed[place : place + rng.randrange(3)] = [rng.choice((*WORDS, *value[:9]))] * rng.randrange(3)
        return changed
    if isinstance(value, np.ndarray) and len(value) and rng.random() < 0.8:
        array = value.copy()
        for _ in range(rng.choice((1, 2, 20))):
            array[rng.randrange(len(array))] = rng.choice((0, 1, 2, 3, 4, 5, 6, 7, 100))
        if array.dtype.kind == "f" and rng.random() < 0.5:
            array[rng.randrange(len(array))] = rng.choice((float("nan"), float("inf"), 1e30))
        return array[: rng.choice((None, None, 0, 1, -1))]
    number = rng.choice(EXTREMES)
    return rng.choice((
        number % 300, number % (1 << 32), struct.pack("<IQ", 10, number % (1 << 64)),
        struct.pack("<Iq", 11, -(number % (1 << 62))), struct.pack("<Id", 12, rng.uniform(-2, 1e6)),
        rng.choice((float("nan"), float("inf"), 0.0, -1.0, 1e-40, 3e38)), rng.choice(WORDS), True, [], ["a", "b"],
        np.zeros(rng.randrange(9), rng.choice(("<f4", "<i4", "<u1", "<f8", "<u8"))),
    ))  # fmt: skip


def random_gguf(rng: random.Random) -> bytes:
    """A file whose layout is sound, but whose content is not."""
    metadata: dict = dict(HPARAMS | SPLIT | (PAIRS if rng.random() < 0.3 else PIECES))
    tensors: dict = dict(TENSORS)
    for _ in range(rng.choice((1, 1, 2, 3))):
        key = rng.choice(list(metadata))
        if rng.random() < 0.15:
            del metadata[key]
        else:
            metadata[key] = random_value(rng, metadata[key])
    if rng.random() < 0.4:
        name = rng.choice(list(tensors))
        shape, kind, raw = tensors.pop(name)
        change = rng.randrange(5)
        shape = (shape, shape[::-1], (*shape, 1), tuple(rng.choice((1, 2, 3, 4, 8, 1 << 40)) for _ in shape), shape)[
            change
        ]
        name = rng.choice((name, name, name.replace("0", "1"), name.replace("weight", "bias"), "output.weight"))
        tensors[name] = (shape, kind if change else rng.choice((1, 30, 8, 2, 14)), raw)
    return encode_gguf(metadata, tensors)


def llama2c_seeds() -> list[Seed]:
    seeds = []
    for tied in (True, False):
        config = ModelConfig(
            dim=4, hidden_dim=4, n_layers=2, n_heads=2, n_kv_heads=1, vocab_size=3, max_seq_len=2, tied=tied
        )
        sizes = (4, 4, 2, 2, 1, 3, 2)
        headers = {
            0: struct.pack("<7i", *sizes[:5], 3 if tied else -3, 2),
            1: struct.pack("<Ii7iB", llama2c.MAGIC, 1, *sizes, tied).ljust(256, b"\0"),
            2: struct.pack("<Ii7iBi", llama2c.MAGIC, 2, *sizes, tied, 2).ljust(256, b"\0"),
        }
        for version, header in headers.items():
            layout = llama2c.Layout(version, config, len(header), 2 if version == 2 else 0)
            fields = [(offset, 4) for offset in range(0, 36 if version else 28, 4)] + [(36, 1), (37, 4)] * bool(version)
            seeds.append(Seed(header.ljust(llama2c.expected_bytes(layout), b"\1"), fields))
    return seeds


def sentencepiece_seeds() -> list[Seed]:
    changed = replace(small_vocabulary(), add_dummy_prefix=False, remove_extra_whitespaces=True, pad_id=1)
    vocabularies = (small_vocabulary(), small_vocabulary(), changed, byte_vocabulary())
    return [
        Seed(serialize_vocabulary(vocabulary), words=[b"<unk>", b"<s>", b"</s>", b"<0x00>"])
        for vocabulary in vocabularies
    ]


def tokenizer_bin_seeds() -> list[Seed]:
    pieces = [piece.replace("▁", " ").encode() for piece in byte_vocabulary().pieces]
    data, fields = struct.pack("<i", max(map(len, pieces))), [(0, 4)]
    for place, piece in enumerate(pieces):
        fields += [(len(data), 4), (len(data) + 4, 4)]
        data += struct.pack("<fi", -float(place), len(piece)) + piece
    return [Seed(data, fields, words=[b"<0x00>", b"<unk>"]), Seed(data[:600], fields[:40])]


READERS = {
    "gguf": Reader(read_gguf, (CheckpointError, TokenizerError), gguf_seeds, random_gguf),
    "llama2c": Reader(read_llama2c, (CheckpointError,), llama2c_seeds),
    "sentencepiece": Reader(parse_vocabulary, (TokenizerError,), sentencepiece_seeds),
    "tokenizer_bin": Reader(parse_tokenizer_bin, (TokenizerError,), tokenizer_bin_seeds),
}
