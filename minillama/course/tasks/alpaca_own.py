"""Lesson 15's experiment: one thing changed in a fine-tuning, foretold and measured."""

from minillama.course.record import Case, Task
from minillama.course.tasks.alpaca_hand import LESSON

EXAMPLE = {
    "changed": "the prompts of the test end with a line break, as alpaca-lora's do; training as before",
    "expected": "fewer right answers, because the model was never asked so",
    "measured": "right as taught: 39 of 40, with the line break: 15 of 40",
    "learned": "one character costs more than half of the right answers: the template belongs to the model",
}

own_experiment = Task(
    id="alpaca.own_experiment", lesson=LESSON, kind="experiment", title="Change one thing, and measure", points=4,
    difficulty=3, importance=3, minutes=20,
    reference=lambda question: EXAMPLE[question],
    cases=lambda rng: [Case(name=name, args=(name,)) for name in EXAMPLE],
    hints=(
        "Choose something that you would bet on, and write the bet down before you run.",
        "Four sentences; `measured` has numbers, of both sides, on the same held-out tasks.",
        "train twice, or train once and ask twice\nall else equal: data, seed, steps\n"
        "count right answers on at least 40 held-out tasks",
    ),
    rubric=(
        "1 point: one change, and nothing else",
        "1 point: a bet that can be lost, written before the run",
        "1 point: numbers of both sides, on the same held-out tasks",
        "1 point: what was learned follows from the numbers, the bet's outcome included",
    ),
)  # fmt: skip
