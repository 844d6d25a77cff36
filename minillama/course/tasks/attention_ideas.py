"""Misconceptions and inputs that several tasks of lesson 06 share."""

from typing import Any

import numpy as np

from minillama.course.record import Misconception

LESSON = "06_attention"
Generator = np.random.Generator

NO_SCALE = Misconception(
    name="no_scale",
    looks_like="scores that are not scaled",
    principle="A dot product of K channels grows with the root of K, and a softmax of large scores has one winner.",
    question="By what is a score divided before the softmax?",
)
SCALE_D = Misconception(
    name="scale_d",
    looks_like="scores divided by K instead of its root",
    principle="K independent products spread by the root of K; dividing by all of K leaves scores that hardly differ.",
    question="How does the spread of a sum grow with the number of its terms?",
)
SCALE_UP = Misconception(
    name="scale_up",
    looks_like="scores that are multiplied where they should be divided",
    principle="More channels make larger scores; the scale takes that back.",
    question="Do your scores become larger or smaller with K?",
)
OVER_QUERIES = Misconception(
    name="over_queries",
    looks_like="a softmax over the queries",
    principle="Every query shares out one whole of attention among the keys: each row sums to 1, its columns need not.",
    question="Which axis of your scores holds the keys?",
)
MASK_AFTER = Misconception(
    name="mask_after",
    looks_like="a mask that comes after the softmax",
    principle="The forbidden keys have then taken their share already: rows sum to less than 1, and the missing part "
    "tells of the future.",
    question="What does each row of your weights sum to?",
)
MASK_ZERO = Misconception(
    name="mask_zero",
    looks_like="forbidden scores set to 0",
    principle="A score of 0 is a score like any other: e to the 0 is 1, and it gets its share.",
    question="Which score has an exponential of 0?",
)
NO_MASK = Misconception(
    name="no_mask",
    looks_like="a mask that is not used",
    principle="Where the mask is False the weight must be 0.",
    question="Where does the mask enter?",
)
MASK_INVERTED = Misconception(
    name="mask_inverted",
    looks_like="a mask read the other way round",
    principle="True is where a query may look.",
    question="Which places does your fill overwrite, those that are True or those that are False?",
)
NAN_ROWS = Misconception(
    name="nan_rows",
    looks_like="minus infinity in a row that may look nowhere",
    principle="With every score at minus infinity the softmax divides 0 by 0. One such row of padding makes nan, which "
    "spreads through the next layers.",
    question="Which number is low enough to lose against every score, and is still a number?",
    credit=0.8,
)


def draw(rng: Generator, *shape: int, dtype: Any = np.float32) -> np.ndarray:
    """Normal numbers."""
    return rng.standard_normal(shape).astype(dtype)


def causal(T: int, S: int) -> np.ndarray:
    """The plain causal mask, (T, S)."""
    return np.tril(np.ones((T, S), dtype=bool), S - T)
