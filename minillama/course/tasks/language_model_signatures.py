"""Wrong losses that are known by where they leave the reference; their numbers there depend on the spelling."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minillama.course.record import Case
from minillama.course.tasks.language_model_inputs import far_case, half_case, large_case
from minillama.loss import IGNORE


def _wrong_in(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> dict[str, Any]:
    """Name of the case -> what the answer gave there, for every case where that is not the right number."""
    wrong = {}
    for case, got, right in zip(cases, outputs, expected, strict=True):
        value = np.asarray(got, dtype=np.float64)
        same = value.shape == np.shape(right) and bool(np.all(np.abs(value - right) <= 1e-5 + 1e-4 * np.abs(right)))
        if not same:
            wrong[case.name] = value
    return wrong


LARGE, FAR, HALF = (make(np.random.default_rng(0)).name for make in (large_case, far_case, half_case))


def overflows(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    wrong = _wrong_in(cases, outputs, expected)
    return LARGE in wrong and set(wrong) <= {LARGE, FAR} and not np.isfinite(wrong[LARGE]).any()


def log_of_zero(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    wrong = _wrong_in(cases, outputs, expected)
    return set(wrong) == {FAR} and not np.isfinite(wrong[FAR]).any()


def clamped(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    wrong = _wrong_in(cases, outputs, expected)
    return set(wrong) == {FAR} and bool(np.isfinite(wrong[FAR]).all() and 0 < wrong[FAR] < 1000)


def sixteen_bits(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    wrong = _wrong_in(cases, outputs, expected)
    return set(wrong) == {HALF} and bool(np.abs(wrong[HALF] - np.log(1000)) < 0.05)


def counts_ignored(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Right elsewhere; with IGNORE it raises, or takes the place for some piece's."""
    wrong = _wrong_in(cases, outputs, expected)
    returned = {case.name for case in cases}
    marked = [case for case in cases if (case.args[1] == IGNORE).any()]
    if not marked:
        return bool(returned) and not wrong
    case = marked[0]
    means = _means_with_one_piece(case)
    return set(wrong) == {case.name} and any(abs(wrong[case.name] - each) < 2e-5 for each in means)


def _means_with_one_piece(case: Case) -> list[float]:
    """The mean over all places, with each piece in turn where a place holds IGNORE."""
    logits = case.args[0].astype(np.float64)
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    fillings = (np.where(case.args[1] == IGNORE, piece, case.args[1]) for piece in range(logits.shape[-1]))
    return [float(-np.take_along_axis(logs, targets[..., None], -1).mean()) for targets in fillings]
