"""Tasks of lesson 19 that cut matrices: by columns into whole heads, and by rows with one sum."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from minillama import parallel
from minillama.course.record import Bugs, Case, Probe, Task
from minillama.course.tasks.generate_ideas import idea
from minillama.course.tasks.scaling_hand import LESSON

Generator = np.random.Generator


def faulty_columns(bugs: Bugs) -> Callable[..., Tensor]:
    """parallel.split_columns with these bugs."""

    def split_columns(weight: Tensor, n: int, rank: int, unit: int = 1) -> Tensor:
        rank = 0 if "always_first" in bugs else rank
        if "inputs" in bugs:
            return split_columns_right(weight.T, n, rank, 1).T
        unit = 1 if "across_heads" in bugs else unit
        units = weight.unflatten(0, (-1, unit))
        each, more = divmod(len(units), n)
        if "interleaved" in bugs:
            return units[rank::n].flatten(0, 1)
        first, last = rank * each + min(rank, more), (rank + 1) * each + min(rank + 1, more)
        if "last_more" in bugs:
            first, last = rank * len(units) // n, (rank + 1) * len(units) // n
        if "full_first" in bugs:
            first, last = rank * -(-len(units) // n), (rank + 1) * -(-len(units) // n)
        if bugs & {"rest_lost", "rest_to_last"}:
            first, last = rank * each, (rank + 1) * each
            last = len(units) if "rest_to_last" in bugs and rank == n - 1 else last
        if "no_offset" in bugs:
            first, last = rank * each, rank * each + each + (rank < more)
        return units[first:last].flatten(0, 1)

    return split_columns


def split_columns_right(weight: Tensor, n: int, rank: int, unit: int) -> Tensor:
    """The share itself, which the faulty ones start from."""
    return faulty_columns(frozenset())(weight, n, rank, unit)


def column_cases(rng: Generator) -> list[Case]:
    """Heads that go round evenly and not, single rows, the first and the last process."""
    K, D = int(rng.choice([4, 6])), int(rng.integers(5, 8))

    def case(units: int, unit: int, n: int, rank: int) -> Case:
        weight = rng.normal(size=(units * unit, D)).astype(np.float32)
        what = f"{units} heads of {unit} rows" if unit > 1 else f"{units} single rows"
        return Case(name=f"{what} over {n} processes, in process {rank}", args=(weight, n, rank, unit))

    return [
        case(4, K, 2, 1), case(3, K, 2, 0), case(5, K, 3, 1), case(5, K, 3, 2), case(4, K, 3, 1), case(7, 1, 3, 2),
        case(7, 1, 3, 0),
    ]  # fmt: skip


def broken_heads(cases: Sequence[Case], outputs: Sequence[Tensor]) -> str | None:
    """Rows that are no whole number of heads, in words."""
    for case, got in zip(cases, outputs, strict=True):
        unit = case.args[3]
        if len(got) % unit:
            return f"With {case.name} your share has {len(got)} rows: {len(got) / unit:.3g} heads."
    return None


WHOLE_HEADS = Probe(
    name="whole heads", cases=column_cases, broken=broken_heads,
    principle="A head's scores are dot products over all of its channels: with half of them nothing can be done.",
    question="How many units does each process get, before you turn them into rows?",
)  # fmt: skip

split_columns: Task = Task(
    id="scaling.split_columns", lesson=LESSON, kind="rebuild", title="Cut a matrix by columns", points=3,
    difficulty=3, importance=5, minutes=12,
    reference=parallel.split_columns, faulty=faulty_columns, cases=column_cases, probes=(WHOLE_HEADS,),
    piece="minillama.parallel:split_columns", forbidden=("minillama.parallel:split_columns",),
    outputs=("the share",),
    misconceptions=(
        idea(
            "across_heads", "a cut across heads", "Rows of one head stay together: the units go round, not the rows.",
            "How many rows has each process when 3 heads go to 2 of them?",
        ),
        idea(
            "inputs", "a cut by inputs", "A column of the books makes one output, and torch keeps it as a row.",
            "Which axis of torch's weight counts the outputs?",
        ),
        idea(
            "interleaved", "heads dealt out one by one, like cards",
            "Every process holds neighbours: that is how the second matrix is cut, too.",
            "Which heads does process 0 of 2 hold when there are 4?",
        ),
        idea(
            "always_first", "the share of process 0 for everybody", "Each process asks for its own.",
            "Where does your function use `rank`?",
        ),
        idea(
            "last_more", "one unit more for the last processes", "What does not go round goes to the first processes.",
            "With 5 heads and 3 processes, who has a single one?", 0.7,
        ),
        idea(
            "full_first", "first processes that are filled up, and last ones with what is left, or nothing",
            "Nobody holds more than one unit more than another: all wait for the slowest.",
            "With 4 heads and 3 processes, what is left for the last?", 0.7,
        ),
        idea(
            "rest_lost", "units that nobody holds", "All shares together are the whole matrix.",
            "With 5 heads and 3 processes, who holds the fifth?",
        ),
        idea(
            "rest_to_last", "everything that does not go round in the last process",
            "What does not go round goes to the first processes, one each.",
            "With 5 heads and 3 processes, how many does the last one hold?", 0.7,
        ),
        idea(
            "no_offset", "a beginning that forgets that others before hold one more",
            "No row belongs to two processes: each begins where the one before it ends.",
            "With 5 heads and 3 processes, where does process 0 end, and where does process 1 begin?", 0.7,
        ),
    ),
    hints=(
        "Count in units. How many has every process at least, and how many are left over?",
        "weight (units * unit, K) -> a slice of its rows, a whole number of units.",
        "each, more = units divided by n, with the rest\nfirst unit: each for every process before this one, and one "
        "more for those of them that got one\nlast: the same for the process after it\nunits to rows: times unit",
    ),
)  # fmt: skip


def faulty_rows(bugs: Bugs = frozenset()) -> Callable[..., Tensor]:
    """scaling.split_rows with these bugs."""

    def split_rows(x: Tensor, inner: Tensor, weight: Tensor, all_reduce: Callable[[Tensor], Tensor]) -> Tensor:
        if "inner_summed" in bugs:
            return x + all_reduce(inner) @ weight.T
        if "weights_summed" in bugs:
            return x + inner @ all_reduce(weight).T
        said = inner @ weight.T
        if "stream_everywhere" in bugs:
            return all_reduce(x + said)
        if "mean" in bugs:
            said = said / all_reduce(torch.ones(1))
        said = said if "own_only" in bugs else all_reduce(said)
        return said if "no_stream" in bugs else x + said

    return split_rows


def row_cases(rng: Generator) -> list[Case]:
    """Two and three processes; one of them alone."""
    found = []
    for n in (2, 3, 1):
        T, D, F = int(rng.integers(3, 6)), int(rng.integers(4, 7)), int(rng.integers(2, 5))
        parts = rng.normal(size=(n, T + D, F)).astype(np.float32)
        own = [(part[:T].copy(), part[T:].copy()) for part in parts]
        x = rng.normal(size=(T, D)).astype(np.float32)
        found.append(Case(name=f"{n} process{'es' if n > 1 else ''}", args=(("sum",), own, x)))
    return found


split_rows: Task = Task(
    id="scaling.split_rows", lesson=LESSON, kind="complete", title="Join what the processes say", points=3,
    difficulty=2, importance=5, minutes=8,
    reference=faulty_rows(), faulty=faulty_rows, cases=row_cases, driver="processes", outputs=("the stream",),
    misconceptions=(
        idea(
            "stream_everywhere", "a stream that every process adds before the sum",
            "Each process holds the whole stream already. With two processes it would be in the sum twice, with eight "
            "eight times.", "How often is x in your sum when three processes take part?",
        ),
        idea(
            "own_only", "a stream that only this process has added to",
            "Each process has made one part of every number. `all_reduce` gives the sum back; it changes nothing by "
            "itself.", "What of the other processes' work is in your result?",
        ),
        idea(
            "mean", "a mean instead of a sum", "A dot product that is cut in two is the sum of its parts.",
            "What would one process alone have said?",
        ),
        idea(
            "inner_summed", "a sum of the inner shares",
            "Inner number 0 of process 0 and inner number 0 of process 1 are different channels.",
            "Are the numbers that you add up parts of the same number?",
        ),
        idea(
            "weights_summed", "a sum of the shares of the matrix",
            "Column 0 of process 0 and column 0 of process 1 are different columns of one matrix.",
            "What does each process know that the others need: its weights, or what it says?",
        ),
        idea(
            "no_stream", "what is said, without the stream", "A half of a block adds to what is there.",
            "What comes out when all weights are 0?",
        ),
    ),
    hints=(
        "Each process has a part of the sum. Add the parts up; and mind what is the same everywhere.",
        "x (T, D), inner (T, F/n), weight (D, F/n); `all_reduce` takes and gives a tensor, here (T, D).",
        "said = this process's inner times this process's columns\ntogether = the sum over all processes\n"
        "result = x once, and together",
    ),
)  # fmt: skip
