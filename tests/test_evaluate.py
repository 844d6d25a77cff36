import math

import pytest
import torch
from oracles import CONFIGS, random_llama, to_transformers

from minillama.checkpoint.source import tensor_shapes
from minillama.config import PRESETS
from minillama.errors import DataError
from minillama.evaluate import perplexity, predict_tokens_per_second, scored_windows

MODEL = random_llama(CONFIGS["grouped"])
IDS = torch.randint(3, 131, (215,), generator=torch.Generator().manual_seed(1)).tolist()


class Given:
    """A tokenizer whose every text is the same ids."""

    bos_id = 1

    def encode(self, text: str) -> list[int]:
        return [1, *IDS]


def by_transformers(ids: list[int], context: int) -> list[float]:
    """Window by window as llama.cpp's perplexity tool does, through another model."""
    other, scores = to_transformers(MODEL), []
    for start in range(0, len(ids) // context * context, context):
        window = torch.tensor([[1, *ids[start + 1 : start + context]]])
        with torch.no_grad():
            log_p = other(window).logits[0].log_softmax(-1)
        scores += [-log_p[i, window[0, i + 1]].item() for i in range(context // 2, context - 1)]
    return scores


def test_equals_the_same_method_through_transformers() -> None:
    expected = by_transformers([1, *IDS], 32)
    found = perplexity(MODEL, Given(), "", context=32)
    assert found.n_tokens == len(expected) == 6 * 15
    assert found.value == pytest.approx(math.exp(sum(expected) / len(expected)), rel=1e-4)
    assert 0 < found.standard_error < found.value


def test_only_the_second_half_of_a_window_is_scored_and_its_first_token_is_bos() -> None:
    changed = list(IDS[:64])
    changed[32] = 5  # the first token of the second window: BOS stands there
    same = [list(scored_windows(MODEL, ids, 1, 32)) for ids in (IDS[:64], changed)]
    assert all(torch.equal(a, b) for a, b in zip(*same, strict=True))
    changed[40] = 5  # in the first half: it is seen, though not scored
    assert not torch.equal(list(scored_windows(MODEL, changed, 1, 32))[1], same[0][1])


def test_equal_guesses_give_the_vocabulary() -> None:
    flat = random_llama(CONFIGS["grouped"])
    flat.output.weight.zero_()
    assert perplexity(flat, Given(), "", context=32).value == pytest.approx(131)


@pytest.mark.parametrize(
    ("n", "context", "words"), [(63, 32, "at least two windows"), (200, 31, "even"), (200, 4096, "from 4 to 256")]
)
def test_what_cannot_be_measured_is_refused(n: int, context: int, words: str) -> None:
    with pytest.raises(DataError, match=words):
        list(scored_windows(MODEL, IDS[:n], 1, context))


@pytest.mark.parametrize("name", ["llama-7b", "llama3-8b", "tiny"])
def test_a_token_reads_every_matrix_but_the_embedding_and_the_whole_cache(name: str) -> None:
    config = PRESETS[name]
    shapes = tensor_shapes(config)
    if not config.tied:
        del shapes["tok_embeddings.weight"]
    weights = sum(math.prod(shape) for shape in shapes.values()) * 8.5 / 8
    cache = 700 * 2 * 2 * config.n_layers * config.n_kv_heads * config.head_dim
    assert predict_tokens_per_second(config, 8.5, 700, gb_per_s=30) == pytest.approx(30e9 / (weights + cache))
