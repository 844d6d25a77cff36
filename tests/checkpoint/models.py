"""Small models on disk, for the tests of what opens, loads and converts them."""

import dataclasses
import json
from pathlib import Path

import torch
from oracles import CONFIGS, random_llama

from minillama.checkpoint.hf import write_hf
from minillama.checkpoint.meta import write_meta
from minillama.checkpoint.source import Checkpoint, from_model
from minillama.config import ModelConfig
from minillama.model import Llama
from tests.checkpoint.gguf_files import sentencepiece_tokenizer

VOCAB = 280
MODEL_CONFIGS = {name: dataclasses.replace(config, vocab_size=VOCAB) for name, config in CONFIGS.items()}
PLAIN = MODEL_CONFIGS["theta 5e5"]  # eight heads, four of keys and values
TOKENS = torch.arange(3, 40).view(1, -1)


def checkpoint_of(config: ModelConfig = PLAIN, dtype: torch.dtype = torch.float32, seed: int = 0) -> Checkpoint:
    return from_model(model_of(config, dtype, seed), sentencepiece_tokenizer(VOCAB))


def model_of(config: ModelConfig = PLAIN, dtype: torch.dtype = torch.float32, seed: int = 0) -> Llama:
    return random_llama(config, seed).to(dtype)


def meta_folder(folder: Path, config: ModelConfig = PLAIN, shards: int = 1, dtype: torch.dtype = torch.float32) -> Path:
    write_meta(checkpoint_of(config, dtype), folder, shards)
    return folder


def hf_folder(folder: Path, config: ModelConfig = PLAIN, dtype: torch.dtype = torch.float32, **options: int) -> Path:
    write_hf(checkpoint_of(config, dtype), folder, **options)
    return folder


def edit_json(path: Path, **changes: object) -> None:
    """Set keys of a JSON file; None takes them out."""
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def same_weights(one: Checkpoint, other: Checkpoint) -> bool:
    """Whether two checkpoints hold the same numbers in the same formats."""
    return one.tensors.keys() == other.tensors.keys() and all(
        tensor.format == other.tensors[name].format and torch.equal(tensor.read(), other.tensors[name].read())
        for name, tensor in one.tensors.items()
    )
