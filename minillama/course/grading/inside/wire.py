"""Values on their way between a test of the learner's and a candidate that runs elsewhere, as JSON without code."""

import base64
import io
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import Any

import numpy as np
import torch

from minillama.course.plain import array_of

MAX_BYTES = 8 << 20  # of one message
MAX_DEPTH = 12
CLASSES = {"minillama.tokenizer.vocabulary:Vocabulary", "minillama.config:ModelConfig", "minillama.config:RopeScaling"}
DTYPES = {str(each): each for each in (
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
    torch.uint8, torch.bool,
)}  # fmt: skip


def pack(value: Any, depth: int = 0) -> Any:
    """A value as JSON.

    Raises:
        TypeError: nothing that a candidate takes or gives.
    """
    if depth > MAX_DEPTH:
        raise TypeError("a value is nested too deeply for a candidate")
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return {"float": value.hex()}
    if type(value) is bytes:
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, torch.Tensor):
        wide = value.detach().cpu()
        wide = wide.float() if wide.dtype in (torch.float16, torch.bfloat16) else wide
        return {"tensor": _npy(wide.numpy()), "dtype": str(value.dtype)}
    if isinstance(value, np.ndarray):
        return {"array": _npy(value)}
    if type(value) in (tuple, list):
        return {type(value).__name__: [pack(each, depth + 1) for each in value]}
    if type(value) is dict:
        return {"dict": [[pack(key, depth + 1), pack(each, depth + 1)] for key, each in value.items()]}
    name = f"{type(value).__module__}:{type(value).__qualname__}"
    if is_dataclass(value) and name in CLASSES:
        return {
            "record": name,
            "fields": {each.name: pack(getattr(value, each.name), depth + 1) for each in fields(value)},
        }
    raise TypeError(f"a candidate takes tensors, numbers, text and lists of them, and got a {type(value).__name__}")


def unpack(value: Any, depth: int = 0) -> Any:
    """The value that `pack` wrote; builds nothing but plain values and the few records of CLASSES.

    Raises:
        ValueError: not what `pack` writes.
    """
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    if value is None or isinstance(value, bool | int | str):
        return value
    match value:
        case {"float": str(text)}:
            return float.fromhex(text)
        case {"bytes": str(text)}:
            return base64.b64decode(text, validate=True)
        case {"tensor": str(text), "dtype": str(dtype)} if dtype in DTYPES:
            return torch.from_numpy(array_of(text)).to(DTYPES[dtype])
        case {"array": str(text)}:
            return array_of(text)
        case {"tuple": list(items)}:
            return tuple(unpack(each, depth + 1) for each in items)
        case {"list": list(items)}:
            return [unpack(each, depth + 1) for each in items]
        case {"dict": list(items)}:
            return {unpack(key, depth + 1): unpack(each, depth + 1) for key, each in items}
        case {"record": str(name), "fields": dict(given)} if name in CLASSES:
            module, _, kind = name.partition(":")
            return getattr(import_module(module), kind)(**{key: unpack(each, depth + 1) for key, each in given.items()})
    raise ValueError("a value of an unknown form")


def _npy(array: np.ndarray) -> str:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return base64.b64encode(file.getvalue()).decode("ascii")
