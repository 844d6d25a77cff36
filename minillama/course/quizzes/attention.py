"""Quizzes of lesson 06."""

from minillama.course.quizzes import Choice, Quiz

QUIZZES = (
    Quiz(
        "attention.scale",
        "Somebody forgets to divide the scores by the root of K. In a head with K = 128, what does attention become?",
        (
            Choice("Negative in places", False, "A softmax gives positive numbers, whatever it is given."),
            Choice(
                "Equal everywhere",
                False,
                "Small scores would give that. Without the division they are too large.",
            ),
            Choice(
                "A choice of one key, which hardly learns any more",
                True,
                "Scores spread by 11 instead of 1: one weight is near 1, the others near 0, and so are the slopes.",
            ),
        ),
    ),
    Quiz(
        "attention.mask_after",
        "The mask multiplies the weights after the softmax: forbidden places become 0. Can a token feel the future?",
        (
            Choice(
                "Yes: later keys have taken a share, and its size shows",
                True,
                "The softmax divided by a sum that held the forbidden keys too. What is left sums to less than 1.",
            ),
            Choice("No: every forbidden weight is 0", False, "They are. But what did the softmax divide by before?"),
            Choice("No, but the last token can", False, "The last token of a text has no future to feel."),
        ),
    ),
    Quiz(
        "attention.cache",
        "A model writes its 100th token with a cache: one query, 100 keys. How many True has the mask of this step?",
        (
            Choice("1: the first row of a triangle", False, "That row belongs to position 0. This query stands at 99."),
            Choice(
                "100: all of them came before, or are itself", True, "Its position is S - T = 99, and it sees 0 to 99."
            ),
            Choice(
                "5,050: a whole triangle", False, "That is all rows of a prompt of 100. This step has a single row."
            ),
        ),
    ),
    Quiz(
        "attention.groups",
        "Llama 2 70B has 64 query heads and 8 key/value heads. What do the groups make eight times smaller?",
        (
            Choice("The number of scores", False, "Each of the 64 heads still scores every key."),
            Choice(
                "All weights of the layer",
                False,
                "Only wk and wv have fewer rows. wq and wo stay as large as they were.",
            ),
            Choice(
                "The cache of keys and values",
                True,
                "That is what has to be kept for each token of the conversation, and read again for each new one.",
            ),
        ),
    ),
    Quiz(
        "attention.sink",
        "A head puts 0.6 of its attention on the first token, in every text. What follows?",
        (
            Choice(
                "The first token is the most important word",
                False,
                "It is often the same in every text: it says little.",
            ),
            Choice(
                "Nothing, before you have looked at the value there",
                True,
                "A weight says how much of a value is taken. A short value moves nothing: a place to rest.",
            ),
            Choice(
                "The head is broken",
                False,
                "Weights must sum to 1: a head with nothing to say has to leave them somewhere.",
            ),
        ),
    ),
    Quiz(
        "attention.induction",
        "A text says `Zorbik Quamel`, two names that no training text had, and later `Zorbik` again. Which head can "
        "foretell `Quamel`?",
        (
            Choice(
                "One that looks from a token to what followed it the last time",
                True,
                "It needs no meaning: only the same token before, and a head below it that marks who followed whom.",
            ),
            Choice("One that looks at the token before", False, "Before the second `Zorbik` stands something else."),
            Choice("None: the model has never seen these names", False, "It has seen them a moment ago, in this text."),
        ),
    ),
    Quiz(
        "attention.leak",
        "A model reads one token ahead while it trains. Its loss is near 0. What does it write afterwards?",
        (
            Choice("The best stories of all", False, "It has learned to copy an answer that will not be there."),
            Choice("Nothing: it stops with an error", False, "The shapes are right, in training and in writing."),
            Choice(
                "Nonsense, without an error",
                True,
                "In writing there is no next token to read. It was never made to foretell one.",
            ),
        ),
    ),
)
