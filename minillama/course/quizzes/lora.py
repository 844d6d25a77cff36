"""Quizzes of lesson 14."""

from minillama.course.quizzes import Choice, Quiz

QUIZZES = (
    Quiz(
        "lora.zero",
        "A colleague fills A and B with zeros: then the layer surely begins as it was. What happens?",
        (
            Choice("It learns, only more slowly", False, "Zero times a slower zero. No step ever has a direction."),
            Choice(
                "Nothing, ever",
                True,
                "A's gradient is multiplied by B, and B's by A x. Where both are zero, both gradients stay zero.",
            ),
            Choice(
                "It learns as well as with a drawn A",
                False,
                "With a drawn A, B has a gradient in the first step, and A from the second on. Here neither has.",
            ),
        ),
    ),
    Quiz(
        "lora.rank",
        "You double the rank of an adapter and leave alpha as it is. What does the scale do?",
        (
            Choice(
                "It halves",
                True,
                "Twice as many products are added up, each counts half: so the learning rate may stay as it was.",
            ),
            Choice("It stays", False, "It is alpha / r, and r has changed."),
            Choice("It doubles", False, "That would be r / alpha: louder with every number that is added."),
        ),
    ),
    Quiz(
        "lora.frozen",
        "The base is frozen, so a colleague computes W x under `no_grad`. Her loss falls, but less than yours. Why?",
        (
            Choice("no_grad rounds to 16 bits", False, "It changes no number of the result: it records nothing."),
            Choice(
                "The top layer's adapter does not learn any more",
                False,
                "It does: what comes behind it is as it was. Look further down.",
            ),
            Choice(
                "Lower layers hear of the loss through W as well, and for them it is silent",
                True,
                "Frozen means that W gets no gradient. The gradient of x has to go through it all the same.",
            ),
        ),
    ),
    Quiz(
        "lora.merge",
        "An adapter is merged into W. What does a token cost now?",
        (
            Choice(
                "What it cost without an adapter", True, "W has its old shape and other numbers. Nothing is beside it."
            ),
            Choice(
                "A little more, for A and B",
                False,
                "So it was before. Merged, nobody multiplies by A and B any more.",
            ),
            Choice("Twice as much", False, "Even unmerged, two thin matrices are half a percent of the wide one."),
        ),
    ),
    Quiz(
        "lora.twice",
        "Somebody merges an adapter, saves the model, loads it, and merges the same adapter again. What will they see?",
        (
            Choice("An error: shapes do not fit", False, "They fit as they did the first time."),
            Choice(
                "No error, and worse answers",
                True,
                "The adapter speaks twice as loudly as it was trained to. No check of shapes can see that; a held-out "
                "loss can.",
            ),
            Choice(
                "The same text: merging is idempotent",
                False,
                "A sum is not. Only a flag that travels along makes it so.",
            ),
        ),
    ),
    Quiz(
        "lora.four_bits",
        "The error of rounding to 4 bits is about as large as all that an adapter has added to W. Yet a merged and "
        "rounded model answers nearly as before. How can that be?",
        (
            Choice(
                "The error is a little in all directions, what was learnt is strong in few",
                True,
                "So what was learnt stands out of the noise. How far, only a measurement tells.",
            ),
            Choice(
                "Rounding errors of all weights cancel exactly",
                False,
                "They go up as often as down, and still add up.",
            ),
            Choice("The adapter was never used", False, "Without it the loss would be that of a storyteller."),
        ),
    ),
    Quiz(
        "lora.optimizer",
        "Adapters of 4 million numbers on a 7B in 16 bits. What takes most of the memory of a step?",
        (
            Choice("AdamW's two running means", False, "Of the adapters alone: 8 bytes for each of 4 million, 34 MB."),
            Choice("The gradients", False, "The base has none that are kept; the adapters' are 17 MB."),
            Choice(
                "The base's own weights, and activations",
                True,
                "13.5 GB that are only read. This is why the next idea is to keep them in 4 bits.",
            ),
        ),
    ),
)
