"""Quizzes of lesson 13."""

from minillama.course.quizzes import Choice, Quiz

QUIZZES = (
    Quiz(
        "run_7b.which",
        "Memory delivers 40 GB/s. Which writes faster, a 13B in 4 bits (7.3 GB) or a 7B in 16 bits (13.5 GB)?",
        (
            Choice("The 7B: it has half the weights", False, "Half the weights, and nearly twice the bytes."),
            Choice(
                "The 13B: it has fewer bytes", True,
                "At most 5.5 tokens a second against 3. And its perplexity is the lower one, too.",
            ),
            Choice("Both alike: it is the same memory", False, "The same bytes a second, but not the same bytes."),
        ),
    ),
    Quiz(
        "run_7b.more_cores",
        "Two threads read as much as the memory delivers. You move to a processor with 16 cores and the same memory. "
        "What gets faster?",
        (
            Choice("Reading the prompt, not writing", True, "A prompt is bound by arithmetic, which cores add to."),
            Choice("Both, eight times", False, "A token at a time waits for the same bytes from the same memory."),
            Choice("Neither", False, "The tokens of a prompt share each weight, so there arithmetic counts."),
        ),
    ),
    Quiz(
        "run_7b.windows",
        "A colleague scores windows of 512 tokens and reports 5.9. You score the same model on the same text, in "
        "windows of 256. What do you find?",
        (
            Choice("A lower number: half as many tokens", False, "It is a mean: the number of tokens is no matter."),
            Choice("5.9", False, "Only if guesses did not get easier with more text before them."),
            Choice("A higher number", True, "Each guess has less to go on. Say the window with every perplexity."),
        ),
    ),
    Quiz(
        "run_7b.bos",
        "Why does every window get a BOS in the place of its first token?",
        (
            Choice(
                "In training every text began with it", True,
                "Many a model puts most of its attention there, and babbles without it.",
            ),
            Choice("So that windows have an even number of tokens", False, "It replaces a token, it adds none."),
            Choice("It makes the number comparable between vocabularies", False, "Nothing does but counting bytes."),
        ),
    ),
    Quiz(
        "run_7b.agree",
        "Your pieces and the engine choose the same token at 39 of 40 places of a text. The text that each writes by "
        "itself differs from the seventh word on. What follows?",
        (
            Choice("One of them has a bug", False, "Bugs show in many places. Here it is one close call of forty."),
            Choice("Random numbers were involved", False, "Both took the likeliest token every time."),
            Choice(
                "Nothing: one close call went the other way, and all that follows hangs on it", True,
                "So compare where both are given the same text, and look at how far the scores are apart.",
            ),
        ),
    ),
    Quiz(
        "run_7b.slower",
        "At the beginning of a text a 7B in Q4_0 writes 6 tokens a second, after 2,000 tokens 4.7. Why?",
        (
            Choice("The processor gets warm", False, "It may, and then the first text is slow, too."),
            Choice(
                "A gigabyte of keys and values is read besides the weights", True,
                "4.7 GB a token instead of 3.7. Grouped heads make it an eighth, an int8 cache a half.",
            ),
            Choice("Long texts are harder to go on with", False, "The work is the same, whatever the words say."),
        ),
    ),
)  # fmt: skip
