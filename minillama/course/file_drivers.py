"""How an answer is called that reads bytes or a file; it lies beside a learner's code when it is graded."""

import tempfile
from collections.abc import Callable
from typing import Any


def on_bytes(answer: Callable[..., Any], content: Any, *inputs: Any) -> Any:
    """The answer takes bytes, which come as a uint8 array."""
    return answer(content.tobytes(), *inputs)


def on_file(answer: Callable[..., Any], content: Any, *inputs: Any) -> tuple[Any, str]:
    """The answer takes an open file of these bytes: what it gives, and whether it has read the file to its end."""
    with tempfile.TemporaryFile() as file:
        file.write(content.tobytes())
        file.seek(0)
        given = answer(file, *inputs)
        at_end = not file.closed and file.tell() == len(content)
    return given, "the whole file" if at_end else "a part of the file"
