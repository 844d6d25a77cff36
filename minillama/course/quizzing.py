"""`quiz` and `predict`: questions in a notebook, readable where nothing runs, clickable where something does."""

from typing import Any

from minillama.course.quizzes import Quiz, find_quiz
from minillama.course.showing import BOX, Message, to_html
from minillama.errors import ConfigError

LETTERS = "abcdefgh"


class Question:
    """A quiz as a page of folds: opening a choice shows what there is to say about it."""

    def __init__(self, quiz: Quiz) -> None:
        self.quiz = quiz

    def __repr__(self) -> str:
        lines = [self.quiz.question]
        lines += [f"  ({letter}) {choice.text}" for letter, choice in zip(LETTERS, self.quiz.choices, strict=False)]
        return "\n".join([*lines, f'Choose: course.quiz("{self.quiz.id}", "a")'])

    def _repr_html_(self) -> str:
        folds = []
        for letter, choice in zip(LETTERS, self.quiz.choices, strict=False):
            mark = "✓ Yes. " if choice.right else "✗ No. "
            folds.append(
                "<details style='margin:.25em 0 .25em 1em'><summary style='cursor:pointer'>"
                f"({letter}) {to_html(choice.text)}</summary>"
                f"<div style='margin:.2em 0 .4em 1.4em'><b>{mark}</b>{to_html(choice.why)}</div></details>"
            )
        style = f"border-left:4px solid #6e7781;{BOX}"
        question = to_html(self.quiz.question)
        return f"<div style='{style}'><b>{question}</b>{''.join(folds)}</div>"


def quiz(quiz_id: str, choice: str | None = None) -> Question | Message:
    """Ask, or explain one choice.

    Args:
        quiz_id: "rope.shift".
        choice: its letter; None shows the question.

    Raises:
        ConfigError: no such quiz, or no such choice.
    """
    found = find_quiz(quiz_id)
    if choice is None:
        return Question(found)
    letters = LETTERS[: len(found.choices)]
    if choice not in tuple(letters):
        raise ConfigError(f"choice is {choice!r}, expected one of {', '.join(letters)}")
    chosen = found.choices[letters.index(choice)]
    return Message("✓" if chosen.right else "✗", chosen.text, (chosen.why,))


class Prediction:
    """A question that the next cells answer; `guess` is what was chosen, None before.

    Args:
        question: one sentence.
        choices: what may be the case.
    """

    def __init__(self, question: str, choices: tuple[str, ...]) -> None:
        self.question, self.choices = question, choices
        self.guess: str | None = None
        self._widget: Any = None

    def __repr__(self) -> str:
        return "\n".join([self.question, *(f"  [ ] {choice}" for choice in self.choices)])

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{to_html(choice)}</li>" for choice in self.choices)
        style = f"border-left:4px solid #0969da;{BOX}"
        return f"<div style='{style}'><b>{to_html(self.question)}</b><ul>{items}</ul></div>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        bundle = {"text/plain": repr(self), "text/html": self._repr_html_()}
        try:
            import ipywidgets
        except ImportError:
            return bundle
        if self._widget is None:
            buttons = ipywidgets.RadioButtons(
                options=self.choices, value=None, layout=ipywidgets.Layout(width="max-content", max_width="100%")
            )
            buttons.observe(self._choose, names="value")
            heading = ipywidgets.HTML(f"<b>{to_html(self.question)}</b>")
            self._widget = ipywidgets.VBox([heading, buttons])
        return self._widget._repr_mimebundle_() | bundle

    def _choose(self, change: Any) -> None:
        self.guess = change["new"]

    def reveal(self, answer: str, why: str = "") -> Message:
        """What is the case, beside what was predicted.

        Args:
            answer: one of the choices.
            why: a sentence.

        Raises:
            ConfigError: not one of the choices.
        """
        if answer not in self.choices:
            raise ConfigError(f"the answer is {answer!r}, expected one of {', '.join(map(repr, self.choices))}")
        said = "" if self.guess is None else "You said so. " if self.guess == answer else f"You said: {self.guess}. "
        return Message("→", f"{said}It is: {answer}.", (why,) if why else ())


def predict(question: str, *choices: str) -> Prediction:
    """Ask for a guess before the next cell shows what is the case.

    >>> guess = predict("What does it do?", "grow", "shrink")
    >>> guess.reveal("grow")
    → It is: grow.
    """
    return Prediction(question, choices)
