"""A checkpoint of any published size with random weights: for questions of speed and memory, where no real one is.

What it writes is noise. Every matrix has bytes of its own, as in a real file, but only 64 of its rows are drawn: the
others repeat them, so that a 7B is made in the time that it takes to write it.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from minillama.checkpoint.gguf_mixtures import matrix_format
from minillama.checkpoint.source import Checkpoint, StoredTensor, tensor_shapes
from minillama.config import ModelConfig
from minillama.quant.formats import FORMATS
from minillama.tokenizer import Tokenizer
from minillama.tokenizer.bpe import vocabulary_from_merges
from minillama.tokenizer.sentencepiece import SentencePieceTokenizer

ROWS_DRAWN = 64


def letters() -> Tokenizer:
    """Bytes and a few letters: enough for a prompt."""
    return SentencePieceTokenizer(vocabulary_from_merges([], [*"▁etaoinsrhl"]))


def random_checkpoint(config: ModelConfig, format: str, tokenizer: Callable[[], Tokenizer] = letters) -> Checkpoint:
    """A checkpoint whose weights are made when they are read.

    Args:
        config: its sizes.
        format: of its matrices, or a mixture of gguf_mixtures.
        tokenizer: reads one with at most `config.vocab_size` pieces.

    >>> from minillama.config import PRESETS
    >>> random_checkpoint(PRESETS["llama-7b"], "q4_0").tensors["output.weight"].read().shape
    (32000, 2304)
    """
    rng = np.random.default_rng(0)

    def stored(name: str, shape: tuple[int, ...]) -> StoredTensor:
        if len(shape) == 1:
            return StoredTensor(shape=shape, format="f32", read=lambda: torch.ones(shape))
        drawn = (rng.standard_normal((min(shape[0], ROWS_DRAWN), shape[1])) / shape[1] ** 0.5).astype(np.float32)
        kind = matrix_format(format, name, config)
        if kind == "f16":
            rows = torch.from_numpy(drawn).half()
            return StoredTensor(
                shape=shape, format="f16", read=lambda: rows.repeat(-(-shape[0] // len(rows)), 1)[: shape[0]]
            )
        quantize = FORMATS[kind].quantize
        assert quantize is not None
        blocks = quantize(drawn)
        return StoredTensor(shape=shape, format=kind, read=lambda: np.resize(blocks, (shape[0], blocks.shape[1])))

    tensors = {name: stored(name, shape) for name, shape in tensor_shapes(config).items()}
    return Checkpoint(path=Path("random"), kind="memory", config=config, tensors=tensors, tokenizer=tokenizer)
