"""Compare what an answer gave with what was expected: equal within tolerance, or the first difference."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from minillama.course.plain import Array, Foreign

HALF = ("float16", "bfloat16")


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """How far apart two numbers may be: atol + rtol * |expected|; `half` replaces both for results in 16 bits.

    With `same_dtype` a result that has to be in 16 bits must be, with `exact_dtype` every array has the dtype that is
    expected. With `exact_text` white space at the ends of a text counts.
    """

    rtol: float
    atol: float
    half: float
    same_dtype: bool = True
    exact_dtype: bool = False
    exact_text: bool = False


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Where an answer leaves what was expected.

    Args:
        kind: "none", "type", "count", "length", "shape", "dtype", "nonfinite" or "value".
        where: names the output.
        got, expected: in words or numbers.
        index: of the first wrong element.
        wrong, total: how many elements are wrong, of how many.
    """

    kind: str
    where: str
    got: str
    expected: str
    index: tuple[int, ...] = ()
    wrong: int = 0
    total: int = 0


def as_array(value: Any) -> Array | None:
    """A number, an array, or nested lists of them as one array; None for anything else."""
    if isinstance(value, Array):
        return value
    if isinstance(value, np.ndarray):
        return Array(value.astype(np.float64) if value.dtype.kind == "f" else value, value.dtype.name)
    if isinstance(value, bool | int | float):
        data = np.asarray(value)
        return Array(data, data.dtype.name)
    if isinstance(value, tuple | list) and value:
        parts = [as_array(each) for each in value]
        found = [part for part in parts if part is not None]
        if len(found) == len(parts) and len({part.data.shape for part in found}) == 1:
            return Array(np.stack([part.data for part in found]), found[0].dtype)
    return None


def _is_numbers(value: Any) -> bool:
    return all(isinstance(each, bool | int | float) for each in value)


def to_numbers(value: Any) -> Any:
    """Arrays instead of Array, in tuples where there are several: what probes and signatures are given."""
    if isinstance(value, tuple | list) and not _is_numbers(value):
        return tuple(to_numbers(each) for each in value)
    array = as_array(value)
    return value if array is None else array.data


def difference(got: Any, expected: Any, names: tuple[str, ...], tolerance: Tolerance) -> Difference | None:
    """The first difference, None where there is none.

    Args:
        got, expected: plain values.
        names: of the outputs, where `expected` is a tuple of several; else the name of the one.
        tolerance: see Tolerance.
    """
    if expected is None:  # of an implementation that gives nothing; compared to find a misconception
        return None if got is None else Difference(kind="type", where=names[0], got=_spelled(got), expected="None")
    if isinstance(expected, dict):
        return _difference_of_dicts(got, expected, names[0], tolerance)
    if isinstance(expected, tuple) and len(names) == 1 and (_is_whole(expected) or not _is_numbers(expected)):
        return _difference_of_lists(got, expected, names[0], tolerance)
    if isinstance(expected, tuple) and not _is_numbers(expected):
        return _difference_of_several(got, expected, names, tolerance)
    if isinstance(expected, str):
        same = isinstance(got, str) and (got == expected if tolerance.exact_text else got.strip() == expected.strip())
        return None if same else Difference(kind="value", where=names[0], got=_spelled(got), expected=repr(expected))
    return _difference_of_one(got, expected, names[0], tolerance)


def _is_whole(value: tuple[Any, ...]) -> bool:
    return all(type(each) is int for each in value)


def _spelled(value: Any) -> str:
    if isinstance(value, Foreign):
        return f"a {value.kind}"
    return repr(value.data.tolist() if isinstance(value, Array) else value)


def _difference_of_dicts(got: Any, expected: dict[str, Any], where: str, tolerance: Tolerance) -> Difference | None:
    """Entries in any order; one that is missing, too many or of another value."""
    if not isinstance(got, dict):
        none = Difference(kind="none", where=where, got="None", expected="a dict")
        return none if got is None else Difference(kind="type", where=where, got=_kind(got), expected="a dict")
    for key, value in expected.items():
        if key not in got:
            return Difference(kind="value", where=f"{where} of {key}", got="missing", expected=_spelled(value))
        found = difference(got[key], value, (f"{where} of {key}",), tolerance)
        if found is not None:
            return found
    extra = next((key for key in got if key not in expected), None)
    if extra is None:
        return None
    return Difference(kind="value", where=f"{where} of {extra}", got=_spelled(got[extra]), expected="no such entry")


def _kind(value: Any) -> str:
    return f"a {value.kind}" if isinstance(value, Foreign) else f"a {type(value).__name__}"


def _difference_of_lists(got: Any, expected: tuple[Any, ...], where: str, tolerance: Tolerance) -> Difference | None:
    """Lists of text, of whole numbers or of lists: the first item that differs, else the lengths."""
    if isinstance(got, Array) and got.data.ndim:
        got = tuple(got.data.tolist())
    if not isinstance(got, tuple):
        kind = "none" if got is None else "type"
        return Difference(kind=kind, where=where, got="None" if got is None else _kind(got), expected="a list")
    for i, (part, wanted) in enumerate(zip(got, expected, strict=False)):
        found = difference(part, wanted, (f"{where}[{i}]",), tolerance)
        if found is not None:
            return found
    if len(got) == len(expected):
        return None
    return Difference(kind="length", where=where, got=_items(got), expected=_items(expected))


def _items(values: tuple[Any, ...]) -> str:
    return f"{len(values)} item{'' if len(values) == 1 else 's'}"


def _difference_of_several(
    got: Any, expected: tuple[Any, ...], names: tuple[str, ...], tolerance: Tolerance
) -> Difference | None:
    if isinstance(got, Array) and got.data.ndim and got.data.shape[0] == len(expected):
        got = tuple(Array(part, got.dtype) for part in got.data)  # stacked is as good as apart
    if not isinstance(got, tuple) or len(got) != len(expected):
        count = "nothing" if got is None else f"{len(got)} things" if isinstance(got, tuple) else "one thing"
        wanted = f"{len(expected)}: {', '.join(names)}"
        return Difference(kind="none" if got is None else "count", where="the result", got=count, expected=wanted)
    for part, wanted_part, name in zip(got, expected, names, strict=True):
        found = difference(part, wanted_part, (name,), tolerance)
        if found is not None:
            return found
    return None


def _difference_of_one(got: Any, expected: Any, where: str, tolerance: Tolerance) -> Difference | None:
    wanted, array = as_array(expected), as_array(got)
    assert wanted is not None, "a reference gives arrays, numbers or text"
    if got is None:
        return Difference(kind="none", where=where, got="None", expected=_describe(wanted))
    if array is None:
        kind = got.kind if isinstance(got, Foreign) else type(got).__name__
        return Difference(kind="type", where=where, got=f"a {kind}", expected=_describe(wanted))
    if array.data.shape != wanted.data.shape:
        return Difference(kind="shape", where=where, got=str(array.data.shape), expected=str(wanted.data.shape))
    asked = tolerance.exact_dtype and isinstance(got, Array)
    if array.dtype != wanted.dtype and (asked or (tolerance.same_dtype and wanted.dtype in HALF)):
        return Difference(kind="dtype", where=where, got=array.dtype, expected=wanted.dtype)
    a, b = array.data.astype(np.float64), wanted.data.astype(np.float64)
    wild = ~np.isfinite(a) & np.isfinite(b)
    if wild.any():
        index = tuple(int(i) for i in np.argwhere(wild)[0])
        return Difference(
            kind="nonfinite", where=where, got=_number(a[index]), expected=_number(b[index]), index=index,
            wrong=int(wild.sum()), total=a.size,
        )  # fmt: skip
    wrong = ~close(a, b, wanted.dtype, tolerance)
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        return Difference(
            kind="value", where=where, got=_number(a[index]), expected=_number(b[index]), index=index,
            wrong=int(wrong.sum()), total=a.size,
        )  # fmt: skip
    return None


def close(a: np.ndarray, b: np.ndarray, dtype: str, tolerance: Tolerance) -> np.ndarray:
    """Which elements of `a` are as good as those of `b`, which are expected and were of this dtype."""
    rtol, atol = (tolerance.half, tolerance.half) if dtype in HALF else (tolerance.rtol, tolerance.atol)
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.isfinite(b) & (np.abs(a - b) <= atol + rtol * np.abs(b))  # no number is near to an infinite one
        return (a == b) | near | (np.isnan(a) & np.isnan(b))


def _describe(array: Array) -> str:
    return "a number" if array.data.ndim == 0 else f"shape {array.data.shape}"


def _number(value: float) -> str:
    return f"{value:.6g}"
