"""The attention explorer in Chromium: size of a page, first paint, what a hover and a change of head cost.

    python benchmarks/explorer.py [--layers 12] [--heads 12] [--tokens 128] [--hovers 200] [--page PATH]
    python benchmarks/explorer.py --live --tokens 256     # in JupyterLab

The model has random weights, so that its heads look everywhere: this compresses worse than what a trained one does. A
hover is a mouse over another place of the heat map or of the text: script, style and layout are timed in the page, and
again up to the end of the frame that paints them, which waits for the screen's 60 a second. Medians, and the largest.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from playwright.sync_api import Browser, Page

sys.path.insert(0, str(Path(__file__).parents[1]))

from minillama.config import ModelConfig
from minillama.course.notebooks import KERNEL
from minillama.model import Llama
from minillama.viz import explore
from tests.browser.lab import start_lab
from tests.browser.pages import MISSING, WITHIN_A_PAGE, find_chromium, open_page, start_chromium

CONTENT = 'document.querySelector(".minillama-explorer").shadowRoot'

# Milliseconds of n hovers: [work, until the frame is painted] of each.
HOVER = f"""
async ([what, n]) => {{
  const root = {CONTENT}, square = root.querySelector(".square"), tokens = [...root.querySelectorAll(".token")];
  const told = root.querySelector(".say"), box = square.getBoundingClientRect(), found = [];
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  for (let i = 0; i < n; i++) {{
    const y = random(), x = random() * y;
    const clientX = box.left + x * box.width, clientY = box.top + y * box.height;
    const target = what === "map" ? square : tokens[Math.floor(random() * tokens.length)];
    const at = {{ bubbles: true, composed: true, clientX, clientY }};
    const event = new MouseEvent(what === "map" ? "mousemove" : "mouseover", at);
    const start = performance.now();
    target.dispatchEvent(event);
    told.getBoundingClientRect();
    const work = performance.now() - start;
    await new Promise((done) => requestAnimationFrame(() => {{
      const channel = new MessageChannel();
      channel.port1.onmessage = done;
      channel.port2.postMessage(0);
    }}));
    found.push([work, performance.now() - start]);
  }}
  return found;
}}
"""

HEADS = f"""
async (n) => {{
  const root = {CONTENT}.querySelector(".root"), cells = [...root.querySelectorAll(".cell")], found = [];
  for (let i = 0; i < n; i++) {{
    const cell = cells[(i * 37 + 1) % cells.length], start = performance.now();
    cell.click();
    const key = ` ${{cell.dataset.layer}} ${{cell.dataset.head}} attention`;
    while (!root.dataset.head.endsWith(key)) await null;
    root.getBoundingClientRect();
    found.push(performance.now() - start);
  }}
  return found;
}}
"""
PAINTS = """() => performance.getEntriesByName("first-contentful-paint").map((each) => each.startTime)[0]"""
LONGEST = """
() => new Promise((done) => {
  if (window.longest === undefined) new PerformanceObserver((list) => {
    window.longest = Math.max(window.longest ?? 0, ...list.getEntries().map((each) => each.duration));
  }).observe({ type: "longtask", buffered: true });
  setTimeout(() => done(window.longest ?? 0), 100);
})
"""

# From here on, only what comes is the longest task, and only what is painted anew is painted.
FORGET = f"""
() => {{
  window.longest = 0;
  new PerformanceObserver((list) => {{
    window.longest = Math.max(window.longest, ...list.getEntries().map((each) => each.duration));
  }}).observe({{ type: "longtask" }});
  delete {CONTENT}.querySelector(".root").dataset.painted;
}}
"""
LIVE = """
import sys

sys.path.insert(0, {root!r})
from benchmarks.explorer import Numbers, random_model
from minillama.viz import explore

explore(random_model({layers}, {heads}, {tokens}), Numbers(), "{tokens}", max_tokens={tokens})
""".strip()


class Numbers:
    """A tokenizer of numbers: the text says how many."""

    def encode(self, text: str) -> list[int]:
        """So many tokens."""
        return [(37 * i) % 600 for i in range(int(text))]

    def decode(self, ids: list[int]) -> str:
        """Words with a number."""
        return "".join(f" word{each}" for each in ids)

    piece = decode


def random_model(layers: int, heads: int, tokens: int) -> Llama:
    """Fresh weights, with heads of 8."""
    config = ModelConfig(
        dim=8 * heads, n_layers=layers, n_heads=heads, n_kv_heads=heads, hidden_dim=8 * heads, vocab_size=600,
        max_seq_len=max(tokens, 64),
    )  # fmt: skip
    model = Llama(config)
    model.init_weights(0)
    return model


def told(name: str, values: list[float]) -> str:
    """A line of the report."""
    return f"{name:34} {statistics.median(values):7.2f} ms  (largest {max(values):.2f})"


def measure(page: Page, hovers: int) -> None:
    """What a painted explorer costs: the longest task so far, hovers, other heads."""
    print(f"{'longest task while they are':34} {page.evaluate(LONGEST):7.0f} ms")
    for what, name in (("map", "hover over the heat map"), ("text", "hover over the text")):
        found = page.evaluate(HOVER, [what, hovers])
        print(told(name, [work for work, _ in found]))
        print(told(f"{name}, painted", [whole for _, whole in found]))
    print(told("another head", page.evaluate(HEADS, 50)))


def measure_page(browser: Browser, options: argparse.Namespace, folder: Path) -> None:
    """A page from disk."""
    path, start = options.page or folder / "page.html", time.perf_counter()
    model = random_model(options.layers, options.heads, options.tokens)
    explore(model, Numbers(), str(options.tokens), max_tokens=options.tokens).to_html(path)
    print(f"{'page':34} {path.stat().st_size / 1e6:7.2f} MB, made in {time.perf_counter() - start:.1f} s")
    visit = open_page(browser)
    page, start = visit.page, time.perf_counter()
    page.goto(path.resolve().as_uri())
    page.locator(".root[data-head]").wait_for()
    one = time.perf_counter() - start
    page.locator(".root[data-painted]").wait_for()
    print(f"{'first contentful paint':34} {page.evaluate(PAINTS):7.0f} ms")
    print(f"{'the first head large':34} {1000 * one:7.0f} ms")
    print(f"{'all heads painted':34} {1000 * (time.perf_counter() - start):7.0f} ms")
    measure(page, options.hovers)
    assert not visit.errors, visit.errors


def measure_live(browser: Browser, options: argparse.Namespace, folder: Path) -> None:
    """A live view in JupyterLab, which asks for each layer; then the text is read again."""
    code = LIVE.format(root=str(Path(__file__).parents[1]), **vars(options))
    with start_lab(folder) as lab:
        kernel = {"kernelspec": KERNEL}  # without one, JupyterLab asks which
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)], metadata=kernel)
        nbformat.write(notebook, lab.root / "live.ipynb")
        page = open_page(browser, allowed=(*WITHIN_A_PAGE, lab.address)).page
        lab.run(page, "live.ipynb")
        page.locator(".root[data-painted]").wait_for()
        page.evaluate(FORGET)
        start = time.perf_counter()
        page.get_by_role("button", name="Read").click()
        page.locator(".root.busy").wait_for()
        page.locator(".root[data-painted]:not(.busy)").wait_for()
        print(f"{'read again, all heads painted':34} {1000 * (time.perf_counter() - start):7.0f} ms")
        measure(page, options.hovers)


def main() -> int:
    """Read the command line; 1 where there is no Chromium."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("layers", 12), ("heads", 12), ("tokens", 128), ("hovers", 200)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--page", type=Path, help="where the page is kept")
    parser.add_argument("--live", action="store_true", help="in JupyterLab, with a kernel")
    options = parser.parse_args()
    executable = find_chromium()
    if executable is None:
        sys.stderr.write(MISSING + "\n")
        return 1
    with tempfile.TemporaryDirectory() as made, start_chromium(executable) as browser:
        print(f"{options.layers} layers x {options.heads} heads x {options.tokens} tokens")
        (measure_live if options.live else measure_page)(browser, options, Path(made))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
