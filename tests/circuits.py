"""A Llama whose weights are set by hand: two heads that together continue any sequence seen before.

The circuit of Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits": a head of the first layer copies
the token before into a place of its own in the stream; a head of the second looks for the position whose token before
is its own, and says what stands there. All other weights are zero.
"""

import torch

from minillama.config import ModelConfig
from minillama.model import Llama

VOCABULARY = 40
PREVIOUS_HEAD = (0, 1)
INDUCTION_HEAD = (1, 3)
CONFIG = ModelConfig(
    dim=3 * VOCABULARY + 8,
    n_layers=2,
    n_heads=4,
    n_kv_heads=2,
    head_dim=64,
    hidden_dim=32,
    vocab_size=VOCABULARY,
    max_seq_len=128,
    rope_theta=1e12,  # the first pairs tell near positions apart, the later ones hardly turn and hold what is matched
)
STEEP = 4.0  # so that softmax takes one place
N_TURNING = 4  # pairs that find the token before
FIRST_STILL = 16  # columns of a head from here on hold a token's code


def induction_llama() -> Llama:
    """The circuit."""
    model = Llama(CONFIG).requires_grad_(False)
    for parameter in model.parameters():
        parameter.fill_(1.0 if parameter.dim() == 1 else 0.0)
    token, before, answer = (range(start, start + VOCABULARY) for start in range(0, 3 * VOCABULARY, VOCABULARY))
    constant, K, codes = 3 * VOCABULARY, CONFIG.head_dim, torch.arange(VOCABULARY)
    assert FIRST_STILL + VOCABULARY <= K
    model.tok_embeddings.weight[codes, codes] = 1.0
    model.tok_embeddings.weight[:, constant] = 1.0

    layer, head = PREVIOUS_HEAD
    attention, group = model.layers[layer].attention, head // 2
    for pair in range(N_TURNING):  # the query stands one position ahead, so it matches the key of the token before
        angle = torch.tensor(CONFIG.rope_theta ** (-2 * pair / K))
        attention.wq.weight[head * K + 2 * pair, constant] = STEEP * angle.cos()
        attention.wq.weight[head * K + 2 * pair + 1, constant] = -STEEP * angle.sin()
        attention.wk.weight[group * K + 2 * pair, constant] = STEEP
    attention.wv.weight[group * K + codes, token] = 1.0
    attention.wo.weight[before, head * K + codes] = 0.1

    layer, head = INDUCTION_HEAD
    attention, group = model.layers[layer].attention, head // 2
    attention.wq.weight[head * K + FIRST_STILL + codes, token] = STEEP
    attention.wk.weight[group * K + FIRST_STILL + codes, before] = STEEP
    attention.wv.weight[group * K + codes, token] = 1.0
    attention.wo.weight[answer, head * K + codes] = 1.0
    model.output.weight[codes, answer] = 1.0
    return model
