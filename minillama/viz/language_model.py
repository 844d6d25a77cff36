"""Pictures of guesses: scores that become chances, a training curve, and a game of guessing the next token."""

import html
import math
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from minillama.viz.figure import COLOURS, Control, Picture, new_figure, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BOX = "border-left:4px solid #0969da;padding:.2em .8em;max-width:50em;overflow-wrap:anywhere"
LETTERS = "abcd"
LEAST, MOST = 25, 97  # percent that a bet may put on one of four pieces


def draw_guess(mat: int, floor: int, moon: int) -> "Figure":
    """The chances of three words from their scores, and what the guess costs where `mat` comes.

    Args:
        mat, floor, moon: scores.
    """
    scores = np.array([mat, floor, moon], dtype=np.float64)
    logs = scores - np.log(np.exp(scores - scores.max()).sum()) - scores.max()
    figure, axes = new_figure(4.8, 2.7)
    words = ("mat", "floor", "moon")
    axes.barh(words, np.exp(logs), color=[COLOURS[0], COLOURS[3], COLOURS[3]])
    for i, log in enumerate(logs):
        axes.annotate(f"{math.exp(log):.3f}", (math.exp(log) + 0.02, i), va="center")
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.18), xticks=[0, 0.5, 1], xlabel="chance")
    surprise = max(0.0, -logs[0])
    axes.set_title(f"it was mat: surprise −ln {math.exp(logs[0]):.3g} = {surprise:.2f} nats", fontsize="medium")
    return figure


def guess() -> Control:
    """Move the scores of three words."""
    alt = (
        "Three bars: with scores 2, 1 and 0 the chances of mat, floor and moon are 0.665, 0.245 and 0.090. "
        "The true word is mat, and the surprise is 0.41 nats."
    )
    return Control(draw_guess, alt, mat=(-10, 10, 2), floor=(-10, 10, 1), moon=(-10, 10, 0))


def plot_training(losses: Any, levels: dict[str, float], alt: str) -> Picture:
    """A loss that falls, and levels to compare it with.

    Args:
        losses: one a step, in nats.
        levels: label -> nats, drawn as level lines.
        alt: what is to be seen.
    """
    figure, axes = new_figure(5.6, 3.4)
    axes.plot(losses, linewidth=1.8, color=COLOURS[0])
    for i, (label, nats) in enumerate(levels.items()):
        axes.axhline(nats, linestyle=("--", "-.", ":")[i % 3], color=COLOURS[1 + i % 5], linewidth=1.8)
        # The curve comes from the first level and ends above the second: labels stand where it does not pass.
        side, shift = ("bottom", 0.08) if i == 0 else ("top", -0.1)
        axes.annotate(f"{label}: {nats:.2f}", (len(losses) * 0.99, nats + shift), ha="right", va=side, color="#333333")
    axes.set(xlabel="step", ylabel="loss in nats a token", ylim=(0, 1.1 * max([*levels.values(), *losses])))
    return show(figure, alt)


@dataclass(frozen=True)
class Round:
    """One token to guess.

    Args:
        before: the text so far.
        pieces: four of them, one of which comes next.
        answer: its number.
        chances: name of a player -> its chances of these four.
    """

    before: str
    pieces: tuple[str, ...]
    answer: int
    chances: dict[str, tuple[float, ...]]


class Game:
    """Guess the next token, and say how sure you are; models bet on the same four pieces.

    Args:
        rounds: see make_rounds.

    >>> game.bet("a", 60)   # 60% on the first piece, the rest on the others in equal parts
    """

    def __init__(self, rounds: list[Round]) -> None:
        self.rounds = rounds
        self.surprises: dict[str, list[float]] = {"you": [], **{name: [] for name in rounds[0].chances}}

    @property
    def played(self) -> int:
        """How many bets were made."""
        return len(self.surprises["you"])

    def bet(self, letter: str, percent: int) -> str:
        """Put so much on one piece, and hear what came.

        Args:
            letter: "a" to "d".
            percent: 25 to 97; the rest goes to the other three in equal parts.
        """
        if self.played == len(self.rounds):
            return self.score()
        each, chosen = self.rounds[self.played], LETTERS.find(letter)
        if len(letter) != 1 or chosen < 0:
            return f"Got {letter!r}, expected one of {', '.join(LETTERS)}."
        sure = min(max(percent, LEAST), MOST) / 100
        chance = sure if chosen == each.answer else (1 - sure) / 3
        self.surprises["you"].append(-math.log(chance))
        for name, chances in each.chances.items():
            self.surprises[name].append(-math.log(max(chances[each.answer], 1e-9)))
        return f"It was {each.pieces[each.answer]!r}. " + self.score()

    def score(self) -> str:
        """The perplexity of each player so far, among four pieces."""
        parts = [
            f"{name} {math.exp(sum(values) / len(values)):.2f}" for name, values in self.surprises.items() if values
        ]
        return f"Perplexity after {self.played} of {len(self.rounds)}: {', '.join(parts)}." if parts else ""

    def question(self) -> list[str]:
        """The text so far and the four pieces; empty when all is played."""
        if self.played == len(self.rounds):
            return []
        each = self.rounds[self.played]
        return [each.before, *(f"({letter}) {piece!r}" for letter, piece in zip(LETTERS, each.pieces, strict=False))]

    def __repr__(self) -> str:
        return "\n".join([*self.question(), 'Play: game.bet("a", 60)'])

    def _page(self, message: str = "", pieces: bool = True) -> str:
        before, *choices = self.question() or ["That was the last one."]
        body = "".join(f"<div style='margin-left:1.3em'>{html.escape(each)}</div>" for each in choices if pieces)
        said = f"<p><b>{html.escape(message)}</b></p>" if message else ""
        text = html.escape(before).replace("\n", "<br>")
        return f"<div style='{BOX}'>{said}<i>{text}</i>{' …' if choices else ''}{body}</div>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        bundle = {"text/plain": repr(self), "text/html": self._page()}
        try:
            import ipywidgets
        except ImportError:
            return bundle
        return self.widget(ipywidgets)._repr_mimebundle_() | bundle

    def widget(self, ipywidgets: Any) -> Any:
        """The live game."""
        page = ipywidgets.HTML(self._page(pieces=False))
        pieces = ipywidgets.RadioButtons(
            options=list(zip(self.question()[1:], LETTERS, strict=False)), layout=ipywidgets.Layout(width="max-content")
        )
        sure = ipywidgets.IntSlider(
            value=60, min=LEAST, max=MOST, description="sure, in %", style={"description_width": "initial"},
            layout=ipywidgets.Layout(width="min(30em, 100%)"),
        )  # fmt: skip
        button = ipywidgets.Button(description="Bet")

        def play(_: Any) -> None:
            try:
                page.value = self._page(self.bet(str(pieces.value), int(sure.value)), pieces=False)
                pieces.options = list(zip(self.question()[1:], LETTERS, strict=False))
                button.disabled = not self.question()
            except Exception:
                page.value = f"<pre>{html.escape(traceback.format_exc(limit=2))}</pre>"

        button.on_click(play)
        return ipywidgets.VBox([page, pieces, sure, button])


def _text(tokenizer: Any, before: list[int], piece: int) -> str:
    """What a piece adds to the text before it."""
    text: str = tokenizer.decode([*before, piece])
    return text[len(tokenizer.decode(before)) :]


def make_rounds(models: dict[str, Any], tokenizer: Any, text: str, n_rounds: int = 8, seed: int = 0) -> list[Round]:
    """Beginnings of words to guess at, each with the three pieces that the first model likes best beside the true one.

    Args:
        models: name -> model, of the model protocol; places of which the first is certain are left out.
        tokenizer: theirs.
        text: that they have not been trained on.
        n_rounds: at most so many, spread over the text.
        seed: of the order of the four pieces.
    """
    import torch

    ids = tokenizer.encode(text)[:160]
    with torch.inference_mode():
        logits = {name: model(torch.tensor([ids]))[0].double() for name, model in models.items()}
    first = next(iter(logits.values())).softmax(-1)
    places = [
        place for place in range(12, len(ids) - 1) if _text(tokenizer, ids[: place + 1], ids[place + 1])[:1] == " "
    ]
    places = [place for place in places if first[place].max() < 0.9] or places
    rng, rounds = np.random.default_rng(seed), []
    for index in np.unique(np.linspace(0, len(places) - 1, n_rounds).astype(int)):
        before, true = ids[: places[index] + 1], ids[places[index] + 1]
        liked = [piece for piece in first[places[index]].topk(24).indices.tolist() if piece != true]
        words = [piece for piece in liked if _text(tokenizer, before, piece)[:1] == " "]  # as the true one: a beginning
        pieces = [int(piece) for piece in rng.permutation([true, *(words + liked)[:3]])]
        chances = {name: tuple(scores[places[index], pieces].softmax(-1).tolist()) for name, scores in logits.items()}
        names = tuple(_text(tokenizer, before, piece) for piece in pieces)
        rounds.append(Round(tokenizer.decode(before), names, pieces.index(true), chances))
    return rounds
