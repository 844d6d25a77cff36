"""What a class did in one lesson: how its points are spread, its tasks from the hardest on, and its misconceptions."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from minillama.course.grading.pages.words import count, joined, name_of, percent, state_of
from minillama.course.grading.records import LearnerResult, TaskOutcome
from minillama.course.grading.telling import ideas_in

BINS = 10
FEW = 4  # learners: with fewer, quarters of the class say nothing


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Learners whose share of the points is from `low` to below `high` percent; the last takes those with all."""

    low: int
    high: int
    learners: int
    height: float  # of its column, 0 to 1


@dataclass(frozen=True, kw_only=True)
class TaskShare:
    """One task of a class.

    Args:
        number: its place in the notebook.
        task, title, kind: of it.
        share: of its points that the class earned, of those whose answer is judged.
        right, partly, wrong, open: how many.
    """

    number: int
    task: str
    title: str
    kind: str
    share: float
    right: int
    partly: int
    wrong: int
    open: int

    @property
    def parts(self) -> list[tuple[str, float, float]]:
        """Of its bar: tone, start and size, in percent."""
        total = self.right + self.partly + self.wrong + self.open
        sizes = [("good", self.right), ("part", self.partly), ("bad", self.wrong)]
        parts, start = [], 0.0
        for tone, size in sizes:
            parts.append((tone, start, 100 * size / total))
            start += 100 * size / total
        return parts

    @property
    def in_words(self) -> str:
        """The same as a sentence."""
        named = [
            (self.right, "right"),
            (self.partly, "partly right"),
            (self.wrong, "not right yet"),
            (self.open, "open"),
        ]
        return ", ".join(f"{how_many} {words}" for how_many, words in named if how_many)


@dataclass(frozen=True, kw_only=True)
class Idea:
    """One misconception of a class.

    Args:
        sentence: what it looks like.
        principle: what is so instead; empty where it came along with another.
        number, title: of the task.
        learners: who has it.
        share: of those who were graded.
    """

    sentence: str
    principle: str
    number: int
    title: str
    learners: tuple[str, ...]
    share: float


@dataclass(frozen=True, kw_only=True)
class LessonView:
    """One lesson of a class.

    Args:
        stem: of its notebook.
        graded: how many.
        bins: see Bin; empty where nobody was graded.
        spread: the middle of the class, in words.
        tasks: the hardest first.
        ideas: the most frequent first.
    """

    stem: str
    graded: int
    bins: tuple[Bin, ...]
    spread: str
    tasks: tuple[TaskShare, ...]
    ideas: tuple[Idea, ...]


def lesson_view(stem: str, results: Sequence[LearnerResult]) -> LessonView:
    """What a class did in one lesson.

    Args:
        stem: of its notebook.
        results: those that were graded and count, one a learner.
    """
    shares = [max(0.0, each.total) / each.possible if each.possible else 0.0 for each in results]
    order = list(dict.fromkeys(outcome.task for each in results for outcome in each.outcomes))
    by_task: dict[str, list[tuple[LearnerResult, TaskOutcome]]] = defaultdict(list)
    for each in results:
        for outcome in each.outcomes:
            by_task[outcome.task].append((each, outcome))
    numbers = {task: number for number, task in enumerate(order, 1)}
    tasks = [_task_share(numbers[task], [outcome for _, outcome in by_task[task]]) for task in order]
    ideas = [idea for task in order for idea in _ideas(numbers[task], by_task[task])]
    return LessonView(
        stem=stem, graded=len(results), bins=_bins(shares), spread=_spread(shares),
        tasks=tuple(sorted(tasks, key=lambda each: (each.share, each.number))),
        ideas=tuple(sorted(ideas, key=lambda each: (-len(each.learners), each.number, each.sentence))),
    )  # fmt: skip


def _bins(shares: Sequence[float]) -> tuple[Bin, ...]:
    if not shares:
        return ()
    counts = Counter(min(BINS - 1, int(share * BINS + 1e-9)) for share in shares)
    most, width = max(counts.values()), 100 // BINS
    return tuple(
        Bin(low=i * width, high=(i + 1) * width, learners=counts[i], height=counts[i] / most) for i in range(BINS)
    )


def _spread(shares: Sequence[float]) -> str:
    if not shares:
        return "Nobody is graded yet."
    if len(shares) < FEW:
        return f"{count(len(shares), 'learner')}: {joined([percent(each) for each in sorted(shares)])} of the points."
    low, middle, high = statistics.quantiles(shares, n=4, method="inclusive")
    return (
        f"The middle learner has {percent(middle)} of the points, half of the class {percent(low)} to {percent(high)}."
    )


def _task_share(number: int, outcomes: Sequence[TaskOutcome]) -> TaskShare:
    tones = Counter(state_of(each).tone for each in outcomes)
    judged = [each.credit for each in outcomes if each.status != "recorded" or each.adjusted]
    first = outcomes[0]
    return TaskShare(
        number=number, task=first.task, title=_title(outcomes), kind=first.kind,
        share=sum(judged) / len(judged) if judged else 1.0,
        right=tones["good"], partly=tones["part"], wrong=tones["bad"], open=tones["open"],
    )  # fmt: skip


def _title(outcomes: Sequence[TaskOutcome]) -> str:
    """What a task is called; with learners' variants, one of them, and how many there are."""
    titles = sorted({each.title for each in outcomes})
    return titles[0] if len(titles) == 1 else f"{titles[0]} (and {count(len(titles) - 1, 'other variant')})"


def _ideas(number: int, seen: Sequence[tuple[LearnerResult, TaskOutcome]]) -> list[Idea]:
    """The misconceptions of one task; two that come together count for each of the two."""
    who: dict[str, list[str]] = defaultdict(list)
    principles: dict[str, str] = {}
    sentences: dict[str, str] = {}
    for result, outcome in seen:
        for name, sentence in zip(outcome.misconceptions, ideas_in(outcome), strict=False):
            who[name].append(name_of(result))
            sentences.setdefault(name, sentence)
            if len(outcome.misconceptions) == 1 and outcome.advice:
                principles.setdefault(name, outcome.advice[0])
    title = _title([outcome for _, outcome in seen])
    return [
        Idea(sentence=sentences[name], principle=principles.get(name, ""), number=number, title=title,
             learners=tuple(learners), share=len(learners) / len(seen))
        for name, learners in who.items()
    ]  # fmt: skip
