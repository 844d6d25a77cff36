"""Quizzes of lesson 03, which later lessons ask again."""

from minillama.course.quizzes import Choice, Quiz

QUIZZES = (
    Quiz(
        "norm.axis",
        "You change token 7, and a norm's output at token 3 changes too. Which axes did its mean run over?",
        (
            Choice(
                "The channels of each token", False,
                "Then token 3 depends on nothing but token 3. This is the right one.",
            ),
            Choice(
                "The sequence", True,
                "A mean over positions mixes the future into the past. The shapes are fine, so nothing complains.",
            ),
            Choice("The weight", False, "The weight has no tokens: it only scales channels."),
        ),
    ),
    Quiz(
        "norm.eps",
        "eps stands outside the root instead of inside. On which inputs could you see it?",
        (
            Choice("On large activations", False, "There eps vanishes beside the mean square, inside or outside."),
            Choice("On tiny activations", True, "Inside, 1e-5 bounds the root at 0.003; outside, only at 0.00001."),
            Choice("On long sequences", False, "The mean runs over channels: the length of the sequence is no part."),
        ),
    ),
)  # fmt: skip
