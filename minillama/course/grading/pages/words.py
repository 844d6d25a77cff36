"""Strings of strangers made harmless to look at, and the words that pages have for what came of a task."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from minillama.course.grading.records import LearnerResult, TaskOutcome

MAX_SHOWN = 4_000  # characters of one string on a page
MAX_MARKS = 4  # accents that stack on one letter
KEPT_FORMATS = "\u200c\u200d\u00ad"  # joiners, which scripts and emoji need, and the soft hyphen
SLUG = 40  # characters of a file's name that come from a learner's


@dataclass(frozen=True)
class State:
    """What came of a task, for people: a mark, words, and how it is coloured ("good", "part", "bad", "open")."""

    mark: str
    words: str
    tone: str


STATES = {
    "passed": State("✓", "right", "good"),
    "wrong": State("✗", "not right yet", "bad"),
    "raised": State("✗", "raised an error", "bad"),
    "mutated": State("✗", "changes its input", "bad"),
    "forbidden": State("✗", "takes a shortcut", "bad"),
    "too slow": State("✗", "takes too long", "bad"),
    "lost": State("✗", "did not finish", "bad"),
    "tampered": State("✗", "could not be graded", "bad"),
    "recorded": State("…", "waits for a person", "open"),
    "stub": State("○", "not written yet", "open"),
    "missing": State("○", "not in the file", "open"),
}
PARTLY = State("◐", "partly right", "part")
READ = State("✓", "read by a person", "good")


def state_of(outcome: TaskOutcome) -> State:
    """What came of a task."""
    if outcome.adjusted:
        return READ if outcome.credit >= 1 else State("◐", READ.words, "part")
    if outcome.status in ("wrong", "mutated") and outcome.credit > 0:
        return PARTLY
    return STATES.get(outcome.status, State("✗", outcome.status, "bad"))


def visible(text: str) -> str:
    """A string that shows what it is, and changes nothing around it.

    Control characters, what turns the direction of writing, and other things that nobody sees, are shown by their
    numbers, accents stack up to MAX_MARKS, and what is longer than MAX_SHOWN is cut off.

    >>> visible("a\\x07b\\u202ec")
    'a⟨U+0007⟩b⟨U+202E⟩c'
    """
    cut = len(text) > MAX_SHOWN
    shown = "".join(_visible_characters(text[:MAX_SHOWN]))
    return f"{shown} … ({len(text):,} characters)" if cut else shown


def _visible_characters(text: str) -> list[str]:
    found, marks = [], 0
    for each in text:
        kind, number = unicodedata.category(each), ord(each)
        marks = marks + 1 if kind in ("Mn", "Me") else 0
        if marks > MAX_MARKS:
            continue
        if kind == "Cs" or number & 0xFFFE == 0xFFFE:  # half of a pair, or no character
            found.append("\ufffd")
        elif (
            kind in ("Zl", "Zp") or (kind == "Cc" and each not in "\n\t") or (kind == "Cf" and each not in KEPT_FORMATS)
        ):
            found.append(f"⟨U+{number:04X}⟩")
        else:
            found.append(each)
    return found


def slug(text: str) -> str:
    """The part of a name that is safe in every file system; empty where nothing is.

    >>> slug("Ångström, <Æ> ../x")
    'angstrom-x'
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG].strip("-")


def sorting_key(text: str) -> tuple[str, str]:
    """What puts names in an order that readers expect: É stands with E, and a with A.

    >>> sorted(["Zoe", "Émile", "ada"], key=sorting_key)
    ['ada', 'Émile', 'Zoe']
    """
    plain = unicodedata.normalize("NFKD", text)
    return "".join(each for each in plain if not unicodedata.combining(each)).casefold(), text


def number(value: float) -> str:
    """Points, without zeros that say nothing.

    >>> number(3.0), number(2.25), number(1 / 3)
    ('3', '2.25', '0.33')
    """
    return f"{round(value, 2):g}"


def points(value: float) -> str:
    """Points with their word.

    >>> points(1), points(2.5)
    ('1 point', '2.5 points')
    """
    return f"{number(value)} point{'' if number(value) == '1' else 's'}"


def count(how_many: int, one: str, more: str = "") -> str:
    """A number with its noun.

    >>> count(1, "learner"), count(2, "learner"), count(2, "is right", "are right")
    ('1 learner', '2 learners', '2 are right')
    """
    return f"{how_many} {one if how_many == 1 else more or one + 's'}"


def percent(share: float) -> str:
    """A share; only all of it is 100%, and only nothing 0%.

    >>> percent(1.0), percent(0.999), percent(0.001), percent(0.5)
    ('100%', '99%', '1%', '50%')
    """
    return f"{round(100 * share) if share in (0, 1) else min(99, max(1, round(100 * share)))}%"


def joined(parts: list[str]) -> str:
    """Parts of a sentence.

    >>> joined(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def lesson_title(stem: str) -> str:
    """What a lesson is called on a page.

    >>> lesson_title("04_rope")
    'Lesson 04: rope'
    """
    head, _, rest = stem.partition("_")
    return f"Lesson {head}: {rest.replace('_', ' ')}" if head.isdigit() and rest else stem or "No lesson"


def moment(text: str) -> str:
    """A time of ISO 8601 for people; any other text stays.

    >>> moment("2027-03-08T21:05:10+01:00"), moment("Monday")
    ('2027-03-08 21:05 (UTC+01:00)', 'Monday')
    """
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{read:%Y-%m-%d %H:%M}" + (f" ({read.tzname()})" if read.tzinfo else "")


def name_of(result: LearnerResult) -> str:
    """What a learner is called on a page: the roster's name, else what the file came under."""
    return result.identity.get("name") or result.learner
