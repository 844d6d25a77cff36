"""The data sheet of the instruction set: its kinds, how many different tasks they have, and samples."""

from __future__ import annotations

import inspect
from statistics import mean

from minillama.train.instructions.generate import HELD_OUT_EVERY, KINDS, NEVER_TRAINED, TRAINED, task

DRAWN = 500  # tasks of each kind that are counted
TITLE = """# The instructions

Made by `minillama.train.instructions` from a seed, over the world of the stories ([corpus.md](corpus.md)), in Alpaca's
format; no text written by anybody else. This sheet is printed by `python -m minillama.train.instructions sheet`.

What is asked can be answered from what is given: a scene of four or five sentences with a question about it, a list to
turn around, a sentence to rewrite. Nothing in it teaches facts about the world, and every answer is short.

{trained} kinds are trained on, {never} never. **Split**: names come from the stories' two shares, so no name of a
held-out task stands in a training story or a training task; half of the names in training are made up. A task is held
out if the CRC-32 of its instruction and input divides by {every}, so that nothing is asked in both, however many are
drawn. **Right** means: the text of the output; where many answers are right, as a rule says: one whole sentence of at
most 25 words that holds the words asked for, or as many different words of the category as were asked for.

Every input begins with a word of its own ("Words:", "Text:", "Story:"): the vocabulary has a piece for " mole" but none
for the "mole" that begins a line, and what is written in other pieces cannot simply be copied.
"""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _row(kind: str, seed: int) -> str:
    drawn = [task(seed, index, kind) for index in range(DRAWN)]
    different = len({(each.instruction, each.input) for each in drawn})
    n_words = mean(len(f"{each.instruction} {each.input} {each.output}".split()) for each in drawn)
    about = (inspect.getdoc(KINDS[kind]) or "").split("\n")[0].removesuffix(".").split(": never")[0]
    judged = "a rule" if drawn[0].accepts else "the output"
    return f"| {kind} | {_cell(about)} | {different} | {n_words:.0f} | {judged} |"


def sheet(seed: int = 0) -> str:
    """The sheet as Markdown; every figure follows from the seed."""
    head = TITLE.format(trained=len(TRAINED), never=len(NEVER_TRAINED), every=HELD_OUT_EVERY)
    lines = [f"| kind | what | different, of {DRAWN} | words | right by |", "|---|---|---:|---:|---|"]
    lines += [_row(kind, seed) for kind in TRAINED]
    lines += ["| **never trained on** | | | | |", *(_row(kind, seed) for kind in NEVER_TRAINED)]
    shown = []
    for kind in KINDS:
        first = task(seed, 0, kind)
        given = f" | {first.input}" if first.input else ""
        shown.append(f"- **{kind}**: {first.instruction}{given} -> {first.output}")
    return "\n".join([head, "## Kinds", "", *lines, "", "## The first task of each kind, unedited", "", *shown, ""])
