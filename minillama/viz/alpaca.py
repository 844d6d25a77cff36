"""Pictures and controls of lesson 15: which tokens of a sample count, what a tuned model gets right, and one to ask."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minillama.generation import generate
from minillama.loss import IGNORE
from minillama.tokenizer import Tokenizer
from minillama.train.alpaca import Sample, format_prompt
from minillama.viz.figure import COLOURS, Control, Picture, new_figure, show
from minillama.viz.start import Storyteller
from minillama.viz.tokenizer import draw_pieces

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COUNTED, SILENT = "#fdc97a", "#eef0f2"  # a deep shade and a pale one: apart without colour, too
MARKERS = ("o", "s", "D", "^")


def spell(tokens: Sequence[int], tokenizer: Tokenizer) -> list[str]:
    """Tokens as the vocabulary spells them, those of one byte of ASCII as characters: "#", a line break as two."""
    ascii_byte = re.compile(r"<0x([0-7][0-9A-F])>")
    return [
        ascii_byte.sub(lambda found: repr(chr(int(found[1], 16)))[1:-1], tokenizer.piece(token)) for token in tokens
    ]


def labels(samples: Sequence[Sample], tokenizer: Tokenizer) -> Control:
    """Samples token by token; what the loss counts is filled in a deep shade.

    Args:
        samples: the slider chooses one.
        tokenizer: of the model that reads them.
    """

    def draw(sample: int) -> "Figure":
        chosen = samples[sample - 1]
        fills = [SILENT if label == IGNORE else COUNTED for label in chosen.labels]
        counted = fills.count(COUNTED)
        title = f"{len(fills)} tokens; the {counted} dark ones count"
        return draw_pieces(spell(chosen.tokens, tokenizer), title=title, fills=fills)

    shares = [sum(label != IGNORE for label in each.labels) / len(each.labels) for each in samples]
    alt = (
        f"A sample in boxes, a token each. Only the answer at the end and its EOS are filled: they count, the prompt "
        f"does not. Over {len(samples)} samples that is {np.mean(shares):.0%} of the tokens."
    )
    return Control(draw, alt, sample=(1, len(samples), 1))


def plot_scores(
    scores: Mapping[str, Mapping[str, float]], what: str, apart: Collection[str] = (), called: str = ""
) -> Picture:
    """The share of right answers by kind of task, for several models, kinds from best to worst by the last of them.

    Args:
        scores: model -> kind -> share, 0 to 1.
        what: names the picture in its alternative text.
        apart: kinds that stand below the others.
        called: what to call those.
    """
    *_, last = scores.values()
    kinds = sorted(last, key=lambda kind: (kind in apart, -last[kind]))
    places = np.array([-i - (kind in apart) for i, kind in enumerate(kinds)], dtype=float)
    figure, axes = new_figure(5.4, 1.1 + 0.2 * len(kinds))
    for (name, shares), marker, colour in zip(scores.items(), MARKERS, (COLOURS[3], *COLOURS[:3]), strict=False):
        axes.plot([100 * shares[kind] for kind in kinds], places, marker, color=colour, label=name, clip_on=False)
    axes.set(xlabel="right answers in percent", xlim=(-2, 102), yticks=places, yticklabels=kinds)
    axes.set_ylim(places.min() - 0.8, places.max() + 0.8)
    axes.grid(axis="y", color="#d8dee4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", labelsize=8.5, length=0)
    if apart:
        axes.text(102, places[-len(apart)] + 0.9, called, ha="right", va="center", fontsize=8.5, style="italic")
    figure.legend(frameon=False, loc="outside upper left", ncols=len(scores))
    means = ", ".join(
        f"{name} {np.mean([share for kind, share in shares.items() if kind not in apart]):.0%}"
        for name, shares in scores.items()
    )
    alt = f"{what}, by kind of task. On average: {means}."
    if apart:
        alt += f" {called[:1].upper() + called[1:]}: {np.mean([last[kind] for kind in apart]):.0%}."
    return show(figure, alt)


class Asker(Storyteller):
    """An instruction to type, behind a | what it is about; the model answers in Stanford's template.

    Args:
        model, tokenizer: as `minillama.load` gives them.
        prompt: the first instruction.
        max_new_tokens: of an answer, at most.
    """

    entry, end, warmth = "instruction", "", 0.0

    def tell(self, prompt: str, seed: int = 1, temperature: float = 0.0) -> str:
        """The instruction, and below it the answer."""
        instruction, _, about = prompt.partition("|")
        asked = format_prompt(instruction.strip(), about.strip())
        options: dict[str, Any] = {"temperature": temperature, "seed": seed} if temperature > 0 else {}
        said = generate(self.model, self.tokenizer, asked, self.max_new_tokens, **options)
        return f"{prompt}\n→ {said.strip()}"

    def __repr__(self) -> str:
        return "[control: type an instruction, and behind a | what it is about; the tuned model answers.]"
