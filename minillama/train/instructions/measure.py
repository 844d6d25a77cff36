"""How many tasks of each kind a model gets right, with names and texts that it has never seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from minillama.generation import generate_batch
from minillama.model import Llama
from minillama.tokenizer import Tokenizer
from minillama.train.alpaca import format_prompt
from minillama.train.instructions.generate import KINDS, NEVER_TRAINED, task
from minillama.train.instructions.task import Task

ANSWER_TOKENS = 40  # no right answer has more than 30
TRIES = 5  # draws for each task that is wanted, before a kind has no more


@dataclass(frozen=True, kw_only=True)
class Score:
    """What a model made of tasks of one kind.

    Args:
        kind: its name.
        tasks: what was asked.
        answers: what it said.
    """

    kind: str
    tasks: Sequence[Task]
    answers: Sequence[str]

    @property
    def n_right(self) -> int:
        """How many answers are right."""
        return sum(asked.is_right(said) for asked, said in zip(self.tasks, self.answers, strict=True))

    @property
    def share(self) -> float:
        """The same as a share, 0 to 1."""
        return self.n_right / len(self.tasks)

    @property
    def trained(self) -> bool:
        """Whether tasks of this kind are trained on."""
        return self.kind not in NEVER_TRAINED


def held_out_tasks(kind: str, count: int, seed: int = 0) -> list[Task]:
    """The first different held-out tasks of a kind; fewer where it has no more."""
    drawn = (task(seed, index, kind, "held_out") for index in range(TRIES * count))
    different = {(each.instruction, each.input): each for each in drawn}
    return list(different.values())[:count]


def measure(
    model: Llama,
    tokenizer: Tokenizer,
    count: int = 100,
    seed: int = 0,
    kinds: Sequence[str] = tuple(KINDS),
    report: Callable[[Score], None] = lambda score: None,
) -> list[Score]:
    """Ask a model held-out tasks of every kind, in Stanford's template, and take its likeliest answers.

    Args:
        model, tokenizer: of each other; in the model, the adapter that is to be measured, if any.
        count: tasks of each kind.
        seed: which tasks.
        kinds: names of KINDS.
        report: called after each kind.
    """
    scores = []
    for kind in kinds:
        asked = held_out_tasks(kind, count, seed)
        prompts = [format_prompt(each.instruction, each.input) for each in asked]
        answers = [text.strip() for text in generate_batch(model, tokenizer, prompts, ANSWER_TOKENS)]
        scores.append(Score(kind=kind, tasks=asked, answers=answers))
        report(scores[-1])
    return scores


def read_card(adapter: Path) -> dict[str, tuple[float, float, int]]:
    """What the card beside an adapter says of each kind: the shares right before and after, and of how many tasks.

    Args:
        adapter: its folder; the card has the same name and ends in .md.
    """
    text = adapter.with_suffix(".md").read_text(encoding="utf-8")
    found = re.findall(r"^\| (\w+) \| (\d+)% \| (\d+)% \| (\d+) \|$", text, re.MULTILINE)
    return {kind: (int(before) / 100, int(after) / 100, int(n)) for kind, before, after, n in found}
