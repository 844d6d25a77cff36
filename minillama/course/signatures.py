"""Signatures of faults that lessons share; see `Misconception.signature`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minillama.course.record import Case


def in_16_bits(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Is everything right but some inputs in float16, and those nearly: was the work done in 16 bits?

    Cases whose first argument is an array in float16, with products that nearly cancel, bring it out.
    """
    found = []
    for case, got, right in zip(cases, outputs, expected, strict=True):
        size = max(float(np.abs(case.args[0]).max()), 1.0)
        off = float(np.abs(np.asarray(got) - right).max()) / size
        if case.args[0].dtype == np.float16:
            found.append(off)
        elif off > 1e-4:
            return False
    return bool(found) and 2e-5 < max(found) < 1e-2
