"""Adapters as files, in PEFT's format: adapter_config.json and adapter_model.safetensors.

PEFT's names are Hugging Face's, whose rows of wq and wk have another order: so have the rows of their B.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minillama.checkpoint.files import named, new_folder, number, read_json, whole_number, write_json
from minillama.checkpoint.hf import hf_names_to_meta, meta_name_to_hf, rotary_heads
from minillama.checkpoint.loading import load
from minillama.checkpoint.pickles import open_pickle
from minillama.checkpoint.safetensors_files import SafetensorsWriter, open_safetensors
from minillama.checkpoint.source import Checkpoint, StoredTensor, tensor_shapes
from minillama.checkpoint.tensors import to_dtype
from minillama.config import ModelConfig
from minillama.errors import CheckpointError, ConfigError
from minillama.model import Llama, Pieces
from minillama.quant.engine.model import QuantizedLlama
from minillama.rope import permute_hf_to_meta, permute_meta_to_hf
from minillama.tokenizer import Tokenizer
from minillama.train.lora import TARGETS, LoRAConfig, add_lora, lora_layers, merge_all

WEIGHTS = "adapter_model.safetensors"
OLD_WEIGHTS = "adapter_model.bin"
SETTINGS = "adapter_config.json"
KEY = re.compile(r"base_model\.model\.(.+)\.lora_(A|B)(?:\.default)?\.weight")
# What an adapter_config.json may say besides: it changes nothing, or it is what we do. Anything else must be empty.
UNDERSTOOD = {
    "auto_mapping", "base_model_name_or_path", "bias", "exclude_modules", "fan_in_fan_out", "inference_mode",
    "init_lora_weights", "layers_pattern", "layers_to_transform", "lora_alpha", "lora_dropout", "megatron_core",
    "peft_type", "peft_version", "qalora_group_size", "r", "revision", "runtime_config", "target_modules", "task_type",
    "use_rslora",
}  # fmt: skip
USUAL_STARTS = (None, True, False, "gaussian")  # of A and B; others, such as "pissa", change the base too


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """An adapter outside of any model.

    Args:
        config: its sizes.
        weights: canonical name of a matrix, such as layers.0.attention.wq -> A (r, K) and B (N, r), float32, in Meta's
            order of rows.
        base: name or path of the model that it was trained on.
    """

    config: LoRAConfig
    weights: dict[str, tuple[Tensor, Tensor]]
    base: str = ""

    def delta(self, name: str) -> Tensor:
        """What is added to one matrix: (N, K) float32."""
        a, b = self.weights[name]
        rank = self.config.rank
        return self.config.alpha / (rank**0.5 if self.config.rank_stabilized else rank) * (b @ a)


def adapter_of(
    model: Llama, config: LoRAConfig, base: str = "", read: Callable[[Tensor], Tensor] = Tensor.detach
) -> Adapter:
    """The adapter that a model holds, copied.

    Args:
        model: with adapters.
        config: that they were made with.
        base: name or path of the model without them.
        read: gives the whole of a parameter of which a process may hold a share only.

    Raises:
        ConfigError: it holds none.
    """
    layers = lora_layers(model)
    if not layers:
        raise ConfigError("the model has no adapters: call add_lora first")
    weights = {
        name: (read(layer.lora_a).float().cpu().clone(), read(layer.lora_b).float().cpu().clone())
        for name, layer in layers.items()
    }
    return Adapter(config=config, weights=weights, base=base)


@torch.no_grad()
def attach(model: Llama, adapter: Adapter) -> None:
    """Put an adapter into a model, in place.

    Raises:
        ConfigError: it has adapters already.
        CheckpointError: the adapter is of a model of other sizes.
    """
    _check_shapes(adapter, model.config, "the adapter")
    layers = add_lora(model, adapter.config)
    for name, layer in layers.items():
        if name not in adapter.weights:  # an adapter of some layers only: B of zero adds nothing
            continue
        a, b = adapter.weights[name]
        layer.lora_a.copy_(a)
        layer.lora_b.copy_(b)


def save_adapter(adapter: Adapter, config: ModelConfig, out: Path, overwrite: bool = False) -> None:
    """Write an adapter so that PEFT loads it.

    Args:
        adapter: its weights.
        config: of the model that it belongs to.
        out: folder; it appears whole or not at all.
        overwrite: replace a folder that is there.

    Raises:
        CheckpointError: the folder is there, or the disk is full.
    """
    tensors = {}
    for name, (a, b) in adapter.weights.items():
        key = "base_model.model." + meta_name_to_hf(f"{name}.weight").removesuffix(".weight")
        heads = rotary_heads(f"{name}.weight", config)
        tensors[f"{key}.lora_A.weight"] = a.contiguous()
        tensors[f"{key}.lora_B.weight"] = b.contiguous() if heads is None else permute_meta_to_hf(b, heads)
    with new_folder(out, overwrite) as folder:
        entries = [(name, tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()]
        with SafetensorsWriter(folder / WEIGHTS, entries) as writer:
            for tensor in tensors.values():
                writer.write(tensor)
        write_json(folder / SETTINGS, _settings(adapter))


def _settings(adapter: Adapter) -> dict[str, Any]:
    config = adapter.config
    modules = [meta_name_to_hf(f"{name}.weight").split(".")[-2] for name in adapter.weights]
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": adapter.base,
        "r": config.rank,
        "lora_alpha": config.alpha if config.alpha % 1 else int(config.alpha),
        "lora_dropout": config.dropout,
        "target_modules": sorted(set(modules)),
        "bias": "none",
        "fan_in_fan_out": False,
        "use_rslora": config.rank_stabilized,
        "init_lora_weights": True,
        "inference_mode": True,
    }


def read_adapter(folder: Path, config: ModelConfig) -> Adapter:
    """Read an adapter that minillama or PEFT has written.

    Args:
        folder: with adapter_config.json and adapter_model.safetensors or .bin.
        config: of the model that it is for.

    Raises:
        CheckpointError: missing, damaged, for another model, or with something that minillama does not do.
    """
    settings = read_json(folder / SETTINGS)
    with named(folder / SETTINGS):
        lora = _read_settings(settings)
    path = folder / WEIGHTS
    stored = open_safetensors(path) if path.exists() or not (folder / OLD_WEIGHTS).exists() else None
    if stored is None:
        path = folder / OLD_WEIGHTS
        stored = open_pickle(path)
    halves = _halves(path, stored)
    weights = {name: (each["A"], each["B"]) for name, each in sorted(halves.items())}
    targets = tuple(target for target in TARGETS if any(name.endswith(f".{target}") for name in weights))
    adapter = Adapter(
        config=dataclasses.replace(lora, targets=targets),
        weights=weights,
        base=str(settings.get("base_model_name_or_path") or ""),
    )
    _check_shapes(adapter, config, str(path))
    for name, (_, b) in weights.items():
        heads = rotary_heads(f"{name}.weight", config)
        if heads is not None:
            weights[name] = (weights[name][0], permute_hf_to_meta(b, heads))
    return adapter


def load_adapted(
    path: str | Path | None, adapter: Path, *, merged: bool = False, **options: Any
) -> tuple[Llama, Tokenizer]:
    """Load a model with an adapter beside its matrices, which may be quantized: the torch model in either case.

    Args:
        path: see `load`.
        adapter: folder with an adapter in PEFT's format.
        merged: add it to the matrices, which have to be floats, so that it costs nothing more.
        options: other arguments of `load`, its pieces too.

    Raises:
        CheckpointError: see `load` and read_adapter.
        ConfigError: see `load`; or it is to be merged, and a matrix is quantized.
    """
    model, tokenizer = load(path, **({"pieces": Pieces()} | options))
    assert not isinstance(model, QuantizedLlama)  # as it never is where pieces are given
    attach(model, read_adapter(adapter, model.config))
    if merged:
        merge_all(model)
    return model.eval(), tokenizer


def _read_settings(settings: dict[str, Any]) -> LoRAConfig:
    if settings.get("peft_type") != "LORA":
        raise CheckpointError(f"peft_type is {settings.get('peft_type')!r}, expected 'LORA'")
    more = sorted(key for key, value in settings.items() if value and key not in UNDERSTOOD)
    if more:
        raise CheckpointError(f"the adapter uses {', '.join(more)}, which minillama does not: merge it with PEFT first")
    if settings.get("bias", "none") != "none" or settings.get("fan_in_fan_out"):
        raise CheckpointError("the adapter has biases or transposed weights, which a LLaMA has not")
    if settings.get("init_lora_weights") not in USUAL_STARTS:
        start = settings["init_lora_weights"]
        raise CheckpointError(f"init_lora_weights is {start!r}, which changes the base too: convert it with PEFT first")
    return LoRAConfig(
        rank=whole_number(settings, "r"),
        alpha=number(settings, "lora_alpha"),
        dropout=number(settings, "lora_dropout", 0.0),
        rank_stabilized=bool(settings.get("use_rslora")),
    )


def _halves(path: Path, stored: Mapping[str, StoredTensor]) -> dict[str, dict[str, Tensor]]:
    halves: dict[str, dict[str, Tensor]] = {}
    for key, tensor in stored.items():
        match = KEY.fullmatch(key)
        name = next(iter(hf_names_to_meta({f"{match[1]}.weight": 0})), "").removesuffix(".weight") if match else ""
        if match is None or name.rpartition(".")[2] not in TARGETS:
            raise CheckpointError(f"{path}: {key} is no low-rank half of a LLaMA's matrix, which minillama adapts only")
        if tensor.format.startswith("?") or len(tensor.shape) != 2:
            raise CheckpointError(f"{path}: {key} is {tensor.format} {tuple(tensor.shape)}, expected a float matrix")
        value = to_dtype(key, tensor.read(), tensor.format, torch.float32).clone()
        if not torch.isfinite(value).all():
            raise CheckpointError(f"{path}: {key} holds numbers that are not finite: train or download it again")
        halves.setdefault(name, {})[match[2]] = value
    if not halves:
        raise CheckpointError(f"{path}: holds no weights: the adapter was saved empty, save it again")
    alone = [name for name, each in halves.items() if len(each) != 2]
    if alone:
        raise CheckpointError(f"{path}: {alone[0]} has one of lora_A and lora_B only: download it again")
    return halves


def _check_shapes(adapter: Adapter, config: ModelConfig, what: str) -> None:
    shapes = tensor_shapes(config)
    for name, (a, b) in adapter.weights.items():
        rows, columns = shapes.get(f"{name}.weight", (0, 0))
        expected = (adapter.config.rank, columns), (rows, adapter.config.rank)
        found = tuple(a.shape), tuple(b.shape)
        if found != expected:
            raise CheckpointError(
                f"{what}: {name} has A and B of {found}, the model expects {expected}: another model's"
            )


def merged_checkpoint(checkpoint: Checkpoint, adapter: Adapter) -> Checkpoint:
    """A checkpoint with an adapter added to its matrices, which are merged one by one as they are read.

    Adapted matrices become float32; a writer brings them to any format, a quantized one too.

    Raises:
        CheckpointError: the adapter is of a model of other sizes.
    """
    _check_shapes(adapter, checkpoint.config, "the adapter")
    tensors = dict(checkpoint.tensors)
    for name in adapter.weights:
        tensors[f"{name}.weight"] = _merged(tensors[f"{name}.weight"], name, adapter)
    return dataclasses.replace(checkpoint, tensors=tensors)


def _merged(stored: StoredTensor, name: str, adapter: Adapter) -> StoredTensor:
    def read() -> Tensor | np.ndarray:
        return to_dtype(name, stored.read(), stored.format, torch.float32) + adapter.delta(name)

    return StoredTensor(shape=stored.shape, format="f32", read=read, mapped=False)
