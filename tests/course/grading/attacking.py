"""Submissions that try to get points which they have not earned, or to harm; and what has to become of each.

Every attack sits in the answer to TARGET of the pack of small tasks, unless it says otherwise; the other answers are
right. They are listed in attacks.py and own_attacks.py.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from tests.course.grading.handing_in import BESIDE, HEAD, TARGET, cell_of, notebook, with_answers

CALLED = (TARGET, BESIDE)
ATTACKS = {}


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One submission.

    Args:
        number: of the reference's list; from 29 on our own.
        about: in a few words.
        made: the notebook, or bytes.
        lost: tasks that earn nothing; all others earn everything.
        unsure: tasks that earn everything or nothing, whichever comes first on a busy machine.
        status: of the result.
        words: that stand in a note or a sentence.
        printed: what TARGET has printed, where the attack reports what it has found.
        beside: files that are handed in beside the notebook, by name.
    """

    number: int
    about: str
    made: Any
    lost: tuple[str, ...] = (TARGET,)
    unsure: tuple[str, ...] = ()
    status: str = "graded"
    words: str = ""
    printed: str | None = None
    beside: Mapping[str, str] = field(default_factory=dict)


def attack(number, about, source="", **more):
    """Enter an attack; its name is the number and the words."""
    made = more.pop("made", None)
    made = with_answers({TARGET: source}) if made is None else made
    ATTACKS[f"{number:02} {about}"] = Attack(number=number, about=about, made=made, **more)


def problems(attack, result):
    """What has become of an attack that should not have; nothing where the grader held."""
    spared = attack.lost + attack.unsure
    earned = {each.task: each.credit for each in result.outcomes}
    told = " ".join([*result.notes, *(each.sentence for each in result.outcomes)])
    found = [] if result.status == attack.status else [f"it is {result.status}, expected {attack.status}"]
    found += [f"{task} earned {credit}" for task, credit in earned.items() if task in attack.lost and credit]
    found += [f"{task} lost its points" for task, credit in earned.items() if task not in spared and credit < 1]
    if result.status == "graded" and not set(attack.lost) <= set(earned):
        found.append("a task is missing")
    if attack.words not in told:
        found.append(f"nothing says {attack.words!r}: {told}")
    if attack.printed is not None:
        printed = next(each.printed for each in result.outcomes if each.task == TARGET)
        found += [] if attack.printed in printed else [f"it printed {printed!r}, expected {attack.printed!r}"]
    return found


def changed(change, made=None):
    """A notebook of right answers after some change."""
    made = deepcopy(made or notebook())
    change(made)
    return made


def inside(code, then="    return losses.sum()\n"):
    """An answer that runs some code whenever it is called, and is wrong."""
    return HEAD + "".join(f"    {line}\n" for line in code.strip().split("\n")) + then


def tagged(made, task, *tags):
    cell_of(made, task)["metadata"]["tags"] = list(tags)


def all_attacks():
    """Name -> attack."""
    for module in ("attacks", "own_attacks"):
        import_module(f"tests.course.grading.{module}")
    return ATTACKS
