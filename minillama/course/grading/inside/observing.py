"""The cell after an answer: calls it on the drawn inputs, and shows what it gives, as JSON."""

import json
import sys
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

from IPython.display import publish_display_data

from minillama.course.plain import Made, decode, encode
from minillama.course.record import Case
from minillama.course.running import Observation, limit_by_processor, observe

MIME = "application/x-minillama-graded"
REMOTE = "minillama.course.grading.inside.remote"  # brings PyTorch along, and few cells need it
FACTORIES = "graded_inputs"  # the module that input-making functions are put into


@dataclass(frozen=True, kw_only=True)
class Call:
    """How an answer is to be called: what running.py asks of a Task."""

    kind: str
    driver: str
    framework: str
    time_limit_s: float
    forbidden: tuple[str, ...]


def show(answer: Any, text: str) -> None:
    """Call an answer, and publish what it gives.

    Args:
        answer: what the learner's cell defined; ... where it defined nothing of the name.
        text: JSON: "nonce", "call" (fields of Call), "cases" (names and encoded arguments), "patience", "factories"
            (the source of functions that make inputs, or null) and "candidates" (where functions that are kept
            elsewhere are called, or null).
    """
    asked = json.loads(text)
    _install(asked["factories"])
    remote = import_module(REMOTE) if asked["candidates"] is not None else None
    if remote is not None:
        remote.connect(asked["candidates"])
    cases = [Case(name=name, args=tuple(_input(each) for each in args)) for name, args in asked["cases"]]
    call = Call(**{**asked["call"], "forbidden": tuple(asked["call"]["forbidden"])})
    if answer is ...:
        found = [{"kind": "stub", "error": "its cell defines nothing of this name"}]
    else:
        limit = partial(limit_by_processor, patience=asked["patience"])
        found = []

        def told(seen: Observation) -> None:
            found.append({**vars(seen), "output": encode(seen.output)})
            if remote is not None and seen.kind != "too slow":  # which may have cut a message short
                remote.settle(found[-1]["kind"], found[-1]["output"])

        observe(call, answer, cases, limit, told)  # type: ignore[arg-type]
    publish_display_data({MIME: {"nonce": asked["nonce"], "observations": found}})


def _install(source: str | None) -> None:
    if source is not None:
        module = ModuleType(FACTORIES)
        sys.modules[FACTORIES] = module
        exec(compile(source, "<inputs>", "exec"), vars(module))


def _input(value: Any) -> Any:
    if isinstance(value, dict) and "candidate" in value:
        return Made(f"{REMOTE}:candidate", {"number": value["candidate"]})
    if isinstance(value, dict) and "with" in value:
        return Made(value["made"], {key: _input(each) for key, each in value["with"]})
    if isinstance(value, dict) and ("tuple" in value or "list" in value):
        ((kind, items),) = value.items()
        return (tuple if kind == "tuple" else list)(_input(each) for each in items)
    return decode(value)
