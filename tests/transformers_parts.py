"""What the parts of transformers' LLaMA give: the numbers that lesson 07 compares with.

python tests/transformers_parts.py
"""

import json
import sys
from pathlib import Path

from torch import Tensor

from minillama.course.theirs import CONFIG, STORED, TOKENS, spread_weights
from minillama.files import new_file
from minillama.model import Llama
from minillama.trace import part_outputs

PARTS = {"input_layernorm": "attention_norm", "self_attn": "attention", "post_attention_layernorm": "ffn_norm",
         "mlp": "feed_forward"}  # fmt: skip


def names() -> dict[str, str]:
    """Their name of each part -> ours."""
    found = {"model.embed_tokens": "tok_embeddings", "model.norm": "norm"}
    for layer in range(CONFIG.n_layers):
        theirs = f"model.layers.{layer}"
        found |= {theirs: f"layers.{layer}"}
        found |= {f"{theirs}.{name}": f"layers.{layer}.{own}" for name, own in PARTS.items()}
    return found


def computed_parts() -> dict[str, Tensor]:
    """As transformers computes them."""
    from oracles import to_transformers

    return part_outputs(to_transformers(spread_weights(Llama(CONFIG))), TOKENS, names())


def main() -> None:
    """Write them into the package."""
    rows = {
        name: [[float(f"{value:.7g}") for value in row] for row in part[0].tolist()]
        for name, part in computed_parts().items()
    }
    text = "{\n" + ",\n".join(f'"{name}": {json.dumps(part)}' for name, part in rows.items()) + "\n}\n"
    with new_file(Path(__file__).parents[1] / "minillama" / "assets" / STORED) as file:
        file.write(text.encode())


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
