"""One stored tensor at a time: from the form of the file to the form that is asked for, in pieces of rows."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from minillama.checkpoint.source import FLOAT_DTYPES, StoredTensor
from minillama.errors import CheckpointError, ShapeError
from minillama.quant.formats import FORMATS, SCALES, row_bytes
from minillama.quant.kernels.threads import thread_count
from minillama.quant.pages import own_pages

Quantize = Callable[[np.ndarray], np.ndarray]  # float32 (N, K) -> uint8 (N, row_bytes)
WEIGHTS_AT_ONCE = 1 << 20  # 4 MB of float32 while a matrix is converted
QUANTIZED_AT_ONCE = 1 << 22  # 16 MB of float32 for each thread that quantizes: with less, threads wait for each other
_F16_OVERFLOW = 65520.0  # from here on a number rounds to infinity in float16
_TOO_LARGE = {  # magnitudes that overflow a format, or its float16 scales
    "f16": _F16_OVERFLOW,
    "q8_0": _F16_OVERFLOW * 127,
    "q4_0": _F16_OVERFLOW * 8,
    "q4_k": _F16_OVERFLOW * 63 / 2,  # half of what the plain scales hold: fitted ones may be larger
    "q6_k": _F16_OVERFLOW * 128 * 32 / 2,
}


def is_float(format: str) -> bool:
    """Whether a format is one of plain floats, which torch computes with."""
    return format in FLOAT_DTYPES


def stored_bytes(tensor: StoredTensor, format: str | None = None) -> int:
    """Bytes of a tensor in `format`, None for its own."""
    *rows, columns = tensor.shape
    return int(np.prod(rows, dtype=np.int64)) * row_bytes(format or tensor.format, columns)


def check_dtypes(path: Path, tensors: dict[str, StoredTensor]) -> dict[str, StoredTensor]:
    """The same tensors, if all are in a format that is known; otherwise CheckpointError."""
    for name, tensor in tensors.items():
        if tensor.format not in FORMATS:
            dtype = tensor.format.removeprefix("? ")
            raise CheckpointError(f"{path}: tensor {name} is {dtype}, expected float32, float16 or bfloat16")
    return tensors


def float_format(tensors: dict[str, StoredTensor]) -> str:
    """The float format that suits a checkpoint: that of its first matrix, "f16" for a quantized one.

    >>> float_format({"w": StoredTensor(shape=(2, 32), format="q4_0", read=lambda: None)})
    'f16'
    """
    first = next(tensor.format for tensor in tensors.values() if len(tensor.shape) == 2)
    return first if is_float(first) else "f16"


def read_checked(name: str, tensor: StoredTensor, finite: bool = True) -> torch.Tensor | np.ndarray:
    """What the file holds, if it is finite and of the promised shape.

    Args:
        name: for the error.
        tensor: what to read.
        finite: False leaves that check to the caller, who reads all of it anyway.

    Raises:
        CheckpointError: NaN, infinity, or another shape or dtype than the header said.
    """
    data = tensor.read()
    if is_float(tensor.format):
        expected: tuple[object, tuple[int, ...]] = (FLOAT_DTYPES[tensor.format], tensor.shape)
    else:
        expected = (np.dtype(np.uint8), (tensor.shape[0], row_bytes(tensor.format, tensor.shape[1])))
    if (data.dtype, tuple(data.shape)) != expected:
        raise CheckpointError(f"tensor {name} is {data.dtype} {tuple(data.shape)}, its header said {expected}")
    if finite:
        check_finite(name, data, tensor.format)
    return data


def not_finite(name: str) -> CheckpointError:
    """The error for a tensor that holds NaN or infinity."""
    return CheckpointError(f"tensor {name} holds NaN or infinity: the file is damaged, or its training diverged")


def check_finite(name: str, data: torch.Tensor | np.ndarray, format: str) -> None:
    """Raise CheckpointError where a weight, or the scale of a block, is NaN or infinite."""
    if isinstance(data, torch.Tensor):
        low, high = torch.aminmax(data)  # both are NaN where any weight is
        finite = bool(torch.isfinite(low) & torch.isfinite(high))
    else:
        start, count = SCALES[format]
        blocks = data.reshape(-1, FORMATS[format].block_bytes)
        scales = np.ascontiguousarray(blocks[:, start : start + 2 * count]).view(np.float16)
        finite = bool(np.isfinite(scales).all())
    if not finite:
        raise not_finite(name)


def _columns(data: torch.Tensor | np.ndarray, format: str) -> int:
    """Weights in a row."""
    if isinstance(data, torch.Tensor):
        return data.shape[-1]
    return data.shape[-1] // FORMATS[format].block_bytes * FORMATS[format].block_size


def _row_pieces(rows: int, columns: int, weights: int) -> Iterator[slice]:
    step = max(1, weights // columns)
    return (slice(start, min(start + step, rows)) for start in range(0, rows, step))


def to_dtype(name: str, data: torch.Tensor | np.ndarray, format: str, dtype: torch.dtype) -> torch.Tensor:
    """Weights of any format as floats; the very same tensor where it has that dtype already.

    Args:
        name: for the error.
        data: what StoredTensor.read gave.
        format: its format.
        dtype: of the result.

    Raises:
        CheckpointError: a weight that is too large for `dtype`.
    """
    if isinstance(data, torch.Tensor):
        if data.dtype == dtype:
            return data
        out = data.to(dtype)
    else:
        columns = _columns(data, format)
        out = torch.empty(len(data), columns, dtype=dtype)
        for rows in _row_pieces(len(data), columns, WEIGHTS_AT_ONCE):
            out[rows] = torch.from_numpy(FORMATS[format].dequantize(data[rows]))
    if dtype == torch.float16:  # its largest number is 65504, that of the other two is 3e38
        low, high = torch.aminmax(out)
        if not torch.isfinite(low) or not torch.isfinite(high):
            raise CheckpointError(f"tensor {name} holds weights beyond 65504, too large for float16: use bfloat16")
    return out


def read_as(name: str, tensor: StoredTensor, format: str) -> torch.Tensor:
    """A stored tensor, checked, in a float format.

    Raises:
        CheckpointError: see read_checked and to_dtype.
    """
    return to_dtype(name, read_checked(name, tensor), tensor.format, FLOAT_DTYPES[format])


def written_formats(tensors: dict[str, StoredTensor], format: str | None = None) -> dict[str, str]:
    """In which float format each tensor is written.

    Args:
        tensors: of a checkpoint.
        format: one for all of them; None keeps the stored one, with f16 for block formats. Norm weights, which GGUF
            stores as f32 whatever the matrices are, take the matrices' format where that loses nothing.

    Raises:
        CheckpointError: `format` is no float format.
    """
    if format is not None:
        if not is_float(format):
            raise CheckpointError(
                f"format is {format!r}, expected {', '.join(FLOAT_DTYPES)}: only GGUF files are quantized"
            )
        return dict.fromkeys(tensors, format)
    common = float_format(tensors)
    return {name: _written_format(name, tensor, common) for name, tensor in tensors.items()}


def _written_format(name: str, tensor: StoredTensor, common: str) -> str:
    if not is_float(tensor.format):
        return "f16"
    if len(tensor.shape) == 1 and tensor.format == "f32" and common != "f32":
        values = read_as(name, tensor, "f32")
        return common if torch.equal(values.to(FLOAT_DTYPES[common]).float(), values) else "f32"
    return tensor.format


def _float_pieces(data: torch.Tensor | np.ndarray, format: str) -> Iterator[np.ndarray]:
    """A tensor of any format as float32 (n, K), some rows at a time; a vector is one row."""
    rows = data.reshape(-1, data.shape[-1])
    for which in _row_pieces(len(rows), _columns(rows, format), QUANTIZED_AT_ONCE):
        piece = rows[which]
        yield piece.float().numpy() if isinstance(piece, torch.Tensor) else FORMATS[format].dequantize(piece)


def _quantize_checked(values: np.ndarray, format: str, own: Quantize | None = None) -> np.ndarray:
    """Weights in a format that can hold them, by `own` where it is given."""
    largest = float(np.maximum(-values.min(initial=0), values.max(initial=0)))  # NaN where any weight is
    if not largest < _TOO_LARGE.get(format, float("inf")):
        remedy = "is not a finite number: the checkpoint is damaged"
        if np.isfinite(largest):
            remedy = f"is more than {format} can hold: keep f32 or bf16"
        raise CheckpointError(f"a weight of magnitude {largest:g}, which {remedy}")
    quantize = own or FORMATS[format].quantize
    assert quantize is not None, format
    blocks = quantize(values)
    wanted = (len(values), row_bytes(format, values.shape[1]))
    if not isinstance(blocks, np.ndarray) or blocks.dtype != np.uint8 or blocks.shape != wanted:
        got = f"{blocks.dtype} of shape {blocks.shape}" if isinstance(blocks, np.ndarray) else type(blocks).__name__
        raise ShapeError(f"quantize_{format} gave {got}, expected uint8 of shape {wanted}")
    return np.ascontiguousarray(blocks)


def quantized_pieces(
    data: torch.Tensor | np.ndarray, format: str, target: str, own: Quantize | None = None
) -> Iterator[np.ndarray]:
    """A tensor in another format, some rows at a time and in order, by as many threads as there are cores.

    Args:
        data: what StoredTensor.read gave.
        format: its format.
        target: a format of FORMATS that can be written.
        own: quantizes in the place of the format's own function.

    Yields:
        uint8 (n, row_bytes).

    Raises:
        CheckpointError: a weight that is not a number, or beyond what the format can hold; without the tensor's name.
        ShapeError: `own` gave no blocks of this format.
    """
    threads, waiting = thread_count(None), deque[Future[np.ndarray]]()
    with ThreadPoolExecutor(threads) as pool:
        for values in _float_pieces(data, format):
            waiting.append(pool.submit(_quantize_checked, values, target, own))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def to_blocks(
    name: str, data: torch.Tensor | np.ndarray, format: str, target: str, own: Quantize | None = None
) -> np.ndarray:
    """Weights of any format, quantized.

    Args:
        name: for the error.
        data: what StoredTensor.read gave for a matrix.
        format: its format.
        target: a format of FORMATS that can be written.
        own: see quantized_pieces.

    Returns:
        uint8 (N, row_bytes).

    Raises:
        CheckpointError: a weight beyond what the format can hold.
    """
    if format == target and isinstance(data, np.ndarray):
        return data
    size, start = row_bytes(target, _columns(data, format)), 0
    out = own_pages(len(data) * size).reshape(len(data), size)
    try:
        for piece in quantized_pieces(data, format, target, own):
            out[start : start + len(piece)] = piece
            start += len(piece)
    except CheckpointError as error:
        raise CheckpointError(f"tensor {name} holds {error}") from error
    return out
