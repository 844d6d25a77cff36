import numpy as np
import torch

from minillama import viz
from minillama.attention import causal_mask
from minillama.viz.attention import soft_dictionary, strongest_looks


def test_a_soft_dictionary_gives_equal_weights_without_strength_and_one_winner_with_much():
    assert set(soft_dictionary(80, 0).values()) == {0.2}
    strong = soft_dictionary(80, 100)
    assert max(strong, key=strong.get) == "Lily"
    assert strong["Lily"] > 0.99


def test_masks_count_their_places_in_the_alternative_text():
    picture = viz.attention.plot_masks({"prompt": causal_mask(4, 4), "step": causal_mask(1, 14)})
    assert "prompt: 10 of 16, step: 14 of 14" in picture.alt


def test_strongest_looks_leave_out_a_token_itself():
    weights = np.array([[1.0, 0, 0], [0.2, 0.8, 0], [0.0, 0.9, 0.1]])
    assert strongest_looks(weights, ["a", "b", "c"], 2) == "'c' at 'b' 0.90, 'b' at 'a' 0.20"
    assert "'c' at 'b' 0.90" in viz.attention.plot_weights(weights, ["a", "b", "c"], "layer 0").alt


def test_the_largest_head_stands_in_the_alternative_text():
    alt = viz.attention.plot_heads(np.array([[0.1, 0.0], [0.9, 0.5]]), "score", "The score").alt
    assert "largest is 0.90 in layer 1" in alt
    assert "above half of the largest: 2 heads" in alt


def test_other_pictures_can_be_drawn():
    sizes = {8: (np.array([0.5, 0.5]), np.array([0.6, 0.4])), 64: (np.array([0.9, 0.1]), np.array([0.6, 0.4]))}
    for picture in (
        viz.attention.plot_groups(), viz.attention.plot_scaling(sizes), viz.attention.dictionary().picture(query=20),
    ):  # fmt: skip
        assert picture.png.startswith(b"\x89PNG")
        assert len(picture.alt) > 20


def test_moments_tell_how_far_the_head_had_come() -> None:
    spread, sharp = torch.full((4, 4), 0.25), torch.eye(4)
    alt = viz.attention.plot_moments({10: spread, 2000: sharp}).alt
    assert "0.25 at step 10, 1.00 at step 2,000" in alt


def test_a_training_tells_its_scores() -> None:
    log = {"step": [0, 10, 20, 99], "loss": [3.0, 2.0, 1.0, 0.5]}
    picture = viz.attention.plot_training(log, {"copies": {10: 0.1, 20: 0.9}, "looks back": {10: 0.5, 20: 0.5}})
    assert "copies 0.10 at 10, 0.90 at 20; looks back 0.50 at 10" in picture.alt
    assert picture.width > 300
