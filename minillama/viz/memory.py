"""A calculator: what a model of some size needs, in some number of bits, for some length of text."""

from typing import TYPE_CHECKING

from minillama.checkpoint.memory import cache_bytes, weight_bytes
from minillama.config import PRESETS
from minillama.model import count_parameters
from minillama.viz.figure import COLOURS, Choice, Control, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MODELS = (
    "tinyllama-1.1b", "llama-7b", "mistral-7b", "llama3-8b", "llama-13b", "llama-33b", "llama-65b", "llama2-70b",
)  # fmt: skip
FORMATS = ("q4_0", "q8_0", "f16", "f32")
LENGTHS = tuple(2**power for power in range(10, 18))  # tokens
TEXTS = (1, 2, 4, 8, 16, 32, 64)
MACHINES = (8, 16, 32, 64, 128)  # GB
READ_GB_A_SECOND = 25  # what two cores of a laptop read


def need(model: str, format: str, tokens: int) -> tuple[int, int]:
    """Bytes of the weights, and of a 16-bit cache.

    Args:
        model, format: of MODELS and FORMATS.
        tokens: in the cache.
    """
    config = PRESETS[model]
    return weight_bytes(config, format), cache_bytes(config, tokens)


def draw_need(model: str, format: str, tokens: int, texts: int) -> "Figure":
    """Weights and cache beside machines, and how fast the bare reading would be.

    Args:
        model, format, tokens: see need.
        texts: at once, each with a cache of its own.
    """
    weights, cache = need(model, format, tokens)
    cache *= texts
    total = (weights + cache) / 1e9
    figure, axes = new_figure(5.4, 3.0)
    axes.barh([0], [weights / 1e9], color=COLOURS[0], label=f"weights {weights / 1e9:.1f} GB")
    axes.barh(
        [0], [cache / 1e9], left=[weights / 1e9], color=COLOURS[1], hatch="///", edgecolor="white",
        label=f"keys and values {cache / 1e9:.1f} GB",
    )  # fmt: skip
    fits = next((each for each in MACHINES if each >= total), None)
    end = 1.15 * (fits or total)
    for each in MACHINES:
        if each < end:
            axes.axvline(each, color="#6e7781", linewidth=1, linestyle=":")
            if each > end / 10:  # the small ones would stand upon each other
                ground = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"}
                axes.text(each, 0.62, f"{each} GB", ha="center", fontsize="small", bbox=ground)
    axes.set(yticks=[], ylim=(-0.6, 0.8), xlim=(0, end), xlabel="GB; dotted: machines")
    figure.suptitle(
        f"{model}, {count_parameters(PRESETS[model]) / 1e9:.2f} billion weights in {format}: "
        f"{total:.1f} GB,\n{f'a machine of {fits} GB' if fits else 'more than one machine'}; "
        f"at {READ_GB_A_SECOND} GB/s at most {READ_GB_A_SECOND / total:.2g} steps a second",
        fontsize="medium", x=0.02, ha="left",
    )  # fmt: skip
    figure.legend(frameon=False, ncols=2, loc="outside lower left")
    return figure


def calculator() -> Control:
    """What a published model needs: choose it, its format, the length of the text, and how many texts at once."""
    alt = (
        "A bar of gigabytes, the weights and after them the keys and values, beside machines of 8 to 128 GB. A 7B in "
        "4 bits with 2,048 tokens needs about 5 GB; in 16 bits, 14."
    )
    return Control(
        draw_need, alt, model=Choice(MODELS, "llama-7b"), format=Choice(FORMATS, "q4_0"),
        tokens=Choice(LENGTHS, 2048), texts=Choice(TEXTS, 1),
    )  # fmt: skip
