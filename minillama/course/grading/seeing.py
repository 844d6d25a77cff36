"""From what a kernel showed to observations, with nothing of it believed."""

from collections.abc import Sequence
from typing import Any

from minillama.course.grading.inside.observing import MIME
from minillama.course.plain import decode
from minillama.course.running import MAX_PRINTED, Observation
from minillama.errors import DataError

KINDS = ("returned", "raised", "stub", "forbidden", "too slow")
MAX_TEXT = 2_000  # characters of an error or a line


class TamperedError(Exception):
    """What came is not what the grader's own code writes."""


def observations_of(
    outputs: Sequence[Any], nonce: str, most: int, settled: Sequence[Any] | None = None
) -> list[Observation]:
    """What the cell of one answer showed.

    Args:
        outputs: of the cell, as nbval collects them.
        nonce: that it has to bear.
        most: how many calls there were to make.
        settled: the kind and output of each call as they were settled while the cell ran; None where nothing was.

    Raises:
        TamperedError: nothing of the kind was shown, or more than one, or what was shown is damaged.
    """
    shown = [each["data"][MIME] for each in outputs if isinstance(each.get("data"), dict) and MIME in each["data"]]
    if len(shown) != 1:
        raise TamperedError(f"its cell showed {len(shown)} results, expected one")
    (found,) = shown
    if not isinstance(found, dict) or found.get("nonce") != nonce or not isinstance(found.get("observations"), list):
        raise TamperedError("its cell showed a result of another form")
    if len(found["observations"]) > most:
        raise TamperedError(f"its cell showed {len(found['observations'])} calls, expected at most {most}")
    seen = [_observation(each) for each in found["observations"]]
    if settled is not None:
        said = [[each["kind"], each.get("output")] for each in found["observations"]]
        late = said[-1:] if said and said[-1][0] in ("too slow", "stub") else []  # worth nothing, and not settled
        if said != list(settled)[: len(said)] and said[: len(said) - len(late)] != list(settled):
            raise TamperedError("its cell showed other results than its calls gave")
    return seen


def _observation(shown: Any) -> Observation:
    if not isinstance(shown, dict) or shown.get("kind") not in KINDS:
        raise TamperedError("its cell showed a call of another form")
    changed = shown.get("changed", [])
    if not isinstance(changed, list) or not all(type(each) is int and 0 <= each < 100 for each in changed[:100]):
        raise TamperedError("its cell showed arguments of another form")
    try:
        output = decode(shown.get("output"))
    except (DataError, MemoryError, RecursionError) as error:
        raise TamperedError("its cell showed a damaged value") from error
    return Observation(
        output=output, kind=shown["kind"], changed=tuple(changed[:100]),
        printed=_text(shown.get("printed"), MAX_PRINTED),
        error=_text(shown.get("error")), error_line=_text(shown.get("error_line")),
        error_in=_text(shown.get("error_in")),
    )  # fmt: skip


def _text(value: Any, most: int = MAX_TEXT) -> str:
    return value[:most] if isinstance(value, str) else ""
