"""What a learner's answer is asked: the cell that calls it on inputs that are drawn for this run.

Inputs travel as JSON. Of those that are made by a function of the records, plain ones are made here. Functions that a
test judges, or in which an answer has to find a fault, stay here and are called from there (candidates.py). Only what
has to be an object beside the answer, such as a model, is made there, by the source of that one function.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from minillama.course.grading.inside.observing import FACTORIES
from minillama.course.grading.lessons import PACKAGE
from minillama.course.plain import Made, encode
from minillama.course.record import Task
from minillama.course.sources import standalone_source

OWN = ("minillama.course.", f"{PACKAGE}.")  # modules that no learner's process has
OBSERVING = "minillama.course.grading.inside.observing"
TALK = "/graded/talk"  # where the sandbox sees the candidates' sockets


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One cell that shows what an answer gives.

    Args:
        source: of the cell.
        nonce: that its output has to bear.
        candidates: functions that it may call from afar, by number.
        turns: of each of these, the number of the call in which it may be called.
    """

    source: str
    nonce: str
    candidates: tuple[Made, ...] = ()
    turns: tuple[int, ...] = ()


@dataclass
class _Inputs:
    """Turns arguments into JSON, and collects what they need."""

    task: Task
    candidates: list[Made] = field(default_factory=list)
    factories: dict[str, str] = field(default_factory=dict)

    def encode(self, value: Any) -> Any:
        if isinstance(value, tuple | list):
            return {type(value).__name__: [self.encode(each) for each in value]}
        if isinstance(value, Made) and value.path.startswith(OWN):
            return self._encode_own(value)
        return encode(value)

    def _encode_own(self, value: Made) -> Any:
        made = value.make()
        if callable(made) and not isinstance(made, nn.Module) and self.task.kind in ("test", "diagnose"):
            self.candidates.append(value)
            return {"candidate": len(self.candidates) - 1}
        if _is_plain(made):
            return encode(_arrays(made))
        function = Made(value.path).make()
        name = value.path.partition(":")[2]
        self.factories[name] = standalone_source(getattr(function, "__wrapped__", function), name, also=OWN)
        if value.arguments is None:
            return encode(Made(f"{FACTORIES}:{name}"))
        return {
            "made": f"{FACTORIES}:{name}",
            "with": [[key, self.encode(one)] for key, one in value.arguments.items()],
        }


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(each) for key, each in value.items())
    if isinstance(value, tuple | list):
        return all(_is_plain(each) for each in value)
    return value is None or isinstance(value, bool | int | float | str | np.ndarray | torch.Tensor)


def _arrays(value: Any) -> Any:
    """The same with arrays for tensors, which the answer's process turns back."""
    if isinstance(value, torch.Tensor):
        return value.detach().numpy()
    if isinstance(value, dict):
        return {key: _arrays(each) for key, each in value.items()}
    return type(value)(_arrays(each) for each in value) if isinstance(value, tuple | list) else value


def ask(task: Task, seed: int, nonce: str, talk: str = TALK, patience: float = 2.0) -> Asked:
    """The cell that calls a learner's answer on everything that judges it.

    Args:
        task: the record, the learner's variant of it.
        seed: of the inputs.
        nonce: of this cell.
        talk: the folder of the candidates' sockets, as the answer's process sees it.
        patience: how many times longer than its processor time a call may take by the clock.
    """
    inputs = _Inputs(task)
    named = task.kind in ("trace", "experiment")  # whose answers are looked up by name; to others it would tell much
    cases, turns = [], list[int]()
    for turn, case in enumerate(task.plan(seed).cases):
        cases.append([case.name if named else "", [inputs.encode(each) for each in case.args]])
        turns += [turn] * (len(inputs.candidates) - len(turns))
    asked = {
        "nonce": nonce,
        "call": {
            "kind": task.kind, "driver": task.driver, "framework": task.framework, "time_limit_s": task.time_limit_s,
            "forbidden": list(task.forbidden),
        },
        "cases": cases,
        "patience": patience,
        "factories": "\n\n".join(inputs.factories.values()) if inputs.factories else None,
        "candidates": {"socket": f"{talk}/{nonce}", "token": nonce} if inputs.candidates else None,
    }  # fmt: skip
    source = f"import {OBSERVING}\n{OBSERVING}.show(globals().get({task.name!r}, ...), {json.dumps(asked)!r})"
    return Asked(source=source, nonce=nonce, candidates=tuple(inputs.candidates), turns=tuple(turns))
