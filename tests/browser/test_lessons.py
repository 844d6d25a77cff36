"""Every notebook as a page in a real browser: no network, no errors, on a desktop and on a phone, light and dark."""

from pathlib import Path

import nbformat
import pytest

from tests.browser.pages import DESKTOP, PHONE, ROOT, SCHEMES, render, show_notebook

NOTEBOOKS = [path for folder in ("notebooks", "exercises") for path in sorted((ROOT / folder).glob("*.ipynb"))]

# What sticks out on the right of the window. Code, tables, formulas and boxes of their own may scroll. Jupyter lets
# every output scroll as a whole, and prose or a picture would then be read through a slit.
STICKS_OUT = """
() => {
  const exact = "pre, table, math";
  const mayScroll = (box, each) => ["auto", "scroll"].includes(getComputedStyle(box).overflowX) &&
    (!/\\bjp-/.test(box.className) || each.closest(exact));
  const where = (each) => `${each.closest(".jp-Cell").id}: ${each.tagName}`;
  const found = [];
  if (document.documentElement.scrollWidth > innerWidth) found.push("the page itself scrolls sideways");
  for (const each of document.querySelectorAll("main *")) {
    const right = each.getBoundingClientRect().right;
    if (right <= innerWidth + 1) continue;
    let box = each.parentElement;
    while (box && !mayScroll(box, each)) box = box.parentElement;
    if (!box || box.getBoundingClientRect().right > innerWidth + 1)
      found.push(`${where(each)} ends at ${Math.round(right)}`);
  }
  for (const box of document.querySelectorAll(".jp-OutputArea-output, .jp-RenderedMarkdown")) {
    const exacts = [...box.querySelectorAll(exact)];
    if (box.scrollWidth > box.clientWidth + 1 && !exacts.some((each) => each.scrollWidth > each.clientWidth + 1))
      found.push(`${where(box)} has ${box.scrollWidth} pixels in ${box.clientWidth}`);
  }
  return found;
}
"""

PICTURES = """
() => [...document.images].filter((image) => image.checkVisibility()).map((image) => ({
  cell: image.closest(".jp-Cell")?.id, alt: image.alt, loaded: image.naturalWidth > 0,
  left: image.getBoundingClientRect().left, right: image.getBoundingClientRect().right,
  room: image.closest(".jp-OutputArea-output, .jp-RenderedMarkdown").getBoundingClientRect().right,
}))
"""

# Contrast by WCAG 2.1 of every piece of text with what is painted behind it; large text may have less, highlighted code
# too. Prompts and the colours inside tracebacks are Jupyter's own.
HARD_TO_READ = """
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const colour = (text) => {
    if (!known.has(text)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = text;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      known.set(text, [r, g, b, a / 255]);
    }
    return known.get(text);
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
  const behind = (each) => {
    if (!each) return [255, 255, 255];
    const own = colour(getComputedStyle(each).backgroundColor);
    return own[3] === 1 ? own.slice(0, 3) : over(own, behind(each.parentElement));
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  for (const fold of document.querySelectorAll("details")) fold.open = true;
  const found = new Map(), theirs = ".jp-InputPrompt, .jp-OutputPrompt, [data-mime-type$=stderr] span";
  const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const each = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !each.checkVisibility() || each.closest(theirs)) continue;
    const style = getComputedStyle(each), ground = behind(each);
    const [a, b] = [light(over(colour(style.color), ground)), light(ground)].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const least = large || each.closest(".highlight") ? 3 : 4.5;
    if (contrast < least)
      found.set(`${style.color} ${ground}`, `${each.closest(".jp-Cell")?.id}: ${contrast.toFixed(2)} of ${least} for ` +
        `"${texts.currentNode.data.trim().slice(0, 40)}", ${style.color} on ${ground.map(Math.round)}`);
  }
  return [...found.values()];
}
"""


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_page_reads_well(path, visit, tmp_path):
    """Asks nothing of the network, logs no error, fits a desktop and a phone, and says in words what pictures show."""
    for size in (DESKTOP, PHONE):
        seen = visit(size)
        show_notebook(seen, path, "light", tmp_path)
        assert seen.page.locator("h1").count() == 1
        assert seen.refused == [], "the page asks for what only a network has"
        assert seen.errors == []
        assert seen.page.evaluate(STICKS_OUT) == [], f"at {size[0]} pixels"
        for picture in seen.page.evaluate(PICTURES):
            assert picture["loaded"], picture
            assert len(picture["alt"]) >= 20, f"{picture['cell']}: alternative text that states what is to be seen"
            assert 0 <= picture["left"] < picture["right"] <= picture["room"] + 1, picture


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_text_is_readable(path, scheme, visit, tmp_path):
    seen = visit(scheme=scheme)
    show_notebook(seen, path, scheme, tmp_path)
    assert seen.page.evaluate(HARD_TO_READ) == []


# The tests above see what they should


WIDE = "<div style='width:900px'>wide</div>"
PICTURE = "<img alt='x' style='max-width:none;width:900px' src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>"
FAULTS = {
    "wide box": (WIDE, STICKS_OUT, "DIV ends at"),
    "wide box in one that scrolls": (f"<div style='overflow:auto'>{WIDE}</div>", STICKS_OUT, ""),
    "wide picture": (PICTURE, STICKS_OUT, "IMG ends at"),
    "long word": ("<p>" + "ah" * 200 + "</p>", STICKS_OUT, "DIV has"),
    "long line of code": ("<pre>" + "ah" * 200 + "</pre>", STICKS_OUT, ""),
    "grey on grey": ("<p style='color:#999;background:#ccc'>dim</p>", HARD_TO_READ, '"dim"'),
    "black on dark": ("<p style='color:#222'>gone</p>", HARD_TO_READ, '"gone"'),
    "white on black": ("<p style='color:#fff;background:#000'>clear</p>", HARD_TO_READ, ""),
}


def notebook_with(folder, html):
    output = nbformat.v4.new_output("display_data", data={"text/html": html})
    cells = [nbformat.v4.new_markdown_cell("# Title"), nbformat.v4.new_code_cell("1", outputs=[output])]
    path = folder / "fault.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


@pytest.mark.parametrize(("html", "look", "words"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_seen(html, look, words, visit, tmp_path):
    seen = visit(PHONE, "dark")
    show_notebook(seen, notebook_with(tmp_path, html), "dark", tmp_path)
    found = "\n".join(seen.page.evaluate(look))
    assert words in found
    assert bool(words) == bool(found), found


def test_what_is_asked_of_the_network_is_refused_and_heard(visit, tmp_path):
    seen = visit()
    html = "<img alt='x' src='https://example.org/x.png'><script>console.error('loud'); undefined.x</script>"
    show_notebook(seen, notebook_with(tmp_path, html), "light", tmp_path)
    seen.page.wait_for_timeout(200)
    assert seen.refused == ["https://example.org/x.png"]
    assert "loud" in seen.errors
    assert any("undefined" in error for error in seen.errors)


def test_formulas_are_drawn_without_a_script(visit, tmp_path):
    text = "# Norm\n\nWith $\\epsilon > 0$:\n\n$$y_i = \\frac{x_i}{\\sqrt{v + \\epsilon}}$$"
    cells = [nbformat.v4.new_markdown_cell(text)]
    path = tmp_path / "formula.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    assert "$" not in render(path, "light").split("<main>")[1]
    seen = visit()
    show_notebook(seen, path, "light", tmp_path)
    assert seen.page.locator("mfrac").bounding_box()["height"] > seen.page.locator("mi").first.bounding_box()["height"]
