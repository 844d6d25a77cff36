"""Small checkpoints in memory, and GGUF files cut into parts, for the tests of readers and writers."""

import struct
from functools import partial
from pathlib import Path

import numpy as np
import torch

from minillama.checkpoint.gguf_format import parse_header
from minillama.checkpoint.gguf_writer import encode_value, padded
from minillama.checkpoint.source import Checkpoint, StoredTensor, tensor_shapes
from minillama.config import ModelConfig
from minillama.quant.formats import FORMATS
from minillama.tokenizer import Tokenizer
from minillama.tokenizer.llama3 import PATTERN, ByteBPETokenizer
from minillama.tokenizer.sentencepiece import SentencePieceTokenizer, Vocabulary

SIZES = {
    "dim": 64,
    "n_layers": 2,
    "n_heads": 4,
    "n_kv_heads": 2,
    "hidden_dim": 96,
    "vocab_size": 280,
    "max_seq_len": 128,
}
CONFIG = ModelConfig(**SIZES)
DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def sentencepiece_tokenizer(size: int = 280) -> SentencePieceTokenizer:
    pieces = [
        "<unk>",
        "<s>",
        "</s>",
        *(f"<0x{byte:02X}>" for byte in range(256)),
        "▁",
        "a",
        "b",
        "▁a",
        "ab",
        "▁ab",
        "é",
        "💛",
    ]
    pieces += [f"w{i}" for i in range(size - len(pieces))]
    scores = [0.0] * 259 + [-float(i) for i in range(size - 259)]
    return SentencePieceTokenizer(
        Vocabulary(pieces=tuple(pieces), scores=tuple(scores), types=(2, 3, 3, *[6] * 256, *[1] * (size - 259)))
    )


def byte_pair_tokenizer() -> ByteBPETokenizer:
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"ab": 256, b"abc": 257, b" ab": 258, "é".encode(): 259}
    names = ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"]
    specials = {name: 260 + i for i, name in enumerate(names)}
    return ByteBPETokenizer(ranks, specials, PATTERN, bos_id=260, eos_id=261, stop_ids=frozenset({261, 262}))


def random_checkpoint(
    config: ModelConfig = CONFIG, format: str = "f32", tokenizer: Tokenizer | None = None, seed: int = 0
) -> Checkpoint:
    """Random weights of a format; vectors are float32, or the format where it is one of floats."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for name, shape in tensor_shapes(config).items():
        values = rng.standard_normal(shape, dtype=np.float32) * np.float32(0.1)
        kind = format if len(shape) == 2 or format in DTYPES else "f32"
        data = torch.from_numpy(values).to(DTYPES[kind]) if kind in DTYPES else FORMATS[kind].quantize(values)
        tensors[name] = StoredTensor(shape=shape, format=kind, read=partial(lambda data: data, data))
    chosen = tokenizer or sentencepiece_tokenizer(config.vocab_size)
    return Checkpoint(path=Path("tiny-1.1b"), kind="meta", config=config, tensors=tensors, tokenizer=lambda: chosen)


def encode_gguf(metadata: dict, tensors: dict[str, tuple[tuple[int, ...], int, bytes]], version: int = 3) -> bytes:
    """A GGUF file from Python values: each tensor is (shape as torch has it, ggml type, bytes)."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    header = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    header += b"".join(
        text(key) + (value if isinstance(value, bytes) else encode_value(value)) for key, value in metadata.items()
    )
    data = b""
    for name, (shape, kind, raw) in tensors.items():
        header += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape[::-1], kind, len(data))
        data += raw.ljust(padded(len(raw)), b"\0")
    return header.ljust(padded(len(header)), b"\0") + data


def split_gguf(path: Path, count: int) -> list[Path]:
    """Cut a file into parts as llama-gguf-split does: all metadata in the first, the tensors shared out in order."""
    raw = path.read_bytes()
    header = parse_header(raw)
    names = list(header.tensors)
    parts = []
    for number in range(count):
        chosen = names[number * len(names) // count : (number + 1) * len(names) // count]
        split = {
            "split.no": struct.pack("<IH", 2, number),
            "split.count": struct.pack("<IH", 2, count),
            "split.tensors.count": struct.pack("<Ii", 5, len(names)),
        }
        tensors = {}
        for name in chosen:
            info = header.tensors[name]
            kind = FORMATS[info.format].ggml_type
            tensors[name] = (info.shape, kind, raw[info.start : info.start + info.size_bytes])
        part = path.with_name(f"{path.stem}-{number + 1:05d}-of-{count:05d}.gguf")
        part.write_bytes(encode_gguf((header.metadata if number == 0 else {}) | split, tensors))
        parts.append(part)
    return parts
