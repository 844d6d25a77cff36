"""Results in the form that Gradescope's autograders write: one file a learner, to be taken as results.json.

Source: Gradescope's autograder documentation, "Autograder Specifications", section "Output format".
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from minillama.course.grading.pages.feedback import NOT_GRADED, ResultView, TaskView, is_limited, view_of
from minillama.course.grading.pages.words import lesson_title, visible
from minillama.course.grading.records import LearnerResult

NOT_RESISTANT = "Not tamper-resistant: this was graded with limits only, without a sandbox around the answers."


def gradescope_json(
    results: Sequence[LearnerResult], seconds: Mapping[tuple[str, int], float], limited: bool = False
) -> bytes:
    """The results of one learner.

    Args:
        results: of each lesson the attempt that counts.
        seconds: (learner, attempt) -> how long it took.
        limited: the run was with limits only.
    """
    views = [view_of(each) for each in results]
    several = len(views) > 1
    made = {
        "score": round(sum(each.total for each in results), 4),
        "execution_time": round(sum(seconds.get((each.learner, each.attempt), 0.0) for each in results)),
        "output": "\n".join(_said(views, limited or is_limited(results))),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [_test(view, task, several) for view in views for task in view.tasks],
    }
    return (json.dumps(made, indent=1) + "\n").encode("ascii")


def _said(views: Sequence[ResultView], limited: bool) -> list[str]:
    """What stands above the tests."""
    said = [NOT_RESISTANT] if limited else []
    for view in views:
        words = view.summary if view.result.status == "graded" else NOT_GRADED.get(view.result.status, "")
        head = f"{lesson_title(view.result.lesson)}. " if len(views) > 1 else ""
        said += [head + words, view.late, *(visible(each) for each in view.result.notes)]
    return [each for each in said if each]


def _test(view: ResultView, task: TaskView, several: bool) -> dict[str, Any]:
    seen = task.outcome
    lesson = view.result.lesson.partition("_")[0]
    return {
        "name": visible(f"{seen.title} ({task.state.words})"),
        "number": f"{lesson}.{task.number}" if several else str(task.number),
        "score": seen.points,
        "max_score": seen.possible,
        "status": "passed" if seen.credit >= 1 else "failed",
        "output": "\n".join(_output(view, task)),
        "tags": [seen.task, seen.kind, seen.status],
        "visibility": "visible",
    }


def _output(view: ResultView, task: TaskView) -> list[str]:
    """What the page says of a task, as lines."""
    seen = task.outcome
    is_at = f"{seen.where} is {seen.got}" if seen.where else seen.got
    lines = [
        seen.sentence, *seen.advice, is_at and f"Yours: {is_at}",
        seen.expected_shape and f"Asked for: {seen.expected_shape}",
        seen.case and seen.status != "passed" and f"Inputs: with {seen.case}",
        seen.comment and f"From whoever read it: {seen.comment}", task.again(view.result.lesson),
    ]  # fmt: skip
    return [visible(each) for each in lines if each]
