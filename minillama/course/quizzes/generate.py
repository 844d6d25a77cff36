"""Quizzes of lesson 08."""

from minillama.course.quizzes import Choice, Quiz

QUIZZES = (
    Quiz(
        "generate.temperature",
        "You halve all logits before the softmax. What have you set?",
        (
            Choice(
                "Temperature 0.5",
                False,
                "That divides by 0.5, so logits double. Halving them brings chances together.",
            ),
            Choice(
                "Temperature 2", True, "Dividing by 2 halves every difference: the favourite gets less, the rest more."
            ),
            Choice("Top-p 0.5", False, "Top-p leaves logits alone, or takes them out. It moves none."),
        ),
    ),
    Quiz(
        "generate.sure",
        "A token has a chance of 0.97. You draw with top-p 0.9. How many tokens can come?",
        (
            Choice("One", True, "The first token already holds more than 0.9, and the one that crosses p stays."),
            Choice(
                "None: 0.97 is above 0.9",
                False,
                "The token that crosses p belongs to the nucleus. Something has to be drawn.",
            ),
            Choice(
                "About 90% of the vocabulary",
                False,
                "p is a share of the chance. Here a single token has nearly all of it.",
            ),
        ),
    ),
    Quiz(
        "generate.hot_tail",
        "At temperature 2 a text falls apart, though each absurd token has a chance of 0.0003 only. Why?",
        (
            Choice(
                "The softmax loses its precision",
                False,
                "It is as exact as before. Look at how many absurd tokens there are.",
            ),
            Choice(
                "The model is damaged by the heat",
                False,
                "It gives the logits that it always gives; only the draw differs.",
            ),
            Choice(
                "There are thousands of them, and together they weigh half",
                True,
                "A long tail of small chances. Top-k, top-p and min-p are there to cut it.",
            ),
        ),
    ),
    Quiz(
        "generate.kept",
        "Why is it right to keep the keys and values of old tokens, whatever comes after them?",
        (
            Choice(
                "No token looks ahead, so what stands behind an old token cannot change it",
                True,
                "The causal mask holds in every layer: keys and values depend on what came before, and on themselves.",
            ),
            Choice(
                "Later tokens do not use them",
                False,
                "They do, in every step and every layer. That is why they are kept.",
            ),
            Choice(
                "They change so little that nobody sees it",
                False,
                "They do not change at all. You compared every part of the model.",
            ),
        ),
    ),
    Quiz(
        "generate.growing",
        "With a cache, is the thousandth token as cheap as the tenth?",
        (
            Choice(
                "No, it costs a hundred times as much",
                False,
                "So it does without a cache. The matrices meet one token only.",
            ),
            Choice(
                "Nearly: the matrices cost the same, and there are more keys to read",
                True,
                "In a 7B: 13 GB of weights a token in either case, and 0.5 GB of cache at a thousand tokens.",
            ),
            Choice("Yes, exactly", False, "Its query meets a thousand keys, and all of them are read from memory."),
        ),
    ),
    Quiz(
        "generate.seed",
        "A draw makes a generator with seed 0 inside the function, for every token. What do you see?",
        (
            Choice(
                "An error", False, "Nothing is wrong with a generator made anew. It only begins with the same number."
            ),
            Choice("Noise", False, "Each token is still drawn by its chances; each single one is a fair draw."),
            Choice(
                "Fluent text in which the same few tokens are lucky every time",
                True,
                "Each step throws the same dice again. A count of many draws gives it away, reading does not.",
            ),
        ),
    ),
)
