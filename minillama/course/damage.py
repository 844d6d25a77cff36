"""What each misconception would do to a model that talks: a table of loss and text.

python -m minillama.course.damage rope.apply_rope
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch

from minillama.checkpoint import load
from minillama.course.tasks import find_task
from minillama.errors import ConfigError
from minillama.generation import generate
from minillama.model import Pieces
from minillama.train.corpus.generate import tell

VISIBLE_NATS = 0.02  # a training curve's own noise
PROMPT = "Once upon a time, there was a little boy named Tim. He had a red ball."


@dataclass(frozen=True, kw_only=True)
class Damage:
    """One misconception in the bundled model.

    Args:
        name: of the misconception.
        nats: by which the loss on held-out stories rises; None where the model raises.
        text_differs: does greedy text differ?
        text: its beginning, or the error.
    """

    name: str
    nats: float | None
    text_differs: bool
    text: str

    @property
    def shown_by(self) -> str:
        """What would have shown it to somebody who only trains and reads."""
        if self.nats is None:
            return "an error"
        shown = ["loss"] if self.nats > VISIBLE_NATS else []
        return " and ".join([*shown, *(["text"] if self.text_differs else [])]) or "nothing"


def damage(task_id: str, n_stories: int = 24, length: int = 128) -> list[Damage]:
    """The bundled model with each misconception of a task in the place of its piece.

    Args:
        task_id: of a task whose piece a Llama is built from.
        n_stories, length: held-out stories, and how many tokens of each, that the loss is taken over.

    Raises:
        ConfigError: no such task, or no piece of the model.
    """
    task = find_task(task_id)
    built_from = {field.name for field in fields(Pieces)} - {"LoRALinear", "merge"}  # these two change a tuned model
    if task.faulty is None or task.name not in built_from:
        raise ConfigError(f"task {task.id} has no piece in the model, expected one such as rope.apply_rope")
    wrong = {each.name: task.faulty(frozenset({each.name})) for each in task.misconceptions}
    return damage_of({name: Pieces(**{task.name: piece}) for name, piece in wrong.items()}, n_stories, length)


def damage_of(wrong: Mapping[str, Pieces], n_stories: int = 24, length: int = 128) -> list[Damage]:
    """The bundled model of each of these pieces, beside the right one.

    Args:
        wrong: name -> pieces, some of which are broken.
        n_stories, length: see `damage`.
    """
    right, tokenizer = load(pieces=Pieces())
    stories = [tokenizer.encode(tell(11, index, "held_out")[1].text()) for index in range(3 * n_stories)]
    tokens = torch.tensor([story[:length] for story in stories if len(story) >= length][:n_stories])
    base, text = _loss(right, tokens), generate(right, tokenizer, PROMPT, max_new_tokens=40)
    found = []
    for name, pieces in wrong.items():
        try:
            model, _ = load(pieces=pieces)
            written = generate(model, tokenizer, PROMPT, max_new_tokens=40)
            nats = _loss(model, tokens) - base
            found.append(Damage(name=name, nats=nats, text_differs=written != text, text=written))
        except Exception as error:  # a broken piece may raise anything
            found.append(Damage(name=name, nats=None, text_differs=True, text=str(error)))
    return found


@torch.inference_mode()
def _loss(model: Any, tokens: torch.Tensor) -> float:
    logits = model(tokens)[:, :-1].transpose(1, 2)  # (B, V, T - 1)
    return float(torch.nn.functional.cross_entropy(logits, tokens[:, 1:]))


def main(*task_ids: str) -> None:
    """Write the table of the tasks to standard output."""
    rows = ["| misconception | nats | shown by | text |", "|---|---:|---|---|"]
    for task_id in task_ids:
        for each in damage(task_id):
            nats = "" if each.nats is None else f"{each.nats:+.3f}"
            rows.append(f"| {each.name} | {nats} | {each.shown_by} | {' '.join(each.text.split())[:60]} |")
    sys.stdout.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
