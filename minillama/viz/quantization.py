"""A control over rounding: how many bits, how many weights share a scale, and what one outlier does to the rest."""

from typing import TYPE_CHECKING, Any

import numpy as np

from minillama.config import PRESETS
from minillama.model import count_parameters
from minillama.viz.figure import COLOURS, Choice, Control, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLOCKS = (16, 32, 64, 128, 256)
SHOWN = 64  # weights in the picture
OUTLIER_AT = 5  # which of them can be made large
SCALE_BITS = 16  # a float16 for each block


def round_to_blocks(weights: np.ndarray, bits: int, block_size: int) -> np.ndarray:
    """Round to the nearest multiple of a scale that each block has for itself.

    Args:
        weights: (N,) float, N a multiple of block_size.
        bits: a weight, 2 to 8; levels are symmetric around 0, -7 to 7 for 4.
        block_size: weights that share a scale.

    Returns:
        (N,) float64.

    >>> round_to_blocks(np.array([0.0, 0.2, -0.7, 0.35]), 4, 4).round(3)
    array([ 0.  ,  0.2 , -0.7 ,  0.4 ])
    """
    blocks = np.asarray(weights, np.float64).reshape(-1, block_size)
    largest = 2 ** (bits - 1) - 1
    scale = np.abs(blocks).max(axis=1, keepdims=True) / largest
    steps = np.rint(np.divide(blocks, scale, out=np.zeros_like(blocks), where=scale > 0))
    return (steps * scale).ravel()


def bits_per_weight(bits: int, block_size: int) -> float:
    """With the scale of the block."""
    return bits + SCALE_BITS / block_size


class Rounding(Control):
    """Sliders over the rounding of real weights: bits, block, outlier; the error and the size of a 7B.

    Args:
        weights: at least 256 numbers, such as a row of a matrix; the first 256 are taken.

    >>> viz.quantization.Rounding(model.layers[0].feed_forward.w1.weight[0])
    """

    def __init__(self, weights: Any) -> None:
        self.weights = np.array(weights.detach().float() if hasattr(weights, "detach") else weights, np.float64)[:256]
        alt = (
            f"{SHOWN} weights of a row as dots and what rounding makes of them as short lines, with the error below. "
            "Fewer bits, larger blocks and an outlier push the lines away from the dots."
        )
        super().__init__(self.draw, alt, bits=(2, 8, 4), block_size=Choice(BLOCKS, 32), outlier_times=(1, 30, 1))

    def rounded(self, bits: int, block_size: int, outlier: int) -> tuple[np.ndarray, np.ndarray]:
        """The weights with one of them so many times as large as the largest, and the same rounded."""
        weights = self.weights.copy()
        if outlier > 1:
            weights[OUTLIER_AT] = outlier * np.abs(weights).max()
        return weights, round_to_blocks(weights, bits, block_size)

    def draw(self, bits: int, block_size: int, outlier_times: int) -> "Figure":
        """The first weights, rounded, and their errors.

        Args:
            bits: a weight.
            block_size: weights that share a scale.
            outlier_times: 1 for no outlier.
        """
        weights, rounded = self.rounded(bits, block_size, outlier_times)
        figure, axes = new_figure(5.4, 4.2)
        axes.remove()
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
        places, usual = np.arange(SHOWN), 1.15 * np.abs(self.weights[:SHOWN]).max()
        above.plot(places, weights[:SHOWN], "o", markersize=3, color=COLOURS[0], label="weight")
        above.plot(places, rounded[:SHOWN], "_", markersize=6, color=COLOURS[2], label="rounded")
        below.bar(places, (rounded - weights)[:SHOWN], color=COLOURS[1])
        for axes in (above, below):
            axes.set_ylim(-usual, usual)
            axes.spines[["top", "right"]].set_visible(False)
            for edge in range(0, SHOWN + 1, block_size):
                axes.axvline(edge - 0.5, color="#6e7781", linewidth=0.6)
        if outlier_times > 1:
            above.annotate("outlier, far above", (OUTLIER_AT, usual), xytext=(8, -12), textcoords="offset points")
        others = np.arange(len(weights)) != OUTLIER_AT
        wrong = np.sqrt(np.mean((rounded - weights)[others] ** 2) / np.mean(weights[others] ** 2))
        size = bits_per_weight(bits, block_size)
        whole = count_parameters(PRESETS["llama-7b"]) * size / 8 / 1e9
        above.set_ylabel("weight")
        below.set(xlabel="place in the row; thin lines part the blocks", ylabel="error")
        figure.legend(*above.get_legend_handles_labels(), frameon=False, ncols=2, loc="outside lower left")
        figure.suptitle(
            f"{size:.2g} bits a weight, a 7B of {whole:.1f} GB; error {wrong:.1%} of the other weights' size",
            fontsize="medium", x=0.02, ha="left",
        )  # fmt: skip
        return figure
