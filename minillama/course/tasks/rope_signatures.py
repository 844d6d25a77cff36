"""Faults of the tables of angles whose exact numbers depend on the spelling."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minillama import rope
from minillama.course.record import Case


def is_model_dim(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Are the exponents those of a dimension that is several times the head's? Any multiple but 2 is taken."""
    ratios = []
    for case, output in zip(cases, outputs, strict=True):
        head_dim, T, theta, scaling = case.args
        if scaling is not None:
            continue
        cos, sin = output
        speeds = np.arctan2(sin[1], cos[1])  # row 1 turns by one position
        pair = np.arange(1, head_dim // 2)
        dims = -2 * pair * math.log(theta) / np.log(speeds[1:])
        if not np.allclose(dims, dims[0], rtol=2e-3):
            return False
        angles = np.outer(np.arange(T), theta ** (-2 * np.arange(head_dim // 2) / dims[0]))[:8]
        if not (np.allclose(cos[:8], np.cos(angles), atol=1e-2) and np.allclose(sin[:8], np.sin(angles), atol=1e-2)):
            return False
        ratios.append(dims[0] / head_dim)
    several = all(ratio > 1.3 for ratio in ratios)
    return bool(ratios) and several and not np.allclose(ratios, 2, rtol=1e-2)


def is_inverse_theta(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Are the speeds theta to positive powers? Angles get so large that float32 and float64 give other numbers."""
    found = []
    for case, output in zip(cases, outputs, strict=True):
        head_dim, _, theta, scaling = case.args
        if scaling is None:
            speeds = theta ** (2 * np.arange(head_dim // 2) / head_dim)
            sure = speeds < 2000
            wanted = np.stack((np.cos(speeds), np.sin(speeds)))[:, sure]
            got = np.stack(output)
            found.append(np.allclose(got[:, 1, sure], wanted, atol=1e-2) and np.allclose(got[0, 0], 1, atol=1e-3))
    return bool(found) and all(found)


def is_half_precision(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Do the numbers agree with angles, or speeds, that were rounded to 16 bits at some step?"""
    longest = max(range(len(cases)), key=lambda i: cases[i].args[1])
    head_dim, T, theta, _ = cases[longest].args
    if any(
        np.abs(got[:4] - right[:4]).max() > 3e-2 for got, right in zip(outputs[longest], expected[longest], strict=True)
    ):
        return False  # rounding needs some positions to show
    speed = theta ** -(torch.arange(head_dim // 2, dtype=torch.float64) * 2 / head_dim)
    position, got = torch.arange(T, dtype=torch.float64), np.stack(outputs[longest])
    for dtype in (torch.float16, torch.bfloat16):

        def rounded(x: Tensor, dtype: torch.dtype = dtype) -> Tensor:
            return x.to(dtype).double()

        low = rounded(speed)
        for angles in (
            torch.outer(position, low),
            rounded(torch.outer(position, speed)),
            rounded(torch.outer(position, low)),
            rounded(torch.outer(rounded(position), low)),
        ):
            wanted = torch.stack((angles.cos(), angles.sin())).numpy()
            if np.mean(np.abs(got - wanted) < 1e-2) > 0.99:
                return True
    return False


def _near(output: Any, wanted: Any) -> bool:
    """Are these the tables? Angles in float32 are good enough to tell ideas apart."""
    return all(np.allclose(got, right, atol=2e-3) for got, right in zip(output, wanted, strict=True))


def _right_but_for(
    cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any], kinds: tuple[str | None, ...]
) -> bool:
    """Are all tables right whose scaling is none of these kinds?"""
    return all(
        _near(output, right)
        for case, output, right in zip(cases, outputs, expected, strict=True)
        if kind_of(case) not in kinds
    )


def kind_of(case: Case) -> str | None:
    """How a case stretches the context: "linear", "ntk", or None."""
    return None if case.args[3] is None else str(case.args[3].arguments["kind"])


def is_unscaled(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Is the linear stretch left out, whatever becomes of the other one?"""
    for case, output in zip(cases, outputs, strict=True):
        if kind_of(case) == "linear":
            plain = rope.rope_frequencies(*case.args[:3])
            return _near(output, [each.numpy() for each in plain]) and _right_but_for(
                cases, outputs, expected, ("linear", "ntk")
            )
    return False


def is_ntk_alone(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Is nothing wrong but the stretch of kind "ntk"?"""
    stretched = any(kind_of(case) == "ntk" for case in cases)
    return stretched and _right_but_for(cases, outputs, expected, ("ntk",))


def is_fixed_theta(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Is theta 10,000 in every plain table, whatever was asked for?"""
    plain = [(case, output) for case, output in zip(cases, outputs, strict=True) if kind_of(case) is None]
    return any(case.args[2] != 10_000.0 for case, _ in plain) and all(
        _near(output, [each.numpy() for each in rope.rope_frequencies(*case.args[:2])]) for case, output in plain
    )
