"""Quizzes of lesson 05."""

from minillama.course.quizzes import Choice, Quiz

QUIZZES = (
    Quiz(
        "feedforward.alone",
        "You change token 7 of the stream. Which outputs of a feed-forward layer change?",
        (
            Choice(
                "Those at token 7, and no others", True,
                "Every token goes through on its own. Whatever tokens learn from each other, they learn in attention.",
            ),
            Choice("Those at token 7 and after it", False, "That is attention, which looks back. Nothing here looks."),
            Choice("All of them", False, "Then some step would mix tokens. Matrices on the last axis do not."),
        ),
    ),
    Quiz(
        "feedforward.two_thirds",
        "Why is a gated layer two thirds as wide as a plain one?",
        (
            Choice("Because gates make numbers large", False, "They do not, as a rule; width would not help there."),
            Choice("Because wider layers are hard to train", False, "The 70B's are wider than that, on purpose."),
            Choice(
                "Because three matrices then cost what two did", True,
                "3 times 2/3 is 2. With equal weights, a comparison of the two is fair.",
            ),
        ),
    ),
    Quiz(
        "feedforward.gelu",
        "Somebody's code for LLaMA bends with GELU by mistake. What is sure to show it?",
        (
            Choice("Its text", False, "You read such a text on this page. Would you have sent it back?"),
            Choice(
                "The numbers of one layer, beside a reference", True,
                "The curves differ by up to 0.2. Same weights, same input, compare: that takes a second.",
            ),
            Choice("The loss on a few stories", False, "It may move by less than one choice of stories or another."),
        ),
    ),
    Quiz(
        "feedforward.exchanged",
        "A file is read with w1 and w3 exchanged. What do you see?",
        (
            Choice("An error about shapes", False, "They have the same shape."),
            Choice(
                "Nothing: a product does not mind the order", False,
                "The product does not, but only one of the two was bent before it.",
            ),
            Choice("Good text with a slightly higher loss", False, "That is what GELU did. This is no small change."),
            Choice(
                "Babble", True,
                "Every layer bends the wrong branch. You saw what it does to the loss of the bundled model.",
            ),
        ),
    ),
    Quiz(
        "feedforward.size",
        "What is `hidden_size(dim=100, multiple_of=64)`?",
        (
            Choice("320", True, "Two thirds of 400 is 266 and a bit, and 266 needs five blocks of 64."),
            Choice("256", False, "Four blocks of 64, but 266 do not fit into them: the rule rounds up."),
            Choice("266", False, "That is before the rounding."),
            Choice("448", False, "That is 400 rounded up: the two thirds are missing."),
        ),
    ),
    Quiz(
        "feedforward.seeds",
        "One run of A ends 0.01 below one run of B. Seeds alone move such a run by 0.03. What do you know?",
        (
            Choice("A is better", False, "The next seed may turn it round. So would you have said B is better, then?"),
            Choice(
                "Nothing yet", True,
                "The difference is smaller than what chance does. More seeds, or longer runs, could tell.",
            ),
            Choice("A and B are equally good", False, "You cannot see a difference. That does not make it zero."),
        ),
    ),
)  # fmt: skip
