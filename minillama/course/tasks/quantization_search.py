"""Lesson 11's experiment: where a model's bits are best spent. A person reads it."""

from minillama.course.record import Case, Task
from minillama.course.tasks.hand import nothing_to_expect
from minillama.course.tasks.quantization_inputs import LESSON

QUESTIONS = ("hypothesis", "choice", "bits", "moved", "conclusion")

spend_bits = Task(
    id="quant.spend_bits", lesson=LESSON, kind="experiment", title="Spend five bits a weight", points=4, difficulty=3,
    importance=3, minutes=25,
    reference=nothing_to_expect, cases=lambda rng: [Case(name=name, args=(name,)) for name in QUESTIONS],
    hints=(
        "The lesson measured one kind of matrix at a time. A kind that moves much with few weights is a "
        "good place for a bit more.",
        "hypothesis and conclusion: a sentence or two each; choice: a dict from kind to type; bits and moved: "
        "numbers that `measure` gave.",
        "begin with q4_0 for all, 4.5 bits\nlist for each kind: how far chances move / weights that it has\ngive "
        "the "
        "first of the list q6_k or q8_0, until the budget is spent\nmeasure, and compare with what you expected",
    ),
    rubric=(
        "1 point: a hypothesis with a reason",
        "1 point: a choice within five bits a weight, counted rightly",
        "1 point: how far chances move, measured for it and for q4_0 throughout",
        "1 point: a conclusion that says whether the hypothesis held",
    ),
)  # fmt: skip
