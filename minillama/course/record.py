"""What a task is: one record, from which checks, feedback, exercises and grades follow.

A record is data and pure functions. It says which inputs to try (`plan`), what the reference gives for them, and what
each known misunderstanding gives instead. The learner's answer never enters it: only what the answer returned, as plain
values (see plain.py), is compared, so the two may live in different processes.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from minillama.errors import ConfigError

Kind = Literal["trace", "complete", "rebuild", "vary", "diagnose", "test", "experiment"]
KINDS: tuple[Kind, ...] = ("trace", "complete", "rebuild", "vary", "diagnose", "test", "experiment")
Bugs = frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One call of the answer.

    Args:
        name: what is special about these inputs, to follow the word "with": "3 heads and 7 positions".
        args: positional arguments, plain values.
        part: of the subject that it belongs to; an attempt in a lesson may leave a part out, see `Task.without`.
        unseen: of a candidate that a test of the learner's has to judge: what a test that is wrong about it has not
            looked at, as a sentence.
    """

    name: str
    args: tuple[Any, ...] = ()
    part: str = ""
    unseen: str = ""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A property that every right answer has, whatever its numbers.

    Args:
        name: in a few words, "lengths stay".
        cases: the calls that it needs, from a random generator.
        broken: (cases, what each gave as float64 arrays or tuples of them) -> what was seen, as a sentence with the
            numbers in it; None where the property holds.
        principle: why it must hold.
        question: where to look.
    """

    name: str
    cases: Callable[[np.random.Generator], Sequence[Case]]
    broken: Callable[[Sequence[Case], Sequence[Any]], str | None]
    principle: str
    question: str


@dataclass(frozen=True, kw_only=True)
class Misconception:
    """A wrong idea that gives wrong numbers of its own.

    Args:
        name: short and stable, "wrong_sign"; it is the name of the switch in `Task.faulty`.
        looks_like: the idea in words, to follow "this looks like".
        principle: what is so instead, without the line that mends it.
        question: what leads there.
        credit: share of the task's points for an answer that has this fault alone.
        signature: for faults whose exact numbers depend on the spelling: (cases, outputs, expected) -> is it this one?
            None compares the numbers with those of `Task.faulty`.
    """

    name: str
    looks_like: str
    principle: str
    question: str
    credit: float = 0.5
    signature: Callable[[Sequence[Case], Sequence[Any], Sequence[Any]], bool] | None = None


@dataclass(frozen=True, kw_only=True)
class Task:
    """One exercise.

    Args:
        id: "module.name".
        lesson: stem of the notebook, "04_rope".
        kind: one of KINDS.
        title: what to do, in the imperative.
        points: what it is worth.
        difficulty, importance: 1 to 5.
        minutes: that it takes.
        reference: gives the right outputs; for a trace, the value of each question by the case's name.
        cases: what to try, from a random generator; inputs that bring out each misconception are among them.
        hints: idea, shapes, pseudocode.
        faulty: (bugs) -> the implementation that has these bugs; without any it equals the reference.
        misconceptions: the bugs, with their sentences.
        probes: see Probe.
        outputs: a name for each thing returned.
        rtol, atol: relative and absolute tolerance.
        half_tolerance: both, for results in 16 bits.
        same_dtype: a result in 16 bits must stay in them.
        exact_dtype: a result must have the reference's dtype, whichever it is; for tasks that say so.
        forbidden: "module:name" of what the answer may not call.
        piece: "module:name" of the definition in the package that the answer can replace.
        driver: function of drivers.py that calls the answer.
        framework: "torch" or "numpy", of the arrays that the answer gets.
        time_limit_s: for one call.
        family: values that each parameter of a variant may take; see `build`. The first of each make the public member,
            which notebooks show and solutions answer.
        build: makes the task for one choice of the family's parameters.
        phrases: what the notebook says of this member of the family and not of another, in the text above the answer
            and in the answer's cell; equally many for every member, in one order.
        rubric: of an experiment, by what a person gives its points: a line for each, with its share.
    """

    id: str
    lesson: str
    kind: Kind
    title: str
    points: float
    difficulty: int
    importance: int
    minutes: int
    reference: Callable[..., Any]
    cases: Callable[[np.random.Generator], Sequence[Case]]
    hints: tuple[str, str, str]
    faulty: Callable[[Bugs], Callable[..., Any]] | None = None
    misconceptions: tuple[Misconception, ...] = ()
    probes: tuple[Probe, ...] = ()
    outputs: tuple[str, ...] = ("result",)
    rtol: float = 1e-4
    atol: float = 1e-5
    half_tolerance: float = 4e-3
    same_dtype: bool = True
    exact_dtype: bool = False
    forbidden: tuple[str, ...] = ()
    piece: str | None = None
    driver: str = "call"
    framework: Literal["torch", "numpy"] = "torch"
    time_limit_s: float = 10.0
    family: Mapping[str, tuple[Any, ...]] = field(default_factory=dict, hash=False)
    build: "Callable[..., Task] | None" = None
    phrases: tuple[str, ...] = ()
    rubric: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"task {self.id} has kind {self.kind!r}, expected one of {', '.join(KINDS)}")
        names = [each.name for each in self.misconceptions]
        if len(set(names)) != len(names):
            raise ConfigError(f"task {self.id} has two misconceptions of one name: give each its own")
        if names and self.faulty is None:
            raise ConfigError(f"task {self.id} has misconceptions but no `faulty` implementation: add one")

    @property
    def name(self) -> str:
        """What the answer is called in the notebook."""
        return self.id.rpartition(".")[2]

    @property
    def headline(self) -> str:
        """The line that stands above the exercise."""
        return (
            f"*{self.kind} · difficulty {self.difficulty}/5 · importance {self.importance}/5 · "
            f"{self.minutes} minutes · {self.points} point{'s' if self.points != 1 else ''}*"
        )

    def member(self, variant: Mapping[str, Any] | None) -> "Task":
        """The task for a choice of its family's parameters; the task itself for none.

        Raises:
            ConfigError: it has no such family, or no such value.
        """
        if not variant:
            return self
        if self.build is None:
            raise ConfigError(f"task {self.id} has no variants, and got {dict(variant)}: leave the variant out")
        for name, values in self.family.items():
            if variant.get(name) not in values:
                raise ConfigError(f"task {self.id} has no variant with {name}={variant.get(name)!r}, expected {values}")
        if variant.keys() - self.family.keys():
            raise ConfigError(f"task {self.id} varies in {', '.join(self.family)}, and got {dict(variant)}")
        return self.build(**variant)

    @property
    def members(self) -> list[dict[str, Any]]:
        """The parameters of every member of its family, the public one first; none for a task without variants."""
        choices = itertools.product(*self.family.values()) if self.family else ()
        return [dict(zip(self.family, values, strict=True)) for values in choices]

    def without(self, part: str) -> "Task":
        """The task with the cases of one part left out, for an attempt that comes before the part is taught.

        Raises:
            ConfigError: no case belongs to it.
        """
        if not any(case.part == part for case in self.cases(np.random.default_rng(0))):
            raise ConfigError(f"task {self.id} has no part {part!r}, expected the part of one of its cases")
        cases = self.cases
        return replace(self, cases=lambda rng: [case for case in cases(rng) if case.part != part])

    def plan(self, seed: int) -> "Plan":
        """Everything that is called to judge one answer; equal for equal seeds."""
        generators = np.random.default_rng(seed).spawn(1 + len(self.probes))
        cases = list(self.cases(generators[0]))
        slices = []
        for probe, generator in zip(self.probes, generators[1:], strict=True):
            start = len(cases)
            cases.extend(probe.cases(generator))
            slices.append((probe, slice(start, len(cases))))
        return Plan(task=self, cases=tuple(cases), probes=tuple(slices))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The calls that judge one answer to a task.

    Args:
        task: the record.
        cases: all calls, those of the probes last.
        probes: each probe with the part of `cases` that it needs.
    """

    task: Task
    cases: tuple[Case, ...]
    probes: tuple[tuple[Probe, slice], ...]
