"""What a model of stories has learned, measured on stories that it has not seen."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

import torch

from minillama.errors import DataError
from minillama.loss import cross_entropy, shift_targets
from minillama.model import Llama
from minillama.tokenizer import Tokenizer
from minillama.train.corpus import ConsistencyItem, consistency_items, stories
from minillama.train.data import encode_documents, pack

SENTENCE = re.compile(r'[^.!?]+[.!?]+(?:" [a-z][^.!?]*[.!?]+)*"?')  # "Oh no!" said the cat. is one
LONGEST_SENTENCE = 40  # words
N_LOSS_STORIES, LOSS_WINDOW = 40, 512
N_KNOWN_STORIES = 2000
RIVALS_AMONG = 6  # times as many stories are looked through for things with a rival: one in fourteen has some


@dataclass(frozen=True, kw_only=True)
class StoryProbes:
    """What a model is asked about.

    Args:
        pronoun, object: held-out stories cut off before a "she" or before "red kite".
        rival: such of the second kind whose wrong continuation has been named in the story too.
        held_out: stories whose names and plans no training story has.
        known: training stories, which generated text is compared with.
    """

    pronoun: list[ConsistencyItem]
    object: list[ConsistencyItem]
    rival: list[ConsistencyItem]
    held_out: list[str]
    known: list[str]


def make_story_probes(corpus_seed: int, n_items: int) -> StoryProbes:
    """The probes of one seed.

    Args:
        corpus_seed: which held-out stories.
        n_items: how many cut-off stories of each kind.
    """
    objects = consistency_items(corpus_seed, RIVALS_AMONG * n_items, kind="object")
    return StoryProbes(
        pronoun=consistency_items(corpus_seed, n_items, kind="pronoun"),
        object=objects[:n_items],
        rival=[item for item in objects if item.wrong in item.context],
        held_out=list(islice(stories(corpus_seed, "held_out"), N_LOSS_STORIES)),
        known=list(islice(stories(0), N_KNOWN_STORIES)),
    )


@torch.no_grad()
def held_out_loss(model: Llama, tokenizer: Tokenizer, stories: Iterable[str], seq_len: int) -> float:
    """The mean surprise at a token of stories laid end to end, in nats.

    Args:
        model, tokenizer: of each other.
        stories: what is left over by the last window does not count.
        seq_len: tokens a window.

    Raises:
        DataError: less text than one window.
    """
    windows = torch.from_numpy(pack(encode_documents(stories, tokenizer), seq_len + 1))
    if not len(windows):
        raise DataError(f"the stories do not fill a window of {seq_len} tokens: give more of them")
    losses = []
    for window in windows:
        inputs, targets = shift_targets(window[None])
        losses.append(cross_entropy(model(inputs), targets))
    return torch.stack(losses).mean().item()


@torch.no_grad()
def is_consistent(model: Llama, tokenizer: Tokenizer, item: ConsistencyItem) -> bool | None:
    """Whether the model finds the right continuation likelier than the wrong one, by the sum of log p over its tokens.

    What both have in common is computed once.

    Returns:
        None where the item is longer than the model's context.
    """
    both = [tokenizer.encode(item.context + end) for end in (item.right, item.wrong)]
    longest = max(map(len, both))
    if longest > model.config.max_seq_len:
        return None
    differ = (i for i, (right, wrong) in enumerate(zip(*both, strict=False)) if right != wrong)
    common = next(differ, min(map(len, both)))
    cache = model.new_cache(1, longest)
    first = model.unembed(model.hidden(torch.tensor([both[0][:common]]), cache)[:, -1:]).float()  # (1, 1, V)
    sums = []
    for ids in both:
        cache.truncate(common)
        rest = torch.tensor([ids[common:]])
        logits = first if rest.shape[1] < 2 else torch.cat([first, model(rest[:, :-1], cache)], dim=1)
        sums.append(logits.log_softmax(-1).gather(-1, rest[..., None]).sum().item() if rest.numel() else 0.0)
    return sums[0] > sums[1]


def consistency(model: Llama, tokenizer: Tokenizer, items: Iterable[ConsistencyItem]) -> float:
    """The share of items that the model gets right; 0.5 is guessing.

    Raises:
        DataError: no item fits into the model's context.
    """
    found = [is_consistent(model, tokenizer, item) for item in items]
    counted = [right for right in found if right is not None]
    if not counted:
        raise DataError(f"no item of {len(found)} fits into {model.config.max_seq_len} tokens: take a longer context")
    return sum(counted) / len(counted)


@dataclass(frozen=True, kw_only=True)
class Fluency:
    """How much texts are like the stories, counted without understanding them; shares from 0 to 1.

    Args:
        known_words: of words, those that the stories have.
        known_pairs: of words that follow one another in a sentence, those that do so in the stories.
        whole_sentences: of sentences but for the last, those of 2 to 40 words that begin as one does.
        distinct_runs: of runs of four words, those that come for the first time in their text.
    """

    known_words: float
    known_pairs: float
    whole_sentences: float
    distinct_runs: float


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for sentence in re.split(r"[.!?]", text):
        words = _words(sentence)
        yield from pairwise(words)


def _share(found: Iterable[bool]) -> float:
    marks = list(found)
    return sum(marks) / len(marks) if marks else 0.0


def fluency(texts: Sequence[str], stories: Sequence[str]) -> Fluency:
    """Compare texts with stories.

    >>> fluency(["The cat sat. The dog"], ["The cat sat. The dog ran."])
    Fluency(known_words=1.0, known_pairs=1.0, whole_sentences=1.0, distinct_runs=1.0)
    """
    words = {word for story in stories for word in _words(story)}
    pairs = {pair for story in stories for pair in _pairs(story)}
    sentences = [sentence for text in texts for sentence in SENTENCE.findall(text)]
    runs = [[tuple(own[i : i + 4]) for i in range(len(own) - 3)] for own in map(_words, texts)]
    return Fluency(
        known_words=_share(word in words for text in texts for word in _words(text)),
        known_pairs=_share(pair in pairs for text in texts for pair in _pairs(text)),
        whole_sentences=_share(
            bool(re.match(r'\s*"?[A-Z]', sentence)) and 2 <= len(_words(sentence)) <= LONGEST_SENTENCE
            for sentence in sentences
        ),
        distinct_runs=sum(len(set(own)) for own in runs) / max(1, sum(map(len, runs))),
    )
