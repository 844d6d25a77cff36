"""Quizzes of lesson 07."""

from minillama.course.quizzes import Choice, Quiz

QUIZZES = (
    Quiz(
        "model.silent",
        "Both halves of one block fall silent: they always answer 0. What do the blocks above it receive?",
        (
            Choice("Zeros", False, "A block adds its answers to the road. Adding 0 leaves what was there."),
            Choice("A normed vector", False, "The norms make copies for the halves to read; the road itself has none."),
            Choice(
                "The vectors as they came into this block", True,
                "x + 0 + 0. This is why a model survives a bad block, and why deep ones can be trained at all.",
            ),
        ),
    ),
    Quiz(
        "model.two_norms",
        "Why does a block have a norm for each of its halves?",
        (
            Choice(
                "Each half reads the road with loudness weights of its own", True,
                "Channel by channel, attention may want to hear what feed-forward should ignore.",
            ),
            Choice("One would be too slow", False, "A norm is next to nothing beside the matrices, once or twice."),
            Choice("The first undoes the second", False, "Neither changes the road; there is nothing to undo."),
        ),
    ),
    Quiz(
        "model.same_block",
        "`nn.ModuleList([Block(config)] * 32)` runs without an error. What have you built?",
        (
            Choice("32 blocks that begin alike and drift apart in training", False, "That would be 32 copies. A list "
                   "times 32 copies nothing."),
            Choice(
                "One block that every token passes 32 times", True,
                "The list holds the same object 32 times. Count the weights: a 32nd of what should be there.",
            ),
            Choice("32 blocks, of which only one gets a gradient", False, "There is only one. It gets all of them."),
        ),
    ),
    Quiz(
        "model.tied",
        "The bundled model is tied: its embedding is its output matrix, too. What does that save?",
        (
            Choice("Operations: the last product falls away", False, "The scores of all words are computed as before."),
            Choice("Room in the cache", False, "The cache holds keys and values; neither table has to do with it."),
            Choice("Weights: one table of V rows instead of two", True, "In a small model a table is a large part of "
                   "all there is. The 7B can afford two."),
        ),
    ),
    Quiz(
        "model.cost",
        "Roughly how many operations does a model of 7 billion weights need for one more token of a short text?",
        (
            Choice("7 billion", False, "Each weight is multiplied, *and* the product is added to a sum."),
            Choice("14 billion", True, "Two for each weight. Attention's own share is small until texts get long."),
            Choice(
                "7 billion times the number of tokens so far", False,
                "What was computed for earlier tokens is kept. Only attention looks back, and that is cheap.",
            ),
        ),
    ),
    Quiz(
        "model.first_wrong",
        "Your model and a reference differ from layer 3's attention on, and the differences get larger from there. "
        "Where do you look?",
        (
            Choice("At layer 3's attention", True, "What went into it was right, what came out was not."),
            Choice(
                "At the last layer, where the difference is largest", False,
                "It was given wrong numbers and may do everything right with them.",
            ),
            Choice("At all layers from 3 on", False, "They read the road that layer 3 has spoilt."),
        ),
    ),
    Quiz(
        "model.fluent",
        "Two colleagues each changed the model. A's loss is far higher than before, B's is the same to the third "
        "digit. Both write good stories. Whose code may be wrong?",
        (
            Choice("A's alone", False, "You met a bug that moved the loss by nothing at all."),
            Choice(
                "A's or B's or both", True,
                "Good text and an equal loss prove nothing about the numbers. Compare part by part.",
            ),
            Choice("Neither: good stories are what counts", False, "On other texts, lengths or sizes they may not be."),
        ),
    ),
)  # fmt: skip
