"""How a file of answers, `<stem>_answers.py`, is filled: with a Book, whose definition says what goes where."""

from minillama.course.proving import Book

__all__ = ["Book"]
