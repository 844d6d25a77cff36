"""Lesson 14's experiment: where adapters belong, on the learner's own machine; a person reads what they found."""

from minillama.course.record import Case, Task
from minillama.course.tasks.lora_hand import LESSON

FOUND = {
    "before": "All seven matrices: every one can move a little, and together they reach what none reaches alone.",
    "losses": {"wq": 1.5, "everything": 1.0},
    "after": "Everything ends below wq at the same size. One run each, so only the large gap counts.",
}

where_to_put = Task(
    id="lora.where_to_put", lesson=LESSON, kind="experiment", title="Ask where adapters belong", points=3,
    difficulty=2, importance=3, minutes=12,
    reference=lambda question: FOUND[question],
    cases=lambda rng: [Case(name=name, args=(name,)) for name in FOUND],
    hints=(
        "A fair comparison changes one thing, and leaves all else alike.",
        "before and after are sentences, losses a dict from a place to a number.",
        "write what you expect\nrun two places with the same seed and as many steps\nwhat differs, by how much, and "
        "how sure can you be after one run each?",
    ),
    rubric=(
        "1 point: an expectation with a reason, written before the runs",
        "1 point: two places or more, trained alike: the same seed, steps and rate",
        "1 point: a conclusion that the losses carry, and that says what one run each cannot show",
    ),
)  # fmt: skip
