"""Quizzes of lesson 19."""

from minillama.course.quizzes import Choice, Quiz

QUIZZES = (
    Quiz(
        "scaling.where_sum",
        "The matrices of a feed-forward half are cut over 8 processes, w1 and w3 by columns, w2 by rows. How often do "
        "the processes have to speak in one forward pass?",
        (
            Choice(
                "Three times: after each matrix", False,
                "What w1 and w3 give stays where it is: w2's share reads just these inner numbers.",
            ),
            Choice(
                "Twice: before the half, and after it", False,
                "Before it nothing is missing. Every process holds the whole stream.",
            ),
            Choice("Once: after w2", True, "Only there each of them holds a part of every number."),
        ),
    ),
    Quiz(
        "scaling.residual",
        "In a block over 4 processes each adds the stream to its partial result, and then all results are summed. What "
        "comes out?",
        (
            Choice(
                "Four times the stream, and once what was to be said", True,
                "Each process holds the whole stream, so it is in the sum four times. The parts of what is said are in "
                "it once each.",
            ),
            Choice("What one process would give", False, "It would have added the stream once."),
            Choice("Four times what one process would give", False, "What is said comes in four parts: once in all."),
        ),
    ),
    Quiz(
        "scaling.gathered",
        "FSDP over 64 processes has cut the weights. How many of block 3's weights does a process hold while it "
        "computes block 3?",
        (
            Choice("A 64th of them", False, "With a 64th nothing can be computed for whole tokens: they are collected "
                   "first."),
            Choice(
                "All of them", True,
                "They are gathered just before, used, and dropped: one block at a time, never the whole model.",
            ),
            Choice("None: the tokens travel to the weights", False, "In FSDP every process keeps its own tokens, and "
                   "the weights travel."),
        ),
    ),
    Quiz(
        "scaling.largest",
        "A model is trained with AdamW, everything in float32. What takes the most memory between two steps?",
        (
            Choice("The weights", False, "4 bytes each. Count what else is kept for each of them."),
            Choice("The gradients", False, "As much as the weights, 4 bytes each."),
            Choice("The optimizer's averages", True, "Two numbers for every weight: 8 bytes, half of all 16."),
        ),
    ),
    Quiz(
        "scaling.means",
        "Process 0 has 10 tokens, process 1 has 990. Each divides its loss by its own number, and the gradients are "
        "averaged. How much does a token of process 0 count, beside one of process 1?",
        (
            Choice("99 times as much", True, "1/10 against 1/990. The loss still falls; it is that of other data."),
            Choice("The same", False, "Each is divided by its own process's number of tokens: 10, or 990."),
            Choice("A 99th as much", False, "The fewer tokens share a mean, the more each of them counts in it."),
        ),
    ),
    Quiz(
        "scaling.links",
        "Two machines with 8 GPUs each; inside a machine the links are ten times as fast as between them. How would "
        "you share a model too large for one GPU?",
        (
            Choice(
                "Cut matrices over all 16", False,
                "Two sums in every block, for every token, over the slow link: everybody waits.",
            ),
            Choice(
                "Cut matrices over the 8 of a machine, give each machine other data", True,
                "What speaks often sits close together. Between the machines only gradients travel, once a step.",
            ),
            Choice(
                "Cut matrices between the machines, data inside each", False,
                "The many small sums would have to take the slow road.",
            ),
        ),
    ),
)  # fmt: skip
