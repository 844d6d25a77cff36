"""Lesson 07's task by hand: one token on its way through one block."""

from minillama.course.record import Case, Misconception, Task
from minillama.course.tasks.hand import answers_by_hand

LESSON = "07_model"
RIGHT: dict[str, list[float]] = {
    "normed": [1.4, 0.2], "after_attention": [5.0, 5.0], "after_block": [1.0, 7.0], "logits": [0.2, 1.4, -1.2],
}  # fmt: skip
INSTEAD: dict[str, dict[str, list[float]]] = {  # misconception -> what it gives
    "by_length": {"normed": [7 / 50**0.5, 1 / 50**0.5]},
    "no_root": {"normed": [0.28, 0.04]},
    "no_stream": {"after_attention": [-2.0, 4.0], "after_block": [-4.0, 2.0]},
    "normed_stream": {"after_attention": [-0.6, 4.2], "after_block": [-3.0, 3.0]},
    "raw": {"after_attention": [-3.0, 21.0], "after_block": [-15.0, 15.0]},
    "post_norm": {"after_attention": [7 - 10 / 250**0.5, 1 + 20 / 250**0.5]},
    "old_stream": {"after_block": [-0.6, 5.4]},
    "no_final": {"logits": [1.0, 7.0, -6.0]},
}

by_hand = answers_by_hand(RIGHT, INSTEAD)


def _fault(name: str, looks_like: str, principle: str, question: str) -> Misconception:
    return Misconception(name=name, looks_like=looks_like, principle=principle, question=question)


walk_by_hand: Task = Task(
    id="model.walk_by_hand", lesson=LESSON, kind="trace", title="Walk one token through a block", points=2,
    difficulty=2, importance=4, minutes=8,
    reference=by_hand(), faulty=by_hand, cases=lambda rng: [Case(name=name, args=(name,)) for name in RIGHT],
    rtol=5e-3, atol=5e-3,
    misconceptions=(
        _fault(
            "by_length", "a division by the length", "A norm divides by the root of the *mean* square.",
            "By how many channels do you divide the sum of squares?",
        ),
        _fault(
            "no_root", "a division by the mean square itself", "The root brings the squares back to the numbers' size.",
            "What is the mean square of (7, 1), and what is its root?",
        ),
        _fault(
            "no_stream", "what the layer gives, without the road", "A layer adds; what was there before stays.",
            "Where did the numbers go that the layer started from?",
        ),
        _fault(
            "normed_stream", "an addition to the normed copy", "The norm makes a copy to read. The road has no norm.",
            "To which of the two vectors do you add: what the layer read, or the road?",
        ),
        _fault(
            "raw", "a layer that reads the road without a norm", "Each half reads a copy of root mean square 1.",
            "What does the layer get to see?",
        ),
        _fault(
            "post_norm", "a norm after the layer instead of before it", "LLaMA norms what goes in, not what comes out.",
            "On which side of the layer does your norm stand?",
        ),
        _fault(
            "old_stream", "a feed-forward that reads the road before attention has added",
            "The second half comes after the first, and reads what it left.",
            "Which stream do you norm for the second half?",
        ),
        _fault(
            "no_final", "logits from a road that was never normed at its end",
            "After the last block there is one more norm, and only then the output matrix.",
            "How large is the vector that meets the output rows?",
        ),
    ),
    hints=(
        "Norm a copy, let the half look at the copy, add what it gives to the road. Twice. Then norm once more.",
        "Two numbers for `normed`, `after_attention`, `after_block`; three for `logits`.",
        "normed: divide by the root of the mean of the two squares\nafter_attention: road + attention(normed)\n"
        "after_block: new road + feed_forward(its norm)\nlogits: dot products of the last norm with the three rows",
    ),
)  # fmt: skip
