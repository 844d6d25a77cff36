"""Instructions to learn from, in Alpaca's format: made by programs, over the world of the stories.

A kind of task is a function that draws one from a World: a scene with a question about it, a list to turn around, a
sentence to rewrite. What is asked can be answered from what is given, so a model of four million parameters, which
knows little and copies well, can learn it.
"""

from minillama.train.instructions.generate import KINDS, NEVER_TRAINED, TRAINED, task, tasks
from minillama.train.instructions.task import Task

__all__ = ["KINDS", "NEVER_TRAINED", "TRAINED", "Task", "task", "tasks"]
