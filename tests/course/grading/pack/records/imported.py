"""A task that asks for a piece of minillama, which the graded machine's minillama then lacks."""

from minillama.course.record import Case, Task
from minillama.feedforward import hidden_size


def _sizes(rng):
    return [Case(name="some sizes", args=(int(rng.integers(50, 5000)), 16, 1.0)) for _ in range(3)]


TASKS = (
    Task(
        id="imported.hidden_size", lesson="03_imported", kind="rebuild", title="The size of the hidden layer", points=3,
        difficulty=1, importance=1, minutes=1, hints=("a", "b", "c"), framework="numpy", time_limit_s=6.0,
        reference=hidden_size, cases=_sizes, piece="minillama.feedforward:hidden_size",
    ),
)  # fmt: skip
