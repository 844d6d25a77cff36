"""Lesson 04 in JupyterLab itself: every cell runs, and its sliders and choices are alive."""

import nbformat
import pytest

from tests.browser.lab import start_lab
from tests.browser.pages import ROOT, WITHIN_A_PAGE

LESSON = "notebooks/04_rope.ipynb"

RUN_MS = 480_000

PROMPTS = '[...document.querySelectorAll(".jp-CodeCell .jp-InputPrompt")].map((each) => each.innerText.trim())'
TRACEBACKS = """
[...document.querySelectorAll(".jp-OutputArea-output")].map((each) => each.innerText)
  .filter((each) => each.includes("Traceback (most recent call last)"))""".strip()
# Every cell has its number, or one failed that should not have: then the others stay without.
HAS_RUN = f"(expected) => {PROMPTS}.every((each) => /[0-9]/.test(each)) || {TRACEBACKS}.length > expected"


@pytest.fixture(scope="module")
def lab(chromium, tmp_path_factory):
    with start_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


def put_without_outputs(path, lab):
    """A copy of a notebook whose outputs can come from this run alone."""
    notebook = nbformat.read(ROOT / path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    copy = lab.root / path
    copy.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, copy)
    return notebook


def test_lesson_runs_and_its_controls_are_alive(lab, visit):
    notebook = put_without_outputs(LESSON, lab)
    page = visit(allowed=(*WITHIN_A_PAGE, lab.address)).page
    page.goto(lab.open(LESSON))
    cells = page.locator(".jp-Notebook .jp-CodeCell")
    cells.first.wait_for()
    page.locator("#jp-main-statusbar", has_text="| Idle").wait_for()  # before that, Run asks for a kernel

    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    hands = cells.filter(has_text="viz.rope.hands()")
    slider = hands.get_by_role("slider").first
    slider.wait_for()
    raising = [cell for cell in notebook.cells if "raises-exception" in cell.metadata.get("tags", [])]
    page.wait_for_function(HAS_RUN, arg=len(raising), timeout=RUN_MS)
    tracebacks = page.evaluate(TRACEBACKS)
    assert len(tracebacks) == len(raising), "\n\n".join(tracebacks)
    assert page.evaluate(PROMPTS) == [f"[{number}]:" for number in range(1, cells.count() + 1)]

    picture, readout = hands.locator("img"), hands.locator(".widget-readout").first
    drawn, value = picture.get_attribute("src"), readout.inner_text()
    slider.focus()
    slider.press("ArrowRight")
    page.wait_for_function("([image, before]) => image.src !== before", arg=[picture.element_handle(), drawn])
    assert int(readout.inner_text()) == int(value) + 1

    choice = cells.filter(has_text="course.predict(").first.get_by_role("radio").nth(1)
    choice.check()
    assert choice.is_checked()
