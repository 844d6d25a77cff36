"""Candidates that a learner's test judges are called here and run elsewhere: their code and names stay there."""

import json
import socket
import struct
from collections.abc import Callable
from typing import Any

from minillama.course.grading.inside.wire import MAX_BYTES, pack, unpack

_line: Any = None
_token = ""


def send(line: Any, message: Any) -> None:
    """Write one message.

    Raises:
        ValueError: it is too long.
    """
    data = json.dumps(message).encode()
    if len(data) > MAX_BYTES:
        raise ValueError(f"got a message of {len(data)} bytes, expected at most {MAX_BYTES}")
    line.write(struct.pack(">I", len(data)) + data)
    line.flush()


def receive(line: Any) -> Any:
    """Read one message.

    Raises:
        EOFError: there is no more.
        ValueError: it is none, or too long.
    """
    head = line.read(4)
    if len(head) < 4:
        raise EOFError("the other side has gone")
    length = struct.unpack(">I", head)[0]
    if length > MAX_BYTES:
        raise ValueError(f"got a message of {length} bytes, expected at most {MAX_BYTES}")
    data = line.read(length)
    if len(data) < length:
        raise EOFError("the other side has gone")
    return json.loads(data)


def connect(place: dict[str, str]) -> None:
    """Find whoever runs the candidates: {"socket": path, "token": text}."""
    global _line, _token
    link = socket.socket(socket.AF_UNIX)
    link.connect(place["socket"])
    _line, _token = link.makefile("rwb"), place["token"]


def settle(kind: str, output: Any) -> None:
    """Say what a call gave, for good: only then may the candidates of the next one be called."""
    send(_line, {"token": _token, "settled": [kind, output]})
    receive(_line)


def candidate(number: int) -> Callable[..., Any]:
    """A function that calls a candidate; it changes its arguments as that does. Any error of it is a RuntimeError."""

    def call(*args: Any, **named: Any) -> Any:
        if _line is None:
            raise RuntimeError("a candidate can be called only while its test runs")
        send(_line, {"token": _token, "candidate": number, "args": pack(args), "named": pack(named)})
        answer = receive(_line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        for place, changed in answer["changed"]:
            args[place].copy_(unpack(changed))
        return args[answer["same"]] if answer["same"] is not None else unpack(answer["result"])

    return call
