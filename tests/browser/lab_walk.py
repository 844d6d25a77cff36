"""python -m tests.browser.lab_walk FOLDER: the laboratory of lesson 06 in JupyterLab, with a picture of every step."""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Locator

from tests.browser.lab import start_lab
from tests.browser.pages import MISSING, WITHIN_A_PAGE, find_chromium, open_page, start_chromium

LESSON = "notebooks/06_attention.ipynb"
SIZE = (1360, 1500)  # an explorer and the cell above it
OTHER_TEXT = "Once upon a time, there was a boy named Max. Max was glad. He"


class Walk:
    """What was seen on the way.

    Args:
        folder: where pictures go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.told = folder, {}

    def note(self, name: str, explorer: Locator, words: str) -> None:
        """Keep what an explorer says, and take a picture of it."""
        self.told[name] = " ".join(words.split())
        explorer.screenshot(path=self.folder / f"{len(self.told):02}_{name}.png")


def press(explorer: Locator, name: str) -> None:
    """Press a button, and wait until the model has run if it has to."""
    explorer.get_by_role("button", name=name).first.click()
    explorer.page.wait_for_timeout(100)
    explorer.and_(explorer.page.locator(":not(.busy)")).wait_for()
    explorer.page.wait_for_timeout(100)


def say(explorer: Locator) -> str:
    """The sentence about the token under the mouse, or the last one."""
    return explorer.get_by_role("status").inner_text()


def opened(explorer: Locator) -> str:
    """Which head is large, and its scores."""
    title = "h3:has-text('Layer')"
    return f"{explorer.locator(title).inner_text()}: {explorer.locator(f'{title} + .number').inner_text()}"


def outcome(explorer: Locator) -> str:
    """The loss, and the likeliest next token now."""
    first = explorer.locator(".next tbody tr").first.locator("td")
    return f"{explorer.locator('.loss').inner_text()}; {first.nth(0).inner_text()} {first.nth(2).inner_text()}"


def look(walk: Walk, explorer: Locator) -> None:
    """Where the last word looks, who looks at the token before, what value lengths change, and another text."""
    walk.note("she", explorer, say(explorer))
    press(explorer, "previous token")
    walk.note("token_before", explorer, opened(explorer))
    press(explorer, "first-token sink")
    before = say(explorer)
    press(explorer, "attention × value length")
    walk.note("value_length", explorer, f"{opened(explorer)}; {before} With value length: {say(explorer)}")
    prompt = explorer.get_by_role("textbox", name="Text that the model reads")
    prompt.fill(OTHER_TEXT)
    prompt.press("Enter")
    explorer.locator(".token", has_text="Max").first.wait_for()
    walk.note("another_text", explorer, say(explorer))


def switch_off(walk: Walk, explorer: Locator) -> None:
    """The best copier, all copiers, as many others, one other, and the head that looks at the token before."""
    walk.note("copier", explorer, f"{opened(explorer)}; {say(explorer)} {outcome(explorer)}")
    for name, words in (
        ("copier_off", "switch this head off"), ("copiers_off", "switch these"), ("others_off", "others off"),
    ):  # fmt: skip
        press(explorer, words)
        walk.note(name, explorer, outcome(explorer))
        press(explorer, "all heads on")
    cells = explorer.get_by_role("grid", name="All heads").get_by_role("gridcell")
    cells.nth(random.Random(0).randrange(cells.count())).click()
    press(explorer, "switch this head off")
    walk.note("one_at_random_off", explorer, f"{opened(explorer)}; {outcome(explorer)}")
    press(explorer, "all heads on")
    press(explorer, "previous token")
    press(explorer, "switch this head off")
    walk.note("token_before_off", explorer, f"{opened(explorer)}; {outcome(explorer)}")
    press(explorer, "all heads on")
    rows = explorer.locator(".lens tbody tr").all_inner_texts()
    walk.note("lens", explorer, f"{explorer.locator('.lens .muted').inner_text()} {'; '.join(rows)}")


def moments(walk: Walk, explorer: Locator) -> None:
    """The slider from the first moment of the training to the last."""
    slider = explorer.get_by_role("slider", name="Moment of the training")
    slider.press("Home")
    for _ in range(int(slider.get_attribute("max") or 0)):
        label = slider.get_attribute("aria-valuetext") or ""
        explorer.page.locator(f'.root[data-painted="{slider.input_value()}"]').first.wait_for()
        walk.note(
            label.replace(" ", "_").replace(",", ""), explorer, explorer.locator(".card .bar.number").inner_text()
        )
        slider.press("ArrowRight")


def walk(cells: Locator, folder: Path) -> dict[str, str]:
    """Do the laboratory in the lesson that has run; name of a step -> what was to be read.

    Args:
        cells: of the lesson, as `Lab.run_all` gives them.
        folder: where the pictures go.
    """
    done = Walk(folder)
    parts = {"sad_story)": look, 'focus="induction")': switch_off, "snapshots=siblings": moments}
    for words, part in parts.items():
        explorer = cells.filter(has_text="viz.explore(").filter(has_text=words).locator(".root[data-painted]")
        part(done, explorer)
    return done.told


def main() -> int:
    """Read the command line; 1 where there is no Chromium."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.lab_walk", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pictures go; made where it is missing")
    options = parser.parse_args()
    executable = find_chromium()
    if executable is None:
        sys.stderr.write(MISSING + "\n")
        return 1
    options.folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as made, start_chromium(executable) as browser, start_lab(Path(made)) as lab,
    ):  # fmt: skip
        page = open_page(browser, SIZE, allowed=(*WITHIN_A_PAGE, lab.address)).page
        for name, words in walk(lab.run_all(page, LESSON), options.folder).items():
            sys.stdout.write(f"{name}: {words}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
