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
from minillama.model import Llama
from minillama.tokenizer import Tokenizer

FLOAT_DTYPES = {
    "f32": torch.float32,
    "f16": torch.float16,
    "bf16": torch.bfloat16,
}  # the formats that torch computes in


@dataclass(frozen=True, kw_only=True)
class StoredTensor:
    """One tensor of a file, not yet read.

    Args:
        shape: as torch has it, (rows, columns) for a matrix.
        format: how the file stores it, a key of quant.formats.FORMATS: "f32", "f16", "bf16", "q4_0", ...
        read: reads it. Floats come as a torch tensor of the stored dtype and this shape; block formats as the file's
            bytes, uint8 (rows, row_bytes), memory-mapped where that is possible.
        mapped: what `read` gives lies in the mapped file; False where it is a copy, which takes memory of its own.
        let_go: to be called when what `read` gave is used no longer, so that a mapped file leaves the memory.
    """

    shape: tuple[int, ...]
    format: str
    read: Callable[[], torch.Tensor | np.ndarray]
    mapped: bool = True
    let_go: Callable[[], None] = lambda: None


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """An opened checkpoint: its headers are read and checked, its weights are not read yet.

    Args:
        path: the file or folder.
        kind: "meta", "hf", "gguf", "llama2c" or "memory".
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
        CheckpointError: one is missing or has another shape, or the number of layers is another one.
    """
    layers = {name.split(".")[1] for name in tensors if name.startswith("layers.")}
    if len(layers) != config.n_layers:  # first, because a damaged header may promise millions of them
        raise CheckpointError(f"{path}: holds {len(layers)} layers, but its header says {config.n_layers}")
    wanted = tensor_shapes(config)
    for name, shape in wanted.items():
        if name not in tensors:
            raise CheckpointError(f"{path}: tensor {name} is missing; the file is not a whole LLaMA checkpoint")
        if tuple(tensors[name].shape) != shape:
            raise CheckpointError(f"{path}: tensor {name} has shape {tuple(tensors[name].shape)}, expected {shape}")
    return {name: tensors[name] for name in wanted}


def from_model(model: Llama, tokenizer: Tokenizer, path: Path = Path("minillama")) -> Checkpoint:
    """A model in memory as a checkpoint, ready for every writer.

    Args:
        model: with float weights.
        tokenizer: that goes with it.
        path: its name in messages and file headers.
    """
    weights = {name: parameter.detach() for name, parameter in model.named_parameters()}
    formats = {torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16"}
    tensors = {
        name: StoredTensor(shape=tuple(weight.shape), format=formats[weight.dtype], read=weight.cpu)
        for name, weight in weights.items()
    }
    return Checkpoint(
        path=path,
        kind="memory",
        config=model.config,
        tensors=check_tensors(path, model.config, tensors),
        tokenizer=lambda: tokenizer,
    )
