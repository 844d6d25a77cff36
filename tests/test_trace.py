import pytest
import torch
from oracles import CONFIGS, random_llama, relative_difference, to_transformers
from torch import nn

from minillama.errors import ConfigError
from minillama.trace import logit_lens, trace

TOKENS = torch.randint(3, 131, (2, 24), generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("name", ["grouped", "tied", "sliding window"])
def test_trace_equals_transformers(name: str) -> None:
    model = random_llama(CONFIGS[name])
    other = to_transformers(model)
    other.set_attn_implementation("eager")
    with torch.no_grad():
        theirs = other(TOKENS, output_attentions=True, output_hidden_states=True)
    ours = trace(model, TOKENS)
    torch.testing.assert_close(ours.attention, torch.stack(theirs.attentions), atol=1e-5, rtol=1e-4)
    assert relative_difference(ours.stream[:-1], torch.stack(theirs.hidden_states[:-1])) <= 1e-5
    assert relative_difference(ours.logits, theirs.logits) <= 1e-4
    assert relative_difference(ours.logits, model(TOKENS)) <= 1e-5


def test_shapes_and_rows_that_sum_to_one() -> None:
    config = CONFIGS["grouped"]
    seen = trace(random_llama(config), TOKENS)
    assert seen.attention.shape == (3, 2, 8, 24, 24)
    assert seen.value_norms.shape == (3, 2, 2, 24)
    assert seen.stream.shape == (4, 2, 24, 64)
    torch.testing.assert_close(seen.attention.sum(-1), torch.ones(3, 2, 8, 24))
    head_five = seen.attention[1, 0, 5] * seen.value_norms[1, 0, 1]  # heads 4 to 7 read key/value head 1
    torch.testing.assert_close(seen.weighted_attention[1, 0, 5], head_five)


@pytest.mark.parametrize("name", ["grouped", "tied"])
def test_last_lens_is_the_model(name: str) -> None:
    model = random_llama(CONFIGS[name])
    seen = trace(model, TOKENS)
    lens = logit_lens(model, seen)
    assert lens.shape == (4, 2, 24, 131)
    assert relative_difference(lens[-1], seen.logits) <= 1e-5
    assert relative_difference(lens[0], seen.logits) > 0.1


def test_the_model_is_left_as_it_was() -> None:
    model = random_llama(CONFIGS["grouped"])
    before = [block.attention.attend for block in model.layers]
    trace(model, TOKENS)
    assert [block.attention.attend for block in model.layers] == before
    with pytest.raises(ConfigError, match="load it with pieces="):
        trace(object(), TOKENS)
    model.layers[1].attention = nn.Identity()
    with pytest.raises(ConfigError, match="layer 1"):
        trace(model, TOKENS)
    assert model.layers[0].attention.attend is before[0]
    assert not any(block._forward_pre_hooks for block in model.layers)
