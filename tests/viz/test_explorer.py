"""The explorer's payload holds the model's numbers; its objects are what a notebook shows."""

import base64
import json
import math
import re
import sys

import pytest
import torch
from circuits import INDUCTION_HEAD, PREVIOUS_HEAD, VOCABULARY, induction_llama

import minillama
from minillama import viz
from minillama.attention import causal_mask
from minillama.config import ModelConfig
from minillama.errors import ConfigError, DataError
from minillama.model import Llama, Pieces
from minillama.trace import ablate, logit_lens, token_losses, trace
from minillama.viz.explorer_payload import (
    decode_weights,
    encode_weights,
    is_square,
    lens_payload,
    next_tokens,
    numbers,
    outcome,
    spell,
    weight_range,
)

STEP = 1 / 65534  # a weight comes back to within half of it
TEXT = "z" + 3 * "qwerty"


class Letters:
    """A tokenizer whose pieces are letters, without a start token."""

    def encode(self, text):
        return [ord(letter) - ord("a") for letter in text]

    def decode(self, ids):
        return "".join(chr(each + ord("a")) for each in ids)

    piece = decode


@pytest.fixture(scope="module")
def model():
    assert VOCABULARY >= 26
    return induction_llama()


@pytest.fixture(scope="module")
def explorer(model):
    return viz.explore(model, Letters(), TEXT, focus="induction")


@pytest.fixture(scope="module")
def payload(explorer):
    return explorer.payload()


def causal_weights(*shape):
    T = shape[-1]
    scores = torch.randn(*shape, T, generator=torch.Generator().manual_seed(0))
    return scores.masked_fill(~causal_mask(T, T), -torch.inf).softmax(-1)


# Weights


def test_weights_come_back_to_within_half_a_step():
    weights = causal_weights(3, 17)
    back = decode_weights(encode_weights(weights), 3, 17)
    assert (back - weights).abs().max() <= 0.51 * STEP
    assert (back.triu(1) == 0).all()


def test_what_stands_above_the_diagonal_is_kept_and_noticed():
    weights = causal_weights(2, 9)
    assert not is_square(weights)
    weights[1, 3, 4] = 0.25
    assert is_square(weights)
    back = decode_weights(encode_weights(weights, square=True), 2, 9, square=True)
    assert (back - weights).abs().max() <= 0.51 * STEP


def test_weights_outside_of_0_and_1_and_missing_ones_come_back():
    weights = 7 * causal_weights(2, 5) - 0.5
    weights[0, 2, 1] = torch.nan
    span = weight_range(weights)
    assert span == (-0.5, weights[weights.isfinite()].max().item())
    back = decode_weights(encode_weights(weights, True, span), 2, 5, True, span)
    assert back[0, 2, 1].isnan()
    torch.testing.assert_close(back.float(), weights, rtol=0, atol=0.6 * STEP * (span[1] - span[0]), equal_nan=True)
    assert weight_range(torch.full((1, 2, 2), torch.nan)) == (0.0, 1.0)


def test_the_same_weights_give_the_same_text():
    assert encode_weights(causal_weights(2, 6)) == encode_weights(causal_weights(2, 6))


# Numbers


def test_numbers_are_rounded_and_json_can_hold_them():
    assert numbers(torch.tensor([[1 / 3, math.inf], [math.nan, 2e-9]])) == [[0.33333, None], [None, 2e-9]]
    assert numbers(123456.0, 2) == 120000.0


def test_next_tokens_are_the_likeliest():
    assert next_tokens(torch.tensor([0.0, 9.0, 3.0]).log_softmax(-1), 2) == [[1, 0.9974], [2, 0.0024723]]


def test_tokens_are_spelled_for_people():
    _, tokenizer = minillama.load()
    spelled = [spell(tokenizer, each) for each in tokenizer.encode("Once\nZor")]
    assert spelled[:3] == [["<s>", False], ["Once", True], ["⏎", False]]
    assert spell(tokenizer, 3 + 0xC3) == ["<0xC3>", False]
    assert spell(Letters(), 2) == ["c", False]


def test_the_payload_holds_what_trace_gives(model, explorer, payload):
    seen, tokens = trace(model, explorer.tokens), explorer.tokens
    (frame,) = payload["frames"]
    assert payload["tokens"] == tokens[0].tolist()
    for layer in range(2):
        back = decode_weights(frame["weights"][layer], 4, len(TEXT), frame["square"], frame["span"])
        assert (back - seen.attention[layer, 0]).abs().max() <= 0.51 * STEP
    torch.testing.assert_close(torch.tensor(frame["value_norms"]), seen.value_norms[:, 0], rtol=1e-4, atol=0)
    losses = token_losses(seen.logits, tokens)
    assert frame["loss"] == pytest.approx(losses.mean().item(), rel=1e-4)
    assert frame["losses"] == pytest.approx(losses[0].tolist(), rel=1e-3, abs=1e-6)
    lens, last = logit_lens(model, seen)[:, 0].softmax(-1), frame["lens"]
    assert last["ids"][-1][-1][0] == frame["next"][0][0]
    assert last["true"][-1] == pytest.approx(torch.exp(-losses[0]).tolist(), rel=2e-3)
    assert last["chances"][1][4] == pytest.approx(lens[1, 4].topk(3).values.tolist(), rel=5e-3)


def test_each_head_alone_is_switched_off(model, explorer, payload):
    ablation = payload["frames"][0]["ablation"]
    for layer, head in ((1, 0), INDUCTION_HEAD, PREVIOUS_HEAD):
        with torch.no_grad(), ablate(model, [(layer, head)]):
            expected = outcome(model(explorer.tokens), explorer.tokens)
        assert {key: ablation[key][layer][head] for key in expected} == expected
    layer, head = INDUCTION_HEAD
    assert ablation["loss"][layer][head] > payload["frames"][0]["loss"] + 0.1


def test_scores_find_the_heads_that_were_built_in(payload, explorer):
    assert tuple(payload["focus"]) == INDUCTION_HEAD == explorer.focus
    assert payload["kind"] == "induction"
    scores = payload["frames"][0]["scores"]
    layer, head = PREVIOUS_HEAD
    assert scores["previous token"][layer][head] == max(max(row) for row in scores["previous token"]) > 0.9
    assert set(scores) == set(payload["kinds"])


def test_every_token_that_is_named_is_spelled(payload):
    named = {token for rank in payload["frames"][0]["lens"]["ids"] for place in rank for token in place}
    named |= {token for token, _ in payload["frames"][0]["next"]} | set(payload["tokens"])
    assert {str(token) for token in named} <= payload["pieces"].keys()


def test_scores_of_ones_own_are_offered_too(model):
    own = torch.zeros(2, 4)
    own[1, 2] = 0.75
    seen = viz.explore(model, Letters(), TEXT, scores={"my kind": own}, focus="my kind")
    assert seen.focus == (1, 2)
    assert seen.payload()["frames"][0]["scores"]["my kind"][1][2] == 0.75


# Models


def test_a_mask_that_is_one_ahead_lights_up_what_is_above_the_diagonal():
    def peeking_mask(T, S, window=None):
        return torch.ones(T, S, dtype=torch.bool).tril(S - T + 1)

    config = ModelConfig(dim=16, n_layers=1, n_heads=2, n_kv_heads=1, hidden_dim=16, vocab_size=26, max_seq_len=64)
    leaky = Llama(config, Pieces(causal_mask=peeking_mask))
    leaky.init_weights(0)
    (frame,) = viz.explore(leaky, Letters(), "abcabc").payload()["frames"]
    assert frame["square"]
    weights = decode_weights(frame["weights"][0], 2, 6, True, frame["span"])
    assert (weights.diagonal(1, dim1=-2, dim2=-1) > 0.01).all()


def test_snapshots_stand_before_the_model(model):
    earlier = induction_llama()
    earlier.layers[1].attention.wo.weight.zero_()
    seen = viz.explore(model, Letters(), TEXT, snapshots={1000: earlier})
    first, last = seen.payload()["frames"]
    assert (first["label"], last["label"]) == ("step 1,000", "this model")
    assert first["loss"] > last["loss"]
    assert "ablation" not in first


def test_many_heads_are_not_switched_off_one_by_one_and_a_word_says_so(model, monkeypatch):
    monkeypatch.setattr("minillama.viz.explorer.MAX_ABLATED", 7)
    payload = viz.explore(model, Letters(), TEXT).payload()
    assert "ablation" not in payload["frames"][0]
    assert payload["notes"]["ablation"].startswith("8 heads are too many")


def test_a_long_text_is_cut_and_a_word_says_so(model):
    payload = viz.explore(model, Letters(), 9 * "abc", max_tokens=20).payload()
    assert len(payload["tokens"]) == 20
    assert payload["notes"]["text"] == "the first 20 of 27 tokens"


def test_what_cannot_be_shown_is_named(model):
    with pytest.raises(DataError, match="1 tokens, expected at least 2"):
        viz.explore(model, Letters(), "a")
    with pytest.raises(ConfigError, match="focus is 'copies', expected"):
        viz.explore(model, Letters(), TEXT, focus="copies")
    with pytest.raises(ConfigError, match=r"focus is \(2, 0\)"):
        viz.explore(model, Letters(), TEXT, focus=(2, 0))
    other = Llama(
        ModelConfig(dim=16, n_layers=1, n_heads=2, n_kv_heads=1, hidden_dim=16, vocab_size=30, max_seq_len=64)
    )
    with pytest.raises(ConfigError, match="one tokenizer"):
        viz.explore(model, Letters(), TEXT, snapshots={"old": other})


@pytest.mark.shared
def test_another_checkpoint_is_explored_with_its_own_words(shared_data):
    model, tokenizer = minillama.load(
        shared_data / "stories260K.bin", tokenizer=shared_data / "tok512.bin", pieces=Pieces()
    )
    explorer = viz.explore(model, tokenizer, "Once upon a time, there was a little girl", focus="induction")
    payload = explorer.payload()
    (frame,) = payload["frames"]
    assert (frame["layers"], frame["heads"]) == (model.config.n_layers, model.config.n_heads)
    assert "ablation" in frame
    assert payload["pieces"][str(payload["tokens"][1])][0] == "Once"
    assert "srcdoc=" in explorer._repr_mimebundle_()["text/html"]


# Pages and what a notebook shows


def test_the_page_holds_everything_and_asks_for_nothing(explorer, payload, tmp_path):
    page = explorer.to_html(tmp_path / "page.html", title="A <b>page</b>")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page
    assert "A &lt;b&gt;page&lt;/b&gt;" in page
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?!data:)\w+|@import|url\(""", page)
    assert re.findall(r"https?://[^\s\"'`]+", page) == ["http://www.w3.org/2000/svg"]  # a name, which nobody fetches
    data = re.search(r'<script type="application/json" id="payload">(.*?)</script>', page, re.DOTALL)[1]
    assert json.loads(data) == json.loads(json.dumps(payload))


def test_text_cannot_end_the_script_that_holds_it(model):
    class Tagged(Letters):
        def decode(self, ids):
            return "</script>"

    page = viz.explore(model, Tagged(), TEXT).to_html()
    assert page.count("</script>") == 2


def displayed(explorer, monkeypatch):
    """The outputs of a cell that ends with an explorer: pairs of data and metadata."""
    outputs = []
    monkeypatch.setattr(
        "IPython.display.publish_display_data", lambda data, metadata=None: outputs.append((data, metadata))
    )
    explorer._ipython_display_()
    return outputs


def test_a_notebook_gets_words_a_page_a_live_view_and_a_picture(explorer, monkeypatch):
    (shown, _), (still, metadata) = displayed(explorer, monkeypatch)
    assert shown["text/plain"].startswith("[attention explorer: Attention of 2 layers of 4 heads over 19 tokens.")
    assert "srcdoc=" in shown["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert base64.b64decode(still["image/png"]).startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"].startswith("Attention of 2 layers of 4 heads")


def test_without_anywidget_the_page_and_the_picture_show(explorer, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "minillama.viz.explorer_live", raising=False)
    (shown, _), (still, _) = displayed(explorer, monkeypatch)
    assert shown.keys() == {"text/plain", "text/html"}
    assert "srcdoc=" in shown["text/html"]
    assert "image/png" in still


def test_a_page_too_large_for_a_notebook_leaves_the_picture(explorer, monkeypatch):
    monkeypatch.setattr("minillama.viz.explorer.MAX_INLINE", 100)
    (shown, _), (still, _) = displayed(explorer, monkeypatch)
    assert "srcdoc=" not in shown["text/html"]
    assert "to_html(path)" in shown["text/html"]
    assert "image/png" in still


def test_groups_are_switched_off_together(payload, model, explorer):
    for kind, head in (("induction", INDUCTION_HEAD), ("previous token", PREVIOUS_HEAD)):
        strong, drawn = payload["frames"][0]["groups"][kind].values()
        assert strong["heads"] == [head]
        assert len(drawn["heads"]) == 1
        assert drawn["heads"] != strong["heads"]
        for group in (strong, drawn):
            with torch.no_grad(), ablate(model, group["heads"]):
                loss = token_losses(model(explorer.tokens), explorer.tokens).mean().item()
            assert group["loss"] == pytest.approx(loss, rel=1e-4)
    assert strong["loss"] > payload["frames"][0]["loss"] + 0.1


# Live


@pytest.fixture
def live(model):
    pytest.importorskip("anywidget")
    from minillama.viz.explorer_live import live_widget

    widget = live_widget(viz.explore(model, Letters(), TEXT))
    widget.sent = []
    widget.send = widget.sent.append
    return widget


def test_a_text_edited_runs_the_model_again(live):
    live.answer(live, {"type": "run", "text": "abcabc", "off": []})
    assert live.sent == [{"type": "done"}]
    assert live.payload["tokens"] == [0, 1, 2, 0, 1, 2]
    assert "ablation" not in live.payload["frames"][0]


def test_heads_switched_off_run_the_model_again(live, model):
    before = live.payload["frames"][0]["loss"]
    live.answer(live, {"type": "run", "text": TEXT, "off": [list(INDUCTION_HEAD), list(PREVIOUS_HEAD)]})
    (frame,) = live.payload["frames"]
    assert frame["baseline"]["loss"] == before < frame["loss"]
    assert frame["off"] == [list(PREVIOUS_HEAD), list(INDUCTION_HEAD)]
    with ablate(model, [INDUCTION_HEAD, PREVIOUS_HEAD]):
        expected = trace(model, torch.tensor([Letters().encode(TEXT)]))
    back = decode_weights(frame["weights"][1], 4, len(TEXT))
    assert (back - expected.attention[1, 0]).abs().max() <= 0.51 * STEP


def test_an_error_is_told_and_the_old_text_stays(live):
    live.answer(live, {"type": "run", "text": "a", "off": []})
    assert live.sent[0]["type"] == "error"
    assert "expected at least 2" in live.sent[0]["text"]
    assert live.explorer.text == TEXT


def test_layers_come_when_they_are_asked_for(model, monkeypatch):
    monkeypatch.setattr("minillama.viz.explorer.MAX_INLINE", 100)
    pytest.importorskip("anywidget")
    from minillama.viz.explorer_live import live_widget

    widget = live_widget(viz.explore(model, Letters(), TEXT))
    assert widget.payload["frames"][0]["weights"] == [None, None]
    sent = []
    widget.send = sent.append
    widget.answer(widget, {"type": "layer", "layer": 1, "run": 3})
    assert (sent[0]["layer"], sent[0]["run"]) == (1, 3)
    back = decode_weights(sent[0]["weights"], 4, len(TEXT))
    assert (back - widget.explorer.trace.attention[1, 0]).abs().max() <= 0.51 * STEP


def test_the_lens_ends_with_the_model():
    tokens = torch.tensor([[1, 2, 0]])
    lens = torch.randn(3, 1, 3, 5, generator=torch.Generator().manual_seed(1))
    found = lens_payload(lens, tokens)
    assert found["ids"][2][2] == lens[2, 0, 2].topk(3).indices.tolist()
    assert found["true"][0] == pytest.approx(
        [lens[0, 0, 0].softmax(-1)[2].item(), lens[0, 0, 1].softmax(-1)[0].item()], rel=5e-3
    )
