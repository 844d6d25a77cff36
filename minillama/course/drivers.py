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


DRIVERS: dict[str, Callable[..., Any]] = {"call": call, "accepts": accepts, "stream": stream, "module": module}
