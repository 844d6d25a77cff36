"""Lessons in JupyterLab itself: every cell runs, and sliders, choices and explorers are alive."""

import shutil

import pytest

from tests.browser import lab_walk
from tests.browser.lab import start_lab
from tests.browser.pages import ROOT, WITHIN_A_PAGE


@pytest.fixture(scope="module")
def lab(chromium, tmp_path_factory):
    with start_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


def move(page, control):
    """Move the first slider of a control by a step: its number and its picture follow."""
    slider, picture, readout = (
        control.get_by_role("slider").first, control.locator("img").first, control.locator(".widget-readout").first,
    )  # fmt: skip
    drawn, value = picture.get_attribute("src"), readout.inner_text()
    slider.focus()
    slider.press("ArrowRight")
    page.wait_for_function("([image, before]) => image.src !== before", arg=[picture.element_handle(), drawn])
    assert readout.inner_text() != value


def test_the_hands_of_lesson_04_turn(lab, visit):
    page = visit(allowed=(*WITHIN_A_PAGE, lab.address)).page
    cells = lab.run_all(page, "notebooks/04_rope.ipynb", ("import minillama", "course.predict(", "viz.rope.hands()"))
    move(page, cells.filter(has_text="viz.rope.hands()"))
    choice = cells.filter(has_text="course.predict(").first.get_by_role("radio").nth(1)
    choice.check()
    assert choice.is_checked()


def test_the_candidates_of_lesson_08_follow_sliders_and_text(lab, visit):
    page = visit(allowed=(*WITHIN_A_PAGE, lab.address)).page
    wanted = ("import minillama\n", "minillama.load()", "viz.sampling.Candidates(", "viz.sampling.growth()")
    cells = lab.run_all(page, "notebooks/08_generate.ipynb", wanted)
    candidates = cells.filter(has_text="viz.sampling.Candidates(")
    move(page, candidates)
    move(page, cells.filter(has_text="viz.sampling.growth()"))
    picture, text = candidates.locator("img").first, candidates.get_by_role("textbox").last
    drawn = picture.get_attribute("src")
    text.fill("The goat looked at the")
    text.press("Enter")
    page.wait_for_function("([image, before]) => image.src !== before", arg=[picture.element_handle(), drawn])


def test_the_laboratory_of_lesson_06_can_be_done(lab, visit, tmp_path):
    pytest.importorskip("anywidget")
    page = visit(lab_walk.SIZE, allowed=(*WITHIN_A_PAGE, lab.address)).page
    told = lab_walk.walk(lab.run_all(page, lab_walk.LESSON), tmp_path)
    assert len(list(tmp_path.glob("*.png"))) == len(told)
    assert "previous token 1.00" in told["token_before"]
    assert "“bik” (token 17) looks most at “Qua”" in told["copier"]
    assert "“Qua” 99%" in told["copier_off"]
    assert "“Qua”" not in told["copiers_off"].split(";")[1]
    assert "“Qua” 100%" in told["one_at_random_off"]
    assert "“He”" in told["another_text"]
    assert "layer 3 Qua 100%" in told["lens"]


def test_before_anything_runs_the_explorers_picture_stands(lab, visit):
    """JupyterLab takes frames out of outputs that have not been run here."""
    path = lab.root / "00_start_here.ipynb"
    shutil.copy(ROOT / "notebooks" / path.name, path)
    page = visit(allowed=(*WITHIN_A_PAGE, lab.address)).page
    page.goto(lab.open(path.name))
    output = page.locator(".jp-CodeCell", has_text="viz.explore(").locator(".jp-OutputArea-output")
    output.locator("img").wait_for()
    assert output.locator("iframe").count() == 0
    assert output.locator("img").bounding_box()["width"] > 300
