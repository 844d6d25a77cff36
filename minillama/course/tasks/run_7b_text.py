"""Lesson 13's perplexity: which guesses are scored, what stands before them, and which mean is taken."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from minillama import evaluate
from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.course.tasks.run_7b_hand import LESSON

HERE = "minillama.course.tasks.run_7b_text"


def toy_model(seed: int, vocab_size: int) -> nn.Module:
    """A model whose guess depends on every token so far, the first included; (B, T) -> (B, T, V)."""
    generator = torch.Generator().manual_seed(seed)
    rows, back = (torch.randn(*shape, generator=generator) for shape in ((vocab_size, 12), (12, vocab_size)))

    class Toy(nn.Module):
        config = SimpleNamespace(max_seq_len=256, vocab_size=vocab_size)
        device = torch.device("cpu")

        def forward(self, tokens: Tensor, cache: Any = None, last_only: bool = False) -> Tensor:
            x = rows[tokens]
            seen = x.cumsum(1) / torch.arange(1, 1 + tokens.shape[1])[:, None].sqrt()
            logits = torch.tanh(x + 2 * seen) @ back * 0.6
            return logits[:, -1:] if last_only else logits

    return Toy()


def toy_tokenizer(bos_id: int) -> Any:
    """A tokenizer to which every number in a text is the token of that id."""

    class Words:
        vocab_size, eos_id = 64, 2

        def __init__(self) -> None:
            self.bos_id = bos_id

        def encode(self, text: str, bos: bool = True, eos: bool = False, special: bool = False) -> list[int]:
            return [bos_id] * bos + [int(word) for word in text.split()] + [2] * eos

    return Words()


def windows_of(ids: list[int], context: int, bos_id: int, bugs: Bugs) -> Iterator[tuple[list[int], int]]:
    """Each window with the place from which on its guesses are scored, with these bugs."""
    size = len(ids) if "one_window" in bugs else context
    step = size // 2 if "overlap" in bugs or "counted_twice" in bugs else size
    last = len(ids) if "rest_too" in bugs else len(ids) - size + ("last_lost" not in bugs)
    first = 0 if bugs & {"whole_windows", "counted_twice"} else size // 2
    for start in range(0, last, step):
        window = ids[start : start + size]
        if len(window) <= first + 1:
            return
        if "bos_added" in bugs:
            yield [bos_id, *window], first + 1
        elif "no_bos" in bugs:
            yield window, first
        else:
            yield [bos_id, *window[1:]], first
        if "first_window" in bugs:
            return


def nats_of(model: Any, window: list[int], first: int, size: int, bugs: Bugs) -> Tensor:
    """What each scored token of a window costs, with these bugs."""
    tokens = torch.tensor([window])
    logs = model(tokens)[0].double().log_softmax(-1)
    if "unshifted" in bugs:
        return -logs[first:].gather(1, tokens[0, first:, None])[:, 0]
    nats = -logs[:-1].gather(1, tokens[0, 1:, None])[:, 0]  # the guess of each token but the first
    if "first_half" in bugs:
        return nats[: size // 2]
    return nats[first - ("one_more" in bugs and first > 0) :]


def faulty_perplexity(bugs: Bugs = frozenset()) -> Callable[..., float]:
    """evaluate.perplexity with these bugs, as a number."""

    @torch.no_grad()
    def perplexity(model: Any, tokenizer: Any, text: str, context: int) -> float:
        ids = tokenizer.encode(text, bos="no_first_bos" not in bugs)
        if "two_bos" in bugs:
            ids = [tokenizer.bos_id, *ids]
        found = [
            nats_of(model, window, first, context, bugs)
            for window, first in windows_of(ids, context, tokenizer.bos_id, bugs)
        ]
        every = torch.cat(found)
        if "mean_of_windows" in bugs:
            return torch.stack([each.mean().exp() for each in found]).mean().item()
        if "mean_of_tokens" in bugs:
            return every.exp().mean().item()
        if "of_mean_chance" in bugs:
            return 1 / (-every).exp().mean().item()
        if "two_to_nats" in bugs:
            return float(2 ** every.mean().item())
        if "no_e" in bugs:
            return every.mean().item()
        return (every.mean() * (-1 if "turned" in bugs else 1)).exp().item()

    return perplexity


def text_cases(rng: Generator) -> list[Case]:
    """Texts with a rest, texts that end with a window, and two windows only; BOS is not 1 everywhere."""
    found = []
    for name, context, windows, rest, bos_id in (
        ("a rest that fills no window", 8, 4, 6, 1), ("a text that ends with a window", 6, 5, 0, 0),
        ("two windows and a BOS of its own", 12, 2, 4, 45), ("windows of 4", 4, 6, 1, 2),
    ):  # fmt: skip
        words = rng.integers(3, 40, context * windows + rest - 1)  # BOS comes in front
        made = Made(f"{HERE}:toy_model", {"seed": int(rng.integers(1 << 30)), "vocab_size": 48})
        tokenizer = Made(f"{HERE}:toy_tokenizer", {"bos_id": bos_id})
        found.append(Case(name=name, args=(made, tokenizer, " ".join(map(str, words)), context)))
    return found


perplexity: Task = Task(
    id="evaluate.perplexity", lesson=LESSON, kind="rebuild", title="Measure a model on a text", points=5,
    difficulty=3, importance=5, minutes=20,
    reference=evaluate.perplexity, faulty=faulty_perplexity, cases=text_cases, outputs=("the perplexity",),
    driver="measured", rtol=1e-4, atol=0.0, piece="minillama.evaluate:perplexity",
    forbidden=("minillama.evaluate:perplexity", "minillama.evaluate:scored_windows"),
    misconceptions=(
        idea(
            "no_bos", "windows that begin in the middle of nowhere",
            "A model has never seen a text without BOS at its beginning, so every window gets one in the place of its "
            "first token.",
            "What is the first token of your second window?",
        ),
        idea(
            "bos_added", "a BOS in front of a whole window",
            "It takes the place of the first token, so that a window stays as long as it is.",
            "How many tokens does the model get for a window?", 0.7,
        ),
        idea(
            "two_bos", "a text with two beginnings", "`encode` puts BOS in front already.",
            "With which two ids does your list begin?", 0.7,
        ),
        idea(
            "no_first_bos", "a text that was encoded without BOS",
            "Then all windows lie a token further on, and other guesses are scored.",
            "What is the first id of your list, and what would `encode` make it?", 0.7,
        ),
        idea(
            "whole_windows", "guesses that are scored from the beginning of a window on",
            "There a model has nothing to go on yet. Only the second half counts: it has half a window before it.",
            "How many tokens stand before the first guess that you score?",
        ),
        idea(
            "first_half", "the first half of a window scored instead of the second",
            "The second half has something to go on.", "Which tokens of a window are only there to be read?",
        ),
        idea(
            "overlap", "windows that begin in the middle of the one before",
            "They stand one after the other here, so the guesses of a half of them all are left out.",
            "How far apart do your windows begin?",
        ),
        idea(
            "counted_twice", "tokens that count twice",
            "Windows that overlap and are scored from their beginning have a half in common.",
            "In how many of your windows is the same token scored?",
        ),
        idea(
            "one_more", "a half that begins one guess early",
            "The guess made from the last token of the first half does not count.",
            "From which token of a window is your first guess made?", 0.7,
        ),
        idea(
            "rest_too", "a rest that was taken for a window", "What does not fill a window is left out.",
            "How long is your last window?", 0.7,
        ),
        idea(
            "last_lost", "a last window that is missing", "A window that ends with the text is a whole one.",
            "How many windows do you make of a text that is exactly five long?", 0.7,
        ),
        idea(
            "first_window", "the first window alone", "All of the text counts.",
            "How often does your loop go round before it returns?",
        ),
        idea(
            "one_window", "a single window as long as the text",
            "A model knows so many positions and no more, and a guess gets easier the more it has before it.",
            "Where does your function use `context`?",
        ),
        idea(
            "unshifted", "tokens that are scored with their own guess", "The guess at a place is for the next token.",
            "Which token do the scores at place 3 belong to?",
        ),
        idea(
            "mean_of_windows", "a mean of the windows' perplexities",
            "One bad window then weighs more than it should. The mean is of logarithms, over all tokens.",
            "How often do you raise e to a power?",
        ),
        idea(
            "mean_of_tokens", "a mean of e to the surprises", "Logarithms are averaged first, e to them comes last.",
            "What comes first in your code, the mean or the power?",
        ),
        idea(
            "of_mean_chance", "a mean of chances, turned round",
            "A mean of chances hides a bad guess behind a good one.",
            "What comes first in your code, the mean or the logarithm?",
        ),
        idea(
            "two_to_nats", "2 to the power of nats", "Natural logarithms belong to e.",
            "Which logarithm does log_softmax take?", 0.7,
        ),
        idea("no_e", "the mean loss itself", "Perplexity is e to the power of it.", "What is left to do?", 0.7),
        idea(
            "turned", "a perplexity below 1", "The logarithm of a chance is below 0, the surprise is not.",
            "Which sign has your mean?", 0.7,
        ),
    ),
    hints=(
        "Cut the ids into windows, let the model guess, keep what the second halves cost, and take e to the mean.",
        "ids: BOS and the text. A window: `context` ids, the first of them replaced by BOS. model(window[None]) gives "
        "(1, context, V); guesses context/2 to context - 2 are scored, context/2 - 1 of them.",
        "for each start 0, context, 2 context, ... while a whole window fits\n    window with BOS first\n    "
        "-log of the chance that each scored guess gave to the token after it\ne to the mean of all of them",
    ),
)  # fmt: skip
