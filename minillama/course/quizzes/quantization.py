"""Quizzes of lesson 11."""

from minillama.course.quizzes import Choice, Quiz

QUIZZES = (
    Quiz(
        "quantization.outlier",
        "One weight of a block is 30 times as large as the next. What does rounding to 4 bits do to the other 31?",
        (
            Choice(
                "Nothing: each weight is rounded for itself", False, "The step is shared, and the large one sets it."
            ),
            Choice(
                "Most of them become zero",
                True,
                "The step is an eighth of the largest weight. What is smaller than half a step is rounded away.",
            ),
            Choice("They become as large as the outlier", False, "A weight goes to the nearest step, and that is 0."),
        ),
    ),
    Quiz(
        "quantization.block_size",
        "Blocks of 16 instead of 32, with a float16 scale each. What does that change in a 4-bit format?",
        (
            Choice(
                "5 bits a weight instead of 4.5, and smaller errors",
                True,
                "16 bits for 16 weights are a bit for each. An outlier spoils 15 neighbours instead of 31.",
            ),
            Choice("Smaller errors, at no cost", False, "Twice as many scales have to be stored and read."),
            Choice("4.25 bits a weight instead of 4.5", False, "Smaller blocks mean more scales, not fewer."),
        ),
    ),
    Quiz(
        "quantization.sign",
        "Why may the scale of Q4_0 be below zero?",
        (
            Choice("Because most weights are", False, "They are, or are not, whatever the scale."),
            Choice("It saves the bit for the sign of each weight", False, "The 4 bits hold 16 values either way."),
            Choice(
                "So that the largest weight always gets the end that reaches 8 steps",
                True,
                "Sixteen values are 8 below zero, zero, and 7 above. A negative scale turns the range round.",
            ),
        ),
    ),
    Quiz(
        "quantization.nibbles",
        "A reader exchanges the two halves of every byte. What do you notice first?",
        (
            Choice(
                "Nothing in the weights' statistics, and text that is noise",
                True,
                "Every weight is there, and at another place. Mean, spread and histogram are as before.",
            ),
            Choice("Weights far too large", False, "Each code is still one of sixteen, and has the right scale."),
            Choice("An error: the blocks do not fit", False, "Number and size of blocks are as before."),
        ),
    ),
    Quiz(
        "quantization.same_size",
        "Q4_0 and Q4_K both take 4.5 bits a weight. Where does Q4_K find room for a minimum?",
        (
            Choice("It has fewer codes", False, "Both have sixteen, from 0 to 15."),
            Choice("It leaves out small weights", False, "Every weight has its code."),
            Choice(
                "Its scales and minimums are themselves quantized, to 6 bits",
                True,
                "Two float16 for 256 weights say how large these 6-bit numbers are.",
            ),
        ),
    ),
    Quiz(
        "quantization.loses",
        "On one text, LLaMA 7B has a perplexity of 5.91 in float16 and of 6.16 in Q4_0; the 13B has 5.39 in Q4_0. You "
        "have 8 GB for weights. What do you run?",
        (
            Choice(
                "The 7B in float16: nothing is lost", False, "It takes 13 GB, and does not fit. Nor would it be best."
            ),
            Choice(
                "The 13B in 4 bits",
                True,
                "7.3 GB, and better than the 7B with all of its bits. A large model in few bits mostly beats a small "
                "one in many.",
            ),
            Choice(
                "The 7B in 4 bits: it leaves room to spare",
                False,
                "3.8 GB, and the worst of the three. Spare room writes no text.",
            ),
        ),
    ),
    Quiz(
        "quantization.mean_error",
        "Two ways of rounding have the same mean squared error. In the first, errors go either way by chance; in the "
        "second, all weights are rounded down. Which is better?",
        (
            Choice("They are equally good", False, "Look at a sum of a thousand weights times inputs above zero."),
            Choice(
                "The first: by chance, errors cancel in a sum",
                True,
                "A thousand errors of one sign add up to a thousand; by chance, to about thirty-two.",
            ),
            Choice("The second: it is predictable", False, "It predictably moves every product the same way."),
        ),
    ),
)
