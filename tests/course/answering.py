"""How a file of answers, `<stem>_answers.py`, is filled.

RIGHT: task -> spellings that must pass. WRONG: (task, misconception) -> spellings that must fail and be named so.
STRAY: task -> wrong answers that no misconception describes: they must fail and be named nothing.
"""


class Book:
    """Three dicts, and a decorator for each."""

    def __init__(self):
        self.RIGHT, self.WRONG, self.STRAY = {}, {}, {}

    def right(self, task):
        return lambda function: self.RIGHT.setdefault(task, []).append(function) or function

    def wrong(self, task, name):
        return lambda function: self.WRONG.setdefault((task, name), []).append(function) or function

    def stray(self, task):
        return lambda function: self.STRAY.setdefault(task, []).append(function) or function
