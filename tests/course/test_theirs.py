"""The numbers that a reader compares with are transformers', and ours equal them."""

import torch
from transformers_parts import computed_parts

from minillama.course.theirs import CONFIG, TOKENS, spread_weights, transformers_parts
from minillama.model import Llama
from minillama.trace import part_outputs


def test_stored_numbers_are_those_of_transformers() -> None:
    stored, computed = transformers_parts(), computed_parts()
    assert list(stored) == list(computed)
    for name, part in computed.items():
        torch.testing.assert_close(stored[name], part, rtol=1e-5, atol=1e-5, msg=name)


def test_every_part_of_ours_equals_them() -> None:
    ours, theirs = part_outputs(spread_weights(Llama(CONFIG)), TOKENS), transformers_parts()
    assert list(ours) == list(theirs)
    for name, part in theirs.items():
        assert (ours[name] - part).abs().max() < 1e-5 * part.abs().max(), name
