"""The dimension legend, used in every docstring and at the end of lines, and one check for it.

B  batch: sequences side by side
T  query positions: the tokens given in this call
S  key positions: the tokens seen so far, those of this call included (S = T without a cache)
H  query heads
G  key/value heads (G = H without grouping)
K  head dimension
D  model dimension (dim)
F  hidden dimension of the feed-forward
V  vocabulary size
"""

from collections.abc import Sequence

from minillama.errors import ShapeError


def check_shape(name: str, got: Sequence[int], expected: Sequence[int | None]) -> None:
    """Raise ShapeError unless `got` is `expected`; None in `expected` stands for any size.

    >>> check_shape("x", (2, 7, 64), (None, None, 64))
    """
    fits = len(got) == len(expected) and all(e is None or g == e for g, e in zip(got, expected, strict=True))
    if not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in expected)
        raise ShapeError(f"{name} has shape ({', '.join(map(str, got))}), expected ({wanted})")
