"""The attention explorer's page, opened from disk in a real browser that reaches no network."""

import base64
import re
from dataclasses import replace

import nbformat
import pytest
import torch

import minillama
from minillama import viz
from minillama.config import ModelConfig
from minillama.course.notebooks import strip
from minillama.model import Llama, Pieces
from minillama.trace import ablate, token_losses, trace
from minillama.viz.explorer_ablation import head_groups
from tests.browser.pages import DESKTOP, PHONE, SCHEMES, show_notebook
from tests.browser.test_lessons import HARD_TO_READ

TEXT = "Once upon a time, there was a robot named Zorbik Quamel. One day Zorbik"
WEIGHT = 0.00002  # weights come as 16-bit codes and are written with five digits
CONTENT = 'document.querySelector("#explorer > div").shadowRoot.querySelector(".root")'

# What a screen reader would meet without a name, and grids that the keyboard cannot enter or that have no rows.
NAMELESS = f"""
() => {{
  const root = {CONTENT}, found = [];
  const name = (each) => (each.getAttribute("aria-label") ?? each.labels?.[0]?.innerText ?? each.textContent).trim();
  const roles = ["grid", "gridcell", "img", "group", "region"].map((each) => `[role=${{each}}]`);
  const asked = ["button", "input", "summary", "[tabindex]", ...roles].join();
  for (const each of root.querySelectorAll(asked)) if (!name(each)) found.push(each.outerHTML.slice(0, 120));
  for (const grid of root.querySelectorAll("[role=grid]")) {{
    const cells = [...grid.querySelectorAll("[role=gridcell]")];
    const label = grid.getAttribute("aria-label");
    if (cells.filter((each) => each.tabIndex === 0).length !== 1) found.push(`${{label}}: not one cell for Tab`);
    if (cells.some((each) => each.parentElement.getAttribute("role") !== "row")) found.push(`${{label}}: no row`);
  }}
  for (const canvas of root.querySelectorAll("canvas")) if (!canvas.closest("[aria-hidden=true]")) found.push("canvas");
  const ids = [...root.querySelectorAll("[id]")].map((each) => each.id);
  if (new Set(ids).size !== ids.length) found.push("an id twice");
  return found;
}}
"""
STICKS_OUT = f"""
() => {{
  const found = document.documentElement.scrollWidth > innerWidth ? ["the page scrolls sideways"] : [];
  for (const each of {CONTENT}.querySelectorAll("*:not(svg *)"))
    if (each.checkVisibility() && !each.closest(".scroll, .all") && each.getBoundingClientRect().right > innerWidth + 1)
      found.push(each.outerHTML.slice(0, 100));
  return found;
}}
"""


@pytest.fixture(scope="module")
def bundled():
    return minillama.load()


@pytest.fixture(scope="module")
def explorer(bundled):
    return viz.explore(*bundled, TEXT, focus="induction")


@pytest.fixture(scope="module")
def address(explorer, tmp_path_factory):
    path = tmp_path_factory.mktemp("explorer") / "page.html"
    explorer.to_html(path)
    return path.as_uri()


@pytest.fixture
def show(visit):
    """`show(address)` opens a page, waits until all heads are drawn, and checks at the end that nothing went wrong."""
    seen = []

    def open_one(address, *arguments, **options):
        seen.append(visit(*arguments, **options))
        page = seen[-1].page
        page.goto(address)
        page.locator(".root[data-painted]").wait_for()
        return page

    yield open_one
    for each in seen:
        assert each.errors == []
        assert each.refused == []


def token(page, i):
    return page.locator(f'.token[data-i="{i}"]')


def say(page):
    return page.get_by_role("status").inner_text()


def choose_head(page, layer, head):
    page.get_by_role("grid", name="All heads").locator(f'[data-layer="{layer}"][data-head="{head}"]').click()
    page.locator(f'.root[data-head$=" {layer} {head} attention"]').wait_for()


def strongest(weights, row):
    return int(weights[row].argmax())


def test_ten_weights_are_the_models(show, address, explorer):
    page, attention = show(address), explorer.trace.attention[:, 0]
    T = attention.shape[-1]
    page.get_by_text("every weight of this row").click()
    checked = 0
    for layer, head, q in ((0, 2, 5), (1, 4, T - 1), (3, 7, T - 2)):
        choose_head(page, layer, head)
        token(page, q).click()
        rows = page.locator(".all tbody tr")
        assert rows.count() == q + 1
        for k in (0, q // 2, q - 1, q):
            cells = rows.nth(k).locator("td").all_inner_texts()
            assert float(cells[0]) == pytest.approx(attention[layer, head, q, k].item(), abs=WEIGHT)
            brought = explorer.trace.weighted_attention[layer, 0, head, q]
            assert float(cells[2]) == pytest.approx((brought[k] / brought.sum()).item(), abs=2 * WEIGHT)
            checked += 1
    assert checked >= 10


def test_hover_looks_a_pin_stays_and_escape_clears(show, address, explorer):
    page = show(address)
    words = [word for word, _ in (explorer.payload()["pieces"][str(each)] for each in explorer.tokens[0].tolist())]
    weights = explorer.trace.attention[explorer.focus[0], 0, explorer.focus[1]]
    last = len(words) - 1
    assert say(page).startswith(f"“{words[last]}” (token {last}) looks most at")
    token(page, 4).hover()
    best = strongest(weights, 4)
    assert f"“{words[4]}” (token 4) looks most at “{words[best]}” (token {best}) {weights[4, best]:.4f}" in say(page)
    assert token(page, best).locator(".score").inner_text() == f"{weights[4, best]:.2f}"
    token(page, 4).click()
    assert say(page).startswith("Pinned. ")
    token(page, 2).hover()
    assert f"looks at “{words[2]}” (token 2) with weight {weights[4, 2]:.4f}" in say(page)  # the pinned one still looks
    token(page, 9).hover()
    assert f"Pinned. “{words[4]}”" in say(page)
    page.keyboard.press("Escape")
    page.get_by_role("heading", name="Attention explorer").hover()
    assert say(page).startswith(f"“{words[last]}” (token {last}) looks most at")


def test_the_heat_map_tells_the_weight_under_the_mouse(show, address, explorer):
    page, T = show(address), explorer.tokens.shape[1]
    weights = explorer.trace.attention[explorer.focus[0], 0, explorer.focus[1]]
    box = page.locator(".square").bounding_box()
    q, k = T - 1, strongest(weights, T - 1)
    page.mouse.move(box["x"] + (k + 0.5) * box["width"] / T, box["y"] + (q + 0.5) * box["height"] / T)
    assert f"(token {k}) with weight {weights[q, k]:.4f}" in say(page)
    page.mouse.down()
    page.mouse.up()
    page.mouse.move(5, 5)
    assert f"(token {k}) with weight {weights[q, k]:.4f}" in say(page)
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 2)  # above the diagonal nothing is looked at
    assert "Pinned" in say(page)


def test_everything_can_be_done_by_keyboard(show, address, explorer):
    page = show(address)
    heads = page.get_by_role("grid", name="All heads")
    heads.locator('[tabindex="0"]').focus()
    for key in ("Home", "ArrowUp", "ArrowUp", "ArrowRight"):
        page.keyboard.press(key)
    page.locator('.root[data-head$=" 0 1 attention"]').wait_for()
    focused = heads.locator('[aria-selected="true"]')
    assert focused.get_attribute("aria-label").startswith("layer 0, head 1, induction")
    assert focused.evaluate("each => each.getRootNode().activeElement === each")

    tokens = page.get_by_role("grid", name="Tokens of the text")
    tokens.locator('[tabindex="0"]').focus()
    page.keyboard.press("ArrowLeft")
    last = explorer.tokens.shape[1] - 1
    assert f"(token {last - 1}) looks most at" in say(page)
    page.keyboard.press("Enter")
    assert token(page, last - 1).get_attribute("aria-selected") == "true"
    page.keyboard.press("Home")
    assert say(page).startswith("Pinned. ")
    page.keyboard.press("Escape")
    assert "Pinned" not in say(page)
    assert tokens.locator('[aria-selected="true"]').count() == 0

    square = page.locator(".square [role=gridcell]")
    square.focus()
    for key in ("ArrowUp", "ArrowLeft", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    label = square.get_attribute("aria-label")
    weight = re.search(r"looks at .*: (\d\.\d{4})$", label)[1]
    assert say(page).startswith("Pinned. ")
    assert weight in say(page)


def test_a_kind_finds_its_strongest_heads(show, address, explorer):
    page, scores = show(address), explorer.scores["previous token"]
    page.get_by_role("button", name="previous token", exact=True).click()
    best = divmod(int(scores.argmax()), scores.shape[1])
    page.get_by_role("heading", name=f"Layer {best[0]}, head {best[1]}").wait_for()
    found = page.get_by_role("group", name="Strongest heads of this kind").get_by_role("button").all_inner_texts()
    assert [each.split()[-1] for each in found] == [
        f"{each:.2f}" for each in scores.flatten().sort(descending=True)[0][:5]
    ]


def test_a_head_switched_off_shows_the_loss_and_what_comes_next(show, address, explorer, bundled):
    page, (model, _) = show(address), bundled
    layer, head = explorer.focus
    with torch.no_grad(), ablate(model, [(layer, head)]):
        logits = model(explorer.tokens)
    loss = token_losses(logits, explorer.tokens).mean()
    page.get_by_role("button", name="switch this head off").click()
    told = page.locator(".loss").inner_text()
    assert f"{loss:.3f} without layer {layer} head {head}" in told
    first = page.locator(".next tbody tr").first.locator("td").all_inner_texts()
    assert first[2] == f"{100 * logits[0, -1].softmax(-1).max():.0f}%"
    cell = page.locator(f'.cell[data-layer="{layer}"][data-head="{head}"]')
    assert cell.get_attribute("aria-label").endswith("switched off")
    page.get_by_role("button", name="switch this head on").click()
    assert "without" not in page.locator(".loss").inner_text()


def test_the_strongest_are_switched_off_together_and_others_drawn_blindly(show, address, explorer, bundled):
    page, (model, _) = show(address), bundled
    together = page.get_by_role("group", name="Several heads at once")
    for words, group in zip(("switch these 8 off", "switch 8 others off"), ("strong", "drawn"), strict=True):
        heads = head_groups(explorer.scores, seed=explorer.times_read)["induction"][group]["heads"]
        with torch.no_grad(), ablate(model, heads):
            loss = token_losses(model(explorer.tokens), explorer.tokens).mean()
        together.get_by_role("button", name=words).click()
        assert f"{loss:.3f} without 8 heads" in page.locator(".loss").inner_text()
        assert page.locator(".cell.off").count() == 8
    together.get_by_role("button", name="all heads on").click()
    assert page.locator(".cell.off").count() == 0
    assert together.get_by_role("button").count() == 2


def test_value_lengths_change_what_is_shown(show, address, explorer):
    page = show(address)
    page.get_by_role("button", name="attention × value length").click()
    page.locator('.root[data-head$=" value"]').wait_for()
    layer, head = explorer.focus
    brought = explorer.trace.weighted_attention[layer, 0, head, -1]
    share = brought / brought.sum()
    assert f"(token {int(share.argmax())}) {share.max():.4f}" in say(page)


def test_the_lens_follows_the_token(show, address, explorer):
    page = show(address)
    token(page, 3).hover()
    lens, pieces = explorer.payload()["frames"][0]["lens"], explorer.payload()["pieces"]
    last = page.locator(".lens tbody tr").last.locator("td").first.inner_text()
    assert last.startswith(pieces[str(lens["ids"][-1][3][0])][0])
    assert page.locator(".lens tbody tr").count() == 5


def test_snapshots_move_with_the_slider(show, bundled, tmp_path):
    model, tokenizer = bundled
    config = replace(model.config, dim=64, n_layers=3, n_heads=4, n_kv_heads=2, head_dim=16, hidden_dim=64)
    snapshots = {step: Llama(config) for step in (300, 2000)}
    for step, each in snapshots.items():
        each.init_weights(step)
    seen = viz.explore(model, tokenizer, TEXT, snapshots=snapshots)
    seen.to_html(tmp_path / "page.html")
    page = show((tmp_path / "page.html").as_uri())
    slider = page.get_by_role("slider", name="Moment of the training")
    assert slider.get_attribute("aria-valuetext") == "this model"
    slider.focus()
    page.keyboard.press("Home")
    assert slider.get_attribute("aria-valuetext") == "step 300"
    page.locator('.root[data-painted="0"]').wait_for()
    assert page.locator(".cell").count() == 12
    choose_head(page, 0, 0)
    assert page.get_by_role("button", name="switch this head off").is_disabled()
    expected = trace(snapshots[300], seen.tokens).attention[0, 0, 0]
    token(page, 6).hover()
    assert f"{expected[6].max():.4f}" in say(page)


def test_a_leak_lights_up_above_the_diagonal(show, tmp_path, bundled):
    def peeking_mask(T, S, window=None):
        return torch.ones(T, S, dtype=torch.bool).tril(S - T + 1)

    model, tokenizer = bundled
    leaky = Llama(model.config, Pieces(causal_mask=peeking_mask))
    leaky.load_state_dict(model.state_dict())
    seen = viz.explore(leaky, tokenizer, TEXT, focus=(0, 3))
    seen.to_html(tmp_path / "page.html")
    page = show((tmp_path / "page.html").as_uri())
    token(page, 5).hover()
    weight = seen.trace.attention[0, 0, 3, 5, 6].item()
    assert weight > 0.001
    box, T = page.locator(".square").bounding_box(), seen.tokens.shape[1]
    page.mouse.move(box["x"] + 6.5 * box["width"] / T, box["y"] + 5.5 * box["height"] / T)
    assert f"(token 6) with weight {weight:.4f}" in say(page)
    assert page.locator(".token.after").count() == 0


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_fits_and_can_be_read(show, address, size, scheme):
    page = show(address, size, scheme)
    page.get_by_role("button", name="switch this head off").click()
    token(page, 7).click()
    page.get_by_text("every weight of this row").click()
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(STICKS_OUT) == []
    assert page.evaluate(HARD_TO_READ.replace('document.querySelector("main")', CONTENT)) == []
    ground = page.evaluate(f"getComputedStyle({CONTENT}).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 200) == (scheme == "dark")


def test_128_tokens_of_12_layers_of_12_heads(show, tmp_path):
    config = ModelConfig(dim=96, n_layers=12, n_heads=12, n_kv_heads=12, hidden_dim=96, vocab_size=600, max_seq_len=256)
    model = Llama(config)
    model.init_weights(0)

    class Numbers:
        def encode(self, text):
            return [(37 * i) % 600 for i in range(int(text))]

        def decode(self, ids):
            return "".join(f" w{each}" for each in ids)

        piece = decode

    seen = viz.explore(model, Numbers(), "128")
    page_text = seen.to_html(tmp_path / "page.html")
    assert len(page_text.encode()) <= 3_000_000
    page = show((tmp_path / "page.html").as_uri())
    assert page.locator(".cell").count() == 144
    choose_head(page, 11, 7)
    token(page, 100).hover()
    row = seen.trace.attention[11, 0, 7, 100]
    assert f"(token {int(row.argmax())}) {row.max():.4f}" in say(page)


def test_a_notebooks_output_shows_the_page_and_hides_the_picture(visit, explorer, tmp_path, monkeypatch):
    outputs = []
    monkeypatch.setattr(
        "IPython.display.publish_display_data", lambda data, metadata=None: outputs.append((data, metadata))
    )
    explorer._ipython_display_()
    cell = nbformat.v4.new_code_cell("1")
    cell.outputs = [nbformat.v4.new_output("display_data", data, metadata=metadata or {}) for data, metadata in outputs]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Title"), cell])
    strip(notebook)
    nbformat.write(notebook, tmp_path / "live.ipynb")
    seen = visit()
    show_notebook(seen, tmp_path / "live.ipynb", "light", tmp_path)
    frame = seen.page.frame_locator("iframe")
    frame.locator(".root[data-painted]").wait_for()
    assert frame.get_by_role("heading", name="Attention explorer").is_visible()
    assert not seen.page.locator("img").is_visible()
    seen.page.wait_for_function("document.querySelector('iframe').clientHeight !== 900")
    assert seen.errors == seen.refused == []

    cell.outputs[0].data["text/html"] = re.sub(  # as GitHub does
        r"<(style|iframe).*?</\1>", "", cell.outputs[0].data["text/html"], flags=re.DOTALL
    )
    nbformat.write(notebook, tmp_path / "still.ipynb")
    show_notebook(seen, tmp_path / "still.ipynb", "light", tmp_path)
    assert seen.page.locator("img").bounding_box()["width"] > 300


# What VS Code lets a notebook's output do: scripts within the page, pictures as data, nothing from elsewhere.
VS_CODE = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data:; "
    "child-src data:"
)


@pytest.mark.parametrize("rules", [VS_CODE, "default-src 'none'; style-src 'unsafe-inline'; img-src data:"])
def test_the_page_shows_without_require_js_or_a_cdn(visit, explorer, tmp_path, rules):
    """An output is put in as HTML, as VS Code does; where no script may run, the picture below still stands."""
    data = base64.b64encode(explorer.picture().png).decode()
    page = f"""<!doctype html><meta charset=utf-8><meta http-equiv="Content-Security-Policy" content="{rules}">
    <div>{explorer._repr_mimebundle_()["text/html"]}</div><div><img src="data:image/png;base64,{data}"></div>"""
    (tmp_path / "output.html").write_text(page, encoding="utf-8")
    seen = visit()
    seen.page.goto((tmp_path / "output.html").as_uri())
    frame = seen.page.frame_locator("iframe")
    if rules is VS_CODE:
        frame.locator(".root[data-painted]").wait_for()
        assert seen.errors == []
    else:
        assert frame.get_by_text("needs JavaScript").is_visible() or seen.errors
    assert seen.page.locator("img").bounding_box()["width"] > 300
    assert seen.refused == []
