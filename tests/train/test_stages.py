import numpy as np
import pytest
import torch

from minillama.errors import ConfigError
from minillama.train.copying import Copying
from minillama.train.stages import Stage, StagedConfig, StagedText

RECIPE = StagedConfig(
    stages=(
        Stage(share=0.25, seq_len=16, batch_size=4, copying=Copying(longest=4, gap=2)),
        Stage(share=0.25, seq_len=16, batch_size=4),
        Stage(share=0.5, seq_len=32, batch_size=2, emphasis=5.0),
    ),
    n_steps=40,
)
STREAM = np.arange(5000, dtype=np.uint16)


def test_stages_follow_each_other() -> None:
    assert [RECIPE.stage(step).seq_len for step in (0, 9, 10, 19, 20, 39)] == [16, 16, 16, 16, 32, 32]
    assert RECIPE.tokens_before(40) == 40 * 64
    with pytest.raises(ConfigError, match=r"take 0\.7 of the steps"):
        StagedConfig(stages=(Stage(share=0.7, seq_len=16, batch_size=4),))


def test_each_stage_reads_its_rows_and_counts_them_its_way() -> None:
    source = StagedText(STREAM, RECIPE, (100, 200), emphasized=range(0, 5000, 2))
    copied, plain, emphatic = (source.batches(step)[0] for step in (3, 13, 33))
    assert copied.tokens.min() >= 100
    assert copied.tokens.max() < 200
    assert copied.weights is not None
    assert 0 < copied.total_weight < 4 * 16
    assert plain.weights is None
    assert plain.total_weight == 4 * 16
    assert emphatic.tokens.shape == (2, 33)
    assert emphatic.weights is not None
    assert torch.equal(emphatic.weights, torch.where(emphatic.tokens % 2 == 0, 5.0, 1.0))


@pytest.mark.parametrize("step", [3, 13, 33])
def test_micro_batches_are_the_rows_of_the_step(step: int) -> None:
    whole = StagedText(STREAM, RECIPE, (100, 200)).batches(step)[0]
    parts = StagedText(STREAM, RECIPE, (100, 200), micro_batch=3).batches(step)
    assert max(len(part.tokens) for part in parts) <= 3
    assert torch.equal(torch.cat([part.tokens for part in parts]), whole.tokens)
    assert sum(part.total_weight for part in parts) == whole.total_weight
