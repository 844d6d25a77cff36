"""What turns the package into a course: tasks with their checks, quizzes, promotion, and the notebooks.

from minillama import course
course.check("rope.apply_rope", apply_rope)     # right, or what is wrong with it
course.hint("rope.apply_rope")                  # the idea, then the shapes, then pseudocode
course.promote("rope.apply_rope", apply_rope)   # into my_llama/, where load(pieces="my_llama") runs it
course.undo("rope.apply_rope")                  # out of it again
course.where("04_rope")                         # what is done, what comes next
course.my_pieces()                              # how many pieces of each lesson are yours
course.quiz("rope.shift")                       # a question whose every choice explains itself
course.predict("Which?", "this", "that")        # a guess before the reveal
course.speed("kernels.matvec_q8", matvec_q8)    # a kernel's speed beside the package's and the memory's
course.run_on(2, function)                      # what it gives in each of two processes
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minillama.course.checking import check, hint
    from minillama.course.processes import run_on
    from minillama.course.promoting import my_pieces, promote, undo, where
    from minillama.course.quizzing import predict, quiz
    from minillama.course.speeds import speed

__all__ = ["check", "hint", "my_pieces", "predict", "promote", "quiz", "run_on", "speed", "undo", "where"]

_HOMES = {
    "check": "checking", "hint": "checking", "promote": "promoting", "undo": "promoting", "where": "promoting",
    "my_pieces": "promoting", "predict": "quizzing", "quiz": "quizzing", "run_on": "processes",
    "speed": "speeds",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'minillama.course' has no attribute {name!r}")
    return getattr(import_module(f"minillama.course.{_HOMES[name]}"), name)
