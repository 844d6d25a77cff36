"""What is misunderstood about learning a vocabulary, in more than one task of lesson 01."""

from minillama.course.record import Misconception

WORDS_ONCE = Misconception(
    name="words_once",
    looks_like="every different word counted once, however often it occurs",
    principle="A pair is worth as much as the text it shortens: a word that occurs nine times brings its pairs nine "
    "times.",
    question="Where does the number beside each word enter your sum?",
)
NO_OVERLAP = Misconception(
    name="no_overlap",
    looks_like="pairs that may not share a symbol",
    principle="Counting looks at every two neighbours, and the symbol in the middle of three has two of them. Only "
    "merging uses symbols up.",
    question="How many neighbours has the middle one of three equal letters?",
)
TAKEN_AGAIN = Misconception(
    name="taken_again",
    looks_like="a symbol that is joined to the left and then used again",
    principle="The pieces of a word, put together, spell the word, no longer and no shorter.",
    question="After a pair has been joined, at which symbol does your walk go on?",
)
LEFT_TO_RIGHT = Misconception(
    name="left_to_right",
    looks_like="joining whatever can be joined first from the left",
    principle="The merge that was learned first comes first, wherever in the word it is.",
    question="Of all pairs that could be joined, which one has the lowest rank?",
)
