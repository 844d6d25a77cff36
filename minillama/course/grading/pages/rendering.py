"""Templates to pages that hold everything they need, run nothing, and let nothing in.

Every string that a template shows goes through `visible` and is escaped; only `prose` and what a template itself says
is markup. The policy in a page's head allows its one style sheet, by its digest, and nothing else.
"""

import base64
import hashlib
import html
import re
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from minillama.course.grading.pages.words import count, lesson_title, moment, number, percent, points, visible

HERE = "minillama.course.grading.pages"


@cache
def _style() -> Markup:
    return Markup((resources.files(HERE) / "templates" / "style.css").read_text(encoding="utf-8"))


def policy() -> str:
    """What a page may load: its style sheet, which is in it."""
    digest = base64.b64encode(hashlib.sha256(_style().encode("utf-8")).digest()).decode("ascii")
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def prose(text: str) -> Markup:
    """A sentence, with what stands between backticks as code and *words* between stars as such.

    >>> prose("`x` < *y*")
    Markup('<code>x</code> &lt; <em>y</em>')
    """
    marked = re.sub(r"`([^`\n]+)`", r"<code>\1</code>", html.escape(visible(text)))
    return Markup(re.sub(r"(?<![\w*])\*(\w(?:[^*\n]*\w)?)\*(?![\w*])", r"<em>\1</em>", marked))


def _shown(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader(HERE), autoescape=True, undefined=StrictUndefined, finalize=_shown, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    made.filters |= {
        "prose": prose, "number": number, "points": points, "percent": percent, "count": count, "lesson": lesson_title,
        "moment": moment,
    }  # fmt: skip
    return made


def render(template: str, **values: Any) -> bytes:
    """A page.

    Args:
        template: name of a file in templates/.
        values: what it shows.
    """
    text = _environment().get_template(template).render(style=_style(), policy=policy(), **values)
    return text.encode("utf-8")
