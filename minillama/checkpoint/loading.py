"""From a file to a model that runs: what goes where is planned from the headers, then the weights follow one by one."""

import dataclasses
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from minillama.checkpoint.bundled import bundled_model
from minillama.checkpoint.files import named
from minillama.checkpoint.hf import open_hf_tokenizer
from minillama.checkpoint.memory import check_fits, fits_in_memory, free_memory
from minillama.checkpoint.opening import open_checkpoint
from minillama.checkpoint.own_pieces import read_pieces
from minillama.checkpoint.source import FLOAT_DTYPES, Checkpoint
from minillama.checkpoint.tensors import is_float, not_finite, read_checked, stored_bytes, to_blocks, to_dtype
from minillama.checkpoint.tokenizers import find_tokenizer, read_tokenizer
from minillama.errors import CheckpointError, ConfigError
from minillama.model import Llama, Pieces
from minillama.quant.engine.model import QuantizedLlama, can_run, packed_bytes
from minillama.quant.formats import FORMATS
from minillama.quant.kernels.layout import IN_FILE_NUMBERS
from minillama.quant.kernels.packing import prepare
from minillama.quant.kernels.threads import thread_count
from minillama.quant.linear import QuantEmbedding, QuantLinear, QuantMatrix
from minillama.quant.pages import in_own_pages
from minillama.tokenizer import Tokenizer
from minillama.tokenizer.sentencepiece import SentencePieceTokenizer

log = logging.getLogger("minillama")

QUANTIZED = ("q8_0", "q4_0")  # what weights can be quantized to while they load
CACHE_TOKENS = 512  # of context that must fit beside the weights
FORMAT_OF = {dtype: format for format, dtype in FLOAT_DTYPES.items()}
TOKENIZER_FILES = ("tokenizer.model", "tokenizer.json")


def load(
    path: str | Path | None = None,
    *,
    quant: str | None = None,
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype | None = None,
    pieces: Pieces | str | Path | None = None,
    tokenizer: str | Path | None = None,
) -> tuple[Llama | QuantizedLlama, Tokenizer]:
    """Load a model and its tokenizer.

    Quantized matrices run in the Numba engine on the CPU, everything else in the torch model. Float weights that the
    file has in the right form already stay in it, mapped; the others are converted one at a time.

    Args:
        path: a folder of Meta's or Hugging Face's, a .gguf file, a llama2.c .bin file; None is the bundled model.
        quant: None keeps what the file has; "q8_0" and "q4_0" quantize every matrix, "none" makes floats of all.
        device: "cpu", "cuda", "mps".
        dtype: of the float weights, "float32", "bfloat16", "float16" or torch's own; None is float32 where that
            takes at most half of the free memory, else and on a GPU bfloat16.
        pieces: what the torch model is built from, quantized or not, and its files are read with: Pieces, or a folder
            of your own such as "my_llama", which is run as Python; None for minillama's own, and for the engine where
            matrices are quantized.
        tokenizer: a tokenizer file to use instead of the model's; needed for llama2.c.

    Raises:
        CheckpointError: a file that is missing, damaged, hostile or of another family.
        ConfigError: an option that there is not.
        NotEnoughMemoryError: it would not fit; nothing has been read.

    >>> model, tokenizer = load()
    >>> model.config.n_layers
    4
    """
    target = _device(device)
    if isinstance(pieces, str | Path):
        pieces = read_pieces(pieces)
    if pieces is not None and not isinstance(pieces, Pieces):
        raise ConfigError(f"pieces is {pieces!r}, expected a folder, a minillama.model.Pieces or None")
    checkpoint = open_checkpoint(bundled_model() if path is None else path, tokenizer, pieces)
    words = checkpoint.tokenizer()
    if pieces is not None and isinstance(words, SentencePieceTokenizer):
        words = words.with_pieces(pieces.encode_bpe, pieces.decode, pieces.stream_decode)
    if words.vocab_size > checkpoint.config.vocab_size:
        raise CheckpointError(
            f"{checkpoint.path}: the tokenizer does not fit the model: it has {words.vocab_size} pieces, "
            f"the embedding {checkpoint.config.vocab_size} rows; name the right one with tokenizer="
        )
    plan = _plan(checkpoint, quant)
    floats = _dtype(dtype, checkpoint, plan, target, pieces or Pieces())
    engine = pieces is None and target.type == "cpu" and can_run(_matrix_formats(checkpoint, plan))
    packs = pieces is not None and pieces.pack_rows is not None
    own = _check_memory(checkpoint, plan, floats, target, engine, packs)
    with named(checkpoint.path):
        if engine:
            model: Llama | QuantizedLlama = _build_engine(checkpoint, plan)
        else:
            model = _build(checkpoint, plan, floats, target, pieces or Pieces())
    kinds = sorted(set(plan.values()) - {"float"})
    log.info(
        "%s: %s, float weights as %s%s on %s; %.2f GB of its own memory, the rest mapped",
        *(checkpoint.path, checkpoint.kind, str(floats).removeprefix("torch.")),
        *(f", matrices as {', '.join(kinds)}" if kinds else "", target, own / 1e9),
    )
    return model, words


def load_opened(checkpoint: Checkpoint, *, device: torch.device, dtype: torch.dtype) -> Llama:
    """The torch model of a checkpoint that is open already, or of a share of one; all of its weights as floats.

    Raises:
        CheckpointError, NotEnoughMemoryError: see load.
    """
    plan = dict.fromkeys(checkpoint.tensors, "float")
    _check_memory(checkpoint, plan, dtype, device, engine=False, packs=False)
    with named(checkpoint.path):
        return _build(checkpoint, plan, dtype, device, Pieces())


def load_tokenizer(path: str | Path | None = None) -> Tokenizer:
    """The tokenizer of a tokenizer file, or of any model that `load` takes.

    Args:
        path: tokenizer.model (SentencePiece's or Llama 3's), tokenizer.json, tokenizer.bin, or a model.

    Raises:
        CheckpointError: no such file, or a model without a tokenizer.
        TokenizerError: a damaged tokenizer.
    """
    path = bundled_model() if path is None else Path(path)
    if path.is_dir() and (path / "config.json").is_file():
        return open_hf_tokenizer(path)
    if path.is_dir() and any((path / name).is_file() for name in TOKENIZER_FILES):
        return find_tokenizer(path, TOKENIZER_FILES)
    if path.is_dir() or path.suffix == ".gguf":
        return open_checkpoint(path).tokenizer()
    return read_tokenizer(path)


def _device(device: str | torch.device) -> torch.device:
    try:
        target = torch.device(device)
    except RuntimeError as error:
        raise ConfigError(f"device is {device!r}, expected 'cpu', 'cuda' or 'mps'") from error
    counts = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (target.index or 0) >= counts.get(target.type, 0):
        raise ConfigError(f"device is {str(device)!r}, but PyTorch sees no such device here: use device='cpu'")
    return target


def _plan(checkpoint: Checkpoint, quant: str | None) -> dict[str, str]:
    """Where each tensor is heading: "float", or the name of a block format."""
    if quant not in (None, "none", *QUANTIZED):
        raise ConfigError(f"quant is {quant!r}, expected None, 'none', {' or '.join(map(repr, QUANTIZED))}")
    plan = {}
    for name, tensor in checkpoint.tensors.items():
        plan[name] = "float" if quant == "none" or is_float(tensor.format) else tensor.format
        if quant in QUANTIZED and len(tensor.shape) == 2:
            plan[name] = quant
            if tensor.shape[1] % FORMATS[quant].block_size:
                plan[name] = "float"
                log.info("%s: rows of %d do not divide into %s blocks; it stays float", name, tensor.shape[1], quant)
    if quant in QUANTIZED and not all(t.format == quant or is_float(t.format) for t in checkpoint.tensors.values()):
        log.warning("%s: is quantized already; quantizing it again to %s loses more", checkpoint.path, quant)
    return plan


def _dtype(
    dtype: str | torch.dtype | None,
    checkpoint: Checkpoint,
    plan: dict[str, str],
    device: torch.device,
    pieces: Pieces,
) -> torch.dtype:
    if dtype is None:
        if device.type != "cpu":
            return torch.bfloat16
        free = free_memory()
        fits = pieces.fits_in_memory or fits_in_memory
        whole = free is None or fits(checkpoint.config, 4, 0, free / 2 / 2**30)
        return torch.float32 if whole or set(plan.values()) != {"float"} else torch.bfloat16  # kernels take float32
    found = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if not isinstance(found, torch.dtype) or found not in FLOAT_DTYPES.values():
        raise ConfigError(f"dtype is {dtype!r}, expected 'float32', 'bfloat16' or 'float16'")
    return found


def _matrix_formats(checkpoint: Checkpoint, plan: dict[str, str]) -> dict[str, str]:
    """Where each matrix is heading."""
    return {name: plan[name] for name, tensor in checkpoint.tensors.items() if len(tensor.shape) == 2}


def _check_memory(
    checkpoint: Checkpoint, plan: dict[str, str], dtype: torch.dtype, device: torch.device, engine: bool, packs: bool
) -> int:
    """The bytes that the weights will take beside the mapped file, checked against what is free."""
    own = {"cpu": 0, device.type: 0}
    for name, tensor in checkpoint.tensors.items():
        place = device.type if plan[name] == "float" else "cpu"  # blocks stay where the processor computes with them
        target = FORMAT_OF[dtype] if plan[name] == "float" else plan[name]
        again = engine or (packs and target == "q4_0")  # in the kernels' layout
        if again and len(tensor.shape) == 2 and (name != "tok_embeddings.weight" or checkpoint.config.tied):
            own[place] += packed_bytes(target, tensor.shape)
        if tensor.format != target or not tensor.mapped or place != "cpu":
            stays = not engine or name == "tok_embeddings.weight" or target in IN_FILE_NUMBERS
            own[place] += stored_bytes(tensor, target) if stays else 0
    free = {"cpu": free_memory()}
    if device.type == "cuda":
        free["cuda"] = torch.cuda.mem_get_info(device)[0]
    for place, size in own.items():
        what = f"{checkpoint.path} on {place}"
        check_fits(what, checkpoint.config, size, min(CACHE_TOKENS, checkpoint.config.max_seq_len), free.get(place))
    return sum(own.values())


class _NoDraws(TorchFunctionMode):
    """Leaves out the drawing of first weights: on meta tensors it would import a compiler, for two seconds."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__module__", "") == "torch.nn.init" or func in (Tensor.normal_, Tensor.uniform_):
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def _assign(model: Llama, name: str, tensor: Tensor) -> None:
    """Let a parameter of the model be this tensor, without a copy."""
    parent, leaf = name.rpartition(".")[::2]
    try:
        module = model.get_submodule(parent)
        old = module.get_parameter(leaf)
    except AttributeError as error:
        raise CheckpointError(f"the pieces have no parameter {name}, but the checkpoint holds one") from error
    if old.shape != tensor.shape:
        raise CheckpointError(f"the pieces make {name} {tuple(old.shape)}, the checkpoint has {tuple(tensor.shape)}")
    setattr(module, leaf, nn.Parameter(tensor, requires_grad=old.requires_grad))


def _kernels(pieces: Pieces, format: str) -> dict[str, Any]:
    """Which of the pieces multiply matrices of a format."""
    if format == "q8_0":
        return {"matvec": pieces.matvec_q8}
    return {"matvec": pieces.matvec_q4, "pack_rows": pieces.pack_rows} if format == "q4_0" else {}


def _replace(
    model: Llama, name: str, blocks: np.ndarray, format: str, shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    """Put a module that computes with blocks in the place of the one that would compute with floats."""
    rows, columns = shape
    own = model.pieces.dequantize_q4_0 if format == "q4_0" else None
    path, kernels = name.removesuffix(".weight"), _kernels(model.pieces, format)
    if path == "tok_embeddings":
        model.set_submodule(path, QuantEmbedding(blocks, format, (rows, columns), dtype, own))
        if model.config.tied:
            model.output = QuantLinear(blocks, format, (rows, columns), own, **kernels)
        return
    model.set_submodule(path, QuantLinear(blocks, format, (rows, columns), own, **kernels))


def _build(
    checkpoint: Checkpoint, plan: dict[str, str], dtype: torch.dtype, device: torch.device, pieces: Pieces
) -> Llama:
    """The model, made without memory and then filled tensor by tensor."""
    no_table = dataclasses.replace(pieces, rope_frequencies=lambda *_: (torch.empty(0), torch.empty(0)))
    with torch.device("meta"), _NoDraws():
        model: Any = (pieces.Llama or Llama)(checkpoint.config, no_table)
    model.pieces = pieces
    model.reset_rope(device)
    own = {"q8_0": pieces.quantize_q8_0, "q4_0": pieces.quantize_q4_0}
    for name, tensor in checkpoint.tensors.items():
        data = read_checked(name, tensor)
        if plan[name] == "float":
            _assign(model, name, to_dtype(name, data, tensor.format, dtype).to(device))
        else:
            blocks = to_blocks(name, data, tensor.format, plan[name], own.get(plan[name]))
            _replace(model, name, blocks, plan[name], tensor.shape, dtype)
    output = getattr(model, "output", None)
    if checkpoint.config.tied and isinstance(output, nn.Linear):  # a piece that shares the embedding's parameter
        output.weight = model.tok_embeddings.weight
    left = [name for name, parameter in model.named_parameters() if parameter.is_meta]
    if left:
        raise CheckpointError(f"the pieces have a parameter {left[0]}, which no checkpoint holds")
    return model.eval()


def _build_engine(checkpoint: Checkpoint, plan: dict[str, str]) -> QuantizedLlama:
    """The quantized model: each matrix is prepared for the kernels as it is read."""
    matrices, norms, threads = {}, {}, thread_count(None)
    for name, tensor in checkpoint.tensors.items():
        key, packed = name.removesuffix(".weight"), tensor.format == plan[name] and name != "tok_embeddings.weight"
        data = read_checked(name, tensor, finite=not packed)
        if len(tensor.shape) == 1:
            norms[key] = to_dtype(name, data, tensor.format, torch.float32).numpy()
            continue
        rows, columns = tensor.shape
        blocks = to_blocks(name, data, tensor.format, plan[name])
        if (
            plan[name] in IN_FILE_NUMBERS and tensor.format != plan[name]
        ):  # they stay, and would leave holes in the heap
            blocks = in_own_pages(blocks)
        if key == "tok_embeddings":
            embedding = QuantMatrix(blocks, plan[name], (rows, columns))
            if checkpoint.config.tied:
                matrices["output"] = prepare(blocks, plan[name], (rows, columns), threads)
        else:
            matrices[key] = prepare(blocks, plan[name], (rows, columns), threads)
            if not matrices[key].finite:
                raise not_finite(name)
            if not matrices[key].in_file_order:  # its bytes have been copied, in another order
                tensor.let_go()
    return QuantizedLlama(checkpoint.config, matrices, embedding, norms)
