"""Questions about stories: right answers by another way of computing them."""

import pytest
import torch

from minillama.checkpoint.loading import load, load_tokenizer
from minillama.config import ModelConfig
from minillama.errors import DataError
from minillama.model import Llama
from minillama.tokenizer import Tokenizer
from minillama.train import story_probes
from minillama.train.corpus import ConsistencyItem, story
from minillama.train.story_probes import (
    Fluency,
    consistency,
    fluency,
    held_out_loss,
    is_consistent,
    make_story_probes,
)

SIZES = {"dim": 32, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2, "hidden_dim": 32, "vocab_size": 2048, "tied": True}


@pytest.fixture(scope="module")
def small() -> tuple[Llama, Tokenizer]:
    model = Llama(ModelConfig(**SIZES, max_seq_len=128)).requires_grad_(False)
    model.init_weights(3)
    model.tok_embeddings.weight.mul_(20)
    return model, load_tokenizer()


def log_p(model: Llama, tokenizer: Tokenizer, text: str) -> float:
    ids = torch.tensor([tokenizer.encode(text)])
    return model(ids)[0, :-1].log_softmax(-1).gather(-1, ids[0, 1:, None]).sum().item()


ENDS = [(" she", " he"), (" red kite", " blue kite"), (" kite", " kite and a ball"), (" herself", " Zorbik Quamel")]


@pytest.mark.parametrize("ends", ENDS + [ends[::-1] for ends in ENDS])
@pytest.mark.parametrize("context", ["Once upon a time,", "Mira had a red kite. Ben had a blue kite, so Mira took the"])
def test_the_likelier_text_wins(small: tuple[Llama, Tokenizer], context: str, ends: tuple[str, str]) -> None:
    right, wrong = (log_p(*small, context + end) for end in ends)
    assert is_consistent(*small, ConsistencyItem(context, *ends)) == (right > wrong)


def test_the_bundled_model_knows_she_from_he() -> None:
    model, tokenizer = load(quant="none", dtype="float32")
    context = "Once upon a time, there was a girl named Lily. Lily wanted a cake. Lily was so happy that"
    assert is_consistent(model, tokenizer, ConsistencyItem(context, " she", " he"))
    assert not is_consistent(model, tokenizer, ConsistencyItem(context, " he", " she"))


def test_items_that_do_not_fit_are_left_out(small: tuple[Llama, Tokenizer]) -> None:
    long, short = ConsistencyItem("Mira ran. " * 80, "She", "He"), ConsistencyItem("Mira ran.", " She", " He")
    assert is_consistent(*small, long) is None
    assert consistency(*small, [long, short]) == float(is_consistent(*small, short) or False)
    with pytest.raises(DataError, match="no item of 1 fits into 128 tokens"):
        consistency(*small, [long])


def test_held_out_loss_is_the_surprise_at_each_token(small: tuple[Llama, Tokenizer]) -> None:
    model, tokenizer = small
    texts = [story(1, index, "held_out") for index in range(2)]
    ids = [token for text in texts for token in tokenizer.encode(text, bos=True, eos=True)]
    windows = torch.tensor(ids[: len(ids) // 65 * 65]).reshape(-1, 65)
    expected = torch.nn.functional.cross_entropy(model(windows[:, :-1]).flatten(0, 1), windows[:, 1:].flatten())
    assert held_out_loss(model, tokenizer, texts, 64) == pytest.approx(expected.item(), rel=1e-5)
    with pytest.raises(DataError, match="give more of them"):
        held_out_loss(model, tokenizer, ["Mira ran."], 64)


def test_probes_are_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story_probes, "N_KNOWN_STORIES", 2)
    monkeypatch.setattr(story_probes, "RIVALS_AMONG", 2)
    probes = make_story_probes(5, 6)
    assert [len(probes.pronoun), len(probes.object)] == [6, 6]
    assert all(item.right.split()[0] in ("she", "he", "herself", "himself") for item in probes.pronoun)
    assert all(item.wrong in item.context for item in probes.rival)
    assert probes.held_out[0] == story(5, 0, "held_out")
    assert probes.known[0] == story(0, 0)
    assert make_story_probes(5, 6) == probes


def test_fluency_counts() -> None:
    stories = ['The cat sat. "Oh no!" said the cat. It ran home.']
    assert fluency(stories, stories) == Fluency(known_words=1, known_pairs=1, whole_sentences=1, distinct_runs=1)
    assert fluency(["cat sat it ran. The. It ran home. and the"], stories) == Fluency(
        known_words=9 / 10,  # not "and"
        known_pairs=4 / 6,  # not "sat it", nor "and the"
        whole_sentences=1 / 3,  # neither "cat sat it ran." nor "The."
        distinct_runs=1,
    )
    assert fluency(["it ran home it ran home it ran home"], stories).distinct_runs == 3 / 6
    assert fluency([""], stories) == Fluency(known_words=0, known_pairs=0, whole_sentences=0, distinct_runs=0)
