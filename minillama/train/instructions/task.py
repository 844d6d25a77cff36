"""What a task is: an instruction, perhaps a text that it is about, and an answer that can be judged."""

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Task:
    """One record of the set.

    Args:
        instruction: what to do.
        output: an answer.
        input: the text that the instruction is about; empty where it needs none.
        accepts: judges an answer where many are right; None where `output` is the only one.
    """

    instruction: str
    output: str
    input: str = ""
    accepts: Callable[[str], bool] | None = None

    def is_right(self, answer: str) -> bool:
        """Whether an answer is right: the same text but for spaces around it, or what `accepts` says."""
        answer = answer.strip()
        return answer == self.output if self.accepts is None else self.accepts(answer)

    def record(self) -> dict[str, str]:
        """The task in Alpaca's format."""
        return {"instruction": self.instruction, "input": self.input, "output": self.output}


def sentence_with(*wanted: str, most_words: int = 25) -> Callable[[str], bool]:
    """Accepts one whole sentence of 3 to `most_words` words in which all of these occur, large or small letters alike.

    >>> sentence_with("Tom", "the red kite")("Tom held the red kite.")
    True
    >>> sentence_with("Tom", "the red kite")("Tom held the kite.")
    False
    """

    def accepts(answer: str) -> bool:
        whole = re.fullmatch(r'"?[A-Z][^.!?\n]*[.!?]"?', answer)
        fits = 3 <= len(answer.split()) <= most_words
        return bool(whole) and fits and all(re.search(rf"\b{re.escape(word)}\b", answer, re.I) for word in wanted)

    return accepts


def different_words(count: int, known: tuple[str, ...]) -> Callable[[str], bool]:
    """Accepts `count` different ones of the known words, with commas between them.

    >>> different_words(2, ("fox", "owl", "bear"))("owl, fox")
    True
    """

    def accepts(answer: str) -> bool:
        words = answer.split(", ")
        return len(words) == len(set(words)) == count and set(words) <= set(known)

    return accepts
