"""Pictures and controls of the lessons."""

from minillama.viz import (
    attention,
    explorer,
    feedforward,
    language_model,
    memory,
    model,
    norm,
    pretraining,
    quantization,
    rope,
    sampling,
    scaling,
    start,
    tokenizer,
    training,
)
from minillama.viz.explorer import Explorer, explore
from minillama.viz.figure import Control, Picture, new_figure, plot_lines, show

__all__ = [
    "Control",
    "Explorer",
    "Picture",
    "attention",
    "explore",
    "explorer",
    "feedforward",
    "language_model",
    "memory",
    "model",
    "new_figure",
    "norm",
    "plot_lines",
    "pretraining",
    "quantization",
    "rope",
    "sampling",
    "scaling",
    "show",
    "start",
    "tokenizer",
    "training",
]
