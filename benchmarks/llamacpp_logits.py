"""llama.cpp's logits at every position, through llama-cpp-python's low-level interface (`make bench-deps`)."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import llama_cpp
import numpy as np

PLAIN_TYPES = {
    "q4_1": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_1,
    "q5_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q5_0,
    "q5_1": llama_cpp.LLAMA_FTYPE_MOSTLY_Q5_1,
    "q5_k": llama_cpp.LLAMA_FTYPE_MOSTLY_Q5_K_S,
}  # that minillama only reads


@llama_cpp.llama_log_callback
def _silent(level: int, text: bytes, data: ctypes.c_void_p) -> None:
    pass


@contextmanager
def opened(path: Path, context: int, float_cache: bool = False) -> Iterator[llama_cpp.llama_context_p]:
    """A context of a GGUF file for `context` tokens, on the processor's own buffers.

    Args:
        path: the file.
        context: tokens that fit.
        float_cache: keys and values in float32, and attention without its fused kernel; llama.cpp's own are float16.
    """
    llama_cpp.llama_log_set(_silent, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    how = llama_cpp.llama_model_default_params()
    how.n_gpu_layers, how.use_extra_bufts = 0, False  # repacked weights crash on some processors with AMX
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), how)
    if not model:
        raise SystemExit(f"{path}: llama.cpp cannot load it")
    sizes = llama_cpp.llama_context_default_params()
    sizes.n_ctx = sizes.n_batch = sizes.n_ubatch = context
    if float_cache:
        sizes.type_k = sizes.type_v = llama_cpp.GGML_TYPE_F32
        sizes.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
    session = llama_cpp.llama_init_from_model(model, sizes)
    try:
        yield session
    finally:
        llama_cpp.llama_free(session)
        llama_cpp.llama_model_free(model)


def llamacpp_logits(path: Path, windows: np.ndarray, float_cache: bool = False) -> np.ndarray:
    """The logits of each position of each window.

    Args:
        path: a GGUF file.
        windows: int64 (N, T).
        float_cache: see opened.

    Returns:
        float32 (N, T, V).
    """
    n_tokens = windows.shape[1]
    with opened(path, n_tokens, float_cache) as session:
        size = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(llama_cpp.llama_get_model(session)))
        out = np.empty((*windows.shape, size), np.float32)
        batch = llama_cpp.llama_batch_init(n_tokens, 0, 1)
        for index, window in enumerate(windows):
            llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(session), True)
            batch.n_tokens = n_tokens
            for place, token in enumerate(window):
                batch.token[place], batch.pos[place], batch.logits[place] = int(token), place, 1
                batch.n_seq_id[place], batch.seq_id[place][0] = 1, 0
            if llama_cpp.llama_decode(session, batch):
                raise SystemExit(f"{path}: llama.cpp cannot run {n_tokens} tokens")
            found = np.ctypeslib.as_array(llama_cpp.llama_get_logits(session), (n_tokens, size))
            out[index] = found
        llama_cpp.llama_batch_free(batch)
    return out


def llamacpp_quantize(source: Path, out: Path, type: str) -> None:
    """A GGUF file of one of PLAIN_TYPES, every matrix of it in that format, by llama.cpp's own quantizer."""
    llama_cpp.llama_log_set(_silent, ctypes.c_void_p(0))
    options = llama_cpp.llama_model_quantize_default_params()
    options.ftype, options.pure = PLAIN_TYPES[type], True
    if llama_cpp.llama_model_quantize(str(source).encode(), str(out).encode(), ctypes.byref(options)):
        raise SystemExit(f"{source}: llama.cpp cannot quantize it to {type}")
