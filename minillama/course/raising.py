"""What to ask about an error: which name is missing and where it comes from, which shapes do not meet, and so on."""

import re

from minillama.course.tasks import all_tasks

QUESTIONS = (  # what the error says -> where to look
    (
        r"^Numba could not compile",
        "Numba knows numbers, arrays, tuples and compiled functions. Which name of this line is something else?",
    ),
    (
        r"ImportError: scipy",
        "Inside compiled code a matrix product asks for a library that is not here. Which loop says the same?",
    ),
    (r"UnboundLocalError", "Does every way to this line pass one that gives the name a value?"),
    (
        r"takes .* arguments? but|missing \d+ required|unexpected keyword",
        "Which arguments does the line of the call give?",
    ),
    (r"NotImplementedError|Not written yet", "Is that one written?"),
    (
        r"out of bounds|index out of range|list index",
        "Which axis does that index count along, and how long is the axis?",
    ),
    (
        r"same dtype|expected scalar type|not implemented for '|ScalarType|Float but|Half",
        "Which dtype does each name in this line have?",
    ),
    (
        r"view size",
        "The shapes are right. After a transpose, in which order do the numbers lie in memory? Does `view` move any?",
    ),
    (
        r"size of tensor|Sizes of tensors|must match|shapes? |mat1 and mat2|broadcast|expanded size|"
        r"not aligned|[Dd]imension|unflatten|invalid for input of size|too many values|not enough values",
        "Which name in this line has another shape than you expect? Print the shapes just above it.",
    ),
    (
        r"non-leaf|a leaf Variable",
        "torch records what is done to a parameter. Under what may it be changed unrecorded, in place?",
    ),
    (r"before Module.__init__", "Which call comes first in the `__init__` of every nn.Module?"),
    (r"ZeroDivisionError", "For which of the inputs is the number below the line 0?"),
    (r"TypeError|AttributeError", "What is each name in this line: a tensor, a tuple, a number, a function, None?"),
)
MODULES = {
    "torch": "import torch",
    "math": "import math",
    "np": "import numpy as np",
    "F": "from torch.nn import functional as F",
}


def missing_name(error: str) -> str | None:
    """The name that a NameError speaks of."""
    found = re.match(r"NameError: name '(\w+)' is not defined", error)
    return found[1] if found else None


def origin_of(name: str) -> str:
    """Where a name that is not defined comes from, as a sentence."""
    for task in all_tasks():
        if task.name == name:
            help_out = f" (or, for the time being, `from {task.piece.replace(':', ' import ')}`)" if task.piece else ""
            return f"`{name}` is the answer to the task {task.id}, *{task.title}*: run its cell first{help_out}."
    if name in MODULES:
        return f"`{name}` comes from an import: `{MODULES[name]}`. Has the first cell been run?"
    return f"Nothing here is called `{name}`: it is spelled another way, or its cell has not been run."


def question_about(error: str) -> str:
    """Where to look, by what an error says."""
    if missing_name(error):
        return "Where does this name get its value?"
    return next(
        (question for pattern, question in QUESTIONS if re.search(pattern, error)),
        "What stands in each name of this line just before it runs? Print it.",
    )
