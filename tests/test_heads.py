import pytest
import torch
from circuits import INDUCTION_HEAD, PREVIOUS_HEAD, VOCABULARY, induction_llama
from oracles import CONFIGS, random_llama

from minillama.errors import DataError, ShapeError
from minillama.heads import (
    best_heads,
    induction_scores,
    own_token_scores,
    previous_token_scores,
    repeated_spans,
    shuffled_rows,
    sink_scores,
    span_scores,
)
from minillama.trace import trace


def one_head(looks_at: list[int]) -> torch.Tensor:
    """(1, 1, 1, T, T): the attention of a head that looks from position t to looks_at[t]."""
    return torch.eye(len(looks_at))[looks_at][None, None, None]


def test_each_kind_of_head_scores_one_and_the_others_nothing() -> None:
    previous, sink = one_head([0, 0, 1, 2, 3, 4, 5]), one_head([0] * 7)
    induction = one_head([0, 1, 2, 3, 2, 3, 4])  # start a b c a b c: from the second a to the first b, and so on
    same_token = one_head([0, 1, 2, 3, 1, 2, 3])
    assert previous_token_scores(previous).item() == sink_scores(sink).item() == 1
    assert induction_scores(induction, 3).item() == 1
    assert induction_scores(same_token, 3).item() == induction_scores(previous, 3).item() == 0
    assert previous_token_scores(same_token).item() == 0
    assert own_token_scores(torch.eye(5)[None, None, None]).item() == 1
    assert own_token_scores(previous).item() == own_token_scores(sink).item() == 0
    assert sink_scores(induction).item() == 0
    assert span_scores(same_token, slice(4, 7), slice(1, 4)).item() == 1
    assert span_scores(same_token, slice(4, 7), slice(2, 4)).item() == pytest.approx(2 / 3)


def test_scores_equal_loops() -> None:
    n = 5
    rows = repeated_spans(2, n, (3, 131), seed=1, start_id=1)
    attention = trace(random_llama(CONFIGS["grouped"]), rows).attention
    layer, head, T = 2, 5, 2 * n + 1
    weights = attention[layer, :, head]  # (B, T, T)
    previous = [weights[b, t, t - 1] for b in range(2) for t in range(1, T)]
    own = [weights[b, t, t] for b in range(2) for t in range(1, T)]
    sink = [weights[b, t, 0] for b in range(2) for t in range(1, T)]
    after_the_first = []
    for b, row in enumerate(rows.tolist()):
        for t in range(n + 1, T):
            first = row.index(row[t])
            assert first < t
            after_the_first.append(weights[b, t, first + 1])
    for scores, terms in (
        (previous_token_scores(attention), previous),
        (own_token_scores(attention), own),
        (sink_scores(attention), sink),
        (induction_scores(attention, n), after_the_first),
    ):
        assert scores.shape == (3, 8)
        torch.testing.assert_close(scores[layer, head], torch.stack(terms).mean())


def test_spans_come_twice_and_hold_no_token_twice() -> None:
    rows = repeated_spans(4, 20, (259, 300), seed=0, start_id=1)
    assert rows.shape == (4, 41)
    assert rows.dtype == torch.int64
    assert (rows[:, 0] == 1).all()
    torch.testing.assert_close(rows[:, 1:21], rows[:, 21:])
    assert all(len(set(row)) == 21 for row in rows.tolist())
    assert rows[:, 1:].min() >= 259
    assert rows[:, 1:].max() < 300
    assert torch.equal(rows, repeated_spans(4, 20, (259, 300), seed=0, start_id=1))
    assert not torch.equal(rows, repeated_spans(4, 20, (259, 300), seed=1, start_id=1))
    assert repeated_spans(4, 20, (259, 300), seed=0).shape == (4, 40)
    with pytest.raises(DataError, match="expected 1 to 41"):
        repeated_spans(1, 42, (259, 300), seed=0)
    with pytest.raises(ShapeError, match="at least 2 \\* length = 42"):
        induction_scores(torch.zeros(1, 1, 1, 41, 41), 21)


def test_shuffled_rows_keep_their_weights_and_forget_their_places() -> None:
    previous = one_head([0, *range(63)]).expand(2, 3, 4, 64, 64)
    shuffled = shuffled_rows(previous, seed=0)
    torch.testing.assert_close(shuffled.sort(-1).values, previous.sort(-1).values)
    assert shuffled.triu(1).abs().max() == 0
    chance = torch.tensor([1 / (t + 1) for t in range(1, 64)]).mean().item()  # of any one place among those visible
    assert previous_token_scores(shuffled).mean().item() == pytest.approx(chance, abs=0.02)


def test_best_heads_come_in_order() -> None:
    scores = torch.tensor([[0.1, 0.4, 0.2], [0.9, 0.2, 0.3]])
    assert [head[:2] for head in best_heads(scores, 3)] == [(1, 0), (0, 1), (1, 2)]
    assert len(best_heads(scores, 99)) == 6
    assert best_heads(scores, 1)[0].score == pytest.approx(0.9)


def test_a_circuit_set_by_hand_is_found() -> None:
    rows = repeated_spans(4, 16, (1, VOCABULARY), seed=0, start_id=0)
    attention = trace(induction_llama(), rows).attention
    for scores, head in (
        (previous_token_scores(attention), PREVIOUS_HEAD),
        (induction_scores(attention, 16), INDUCTION_HEAD),
    ):
        best, second = best_heads(scores, 2)
        assert best[:2] == head
        assert best.score > 0.99
        assert second.score < 0.1
    shuffled = shuffled_rows(attention, seed=0)
    assert previous_token_scores(shuffled).max() < 0.2
    assert induction_scores(shuffled, 16).max() < 0.2
