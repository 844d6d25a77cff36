"""The attention explorer in a live notebook: a text edited or a head switched off runs the model again.

This module needs anywidget and its traitlets; where they are missing, the page alone is shown.
"""

from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from minillama.viz.explorer_page import HIDE_PICTURE, script
from minillama.viz.explorer_payload import encode_weights, is_square, weight_range

if TYPE_CHECKING:
    from minillama.viz.explorer import Explorer


class LiveExplorer(anywidget.AnyWidget):
    """The view of an Explorer: what a page asks for is computed, and an error is told to the page.

    Args:
        explorer: what is shown.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode(HIDE_PICTURE).tag(sync=True)
    payload = traitlets.Dict().tag(sync=True)
    live = traitlets.Bool(True).tag(sync=True)

    def __init__(self, explorer: "Explorer") -> None:
        self.explorer = explorer
        super().__init__(_esm=script(), payload=explorer.payload(live=True))
        self.on_msg(self.answer)

    def answer(self, widget: Any, message: dict[str, Any], buffers: Any = None) -> None:
        """Do what a page asks for: {"type": "run", "text", "off"} or {"type": "layer", "layer", "run"}."""
        try:
            if message["type"] == "run":
                self.explorer.read(str(message["text"]), [tuple(each) for each in message["off"]])
                self.payload = self.explorer.payload(live=True)
                self.send({"type": "done"})
            elif message["type"] == "layer":
                self.send({**message, "weights": self._weights(int(message["layer"]))})
        except Exception as error:  # it would vanish in the kernel's log
            self.send({"type": "error", "text": f"{type(error).__name__}: {error}"})

    def _weights(self, layer: int) -> str:
        attention = self.explorer.trace.attention[:, 0]
        return encode_weights(attention[layer], is_square(attention), weight_range(attention))


def live_widget(explorer: "Explorer") -> LiveExplorer:
    """The live view of an explorer."""
    return LiveExplorer(explorer)


def live_bundle(explorer: "Explorer") -> dict[str, Any]:
    """What a notebook must have to show the live view, as its last and richest form."""
    data, _ = live_widget(explorer)._repr_mimebundle_() or ({}, {})
    return {key: value for key, value in data.items() if key != "text/plain"}
