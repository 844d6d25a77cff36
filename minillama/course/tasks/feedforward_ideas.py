"""What the tasks of lesson 05 share: the lesson's name and ideas that come up in several of them."""

import numpy as np

from minillama.course.record import Misconception

Generator = np.random.Generator
LESSON = "05_feedforward"

SWAPPED = Misconception(
    name="swapped",
    looks_like="gate and up exchanged",
    principle="Both branches have the same shape, so nothing complains. w1 makes the gate, which is bent; w3 makes "
    "what the gate lets through, which stays as it is.",
    question="Which of your two products goes through SiLU?",
)
SIGMOID = Misconception(
    name="sigmoid",
    looks_like="a sigmoid where SiLU belongs",
    principle="A sigmoid ends at 1, however sure the gate is. SiLU goes on growing.",
    question="What does your bend make of 10?",
)
PRODUCT_FIRST = Misconception(
    name="product_first",
    looks_like="branches that are multiplied before one of them is bent",
    principle="The gate decides alone how far it opens, and then multiplies. After the product nobody knows which of "
    "the two was negative.",
    question="What goes into your SiLU: one branch, or two?",
)
ROUNDS_DOWN = Misconception(
    name="rounds_down",
    looks_like="rounding down",
    principle="LLaMA rounds up: a layer may be a little wider than two thirds of 4 · dim, never narrower.",
    question="What do you get for a size that is one above a multiple?",
)
WHOLE_FOUR = Misconception(
    name="whole_four",
    looks_like="the size of a layer with two matrices",
    principle="4 · dim belongs to two matrices. A gated layer has three, and should cost the same.",
    question="By which factor do three matrices of that size cost too much?",
)
