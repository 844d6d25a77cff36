"""Quizzes of lesson 04."""

from minillama.course.quizzes import Choice, Quiz

QUIZZES = (
    Quiz(
        "rope.shift",
        "All positions of a prompt are counted from 1,000 instead of 0. What changes in the attention?",
        (
            Choice("Nothing, up to rounding", True, "Queries and keys turn by the same extra angle; scores stay."),
            Choice(
                "Every score turns by 1,000 times the speed", False,
                "Each vector does. A score compares two of them, and both have turned by as much.",
            ),
            Choice(
                "Only the slow pairs notice", False,
                "They turn by another angle than the fast ones, but in query and key alike.",
            ),
        ),
    ),
    Quiz(
        "rope.values",
        "A colleague turns the values, too. Training from scratch seems to work. What has been lost?",
        (
            Choice(
                "Nothing, as long as it is trained that way", False,
                "It may train. But then what a token says comes out turned by where it stands.",
            ),
            Choice("The scores no longer know the distance", False, "Scores come from queries and keys alone."),
            Choice(
                "What is handed on depends on absolute position", True,
                "Scores subtract two angles. Nothing subtracts the angle of a value: the sum gets it as it is.",
            ),
        ),
    ),
    Quiz(
        "rope.convention",
        "You load Hugging Face weights into Meta's code and forget to reorder wq and wk. What do you see?",
        (
            Choice("An error about shapes", False, "Every shape is right: rows moved within their heads."),
            Choice(
                "Text that begins well and soon falls apart", True,
                "Over a few words most pairs hardly turn, so much still works; the fast pairs are wrong at once.",
            ),
            Choice(
                "Nothing at all", False,
                "That holds before any turn, at position 0, where q and k are permuted alike and scores stay.",
            ),
        ),
    ),
    Quiz(
        "rope.theta",
        "Code Llama raised theta from 10,000 to 1,000,000. What did that do to the pairs?",
        (
            Choice(
                "The slow ones turn more slowly still, the fastest not", True,
                "The exponent runs from 0 to almost 1, so theta acts most on the last pair.",
            ),
            Choice("All turn a hundred times more slowly", False, "Pair 0 turns by one radian whatever theta is."),
            Choice("The fast ones turn faster", False, "A larger base makes the negative powers smaller: slower."),
        ),
    ),
    Quiz(
        "rope.cache",
        "Text is good for the prompt and bad from the first generated token on. Where do you look first?",
        (
            Choice("At theta", False, "A wrong theta hurts prompt and continuation alike."),
            Choice("At the sampling temperature", False, "It could make text wild. But with greedy text, too?"),
            Choice(
                "At the positions of a cached step", True,
                "A step that counts again from 0 turns its query as if it stood at the start, among keys that do not.",
            ),
        ),
    ),
)  # fmt: skip
