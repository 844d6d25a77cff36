"""Quizzes of lesson 12."""

from minillama.course.quizzes import Choice, Quiz

QUIZZES = (
    Quiz(
        "kernels.bound",
        "One token through a 7B waits for memory. You get a processor that multiplies twice as fast, with the same "
        "memory. How much faster are the tokens?",
        (
            Choice("Twice as fast", False, "That would be so if multiplying were what takes the time."),
            Choice("Half as much again", False, "Nothing of the time is spent on multiplying, so nothing is saved."),
            Choice("Not at all", True, "Every weight still has to arrive. Half as many bits a weight would help."),
        ),
    ),
    Quiz(
        "kernels.int8",
        "In NumPy, a and b are int8 arrays, and all of their numbers are 100. What is in a * b?",
        (
            Choice("16", True, "10,000 is 39 times 256 and 16. NumPy keeps the type of its factors, without a word."),
            Choice("10,000", False, "That is what Numba says inside a compiled loop, where it makes 64 bits of both."),
            Choice("127", False, "Whole numbers do not stop at their end, they come in again at the other one."),
        ),
    ),
    Quiz(
        "kernels.offset",
        "Your test multiplies Q4_0 weights by activations of 1, -1, 1, -1 and so on. What does it say of a kernel that "
        "forgets the offset of 8?",
        (
            Choice("It fails: every weight is too large by 8 steps", False, "So it is, but the errors meet 1 and -1."),
            Choice("It passes", True, "8 x (1 - 1 + 1 - ...) is 0. A test has to bring out the bug that it is for."),
            Choice("It fails on some rows", False, "The error is 8 x scale x the activations' sum, which is 0."),
        ),
    ),
    Quiz(
        "kernels.race",
        "Two threads each add half of the columns' products to y[row], for every row. What comes out?",
        (
            Choice("The right sums, a little later", False, "No thread waits between its read and its write."),
            Choice("An error about y", False, "Nothing notices: both are allowed to write there."),
            Choice(
                "Sums that lack parts, others each time", True,
                "To add is to read, add, write. What the other thread wrote in between is overwritten.",
            ),
        ),
    ),
    Quiz(
        "kernels.cache",
        "You mend a compiled helper in one file. The kernel that calls it, in another file, has cache=True and gives "
        "the old result after a restart. Why?",
        (
            Choice(
                "Its machine code came from the disk", True,
                "Numba looks at the kernel's own file only. Touch that file, or empty the cache.",
            ),
            Choice("Helpers cannot be compiled", False, "They can, and are compiled into whoever calls them."),
            Choice("The helper was not imported again", False, "After a restart everything is imported anew."),
        ),
    ),
    Quiz(
        "kernels.first_call",
        "time.perf_counter() says that a new Numba kernel takes 1.9 seconds, NumPy 0.3. Is NumPy faster?",
        (
            Choice("Yes, by a factor of six", False, "What was timed is mostly the compiler."),
            Choice("Nobody knows yet", True, "The first call compiles. Call it once, then measure."),
            Choice("No, compiled code is always faster", False, "NumPy is compiled as well, and some of it very well."),
        ),
    ),
    Quiz(
        "kernels.interleave",
        "Why do the fast kernels lay 16 rows beside each other?",
        (
            Choice("It takes fewer bytes", False, "They are the same bytes in another order."),
            Choice("Sixteen threads can share them", False, "Each thread takes whole groups, all 16 rows of them."),
            Choice(
                "Each place of a register belongs to one row, so nothing is added across it", True,
                "Sixteen sums grow side by side. And one load brings what all sixteen need.",
            ),
        ),
    ),
    Quiz(
        "kernels.prefill",
        "Reading 128 tokens of a prompt takes far less than 128 times as long as one token. Why?",
        (
            Choice("Prompts are simpler than what is written", False, "Each token meets all weights, in both."),
            Choice(
                "A weight that has arrived is used 128 times", True,
                "The memory's time is paid once. From some tokens on, arithmetic sets the pace.",
            ),
            Choice("The cache holds the tokens' results", False, "The cache is for what comes after the prompt."),
        ),
    ),
)  # fmt: skip
