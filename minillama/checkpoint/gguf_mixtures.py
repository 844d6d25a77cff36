"""Which block format each weight of a GGUF file gets: one for all matrices, or llama.cpp's mixture Q4_K_M.

A mixture spends more bits where rounding costs more. Q4_K_M stores most matrices as q4_k, and as q6_k the matrix that
makes the logits and, in half of the layers, those that write what attention and feed-forward carry on (attn_v and
ffn_down): all in the first and last eighth, where errors weigh most, and every third between.

Source: llama.cpp, src/llama-quant.cpp (choice of tensor types) and include/llama.h (llama_ftype), for the architecture
"llama" without importance matrix. One difference: "q4_k" here is q4_k throughout, as `llama-quantize --pure` makes it.
"""

from minillama.config import ModelConfig
from minillama.quant.formats import FORMATS

FILE_TYPES = {"f32": 0, "f16": 1, "bf16": 32, "q8_0": 7, "q4_0": 2, "q6_k": 18, "q4_k_m": 15, "q4_k": 14}
QUANTIZED_TYPES = ("q4_0", "q4_k", "q4_k_m", "q6_k", "q8_0")

_FALLBACKS = ("q8_0", "f16")  # for rows that do not divide into blocks
_IMPORTANT = ("attention.wv.weight", "feed_forward.w2.weight")


def gets_more_bits(layer: int, n_layers: int) -> bool:
    """Whether the mixture spends more on a layer, counted from 0.

    >>> [layer for layer in range(16) if gets_more_bits(layer, 16)]
    [0, 1, 4, 7, 10, 13, 14, 15]
    """
    eighth = n_layers // 8
    return layer < eighth or layer >= 7 * n_layers // 8 or (layer - eighth) % 3 == 2


def matrix_format(file_type: str, name: str, config: ModelConfig) -> str:
    """The format of a matrix, a key of quant.formats.FORMATS.

    Args:
        file_type: a key of FILE_TYPES.
        name: the weight's name, as Meta spells it.
        config: the model's sizes.

    >>> from minillama.config import PRESETS
    >>> matrix_format("q4_k_m", "layers.0.feed_forward.w2.weight", PRESETS["llama-7b"])
    'q6_k'
    """
    if file_type != "q4_k_m":
        return file_type
    if name == ("tok_embeddings.weight" if config.tied else "output.weight"):
        return "q6_k"
    prefix, _, rest = name.partition(".")
    layer, _, part = rest.partition(".")
    more = prefix == "layers" and part in _IMPORTANT and gets_more_bits(int(layer), config.n_layers)
    return "q6_k" if more else "q4_k"


def format_that_divides(wanted: str, columns: int) -> str:
    """`wanted`, or for rows of `columns` weights that do not divide into its blocks q8_0, or else f16.

    >>> format_that_divides("q4_k", 288), format_that_divides("q4_k", 172)
    ('q8_0', 'f16')
    """
    return next(name for name in (wanted, *_FALLBACKS) if columns % FORMATS[name].block_size == 0)
