"""The teacher's page: how the class did, what it misunderstood, who needs a look, and which answers are alike."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from minillama.course.grading.pages import words
from minillama.course.grading.pages.feedback import is_limited, title_of, view_of
from minillama.course.grading.pages.lessons import lesson_view
from minillama.course.grading.pages.rendering import render
from minillama.course.grading.records import LIMITS_ONLY, LearnerResult, Run
from minillama.course.grading.similarity import compare
from minillama.course.grading.similarity.compare import Match

MAX_ROWS = 60  # of one table about similarity; similarity.csv has all
TROUBLED = ("tampered", "lost", "forbidden")  # states of a task that a teacher should look into
SLOWEST = 20
SHOWN = 8  # misconceptions of a lesson that are not folded away


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two learners, and where their answers are alike.

    Args:
        left, right: their names.
        tasks: (task, share), by task; a task that is empty stands for the whole file.
        prints: that they share in all.
    """

    left: str
    right: str
    tasks: tuple[tuple[str, float], ...]
    prints: int


def class_page(
    run: Run, counted: Sequence[LearnerResult], all_results: Sequence[LearnerResult], matches: Sequence[Match],
    pages: Mapping[str, str],
) -> bytes:  # fmt: skip
    """class.html.

    Args:
        run: what the results have in common.
        counted: of each learner and lesson the attempt that counts.
        all_results: with the others.
        matches: of similarity/compare.py.
        pages: learner -> address of their page.
    """
    graded = [each for each in counted if each.status == "graded"]
    stems = sorted({each.lesson for each in counted if each.lesson})
    names = {each.learner: words.name_of(each) for each in counted}
    by_name = sorted(counted, key=lambda one: (words.sorting_key(names[one.learner]), one.learner, one.lesson))
    pairs = _pairs(matches, names)
    open_book = _alone(matches, compare.OPEN_BOOK, names)
    return render(
        "class.html", run=run, title=title_of(_one_a_lesson(counted)), names=names, pages=pages,
        limited=run.sandbox == LIMITS_ONLY or is_limited(counted),
        figures=_figures(counted, all_results), lessons=[
            lesson_view(stem, [each for each in graded if each.lesson == stem]) for stem in stems
        ],
        rows=[(each, view_of(each)) for each in by_name],
        not_graded=[each for each in all_results if each.status != "graded"],
        late=[(each, view_of(each).late) for each in counted if view_of(each).late],
        noted=[each for each in graded if each.notes], troubled=_troubled(graded), waiting=_waiting(graded),
        pairs=pairs[:MAX_ROWS], n_pairs=len(pairs),
        public=_alone(matches, compare.PUBLIC, names)[:MAX_ROWS],
        of_pack=_alone(matches, compare.PACK, names)[:MAX_ROWS], open_book=len(open_book),
        many=_by_task(matches, compare.MANY), unread=_alone(matches, compare.UNREADABLE, names)[:MAX_ROWS],
        shown=SHOWN, min_own=compare.MIN_OWN, share=compare.SHARE, kept_share=compare.PUBLIC_SHARE,
    )  # fmt: skip


def times_page(run: Run, results: Sequence[LearnerResult], seconds: Mapping[tuple[str, int], float]) -> bytes:
    """times.html: how long grading took, the slowest first.

    Args:
        run: what the results have in common.
        results: all of them.
        seconds: (learner, attempt) -> how long it took.
    """
    taken = sorted(
        ((seconds.get((each.learner, each.attempt), 0.0), each) for each in results),
        key=lambda pair: (-pair[0], pair[1].learner, pair[1].attempt),
    )
    times = [each for each, _ in taken] or [0.0]
    return render(
        "times.html", limited=run.sandbox == LIMITS_ONLY or is_limited(results), slowest=taken[:SLOWEST],
        longest=max(times), total=sum(times), middle=statistics.median(times), n=len(taken),
    )  # fmt: skip


def _one_a_lesson(results: Sequence[LearnerResult]) -> list[LearnerResult]:
    return list({each.lesson: each for each in sorted(results, key=lambda one: one.lesson)}.values())


def _figures(counted: Sequence[LearnerResult], all_results: Sequence[LearnerResult]) -> list[tuple[str, str]]:
    """The numbers at the top: number, and of what."""
    graded = [each for each in counted if each.status == "graded"]
    shares = [max(0.0, each.total) / each.possible for each in graded if each.possible]
    learners = len({each.learner for each in counted})
    late = sum(bool(view_of(each).late) for each in counted)
    files = f", of {words.count(len(all_results), 'file')}" if len(all_results) > len(counted) else ""
    return [
        (str(learners), "learner" if learners == 1 else "learners"),
        (str(len(graded)), f"submission{'s' if len(graded) != 1 else ''} graded{files}"),
        (words.percent(statistics.median(shares)) if shares else "–", "the median share"),
        (str(sum(share >= 1 for share in shares)), "with all points"),
        (str(len(counted) - len(graded)), "not graded"),
        (str(late), "late"),
    ]  # fmt: skip


def _troubled(graded: Sequence[LearnerResult]) -> list[tuple[LearnerResult, str, str]]:
    """Tasks that did not end as an answer does: learner, task and what was seen."""
    return [(each, o.title, o.sentence) for each in graded for o in each.outcomes if o.status in TROUBLED]


def _waiting(graded: Sequence[LearnerResult]) -> list[tuple[str, int]]:
    """Tasks whose answers a person has to read, and how many of them."""
    titles = (o.title for each in graded for o in each.outcomes if o.status == "recorded" and not o.adjusted)
    return sorted(Counter(titles).items())


def _pairs(matches: Sequence[Match], names: Mapping[str, str]) -> list[Pair]:
    found: dict[tuple[str, str], list[Match]] = defaultdict(list)
    for each in matches:
        if each.kind in (compare.CLASSMATE, compare.SAME_FILE):
            found[each.learner, each.classmate].append(each)
    pairs = [
        Pair(left=names[left], right=names[right], tasks=tuple((each.task, each.share) for each in own),
             prints=sum(each.prints for each in own))
        for (left, right), own in found.items()
    ]  # fmt: skip
    return sorted(pairs, key=lambda each: (-len(each.tasks), -each.prints, each.left, each.right))


def _alone(matches: Sequence[Match], kind: str, names: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """Learners with matches of a kind, and their tasks; those with most first."""
    found: dict[str, list[str]] = defaultdict(list)
    for each in matches:
        if each.kind == kind:
            found[names[each.learner]].append(each.task)
    return sorted(found.items(), key=lambda each: (-len(each[1]), each[0]))


def _by_task(matches: Sequence[Match], kind: str) -> list[tuple[str, int]]:
    return sorted(Counter(each.task for each in matches if each.kind == kind).items())
