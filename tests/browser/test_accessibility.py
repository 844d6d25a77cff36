"""axe-core looks at the explorer, light and dark: what people with disabilities would stumble over.

`AXE_CORE` names axe.min.js of the npm package axe-core, which .ci/run installs; without it these tests skip.
"""

import os
from pathlib import Path

import pytest

import minillama
from minillama import viz
from minillama.checkpoint.bundled import bundled_snapshots
from tests.browser.pages import DESKTOP, PHONE, SCHEMES

GRAVE = {"serious", "critical"}
RUN = """
async () => (await axe.run({ resultTypes: ["violations"] })).violations.map((each) => ({
  impact: each.impact, id: each.id, help: each.help, nodes: each.nodes.map((node) => node.html.slice(0, 160)),
}))
"""


@pytest.fixture(scope="module")
def axe():
    path = os.environ.get("AXE_CORE")
    if not path:
        pytest.skip("AXE_CORE does not name axe.min.js: npm install axe-core")
    return Path(path).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    model, tokenizer = minillama.load()
    step, path = list(bundled_snapshots().items())[-1]
    snapshots = {step: minillama.load(path, quant="none")[0]}
    text = "Zorbik Quamel met a fox. The fox said hello to Zorbik"
    page = tmp_path_factory.mktemp("axe") / "page.html"
    viz.explore(model, tokenizer, text, focus="induction", snapshots=snapshots).to_html(page)
    return page.as_uri()


def grave(page, axe):
    page.evaluate(axe)  # Playwright sees to it that this is no question of the page's own rules
    return [each for each in page.evaluate(RUN) if each["impact"] in GRAVE]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_explorer_stops_nobody(axe, visit, address, size, scheme):
    page = visit(size, scheme).page
    page.goto(address)
    page.locator(".root[data-painted]").wait_for()
    assert grave(page, axe) == []
    page.get_by_role("button", name="switch these 8 off").click()
    page.get_by_role("button", name="attention × value length").click()
    page.get_by_text("every weight of this row").click()
    page.locator('.token[data-i="9"]').click()
    page.locator('.token[data-i="4"]').hover()
    assert grave(page, axe) == []
    page.get_by_role("slider", name="Moment of the training").press("Home")
    page.locator('.root[data-painted="0"]').wait_for()
    assert grave(page, axe) == []


def test_a_fault_is_found(axe, visit):
    page = visit().page
    page.set_content(
        "<html lang='en'><title>x</title><main><h1>x</h1><button></button><p style='color:#aaa'>dim</p></main>"
    )
    assert {each["id"] for each in grave(page, axe)} == {"button-name", "color-contrast"}
