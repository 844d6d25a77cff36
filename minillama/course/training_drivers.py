"""How answers about training are called: steps of an optimizer, and the parameters it is handed. Holds no answers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def groups(answer: Callable[..., Any], config: Any, frozen: str, *arguments: float) -> dict[str, Any]:
    """The answer sorts a model's parameters into groups: the weight decay of each, or why it has none.

    Args:
        answer: (model, ...) -> groups of an optimizer.
        config: of the model.
        frozen: parameters whose name contains this do not learn; none where it is empty.
        arguments: what comes after the model.
    """
    from minillama.model import Llama

    model = Llama(config)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not (frozen and frozen in name))
    found = answer(model, *arguments)
    if not isinstance(found, list | tuple) or not all(isinstance(each, Mapping) and "params" in each for each in found):
        raise ValueError("it gave no groups, expected a list of dicts with params and weight_decay")
    known = {id(each) for each in model.parameters()}
    found = [{**group, "params": list(group["params"])} for group in found]
    strange = [each for group in found for each in group["params"] if id(each) not in known]
    if strange:
        raise ValueError(f"its groups hold a {type(strange[0]).__name__} that is no parameter of the model")
    held = [([id(each) for each in group["params"]], group.get("weight_decay")) for group in found]
    given: dict[str, Any] = {}
    for name, parameter in model.named_parameters():
        decays = [decay for ids, decay in held for each in ids if each == id(parameter)]
        given[name] = "in no group" if not decays else "twice" if len(decays) > 1 else decays[0]
        given[name] = "no weight_decay" if given[name] is None else given[name]
    return given


def training_steps(
    answer: Callable[..., Any], table: Any, steps: Sequence[Sequence[Any]], options: Mapping[str, Any]
) -> dict[str, Any]:
    """The answer takes steps of an optimizer with one model: what each gives, and the weights and rates behind it.

    The model is a table of logits, a row for each token; the optimizer is plain descent: learning rate times gradient.
    It has a second group, of a parameter that gets no gradient.

    Args:
        answer: (model, optimizer, batches, lr, ...) -> the loss before the step.
        table: (V, V), the weights to begin with.
        steps: of each, the learning rate and its micro-batches: tokens (B, T + 1), and their weights or None.
        options: further arguments, by name.
    """
    import torch

    from minillama.errors import DataError
    from minillama.train.data import Batch

    model = torch.nn.Embedding.from_pretrained(table.clone(), freeze=False)
    quiet = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([{"params": list(model.parameters())}, {"params": [quiet]}], lr=0.05)
    given: dict[str, Any] = {}
    for number, (lr, batches) in enumerate(steps, 1):
        try:
            loss = answer(model, optimizer, [Batch(*each) for each in batches], lr, **options)
        except DataError:
            given[f"step {number}"] = "a DataError"
            given[f"step {number}, weights"] = model.weight.detach().clone()
            continue
        given[f"step {number}, loss"] = loss
        given[f"step {number}, weights"] = model.weight.detach().clone()
        given[f"step {number}, rates"] = [group["lr"] for group in optimizer.param_groups]
    return given


def labels(answer: Callable[..., Any], tokens: list[int], *options: Any) -> dict[str, Any]:
    """The answer labels tokens: its labels, and the tokens behind the call.

    Args:
        answer: (tokens, ...) -> labels.
        tokens: ids of a sample.
        options: further arguments.
    """
    return {"labels": answer(tokens, *options), "tokens": tokens}


def rows(answer: Callable[..., Any], samples: Sequence[Sequence[Any]], *options: Any) -> dict[str, Any]:
    """The answer lays samples into a batch: its tokens and weights, and the samples' own tokens behind the call.

    Args:
        answer: (samples, ...) -> Batch.
        samples: tokens and labels of each.
        options: further arguments.
    """
    from minillama.train.alpaca import Sample

    made = [Sample(tokens=list(tokens), labels=list(wanted)) for tokens, wanted in samples]
    batch = answer(made, *options)
    if not (hasattr(batch, "tokens") and hasattr(batch, "weights")):
        raise ValueError(f"it gave a {type(batch).__name__}, expected a Batch of tokens and weights")
    return {"tokens": batch.tokens, "weights": batch.weights, "samples": [sample.tokens for sample in made]}
