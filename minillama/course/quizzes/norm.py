"""Quizzes of lesson 03, some of which later lessons ask again."""

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
            Choice("The weight", False, "The weight has no tokens: it only scales channels."),
            Choice(
                "The sequence", True,
                "A mean over positions mixes the future into the past. The shapes are fine, so nothing complains.",
            ),
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
    Quiz(
        "norm.scale",
        "Some layer makes every number of a token 50 times larger. What does the RMSNorm after it hand on?",
        (
            Choice(
                "What it would have handed on before", True,
                "The root mean square is 50 times larger, too, and cancels. Only directions get through.",
            ),
            Choice("Numbers 50 times larger", False, "Their root mean square grew as much, and divides them."),
            Choice("Numbers about 7 times larger", False, "The root of 50 would be left if one forgot a square."),
        ),
    ),
    Quiz(
        "norm.shift",
        "You add 5 to every channel of a token. Which norm hands on what it would have handed on before?",
        (
            Choice("RMSNorm", False, "It subtracts nothing: a vector pushed in one direction points somewhere else."),
            Choice("Both", False, "For RMSNorm the vector now points somewhere else."),
            Choice(
                "LayerNorm", True,
                "It subtracts the mean, and with it the 5. In return it cannot tell (1, 2, 3) from (6, 7, 8).",
            ),
        ),
    ),
    Quiz(
        "norm.half",
        "A norm squares numbers of about 400 in float16 and raises no error. What comes out?",
        (
            Choice(
                "Zeros", True,
                "160,000 is inf in float16, and a number divided by inf is 0. The token is gone, without a word.",
            ),
            Choice("Numbers that are a little off", False, "Rounding does that. This is beyond the largest float16."),
            Choice("nan everywhere", False, "inf / inf would be nan. Here a finite number is divided by inf."),
        ),
    ),
    Quiz(
        "norm.where",
        "Norms are moved from before each layer to after each addition. What becomes of a word's own vector?",
        (
            Choice("It grows with every layer", False, "That is what happens with norms before the layers: sums grow."),
            Choice(
                "It fades with every layer", True,
                "Each norm divides everything that came before, the word included, again and again.",
            ),
            Choice("Nothing", False, "Nothing happens to it only while nobody divides the stream itself."),
        ),
    ),
)  # fmt: skip
