"""Values without code: what goes into an answer and what comes out of it, in a form that any process can compare.

Plain values are None, bool, int, float, str, NumPy arrays, Array, and tuples, lists and dicts of them. Everything that
an answer returns becomes plain at once, so that nothing of the learner's is called where it is judged.
"""

import base64
import io
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np

from minillama.errors import DataError

MAX_ELEMENTS = 20_000_000  # of one array: no answer needs more
MAX_DEPTH = 6
KINDS = "fiub"  # of NumPy dtypes: floats, integers, bools


@dataclass(frozen=True)
class Array:
    """An array that came out of an answer.

    Args:
        data: float64 where it was of any floating type, else as it was.
        dtype: what it was: "float32", "bfloat16", "int64", ...
    """

    data: np.ndarray
    dtype: str


@dataclass(frozen=True)
class Foreign:
    """Something that an answer returned and that nothing here can compare; only its type's name is kept."""

    kind: str


@dataclass(frozen=True)
class Made:
    """An input that is no array: it is named here, and made where the answer runs.

    Args:
        path: "module:attribute".
        arguments: what the attribute is called with, each made first where it is a Made; None for the attribute itself.

    >>> Made("minillama.config:RopeScaling", {"kind": "linear", "factor": 4.0}).make().factor
    4.0
    """

    path: str
    arguments: Mapping[str, Any] | None = field(default=None, hash=False)

    def make(self) -> Any:
        """The object itself."""
        module, _, name = self.path.partition(":")
        found = getattr(import_module(module), name)
        if self.arguments is None:
            return found
        return found(**{key: each.make() if isinstance(each, Made) else each for key, each in self.arguments.items()})


def to_input(value: Any, framework: str = "torch") -> Any:
    """What an answer is given for a plain value: a copy, with tensors for arrays where `framework` is "torch"."""
    if isinstance(value, np.ndarray):
        if framework == "numpy":
            return value.copy()
        import torch

        return torch.from_numpy(value.copy())
    if isinstance(value, Made):
        return value.make()
    if isinstance(value, tuple | list):
        return type(value)(to_input(each, framework) for each in value)
    if isinstance(value, dict):
        return {key: to_input(each, framework) for key, each in value.items()}
    return value


def to_plain(value: Any, depth: int = 0) -> Any:
    """What an answer returned, without anything of the learner's in it; Foreign for what has no plain form."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) is np.str_:
        return str(value)
    if depth > MAX_DEPTH or value is ...:
        return Foreign(type(value).__name__)
    if isinstance(value, tuple | list):
        return tuple(to_plain(each, depth + 1) for each in value)
    if isinstance(value, dict):
        return {str(key): to_plain(each, depth + 1) for key, each in value.items()}
    array = _to_array(value)
    return Foreign(type(value).__name__) if array is None else array


def _to_array(value: Any) -> Array | None:
    torch = sys.modules.get("torch")  # where nobody has imported it there are no tensors
    try:
        if torch is not None and isinstance(value, torch.Tensor):
            if value.numel() > MAX_ELEMENTS or value.is_meta or value.is_complex():
                return None
            dtype = str(value.dtype).removeprefix("torch.")
            tensor = value.detach().cpu().to_dense() if value.is_sparse else value.detach().cpu()
            tensor = tensor.double() if tensor.is_floating_point() else tensor
            return Array(np.array(tensor.resolve_neg().numpy()), dtype)
        if isinstance(value, np.ndarray | np.generic):
            data = np.asarray(value)
            if data.dtype.kind not in KINDS or data.size > MAX_ELEMENTS:
                return None
            return Array(data.astype(np.float64) if data.dtype.kind == "f" else data.copy(), data.dtype.name)
    except (RuntimeError, TypeError, ValueError, NotImplementedError):
        return None
    return None


def encode(value: Any) -> Any:
    """A plain value as JSON; the inverse of `decode`.

    Raises:
        DataError: not a plain value.
    """
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return {"float": value.hex()}
    if isinstance(value, Array):
        return {"array": _to_text(value.data), "dtype": value.dtype}
    if isinstance(value, np.ndarray):
        return {"numpy": _to_text(value)}
    if isinstance(value, Made):
        return {"made": value.path, "arguments": encode(value.arguments)}
    if isinstance(value, Foreign):
        return {"foreign": value.kind}
    if isinstance(value, tuple | list):
        return {"list" if isinstance(value, list) else "tuple": [encode(each) for each in value]}
    if isinstance(value, Mapping):
        return {"dict": [[str(key), encode(each)] for key, each in value.items()]}
    raise DataError(f"got a {type(value).__name__}, expected a plain value: arrays, numbers, text, and lists of them")


def decode(value: Any) -> Any:
    """The plain value of what `encode` wrote; never builds anything but plain values, whatever it is given.

    Raises:
        DataError: not what `encode` writes.
    """
    try:
        return _decode(value, 0)
    except (AttributeError, EOFError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise DataError(f"a damaged value ({error}): expected what the course's own code wrote") from error


def _decode(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if depth > 2 * MAX_DEPTH:
        raise ValueError("nested too deeply")
    match value:
        case {"float": text}:
            return float.fromhex(text)
        case {"array": text, "dtype": str(dtype)}:
            return Array(array_of(text), dtype)
        case {"numpy": text}:
            return array_of(text)
        case {"made": str(path), "arguments": arguments}:
            return Made(path, _decode(arguments, depth + 1))
        case {"foreign": str(kind)}:
            return Foreign(kind)
        case {"tuple": list(items)}:
            return tuple(_decode(each, depth + 1) for each in items)
        case {"list": list(items)}:
            return [_decode(each, depth + 1) for each in items]
        case {"dict": list(items)}:
            return {str(key): _decode(each, depth + 1) for key, each in items}
    raise ValueError(f"a {type(value).__name__} of an unknown form")


def _to_text(array: np.ndarray) -> str:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return base64.b64encode(file.getvalue()).decode("ascii")


def array_of(text: str) -> np.ndarray:
    """The array of numbers that a text holds; one that claims more than there is is refused before it is made.

    Raises:
        ValueError, TypeError: it holds none.
    """
    raw = base64.b64decode(text, validate=True)
    file = io.BytesIO(raw)
    version = np.lib.format.read_magic(file)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
    shape, in_columns, dtype = read_header(file)
    if dtype.kind not in KINDS or math.prod(shape) * dtype.itemsize != len(raw) - file.tell():
        raise ValueError("not an array of numbers")
    data = np.frombuffer(raw, dtype, offset=file.tell()).copy()
    return data.reshape(shape, order="F" if in_columns else "C")
