"""python -m tests.browser.screenshots NOTEBOOK FOLDER: what a reader sees, as PNG files.

The first screen on a desktop and on a phone, light and dark; and every figure alone, as on a desktop in light and as on
a phone in dark. With --whole, every further screen of the four, too.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.browser import pages
from tests.browser.pages import SCHEMES

SIZES = {"desktop": pages.DESKTOP, "phone": pages.PHONE}
FIGURES_IN = {("desktop", "light"), ("phone", "dark")}
FIGURE = ".jp-OutputArea-output:has(img)"


def save_screens(page: Page, name: str, folder: Path, whole: bool) -> None:
    """Take the first screen, or all of them from top to bottom."""
    height, window = page.evaluate("[document.documentElement.scrollHeight, innerHeight]")
    page.screenshot(path=folder / f"{name}.png")
    for number, top in enumerate(range(window, height if whole else 0, window), start=2):
        page.evaluate("top => scrollTo({top, behavior: 'instant'})", top)
        page.screenshot(path=folder / f"{name}_{number:02}.png")


def save_figures(page: Page, name: str, folder: Path) -> None:
    """Take every output that shows a picture, under the id of its cell."""
    shown = [figure for figure in page.locator(FIGURE).all() if figure.is_visible()]  # not where the live form stands
    for number, figure in enumerate(shown, start=1):
        cell = figure.evaluate("each => each.closest('.jp-Cell').id").removeprefix("cell-id=")
        figure.screenshot(path=folder / f"figure_{number:02}_{cell}_{name}.png")


def save_all(browser: Browser, notebook: Path, folder: Path, whole: bool) -> None:
    """Write every picture of a notebook into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        for device, size in SIZES.items():
            for scheme in SCHEMES:
                visit = pages.open_page(browser, size, scheme)
                pages.show_notebook(visit, notebook, scheme, Path(made))
                save_screens(visit.page, f"{device}_{scheme}", folder, whole)
                if (device, scheme) in FIGURES_IN:
                    save_figures(visit.page, f"{device}_{scheme}", folder)
                visit.page.context.close()


def main() -> int:
    """Read the command line; 1 where there is no Chromium."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.screenshots", description=__doc__)
    parser.add_argument("notebook", type=Path)
    parser.add_argument("folder", type=Path, help="where the pictures go; made where it is missing")
    parser.add_argument("--whole", action="store_true", help="every screen, not only the first")
    options = parser.parse_args()
    executable = pages.find_chromium()
    if executable is None:
        sys.stderr.write(pages.MISSING + "\n")
        return 1
    with pages.start_chromium(executable) as browser:
        save_all(browser, options.notebook.resolve(), options.folder, options.whole)
    for path in sorted(options.folder.glob("*.png")):
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
