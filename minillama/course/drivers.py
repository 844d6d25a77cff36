"""How an answer is called. This is all of the course that must lie beside a learner's code when it is graded.

A driver takes the answer and the inputs of one case, and returns what the answer is judged by. It holds nothing of any
solution.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any


def call(answer: Callable[..., Any], *inputs: Any) -> Any:
    """The answer is a function: call it."""
    return answer(*inputs)


class RejectedError(Exception):
    """A test rejects a candidate by an error that came after it had called it; the error is the cause."""


def accepts(answer: Callable[..., Any], candidate: Any) -> bool:
    """The answer is a test: does it accept the candidate? False, a failing assert, or an error in its course rejects.

    Raises:
        RejectedError: it rejects by an error that is no AssertionError.
        Exception: whatever the test raised before it called the candidate.
    """
    called = not callable(candidate)

    def watched(*arguments: Any, **named: Any) -> Any:
        nonlocal called
        called = True
        return candidate(*arguments, **named)

    try:
        found = answer(watched if callable(candidate) else candidate)
        return found is None or bool(found)
    except AssertionError:
        return False
    except NotImplementedError:
        raise
    except Exception as error:
        if called:
            raise RejectedError from error
        raise


def stream(answer: Callable[..., Any], ids: list[int], *inputs: Any) -> list[str]:
    """The answer turns ids that arrive one by one into text: what it has given when it asks for each next id, and last.

    How the text is cut between two ids does not matter, only what is there before the next one.
    """
    given: list[str] = []

    def arriving() -> Iterator[int]:
        for token in ids:
            given.append("")
            yield token
        given.append("")

    for text in answer(arriving(), *inputs):
        if not isinstance(text, str):
            raise TypeError(f"it gave a {type(text).__name__}, expected str")
        given[-1:] = [(given[-1] if given else "") + text]
    return given


def module(answer: Callable[..., Any], arguments: Sequence[Any], names: Sequence[str], *arrays: Any) -> tuple[str, Any]:
    """The answer is a class: make one, load weights into it where any are named, and call it.

    Args:
        answer: the class.
        arguments: to make one.
        names: of the weights; none leaves it as it was made.
        arrays: the weights, one a name, then the inputs.

    Returns:
        Its parameters in words, by name, "weight (8,)", and what it gives; None where the weights do not fit into it.
    """
    made = answer(*arguments)
    described = ", ".join(f"{name} {tuple(each.shape)}" for name, each in sorted(made.named_parameters())) or "none"
    if names:
        try:
            left = made.load_state_dict(dict(zip(names, arrays, strict=False)), strict=False)
        except RuntimeError:
            return described, None
        shared = made.state_dict().keys() - dict(made.named_parameters()).keys()  # second names of one parameter
        if set(names) - made.state_dict().keys() or set(left.missing_keys) - shared:
            return described, None
    return described, made(*arrays[len(names) :])


DRAWS = 2000  # of each row: enough to tell shares apart that differ by 0.1


def draws(answer: Callable[..., Any], logits: Any, options: dict[str, Any]) -> tuple[Any, str, str]:
    """The answer draws tokens: how often each comes, whether the generator goes on, and whether a seed repeats.

    Args:
        answer: (logits, ..., generator=) -> ids, one a row.
        logits: (R, V), every row tried many times.
        options: further arguments, by name.

    Returns:
        The shares (R, V); what a second draw gives, "the same" or "another"; and one with the same seed.
    """
    import torch

    rows = logits.repeat(DRAWS, 1)  # (DRAWS * R, V)
    one, two = torch.Generator().manual_seed(8), torch.Generator().manual_seed(8)
    few = rows[: 32 * len(logits)]
    before, after, again = (answer(few.clone(), **options, generator=each) for each in (one, one, two))
    first = answer(rows.clone(), **options, generator=one)
    ids = torch.as_tensor(first)
    if tuple(ids.shape) != (len(rows),):
        raise ValueError(f"it gave ids of shape {tuple(ids.shape)} for {len(rows)} rows, expected ({len(rows)},)")
    if ids.min() < 0 or ids.max() >= logits.shape[1]:
        raise ValueError(f"it gave ids from {ids.min()} to {ids.max()}, but there are {logits.shape[1]} tokens")
    picked = torch.nn.functional.one_hot(ids.long(), logits.shape[1]).view(DRAWS, *logits.shape)
    words = ["the same" if torch.equal(*map(torch.as_tensor, (each, before))) else "another" for each in (after, again)]
    return picked.float().mean(0), words[0], words[1]


def remembers(answer: Callable[..., Any], arguments: dict[str, Any], script: Sequence[Any]) -> dict[str, Any]:
    """The answer is a class that keeps keys and values: which tokens come back after each step of a script.

    Every token has keys and values of its own, so what comes back is told as numbers of tokens; -1 where it is
    none, -2 - n for a value of token n among the keys, or a key among the values.

    Args:
        answer: the class.
        arguments: to make one.
        script: ("update", layer or None, how many tokens), ("truncate", length), ("length",).
    """
    import torch

    from minillama.errors import ContextLengthError

    sizes = [arguments.get(name, usual) for name, usual in (("batch_size", 1), ("n_kv_heads", 2), ("head_dim", 3))]
    shape = torch.arange(1.0, 1 + sizes[0] * sizes[1] * sizes[2]).view(sizes[0], 1, *sizes[1:]) / 1000

    def tokens(numbers: Sequence[int]) -> Any:
        return torch.tensor(numbers, dtype=torch.float32)[None, :, None, None] + 1 + shape  # (B, T, G, K)

    def told(got: Any, sign: int) -> list[int]:
        got = sign * torch.as_tensor(got).float()
        if got.dim() != 4 or got.shape[0] != sizes[0] or tuple(got.shape[2:]) != tuple(sizes[1:]):
            raise ValueError(f"it gave a tensor of shape {tuple(got.shape)}, expected ({sizes[0]}, S, {sizes[1]}, ...)")
        numbers = [int(part) - 1 for part in got[0, :, 0, 0].nan_to_num(0, 0, 0).abs().clamp(1, 1e6)]
        found = tokens(numbers)
        pairs = [(found[:, i], got[:, i]) for i in range(len(numbers))]
        kinds = [(torch.equal(one, other), torch.equal(-one, other)) for one, other in pairs]
        return [n if own else -2 - n if other else -1 for n, (own, other) in zip(numbers, kinds, strict=True)]

    made, seen, given = answer(**arguments), dict[Any, int](), dict[str, Any]()
    for number, (action, *values) in enumerate(script, 1):
        if action == "length":
            given[f"step {number}, length"] = made.length
        elif action == "truncate":
            made.truncate(values[0])
            seen = dict.fromkeys(seen, 50)  # what comes after has other numbers than what was forgotten
        else:
            layer, count = values
            k = tokens(range(seen.get(layer, 0), seen.get(layer, 0) + count))
            seen[layer] = seen.get(layer, 0) + count
            name = f"step {number}" if layer is None else f"step {number}, layer {layer}"
            try:
                keys, values = made.update(*(() if layer is None else (layer,)), k, -k)
            except ContextLengthError:
                given[name] = "a ContextLengthError"
                continue
            given[f"{name}, keys"], given[f"{name}, values"] = told(keys, 1), told(values, -1)
    return given


def steps(answer: Callable[..., Any], counts: Sequence[int], *inputs: Any) -> dict[str, Any]:
    """The answer takes steps of a text with one cache: what each of them gives.

    Args:
        answer: (q, k, v, cos, sin, cache) -> out.
        counts: tokens of each step.
        inputs: q, k and v of the whole text, then tables of all positions.
    """
    from minillama.cache import KVCache

    *parts, cos, sin = inputs
    cache = KVCache(1, parts[1].shape[0], len(cos), *parts[1].shape[2:])
    split = zip(*(part.split(list(counts), dim=1) for part in parts), strict=True)
    return {f"step {number}": answer(*each, cos, sin, cache) for number, each in enumerate(split, 1)}


DRIVERS: dict[str, Callable[..., Any]] = {
    "call": call, "accepts": accepts, "stream": stream, "module": module, "draws": draws, "remembers": remembers,
    "steps": steps,
}  # fmt: skip
