"""From what an answer gave to what is wrong with it. Nothing of the learner's runs here."""

import contextlib
import functools
import itertools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minillama.course.comparing import Difference, Tolerance, difference, to_numbers
from minillama.course.drivers import DRIVERS, RejectedError
from minillama.course.plain import to_input, to_plain
from minillama.course.record import Bugs, Case, Misconception, Plan, Probe, Task
from minillama.course.running import Observation

STRUCTURE = ("none", "type", "count", "shape")  # kinds of difference that leave no values to compare


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is to be said about an answer.

    Args:
        task: its record.
        status: "passed", "stub", "raised", "forbidden", "too slow", "mutated", "wrong", "recorded" (a person has to
            read it) or "lost" (the process that ran it ended early).
        case: the first call that went wrong.
        observation: what that call gave.
        difference: where it left the reference.
        probe: the first property that is broken, with what was seen.
        names: the misconceptions that give exactly these outputs: one, or a pair that does so together.
        alternatives: how many single misconceptions, or pairs, fit as well.
        cases: how many calls were made.
        credit: share of the points, 0 to 1.
    """

    task: Task
    status: str
    case: Case | None = None
    observation: Observation | None = None
    difference: Difference | None = None
    probe: tuple[Probe, str] | None = None
    names: tuple[Misconception, ...] = ()
    alternatives: int = 0
    cases: int = 0
    credit: float = 0.0

    @property
    def passed(self) -> bool:
        return self.status == "passed"


class _Unlike:
    """Stands for the output of an implementation that raised."""


class _Known:
    """What the course's own implementations give on one plan; each is asked once, and only where it is needed."""

    def __init__(self, task: Task, seed: int) -> None:
        self.task, self.plan = task, task.plan(seed)
        self.outputs: dict[tuple[Bugs | None, int], Any] = {}

    def right(self, i: int) -> Any:
        """The reference's output for case i."""
        return self._output(None, i)

    def faulty(self, bugs: Bugs, i: int) -> Any:
        """The output for case i of the implementation with these bugs."""
        return self._output(bugs, i)

    def _output(self, bugs: Bugs | None, i: int) -> Any:
        if (bugs, i) not in self.outputs:
            made = None if bugs is None or self.task.faulty is None else self.task.faulty(bugs)
            function = self.task.reference if made is None else made
            self.outputs[bugs, i] = output_of(self.task, function, self.plan.cases[i])
        return self.outputs[bugs, i]


@functools.lru_cache(maxsize=1)
def _known(task: Task, seed: int) -> _Known:
    """Kept for the next answer to the same inputs: those who judge many answers judge them one after the other."""
    return _Known(task, seed)


def judge(task: Task, seed: int, observations: Sequence[Observation]) -> Verdict:
    """Compare what an answer gave on `task.plan(seed).cases` with the reference, and look for the reason.

    Args:
        task: the record.
        seed: that the inputs were drawn from.
        observations: one a case, in order; fewer where the run was cut short.
    """
    known = _known(task, seed)
    plan = known.plan
    observations = observations[: len(plan.cases)]
    if task.kind == "experiment":
        return _judge_experiment(task, observations)
    tolerance = _tolerance(task, task.same_dtype)
    expected = [known.right(i) for i in range(len(plan.cases))]
    problems: list[tuple[int, str, Difference | None]] = []
    for i, seen in enumerate(observations):
        status, found = _problem(seen, expected[i], _names(task, plan.cases[i]), tolerance)
        if status != "passed":
            problems.append((i, status, found))
    if not problems and len(observations) == len(plan.cases):
        return Verdict(task=task, status="passed", cases=len(plan.cases), credit=1.0)
    if not problems:
        return Verdict(task=task, status="lost", cases=len(observations))
    problems.sort(key=lambda each: _rank(task, *each[1:]))
    first, status, found = problems[0]
    keep = [first] if task.kind == "trace" else list(range(len(observations)))
    beside = [(i, kind, _beside_dtype(task, observations[i], expected[i], each)) for i, kind, each in problems]
    matches: list[tuple[Misconception, ...]] = []
    if status in ("wrong", "raised") and any(kind == "raised" or each is not None for _, kind, each in beside):
        matches = _explain(known, [observations[i] for i in keep], keep)
    names = matches[0] if matches else ()
    if names and found is not None and found.kind == "dtype":  # the idea says more than the dtype
        first, status, found = next(each for each in beside if each[2] is not None)
    of_values = status == "wrong" and found is not None and found.kind == "value"
    return Verdict(
        task=task, status=status, case=plan.cases[first], observation=observations[first], difference=found,
        probe=_broken_probe(plan, observations) if of_values else None, names=names,
        alternatives=max(0, len(matches) - 1), cases=len(observations),
        credit=_credit(known, names, observations, len(problems)),
    )  # fmt: skip


def _beside_dtype(task: Task, seen: Observation, expected: Any, found: Difference | None) -> Difference | None:
    """Where only the dtype was looked at so far, the difference of values, if any."""
    if found is None or found.kind != "dtype":
        return found
    return difference(seen.output, expected, task.outputs, _tolerance(task, False))


def _rank(task: Task, status: str, found: Difference | None) -> int:
    """What to speak of first: shapes and errors before values; of a trace, a wrong value before a missing one."""
    if status in ("stub", "mutated"):
        return 3
    apart = status != "wrong" or (found is not None and found.kind in STRUCTURE)
    return 0 if apart and task.kind != "trace" else 1


def _names(task: Task, case: Case) -> tuple[str, ...]:
    return (case.name,) if task.kind == "trace" else task.outputs


def _tolerance(task: Task, same_dtype: bool) -> Tolerance:
    return Tolerance(
        rtol=task.rtol, atol=task.atol, half=task.half_tolerance, same_dtype=same_dtype,
        exact_dtype=same_dtype and task.exact_dtype, exact_text=task.kind != "trace",
    )  # fmt: skip


def output_of(task: Task, function: Callable[..., Any], case: Case) -> Any:
    """What one of the course's own implementations gives, as a plain value; _Unlike where it raises."""
    with contextlib.suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return to_plain(DRIVERS[task.driver](function, *(to_input(each, task.framework) for each in case.args)))
        except RejectedError:
            return False
    return _Unlike


def _judge_experiment(task: Task, observations: Sequence[Observation]) -> Verdict:
    filled = observations and all(seen.kind == "returned" and seen.output not in (None, "") for seen in observations)
    return Verdict(task=task, status="recorded" if filled else "stub", cases=len(observations))


def _problem(
    seen: Observation, expected: Any, names: tuple[str, ...], tolerance: Tolerance
) -> tuple[str, Difference | None]:
    if seen.kind != "returned":
        return seen.kind, None
    found = difference(seen.output, expected, names, tolerance)
    if found is not None:
        return "wrong", found
    return ("mutated", None) if seen.changed else ("passed", None)


def _explain(known: _Known, seen: Sequence[Observation], keep: Sequence[int]) -> list[tuple[Misconception, ...]]:
    """Every single misconception that gives these outputs, of the cases to keep; where none does, every pair."""
    task = known.task
    if task.faulty is None:
        return []
    exact = [m for m in task.misconceptions if m.signature is None]
    fits = [m for m in exact if _gives(known, frozenset({m.name}), seen, keep)]
    if not fits:
        cases, expected = [known.plan.cases[i] for i in keep], [known.right(i) for i in keep]
        guessed = (m for m in task.misconceptions if m.signature is not None)
        sound = all(_is_sound(task, *each) for each in zip(seen, expected, strict=True))
        fits = [m for m in guessed if sound and _fits(m, cases, seen, expected)]
    if fits or task.kind == "trace":
        return [(m,) for m in fits]
    pairs = itertools.combinations(exact, 2)
    return [pair for pair in pairs if _gives(known, frozenset(m.name for m in pair), seen, keep)]


def _is_sound(task: Task, seen: Observation, expected: Any) -> bool:
    """Nothing was returned, or something of the shape that is expected."""
    if seen.kind != "returned":
        return True
    found = difference(seen.output, expected, task.outputs, _tolerance(task, False))
    return found is None or found.kind not in STRUCTURE


def _fits(m: Misconception, cases: Sequence[Case], seen: Sequence[Observation], expected: Sequence[Any]) -> bool:
    """A signature is a guess from numbers of any shape: one that cannot be computed, or has none to see, says no."""
    assert m.signature is not None
    kept = [i for i, each in enumerate(seen) if each.kind == "returned"]
    if not kept:
        return False
    with contextlib.suppress(Exception), np.errstate(all="ignore"):
        return m.signature(
            [cases[i] for i in kept],
            [to_numbers(seen[i].output) for i in kept],
            [to_numbers(expected[i]) for i in kept],
        )
    return False


def _gives(known: _Known, bugs: Bugs, seen: Sequence[Observation], keep: Sequence[int]) -> bool:
    """Do these bugs give these outputs, wherever both gave any, and somewhere other than the right ones?"""
    names, tolerance, telling = known.task.outputs, _tolerance(known.task, False), False
    for i, each in zip(keep, seen, strict=True):
        output = known.faulty(bugs, i) if each.kind == "returned" else _Unlike
        if output is _Unlike:
            continue
        if difference(each.output, output, names, tolerance) is not None:
            return False
        telling |= difference(output, known.right(i), names, tolerance) is not None
    return telling


def _broken_probe(plan: Plan, observations: Sequence[Observation]) -> tuple[Probe, str] | None:
    for probe, part in plan.probes:
        seen = observations[part]
        if len(seen) < len(plan.cases[part]) or any(each.kind != "returned" for each in seen):
            continue
        with contextlib.suppress(Exception):  # outputs of any type and shape come here
            sentence = probe.broken(plan.cases[part], [to_numbers(each.output) for each in seen])
            if sentence is not None:
                return probe, sentence
    return None


def _credit(known: _Known, names: Sequence[Misconception], seen: Sequence[Observation], problems: int) -> float:
    """Share of the points for a wrong answer: of a trace what is right, else what its misconceptions leave.

    Of those nothing, where the answer gave nothing in more than a quarter of the calls in which they give something:
    with an error in the others, any answer looks like an idea.
    """
    cases = len(known.plan.cases)
    if known.task.kind == "trace":
        return (len(seen) - problems) / cases
    bugs, gave = frozenset(m.name for m in names), [each.kind == "returned" for each in seen]
    silent = [i for i in range(cases) if not (i < len(gave) and gave[i]) and known.faulty(bugs, i) is not _Unlike]
    return max(0.0, 1 - sum(1 - m.credit for m in names)) if names and len(silent) <= cases / 4 else 0.0
