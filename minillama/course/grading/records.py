"""What passes between the parts of the grader, and what is kept of a run.

    Submission     one file that was handed in, before anything of it is read
    TaskOutcome    one task of one submission: points, verdict, and what the learner may be told
    AnswerPrint    one answer as it is compared with others', without a word of it
    LearnerResult  one submission: its outcomes, and how the run went
    Run            what all submissions of one run have in common; the first line of the audit

All are plain data: `to_json` and `from_json` go there and back without loss. No outcome holds a hidden input, a
number of the reference or another learner's name, so every field may be shown to the learner it belongs to.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from minillama.errors import DataError

Record = TypeVar("Record")
PRECISION = 4  # decimals of points: shares of credit are simple fractions
BUBBLEWRAP, LIMITS_ONLY = "bubblewrap", "limits only"  # kinds of sandbox


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One file that was handed in.

    Args:
        learner: who, by the name that the folder, the file or the download gives; any text.
        file: a copy, or the file itself, that holds no more than the largest size that is read.
        name: what it was called where it came from, for messages.
        attempt: counted from 1 among the files of one learner, in the order of `submitted`, then of names.
        submitted: when, as ISO 8601, where the source says so; else empty.
        clock: whose word `submitted` is, in a class with dates: "platform", "file" (the file's own time, which a
            learner may set), "teacher", or empty where nobody says when.
        late: whether the source itself calls it late.
        identity: what else the source tells about the learner: "canvas", "moodle", "sid", "email" -> text.
        problem: why it cannot be read, as a sentence; empty where it can.
    """

    learner: str
    file: Path
    name: str
    attempt: int = 1
    submitted: str = ""
    clock: str = ""
    late: bool = False
    identity: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class TaskOutcome:
    """One task of one submission.

    Args:
        task: its id, "rope.apply_rope".
        kind: of the task, one of course.record.KINDS.
        title: what was to do.
        possible: points that it is worth.
        credit: share of them that was earned, 0 to 1.
        status: "passed", "wrong", "raised", "stub", "forbidden", "too slow", "mutated", "recorded" (a person reads it),
            "lost" (its process ended, or was stopped, before it was done), "tampered" (what came is not what the
            grader's own code writes) or "missing" (the file holds no such answer).
        misconceptions: the names of those that give exactly these values: one, or a pair.
        sentence: what was seen, in one sentence; never a number of the reference.
        advice: what is so instead, and where to look; sentences.
        where: which output, with an index: "cos[0, 1]".
        got: the learner's own value there, in words.
        expected_shape: shape, type or dtype that was asked for, where that is what differs; else empty.
        case: what was special about the inputs, "3 heads and 7 positions".
        section: heading of the lesson's section that teaches it; empty where none is about this task alone.
        printed: the beginning of what the answer printed.
        variant: the parameters of the family that this learner was given; empty where all have the same task.
        open_book: its solution is public, so its points are for completion.
        answer: what a person is to read, where the status is "recorded"; from the learner, shortened.
        rubric: by what a person gives points for it, sentences.
        adjusted: a person has given the points.
        comment: what a person says about it; for the learner.
    """

    task: str
    kind: str
    title: str
    possible: float
    credit: float
    status: str
    misconceptions: tuple[str, ...] = ()
    sentence: str = ""
    advice: tuple[str, ...] = ()
    where: str = ""
    got: str = ""
    expected_shape: str = ""
    case: str = ""
    section: str = ""
    printed: str = ""
    variant: Mapping[str, Any] = field(default_factory=dict)
    open_book: bool = False
    answer: str = ""
    rubric: tuple[str, ...] = ()
    adjusted: bool = False
    comment: str = ""

    @property
    def points(self) -> float:
        """What it earned."""
        return round(self.possible * self.credit, PRECISION)


@dataclass(frozen=True, kw_only=True)
class AnswerPrint:
    """One answer as it is compared with others: its prints, of which similarity/normal.py says what they are.

    Args:
        task: its id.
        size: how many prints it has beyond those of the cell that everybody starts with.
        public: share of these that stand in solutions, lesson or package.
        own: the others, packed by similarity/prints.py.
        readable: whether it could be read as Python, within limits.
    """

    task: str
    size: int = 0
    public: float = 0.0
    own: str = ""
    readable: bool = True


@dataclass(frozen=True, kw_only=True)
class LearnerResult:
    """One submission, graded.

    Args:
        learner, name, attempt, submitted, clock, late, identity: of the Submission; in a class, `identity` holds what
            the roster knows, and "group" where one was handed in for all.
        lesson: stem of the notebook, "04_rope"; empty where it could not be told.
        sha256: of the file that was graded.
        status: "graded", "unreadable" (`notes` say why), "failed" (the grader itself did; grade it again) or "missing"
            (somebody of the roster handed in nothing).
        sandbox: BUBBLEWRAP, or LIMITS_ONLY, which is not tamper-resistant; empty where nothing ran.
        outcomes: one a task, in the order of the notebook.
        notes: what a teacher should know: cells that were ignored, a limit that was reached; sentences.
        prints: of the answers that are compared with others'.
        lateness: how late it is, in words: "2 h 5 min"; empty where it is in time, nothing is due, or nobody knows.
        penalty: points that lateness takes.
        counts: whether it may count: not too late, and not one attempt too many.
    """

    learner: str
    name: str
    lesson: str
    sha256: str
    status: str
    attempt: int = 1
    submitted: str = ""
    clock: str = ""
    late: bool = False
    identity: Mapping[str, str] = field(default_factory=dict)
    sandbox: str = ""
    outcomes: tuple[TaskOutcome, ...] = ()
    notes: tuple[str, ...] = ()
    prints: tuple[AnswerPrint, ...] = ()
    lateness: str = ""
    penalty: float = 0.0
    counts: bool = True

    @property
    def points(self) -> float:
        """What all tasks earned, before anything is taken for lateness."""
        return round(sum(each.points for each in self.outcomes), PRECISION)

    @property
    def total(self) -> float:
        """What is left of it."""
        return round(self.points - self.penalty, PRECISION)

    @property
    def possible(self) -> float:
        """What all tasks are worth."""
        return round(sum(each.possible for each in self.outcomes), PRECISION)


def not_run(submission: Submission, status: str, *notes: str) -> LearnerResult:
    """The result of a submission of which nothing has run: "unreadable" or "failed"."""
    return LearnerResult(
        learner=submission.learner, name=submission.name, lesson="", sha256="", status=status,
        attempt=submission.attempt, submitted=submission.submitted, clock=submission.clock, late=submission.late,
        identity=submission.identity, notes=notes,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Run:
    """What the submissions of one run have in common: with it, and the files, a regrade is exact.

    Args:
        seed: that all inputs are drawn from, as 32 hexadecimal digits; secret until the grades are out.
        course: digest of the records and notebooks that were graded with.
        versions: of minillama, nbval, torch, numpy and Python.
        pack: digest of the teacher's private folder; empty without one.
        sandbox: as in LearnerResult.
        shard: (i, n), from 1: this run graded the i-th of n parts.
        learners: digest of everybody's names, where this is one of several parts; empty for all of it.
    """

    seed: str
    course: str
    versions: Mapping[str, str]
    pack: str = ""
    sandbox: str = ""
    shard: tuple[int, int] = (1, 1)
    learners: str = ""


def audit_line(result: LearnerResult, who: str) -> dict[str, Any]:
    """What the audit keeps of one submission: everything that decides a grade, and no name.

    Args:
        result: the submission.
        who: the learner's pseudonym.

    Returns:
        {"kind": "submission", "who", "attempt", "submitted", "clock", "late", "lateness", "sha256", "lesson", "status",
        "sandbox", "points", "penalty", "possible", "counts", "notes", "outcomes"}; of each outcome "task", "status",
        "credit", "points", "possible", "misconceptions", "variant" and "adjusted". Where the grader itself failed there
        are no notes: an error of the system may name a file, and so a learner.
    """
    kept = ("task", "status", "credit", "points", "possible", "misconceptions", "variant", "adjusted")
    return {
        "kind": "submission", "who": who, "attempt": result.attempt, "submitted": result.submitted,
        "clock": result.clock, "late": result.late, "lateness": result.lateness, "sha256": result.sha256,
        "lesson": result.lesson, "status": result.status, "sandbox": result.sandbox, "points": result.points,
        "penalty": result.penalty, "possible": result.possible, "counts": result.counts,
        "notes": list(result.notes) if result.status != "failed" else [],
        "outcomes": [to_plain_json({name: getattr(each, name) for name in kept}) for each in result.outcomes],
    }  # fmt: skip


def to_json(record: Any) -> dict[str, Any]:
    """A record as JSON."""
    fields = dataclasses.fields(record)
    return {each.name: to_plain_json(getattr(record, each.name)) for each in fields}


def to_plain_json(value: Any) -> Any:
    """A field of a record as JSON."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_json(value)
    if isinstance(value, Mapping):
        return {str(key): to_plain_json(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain_json(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def from_json(kind: type[Record], data: Any) -> Record:
    """The record that `to_json` wrote.

    Raises:
        DataError: not such a record.
    """
    try:
        hints = typing.get_type_hints(kind)
        return kind(**{name: _from_field(hints[name], value) for name, value in data.items()})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"a damaged record ({error}): expected what minillama grade wrote") from error


def _from_field(hint: Any, value: Any) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        return from_json(hint, value)  # type: ignore[arg-type]
    if hint is Path:
        return Path(value)
    if origin is tuple:
        kinds = [inner[0]] * len(value) if inner[-1] is ... else inner
        return tuple(_from_field(kind, each) for kind, each in zip(kinds, value, strict=True))
    if origin in (Mapping, dict, typing.Union, types.UnionType) or hint is Any:
        return value
    if hint is float and type(value) is int:
        return float(value)
    if not isinstance(value, hint):
        raise TypeError(f"got a {type(value).__name__}, expected a {hint.__name__}")
    return value
