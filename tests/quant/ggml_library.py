"""ggml's own quantizers, in the shared library that llama-cpp-python brings (`make bench-deps`)."""

import ctypes

import numpy as np
from llama_cpp._ctypes_extensions import load_shared_library
from llama_cpp._ggml import libggml_base_path

from minillama.quant.formats import FORMATS, row_bytes

LIBRARY = load_shared_library("ggml-base", libggml_base_path)
LIBRARY.ggml_quantize_chunk.restype = ctypes.c_size_t
LIBRARY.ggml_quantize_chunk.argtypes = [
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p,
]  # fmt: skip


def ggml_quantize(name: str, x: np.ndarray) -> np.ndarray:
    """float32 (N, K) to uint8 (N, row_bytes) in the format called `name`, without importance matrix."""
    x = np.ascontiguousarray(x, np.float32)
    out = np.zeros((len(x), row_bytes(name, x.shape[1])), np.uint8)
    written = LIBRARY.ggml_quantize_chunk(
        FORMATS[name].ggml_type, x.ctypes.data, out.ctypes.data, 0, len(x), x.shape[1], None
    )
    assert written == out.size
    return out
