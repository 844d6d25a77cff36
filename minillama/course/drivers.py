"""How an answer is called. This is all of the course that must lie beside a learner's code when it is graded.

A driver takes the answer and the inputs of one case, and returns what the answer is judged by. It holds nothing of any
solution.
"""

from collections.abc import Callable, Iterator
from typing import Any


def call(answer: Callable[..., Any], *inputs: Any) -> Any:
    """The answer is a function: call it."""
    return answer(*inputs)


def accepts(answer: Callable[..., Any], candidate: Any) -> bool:
    """The answer is a test: does it accept the candidate? An AssertionError or False rejects."""
    try:
        return answer(candidate) not in (False,)
    except AssertionError:
        return False


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


DRIVERS: dict[str, Callable[..., Any]] = {"call": call, "accepts": accepts, "stream": stream}
