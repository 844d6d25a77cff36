"""Quizzes of lesson 09."""

from minillama.course.quizzes import Choice, Quiz

QUIZZES = (
    Quiz(
        "pretrain.duplicates",
        "A page stands in the crawl 400 times. What does a model learn from the other 399 copies?",
        (
            Choice(
                "To weigh the page as important",
                False,
                "It was copied, by a template or a mirror. Nobody voted for it.",
            ),
            Choice(
                "To recite it, at the cost of 399 pages that it does not read",
                True,
                "The budget is counted in tokens. What is read often enough is known by heart.",
            ),
            Choice(
                "Nothing: equal text gives a gradient of zero",
                False,
                "As long as its loss is above zero, every copy pulls again.",
            ),
        ),
    ),
    Quiz(
        "pretrain.boundary",
        "Documents are laid end to end without BOS and EOS. What goes wrong?",
        (
            Choice(
                "The model is asked to foretell a new text's beginning from another text's end",
                True,
                "And it never learns to stop: nothing in its training ever ended.",
            ),
            Choice(
                "Windows get different lengths", False, "They are cut from one stream, so all have the same length."
            ),
            Choice(
                "Nothing: attention finds out by itself",
                False,
                "It can guess that a topic has changed. A mark says so, in one token.",
            ),
        ),
    ),
    Quiz(
        "pretrain.decay",
        "A colleague lets everything decay, norms too. After 10,000 steps at a rate of 0.0003 with decay 0.1, what has "
        "the decay alone made of a norm's weight of 1?",
        (
            Choice("It is still about 1", False, "0.003% a step is little. Ten thousand times is not."),
            Choice("It is exactly 0", False, "Each step takes a share of what is left, so it never gets there."),
            Choice(
                "About 0.74",
                True,
                "Each step multiplies by 1 - 0.00003, and that to the power of 10,000 is e to the -0.3. The "
                "gradient has to row against it all the time.",
            ),
        ),
    ),
    Quiz(
        "pretrain.warmup",
        "Why not begin at the full learning rate?",
        (
            Choice(
                "AdamW's first steps are as long as its rate allows, and point wherever the first batch says",
                True,
                "It divides by the size of the gradients so far. After one batch that is this very gradient, so every "
                "weight moves by the whole rate.",
            ),
            Choice("The computer is cold", False, "Nothing but the arithmetic has to warm up: the averages of AdamW."),
            Choice(
                "The first gradients are too small",
                False,
                "They are large, and AdamW would make small ones as long as any other.",
            ),
        ),
    ),
    Quiz(
        "pretrain.clip",
        "A gradient has norm 50, the limit is 1. What does clipping by the norm do?",
        (
            Choice(
                "Every number above 1 becomes 1",
                False,
                "That would bend its direction. The whole gradient is made shorter.",
            ),
            Choice("The step is left out", False, "It is taken, and is 50 times shorter than it would have been."),
            Choice(
                "It divides every number by 50", True, "The direction stays. One bad batch cannot throw the model far."
            ),
        ),
    ),
    Quiz(
        "pretrain.micro",
        "Two micro-batches: 10 tokens with a mean loss of 4, and 90 with a mean of 2. Somebody reports 3. Is it right?",
        (
            Choice("Yes: (4 + 2) / 2", False, "That makes each of the ten tokens count as much as nine of the others."),
            Choice("No, it is 2.2", True, "40 + 180 nats over 100 tokens. How the step was cut must not show."),
            Choice("No, it is 6", False, "That is the sum of two means. A loss is told for one token."),
        ),
    ),
    Quiz(
        "pretrain.too_good",
        "After 100 steps your new loop shows a loss of 0.01 on stories. What do you do first?",
        (
            Choice("Celebrate, and train a larger model", False, "A story has turns that nobody can foresee."),
            Choice("Lower the learning rate", False, "A rate explains a loss that is too high, or none at all."),
            Choice(
                "Look at what the model is asked for",
                True,
                "Below what the text leaves open nobody can honestly get. It sees its answers, through unshifted "
                "targets or a mask that lets it.",
            ),
        ),
    ),
    Quiz(
        "pretrain.longer",
        "LLaMA 7B went on learning from a trillion tokens, long after a larger model would have been the better buy "
        "for the same training. Why do it?",
        (
            Choice(
                "A training is paid for once, every token that is written is paid for anew",
                True,
                "A model half the size writes at half the cost, for as long as anybody uses it.",
            ),
            Choice(
                "Small models end up better than large ones",
                False,
                "At equal text the larger one is better. It is the cost of using them that differs.",
            ),
            Choice("There was no room for a larger one", False, "The same people trained 13B, 33B and 65B as well."),
        ),
    ),
)
