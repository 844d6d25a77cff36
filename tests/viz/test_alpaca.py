import pytest

import minillama
from minillama.train.alpaca import Sample
from minillama.viz import alpaca


@pytest.fixture(scope="module")
def tokenizer():
    return minillama.load_tokenizer(minillama.checkpoint.bundled.bundled_model())


def test_labels_show_what_counts(tokenizer):
    ids = tokenizer.encode("Say it.\n# Now.")
    samples = [Sample(tokens=ids, labels=[-100] * (len(ids) - n) + ids[-n:]) for n in (1, 2)]
    assert {"\\n", "#"} <= set(alpaca.spell(ids, tokenizer))
    control = alpaca.labels(samples, tokenizer)
    figure = control.draw(2)
    fills = [patch.get_facecolor() for patch in figure.axes[0].patches]
    assert len(fills) == len(ids)
    assert len(set(fills[:-2])) == 1
    assert fills[-2:] == [fills[-1]] * 2 != fills[:2]
    assert "the 2 dark ones count" in figure.axes[0].get_title(loc="left")
    assert f"{1.5 / len(ids):.0%} of the tokens" in control.alt


def test_scores_are_sorted_and_kinds_that_stand_apart_come_last():
    scores = {"before": {"a": 0.0, "b": 0.5, "c": 0.1}, "after": {"a": 0.5, "b": 1.0, "c": 0.0}}
    picture = alpaca.plot_scores(scores, "Right answers", apart=("c",), called="never taught")
    assert picture.alt == ("Right answers, by kind of task. On average: before 25%, after 75%. Never taught: 0%.")
    assert alpaca.plot_scores(scores, "Right answers").alt.endswith("On average: before 20%, after 50%.")


def test_asking_uses_the_template(monkeypatch):
    asked = []

    def answer(model, tokenizer, prompt, *arguments, **options):
        asked.append((prompt, options))
        return " fox "

    monkeypatch.setattr(alpaca, "generate", answer)
    asker = alpaca.Asker(None, None, "Name the first. | Words: fox, owl")
    assert asker.tell(asker.prompt) == "Name the first. | Words: fox, owl\n→ fox"
    assert "→ fox" in asker.first()
    assert "…" not in asker.first()
    assert "### Instruction:\nName the first.\n\n### Input:\nWords: fox, owl\n\n### Response:" in asked[0][0]
    assert asked[0][1] == {}
    assert "instruction" in repr(asker)
