"""`check` and `hint`: what a learner calls."""

import ast
import inspect
import secrets
import textwrap
from collections.abc import Mapping
from typing import Any

from minillama.course.home import in_lesson, note_progress, read_progress
from minillama.course.judging import Verdict, judge
from minillama.course.record import Task
from minillama.course.running import observe
from minillama.course.showing import Message
from minillama.course.sources import as_written
from minillama.course.tasks import find_task
from minillama.course.tracing import find
from minillama.course.wording import lines_of

MARKS = {"passed": "✓", "recorded": "✓", "stub": "○"}
HINT_NAMES = ("the idea", "the shapes", "in pseudocode")


class Report(Message):
    """What `check` says; `report.passed` is its verdict in one word."""

    verdict: Verdict

    @property
    def passed(self) -> bool:
        return self.verdict.passed


def check(
    task_id: str,
    answer: Any,
    *,
    without: str | None = None,
    variant: Mapping[str, Any] | None = None,
    seed: int | None = None,
) -> Report:
    """Try an answer, and say what is wrong with it; where a lesson does so, or leaves a part out, no exercise is done.

    Args:
        task_id: "rope.apply_rope".
        answer: the function or class; for a task by hand, a dict of the values.
        without: a part that is not asked for yet, such as "stretching".
        variant: of a task that differs from learner to learner, as an assigned notebook writes it.
        seed: of the inputs; None draws one.

    Raises:
        ConfigError: no such task, no such part of it, or no such variant.
    """
    task = find_task(task_id).member(variant)
    task = task if without is None else task.without(without)
    refusal = refused(task, answer)
    if refusal is not None:
        return _report(Verdict(task=task, status="wrong"), [*refusal])
    seed = secrets.randbelow(1 << 31) if seed is None else seed
    plan = task.plan(seed)
    verdict = judge(task, seed, observe(task, answer, plan.cases))
    lines = lines_of(verdict)
    if without is not None and verdict.passed:
        lines = [f"Right on all {verdict.cases} calls, as far as they go: without {without}."]
    tries = 0
    if verdict.status != "stub":
        passed = verdict.passed or verdict.status == "recorded"
        count = "tries" if without is not None or in_lesson() else "attempts"
        entry = note_progress(task.id, **{count: "+1"}, **({"passed": True} if passed and count == "attempts" else {}))
        tries = int(entry[count])
    if verdict.observation is not None and verdict.observation.printed:
        lines.append(f"Your code printed:\n{verdict.observation.printed[:300].rstrip()}")
    if not verdict.passed and (verdict.status == "stub" or tries > 1):
        drawn = f", variant={dict(variant)!r}" if variant else ""
        lines.append(f'Stuck? `course.hint("{task.id}"{drawn})`')
    return _report(verdict, lines)


def _report(verdict: Verdict, lines: list[str]) -> Report:
    report = Report(MARKS.get(verdict.status, "✗"), f"{verdict.task.id}: {lines[0]}", tuple(lines[1:]))
    object.__setattr__(report, "verdict", verdict)
    return report


def hint(task_id: str, *, variant: Mapping[str, Any] | None = None) -> Message:
    """The next hint for a task: first the idea, then the shapes, then pseudocode.

    Args:
        task_id: "rope.apply_rope".
        variant: as `check` takes it.

    Raises:
        ConfigError: no such task, or no such variant of it.
    """
    task = find_task(task_id).member(variant)
    given = min(int(read_progress().get(task.id, {}).get("hints") or 0), len(task.hints) - 1)
    note_progress(task.id, hints=given + 1)
    lines = tuple(task.hints[i] for i in range(given, given + 1))
    more = (f"{len(task.hints) - given - 1} more: call it again.",) if given + 1 < len(task.hints) else ()
    return Message("→", f"{task.id}, hint {given + 1} of {len(task.hints)}: {HINT_NAMES[given]}", lines + more)


def refused(task: Task, answer: Any) -> tuple[str, ...] | None:
    """Why an answer is not even tried: it is nothing to call, the package's own, or calls what it should be."""
    if task.kind in ("trace", "experiment"):
        if isinstance(answer, dict):
            return None
        return (f"it takes a dict from question to value, and got a {type(answer).__name__}.",)
    if not callable(answer):
        kind = type(answer).__name__
        return (f"it takes a function, and got a {kind}.", "Give the function itself: without calling it.")
    if str(getattr(answer, "__module__", "")).startswith("minillama."):
        return ("this is the package's own.", "Write yours in a cell, and give that: the package's is known to work.")
    for dotted in task.forbidden:
        if calls(answer, dotted):
            return (f"it calls `{dotted.replace(':', '.')}`, which does the whole task.", "Which steps does it take?")
    return None


def calls(answer: Any, dotted: str) -> bool:
    """Does the source of an answer name this object ("module:name"), under whatever alias?"""
    target, answer = find(dotted), as_written(answer)
    if target is None:
        return False
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(answer)))
    except (OSError, TypeError, SyntaxError):
        return False
    known = getattr(answer, "__globals__", None) or vars(inspect.getmodule(answer) or object)
    found = (_resolve(node, known) for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Attribute))
    return any(each is target for each in found)


def _resolve(node: ast.AST, known: Any) -> Any:
    """The object that a name, or a dotted name that starts at a module, stands for."""
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _resolve(node.value, known)
        return getattr(owner, node.attr, None) if inspect.ismodule(owner) else None
    return None
