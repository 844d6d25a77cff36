"""Tasks with a value for each question: by hand, with what each slip puts in its place, and experiments."""

from collections.abc import Callable, Mapping
from typing import Any

from minillama.course.record import Bugs


def answers_by_hand(
    right: Mapping[str, Any], instead: Mapping[str, Mapping[str, Any]]
) -> Callable[..., Callable[[str], Any]]:
    """What a record takes as `faulty`: bugs -> (question) -> value; without bugs it is the reference.

    Args:
        right: question -> value.
        instead: bug -> the values that it changes.
    """

    def by_hand(bugs: Bugs = frozenset()) -> Callable[[str], Any]:
        values = dict(right)
        for bug in sorted(bugs):
            values |= instead[bug]
        return lambda question: values[question]

    return by_hand


def nothing_to_expect(question: str) -> str:
    """The reference of an experiment: it has no right answer, and a person reads what was found."""
    return question
