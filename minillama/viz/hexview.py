"""Pictures of lesson 10: the bytes of a file in colours, field by field."""

import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from minillama.checkpoint.gguf_format import ARRAY, SCALARS, STRING
from minillama.viz.figure import Control, Picture, new_figure, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 12  # bytes in a row of the picture
INK = "#24292f"
FILLS = {"length": "#ffd9a0", "text": "#cfe4f7", "number": "#d9efd0", "type": "#e3d3ee", "rest": "#eceff1"}
MEANINGS = {"length": "how long", "text": "letters", "number": "a number", "type": "of which type", "rest": "more"}


@dataclass(frozen=True, kw_only=True)
class Field:
    """Some bytes of a file that belong together.

    Args:
        start, stop: the first byte, and the one after the last.
        kind: of FILLS.
        what: their meaning in a few words.
        value: what they say.
    """

    start: int
    stop: int
    kind: str
    what: str
    value: str


class _Fields:
    """Collects fields one after another; what lies beyond the bytes that are there is left out."""

    def __init__(self, data: bytes) -> None:
        self.data, self.found, self.at = data, list[Field](), 0

    def number(self, layout: str, kind: str, what: str) -> int:
        size = struct.calcsize("<" + layout)
        (value,) = struct.unpack_from("<" + layout, self.data.ljust(self.at + size, b"\0"), self.at)
        shown = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else f"{value:g}"
        self._add(size, kind, what, shown)
        return int(value)

    def text(self, size: int, what: str) -> str:
        value = self.data[self.at : self.at + size].decode("utf-8", "replace")
        self._add(size, "text", what, repr(value if len(value) < 40 else value[:37] + "..."))
        return value

    def _add(self, size: int, kind: str, what: str, value: str) -> None:
        stop = min(self.at + size, len(self.data))
        if stop > self.at:
            self.found.append(Field(start=self.at, stop=stop, kind=kind, what=what, value=value))
        self.at += size


def gguf_fields(data: bytes, pairs: int = 3) -> list[Field]:
    """The beginning of a GGUF file, and its first pairs of key and value; an array ends it.

    Args:
        data: the file's first bytes, a few hundred.
        pairs: how many to take apart.
    """
    fields = _Fields(data)
    fields.text(4, "the magic word")
    fields.number("I", "number", "version")
    fields.number("Q", "number", "how many tensors")
    count = fields.number("Q", "number", "how many pairs of key and value")
    for _ in range(min(pairs, count)):
        key = fields.text(fields.number("Q", "length", "length of the key"), "key")
        kind = fields.number("I", "type", f"type of the value ({STRING}: text, 4: whole number, 6: float)")
        if kind == STRING:
            fields.text(fields.number("Q", "length", "length of the value"), f"value of {key}")
        elif kind in SCALARS and kind != ARRAY:
            fields.number(SCALARS[kind].format[1:], "number", f"value of {key}")
        else:
            break
    return [field for field in fields.found if field.stop <= len(data)]


def tensor_fields(entry: bytes) -> list[Field]:
    """One entry of GGUF's list of tensors."""
    fields = _Fields(entry)
    fields.text(fields.number("Q", "length", "length of the name"), "name of the tensor")
    for i in range(min(4, fields.number("I", "length", "how many dimensions"))):
        fields.number("Q", "number", f"dimension {i}" + (": how many lie side by side" if i == 0 else ""))
    fields.number("I", "type", "format (0: float32, 1: float16, 2: Q4_0)")
    fields.number("Q", "number", "first byte, counted from the first tensor")
    return fields.found


def safetensors_fields(data: bytes) -> list[Field]:
    """The beginning of a safetensors file: a length, and a text in JSON."""
    fields = _Fields(data)
    length = fields.number("Q", "length", "length of the header")
    fields.text(length, "header, in JSON")
    if fields.at < len(data):
        fields.found.append(
            Field(start=fields.at, stop=len(data), kind="rest", what="the tensors", value="numbers, one after another")
        )
    return fields.found


def draw_bytes(data: bytes, fields: Sequence[Field], focus: Field | None = None, rows: int = 10) -> "Figure":
    """Bytes as coloured cells with their letters below; all but the field in focus are pale.

    Args:
        data: the bytes.
        fields: from their first byte on, in order.
        focus: one of them, to be read out in the title.
        rows: at most.
    """
    stop = min(len(data), fields[-1].stop, WIDTH * rows)
    start = 0
    if focus is not None and focus.start >= stop - WIDTH:  # scroll
        start = max(0, (focus.start // WIDTH - 2) * WIDTH)
        stop = min(len(data), fields[-1].stop, start + WIDTH * rows)
    lines = math.ceil((stop - start) / WIDTH)
    figure, axes = new_figure(5.4, 0.75 + 0.36 * lines)
    for field in fields:
        for i in range(max(field.start, start), min(field.stop, stop)):
            y, x = divmod(i - start, WIDTH)
            _cell(axes, x, y, data[i], field, focus is None or focus == field)
    axes.set(xlim=(-1.5, WIDTH), ylim=(lines, 0), xticks=[], yticks=[])
    for y in range(lines):
        axes.text(-0.2, y + 0.5, str(start + y * WIDTH), ha="right", va="center", fontsize=8, color="#57606a")
    axes.spines[:].set_visible(False)
    if focus is not None:
        count = focus.stop - focus.start
        title = f"bytes {focus.start} to {focus.stop - 1}: {focus.what}\n{focus.value}"
        title = title.replace("bytes", "byte").replace(f" to {focus.stop - 1}", "") if count == 1 else title
        axes.set_title(title, loc="left", fontsize=10)
    _legend(figure, [field.kind for field in fields])
    return figure


def _cell(axes: Any, x: int, y: int, byte: int, field: Field, strong: bool) -> None:
    from matplotlib.patches import Rectangle

    alpha = 1.0 if strong else 0.4
    axes.add_patch(Rectangle((x + 0.03, y + 0.05), 0.94, 0.9, facecolor=FILLS[field.kind], alpha=alpha))
    printable = field.kind == "text" and 32 < byte < 127
    axes.text(x + 0.5, y + (0.36 if printable else 0.5), f"{byte:02x}", ha="center", va="center", fontsize=8.5,
              family="monospace", color=INK, alpha=alpha)  # fmt: skip
    if printable:
        axes.text(x + 0.5, y + 0.74, chr(byte), ha="center", va="center", fontsize=7.5, color="#0b5394", alpha=alpha,
                  parse_math=False)  # fmt: skip


def _legend(figure: "Figure", kinds: Iterable[str]) -> None:
    from matplotlib.patches import Patch

    found = [kind for kind in FILLS if kind in set(kinds)]
    figure.legend(
        handles=[Patch(facecolor=FILLS[kind], label=MEANINGS[kind]) for kind in found],
        frameon=False, ncols=len(found), loc="outside lower left", fontsize="small",
    )  # fmt: skip


def plot_bytes(data: bytes, fields: Sequence[Field], rows: int = 10) -> Picture:
    """The bytes of a file in colours, see draw_bytes."""
    told = "; ".join(f"{field.what}: {field.value}" for field in fields[:4])
    alt = f"Bytes as coloured cells, each field with a colour of its own. The first ones say {told}."
    return show(draw_bytes(data, fields, rows=rows), alt, colours=64)


def walk(data: bytes, fields: Sequence[Field]) -> Control:
    """Step from field to field through the bytes of a file, from the first text behind the magic word on."""
    first = next((i for i, field in enumerate(fields[1:], 2) if field.kind == "text"), 1)
    alt = (
        f"Bytes of a file as coloured cells, {len(fields)} fields; a slider steps from one to the next and reads it "
        f"out. Shown is field {first}: {fields[first - 1].what}, {fields[first - 1].value}."
    )
    return Control(lambda step: draw_bytes(data, fields, fields[step - 1]), alt, step=(1, len(fields), first))
