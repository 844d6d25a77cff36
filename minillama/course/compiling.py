"""What Numba says of code that it cannot compile, cut down to one sentence and the learner's line."""

import re

COULD_NOT = "Numba could not compile it"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
STEP = re.compile(r"Failed in \w+ mode pipeline \(step: [^)]*\)\s*")
CALL = re.compile(r">>> (.+)")
PLACE = re.compile(r'File "(?P<file>[^"]+)", line (?P<number>\d+):\n(?:.*\n)*?(?P<code>.+)\n\s*\^')
UNTYPED = re.compile(r"(?:Untyped global name|type, assigned to variable) '(\w+)'")
DEFINED_AT = re.compile(r",? defined at .*")


def compile_error(error: BaseException) -> tuple[str, tuple[str, str]] | None:
    """An error of Numba's compiler as a sentence without its end, and the line that it is about.

    Returns:
        "Numba could not compile it: ..." and ("line 3: ...", ""); None for an error of another kind.
    """
    if not any(kind.__module__ == "numba.core.errors" for kind in type(error).__mro__):
        return None
    text = STEP.sub("", COLOURS.sub("", str(error)))
    own = (place for place in PLACE.finditer(text) if "site-packages" not in place["file"])
    place = next(own, None)
    line = f"line {place['number']}: {place['code'].strip()}" if place else ""
    return f"{COULD_NOT}: {_reason(text)}", (line, "")


def _reason(text: str) -> str:
    """The one line that says it, of some dozen."""
    call, untyped = CALL.search(text), UNTYPED.search(text)
    if text.startswith("No implementation of function") and call:
        return f"it has no {call[1].strip()}"
    if untyped:
        return f"it cannot take `{untyped[1]}` along, which is no number, array or compiled function"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return DEFINED_AT.sub("", lines[0])[:200].rstrip(".:") if lines else "it does not say why"
