"""What each head of a trained model does, and what goes when it is switched off.

The scores are those of minillama.heads, on stories and on random spans; heads are switched off with minillama.trace.
"""

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from minillama.errors import DataError
from minillama.heads import (
    Head,
    best_heads,
    induction_scores,
    own_token_scores,
    previous_token_scores,
    repeated_spans,
    sink_scores,
)
from minillama.model import Llama
from minillama.tokenizer import Tokenizer
from minillama.tokenizer.bpe import FIRST_PIECES
from minillama.trace import ablate, mean_head_outputs, token_losses, trace
from minillama.train.corpus import stories
from minillama.train.data import encode_documents

KINDS = ("previous_token", "own_token", "sink", "induction")
SPAN, N_SPANS = 32, 24
N_STORIES, WINDOW = 8, 128
MAX_SHARE_OFF = 1 / 8  # of all heads, at most so many are switched off as the best induction heads
N_DRAWS = 10  # of random heads

Place = tuple[int, int]  # layer and head


@dataclass(frozen=True, kw_only=True)
class HeadProbes:
    """The token ids that heads are scored on.

    Args:
        stories: (B, T) beginnings of held-out stories.
        spans: (B, 2n + 1) rows of `repeated_spans`.
        length: n.
    """

    stories: Tensor
    spans: Tensor
    length: int


def make_head_probes(model: Llama, tokenizer: Tokenizer, seed: int, corpus_seed: int) -> HeadProbes:
    """What `head_scores` looks at: stories of the held-out split, and spans drawn by `seed`.

    Raises:
        DataError: a vocabulary or a context too small for the spans or the stories.
    """
    documents = encode_documents(stories(corpus_seed, "held_out"), tokenizer)
    T = min(WINDOW, model.config.max_seq_len)
    if model.config.max_seq_len < 2 * SPAN + 1:
        raise DataError(f"the model's context is {model.config.max_seq_len}, expected at least {2 * SPAN + 1}")
    long_enough = islice((ids[:T] for ids in documents if len(ids) >= T), N_STORIES)
    ids = (FIRST_PIECES, tokenizer.vocab_size)
    spans = repeated_spans(N_SPANS, SPAN, ids, seed, tokenizer.bos_id)
    return HeadProbes(stories=torch.tensor(list(long_enough)), spans=spans, length=SPAN)


def head_scores(
    model: Llama, probes: HeadProbes, change: Callable[[Tensor], Tensor] = lambda attention: attention
) -> dict[str, Tensor]:
    """How much every head is of each kind.

    Args:
        model: the torch model.
        probes: of `make_head_probes`.
        change: what to do with the attention before it is scored.

    Returns:
        (L, H) for each of KINDS: previous token, own token and sink on stories, induction on random spans that come
        twice.
    """
    on_stories, on_spans = (change(trace(model, tokens).attention) for tokens in (probes.stories, probes.spans))
    return {
        "previous_token": previous_token_scores(on_stories),
        "own_token": own_token_scores(on_stories),
        "sink": sink_scores(on_stories),
        "induction": induction_scores(on_spans, probes.length),
    }


def split_gain(losses: Tensor, length: int) -> float:
    """How much cheaper the second of two equal spans is than the first, in nats a token.

    All tokens of the second count, its first too, which nothing foretells.

    Args:
        losses: (B, 2n) or longer, whose last 2n are those of the spans.
        length: n.
    """
    return (losses[:, -2 * length : -length].mean() - losses[:, -length:].mean()).item()


@torch.no_grad()
def repetition_gain(model: Llama, probes: HeadProbes) -> float:
    """`split_gain` of a model on the spans."""
    return split_gain(token_losses(model(probes.spans), probes.spans), probes.length)


@dataclass(frozen=True, kw_only=True)
class Ablations:
    """What is left of the gain on spans that come twice, in nats a token, with heads off.

    Args:
        gain: with all heads on.
        induction: without the best induction heads.
        previous_token: without the best previous-token head, which they need.
        others: without as many heads outside the circuit, one for each draw.
        any_others: without as many of all that are not the best induction heads.
        n_off: how many heads "the best induction heads" are.
    """

    gain: float
    induction: float
    previous_token: float
    others: tuple[float, ...]
    any_others: tuple[float, ...]
    n_off: int

    def lost(self, left: float) -> float:
        """The share of the gain that went; 0 where there was none."""
        return 1 - left / self.gain if self.gain > 0 else 0.0


def strongest(scores: Tensor) -> list[Head]:
    """The heads that score at least half of what the best one does, at most an eighth of all."""
    best = best_heads(scores, max(1, int(scores.numel() * MAX_SHARE_OFF)))
    return [head for head in best if head.score >= best[0].score / 2]


@torch.no_grad()
def ablations(model: Llama, probes: HeadProbes, scores: dict[str, Tensor], seed: int) -> Ablations:
    """Switch heads off, each replaced by its mean on the spans, and see what is left of the gain.

    The circuit is more than the heads that are switched off: all heads that copy at least half as well as the best
    one, and, in the layers below them, those that look mostly at the token before or at their own, which feed them.

    Args:
        model, probes: as for `head_scores`.
        scores: of `head_scores`.
        seed: of the draws.
    """
    means = mean_head_outputs(model, probes.spans)

    def gain(*off: Place) -> float:
        with ablate(model, off, means):
            return repetition_gain(model, probes)

    copying = [head[:2] for head in strongest(scores["induction"])]
    circuit, rng = {*copying, *circuit_heads(scores)}, random.Random(seed)
    places = [head[:2] for head in best_heads(scores["sink"], scores["sink"].numel())]

    def without_random_heads(spared: Collection[Place]) -> tuple[float, ...]:
        rest = [place for place in places if place not in spared]
        return tuple(gain(*rng.sample(rest, min(len(copying), len(rest)))) for _ in range(N_DRAWS))

    return Ablations(
        gain=gain(),
        induction=gain(*copying),
        previous_token=gain(best_heads(scores["previous_token"], 1)[0][:2]),
        others=without_random_heads(circuit),
        any_others=without_random_heads(copying),
        n_off=len(copying),
    )


def circuit_heads(scores: dict[str, Tensor]) -> list[Place]:
    """The heads that copy at least half as well as the best one, and those below that feed them."""
    induction = scores["induction"]
    copying = (induction >= induction.max() / 2).nonzero().tolist()
    feeding = torch.maximum(scores["previous_token"], scores["own_token"])[: copying[-1][0]] >= 0.5
    return [(layer, head) for layer, head in [*copying, *feeding.nonzero().tolist()]]
