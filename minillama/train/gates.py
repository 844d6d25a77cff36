"""Is a trained model good enough for the lessons? Each gate is a number, what is wanted of it, and what chance gives.

The baselines are a model of the same shape that was never trained, and the same attention with every row shuffled.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from math import log
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from minillama.files import new_file
from minillama.generation import generate_batch
from minillama.heads import Head, best_heads, shuffled_rows
from minillama.model import Llama
from minillama.tokenizer import Tokenizer
from minillama.train.head_probes import (
    KINDS,
    N_DRAWS,
    Ablations,
    ablations,
    head_scores,
    make_head_probes,
    repetition_gain,
)
from minillama.train.story_probes import (
    LOSS_WINDOW,
    StoryProbes,
    consistency,
    fluency,
    held_out_loss,
    make_story_probes,
)

PROMPTS = (
    "Once upon a time", "Once upon a time, there was a little girl named Lily.", "One day, a dog",
    "There was once a small mouse who", "Tom and his friend Mia went to the", "It was a cold night, and",
    'The old man said, "', "A rabbit lived in the forest.", "In the morning, Ben woke up and", "Anna had a red ball.",
    "The bear was very hungry.", "Once there was a boy who wanted to", "It was raining. Sam",
    "Mama baked a cake for", "The little bird could not", "One sunny day, Lucy and the cat",
    "A frog sat on a stone.", 'Max was sad. "What is wrong?"', "There was a fox named Red.", "The king lost his",
)  # fmt: skip
NEW_TOKENS = 120
FIRST_CORPUS_SEED = 1_000_000  # far from the seeds that models are trained on: other stories, the same held-out names
N_ITEMS, N_ITEMS_UNTRAINED = 100, 25  # of each kind
WANTED_GAIN = 2.0
N_LISTED = 4  # heads of each kind in heads.json


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One number, with a value for each seed.

    Args:
        name: what is measured.
        values: of the model.
        wanted: the threshold; None where the number is only told.
        at_least: whether more is better.
        untrained: the same of a model of this shape that was never trained; None where it makes no sense.
        chance: of shuffled attention or of guessing; None where nothing like it exists.
        empty: whether this is a share of something that is not there, which counts as not met.
        note: what else is to be known.
    """

    name: str
    values: tuple[float, ...]
    wanted: float | None = None
    at_least: bool = True
    untrained: float | None = None
    chance: float | None = None
    empty: bool = False
    note: str = ""

    @property
    def value(self) -> float:
        """The mean over the seeds."""
        return mean(self.values)

    @property
    def met(self) -> bool | None:
        """Whether every seed has what is wanted; None where nothing is."""
        if self.wanted is None:
            return None
        wanted = self.wanted
        return not self.empty and all(value >= wanted if self.at_least else value <= wanted for value in self.values)


@dataclass(frozen=True, kw_only=True)
class Report:
    """All gates of one model.

    Args:
        gates: in the order in which they are told.
        heads: of each kind the best ones, by the mean of their scores over the seeds.
        texts: (prompt, completion) pairs of the first seed, for a person to judge.
    """

    gates: tuple[Gate, ...]
    heads: dict[str, list[Head]]
    texts: tuple[tuple[str, str], ...]

    @property
    def met(self) -> bool:
        """Whether no gate failed."""
        return all(gate.met is not False for gate in self.gates)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one seed gives: numbers by name, of the model, of an untrained one and by chance."""

    model: dict[str, float]
    untrained: dict[str, float]
    chance: dict[str, float]
    stories: dict[str, float]  # generated text's numbers, of the held-out stories themselves
    off: Ablations
    scores: dict[str, Tensor]
    texts: list[str]


def _told(model: Llama, tokenizer: Tokenizer, seed: int) -> list[str]:
    return generate_batch(model, tokenizer, PROMPTS, NEW_TOKENS, temperature=0.6, top_p=0.9, seed=seed)


def _story_numbers(
    model: Llama, tokenizer: Tokenizer, probes: StoryProbes, n_items: int, texts: list[str]
) -> dict[str, float]:
    return {
        "pronoun": consistency(model, tokenizer, probes.pronoun[:n_items]),
        "object": consistency(model, tokenizer, probes.object[:n_items]),
        "rival": consistency(model, tokenizer, probes.rival[:n_items]),
        "loss": held_out_loss(model, tokenizer, probes.held_out, min(LOSS_WINDOW, model.config.max_seq_len)),
        **asdict(fluency(texts, probes.known)),
    }


def _best(scores: dict[str, Tensor]) -> dict[str, float]:
    return {kind: scores[kind].max().item() for kind in KINDS}


def measure_seed(model: Llama, tokenizer: Tokenizer, seed: int, report: Callable[[str], None]) -> Measured:
    """Measure a model once.

    Args:
        model: a torch model in float32.
        tokenizer: its own.
        seed: of the stories, the spans, the sampling, the untrained model and the random heads.
        report: called with what comes next.
    """
    report("stories to ask about")
    corpus_seed = FIRST_CORPUS_SEED + seed
    stories, heads = make_story_probes(corpus_seed, N_ITEMS), make_head_probes(model, tokenizer, seed, corpus_seed)
    untrained = Llama(model.config).requires_grad_(False).eval()
    untrained.init_weights(seed)
    report("heads")
    scores = head_scores(model, heads)
    shuffled = head_scores(model, heads, lambda attention: shuffled_rows(attention, seed))
    report("heads switched off")
    off = ablations(model, heads, scores, seed)
    report("texts")
    texts = _told(model, tokenizer, seed)
    report("pronouns and objects")
    numbers = _story_numbers(model, tokenizer, stories, N_ITEMS, texts) | {"gain": off.gain}
    report("an untrained model")
    told = _told(untrained, tokenizer, seed)
    baseline = _story_numbers(untrained, tokenizer, stories, N_ITEMS_UNTRAINED, told)
    baseline |= {"gain": repetition_gain(untrained, heads)}
    chance = {"pronoun": 0.5, "object": 0.5, "rival": 0.5, "gain": 0.0, "loss": log(model.config.vocab_size)}
    return Measured(
        model=numbers | _best(scores),
        untrained=baseline | _best(head_scores(untrained, heads)),
        chance=chance | _best(shuffled),
        stories=asdict(fluency(stories.held_out, stories.known)),
        off=off,
        scores=scores,
        texts=texts,
    )


def _gate(seeds: list[Measured], key: str, name: str, wanted: float | None = None, note: str = "") -> Gate:
    tables: dict[str, list[dict[str, float]]] = {
        "untrained": [measured.untrained for measured in seeds],
        "chance": [measured.chance for measured in seeds],
    }
    beside: dict[str, Any] = {
        column: mean(table[key] for table in found) for column, found in tables.items() if key in found[0]
    }
    values = tuple(measured.model[key] for measured in seeds)
    return Gate(name=name, values=values, wanted=wanted, note=note, **beside)


def _ablation_gates(offs: list[Ablations], empty: bool) -> Iterator[Gate]:
    note = f"; a gain below {WANTED_GAIN:g} tells nothing" if empty else ""
    yield Gate(
        name="gain lost without the best induction heads",
        values=tuple(off.lost(off.induction) for off in offs),
        wanted=0.5,
        empty=empty,
        note="heads off: " + ", ".join(str(off.n_off) for off in offs) + note,
    )
    worst = max(off.lost(left) for off in offs for left in off.others)
    of_any = mean(off.lost(left) for off in offs for left in off.any_others)
    yield Gate(
        name="gain lost without as many random heads",
        values=tuple(mean(off.lost(left) for left in off.others) for off in offs),
        wanted=0.1,
        at_least=False,
        empty=empty,
        note=f"outside the circuit, mean of {N_DRAWS} draws, the worst {worst:.0%}; of any heads {of_any:.0%}{note}",
    )
    yield Gate(
        name="gain lost without the best previous-token head",
        values=tuple(off.lost(off.previous_token) for off in offs),
        note=note.removeprefix("; "),
    )


def _gates(seeds: list[Measured]) -> Iterator[Gate]:
    yield _gate(seeds, "pronoun", "pronouns right, held-out names", 0.9)
    yield _gate(seeds, "object", "objects right, held-out names", 0.9)
    yield _gate(seeds, "rival", "objects right beside a rival", note="the wrong one is in the story too")
    gain = _gate(seeds, "gain", "random span, cheaper when repeated (nats)", WANTED_GAIN)
    yield gain
    yield _gate(seeds, "induction", "best induction head", 0.5)
    yield _gate(seeds, "previous_token", "best previous-token head", 0.7)
    yield _gate(seeds, "own_token", "best own-token head")
    yield _gate(seeds, "sink", "best first-token sink")
    yield from _ablation_gates([measured.off for measured in seeds], empty=not gain.met)
    yield _gate(seeds, "loss", "loss on held-out stories (nats)")
    for key, name in (
        ("known_words", "texts: words of training stories"),
        ("known_pairs", "texts: pairs of words of training stories"),
        ("whole_sentences", "texts: whole sentences"),
        ("distinct_runs", "texts: four words not said before"),
    ):
        of_stories = mean(measured.stories[key] for measured in seeds)
        yield _gate(seeds, key, name, note=f"held-out stories {of_stories:.3f}")


def measure(
    model: Llama, tokenizer: Tokenizer, n_seeds: int = 1, report: Callable[[int, str], None] = lambda seed, step: None
) -> Report:
    """Measure every gate.

    Args:
        model: a torch model in float32.
        tokenizer: its own.
        n_seeds: how often, with seeds 0, 1, ...; a gate is met when it is with each.
        report: called with the seed and what comes next.

    Raises:
        ConfigError: a model that is not the torch one.
        DataError: a vocabulary or a context too small for the probes.
    """
    seeds = [measure_seed(model, tokenizer, seed, partial(report, seed)) for seed in range(n_seeds)]
    scores = {kind: torch.stack([measured.scores[kind] for measured in seeds]).mean(0) for kind in KINDS}
    return Report(
        gates=tuple(_gates(seeds)),
        heads={kind: best_heads(scores[kind], N_LISTED) for kind in KINDS},
        texts=tuple(zip(PROMPTS, seeds[0].texts, strict=True)),
    )


def digest(path: Path) -> str:
    """The SHA-256 of a file, or of all files of a folder by their names; heads.json itself does not count."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    files = sorted(found for found in path.iterdir() if found.is_file() and found.name != "heads.json")
    return hashlib.sha256("".join(f"{found.name} {digest(found)}\n" for found in files).encode()).hexdigest()


def heads_record(report: Report, path: Path, n_seeds: int) -> dict[str, Any]:
    """What heads.json holds: the model's file and digest, and its best heads, layers and heads counted from 0."""
    listed = {
        kind: [{"layer": head.layer, "head": head.head, "score": round(head.score, 3)} for head in found]
        for kind, found in report.heads.items()
    }
    return {"model": path.name, "sha256": digest(path), "seeds": n_seeds, **listed}


def write_heads(record: dict[str, Any], path: Path) -> None:
    """Write heads.json, whole or not at all."""
    with new_file(path) as file:
        file.write((json.dumps(record, indent=1) + "\n").encode())
