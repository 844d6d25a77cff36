import pytest

from minillama.errors import ConfigError
from minillama.train import places
from minillama.train.lora import add_lora, trainable_parameters


def sizes():
    found = {}
    for place, config in places.PLACES.items():
        model, _ = places.load_base()
        add_lora(model, config)
        found[place] = sum(each.numel() for each in trainable_parameters(model))
    return found


def test_all_places_have_about_as_much_to_learn():
    found = sizes()
    assert found.pop("everything") == 77_824
    assert set(found.values()) == {86_016}


def test_a_run_depends_on_its_place_and_seed_alone(monkeypatch):
    for name, value in (("BATCH_SIZE", 2), ("HELD_OUT", 8), ("N_STEPS", 8)):
        monkeypatch.setattr(places, name, value)
    monkeypatch.setattr(places, "instruction_batches", lambda split, count, seed=0: BATCHES(split, count, 2, seed))
    losses = []
    runs = [("wv", 0), ("wv", 0), ("wv", 1), ("wq", 0)]
    first = [places.train_place(place, seed, 2, lambda step, loss: losses.append(loss)) for place, seed in runs]
    assert first[0] == first[1]
    assert len(set(first)) == 3
    assert len(losses) == 8


BATCHES = places.instruction_batches


def test_an_unknown_place_is_refused():
    with pytest.raises(ConfigError, match="place is 'wx', expected one of wq, wv"):
        places.train_place("wx")


def test_stored_losses_cover_every_place_and_seed():
    stored = places.stored_places()
    assert tuple(stored) == tuple(places.PLACES)
    assert all(len(losses) == len(places.SEEDS) for losses in stored.values())
    assert all(0 < loss < 7.6 for losses in stored.values() for loss in losses)
