"""From a verdict to an outcome: what a learner may be told. Never a hidden input, never a number of the reference."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from minillama.course.comparing import Difference
from minillama.course.grading.records import PRECISION, TaskOutcome
from minillama.course.grading.untrusted import clean_text
from minillama.course.judging import STRUCTURE, Verdict
from minillama.course.raising import missing_name, question_about
from minillama.course.record import Case, Task
from minillama.course.running import Observation
from minillama.course.wording import GENERAL, MUTATED

OPEN_BOOK = ("trace", "complete", "rebuild")  # kinds whose public solution has the answer, whoever is asked
MAX_SHOWN = 300  # characters of a value
MAX_ANSWER = 4_000  # characters of an answer that a person reads
LOOKS_LIKE, TOGETHER = "This looks like ", " together with "
PUBLIC_MEMBER = (
    "It does what the public solution does. Your notebook asks for something else: read again what yours says."
)
SHAPES = (*STRUCTURE, "dtype", "length")  # kinds of difference in which what was expected gives no number away


def outcome_of(task: Task, verdict: Verdict, elsewhere: frozenset[str] = frozenset()) -> TaskOutcome:
    """What becomes of a verdict.

    Args:
        task: its record, in the learner's variant.
        verdict: of judging.py.
        elsewhere: names that the learner's file defines in cells that are not graded.
    """
    found, seen = verdict.difference, verdict.observation
    shown = found is not None and verdict.status == "wrong"
    return bare(
        task, verdict.status, credit=round(verdict.credit, PRECISION),
        misconceptions=tuple(each.name for each in verdict.names),
        sentence=_sentence(task, verdict), advice=tuple(_advice(task, verdict, elsewhere)),
        where=_where(found) if shown and found else "", got=_cut(found.got) if shown and found else "",
        expected_shape=_cut(found.expected) if shown and found and found.kind in SHAPES[1:] else "",
        case=verdict.case.name if verdict.case and task.kind != "trace" else "",
        printed=_cut(seen.printed) if seen else "",
    )  # fmt: skip


def of_public_member(outcome: TaskOutcome) -> TaskOutcome:
    """The outcome of an answer that does what the public solution does, where its learner was asked something else."""
    return replace(outcome, credit=0.0, advice=(PUBLIC_MEMBER, *outcome.advice))


def ideas_in(outcome: TaskOutcome) -> tuple[str, ...]:
    """What each misconception of an outcome looks like, in the order of their names."""
    words = outcome.sentence.removeprefix(LOOKS_LIKE).removesuffix(".")
    parts = tuple(words.split(TOGETHER))
    return parts if len(parts) == len(outcome.misconceptions) else (words,) * len(outcome.misconceptions)


def recorded(task: Task, outcome: TaskOutcome, seen: Sequence[Observation], cases: Sequence[Case]) -> TaskOutcome:
    """The outcome of an answer that a person reads, with its text, line by line: the question, and what was written."""
    written = [one.output if isinstance(one.output, str) else repr(one.output) for one in seen]
    lines = [
        f"{case.name}: {clean_text(_limited(each, MAX_ANSWER))}" for case, each in zip(cases, written, strict=False)
    ]
    return replace(outcome, answer=_limited("\n".join(lines), MAX_ANSWER), rubric=task.rubric)


def _limited(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def bare(task: Task, status: str, **more: Any) -> TaskOutcome:
    """An outcome with what every one of a task has."""
    return TaskOutcome(
        task=task.id, kind=task.kind, title=task.title, possible=float(task.points), status=status,
        open_book=task.kind in OPEN_BOOK, **{"credit": 0.0} | more,
    )  # fmt: skip


def _cut(text: str) -> str:
    return _limited(text, MAX_SHOWN)


def _where(found: Difference) -> str:
    return f"{found.where}[{', '.join(map(str, found.index))}]" if found.index else found.where


def _sentence(task: Task, verdict: Verdict) -> str:
    """What was seen."""
    seen, found = verdict.observation, verdict.difference
    if verdict.names:
        return f"{LOOKS_LIKE}{TOGETHER.join(each.looks_like for each in verdict.names)}."
    if verdict.status == "passed":
        return f"Right on all {verdict.cases} calls."
    if verdict.status == "recorded":
        return "A person reads this answer."
    if verdict.status == "lost":
        return f"The process that ran it ended after {verdict.cases} calls."
    if verdict.status == "forbidden" and seen is not None:
        return f"It calls {_cut(seen.error)}, which does the whole task."
    if verdict.status == "too slow":
        return f"It was still running after {task.time_limit_s:.0f} seconds, and stopped."
    if verdict.status == "mutated":
        return "The result is right, but an argument was changed by the call."
    if verdict.status == "stub":
        return f"Not written yet: {_cut(seen.error)}." if seen and seen.error else "Not written yet."
    if verdict.status == "raised" and seen is not None:
        return f"It raised {_cut(seen.error)}" + (f", at {_cut(seen.error_line)}." if seen.error_line else ".")
    return _difference(task, verdict, found)


def _difference(task: Task, verdict: Verdict, found: Difference | None) -> str:
    if found is None:
        return "It is not right."
    if task.kind == "test" and verdict.case is not None:
        return f"Your test {'accepts' if found.got == '1' else 'rejects'} {verdict.case.name}, which is wrong."
    if verdict.probe is not None:
        return f"It breaks a property that every right answer has: {verdict.probe[0].name}."
    share = f" ({found.wrong} of {found.total} elements are wrong)" if found.total > 1 else ""
    if found.kind in SHAPES:
        has = {"shape": "has shape", "length": "has"}.get(found.kind, "is")
        return f"{found.where} {has} {_cut(found.got)}, expected {_cut(found.expected)}."
    return f"{_where(found)} is {_cut(found.got)}, and that is not it{share}."


def _advice(task: Task, verdict: Verdict, elsewhere: frozenset[str]) -> list[str]:
    """What is so instead, and where to look."""
    seen, found = verdict.observation, verdict.difference
    if verdict.names:
        return [*[each.principle for each in verdict.names], verdict.names[-1].question]
    if verdict.status == "raised" and seen is not None:
        name = missing_name(seen.error)
        if name in elsewhere:
            return [f"`{name}` is defined in a cell of its own, and only answers are graded: put it into the answer's."]
        return [question_about(seen.error)]
    if verdict.status == "mutated":
        return list(MUTATED)
    if verdict.status == "wrong" and verdict.probe is not None:
        return [verdict.probe[0].principle, verdict.probe[0].question]
    if verdict.status == "wrong" and task.driver == "accepts" and verdict.case is not None and verdict.case.unseen:
        return [verdict.case.unseen]
    if verdict.status == "wrong" and found is not None and task.kind != "trace":
        asked_for = found.kind == "dtype" and not re.search("float16", found.expected)
        return [line for line in GENERAL["dtype asked for" if asked_for else found.kind] if line]
    return []
