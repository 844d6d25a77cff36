"""How an answer is called. This is all of the course that must lie beside a learner's code when it is graded.

A driver takes the answer and the inputs of one case, and returns what the answer is judged by. It holds nothing of any
solution.
"""

from collections.abc import Callable
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


DRIVERS: dict[str, Callable[..., Any]] = {"call": call, "accepts": accepts}
