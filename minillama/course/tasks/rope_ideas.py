"""Misconceptions that several tasks of lesson 04 share."""

from minillama.course.record import Misconception

LESSON = "04_rope"
HALF_EXPONENT = Misconception(
    name="half_exponent",
    looks_like="exponents that only reach one half",
    principle="There are K/2 pairs and i counts them, and yet the exponents run from 0 almost to 1.",
    question="What exponent does your last pair have when K is 8?",
)
INVERSE_THETA = Misconception(
    name="inverse_theta",
    looks_like="theta to a positive power",
    principle="Pair 0 is the fastest, one radian a position, and every later pair is slower.",
    question="By how much does your last pair turn from one position to the next?",
)
FROM_ONE = Misconception(
    name="from_one",
    looks_like="positions that are counted from 1",
    principle="The first token stands at position 0, where nothing turns: cos 1, sin 0.",
    question="What is in your first row?",
    credit=0.7,
)
CLOCKWISE = Misconception(
    name="clockwise",
    looks_like="a turn in the other direction",
    principle="Angles grow counter-clockwise: a small turn lifts (1, 0), and its second number becomes positive.",
    question="Where does your formula send (1, 0)?",
)
OVERWRITTEN = Misconception(
    name="overwritten",
    looks_like="a second number computed from the new first one",
    principle="Both new numbers come from both old ones.",
    question="When the second line runs, what does the first name hold?",
)
HALVES = Misconception(
    name="halves",
    looks_like="channels that are paired across the halves of a head",
    principle="There are two conventions. Meta's weights, and this package, pair neighbours; Hugging Face, halves.",
    question="Which channel is the partner of channel 0 in yours?",
)
SWAPPED = Misconception(
    name="swapped",
    looks_like="cosine and sine in each other's place",
    principle="Where nothing turns, cos is 1 and sin is 0, and every number stays what it was.",
    question="What would your formula give for an angle of 0?",
)
