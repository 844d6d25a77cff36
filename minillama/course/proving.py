"""The tests of the tests: what every record must do with right, wrong and stray answers.

The course's own tests and `minillama pack check` both ask here. Each function gives the faults that it finds, none for
a record that holds.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from minillama.course.judging import Verdict, judge
from minillama.course.messages import read_observations, write_observations
from minillama.course.plain import decode, encode
from minillama.course.record import Case, Misconception, Probe, Task
from minillama.course.running import observe
from minillama.course.wording import lines_of

TRIES = range(5)  # seeds for an answer of a book
MEMBER_TRIES = range(3)
RIGHT_SPELLINGS, WRONG_SPELLINGS, STRAY_ANSWERS = 3, 2, 1


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that a record or its notebook does not do.

    Args:
        task: id of the record, or name of the notebook.
        where: what was tried, in words.
        got, expected, remedy: what came of it, what should have, and what to do.
    """

    task: str
    where: str
    got: str
    expected: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.task}: {self.where}: got {self.got}, expected {self.expected}: {self.remedy}"


def _keep(answers: list[Any], answer: Any) -> Any:
    answers.append(answer)
    return answer


class Book:
    """Answers that are known to be right or wrong, written apart from the records; better by somebody else.

    RIGHT: task -> spellings that must pass. WRONG: (task, misconception) -> spellings that must fail and be named so.
    STRAY: task -> wrong answers that no misconception describes: they must fail and be named nothing.
    """

    def __init__(self) -> None:
        self.RIGHT: dict[str, list[Any]] = {}
        self.WRONG: dict[tuple[str, str], list[Any]] = {}
        self.STRAY: dict[str, list[Any]] = {}

    def right(self, task: str) -> Callable[[Any], Any]:
        """Decorates a right answer."""
        return partial(_keep, self.RIGHT.setdefault(task, []))

    def wrong(self, task: str, name: str) -> Callable[[Any], Any]:
        """Decorates an answer with a misconception."""
        return partial(_keep, self.WRONG.setdefault((task, name), []))

    def stray(self, task: str) -> Callable[[Any], Any]:
        """Decorates a wrong answer that must be named nothing."""
        return partial(_keep, self.STRAY.setdefault(task, []))


def verdict_of(task: Task, answer: Any, seed: int, cases: Sequence[Case] | None = None) -> Verdict:
    """As `check` does, with a seed; what was observed crosses to the judge as text, as it does in grading.

    Args:
        task: the record.
        answer: what it is to judge; of a task by hand, a function of the question will do.
        seed: of the inputs.
        cases: those of the seed, for who has them already: some are looked for among thousands of draws.
    """
    cases = task.plan(seed).cases if cases is None else cases
    if task.kind == "trace" and callable(answer):
        answer = {case.name: answer(*case.args) for case in cases}
    return judge(task, seed, read_observations(write_observations(observe(task, answer, cases))))


def said(verdict: Verdict) -> str:
    """A verdict in one line, for whoever wrote the record."""
    names = "+".join(each.name for each in verdict.names)
    return f"{verdict.status}{f', named {names}' if names else ''} ({' '.join(lines_of(verdict))[:160]})"


def right_faults(task: Task, answer: Any, where: str) -> Iterator[Fault]:
    """A right answer passes with full credit; an experiment's is kept for a person."""
    wanted = "recorded" if task.kind == "experiment" else "passed"
    for seed in TRIES:
        verdict = verdict_of(task, answer, seed)
        if verdict.status != wanted or (wanted == "passed" and verdict.credit != 1):
            yield Fault(
                task=task.id, where=f"{where}, seed {seed}", got=said(verdict), expected=wanted,
                remedy="widen the tolerance, or let the record ask for no more than the text does",
            )  # fmt: skip
            return


def wrong_faults(task: Task, name: str, answer: Any, where: str) -> Iterator[Fault]:
    """An answer with a misconception fails, and is named so and nothing else."""
    for seed in TRIES:
        verdict = verdict_of(task, answer, seed)
        text = " ".join(lines_of(verdict))
        if (
            [each.name for each in verdict.names] != [name]
            or verdict.alternatives
            or verdict.status not in ("wrong", "raised")
            or verdict.credit >= 1
            or verdict.names[0].question not in text
            or "looks like" not in text
        ):
            yield Fault(
                task=task.id, where=f"{where}, seed {seed}", got=said(verdict), expected=f"wrong, named {name}",
                remedy="add a case that brings it out, or give it a signature",
            )  # fmt: skip
            return


def stray_faults(task: Task, answer: Any, where: str) -> Iterator[Fault]:
    """Any other wrong answer fails, and is named nothing."""
    for seed in TRIES:
        verdict = verdict_of(task, answer, seed)
        few = len(lines_of(verdict)) < (1 if verdict.status == "stub" else 2)
        if verdict.status not in ("wrong", "raised", "stub") or verdict.names or few:
            yield Fault(
                task=task.id, where=f"{where}, seed {seed}", got=said(verdict), expected="wrong, and named nothing",
                remedy="add a case in which it differs, or tighten the signature that takes it",
            )  # fmt: skip
            return


def spelling_faults(task: Task, books: Iterable[Any]) -> Iterator[Fault]:
    """A book holds right answers, two spellings of each misconception, and a stray answer."""
    book = next((each for each in books if task.id in each.RIGHT), None)
    if book is None:
        yield Fault(
            task=task.id, where="known answers", got="none", expected=f"{RIGHT_SPELLINGS} right ones and wrong ones",
            remedy="write them into a book of answers",
        )  # fmt: skip
        return
    counts = {"right answers": (len(book.RIGHT[task.id]), RIGHT_SPELLINGS)}
    counts["stray answers"] = (len(book.STRAY.get(task.id, ())), STRAY_ANSWERS)
    for each in task.misconceptions:
        counts[f"misconception {each.name}"] = (len(book.WRONG.get((task.id, each.name), ())), WRONG_SPELLINGS)
    for where, (got, least) in counts.items():
        if got < least:
            yield Fault(
                task=task.id, where=where, got=f"{got} spellings", expected=f"{least} or more",
                remedy="write the other as somebody else would",
            )  # fmt: skip


def book_faults(task: Task, book: Any) -> Iterator[Fault]:
    """What a book knows of a task is judged as it says."""
    for i, answer in enumerate(book.RIGHT.get(task.id, ()), 1):
        yield from right_faults(task, answer, f"right answer {i}")
    for (name, idea), answers in book.WRONG.items():
        for i, answer in enumerate(answers if name == task.id else (), 1):
            yield from wrong_faults(task, idea, answer, f"misconception {idea}, spelling {i}")
    for i, answer in enumerate(book.STRAY.get(task.id, ()), 1):
        yield from stray_faults(task, answer, f"stray answer {i}")


def seed_faults(task: Task, seeds: Iterable[int]) -> Iterator[Fault]:
    """On every seed the reference passes, and each misconception is told from all others and from it."""
    if task.kind == "experiment":
        return
    for seed in seeds:
        cases = task.plan(seed).cases
        verdict = verdict_of(task, task.reference, seed, cases)
        if not verdict.passed:
            yield Fault(
                task=task.id, where=f"the reference, seed {seed}", got=said(verdict), expected="passed",
                remedy="mend a probe, or the cases",
            )  # fmt: skip
        yield from _misnamed(task, seed, cases, "")


def _misnamed(task: Task, seed: int, cases: Sequence[Case] | None, member: str) -> Iterator[Fault]:
    assert task.faulty is not None or not task.misconceptions
    for each in task.misconceptions:
        assert task.faulty is not None
        verdict = verdict_of(task, task.faulty(frozenset({each.name})), seed, cases)
        if [found.name for found in verdict.names] != [each.name] or verdict.alternatives:
            yield Fault(
                task=task.id, where=f"misconception {each.name}, seed {seed}{member}", got=said(verdict),
                expected=f"named {each.name} alone", remedy="add a case in which it differs from all others",
            )  # fmt: skip


def _copied(task: Task) -> Iterator[Fault]:
    """The public answer is the first member's, and no other's."""
    public, *others = task.members
    for variant in task.members:
        passed = verdict_of(task.member(variant), task.reference, MEMBER_TRIES[0]).passed
        if passed != (variant == public):
            yield Fault(
                task=task.id, where=f"variant {variant}", got=f"the public answer {'passes' if passed else 'fails'}",
                expected="that it answers the first member and no other",
                remedy="let the members ask for different things, and name the public one's values first",
            )  # fmt: skip
    if not others:
        yield Fault(
            task=task.id, where="family", got="one member", expected="the public one and others to draw from",
            remedy="give a parameter more values",
        )  # fmt: skip


def family_faults(task: Task) -> Iterator[Fault]:
    """Every member of a family passes, names its misconceptions, and has as many phrases as the public one."""
    if task.build is None:
        return
    yield from _copied(task)
    for variant in task.members:
        member = task.member(variant)
        if member.id != task.id or len(member.phrases) != len(task.phrases):
            yield Fault(
                task=task.id, where=f"variant {variant}", got=f"{member.id} with {len(member.phrases)} phrases",
                expected=f"{task.id} with {len(task.phrases)}", remedy="let `build` give every member equally many",
            )  # fmt: skip
        for seed in MEMBER_TRIES:
            if member.faulty is not None and not verdict_of(member, member.faulty(frozenset()), seed).passed:
                yield Fault(
                    task=task.id, where=f"variant {variant}, seed {seed}", got="`faulty` without bugs fails",
                    expected="the reference's outputs", remedy="mend the one or the other",
                )  # fmt: skip
            yield from _misnamed(member, seed, None, f", variant {variant}")


def record_faults(task: Task, lessons: Collection[str]) -> Iterator[Fault]:
    """Every field says something, in the form that feedback needs; the second spelling is the reference."""
    checks = {
        "lesson": (task.lesson in lessons, task.lesson, "the stem of a notebook"),
        "difficulty": (1 <= task.difficulty <= 5, task.difficulty, "1 to 5"),
        "importance": (1 <= task.importance <= 5, task.importance, "1 to 5"),
        "points": (task.points > 0, task.points, "more than 0"),
        "minutes": (task.minutes > 0, task.minutes, "more than 0"),
        "hints": (len(set(task.hints)) == 3, len(set(task.hints)), "three, each another"),
    }
    ideas: tuple[Misconception | Probe, ...] = (*task.misconceptions, *task.probes)
    for each in ideas:
        checks[f"{each.name}, question"] = (each.question.endswith("?"), each.question, "a ? at its end")
        checks[f"{each.name}, principle"] = (each.principle.endswith((".", "!")), each.principle, "a whole sentence")
    for idea in task.misconceptions:
        checks[f"{idea.name}, looks_like"] = (not idea.looks_like.endswith("."), idea.looks_like, "no full stop")
        checks[f"{idea.name}, credit"] = (0 <= idea.credit < 1, idea.credit, "0 or more, and less than 1")
    for where, (holds, got, expected) in checks.items():
        if not holds:
            yield Fault(task=task.id, where=where, got=repr(got), expected=expected, remedy="change the record")
    if (
        task.faulty is not None
        and task.kind != "experiment"
        and not verdict_of(task, task.faulty(frozenset()), 3).passed
    ):
        yield Fault(
            task=task.id, where="`faulty` without bugs", got="other outputs than the reference's", expected="the same",
            remedy="mend the one or the other",
        )  # fmt: skip


def input_faults(task: Task) -> Iterator[Fault]:
    """Inputs are equal for equal seeds, others for others, and nothing is lost on the way through JSON."""

    def text(seed: int) -> str:
        return json.dumps([encode(case.args) for case in task.plan(seed).cases])

    if text(1) != text(1):
        yield Fault(
            task=task.id, where="inputs of seed 1", got="others the second time", expected="the same",
            remedy="draw from the generator that `cases` is given, and from nothing else",
        )  # fmt: skip
    if task.kind not in ("trace", "experiment") and text(1) == text(2):
        yield Fault(
            task=task.id, where="inputs of seeds 1 and 2", got="the same", expected="others",
            remedy="draw some of them from the generator",
        )  # fmt: skip
    for case in task.plan(1).cases:
        back = decode(json.loads(json.dumps(encode(case.args))))
        if encode(back) != encode(case.args) or [type(each) for each in back] != [type(each) for each in case.args]:
            yield Fault(
                task=task.id, where=f"inputs with {case.name}", got="something else on the other side of JSON",
                expected="plain values", remedy="give arrays, numbers and text, and Made(...) for an object",
            )  # fmt: skip


def task_faults(task: Task, books: Sequence[Any], lessons: Collection[str], seeds: Iterable[int]) -> Iterator[Fault]:
    """Everything about one record."""
    yield from record_faults(task, lessons)
    yield from input_faults(task)
    yield from spelling_faults(task, books)
    for book in books:
        yield from book_faults(task, book)
    yield from seed_faults(task, seeds)
    yield from family_faults(task)
