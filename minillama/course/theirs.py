"""What another program gave for the same weights and tokens: transformers, part by part.

The numbers are stored, so that whoever compares needs no transformers; `python tests/transformers_parts.py` makes them.
"""

import json
from importlib import resources
from typing import Any

import torch
from torch import Tensor

from minillama.config import ModelConfig

STORED = "transformers_parts.json"
CONFIG = ModelConfig(dim=32, n_layers=4, n_heads=4, n_kv_heads=2, hidden_dim=48, vocab_size=64, max_seq_len=16)
TOKENS = torch.tensor([[1, 17, 42, 5, 17, 60]])


def spread_weights(model: Any) -> Any:
    """Give a model weights that are spread evenly and are the same everywhere, whatever torch draws.

    Args:
        model: any module; the norms' weights lie around 1, all others around 0.

    Returns:
        The same model.
    """
    with torch.no_grad():
        for i, (_, each) in enumerate(sorted(model.named_parameters())):
            steps = torch.arange(each.numel(), dtype=torch.float64)
            fractions = (steps * 0.6180339887498949 + i * 0.7548776662466927) % 1  # the golden ratio: no pattern
            noise = (2 * fractions - 1).reshape(each.shape)
            each.copy_(1 + 0.5 * noise if each.dim() == 1 else 3 * noise / each.shape[1] ** 0.5)
    return model.requires_grad_(False)


def transformers_parts() -> dict[str, Tensor]:
    """What each part of transformers' LLaMA gives on TOKENS, under our names: (1, T, ...) float32.

    >>> list(transformers_parts())[:3]
    ['tok_embeddings', 'layers.0.attention_norm', 'layers.0.attention']
    """
    text = resources.files("minillama").joinpath("assets", STORED).read_text(encoding="utf-8")
    return {name: torch.tensor(values)[None] for name, values in json.loads(text).items()}
