"""A verdict in words: what was seen, what is so, where to look; never the line that mends it."""

import numpy as np

from minillama.course.comparing import HALF, Difference
from minillama.course.compiling import COULD_NOT
from minillama.course.judging import Verdict
from minillama.course.plain import Made
from minillama.course.raising import missing_name, origin_of, question_about
from minillama.course.record import Task
from minillama.course.running import Observation

GENERAL = {  # kind of difference -> principle, question
    "none": ("A function without `return` gives None.", "Does every way through yours end in a `return`?"),
    "type": ("The model computes on with what you return.", "What is the last thing that you return?"),
    "count": ("The caller unpacks what you return, in this order.", "What does your `return` hold?"),
    "length": ("What there is agrees, as far as it goes.", "What is left over at the end, or missing there?"),
    "shape": ("Every axis means something.", "Which line makes the axis that is too long, too short or missing?"),
    "dtype": (
        "In a 16-bit model the next matrix product takes 16-bit numbers only.",
        "Computing in float32 is right; in which dtype do you hand over the result?",
    ),
    "dtype asked for": (
        "The task says in which dtype the result is asked for.",
        "What dtype do you compute in, and which one do you hand over?",
    ),
    "nonfinite": (
        "An inf or nan spreads through every product after it.",
        "Which step divides by, takes the root of, or overflows on this input?",
    ),
    "value": ("", "Print this element's ingredients in your function: which one is not what you expect?"),
}
MUTATED = (
    "The caller still needs what it gave you, and finds it changed.",
    "Which of your lines writes into an argument instead of making something of its own?",
)


def lines_of(verdict: Verdict) -> list[str]:
    """Observation, principle, question; the first line stands for itself."""
    task = verdict.task
    if verdict.status == "passed":
        return _passed(verdict)
    if verdict.status == "recorded":
        return ["Kept for your teacher: nothing checks this by itself."]
    if verdict.status == "lost":
        return [
            f"The process that ran it ended after {verdict.cases} calls.",
            "Does it end Python, or take all memory?",
        ]
    seen = verdict.observation
    if verdict.status == "stub":
        return [_stub(verdict)]
    if verdict.status == "forbidden" and seen is not None:
        return [f"It calls `{seen.error}`, which does the whole task.", "Which steps does it take?"]
    if verdict.status == "too slow":
        return [
            f"Still running after {task.time_limit_s:.0f} seconds{_with(verdict)}, and stopped.",
            "The inputs are tiny: the reference needs a few milliseconds.",
            "Is there a loop whose end is never reached?",
        ]
    found: list[str] = []
    if verdict.status == "raised" and seen is not None:
        found = _raised(verdict, seen)
        if not verdict.names:
            return [*found, *_called_with(verdict), question_about(seen.error)]
    elif verdict.status == "mutated" and seen is not None:
        numbers = " and ".join(str(i + 1) for i in seen.changed)
        return [f"The result is right, but argument {numbers} was changed by the call{_with(verdict)}.", *MUTATED]
    else:
        found = [_seen(verdict)]
    return [*found, *_reason(verdict)]


def _raised(verdict: Verdict, seen: Observation) -> list[str]:
    name = missing_name(seen.error)
    where = f", at {seen.error_line}" if seen.error_line else ""
    inner = [f"It came up in {seen.error_in}"] if seen.error_in else []
    if name is not None:
        return [f"`{name}` is not defined{where}.", *inner, origin_of(name)]
    if seen.error.startswith(COULD_NOT):
        return [f"{seen.error}{where}."]
    if verdict.task.driver == "accepts":
        return [f"Your test raised {seen.error} before it called the candidate{where}.", *inner]
    return [f"It raised {seen.error}{where}{_with(verdict)}.", *inner]


def _called_with(verdict: Verdict) -> list[str]:
    seen = verdict.observation
    if verdict.task.driver == "accepts" or (seen is not None and missing_name(seen.error)):
        return []
    return [f"It was called with {_inputs(verdict)}."]


def _passed(verdict: Verdict) -> list[str]:
    task = verdict.task
    if task.kind == "trace":
        return [f"All {verdict.cases} right."]
    line = f"Right on all {verdict.cases} calls, with inputs that are drawn anew every time."
    where = f'`course.promote("{task.id}", {task.name})` puts it into your own LLaMA.'
    return [line, where] if task.piece else [line]


def _stub(verdict: Verdict) -> str:
    seen = verdict.observation
    if verdict.task.kind in ("trace", "experiment"):
        name = verdict.case.name if verdict.case else "the answer"
        return f"Not filled in yet: {name}."
    if seen and seen.error_in:
        return f"It calls {seen.error_in.partition(',')[0]}, which is not written yet: {seen.error}"
    return f"Not written yet: {seen.error}" if seen and seen.error else "Not written yet."


def _seen(verdict: Verdict) -> str:
    if verdict.probe is not None:
        return verdict.probe[1]
    found, task = verdict.difference, verdict.task
    assert found is not None
    if task.kind == "test" and verdict.case is not None:
        if found.got == "1":
            return f"Your test accepts {verdict.case.name}, which is wrong."
        seen = verdict.observation
        why = f": it raised {seen.error}, at {seen.error_line}" if seen and seen.error else ""
        return f"Your test rejects {verdict.case.name}, which is right{why}."
    if found.kind == "value" and task.kind == "trace" and verdict.case is not None:
        place = f" at {list(found.index)}" if found.index else ""
        return f"{found.where}{place}: {found.got} is not it."
    return difference_in_words(found) + ("" if task.kind == "trace" else _with(verdict)) + "."


def difference_in_words(found: Difference) -> str:
    """One difference as the beginning of a sentence."""
    element = f"{found.where}[{', '.join(map(str, found.index))}]" if found.index else found.where
    share = f" ({found.wrong} of {found.total} elements are wrong)" if found.total > 1 else ""
    if found.kind in ("value", "nonfinite"):
        return f"{element} is {found.got}, expected {found.expected}{share}"
    if found.kind == "length":
        return f"{found.where} has {found.got}, expected {found.expected}"
    if found.kind == "shape":
        wanted = "one number" if found.expected == "()" else found.expected
        return f"{found.where} has shape {found.got}, expected {wanted}"
    if found.kind == "dtype":
        return f"{found.where} is {found.got}, expected {found.expected}"
    return f"{found.where} is {found.got}, expected {found.expected}"


def _reason(verdict: Verdict) -> list[str]:
    if verdict.names:
        ideas = " together with ".join(m.looks_like for m in verdict.names)
        sure = f"This looks like {ideas}."
        last = verdict.names[-1]
        return [sure, *[m.principle for m in verdict.names], last.question]
    if verdict.probe is not None:
        return [verdict.probe[0].principle, verdict.probe[0].question]
    if verdict.task.driver == "accepts" and verdict.case is not None:
        return _untold(verdict)
    kind = verdict.difference.kind if verdict.difference else "value"
    if kind == "dtype" and verdict.difference is not None and verdict.difference.expected not in HALF:
        kind = "dtype asked for"
    if verdict.task.kind == "trace":
        return [trace_question(verdict.task)]
    return [line for line in GENERAL[kind] if line]


def _untold(verdict: Verdict) -> list[str]:
    """What to say of a test that misjudges a candidate: what it never looked at."""
    assert verdict.case is not None
    assert verdict.difference is not None
    if verdict.difference.got == "1":
        unseen = [verdict.case.unseen] if verdict.case.unseen else []
        return [*unseen, "Which inputs would make a difference between this one and a right one?"]
    return [
        "What your test expects has to be what the task asks for, and numbers need room for rounding.",
        "What did you expect of this one, step by step, and may a right one differ from it in its last digits?",
    ]


def trace_question(task: Task) -> str:
    """What to do about a value that no misconception explains."""
    return "Write down each step with its number: which is the first that you cannot explain?"


def _with(verdict: Verdict) -> str:
    return f", with {verdict.case.name}" if verdict.case else ""


def _inputs(verdict: Verdict) -> str:
    assert verdict.case is not None
    args = verdict.case.args
    if verdict.task.driver == "module":  # the weights are loaded, not handed over
        args = (args[0], *args[2 + len(args[1]) :])
    return ", ".join(_brief(value) for value in args) or "no arguments"


def _brief(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{'an' if str(value.dtype).startswith('int') else 'a'} {value.dtype} {value.shape}"
    if isinstance(value, Made):
        name = value.path.rpartition(":")[2]
        arguments = "" if value.arguments is None else ", ".join(f"{k}={v!r}" for k, v in value.arguments.items())
        return name if value.arguments is None else f"{name}({arguments})"
    if isinstance(value, tuple | list):
        if len(value) > 6:
            return f"{type(value).__name__} of {len(value)}"
        return f"[{', '.join(_brief(each) for each in value)}]"
    return repr(value) if isinstance(value, int | float | str | None) else type(value).__name__
