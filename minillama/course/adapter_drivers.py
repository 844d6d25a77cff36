"""How answers about adapters are called: layers around a frozen matrix, and what an optimizer is handed.

Holds no answers.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

ROWS = 512  # of one input: every way to drop out three channels comes up
FEW = 256  # numbers: in fewer, how widely they are spread is chance


def base_layer(weight: Any, kind: str) -> Any:
    """A linear layer that holds W (N, K): as "float32" or "bfloat16", or in blocks of 32, "q4_0" or "q8_0"."""
    import torch

    from minillama.quant.formats import FORMATS
    from minillama.quant.linear import QuantLinear

    if kind in FORMATS:
        quantize = FORMATS[kind].quantize
        assert quantize is not None
        return QuantLinear(quantize(weight.numpy()), kind, tuple(weight.shape))
    linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    linear.weight.data = weight.to(getattr(torch, kind), copy=True)
    return linear


def adapter(
    answer: Callable[..., Any], weight: Any, kind: str, arguments: Sequence[Any], a: Any, b: Any, x: Any, probe: Any
) -> dict[str, Any]:
    """The answer is a class: put an adapter beside a matrix; what it is, what it gives, and what learns.

    Args:
        answer: the class.
        weight: W (N, K).
        kind: of the layer that holds it, see base_layer.
        arguments: rank, alpha and dropout.
        a, b: (r, K) and (N, r), loaded into it after a look at the fresh one.
        x: (..., K); without dropout.
        probe: (..., N), what the outputs are multiplied with in a loss.
    """
    import torch

    linear = base_layer(weight, kind)
    made = answer(linear, *arguments)
    learns = {name: each for name, each in made.named_parameters() if each.requires_grad}
    described = ", ".join(f"{name} {tuple(each.shape)}" for name, each in sorted(learns.items()))
    given: dict[str, Any] = {
        "the parameters that learn": described or "none",
        "the attribute linear": "the layer" if getattr(made, "linear", None) is linear else "missing, or another",
    }
    halves: list[Any] = [learns.get(name) for name in ("lora_a", "lora_b")]
    if any(half is None or half.shape != each.shape for half, each in zip(halves, (a, b), strict=True)):
        return given
    given["the dtypes of A and B"] = ", ".join(str(half.dtype).removeprefix("torch.") for half in halves)
    given["the beginning of A"] = beginning(halves[0].detach(), answer(linear, *arguments).lora_a.detach())
    given["the beginning of B"] = "zeros" if not halves[1].any() else "other numbers"
    if arguments[2]:
        return given | _dropping(made.train(), halves, (a, b), x)
    x = x.to(getattr(torch, kind, torch.float32))
    given["the output of a fresh layer"] = made.train()(x)
    _fill(halves, (a, b))
    given["what is added to W"] = made.delta()
    given["the output"] = made(x)
    if kind != "bfloat16":
        given |= _gradients(made.eval(), halves, x.clone().requires_grad_(), probe)
    made.merged = True
    given["the output of a merged layer"] = made(x)
    return given


def beginning(half: Any, again: Any) -> str:
    """In words, the numbers that a half (r, K) begins with, beside those of another layer of the same kind."""
    width = half.shape[1] ** -0.5
    if not half.any():
        return "zeros"
    if (half == half.flatten()[0]).all():
        return "one number everywhere"
    if bool((half == again).all()):
        return "the same numbers in every layer"
    if half.numel() < FEW:
        return "random numbers"
    largest = half.abs().max()
    if 0.9 * width < largest < 1.01 * width and abs(half.mean()) > 0.3 * width:
        return "random numbers that are not around 0"
    spread = "wider than" if largest > 1.01 * width else "narrower than" if largest < 0.9 * width else "up to"
    return f"random numbers {spread} 1/sqrt(K)"


def _fill(halves: Sequence[Any], values: Sequence[Any]) -> None:
    for half, value in zip(halves, values, strict=True):
        half.data.copy_(value)


def _gradients(made: Any, halves: Sequence[Any], x: Any, probe: Any) -> dict[str, Any]:
    """The gradients of a loss, the sum of outputs times `probe`: of x, of A and B, and whether W has one."""
    loss = (made(x) * probe).sum()
    if loss.requires_grad:
        loss.backward()
    grads = {"x": x.grad, "A": halves[0].grad, "B": halves[1].grad}
    found = {f"the gradient of {name}": "none" if grad is None else grad for name, grad in grads.items()}
    weight = getattr(made.linear, "weight", None)
    return found | {"the gradient of W": "none" if getattr(weight, "grad", None) is None else "some"}


def _dropping(made: Any, halves: Sequence[Any], values: Sequence[Any], x: Any) -> dict[str, Any]:
    """Which outputs one input has, in training and outside of it; x (1, K)."""
    rows = x.expand(ROWS, -1)
    fresh = different(made(rows))
    _fill(halves, values)
    training, evaluation = different(made(rows)), different(made.eval()(rows))
    return {
        "the number of outputs that one input has in a fresh layer": len(fresh),
        "the number of outputs that one input has in training": len(training),
        "the smallest output in training": training[0],
        "the largest output in training": training[-1],
        "the number of outputs that one input has outside of training": len(evaluation),
        "the output outside of training": evaluation[0],
    }


def different(outputs: Any) -> list[float]:
    """The numbers that occur, in order; those that only rounding tells apart are one."""
    found: list[float] = []
    for each in outputs.detach().unique().tolist():  # in order
        if not found or each - found[-1] > 1e-4:
            found.append(each)
    return found


def merging(
    answer: Callable[..., Any], weight: Any, kind: str, arguments: Sequence[Any], a: Any, b: Any, x: Any
) -> dict[str, Any]:
    """The answer adds an adapter to its matrix: W and the outputs after one call, and after a second.

    Args:
        answer: (layer) -> None.
        weight, kind, arguments, a, b: of the layer, see `adapter`.
        x: (..., K).
    """
    import torch

    from minillama.errors import ConfigError
    from minillama.train.lora import LoRALinear

    layer: Any = LoRALinear(base_layer(weight, kind), *arguments)
    _fill((layer.lora_a, layer.lora_b), (a, b))
    if not hasattr(layer.linear, "weight"):
        try:
            answer(layer)
        except ConfigError:
            return {"the answer to a base in 4 bits": "a ConfigError"}
        return {"the answer to a base in 4 bits": "no error"}
    x = x.to(getattr(torch, kind))
    answer(layer)
    held: Any = layer.linear.weight
    given: dict[str, Any] = {
        "the dtype of W": str(held.dtype).removeprefix("torch."),
        "W": held.detach().clone(),
        "W learns": "yes" if held.requires_grad else "no",
        "A and B": "as they were" if torch.equal(layer.lora_a, a) and torch.equal(layer.lora_b, b) else "changed",
        "layer.merged": layer.merged,
    }
    if held.dtype != x.dtype:
        return given
    given["the output"] = layer(x)
    answer(layer)
    given["W after a second call"] = layer.linear.weight.detach().clone()
    given["the output after a second call"] = layer(x)
    return given


def handed(
    answer: Callable[..., Any],
    dim: int,
    n_layers: int,
    targets: Sequence[str],
    frozen: str,
    learns: str,
    tied: bool = False,
) -> dict[str, Any]:
    """The answer picks the parameters of a tuned model that learn: for each of the model's, whether it is given.

    Args:
        answer: (model) -> parameters.
        dim, n_layers: of the model, which has an embedding, attention's matrices, and norms.
        targets: its matrices that have adapters.
        frozen: adapters whose name contains this do not learn; none where it is empty.
        learns: other parameters whose name contains this do learn; none where it is empty.
        tied: its output matrix is the embedding.
    """
    import torch

    from minillama.norm import RMSNorm
    from minillama.train.lora import LoRAConfig, add_lora

    nn = torch.nn
    layers = nn.ModuleList()
    for _ in range(n_layers):
        matrices = {name: nn.Linear(dim, dim, bias=False) for name in ("wq", "wk", "wv", "wo")}
        layers.append(nn.ModuleDict({"attention": nn.ModuleDict(matrices), "attention_norm": RMSNorm(dim)}))
    model = nn.ModuleDict({"tok_embeddings": nn.Embedding(3, dim), "layers": layers, "norm": RMSNorm(dim)})
    if tied:
        model["output"] = nn.Linear(dim, 3, bias=False)
        model["output"].weight = model["tok_embeddings"].weight
    add_lora(model, LoRAConfig(rank=2, targets=tuple(targets)))
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.requires_grad_(not (frozen and frozen in name))
        elif learns and learns in name:
            parameter.requires_grad_(True)
    embedding = model.get_parameter("tok_embeddings.weight")
    embedding.grad = torch.zeros_like(embedding)  # of an earlier step, whether it still learns or not
    found = answer(model)
    if not isinstance(found, Iterable):
        raise TypeError(f"it gave a {type(found).__name__}, expected a list of parameters")
    items = list(found)
    wrong = [each for each in items if not isinstance(each, torch.Tensor)]
    if wrong:
        raise TypeError(f"its list holds a {type(wrong[0]).__name__}, expected parameters")
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    counts = [names.get(id(each), "") for each in items]
    words = {0: "left out", 1: "given"}
    given: dict[str, Any] = {name: words.get(counts.count(name), "twice") for name in names.values()}
    return given | {"what is no parameter of the model": counts.count("")}


def stacked(
    answer: Callable[..., Any], weights: Sequence[Any], halves: Sequence[Any], scale: float, x: Any, probe: Any
) -> dict[str, Any]:
    """The answer is an adapted product; two of them one after the other, and the gradients of a loss.

    Args:
        answer: (x, weight, a, b, scale) -> out.
        weights: W (N, K) of each, as somebody handed it over who has frozen nothing.
        halves: a (r, K) and b (N, r) of each.
        scale: of the adapters.
        x: (M, K) of the first.
        probe: (M, N) of the last, what its outputs are multiplied with in the loss.
    """
    x = x.clone().requires_grad_()
    held = [weight.clone().requires_grad_() for weight in weights]
    pairs = [tuple(each.clone().requires_grad_() for each in pair) for pair in halves]
    out = x
    for weight, (a, b) in zip(held, pairs, strict=True):
        out = answer(out, weight, a, b, scale)
    given: dict[str, Any] = {"the output": out}
    loss = (out * probe).sum()
    if loss.requires_grad:
        loss.backward()

    def told(grad: Any) -> Any:
        return "none" if grad is None else grad

    for number, (weight, (a, b)) in enumerate(zip(held, pairs, strict=True), 1):
        given[f"the gradient of A, layer {number}"] = told(a.grad)
        given[f"the gradient of B, layer {number}"] = told(b.grad)
        given[f"the gradient of W, layer {number}"] = told(weight.grad)
    return given | {"the gradient of x": told(x.grad)}
