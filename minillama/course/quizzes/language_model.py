"""Quizzes of lesson 02."""

from minillama.course.quizzes import Choice, Quiz

QUIZZES = (
    Quiz(
        "language_model.step_zero",
        "A fresh model with 2,048 pieces has learnt nothing. Its loss is minus the natural logarithm of the chance "
        "that it gives the right piece. What does that come to, about?",
        (
            Choice("0", False, "A loss of 0 means certainty, and right every time."),
            Choice(
                "7.6", True, "ln 2,048: every piece is equally likely. A first loss far from it is a bug, for free."
            ),
            Choice("1 / 2,048", False, "That is the chance of each piece. The loss is minus its logarithm."),
            Choice("2,048", False, "That is its perplexity, e to the loss: as unsure as among 2,048 pieces."),
        ),
    ),
    Quiz(
        "language_model.shift",
        "On its first day of training a model reaches a loss of 0.01 on text that it has never seen. What is likely?",
        (
            Choice("It is a very good model", False, "Nobody can foresee a story to one part in a hundred."),
            Choice("The learning rate is too high", False, "Then the loss would jump, or grow; not be perfect."),
            Choice("It overfits", False, "That makes the loss small on text that it has seen, not on new text."),
            Choice(
                "It can see the answers", True,
                "Targets that are not shifted, or a look at the future: predicting becomes copying.",
            ),
        ),
    ),
    Quiz(
        "language_model.sure_and_wrong",
        "One token gets a chance of 0.5 from model A, and of 0.999 from B. The next token gets 0.5 from A, and 0.001 "
        "from B. Which has the lower loss over both?",
        (
            Choice(
                "A", True,
                "A pays 0.69 twice, B almost nothing and then 6.9. Being sure pays off only for those who are right.",
            ),
            Choice("B", False, "It saves 0.69 nats on the first token, and pays 6.9 on the second."),
            Choice("Both the same: half a chance each, on average", False, "The mean is over surprises, not chances."),
        ),
    ),
    Quiz(
        "language_model.bigram",
        "You give the bigram model a hundred times as many numbers and text without end. What does it still not know?",
        (
            Choice("Which word often follows another", False, "That is the one thing that it learns."),
            Choice("How to spell", False, "Pieces that make a word follow each other; it learns that, pair by pair."),
            Choice(
                "Whom the story is about", True,
                "It sees one token. The name stands further back, and no number of weights brings it nearer.",
            ),
        ),
    ),
    Quiz(
        "language_model.vocabulary",
        "Model A cuts text into words, B into letters. A has a perplexity of 60, B of 3. Which knows the language "
        "better?",
        (
            Choice("A", False, "Perhaps. But 60 choices a word and 3 choices a letter are different games."),
            Choice("B: 3 is less than 60", False, "Five letters are five guesses: 3 to the 5th is 243 choices."),
            Choice(
                "These numbers cannot tell", True,
                "Perplexity is a number a token. Compare nats a character of the same text instead.",
            ),
        ),
    ),
    Quiz(
        "language_model.constant",
        "You add 5 to all logits of one position. What happens to the loss?",
        (
            Choice("It rises by 5", False, "The true piece scores 5 more, and so does all that it has to beat."),
            Choice("It falls by 5", False, "The true piece scores 5 more. So do all the others."),
            Choice("It rises by a factor of e to the 5", False, "Top and bottom of each chance grow by that factor."),
            Choice("Nothing", True, "Only differences matter. That is also what keeps e from overflowing."),
        ),
    ),
)  # fmt: skip
