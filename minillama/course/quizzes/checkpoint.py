"""Quizzes of lesson 10."""

from minillama.course.quizzes import Choice, Quiz

QUIZZES = (
    Quiz(
        "checkpoint.header",
        "The header of a safetensors file gives a tensor the offsets [0, 4096]. Where in the file does it begin?",
        (
            Choice("At byte 0", False, "There stand eight bytes that say how long the header is."),
            Choice("At byte 8", False, "There the header begins. The offsets count from where it ends."),
            Choice(
                "Where the header ends",
                True,
                "8 bytes, the header, and then offset 0. Who writes a header cannot know how long it will be.",
            ),
        ),
    ),
    Quiz(
        "checkpoint.bf16",
        "A program reads bf16 weights as float16. What happens?",
        (
            Choice(
                "Every number is wrong, and nothing complains",
                True,
                "Any 16 bits are some float16. A bf16 of 1.0 reads as 1.875, and 0.5 as 1.75.",
            ),
            Choice("It raises an error", False, "Both have two bytes. Nothing in them says which they are."),
            Choice(
                "The numbers lose a few digits",
                False,
                "That is what converting does. Reading the bits as something else is another matter.",
            ),
        ),
    ),
    Quiz(
        "checkpoint.pickle",
        "You have downloaded a .pth file from a stranger. When could code in it run?",
        (
            Choice("When the model is first called", False, "Long before: a pickle is a list of things to do."),
            Choice(
                "While it is loaded",
                True,
                "Unpickling carries out what the file says. weights_only lets it ask for tensors and nothing else.",
            ),
            Choice("Never: it holds numbers", False, "It may hold anything that Python can call."),
        ),
    ),
    Quiz(
        "checkpoint.cut",
        "Meta cuts wq by rows and wo by columns. Why not both alike?",
        (
            Choice(
                "So that a shard's heads meet their own part of wo, and one sum is enough",
                True,
                "Rows of wq make heads, columns of wo take them in: each GPU does both by itself. Lesson 19 builds it.",
            ),
            Choice("Their shapes differ", False, "Both are D × D in a LLaMA."),
            Choice("To make files of equal size", False, "Halves are equal, whichever way you cut."),
        ),
    ),
    Quiz(
        "checkpoint.norms",
        "A model in 8 shards is put together, and every norm's weight has 8 × D numbers. What has been overlooked?",
        (
            Choice(
                "The norms have to be added up", False, "Eight copies, added: a norm that is eight times too strong."
            ),
            Choice("wo has to be cut again", False, "The shape of wo has nothing to do with the norms."),
            Choice(
                "Every shard has a copy of each norm",
                True,
                "One number a channel, and every GPU needs all of them: so each has a copy, and one copy is enough.",
            ),
        ),
    ),
    Quiz(
        "checkpoint.babble",
        "You converted Hugging Face's weights. The model writes some good words and then babbles. What do you suspect?",
        (
            Choice(
                "The order of the rows of wq and wk",
                True,
                "Near positions survive pairs that are mixed up; far ones do not.",
            ),
            Choice("The header of the file", False, "A header misread gives noise at once, or an error."),
            Choice("The tokenizer", False, "Wrong ids give wrong words from the first one on."),
        ),
    ),
    Quiz(
        "checkpoint.gguf",
        "A GGUF file says [4096, 11008] of a matrix. How many numbers has one of its rows?",
        (
            Choice("11,008", False, "NumPy names the length of a row last. GGUF names it first."),
            Choice("4,096", True, "The first dimension is the fastest: so many numbers lie side by side."),
            Choice(
                "Both orders are the same matrix",
                False,
                "One is the other turned on its side, and reads other numbers as a row.",
            ),
        ),
    ),
    Quiz(
        "checkpoint.gib",
        "7 billion weights of 16 bits, on a machine with 16 GiB of which 13 are free. Do they fit?",
        (
            Choice("No: 14 is more than 13", False, "14 GB are 13.04 GiB: it is closer than it looks."),
            Choice("Yes: 14 GB are 13 GiB", False, "13.04, and nothing is left for keys, values and everything else."),
            Choice(
                "Just not: 14 GB are 13.04 GiB, and the cache comes on top",
                True,
                "Units decide here. And 2,048 tokens of a 7B take another GiB.",
            ),
        ),
    ),
)
