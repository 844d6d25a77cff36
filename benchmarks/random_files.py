"""GGUF files of random weights of any size, in the time that it takes to write them."""

from pathlib import Path

import numpy as np
import torch

from minillama.checkpoint.gguf_mixtures import matrix_format
from minillama.checkpoint.gguf_writer import write_gguf
from minillama.checkpoint.source import Checkpoint, StoredTensor, tensor_shapes
from minillama.checkpoint.stand_in import letters
from minillama.config import ModelConfig
from minillama.quant.formats import FORMATS

POOL_ROWS = 64


def write_random_gguf(config: ModelConfig, out: Path, type: str) -> None:
    """Weights whose rows differ: each block is drawn from those of 64 rows of normal numbers.

    Args:
        config: sizes.
        out: the file.
        type: of the matrices, one that minillama writes, or the mixture q4_k_m.
    """
    rng = np.random.default_rng(0)

    def drawn(name: str, shape: tuple[int, ...]) -> StoredTensor:
        if len(shape) == 1:
            return StoredTensor(shape=shape, format="f32", read=lambda: torch.ones(shape))
        block_format = FORMATS[kind := matrix_format(type, name, config)]
        assert block_format.quantize is not None
        normal = rng.standard_normal((POOL_ROWS, shape[1]), np.float32) / np.float32(shape[1] ** 0.5)
        pool = block_format.quantize(normal).reshape(-1, block_format.block_bytes)

        def read() -> np.ndarray:
            which = rng.integers(0, len(pool), (shape[0], shape[1] // block_format.block_size))
            return pool[which].reshape(shape[0], -1)

        return StoredTensor(shape=shape, format=kind, read=read)

    tensors = {name: drawn(name, shape) for name, shape in tensor_shapes(config).items()}
    checkpoint = Checkpoint(path=Path("random"), kind="memory", config=config, tensors=tensors, tokenizer=letters)
    write_gguf(checkpoint, out, format=type)
