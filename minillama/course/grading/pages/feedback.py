"""A learner's page: what is right, what is not yet, and where to go on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from minillama.course.grading.drawing import digest
from minillama.course.grading.pages import words
from minillama.course.grading.pages.rendering import render
from minillama.course.grading.pages.words import count, number, points
from minillama.course.grading.records import LIMITS_ONLY, LearnerResult, TaskOutcome
from minillama.course.tasks import LESSONS

NOT_GRADED = {
    "unreadable": "This file could not be read, so nothing is graded yet. Mend what is said below and hand it in.",
    "failed": "The grader itself failed over this file. That is no fault of yours: it will be graded again.",
    "missing": "Nothing was handed in.",
}


@dataclass(frozen=True, kw_only=True)
class TaskView:
    """One task on a page.

    Args:
        number: its place in the notebook, from 1.
        outcome: what came of it.
        state: that, for people.
        more: whether there is more to say than its line in the table.
    """

    number: int
    outcome: TaskOutcome
    state: words.State
    more: bool

    @property
    def earned(self) -> str:
        """Its points, or that nobody has given them yet."""
        waits = self.outcome.status == "recorded" and not self.outcome.adjusted
        earned = "–" if waits else number(self.outcome.points)
        return f"{earned} of {number(self.outcome.possible)}"

    def again(self, lesson: str) -> str:
        """Where to look again; empty where there is nothing to look for, or, in a pack, to be looked into."""
        if self.state.tone not in ("bad", "part") or lesson not in LESSONS:
            return ""
        number = lesson.partition("_")[0]
        where = f"“{self.outcome.section}” in lesson {number}" if self.outcome.section else f"lesson {number}"
        return f'Look again at {where}, or run `course.hint("{self.outcome.task}")`.'


@dataclass(frozen=True, kw_only=True)
class ResultView:
    """One lesson of one learner on a page.

    Args:
        result: the attempt that counts.
        tasks: its tasks.
        summary: how it stands, in a sentence or two.
        others: the learner's other attempts at the same.
    """

    result: LearnerResult
    tasks: tuple[TaskView, ...]
    summary: str
    others: tuple[LearnerResult, ...]

    def number_of(self, one: LearnerResult) -> int:
        """Which attempt at this lesson one of them is, from 1."""
        return 1 + sum(each.attempt < one.attempt for each in (self.result, *self.others))

    @property
    def late(self) -> str:
        """That it came late, and what that costs; empty where it did not."""
        result = self.result
        if not (result.late or result.lateness or result.penalty):
            return ""
        took = f"{points(result.penalty)} less" if result.penalty else "no points less"
        return f"Handed in {result.lateness + ' ' if result.lateness else ''}late: {took}."


def page_name(seed: str, learner: str) -> str:
    """The name of a learner's files, without a suffix: readable, safe, and not to be guessed without the seed."""
    return "-".join(filter(None, (words.slug(learner), digest(seed, "page", learner)[:5].hex())))


def is_limited(results: Iterable[LearnerResult]) -> bool:
    """Whether something ran with limits only, which is not tamper-resistant."""
    return any(each.sandbox == LIMITS_ONLY for each in results)


def feedback_page(
    counted: Sequence[LearnerResult], others: Sequence[LearnerResult] = (), limited: bool = False
) -> bytes:
    """The page of one learner.

    Args:
        counted: of each lesson the attempt that counts.
        others: their attempts that do not; those without a lesson could not be read, and may be of any.
        limited: the run was with limits only.
    """
    views = [view_of(each, [one for one in others if one.lesson in (each.lesson, "")]) for each in counted]
    first = counted[0]
    return render(
        "feedback.html", name=words.name_of(first), learner=first.learner, views=views,
        limited=limited or is_limited(counted), title=title_of(counted), not_graded=NOT_GRADED,
    )  # fmt: skip


def title_of(results: Sequence[LearnerResult]) -> str:
    """The lessons that a page is about."""
    return words.joined([words.lesson_title(each.lesson) for each in results if each.lesson]) or "Feedback"


def view_of(result: LearnerResult, others: Sequence[LearnerResult] = ()) -> ResultView:
    """What of a result is shown; of a file that was not graded only the tasks that a person gave points to."""
    tasks = tuple(
        TaskView(number=place, outcome=each, state=words.state_of(each), more=_has_more(each))
        for place, each in enumerate(result.outcomes, 1)
        if result.status == "graded" or each.adjusted
    )
    return ResultView(result=result, tasks=tasks, summary=summary_of(tasks), others=tuple(others))


def _has_more(outcome: TaskOutcome) -> bool:
    silent = ("passed", "stub", "missing")
    return outcome.status not in silent or bool(outcome.comment or outcome.answer or outcome.adjusted)


def summary_of(tasks: Sequence[TaskView]) -> str:
    """How it stands, and where to go on."""
    if not tasks:
        return ""
    tones = [each.state.tone for each in tasks]
    waiting = sum(each.outcome.status == "recorded" and not each.outcome.adjusted for each in tasks)
    right, partly = tones.count("good"), tones.count("part")
    if right == len(tasks):
        return "Every task is right." if right > 1 else "It is right."
    said = []
    if right:
        said.append(f"{right} of {count(len(tasks), 'task')} {'is' if right == 1 else 'are'} right")
    if partly:
        said.append(count(partly, "is partly right", "are partly right"))
    if waiting:
        said.append(count(waiting, "waits for a person to read it", "wait for a person to read them"))
    sentence = f"{words.joined(said)}." if said else "This is a beginning."
    to_do = [each for each in tasks if each.state.tone in ("part", "bad")] or [
        each for each in tasks if each.outcome.status in ("stub", "missing")
    ]
    nearest = max(to_do, key=lambda each: each.outcome.credit, default=None)
    if nearest is None:
        return sentence
    close = "closest to done" if nearest.outcome.credit else "a good place to go on"
    return f"{sentence} Task {nearest.number} is {close}."
