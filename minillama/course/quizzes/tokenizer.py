"""Quizzes of lesson 01; the first three warm up what it needs of Python."""

from minillama.course.quizzes import Choice, Quiz

QUIZZES = (
    Quiz(
        "tokenizer.python_bytes",
        "In Python, `len('né')` is 2. What is `len('né'.encode())`?",
        (
            Choice("2", False, "That counts characters. `encode` gives bytes, and é takes more than one."),
            Choice("3", True, "UTF-8 spells n in one byte and é in two."),
            Choice("4", False, "Some encodings use two bytes for every letter. UTF-8 uses one for plain English ones."),
        ),
    ),
    Quiz(
        "tokenizer.python_ties",
        "`max(['pear', 'fig', 'plum'], key=len)` has two words of length 4. Which one does it give?",
        (
            Choice("'pear'", True, "Of equals `max` keeps the one it met first. Another order, another answer!"),
            Choice("'plum'", False, "Of equals `max` keeps the one it met first."),
            Choice("both", False, "`max` gives a single item."),
        ),
    ),
    Quiz(
        "tokenizer.python_yield",
        "A function with `yield` in it is called. When does its first line run?",
        (
            Choice("At the call", False, "The call only makes a generator; nothing in it has run yet."),
            Choice("Never, unless it has a `return` too", False, "A single `yield` makes it a generator."),
            Choice("When somebody asks for the first value", True, "And it stops again at each `yield`, until asked."),
        ),
    ),
    Quiz(
        "tokenizer.hello",
        "Why does LLaMA put a space in front of every text?",
        (
            Choice(
                "So that a text cannot be empty", False, "An empty text stays empty: nothing is put in front of it."
            ),
            Choice(
                "To mark where a text begins", False, "That is the task of the piece `<s>`, which comes before it."
            ),
            Choice("Because the model cannot read capitals", False, "It reads them like all other letters."),
            Choice(
                "So that its first word is the same piece as in the middle of a sentence", True,
                "`▁Hello` is one piece in both places, and the model has to learn one word only.",
            ),
        ),
    ),
    Quiz(
        "tokenizer.round_trip",
        "Your encoder and decoder bring back every one of a million texts unchanged. What may still be wrong?",
        (
            Choice("Nothing: that is the definition of right", False, "Spelling everything in bytes passes too."),
            Choice("The spaces", False, "If one were lost, some text would not come back."),
            Choice(
                "The ids: the model learned from another spelling", True,
                "One text has many spellings in pieces. The model knows one of them.",
            ),
        ),
    ),
    Quiz(
        "tokenizer.longest",
        "`nearest` is a piece of a vocabulary. Can the word `nearest` come out as two pieces?",
        (
            Choice(
                "Yes, if an earlier merge has taken a letter that its last merge needs", True,
                "Merges go by rank. The longest piece that fits gets no say.",
            ),
            Choice("No: a piece in the vocabulary is always used", False, "The order of merges decides, not the list."),
            Choice("Only at the beginning of a text", False, "There the space in front matters, but not only there."),
        ),
    ),
    Quiz(
        "tokenizer.stream",
        "A model writes 🙂 in four byte pieces. What does a good stream show, after each of them?",
        (
            Choice("A quarter of the picture", False, "A byte has no picture: only four together are a character."),
            Choice("Nothing, three times; then 🙂", True, "Bytes are held back until they make a character."),
            Choice("�, four times", False, "That is what turning every byte into text by itself gives."),
            Choice("🙂 at once", False, "It could be many other characters, until the last byte has come."),
        ),
    ),
    Quiz(
        "tokenizer.size",
        "You double a vocabulary from 32,000 to 64,000 pieces. What do you get?",
        (
            Choice("Texts half as long", False, "New pieces are rarer than all before them, and save less and less."),
            Choice("The same texts, read more exactly", False, "Every vocabulary with bytes can spell any text."),
            Choice(
                "Somewhat shorter texts, and twice the rows to learn", True,
                "Each piece has a row of numbers of its own in the model, and rare pieces are seldom trained.",
            ),
        ),
    ),
)  # fmt: skip
