"""Quizzes of lesson 15."""

from minillama.course.quizzes import Choice, Quiz

QUIZZES = (
    Quiz(
        "alpaca.seeds",
        "175 tasks became 52,000. Where did the other 51,800 come from?",
        (
            Choice("People wrote them over two years", False, "Five people, two months and $600 were all there was."),
            Choice(
                "A large model wrote them, with a few of the tasks so far as examples",
                True,
                "Three at a time, and those that resembled an earlier one were dropped. Its habits and its mistakes "
                "came along.",
            ),
            Choice(
                "They were collected from forums",
                False,
                "Forums hold questions, but rarely in one form. A model writes in whichever form it is shown.",
            ),
        ),
    ),
    Quiz(
        "alpaca.template",
        "A model was tuned in Stanford's template. You ask it with no template at all. What happens?",
        (
            Choice(
                "It often goes on with your text, as its base would",
                True,
                "What was taught hangs on what stood before the answer. Without that it is mostly the old model.",
            ),
            Choice(
                "Nothing changes: it has learnt to obey", False, "It has learnt what follows after those very lines."
            ),
            Choice("It stops with an error", False, "Tokens are tokens. Nothing checks what they say."),
        ),
    ),
    Quiz(
        "alpaca.mask",
        "Why does the loss leave the prompt out?",
        (
            Choice(
                "The prompt is given. What the model should learn to write is the answer",
                True,
                "Most of a short sample is template, the same every time. It would take most of the gradient's room "
                "for what nobody asks of the model.",
            ),
            Choice(
                "So that the model cannot see it",
                False,
                "It reads all of it. What is masked is what it is asked to foretell.",
            ),
            Choice("Because the prompt has no gradient", False, "It would have one, like any text. It is not wanted."),
        ),
    ),
    Quiz(
        "alpaca.eos",
        "A tuned model answers well, then asks itself a new question and answers that, for ever. Where do you look?",
        (
            Choice("At the learning rate", False, "A rate makes answers better or worse. These are good."),
            Choice("At its temperature", False, "Drawing is not the matter: EOS is hardly ever likely."),
            Choice(
                "At the label of EOS",
                True,
                "It stands in the samples, but if its label is -100 (because EOS pads, too) the model was never asked "
                "to say it.",
            ),
        ),
    ),
    Quiz(
        "alpaca.seam",
        "Prompt and answer are encoded as one text in training, and apart in use. Both texts are the same. Are the "
        "tokens?",
        (
            Choice("Yes: the same text has the same tokens", False, "Two texts glued together are a third one."),
            Choice(
                "Not always at the seam",
                True,
                "A piece may reach across it, and a word at the beginning of a text has another piece than one that "
                "follows a colon. So the answer's first token is one that the model has not been taught.",
            ),
            Choice(
                "No, all of them differ",
                False,
                "Far from the seam they are the same. It is the first token of the answer that suffers.",
            ),
        ),
    ),
    Quiz(
        "alpaca.data",
        "Of 52,002 answers a few hundred are wrong, empty or about pages that cannot be read. How bad is that?",
        (
            Choice(
                "It does not matter: most are right", False, "A few hundred repetitions are enough to make a habit."
            ),
            Choice("The model is useless", False, "It was useful as it was, and better when such records went."),
            Choice(
                "Each teaches a habit: to answer nothing, or to invent what stands on a page",
                True,
                "Tuning needs few examples, so few bad ones are enough. Reading a hundred records by hand pays more "
                "than another epoch.",
            ),
        ),
    ),
    Quiz(
        "alpaca.measured",
        "After tuning, the training loss is low. What does it say about instructions that nobody has asked yet?",
        (
            Choice(
                "Little: ask some that were held out, and count what is right",
                True,
                "Another name, another list, another wording. A kind of task that was never taught is another matter "
                "again.",
            ),
            Choice("That they will be answered as well", False, "It may know the answers by heart."),
            Choice(
                "Nothing, a loss never says anything", False, "It says how well the training's own answers are known."
            ),
        ),
    ),
)
