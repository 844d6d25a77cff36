import pytest
import torch
from oracles import CONFIGS, random_llama, relative_difference, to_transformers

from minillama.attention import attend
from minillama.config import PRESETS, ModelConfig
from minillama.errors import ContextLengthError, ShapeError
from minillama.model import Llama, Pieces, count_parameters

TOLERANCE = 1e-4  # of the largest logit
TOKENS = torch.randint(3, 131, (2, 120), generator=torch.Generator().manual_seed(7))


@pytest.mark.parametrize("name", CONFIGS)
def test_logits_equal_transformers(name: str) -> None:
    model = random_llama(CONFIGS[name])
    with torch.no_grad():
        theirs = to_transformers(model)(TOKENS).logits
    assert relative_difference(model(TOKENS), theirs) <= TOLERANCE


@pytest.mark.parametrize("name", CONFIGS)
def test_token_by_token_equals_one_pass(name: str) -> None:
    model = random_llama(CONFIGS[name])
    tokens = TOKENS[:, :40]
    cache = model.new_cache(2, 40)
    steps = [model(tokens[:, :5], cache)] + [model(tokens[:, t : t + 1], cache) for t in range(5, 33)]
    steps.append(model(tokens[:, 33:], cache))
    assert cache.length == 40
    assert relative_difference(torch.cat(steps, dim=1), model(tokens)) <= TOLERANCE


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("kind", ["fused", "explicit"])
def test_padded_rows_equal_single_rows(name: str, kind: str) -> None:
    config = CONFIGS[name]
    model = random_llama(config)
    if kind == "explicit":
        explicit = Llama(config, Pieces(attend=attend)).requires_grad_(False)
        explicit.load_state_dict(model.state_dict())
        model = explicit
    lengths = (30, 11, 1)
    rows = [TOKENS[0, :n] for n in lengths]
    padded = torch.stack([torch.cat((torch.zeros(30 - len(row), dtype=torch.int64), row)) for row in rows])
    cache = model.new_cache(3, 32)
    cache.padding = torch.tensor([30 - n for n in lengths])
    logits = model(padded, cache)
    follow = torch.tensor([[5], [6], [7]])
    later = model(follow, cache)
    for i, row in enumerate(rows):
        whole = model(torch.cat((row, follow[i]))[None])[0]
        assert relative_difference(logits[i, 30 - len(row) :], whole[:-1]) <= TOLERANCE
        assert relative_difference(later[i, -1], whole[-1]) <= TOLERANCE


def test_truncated_cache_goes_on_as_if_nothing_had_been() -> None:
    model = random_llama(CONFIGS["grouped"])
    cache = model.new_cache(1, 64)
    model(TOKENS[:1, :20], cache)
    model(torch.full((1, 9), 4), cache)
    cache.truncate(20)
    after = model(TOKENS[:1, 20:25], cache)
    assert relative_difference(after, model(TOKENS[:1, :25])[:, 20:]) <= TOLERANCE


def test_a_model_says_where_its_tokens_belong() -> None:
    model = random_llama(CONFIGS["tied"])
    assert model.device == torch.device("cpu")
    assert model.to("meta").device == torch.device("meta")


def test_future_tokens_change_nothing_before_them() -> None:
    model = random_llama(CONFIGS["grouped"])
    changed = TOKENS[:1, :20].clone()
    changed[0, 12] = 99
    difference = (model(changed) - model(TOKENS[:1, :20])).abs().amax(-1)[0]
    assert difference[:12].max() == 0
    assert difference[12] > 0


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("llama-7b", 6_738_415_616),
        ("llama-13b", 13_015_864_320),
        ("llama-33b", 32_528_943_616),
        ("llama-65b", 65_285_660_672),
        ("llama2-70b", 68_976_648_192),
        ("llama3-8b", 8_030_261_248),
        ("mistral-7b", 7_241_732_096),
        ("tinyllama-1.1b", 1_100_048_384),
        ("tiny", 3_672_320),
    ],
)
def test_published_parameter_counts(name: str, count: int) -> None:
    assert count_parameters(PRESETS[name]) == count


def test_count_parameters_is_what_the_model_has() -> None:
    for config in CONFIGS.values():
        assert count_parameters(config) == sum(p.numel() for p in Llama(config).parameters())


def test_too_long_a_text_is_refused() -> None:
    model = random_llama(ModelConfig(**{**vars_of(CONFIGS["grouped"]), "max_seq_len": 16}))
    with pytest.raises(ContextLengthError, match="17 tokens, but the model's context is 16"):
        model(TOKENS[:1, :17])
    cache = model.new_cache(1, 8)
    with pytest.raises(ContextLengthError, match="places for 8"):
        model(TOKENS[:1, :9], cache)
    with pytest.raises(ContextLengthError):
        model.new_cache(1, 17)
    with pytest.raises(ContextLengthError):
        cache.truncate(9)


def vars_of(config: ModelConfig) -> dict:
    return {name: getattr(config, name) for name in ModelConfig.__slots__}


def test_tokens_of_another_shape_are_refused() -> None:
    model = random_llama(CONFIGS["grouped"])
    with pytest.raises(ShapeError, match="expected int64"):
        model(TOKENS[0])
    with pytest.raises(ShapeError, match="float32"):
        model(TOKENS.float())
    with pytest.raises(ShapeError, match="int32"):
        model(TOKENS.int())
    with pytest.raises(ShapeError, match="0 to 130"):
        model(TOKENS + 100)
    for rows in (1, 3):
        with pytest.raises(ShapeError, match=f"tokens have 2 rows, but the cache was made for {rows}"):
            model(TOKENS[:, :4], model.new_cache(rows, 8))


def test_bfloat16_stays_near_float32() -> None:
    model = random_llama(CONFIGS["grouped"])
    half = Llama(model.config).requires_grad_(False)
    half.load_state_dict(model.state_dict())
    half.to(torch.bfloat16)
    half.reset_rope()
    logits = half(TOKENS)
    assert logits.dtype == torch.float32
    assert relative_difference(logits, model(TOKENS)) < 0.05


def test_fresh_weights_depend_on_the_seed_alone() -> None:
    first, second, third = (Llama(CONFIGS["tied"]) for _ in range(3))
    first.init_weights(1)
    torch.manual_seed(5)
    second.init_weights(1)
    third.init_weights(2)
    assert torch.equal(first.tok_embeddings.weight, second.tok_embeddings.weight)
    assert not torch.equal(first.tok_embeddings.weight, third.tok_embeddings.weight)


def test_fresh_weights_spread_by_what_they_multiply_and_share_a_direction() -> None:
    model = Llama(PRESETS["tiny"])
    model.init_weights(0)
    block = model.layers[0]
    assert block.attention.wq.weight.std().item() == pytest.approx(256**-0.5, rel=0.02)
    assert block.feed_forward.w1.weight.std().item() == pytest.approx(256**-0.5, rel=0.02)
    assert block.feed_forward.w2.weight.std().item() == pytest.approx((768 * 8) ** -0.5, rel=0.02)
    mean = model.tok_embeddings.weight.mean(0)
    assert mean.std().item() == pytest.approx(256**-0.5 / 2, rel=0.15)
    assert torch.equal(model.norm.weight, torch.ones(256))
