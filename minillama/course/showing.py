"""What the course says in a notebook: the same words as plain text and as a quiet box."""

import html
import re
from dataclasses import dataclass

COLOURS = {"✓": "#1a7f37", "✗": "#b35900", "○": "#6e7781", "→": "#0969da"}  # a mark says it too, never colour alone


@dataclass(frozen=True)
class Message:
    """A heading with a mark before it, and lines.

    Args:
        mark: "✓" done, "✗" not right, "○" not begun, "→" a hint or a pointer.
        heading: one line.
        lines: paragraphs; `code` in backticks.
    """

    mark: str
    heading: str
    lines: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "\n".join([f"{self.mark} {self.heading}", *("  " + line.replace("\n", "\n  ") for line in self.lines)])

    def _repr_html_(self) -> str:
        body = "".join(f"<div style='margin:.3em 0 0 1.3em'>{_to_html(line)}</div>" for line in self.lines)
        style = f"border-left:4px solid {COLOURS.get(self.mark, '#6e7781')};padding:.2em .8em;max-width:50em"
        return f"<div style='{style}'><b>{html.escape(self.mark)} {_to_html(self.heading)}</b>{body}</div>"


def _to_html(text: str) -> str:
    if "\n" in text:
        return f"<pre style='margin:.2em 0'>{html.escape(text)}</pre>"
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
