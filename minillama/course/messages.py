"""Observations as text, so that an answer may run in one process and be judged in another that does not trust it."""

import dataclasses
import json
from collections.abc import Sequence

from minillama.course.plain import decode, encode
from minillama.course.running import Observation
from minillama.errors import DataError

KINDS = ("returned", "raised", "stub", "forbidden", "too slow")


def write_observations(observations: Sequence[Observation]) -> str:
    """One line of JSON."""
    return json.dumps([encode(dataclasses.asdict(each) | {"output": each.output}) for each in observations])


def read_observations(text: str) -> list[Observation]:
    """What `write_observations` wrote; every field has its type, whoever wrote the text.

    Raises:
        DataError: it is damaged, or something else.
    """
    try:
        entries = json.loads(text)
        if not isinstance(entries, list):
            raise ValueError("no list")
        found = [Observation(**decode(each)) for each in entries]
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"damaged observations ({error}): expected what write_observations writes") from error
    for each in found:
        right = (
            each.kind in KINDS
            and all(isinstance(part, str) for part in (each.error, each.error_line, each.error_in, each.printed))
            and isinstance(each.changed, tuple)
            and all(type(number) is int for number in each.changed)
            and isinstance(each.seconds, int | float)
        )
        if not right:
            raise DataError("damaged observations: a field has another type than expected")
    return found
