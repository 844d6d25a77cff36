"""What every checkpoint reader gives: a config, named tensors that are read when they are asked for, and a tokenizer.

Names and row order inside the package are Meta's (`layers.0.attention.wq.weight`, interleaved rotary pairs), whatever
the file's own are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from minillama.config import ModelConfig
from minillama.errors import CheckpointError
from minillama.tokenizer import Tokenizer


@dataclass(frozen=True, kw_only=True)
class StoredTensor:
    """One tensor of a file, not yet read.

    Args:
        shape: as torch has it, (rows, columns) for a matrix.
        format: how the file stores it, a key of quant.formats.FORMATS: "f32", "f16", "bf16", "q4_0", ...
        read: reads it. Floats come as a torch tensor of the stored dtype and this shape; block formats as the file's
            bytes, uint8 (rows, row_bytes), memory-mapped where that is possible.
    """

    shape: tuple[int, ...]
    format: str
    read: Callable[[], torch.Tensor | np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """An opened checkpoint: its headers are read and checked, its weights are not read yet.

    Args:
        path: the file or folder.
        kind: "meta", "hf", "gguf" or "llama2c".
        config: the model's sizes.
        tensors: canonical name -> stored tensor; complete, and of the shapes that `config` asks for.
        tokenizer: reads the tokenizer that came with the weights.
    """

    path: Path
    kind: str
    config: ModelConfig
    tensors: dict[str, StoredTensor]
    tokenizer: Callable[[], Tokenizer]


def tensor_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """The canonical name and shape of every weight of a model, in the order of the forward pass."""
    dim, heads, kv_heads = config.dim, config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim
    shapes: dict[str, tuple[int, ...]] = {"tok_embeddings.weight": (config.vocab_size, dim)}
    for layer in range(config.n_layers):
        block = {
            "attention_norm.weight": (dim,),
            "attention.wq.weight": (heads, dim),
            "attention.wk.weight": (kv_heads, dim),
            "attention.wv.weight": (kv_heads, dim),
            "attention.wo.weight": (dim, heads),
            "ffn_norm.weight": (dim,),
            "feed_forward.w1.weight": (config.hidden_dim, dim),
            "feed_forward.w2.weight": (dim, config.hidden_dim),
            "feed_forward.w3.weight": (config.hidden_dim, dim),
        }
        shapes |= {f"layers.{layer}.{name}": shape for name, shape in block.items()}
    shapes["norm.weight"] = (dim,)
    if not config.tied:
        shapes["output.weight"] = (config.vocab_size, dim)
    return shapes


def check_tensors(path: Path, config: ModelConfig, tensors: dict[str, StoredTensor]) -> dict[str, StoredTensor]:
    """The tensors that the model needs, in order; extra ones are left out.

    Raises:
        CheckpointError: one is missing or has another shape.
    """
    wanted = tensor_shapes(config)
    for name, shape in wanted.items():
        if name not in tensors:
            raise CheckpointError(f"{path}: tensor {name} is missing; the file is not a whole LLaMA checkpoint")
        if tuple(tensors[name].shape) != shape:
            raise CheckpointError(f"{path}: tensor {name} has shape {tuple(tensors[name].shape)}, expected {shape}")
    return {name: tensors[name] for name in wanted}
