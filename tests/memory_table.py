"""The README's table of model sizes, computed from the presets and the block formats.

python tests/memory_table.py
"""

from math import prod

from minillama.checkpoint.source import tensor_shapes
from minillama.config import PRESETS, ModelConfig
from minillama.quant.formats import row_bytes

MODELS = {
    "bundled, 3.7M": "tiny",
    "TinyLlama 1.1B": "tinyllama-1.1b",
    "LLaMA and Llama 2 7B": "llama-7b",
    "Mistral 7B": "mistral-7b",
    "Llama 3 8B": "llama3-8b",
    "LLaMA and Llama 2 13B": "llama-13b",
    "LLaMA 33B": "llama-33b",
    "LLaMA 65B": "llama-65b",
    "Llama 2 70B": "llama2-70b",
}
FORMATS = ("f16", "q8_0", "q4_0")
CACHE_TOKENS = 2048


def weights_bytes(config: ModelConfig, format: str) -> int:
    """Bytes of every weight: matrices in `format`, the vectors of the norms in float32."""
    shapes = tensor_shapes(config).values()
    return sum(s[0] * row_bytes(format, s[1]) if len(s) == 2 else 4 * prod(s) for s in shapes)


def size(count: int) -> str:
    """Bytes for people, in decimal units."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.{0 if count >= 1e7 else 1}f} MB"


def memory_table() -> str:
    """The table as Markdown, without a final newline."""
    lines = ["| model | F16 | Q8_0 | Q4_0 | cache of 2,048 tokens |", "|---|---:|---:|---:|---:|"]
    for name, preset in MODELS.items():
        config = PRESETS[preset]
        cells = [size(weights_bytes(config, format)) for format in FORMATS]
        cells.append(size(min(CACHE_TOKENS, config.max_seq_len) * config.kv_bytes_per_token))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(memory_table())
