"""python -m tests.browser.readme_picture: take the README's picture of the attention explorer."""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

import minillama
from minillama import viz
from minillama.checkpoint.bundled import bundled_snapshots
from tests.browser.pages import MISSING, ROOT, find_chromium, start_chromium

OUT = ROOT / "notebooks" / "figures" / "explorer.png"
TEXT = "Once upon a time, there was a robot named Zorbik Quamel. Everybody liked Zorbik"
SIZE = (1200, 800)
SHARPNESS = 1.5  # pixels of the file for one of the page
COLOURS = 128


def main() -> int:
    """1 where there is no Chromium."""
    executable = find_chromium()
    if executable is None:
        sys.stderr.write(MISSING + "\n")
        return 1
    model, tokenizer = minillama.load()
    snapshots = {step: minillama.load(path, quant="none")[0] for step, path in bundled_snapshots().items()}
    explorer = viz.explore(model, tokenizer, TEXT, focus="induction", snapshots=snapshots)
    with tempfile.TemporaryDirectory() as made, start_chromium(executable) as browser:
        path = Path(made) / "page.html"
        explorer.to_html(path)
        width, height = SIZE
        page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=SHARPNESS)
        page.goto(path.as_uri())
        page.locator(".root[data-painted]").wait_for()
        shot = page.screenshot(full_page=True)
    Image.open(io.BytesIO(shot)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(OUT, optimize=True)
    sys.stdout.write(f"{OUT}: {OUT.stat().st_size:,} bytes\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
