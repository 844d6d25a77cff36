"""How an answer is called. This is all of the course that must lie beside a learner's code when it is graded.

A driver takes the answer and the inputs of one case, and returns what the answer is judged by. It holds nothing of any
solution.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from minillama.course.adapter_drivers import adapter, handed, merging, stacked
from minillama.course.block_drivers import q4_0, q8_0
from minillama.course.file_drivers import on_bytes, on_file
from minillama.course.kernel_drivers import at_once, counted
from minillama.course.training_drivers import groups, labels, rows, training_steps


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


def measured(answer: Callable[..., Any], *inputs: Any) -> Any:
    """The answer measures something: the number itself, or the `value` of what it returns."""
    found = answer(*inputs)
    return getattr(found, "value", found)


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
    words = [(f"{name} {tuple(each.shape)}", each.requires_grad) for name, each in sorted(made.named_parameters())]
    described = ", ".join(each if learns else f"{each} that does not learn" for each, learns in words) or "none"
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
    if ids.dtype != torch.int64:
        raise ValueError(f"it gave ids of dtype {str(ids.dtype).removeprefix('torch.')}, expected int64")
    if tuple(ids.shape) != (len(rows),):
        raise ValueError(f"it gave ids of shape {tuple(ids.shape)} for {len(rows)} rows, expected ({len(rows)},)")
    if ids.min() < 0 or ids.max() >= logits.shape[1]:
        raise ValueError(f"it gave ids from {ids.min()} to {ids.max()}, but there are {logits.shape[1]} tokens")
    alone = torch.as_tensor(answer(logits[:1].clone(), **options, generator=one))
    if tuple(alone.shape) != (1,):
        raise ValueError(f"for a single row it gave ids of shape {tuple(alone.shape)}, expected (1,)")
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
    for room in vars(made).values():
        if isinstance(room, torch.Tensor) and room.is_floating_point():
            room.fill_(torch.nan)  # what is never written must not look like tokens, as old memory may
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


class _WaitsError(BaseException):
    """Raised inside an answer that waits for the other processes; no `except Exception` of the learner's catches it."""


class _Reduction:
    """What a process calls to add up over all: gives the sums that are known, and then makes it wait."""

    def __init__(self, known: Sequence[Any]) -> None:
        self.known = iter(known)

    def __call__(self, x: Any, kind: str) -> Any:
        import torch

        for result in self.known:
            return result.clone()
        raise _WaitsError(kind, torch.as_tensor(x).detach().clone())


def together(n: int, run: Callable[[int, _Reduction], Any]) -> list[Any]:
    """What each of n processes gives. They take turns: each runs until it waits for the others, then starts again.

    Args:
        n: processes.
        run: (rank, reduce) -> what the process gives; reduce(x, "sum" or "max") is over all processes, and without a
            gradient.

    Raises:
        RuntimeError: they would wait for each other forever, or reduce what does not fit together.
    """
    import torch

    known: list[Any] = []
    while True:
        results: list[Any] = [None] * n
        given: dict[int, Any] = {}
        for rank in range(n):
            try:
                results[rank] = run(rank, _Reduction(known))
            except _WaitsError as waiting:
                given[rank] = waiting.args
        if not given:
            return results
        absent = [rank for rank in range(n) if rank not in given]
        if absent:
            raise RuntimeError(f"process {absent[0]} never comes to a sum that process {min(given)} waits for, forever")
        if len({(kind, x.shape) for kind, x in given.values()}) > 1 or len(known) > 15:
            raise RuntimeError(
                f"the processes reduce {[tuple(x.shape) for _, x in given.values()]}, expected one shape"
            )
        stacked = torch.stack([x for _, x in given.values()])
        known.append(stacked.amax(0) if given[0][0] == "max" else stacked.sum(0))


def processes(answer: Callable[..., Any], kinds: Sequence[str], own: Sequence[Any], *common: Any) -> dict[str, Any]:
    """The answer is what each of several processes does: what every one of them gives.

    Args:
        answer: (*common, *own, *reductions) -> what the process gives.
        kinds: of the reductions that it is handed, "sum" or "max".
        own: for each process, what it alone has.
        common: what all have. An answer that changes any of this changes it for the caller, too.
    """
    changed: list[tuple[Any, Any]] = []

    def run(rank: int, reduce: _Reduction) -> Any:
        inputs = [each.clone() if hasattr(each, "clone") else each for each in (*common, *own[rank])]
        given = answer(*inputs, *(functools.partial(reduce, kind=kind) for kind in kinds))
        changed.extend(zip((*common, *own[rank]), inputs, strict=True))
        return given

    results = together(len(own), run)
    for before, after in changed:
        if hasattr(before, "copy_"):
            before.copy_(after)
    return {f"process {rank}": given for rank, given in enumerate(results)}


def averaged_slope(answer: Callable[..., Any], weight: Any, own: Sequence[Any]) -> Any:
    """The answer gives each process's loss: the mean of the processes' gradients with respect to one weight (D,).

    Args:
        answer: (sum of the losses, how many tokens count, processes, all_reduce) -> what to differentiate.
        weight: (D,).
        own: each process's (T, D), a row for a token; its loss is the square of its product with the weight. Beside
            them every process has a token that does not count.
    """

    def run(rank: int, reduce: _Reduction) -> Any:
        held = weight.clone().requires_grad_()
        nats = (own[rank] @ held).square().sum() + 0 * held.sum()
        count = nats.new_tensor(float(len(own[rank])))
        loss = answer(nats, count, len(own), functools.partial(reduce, kind="sum"))
        if not getattr(loss, "requires_grad", False):
            raise ValueError("it gave a loss without a gradient, expected one that depends on the losses it was given")
        loss.backward()
        return held.grad

    return sum(together(len(own), run)) / len(own)


DRIVERS: dict[str, Callable[..., Any]] = {
    "call": call, "accepts": accepts, "measured": measured, "stream": stream, "module": module,
    "draws": draws, "remembers": remembers, "steps": steps, "processes": processes, "averaged_slope": averaged_slope,
    "groups": groups, "training_steps": training_steps, "on_bytes": on_bytes, "on_file": on_file,
    "adapter": adapter, "merging": merging, "handed": handed, "stacked": stacked,
    "labels": labels, "rows": rows, "at_once": at_once, "counted": counted,
    "q8_0": q8_0, "q4_0": q4_0,
}  # fmt: skip
