"""Quizzes of lesson 02, which later lessons ask again."""

from minillama.course.quizzes import Choice, Quiz

QUIZZES = (
    Quiz(
        "language_model.step_zero",
        "A fresh model with 2,048 pieces has learnt nothing. What does its first loss come to, about?",
        (
            Choice("0", False, "A loss of 0 means certainty, and right every time."),
            Choice(
                "7.6", True, "ln 2,048: every piece is equally likely. A first loss far from it is a bug, for free."
            ),
            Choice("1 / 2,048", False, "That is the chance of each piece. The loss is minus its logarithm."),
            Choice("2,048", False, "That is its perplexity, e to the loss: as unsure as among 2,048 pieces."),
        ),
    ),
)
