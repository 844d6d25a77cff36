"""The pages of a grading report in a real browser: nothing runs, nothing breaks out, everybody can read them."""

import os
from pathlib import Path

import pytest

from minillama.course.grading.pages.feedback import page_name
from minillama.course.grading.pages.words import visible
from tests.browser.pages import DESKTOP, PHONE, SCHEMES
from tests.browser.test_accessibility import GRAVE, RUN
from tests.course.pages import sample

KINDS = ("class", "hostile", "small", "nobody")
WIDE = """() => [...document.querySelectorAll("body *")].filter((each) => {
  const box = each.getBoundingClientRect();
  return !each.closest(".hidden") && (box.right > innerWidth + 1 || box.left < -1);
}).map((each) => each.outerHTML.slice(0, 120))"""
RAN = """() => ({
  title: document.title, scripts: document.scripts.length, images: document.images.length,
  handlers: [...document.querySelectorAll("*")].flatMap((each) => each.getAttributeNames())
    .filter((each) => each.startsWith("on")).length,
})"""


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Kind -> folder of its report."""
    top = tmp_path_factory.mktemp("reports")
    for kind in KINDS:
        sample.write(top / kind, kind)
    return {kind: top / kind for kind in KINDS}


def open_file(visit, path, size=PHONE, scheme="light"):
    """A page that is open, with what it said by dialogs."""
    seen = visit(size, scheme)
    seen.dialogs = []
    seen.page.on("dialog", lambda dialog: (seen.dialogs.append(dialog.message), dialog.dismiss()))
    seen.page.goto(path.as_uri())
    return seen


@pytest.mark.parametrize("kind", KINDS)
def test_no_page_runs_or_loads_anything_and_none_is_wider_than_a_phone(visit, reports, kind):
    pages = [
        reports[kind] / "class.html",
        reports[kind] / "times.html",
        *sorted((reports[kind] / "feedback").iterdir()),
    ]
    for path in pages if kind != "class" else pages[:8]:
        seen = open_file(visit, path)
        seen.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        ran = seen.page.evaluate(RAN)
        assert (ran["scripts"], ran["images"], ran["handlers"]) == (0, 0, 0), path
        assert ran["title"].startswith(("Feedback: ", "Class: ", "Time that grading took")), path
        assert (seen.errors, seen.refused, seen.dialogs) == ([], [], []), path
        assert seen.page.evaluate(WIDE) == [], path
        assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        seen.page.context.close()


def test_the_policy_stops_a_script_that_gets_in(visit, reports, tmp_path):
    page = (reports["small"] / "class.html").read_text(encoding="utf-8")
    bad = (
        "<script>document.title = 'owned'</script><img src=x onerror=\"document.title = 'owned'\">"
        "<style>main {display: none}</style>"
    )
    (tmp_path / "bad.html").write_text(page.replace("</main>", f"</main>{bad}"), encoding="utf-8")
    seen = open_file(visit, tmp_path / "bad.html")
    assert seen.page.title().startswith("Class: ")
    assert seen.page.locator("main").is_visible()
    assert any("Content Security Policy" in each for each in seen.errors)


def test_hostile_names_are_isolated_and_shown_as_they_are(visit, reports):
    seen = open_file(visit, reports["hostile"] / "class.html", DESKTOP)
    shown = seen.page.locator("#learners ~ table bdi").all_text_contents()
    assert sorted(shown) == sorted([*(visible(each[::-1]) for each in sample.EVIL), visible(sample.EVIL[0] * 2)])
    isolated = (
        "[...document.querySelectorAll('bdi, [dir=auto]')]"
        ".every((each) => getComputedStyle(each).unicodeBidi === 'isolate')"
    )
    assert seen.page.evaluate(isolated)


def test_a_name_that_turns_the_writing_leaves_the_rest_of_its_row(visit, reports):
    seen = open_file(visit, reports["class"] / "class.html", DESKTOP)
    row = seen.page.locator("#learners ~ table tr", has_text="عمر الخيام").first
    name, points = row.locator("th").bounding_box(), row.locator("td").last.bounding_box()
    assert name["x"] < points["x"]
    assert row.locator("bdi").evaluate("each => getComputedStyle(each).direction") == "rtl"
    assert row.evaluate("each => getComputedStyle(each).direction") == "ltr"


def test_keyboard_alone_reaches_everything(visit, reports):
    seen = open_file(visit, reports["class"] / "class.html", DESKTOP)
    page = seen.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "What needs you"
    page.keyboard.press("Enter")
    assert page.url.endswith("#look")
    summary = page.locator("summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("details").first.evaluate("each => each.open")
    page.locator("#learners ~ table a").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/feedback/*.html")
    assert page.get_by_role("heading", level=1).text_content() == "Ada Lovelace"


def test_figures_are_tables_and_lists_with_their_numbers(visit, reports):
    page = open_file(visit, reports["class"] / "class.html", DESKTOP).page
    assert page.get_by_role("heading", level=1).count() == 1
    histogram = page.locator(".histogram").first
    assert histogram.locator("tr").count() == 11
    first = histogram.locator("tbody tr").first
    assert first.text_content().strip() == "from 0% to 10%0"
    assert page.locator(".shares svg:not([aria-hidden])").count() == 0


def test_dark_is_dark_and_a_print_is_not(visit, reports):
    name = page_name(sample.SEED, "Emmy Noether")
    page = open_file(visit, reports["class"] / f"feedback/{name}.html", DESKTOP, "dark").page
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == "rgb(15, 18, 22)"
    page.emulate_media(media="print")
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    assert len(page.pdf()) > 10_000


def test_links_of_a_page_lead_to_their_tasks(visit, reports):
    name = page_name(sample.SEED, "Emmy Noether")
    page = open_file(visit, reports["class"] / f"feedback/{name}.html").page
    link = page.locator(".tasks a").first
    title = link.text_content()
    link.click()
    target = page.evaluate("document.querySelector(location.hash).textContent")
    assert title in target


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_pages_stop_nobody(visit, reports, size, scheme, kind):
    path = os.environ.get("AXE_CORE")
    if not path:
        pytest.skip("AXE_CORE does not name axe.min.js: npm install axe-core")
    axe = Path(path).read_text(encoding="utf-8")
    feedback = sorted((reports[kind] / "feedback").iterdir())
    for each in [reports[kind] / "class.html", reports[kind] / "times.html", *feedback[:3]]:
        page = open_file(visit, each, size, scheme).page
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        page.evaluate(axe)
        assert [one for one in page.evaluate(RUN) if one["impact"] in GRAVE] == []
        page.context.close()
