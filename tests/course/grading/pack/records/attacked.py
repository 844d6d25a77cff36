"""Two tasks that need nothing but NumPy: their kernels start quickly, and so attacks are tried on them."""

import numpy as np

from minillama.course.record import Case, Misconception, Task

LESSON = "01_attacked"


def _mean(bugs):
    def mean_of_kept(losses, keep):
        if "everything" in bugs:
            return losses.mean()
        keep = keep[..., 0]
        return (losses * keep).sum() / keep.sum()

    return mean_of_kept


def _kept(rng):
    for rows in (1, 2, 3, 4):
        keep = rng.integers(0, 2, (rows, 5, 1)).astype(np.float32)
        keep[0, 0], keep[-1, -1] = 1, 0
        yield Case(name=f"{rows} rows", args=(rng.normal(5, 1, (rows, 5)).astype(np.float32), keep))


def _twice(bugs):
    return lambda x: x + x


def _numbers(rng):
    return [Case(name=f"{n} numbers", args=(rng.normal(size=n),)) for n in (1, 7)]


COMMON = {"lesson": LESSON, "difficulty": 1, "importance": 1, "minutes": 1, "hints": ("a", "b", "c"),
          "framework": "numpy", "time_limit_s": 3.0}  # fmt: skip

TASKS = (
    Task(
        id="attacked.mean_of_kept", kind="vary", title="The mean of what is kept", points=3,
        reference=_mean(frozenset()), faulty=_mean, cases=lambda rng: list(_kept(rng)), forbidden=("statistics:fmean",),
        misconceptions=(
            Misconception(
                name="everything", looks_like="a mean over everything", principle="Some places do not count.",
                question="What does keep say?", credit=0.25,
            ),
        ),
        **COMMON,
    ),
    Task(
        id="attacked.twice", kind="vary", title="Twice as much", points=2, reference=_twice(frozenset()),
        cases=_numbers, **COMMON,
    ),
)  # fmt: skip
