"""Tasks of lesson 00 about leaving inputs alone: a function that does, and a test that tells who does not."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.start_shapes import LESSON, Generator, idea

Doubler = Callable[[Tensor], Tensor]


def faulty_discourage(bugs: Bugs) -> Callable[[Tensor, list[int], float], Tensor]:
    """start.discourage with these bugs."""

    def discourage(logits: Tensor, ids: list[int], penalty: float) -> Tensor:
        result = logits.clone()
        penalty = -penalty if "raised" in bugs else penalty
        if "rows" in bugs:
            result[ids] -= penalty
        elif "everywhere" in bugs:
            result -= penalty
        elif "only_these" in bugs:
            return result[:, ids] - penalty
        elif "replaced" in bugs:
            result[:, ids] = -penalty
        elif "first_row" in bugs:
            result[0, ids] -= penalty
        else:
            result[:, ids] -= penalty
        return result

    return discourage


def _discourage_cases(rng: Generator) -> Sequence[Case]:
    def case(B: int, V: int, count: int, name: str, below: int) -> Case:
        logits = rng.standard_normal((B, V)).astype(np.float32)
        ids = [int(each) for each in rng.permutation(below)[:count]]
        return Case(name=name, args=(logits, ids, float(rng.uniform(2, 5))))

    return [
        case(3, 7, 2, "3 rows of 7 logits", 3),
        case(5, 5, 3, "as many rows as logits", 5),
        case(2, 9, 1, "id 0 alone", 1),
    ]


discourage = Task(
    id="start.discourage", lesson=LESSON, kind="complete", title="Lower some logits, and only in a copy", points=3,
    difficulty=2, importance=4, minutes=8,
    reference=faulty_discourage(frozenset()), faulty=faulty_discourage, cases=_discourage_cases,
    misconceptions=(
        idea(
            "rows", "rows that are lowered instead of columns",
            "A row is one sentence; the id of a token says a column.", "Which axis of (B, V) do the ids count along?",
        ),
        idea(
            "everywhere", "a penalty on every logit", "A constant on all logits changes no probability at all.",
            "Which entries do the ids choose?", 0.2,
        ),
        idea("raised", "a penalty that is added", "To be chosen less often, a token needs less.", "Which sign is it?"),
        idea(
            "replaced", "logits that are replaced by the penalty",
            "What the model thought of the token still counts; it only counts for less.",
            "Where do the old numbers of these columns enter?",
        ),
        idea(
            "only_these", "a result that holds the chosen columns only", "The other tokens can still be said.",
            "What shape has the result?",
        ),
        idea(
            "first_row", "one sentence that is changed, and the others not", "The penalty holds for every row.",
            "Over which rows does your index run?",
        ),
    ),
    hints=(
        "Take a copy, and change the copy. Giving a tensor a second name does not copy it.",
        "logits (B, V) and a list of column numbers -> (B, V), a tensor of its own",
        "copy = a clone of logits\nin all rows, the columns of ids: less by penalty\nreturn copy",
    ),
)  # fmt: skip


# A test that tells

CANDIDATES = ("right", "right_too", "in_place", "scribbles", "flips", "shifts", "adds", "half")
UNSEEN = {
    "in_place": "Your test never looks at x itself after the call, beside what it was before; or x holds zeros, "
    "which twice as much does not change.",
    "scribbles": "Your test never looks at the whole of x after the call, beside what it was before; or x ends on "
    "zeros, which writing zeros does not change.",
    "flips": "After the call your test compares x, or the result, with numbers that were changed along with it, "
    "or with rows that are all alike.",
    "shifts": "After the call your test compares x, or the result, with numbers that were changed along with it.",
    "adds": "Your test never looks at the numbers of the result.",
    "half": "Your test does not look at every row of the result.",
}  # fmt: skip


def candidate(name: str) -> Doubler:
    """A function that shall give twice x and leave x alone, by name."""

    def double(x: Tensor) -> Tensor:
        if name == "right_too":
            return x.clone().mul_(2)
        if name == "in_place":
            return x.mul_(2)
        if name == "scribbles":
            result = x * 2
            x[-1] = 0
            return result
        if name == "flips":
            x.copy_(x.flip(0))
        if name == "shifts":
            x.add_(1)
        if name == "half":
            return torch.cat((x[:1] * 2, x[1:]))
        return x * 2 + 1 if name == "adds" else x * 2

    return double


def faulty_test(bugs: Bugs) -> Callable[[Doubler], bool]:
    """A test of such a function; with bugs, one that looks at too little."""

    def accept(double: Doubler) -> bool:
        if "anything" in bugs or "nothing" in bugs:
            return "anything" in bugs
        x = torch.ones(3, 2) if "rows_alike" in bugs else torch.arange(1.0, 7.0).view(3, 2)
        before = x if "alias" in bugs else x.clone()
        result = double(x)
        fits = result == 2 * before
        right = bool(fits.any() if "some" in bugs else fits.all())
        kept = bool(torch.equal(x, before))
        if "result_only" in bugs:
            return right
        return kept if "input_only" in bugs else right and kept

    return accept


def _line_up(rng: Generator) -> Sequence[Case]:
    path = "minillama.course.tasks.start_inputs:candidate"
    names = [str(name) for name in rng.permutation(CANDIDATES)]
    return [
        Case(name=f"candidate {i + 1}", args=(Made(path, {"name": name}),), unseen=UNSEEN.get(name, ""))
        for i, name in enumerate(names)
    ]


test_double = Task(
    id="start.test_double", lesson=LESSON, kind="test", title="Catch whoever touches the input", points=4,
    difficulty=3, importance=4, minutes=12,
    reference=faulty_test(frozenset()), faulty=faulty_test, cases=_line_up, driver="accepts",
    outputs=("your verdict",), time_limit_s=60.0,
    misconceptions=(
        idea(
            "anything", "a test that accepts everything", "Six of the eight are wrong.",
            "Which of your lines can fail?", 0.0,
        ),
        idea(
            "nothing", "a test that rejects everything", "Two of the eight are right.",
            "What would a right candidate have to do to pass?", 0.0,
        ),
        idea(
            "result_only", "a test that does not see what becomes of x",
            "A right result may come with an input that is spoilt. A second name for x shows nothing of it, nor does "
            "a copy that was handed over, nor an x of zeros.",
            "What does your test know about x after the call?",
        ),
        idea(
            "input_only", "a test of the input alone", "Whoever leaves x alone may still return nonsense.",
            "Which numbers must come back?",
        ),
        idea(
            "alias", "a comparison with a tensor that changes along with x",
            "`before = x` is a second name for the same numbers, and what you compute from x after the call comes from "
            "what is left of it.",
            "Which tensor in your test cannot be reached through x?",
        ),
        idea(
            "rows_alike", "a test in which all numbers, or all rows, are alike",
            "What changes places goes unseen if all is the same.",
            "Which numbers does your x hold?", 0.7,
        ),
        idea(
            "some", "a test that is content with a part of the result", "All numbers have to be twice those of x.",
            "How many numbers of the result may be wrong before your test says no?", 0.7,
        ),
    ),
    hints=(
        "Keep what x was in a tensor that nobody else can reach, and look at two things after the call.",
        "x (T, D) with rows that differ; a copy of it; the result (T, D)",
        "before = copy of x\nresult = candidate(x)\nis x still before? is result twice before?",
    ),
)  # fmt: skip
