"""The same model in transformers: the oracle of the model's tests."""

import torch
import transformers  # its parts are imported when they are named: collecting the tests stays quick

from minillama.config import ModelConfig, RopeScaling
from minillama.model import Llama
from minillama.rope import permute_meta_to_hf

SMALL = {
    "dim": 64,
    "n_layers": 3,
    "n_heads": 8,
    "n_kv_heads": 8,
    "hidden_dim": 96,
    "vocab_size": 131,
    "max_seq_len": 256,
}
LLAMA3 = RopeScaling(kind="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_seq_len=64)
CONFIGS: dict[str, ModelConfig] = {
    "multi-head": ModelConfig(**SMALL),
    "llama-1 eps": ModelConfig(**SMALL, norm_eps=1e-6),
    "grouped": ModelConfig(**{**SMALL, "n_kv_heads": 2}),
    "multi-query": ModelConfig(**{**SMALL, "n_kv_heads": 1}),
    "tied": ModelConfig(**SMALL, tied=True),
    "theta 5e5": ModelConfig(**{**SMALL, "n_kv_heads": 4}, rope_theta=5e5),
    "llama 3.1 scaling": ModelConfig(**{**SMALL, "n_kv_heads": 4}, rope_theta=5e5, rope_scaling=LLAMA3),
    "linear scaling": ModelConfig(**SMALL, rope_scaling=RopeScaling(kind="linear", factor=4.0)),
    "sliding window": ModelConfig(**{**SMALL, "n_kv_heads": 2}, sliding_window=7),
    "wide heads": ModelConfig(**{**SMALL, "n_heads": 4, "n_kv_heads": 2}, head_dim=24),
}


def rope_parameters(config: ModelConfig) -> dict:
    """transformers' spelling of the rotary settings."""
    scaling = config.rope_scaling
    base: dict = {"rope_type": "default", "rope_theta": config.rope_theta}
    if scaling is None:
        return base
    base |= {"rope_type": scaling.kind, "factor": scaling.factor}
    if scaling.kind == "llama3":
        base |= {
            "low_freq_factor": scaling.low_freq_factor,
            "high_freq_factor": scaling.high_freq_factor,
            "original_max_position_embeddings": scaling.original_max_seq_len,
        }
    return base


def random_llama(config: ModelConfig, seed: int = 0) -> Llama:
    """A model with weights large enough that every part matters."""
    model = Llama(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(1 + 0.2 * noise if parameter.dim() == 1 else noise / parameter.shape[-1] ** 0.5)
        model.tok_embeddings.weight.mul_(5)
    return model.requires_grad_(False)


def to_transformers(model: Llama) -> "transformers.LlamaForCausalLM":
    """The same weights as a transformers model."""
    config = model.config
    sizes = {
        "vocab_size": config.vocab_size, "hidden_size": config.dim, "intermediate_size": config.hidden_dim,
        "num_hidden_layers": config.n_layers, "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.n_kv_heads, "head_dim": config.head_dim, "rms_norm_eps": config.norm_eps,
        "max_position_embeddings": config.max_seq_len, "tie_word_embeddings": config.tied,
        "rope_parameters": rope_parameters(config), "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": None,
    }  # fmt: skip
    if config.sliding_window is None:
        other = transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes))
    else:
        other = transformers.MistralForCausalLM(
            transformers.MistralConfig(**sizes, sliding_window=config.sliding_window)
        )
    names = {
        "attention.wq": "self_attn.q_proj", "attention.wk": "self_attn.k_proj", "attention.wv": "self_attn.v_proj",
        "attention.wo": "self_attn.o_proj", "feed_forward.w1": "mlp.gate_proj", "feed_forward.w2": "mlp.down_proj",
        "feed_forward.w3": "mlp.up_proj", "attention_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    }  # fmt: skip
    state = {"model.embed_tokens.weight": model.tok_embeddings.weight, "model.norm.weight": model.norm.weight}
    state["lm_head.weight"] = model.tok_embeddings.weight if model.output is None else model.output.weight
    for layer, block in enumerate(model.layers):
        for name, theirs in names.items():
            weight = block.get_parameter(f"{name}.weight")
            if name in ("attention.wq", "attention.wk"):
                weight = permute_meta_to_hf(weight, config.n_heads if name.endswith("q") else config.n_kv_heads)
            state[f"model.layers.{layer}.{theirs}.weight"] = weight
    other.load_state_dict(state)
    return other.eval()


def relative_difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """The largest difference as a share of the largest value."""
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()
