import pytest
import torch
from circuits import INDUCTION_HEAD, PREVIOUS_HEAD, VOCABULARY, induction_llama
from oracles import CONFIGS, random_llama, relative_difference, to_transformers
from torch import nn

from minillama.config import PRESETS
from minillama.errors import ConfigError
from minillama.generation import generate_ids
from minillama.heads import repeated_spans
from minillama.loss import cross_entropy
from minillama.model import Llama, Pieces
from minillama.trace import ablate, logit_lens, mean_head_outputs, part_outputs, token_losses, trace

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


@torch.no_grad()
def test_nothing_off_changes_nothing() -> None:
    model = random_llama(CONFIGS["grouped"])
    with ablate(model, []):
        off = model(TOKENS)
    assert torch.equal(off, model(TOKENS))
    with ablate(model, [(0, 1)]):
        assert relative_difference(model(TOKENS), off) > 1e-3
    assert torch.equal(off, model(TOKENS))
    assert not any(block.attention.wo._forward_pre_hooks for block in model.layers)


@pytest.mark.parametrize("name", ["multi-head", "grouped", "multi-query", "wide heads"])
@torch.no_grad()
def test_a_head_off_is_a_head_whose_output_columns_are_zero(name: str) -> None:
    model, other = random_llama(CONFIGS[name]), random_llama(CONFIGS[name])
    K = model.config.head_dim
    for layer, head in ((1, 2), (1, 0), (2, 3)):
        other.layers[layer].attention.wo.weight[:, head * K : (head + 1) * K] = 0
    with ablate(model, [(1, 2), (1, 0), (2, 3)]):
        seen = trace(model, TOKENS)
        torch.testing.assert_close(model(TOKENS), other(TOKENS))
    theirs = trace(other, TOKENS)
    torch.testing.assert_close(seen.attention, theirs.attention)
    torch.testing.assert_close(seen.logits, theirs.logits)
    whole = trace(model, TOKENS)
    assert torch.equal(seen.attention[:2], whole.attention[:2])  # a head that is off still looks
    assert relative_difference(seen.attention[2], whole.attention[2]) > 1e-3


@torch.no_grad()
def test_all_heads_of_a_layer_off_is_the_layer_without_attention() -> None:
    class Nothing(nn.Module):
        def forward(self, x: torch.Tensor, *others: object) -> torch.Tensor:
            return torch.zeros_like(x)

    model, other = random_llama(CONFIGS["grouped"]), random_llama(CONFIGS["grouped"])
    other.layers[1].attention = Nothing()
    with ablate(model, ((1, head) for head in range(8))):
        torch.testing.assert_close(model(TOKENS), other(TOKENS), rtol=0, atol=0)


@torch.no_grad()
def test_means_stand_in_for_a_head() -> None:
    model = random_llama(CONFIGS["grouped"])
    means = mean_head_outputs(model, TOKENS)
    assert means.shape == (3, 8, 8)
    whole = model(TOKENS)
    with ablate(model, [(2, 5)], means):
        off = model(TOKENS)
        torch.testing.assert_close(mean_head_outputs(model, TOKENS), means)
    with ablate(model, [(2, 5)]):
        assert relative_difference(model(TOKENS), off) > 1e-3
    assert relative_difference(whole, off) > 1e-3
    same = TOKENS[:1, :1].expand(2, 24)  # one token over and over: every head gives the same at every position
    with ablate(model, [(0, 3), (1, 1), (2, 5)], mean_head_outputs(model, same)):
        off = model(same)
    torch.testing.assert_close(off, model(same))


def test_means_are_of_each_head_apart() -> None:
    model, outputs = random_llama(CONFIGS["grouped"]), []

    def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, None]:
        out = pieces.attend(q, k, v, mask)[0]
        outputs.append(out)
        return out, None

    pieces = Pieces()
    for block in model.layers:
        block.attention.attend = attend
    means = mean_head_outputs(model, TOKENS)
    torch.testing.assert_close(means, torch.stack(outputs).mean(dim=(1, 2)))


@torch.no_grad()
def test_blocks_nest_and_a_generation_runs_inside() -> None:
    model = random_llama(CONFIGS["tied"])
    with ablate(model, [(0, 1), (2, 2)]):
        both = model(TOKENS)
        ids = [step[0] for step in generate_ids(model, [TOKENS[0].tolist()], 5)]
    with ablate(model, [(0, 1)]), ablate(model, [(2, 2)]):
        assert torch.equal(model(TOKENS), both)
    row = TOKENS[:1]
    for token in ids:
        with ablate(model, [(0, 1), (2, 2)]):
            expected = model(row)[0, -1].argmax()
        assert token == expected
        row = torch.cat([row, expected[None, None]], dim=1)


class LearnersAttention(nn.Module):
    """One loop over the heads, and no `attend` to replace."""

    def __init__(self, config: object, layer: int = 0, *, linear: object, apply_rope: object, attend: object) -> None:
        super().__init__()
        self.n_heads, self.n_kv_heads, self.head_dim = config.n_heads, config.n_kv_heads, config.head_dim
        self.turn = apply_rope
        self.wq = linear(config.dim, config.n_heads * config.head_dim)
        self.wk = linear(config.dim, config.n_kv_heads * config.head_dim)
        self.wv = linear(config.dim, config.n_kv_heads * config.head_dim)
        self.wo = linear(config.n_heads * config.head_dim, config.dim)

    def forward(
        self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, mask: torch.Tensor, cache: object = None
    ) -> torch.Tensor:
        q, k, v = (w(x).unflatten(-1, (-1, self.head_dim)) for w in (self.wq, self.wk, self.wv))
        q, k = self.turn(q, cos, sin), self.turn(k, cos, sin)
        outputs = []
        for head in range(self.n_heads):
            group = head * self.n_kv_heads // self.n_heads
            scores = q[:, :, head] @ k[:, :, group].transpose(1, 2) / self.head_dim**0.5
            outputs.append(scores.masked_fill(~mask, -1e9).softmax(-1) @ v[:, :, group])
        return self.wo(torch.cat(outputs, dim=-1))


@torch.no_grad()
def test_learners_attention_is_switched_off_too() -> None:
    model = random_llama(CONFIGS["grouped"])
    theirs = Llama(model.config, Pieces(Attention=LearnersAttention))
    theirs.load_state_dict(model.state_dict())
    for heads in ([], [(0, 6), (1, 3)]):
        with ablate(model, heads), ablate(theirs, heads):
            torch.testing.assert_close(theirs(TOKENS), model(TOKENS), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(mean_head_outputs(theirs, TOKENS), mean_head_outputs(model, TOKENS))


@torch.no_grad()
def test_without_its_induction_head_a_circuit_copies_no_more() -> None:
    model = induction_llama()
    rows = repeated_spans(4, 16, (1, VOCABULARY), seed=0, start_id=0)

    def gain() -> float:
        losses = token_losses(model(rows), rows)
        return (losses[:, :16].mean() - losses[:, 16:].mean()).item()

    whole = gain()
    assert whole > 5
    means = mean_head_outputs(model, rows)
    for instead in (None, means):
        with ablate(model, [INDUCTION_HEAD], instead):
            assert gain() == pytest.approx(0, abs=0.3)
        with ablate(model, [PREVIOUS_HEAD], instead):
            assert gain() < whole / 2
        with ablate(model, [(0, 0), (0, 2), (1, 0)], instead):
            assert gain() == pytest.approx(whole)


def test_token_losses_are_those_of_the_loss() -> None:
    logits = random_llama(CONFIGS["grouped"])(TOKENS)
    losses = token_losses(logits, TOKENS)
    assert losses.shape == (2, 23)
    torch.testing.assert_close(losses.mean(), cross_entropy(logits[:, :-1], TOKENS[:, 1:]))
    torch.testing.assert_close(losses[1, 4], -logits[1, 4].log_softmax(-1)[TOKENS[1, 5]])


@pytest.mark.parametrize("head", [(3, 0), (0, 8), (-1, 0), (0, -1)])
def test_heads_that_are_not_there_are_refused(head: tuple[int, int]) -> None:
    model = random_llama(CONFIGS["grouped"])
    with pytest.raises(ConfigError, match="expected layers 0 to 2 and heads 0 to 7"), ablate(model, [(0, 0), head]):
        pass
    assert not any(block.attention.wo._forward_pre_hooks for block in model.layers)


def test_what_cannot_be_ablated_is_refused() -> None:
    with pytest.raises(ConfigError, match="load it with pieces="), ablate(object(), []):
        pass
    model = random_llama(CONFIGS["grouped"])
    with (
        pytest.raises(ConfigError, match=r"\(2, 8, 8\), expected \(3, 8, 8\)"),
        ablate(model, [], torch.zeros(2, 8, 8)),
    ):
        pass
    model.layers[1].attention = nn.Identity()
    with pytest.raises(ConfigError, match="layer 1 has no module `wo`"), ablate(model, [(0, 0)]):
        pass


def test_outputs_of_parts_come_in_the_order_of_the_pass() -> None:
    model = Llama(PRESETS["tiny-0.6m"]).requires_grad_(False)
    tokens = torch.randint(3, 99, (2, 7))
    found = part_outputs(model, tokens)
    first = ["layers.0.attention_norm", "layers.0.attention", "layers.0.ffn_norm", "layers.0.feed_forward", "layers.0"]
    assert list(found)[:6] == ["tok_embeddings", *first]
    assert list(found)[-2:] == ["norm", "logits"]
    torch.testing.assert_close(found["layers.3"], trace(model, tokens).stream[-1])
    assert list(part_outputs(model, tokens, {"layers.1": "second"})) == ["second", "logits"]
    assert not model.norm._forward_hooks
