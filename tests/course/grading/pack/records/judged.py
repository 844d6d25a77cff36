"""A task whose answer judges candidates, which run elsewhere."""

import numpy as np

from minillama.course.plain import Made
from minillama.course.record import Case, Task

CANDIDATES = ("right", "right_too", "adds", "zeros", "half")


def candidate(name):
    """A function that shall double, by name."""
    made = {
        "right": lambda x: 2 * x, "right_too": lambda x: x + x, "adds": lambda x: 2 * x + 1, "zeros": lambda x: 0 * x,
        "half": lambda x: np.concatenate([2 * x[:1], x[1:]]),
    }  # fmt: skip
    return made[name]


def _test(bugs):
    def test_twice(double):
        x = np.array([1.0, 2.0, 3.0])
        return np.array_equal(double(x), 2 * x)

    return test_twice


def _line_up(rng):
    path = f"{__name__}:candidate"
    names = rng.permutation(CANDIDATES)
    return [Case(name=f"candidate {i}", args=(Made(path, {"name": str(name)}),)) for i, name in enumerate(names)]


TASKS = (
    Task(
        id="judged.test_twice", lesson="02_judged", kind="test", title="Catch wrong doubles", points=4, difficulty=1,
        importance=1, minutes=1, hints=("a", "b", "c"), framework="numpy", driver="accepts", time_limit_s=6.0,
        reference=_test(frozenset()), cases=_line_up,
    ),
)  # fmt: skip
