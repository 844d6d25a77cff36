"""Low-rank adapters: a frozen matrix, and beside it two thin ones that learn.

Source: Hu et al. 2022, "LoRA: Low-Rank Adaptation of Large Language Models", section 4.1.

    y = W x + scale * B A x        W (N, K) frozen, A (r, K), B (N, r), scale = alpha / r
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from minillama.errors import ConfigError
from minillama.quant.linear import QuantLinear

TARGETS = ("wq", "wk", "wv", "wo", "w1", "w2", "w3")  # every matrix of a layer


@dataclass(frozen=True, kw_only=True)
class LoRAConfig:
    """What an adapter is made of.

    Args:
        rank: r, rows of A and columns of B.
        alpha: the product is scaled by alpha / r.
        dropout: share of the adapter's input that is zeroed while it trains.
        targets: the matrices that get one, of TARGETS.
        rank_stabilized: scale by alpha / sqrt(r) instead, so that large ranks learn as fast as small ones
            (Kalajdzievski 2023, "A Rank Stabilization Scaling Factor for Fine-Tuning with LoRA").

    Raises:
        ConfigError: a number out of its range, no target, or one that a layer does not have.
    """

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    targets: tuple[str, ...] = ("wq", "wv")
    rank_stabilized: bool = False

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise ConfigError(f"rank is {self.rank}, expected at least 1")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout is {self.dropout}, expected at least 0 and less than 1")
        if not math.isfinite(self.alpha):
            raise ConfigError(f"alpha is {self.alpha}, expected a finite number")
        if not self.targets or not set(self.targets) <= set(TARGETS):
            raise ConfigError(f"targets are {', '.join(self.targets) or 'none'}, expected some of {', '.join(TARGETS)}")


class LoRALinear(nn.Module):
    """A linear layer that learns in two thin matrices only: x (..., K) -> (..., N).

    B begins at zero, so the layer begins as what it was.

    Args:
        linear: the layer with W, nn.Linear without bias or QuantLinear; it is frozen.
        rank, alpha, dropout: see LoRAConfig.
    """

    def __init__(
        self, linear: nn.Linear | QuantLinear, rank: int = 8, alpha: float = 16.0, dropout: float = 0.0
    ) -> None:
        super().__init__()
        device = linear.weight.device if isinstance(linear, nn.Linear) else None
        self.linear = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.empty(rank, linear.in_features, device=device))  # (r, K)
        self.lora_b = nn.Parameter(torch.zeros(linear.out_features, rank, device=device))  # (N, r)
        nn.init.kaiming_uniform_(self.lora_a, a=math.sqrt(5))
        self.scale = alpha / rank
        self.dropout = nn.Dropout(dropout)
        self.merged = False

    def delta(self) -> Tensor:
        """What the adapter adds to W: (N, K) float32."""
        return self.scale * (self.lora_b @ self.lora_a)

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        if self.merged:
            return y
        low = self.dropout(x).to(self.lora_a.dtype) @ self.lora_a.T  # (..., r)
        return y + (self.scale * low @ self.lora_b.T).to(y.dtype)


def merge(layer: LoRALinear) -> None:
    """Add the adapter to W itself, so that it costs nothing more. Merging twice does no more than once.

    Raises:
        ConfigError: W is quantized: it holds no floats to add to, and rounding the sum anew would make new errors.
    """
    if isinstance(layer.linear, QuantLinear):
        raise ConfigError("the base is quantized, expected floats: write a merged checkpoint from the adapter instead")
    if not layer.merged:
        weight = layer.linear.weight
        with torch.no_grad():
            weight.add_(layer.delta().to(weight.dtype))
        layer.merged = True


@torch.no_grad()
def unmerge(layer: LoRALinear) -> None:
    """Take it away again; W comes back up to its rounding."""
    if layer.merged:
        weight = layer.linear.get_parameter("weight")
        weight.sub_(layer.delta().to(weight.dtype))
        layer.merged = False


def add_lora(model: nn.Module, config: LoRAConfig, seed: int = 0) -> dict[str, LoRALinear]:
    """Freeze a model and put adapters beside some of its matrices, in place.

    Args:
        model: a Llama of float or quantized matrices; its own pieces make the adapters where they have a LoRALinear.
        config: which, and how large.
        seed: of every A.

    Returns:
        The new layers by the canonical name of their matrix, such as layers.0.attention.wq.

    Raises:
        ConfigError: the model has adapters already, or matrices of another kind.
    """
    if lora_layers(model):
        raise ConfigError("the model has adapters already: load it again")
    model.requires_grad_(False)
    found = [name for name, _ in model.named_modules() if name.rpartition(".")[2] in config.targets]
    kind = _own_piece(model, "LoRALinear") or LoRALinear
    alpha = config.alpha * math.sqrt(config.rank) if config.rank_stabilized else config.alpha  # the layer divides by r
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name in found:
            linear = model.get_submodule(name)
            if not isinstance(linear, nn.Linear | QuantLinear):
                raise ConfigError(f"{name} is a {type(linear).__name__}, expected nn.Linear or QuantLinear")
            model.set_submodule(name, kind(linear, config.rank, alpha, config.dropout))
    return lora_layers(model)


def lora_layers(model: nn.Module) -> dict[str, LoRALinear]:
    """The adapted layers of a model, whoever wrote their class, by the canonical name of their matrix."""
    found: dict[str, Any] = dict(model.named_modules())
    return {name: layer for name, layer in found.items() if hasattr(layer, "lora_a") and hasattr(layer, "lora_b")}


def merge_all(model: nn.Module) -> None:
    """Add every adapter of a model to its matrix, by the `merge` of the model's own pieces where they have one.

    Raises:
        ConfigError: a matrix is quantized.
    """
    join = _own_piece(model, "merge") or merge
    for layer in lora_layers(model).values():
        join(layer)


def _own_piece(model: nn.Module, name: str) -> Any:
    return getattr(getattr(model, "pieces", None), name, None)


def trainable_parameters(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that learn, which are all that an optimizer should be given."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]
