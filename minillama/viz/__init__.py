"""Pictures and controls of the lessons."""

from minillama.viz import rope
from minillama.viz.figure import Control, Picture, new_figure, plot_lines, show

__all__ = ["Control", "Picture", "new_figure", "plot_lines", "rope", "show"]
