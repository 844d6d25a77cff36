"""What the course says in a notebook: the same words as plain text and as a quiet box."""

import html
import re
from dataclasses import dataclass

COLOURS = {"✓": "#1a7f37", "✗": "#b35900", "○": "#6e7781", "→": "#0969da"}  # a mark says it too, never colour alone

BOX = "padding:.2em .8em;max-width:50em;overflow-wrap:anywhere"
PRE = "margin:.2em 0;overflow-x:auto;white-space:pre;font-family:var(--jp-code-font-family,monospace)"


@dataclass(frozen=True)
class Message:
    """A heading with a mark before it, and lines.

    Args:
        mark: "✓" done, "✗" not right, "○" not begun, "→" a hint or a pointer.
        heading: one line.
        lines: paragraphs; `code` in backticks, *words* between stars; two spaces and more part columns.
    """

    mark: str
    heading: str
    lines: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "\n".join([f"{self.mark} {self.heading}", *("  " + line.replace("\n", "\n  ") for line in self.lines)])

    def _repr_html_(self) -> str:
        body = "".join(f"<div style='margin:.3em 0 0 1.3em'>{to_html(line)}</div>" for line in self.lines)
        style = f"border-left:4px solid {COLOURS.get(self.mark, '#6e7781')};{BOX}"
        return f"<div style='{style}'><b>{html.escape(self.mark)} {to_html(self.heading)}</b>{body}</div>"


def to_html(text: str) -> str:
    """A paragraph as HTML; several lines stay as they are, in a box that scrolls where there is no room."""
    if "\n" in text:
        return f"<pre style='{PRE}'>{html.escape(text)}</pre>"
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
    marked = re.sub(r"(?<![\w*])\*(\w(?:[^*]*\w)?)\*(?![\w*])", r"<em>\1</em>", marked)
    *columns, last = re.split(r"(?<=\S) {2,}(?=\S)", marked)
    if not columns:
        return last
    parts = [f"<span style='display:inline-block;min-width:16em'>{column}</span> " for column in columns]
    return "".join(parts) + f"<span style='display:inline-block'>{last}</span>"
