"""Questions with several choices, each of which explains itself."""

from dataclasses import dataclass
from functools import cache
from importlib import import_module

from minillama.errors import ConfigError

# in the order of the lessons
MODULES = (
    "start",
    "tokenizer",
    "language_model",
    "norm",
    "rope",
    "feedforward",
    "attention",
    "model",
    "generate",
    "pretrain",
    "checkpoint",
    "quantization",
    "kernels",
    "run_7b",
    "lora",
    "alpaca",
    "scaling",
)


@dataclass(frozen=True)
class Choice:
    """One answer to choose.

    Args:
        text: what it says.
        right: is it so?
        why: what to tell who chose it.
    """

    text: str
    right: bool
    why: str


@dataclass(frozen=True)
class Quiz:
    """A question.

    Args:
        id: "rope.shift".
        question: one or two sentences.
        choices: two to five; at least one is right.
    """

    id: str
    question: str
    choices: tuple[Choice, ...]


@cache
def all_quizzes() -> dict[str, Quiz]:
    """Every quiz by its id."""
    modules = [import_module(f"minillama.course.quizzes.{name}") for name in MODULES]
    return {quiz.id: quiz for module in modules for quiz in module.QUIZZES}


def find_quiz(quiz_id: str) -> Quiz:
    """The quiz of this id.

    Raises:
        ConfigError: there is none.
    """
    if quiz_id not in all_quizzes():
        raise ConfigError(f"quiz {quiz_id!r} does not exist, expected one of {', '.join(all_quizzes())}")
    return all_quizzes()[quiz_id]
