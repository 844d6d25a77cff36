"""Lesson 15's labels: what the loss counts of a sample, and the sample itself, encoded and cut."""

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any

from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.alpaca_hand import LESSON
from minillama.course.tasks.alpaca_prompts import WORDS
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.loss import IGNORE
from minillama.tokenizer import Tokenizer
from minillama.train import alpaca

EOS = 2
Labels = Callable[..., list[int]]


def faulty_labels(bugs: Bugs = frozenset()) -> Labels:
    """alpaca.mask_labels with these bugs."""

    def mask_labels(tokens: list[int], n_prompt: int, whole: bool = False) -> list[int]:
        n = n_prompt + ("late" in bugs) - ("early" in bugs)
        if "whole_ignored" in bugs:
            whole = False
        if "whole_flipped" in bugs:
            whole = not whole
        nothing = 0 if "zeros" in bugs else IGNORE
        if whole:
            labels = list(tokens)
        elif "inverted" in bugs:
            labels = [*tokens[:n], *[nothing] * (len(tokens) - n)]
        elif "response_alone" in bugs:
            labels = list(tokens[n:])
        else:
            labels = [*[nothing] * n, *tokens[n:]]
        if "eos_masked" in bugs:
            labels = [nothing if token == EOS else token for token in labels]
        if "shifted" in bugs:
            labels = [*labels[1:], nothing]
        if "by_value" in bugs and not whole:
            labels = [nothing if token in tokens[:n_prompt] else token for token in tokens]
        if "a_mask" in bugs:
            labels = [int(label != nothing) for label in labels]
        if "aliased" in bugs:
            tokens[:] = labels
        return labels

    return mask_labels


def is_shifted(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Are all labels one place too early, whatever fills the end?"""
    pairs = [(_ids(got["labels"]), _ids(right["labels"])) for got, right in zip(outputs, expected, strict=True)]
    return all(got[: len(right) - 1] == right[1:] and len(got) >= len(right) - 1 for got, right in pairs)


def _ids(value: Any) -> list[int]:
    return [int(each) for each in getattr(value, "data", value)]  # an Array has data, a tuple none


def label_cases(rng: Generator) -> Sequence[Case]:
    """A long prompt, one of BOS alone, words that stand in both parts, and all that counts."""

    def ids(n: int) -> list[int]:
        return [int(each) for each in rng.choice(range(5, 90), n, replace=False)]

    prompt, response = ids(6), ids(4)
    again = [1, *prompt, *prompt[1:4], EOS]
    return [
        Case(name="a prompt of 7 and a response of 4", args=([1, *prompt, *response, EOS], 7)),
        Case(name="a response that repeats words of the prompt", args=(again, 7)),
        Case(name="a prompt of BOS alone", args=([1, *response, EOS], 1)),
        Case(name="whole=False", args=([1, *response, *prompt, EOS], 5, False)),
        Case(name="whole=True", args=([1, *response, *prompt, EOS], 5, True)),
    ]


mask_labels = Task(
    id="alpaca.mask_labels", lesson=LESSON, kind="rebuild", title="Say what the loss counts", points=3, difficulty=2,
    importance=5, minutes=10,
    reference=alpaca.mask_labels, faulty=faulty_labels, cases=label_cases, driver="labels", outputs=("the result",),
    piece="minillama.train.alpaca:mask_labels", forbidden=("minillama.train.alpaca:mask_labels",),
    misconceptions=(
        idea("late", "a mask that is one place too long", "The first token of the response counts.",
             "At which place does the response begin, when the prompt has places 0 to n_prompt - 1?"),
        idea("early", "a mask that is one place too short", "The last token of the prompt does not count.",
             "Which token stands at place n_prompt - 1?"),
        idea(
            "eos_masked", "an EOS that does not count, as if it were padding",
            "Nothing but this label teaches the model to stop. One that never learns it talks on for ever.",
            "What is the last label of a sample in yours?", 0.3,
        ),
        idea(
            "shifted", "labels that were shifted already",
            "Labels stand where their tokens stand: whoever computes the loss shifts both. Twice is one too many.",
            "At which place stands the label of the token at place 5?", 0.3, is_shifted,
        ),
        idea("inverted", "labels of the prompt, and none of the response",
             "The model learns what it is to say, not what it is told.", "Which part of yours is masked?"),
        idea("response_alone", "the response without the places of the prompt",
             "There are as many labels as tokens.", "How long is your list, beside the tokens?"),
        idea("zeros", "zeros in the place of IGNORE",
             f"0 is a token like any other, and would be asked for. What does not count is marked {IGNORE}.",
             "How does the loss tell a masked place from token 0 in yours?"),
        idea("a_mask", "a mask, not labels", "A label is the token that is wanted there.",
             "What does the loss look up at a place with a 1 in yours?"),
        idea(
            "by_value", "tokens masked because they occur in the prompt",
            "Place decides, not value: an answer may well repeat a word of the question.",
            "Which label has a word of the response that stands in the prompt, too?",
        ),
        idea("whole_ignored", "a `whole` that is not used", "With whole=True the prompt counts as well.",
             "Which of your lines reads `whole`?"),
        idea("whole_flipped", "a `whole` that means the opposite", "Left out, it masks the prompt.",
             "What does yours do when nobody says anything about `whole`?"),
        idea(
            "aliased", "labels written into the list of tokens",
            "The tokens are still needed: the model reads them. A second name is no second list.",
            "Print the tokens before and after the call: what has become of them?",
        ),
    ),
    hints=(
        "Two stretches: the places of the prompt, and the rest.",
        "A list of ids and a count in, a list of the same length out.",
        "as many IGNORE as the prompt has tokens\nthen the tokens behind the prompt, EOS too\nwhole? all tokens",
    ),
)  # fmt: skip


@cache
def bundled_tokenizer() -> Tokenizer:
    """The tokenizer of the bundled model."""
    from minillama.checkpoint import load_tokenizer
    from minillama.checkpoint.bundled import bundled_model

    return load_tokenizer(bundled_model())


@lru_cache(maxsize=512)
def _encoded(text: str, bos: bool) -> tuple[int, ...]:
    """Ids by the bundled tokenizer, the one of every case: the same few texts are asked for again and again."""
    return tuple(bundled_tokenizer().encode(text, bos=bos))


def faulty_sample(bugs: Bugs = frozenset()) -> Callable[..., tuple[list[int], list[int]]]:
    """Tokens and labels of a prompt and its response, with these bugs."""

    def build_sample(prompt: str, response: str, tokenizer: Tokenizer, max_tokens: int) -> tuple[list[int], list[int]]:
        assert tokenizer.eos_id is not None
        response = response.strip() if "stripped" in bugs else response
        asked = _encoded(prompt, bos="prompt_without_bos" not in bugs)
        said = _encoded(response + "</s>" if "spelled_eos" in bugs else response, bos="bos_again" in bugs)
        if "together" in bugs:
            whole = _encoded(prompt + response, bos=True)
            asked, said = whole[: len(asked)], whole[len(asked) :]
        end = [] if {"no_eos", "spelled_eos"} & bugs else [tokenizer.eos_id]
        room = max(0, max_tokens - len(asked) - 1 + ("one_too_long" in bugs) - ("one_too_short" in bugs))
        if "prompt_uncounted" in bugs:
            room = max_tokens - 1
        if "uncut" in bugs:
            room = len(said)
        tokens = [*asked, *said[:room], *end]
        if "eos_lost" in bugs:
            tokens = [*asked, *said, *end][:max_tokens]
        if "front_cut" in bugs:
            tokens = [*asked, *said, *end][-max_tokens:]
        n_prompt = len(asked) - ("bos_uncounted" in bugs)
        labels = [*[IGNORE] * n_prompt, *tokens[n_prompt:]][: len(tokens)]
        if "eos_masked" in bugs:
            labels[-1] = IGNORE
        return tokens, tokens.copy() if "all_count" in bugs else labels

    return build_sample


def sample_cases(rng: Generator) -> Sequence[Case]:
    """A response with room to spare, one that fills the room to the last place, one too long by one, and by many."""
    words = [str(each) for each in rng.permutation(WORDS)]
    tokenizer = Made("minillama.course.tasks.alpaca_labels:bundled_tokenizer", {})
    prompt, response = f"Say it again: {words[0]}, {words[1]}.\n\n### Response:", ", ".join(words[2:6])
    full = len(_encoded(prompt, bos=True)) + len(_encoded(response, bos=False)) + 1
    return [
        Case(name="room to spare", args=(prompt, response, tokenizer, 512)),
        Case(name="a response that fills the room", args=(prompt, response, tokenizer, full)),
        Case(name="a response that is one token too long", args=(prompt, response, tokenizer, full - 1)),
        Case(name="a response that is four tokens too long", args=(prompt, response, tokenizer, full - 4)),
        Case(name="a prompt without a colon at its end", args=(f"Say {words[6]}", words[7], tokenizer, 64)),
        Case(name="a response with spaces at its ends", args=(prompt, f"  {response} ", tokenizer, 512)),
        Case(name="a response longer than all the room", args=(prompt, ", ".join(words * 9), tokenizer, full)),
    ]


build_sample = Task(
    id="alpaca.build_sample", lesson=LESSON, kind="complete", title="Make a sample of prompt and response", points=4,
    difficulty=3, importance=5, minutes=15,
    reference=faulty_sample(), faulty=faulty_sample, cases=sample_cases, outputs=("tokens", "labels"),
    forbidden=("minillama.train.alpaca:encode_sample", "minillama.train.alpaca:encode_samples"),
    misconceptions=(
        idea(
            "together", "prompt and response encoded as one text",
            "In use the model is given the prompt alone, and its first token is a new one. Where two texts are glued, "
            "the tokens at the seam are others: the model learns an answer that it can never begin.",
            "Which tokens does the model read in use before it answers, and are they the first ones of yours?", 0.3,
        ),
        idea("bos_again", "a second BOS in the middle", "BOS says that a text begins. Here it goes on.",
             "How many tokens with the id of BOS are in yours?"),
        idea("prompt_without_bos", "a prompt without its BOS", "In use every prompt begins with BOS.",
             "What is the first token of yours?"),
        idea("no_eos", "a sample that never ends", "EOS is the last word of every answer.",
             "What teaches the model to stop?", 0.3),
        idea(
            "eos_lost", "an EOS that is cut off with the end of a long response",
            "A model that often sees answers without an end learns that they have none.",
            "Which comes first in yours: EOS, or the cut?",
        ),
        idea("spelled_eos", "an EOS that is spelled out in letters",
             "In a text, `</s>` is four characters. EOS is an id: `tokenizer.eos_id`.",
             "Which ids stand at the end of yours?"),
        idea("front_cut", "a cut at the front", "Without its beginning, nobody knows what is asked.",
             "Which of your tokens are gone when the sample is too long?"),
        idea("uncut", "a `max_tokens` that is not used", "What is longer than the memory allows is cut.",
             "How long is your sample for max_tokens=20?"),
        idea("prompt_uncounted", "room that was counted without the prompt",
             "The prompt, the response and EOS share max_tokens places.",
             "How many places are left for the response when the prompt takes most of them?"),
        idea("stripped", "spaces taken off the response", "The response is encoded as it is.",
             "What becomes of a response that begins with a space?", 0.7),
        idea("one_too_long", "room that was counted without EOS", "EOS needs a place as well.",
             "How many tokens has your longest sample?", 0.7),
        idea("one_too_short", "a place that is left empty", "A sample may have max_tokens tokens.",
             "How many tokens has your longest sample?", 0.7),
        idea("bos_uncounted", "a prompt that was counted without its BOS",
             "BOS belongs to the prompt: masked with a count without it, the prompt's last token counts.",
             "How many of the tokens are the prompt's?"),
        idea("all_count", "a loss on the prompt, too", "Only the response and its EOS count.",
             "Where do your labels begin to differ from IGNORE?"),
        idea("eos_masked", "an EOS that does not count", "Nothing else teaches the model to stop.",
             "What is your last label?", 0.4),
    ),
    hints=(
        "Three stretches: prompt, response, EOS. Encode what the model is given in use by itself.",
        "`tokenizer.encode(text)` begins with BOS, `encode(text, bos=False)` does not. Two lists of one length.",
        "ids of the prompt; ids of the response without BOS\nroom = max_tokens - prompt - EOS\n"
        "tokens = prompt, response[:room], EOS\nlabels: IGNORE for the prompt, then the tokens",
    ),
)  # fmt: skip
