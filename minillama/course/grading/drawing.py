"""What is drawn anew for a run, and for a learner: inputs, variants, pseudonyms. All follows from one seed."""

import hashlib
import hmac
import re
import secrets
from typing import Any

from minillama.course.record import Task
from minillama.errors import ConfigError


def new_seed() -> str:
    """A seed for one run of the grader: 32 hexadecimal digits that nobody can guess."""
    return secrets.token_hex(16)


def check_seed(text: str) -> str:
    """The seed as it is written in the audit.

    Raises:
        ConfigError: not 32 hexadecimal digits.
    """
    if not re.fullmatch(r"[0-9a-fA-F]{32}", text):
        raise ConfigError(f"seed is {text!r}, expected the 32 hexadecimal digits of an earlier run's audit")
    return text.lower()


def digest(secret: str, *parts: str) -> bytes:
    """32 bytes that follow from a secret and some words, and tell nothing of the secret."""
    message = b"".join(len(part.encode()).to_bytes(8, "big") + part.encode() for part in parts)
    return hmac.new(secret.encode(), message, hashlib.sha256).digest()


def input_seed(seed: str, task: str) -> int:
    """The seed of one task's inputs: one for all learners, so that all are asked the same.

    >>> input_seed("0" * 32, "rope.apply_rope") == input_seed("0" * 32, "rope.apply_rope")
    True
    """
    return int.from_bytes(digest(seed, "inputs", task)[:16], "big")


def pseudonym(seed: str, learner: str) -> str:
    """The learner's name in the audit of one run."""
    return digest(seed, "pseudonym", learner)[:6].hex()


def variant_of(task: Task, secret: str, learner: str) -> dict[str, Any]:
    """The parameters of a family that one learner is given; empty for a task without variants, or without a secret.

    Nobody is given the public member: its solution is public, too.

    Args:
        task: its family is used.
        secret: of the course; the same from assigning to grading. Empty gives everybody the public variant.
        learner: as in the roster.
    """
    if not secret or task.build is None:
        return {}
    members = task.members[1:]
    return members[int.from_bytes(digest(secret, "variant", learner, task.id)[:8], "big") % len(members)]
