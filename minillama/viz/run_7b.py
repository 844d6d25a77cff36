"""Pictures of lesson 13: what the family needs, how fast it could be, and how close a run came."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from minillama.checkpoint.memory import cache_bytes
from minillama.config import PRESETS
from minillama.evaluate import predict_tokens_per_second
from minillama.model import count_parameters
from minillama.viz.figure import COLOURS, Choice, Control, Picture, new_figure, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FAMILY = {
    "1.1B": "tinyllama-1.1b", "7B": "llama2-7b", "13B": "llama2-13b", "33B": "llama-33b", "65B": "llama-65b",
    "70B, shared heads": "llama2-70b",
}  # fmt: skip
BITS = {"Q4_0": 4.5, "Q8_0": 8.5, "float16": 16.0}
LENGTHS = (0, 512, 1024, 2048, 4096)
INK = "#24292f"


class Forecast(Control):
    """Sliders over the type of the weights and the length of the text; a bar for each member of the family.

    Args:
        free_gb: memory that is free, None where the system does not say.
        gb_per_s: what it delivers.
    """

    def __init__(self, free_gb: float | None, gb_per_s: float) -> None:
        self.free_gb, self.gb_per_s = free_gb or 16.0, gb_per_s
        fits = [name for name, (weights, cache) in self.needs("Q4_0", 2048).items() if weights + cache <= self.free_gb]
        alt = (
            f"A bar of gigabytes for each member of the family, the cache on top of the weights, beside a line at "
            f"{self.free_gb:.0f} GB. In Q4_0, with 2,048 tokens, {len(fits)} of {len(FAMILY)} fit"
            f"{', the largest the ' + fits[-1] if fits else ''}."
        )
        super().__init__(self.draw, alt, type=Choice(tuple(BITS), "Q4_0"), tokens=Choice(LENGTHS, 2048))

    def needs(self, type: str, tokens: int) -> dict[str, tuple[float, float]]:
        """Name -> GB of the weights, and of a 16-bit cache."""
        configs = {name: PRESETS[preset] for name, preset in FAMILY.items()}
        return {
            name: (count_parameters(c) * BITS[type] / 8e9, cache_bytes(c, tokens) / 1e9) for name, c in configs.items()
        }

    def draw(self, type: str, tokens: int) -> "Figure":
        """The family's bars, and the most tokens a second of each."""
        figure, axes = new_figure(5.4, 3.4)
        needs = self.needs(type, tokens)
        for place, (name, (weights, cache)) in enumerate(needs.items()):
            fits = weights + cache <= self.free_gb
            axes.barh(place, weights, height=0.6, color=COLOURS[0] if fits else COLOURS[3])
            axes.barh(place, cache, left=weights, height=0.6, color=COLOURS[1], hatch="///", edgecolor="white")
            speed = predict_tokens_per_second(PRESETS[FAMILY[name]], BITS[type], tokens, self.gb_per_s)
            words = f" {weights + cache:.1f} GB" + (f", at most {speed:.2g} tokens/s" if fits else ", too large")
            ground = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # where the line passes
            axes.text(weights + cache, place, words, va="center", fontsize=9, color=INK, bbox=ground, zorder=3)
        most = max(self.free_gb, *(weights + cache for weights, cache in needs.values()))
        axes.axvline(self.free_gb, color=COLOURS[2], linewidth=1.5)
        axes.set_yticks(range(len(needs)), list(needs), fontsize=9)
        axes.invert_yaxis()
        axes.set(xlim=(0, 1.55 * most), xlabel="GB; hatched: keys and values")
        axes.set_title(f"red line: {self.free_gb:.1f} GB are free", fontsize="medium", loc="left")
        return figure


def plot_run(bounds: Mapping[str, float], measured: Mapping[str, float]) -> Picture:
    """How fast each way of running could be, and where it was measured, how fast it is.

    Args:
        bounds: name -> the most tokens a second.
        measured: the same for what ran.
    """
    figure, axes = new_figure(5.4, 0.9 + 0.55 * len(bounds))
    for place, (name, most) in enumerate(bounds.items()):
        axes.barh(place, most, height=0.62, facecolor="white", edgecolor=COLOURS[0], linewidth=1.5)
        got = measured.get(name)
        words = f" at most {most:.3g}" if got is None else f" {got:.3g} of {most:.3g}: {got / most:.0%}"
        if got is not None:
            axes.barh(place, got, height=0.62, color=COLOURS[0])
        axes.text(max(most, got or 0), place, words, va="center", fontsize=9, color=INK)
    axes.set_yticks(range(len(bounds)), list(bounds), fontsize=9)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.4 * max([*bounds.values(), *measured.values()])), xlabel="tokens a second")
    axes.set_title("outlined: what memory allows; filled: measured", fontsize="medium", loc="left")
    shares = [f"{name} {measured[name] / bounds[name]:.0%}" for name in bounds if name in measured]
    rest = [name for name in bounds if name not in measured]
    alt = (
        f"Bars of tokens a second. Of what memory allows, these were reached: {', '.join(shares)}. "
        f"Only forecast: {', '.join(f'{name} {bounds[name]:.2g}' for name in rest) or 'none'}."
    )
    return show(figure, alt)
