"""The attention explorer in JupyterLab itself: a text edited and heads switched off run the model again."""

import nbformat
import pytest
import torch

import minillama
from minillama.trace import ablate, token_losses, trace
from tests.browser.lab import start_lab
from tests.browser.pages import WITHIN_A_PAGE

FIRST, SECOND = "Lily met Zorbik Quamel. She saw Zorbik", "The cat met Brumpo. Then Brum"
CODE = f"""
import minillama
from minillama import viz
model, tokenizer = minillama.load()
viz.explore(model, tokenizer, "{FIRST}", focus="induction")
"""


@pytest.fixture(scope="module")
def lab(chromium, tmp_path_factory):
    pytest.importorskip("anywidget")
    with start_lab(tmp_path_factory.mktemp("lab")) as running:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CODE.strip())])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, running.root / "explore.ipynb")
        yield running


def test_the_live_view_runs_the_model(lab, visit):
    model, tokenizer = minillama.load()
    seen = visit(allowed=(*WITHIN_A_PAGE, lab.address))
    page = seen.page
    lab.run(page, "explore.ipynb")
    root = page.locator(".jp-OutputArea-output .root[data-painted]")
    root.wait_for()
    assert page.locator(".jp-OutputArea-output iframe").count() == 0, "the live view stands for the page"

    prompt, told = root.get_by_role("textbox", name="Text that the model reads"), root.get_by_role("status")
    assert prompt.input_value() == FIRST
    prompt.fill("")
    prompt.press_sequentially(SECOND)  # letters that are shortcuts of JupyterLab, and at the end Enter
    prompt.press("Enter")
    tokens = torch.tensor([tokenizer.encode(SECOND)])
    last = tokens.shape[1] - 1
    root.locator(f'.token[data-i="{last}"].q').wait_for()
    assert f"(token {last}) looks most at" in told.inner_text()

    heads = [(0, 2), (1, 4)]
    for layer, head in heads:
        root.locator(f'.cell[data-layer="{layer}"][data-head="{head}"]').click()
        root.get_by_role("button", name="switch this head off").click()
        root.locator(f'.cell.off[data-layer="{layer}"][data-head="{head}"]').wait_for()
    with torch.no_grad(), ablate(model, heads):
        without = trace(model, tokens)
    loss = [token_losses(each, tokens).mean().item() for each in (trace(model, tokens).logits, without.logits)]
    words = f"{loss[0]:.3f} nats a token with all heads, {loss[1]:.3f} without layer 0 head 2, layer 1 head 4"
    root.locator(".loss", has_text=words).wait_for()
    root.locator('.cell[data-layer="3"][data-head="1"]').click()  # a later head sees what those before left
    root.get_by_role("heading", name="Layer 3, head 1").wait_for()
    root.locator(f'.token[data-i="{last}"]').click()
    assert f"{without.attention[3, 0, 1, last].max():.4f}" in told.inner_text()

    selected = page.locator(".jp-Notebook .jp-Cell.jp-mod-active")
    before = selected.count()
    page.keyboard.press("a")  # in JupyterLab's command mode this would put in a cell
    page.keyboard.press("ArrowLeft")
    assert f"(token {last - 1})" in told.inner_text() or "Pinned" in told.inner_text()
    assert page.locator(".jp-Notebook .jp-Cell").count() == before == 1

    prompt.fill("")
    root.get_by_role("button", name="Read").click()
    root.get_by_role("alert").filter(has_text="expected at least 2").wait_for()
    assert [each for each in seen.errors if "explorer" in each.lower()] == []
