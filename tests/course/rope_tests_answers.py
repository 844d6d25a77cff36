"""Answers to lesson 04's tasks of testing, in unusual spellings, apart from the records; see proving.py."""

import numpy as np
import torch

from minillama.course.proving import Book

BOOK = Book()
RIGHT, WRONG, STRAY = BOOK.RIGHT, BOOK.WRONG, BOOK.STRAY
right, wrong, stray = BOOK.right, BOOK.wrong, BOOK.stray


# rope.test_rope

TEST = "rope.test_rope"


def angles(T, K):
    table = torch.arange(float(T))[:, None] * torch.linspace(1.0, 0.2, K // 2)
    return table.cos(), table.sin()


def by_loops(x, cos, sin):
    out = torch.zeros_like(x)
    for t in range(x.shape[1]):
        for i in range(x.shape[3] // 2):
            a, b = x[:, t, :, 2 * i], x[:, t, :, 2 * i + 1]
            out[:, t, :, 2 * i], out[:, t, :, 2 * i + 1] = a * cos[t, i] - b * sin[t, i], a * sin[t, i] + b * cos[t, i]
    return out


def by_halves(x, cos, sin):
    (a, b), c, s = x.chunk(2, -1), cos[:, None], sin[:, None]
    return torch.cat((a * c - b * s, a * s + b * c), -1)


def compared(candidate, T, H, K, own=by_loops, same=False):
    x = torch.randn(2, T, H, K, generator=torch.Generator().manual_seed(2))
    turns = torch.rand(T, K // 2, generator=torch.Generator().manual_seed(3)) * 6
    turns = torch.full_like(turns, 0.7) if same else turns
    return torch.allclose(candidate(x, turns.cos(), turns.sin()), own(x, turns.cos(), turns.sin()), atol=1e-4)


@right(TEST)
def more_heads_than_positions(candidate):
    return compared(candidate, 3, 4, 6)


@right(TEST)
def as_many_heads_as_positions_and_no_return(candidate):
    assert compared(candidate, 3, 3, 6)
    assert candidate(torch.ones(1, 2, 3, 4).half(), *angles(2, 4)).dtype == torch.float16


@right(TEST)
def many_heads(candidate):
    return compared(candidate, 2, 7, 8)


@right(TEST)
def basis_vectors(candidate):
    cos, sin = angles(3, 4)
    for channel, there in ((0, (cos[:, 0], sin[:, 0])), (3, (-sin[:, 1], cos[:, 1]))):
        x = torch.zeros(1, 3, 2, 4)
        x[..., channel] = 1
        got = candidate(x, cos, sin)[0, :, 1]
        assert torch.allclose(got[:, channel // 2 * 2 : channel // 2 * 2 + 2], torch.stack(there, -1), atol=1e-5)


@right(TEST)
def against_loops(candidate):
    x = torch.randn(2, 5, 3, 6, generator=torch.Generator().manual_seed(1))
    return torch.allclose(candidate(x, *angles(5, 6)), by_loops(x, *angles(5, 6)), atol=1e-4)


@right(TEST)
def with_numpy_complex(candidate):
    x = np.random.default_rng(0).standard_normal((1, 4, 1, 8)).astype(np.float32)
    cos, sin = angles(4, 8)
    wanted = (x[..., ::2] + 1j * x[..., 1::2]) * (cos + 1j * sin).numpy()[:, None]
    got = candidate(torch.from_numpy(x), cos, sin).numpy()
    np.testing.assert_allclose(got[..., ::2] + 1j * got[..., 1::2], wanted, atol=1e-4)


def start_alone(candidate):
    x = torch.randn(1, 3, 2, 4)
    return bool((candidate(x, *angles(3, 4))[0, 0, 0] - x[0, 0, 0]).abs().max() < 1e-4)


def start_asserted(candidate):
    x = torch.ones(1, 1, 1, 4)
    torch.testing.assert_close(candidate(x.expand(1, 2, 1, 4), *angles(2, 4))[:, :1], x)


def lengths_alone(candidate):
    x = torch.randn(1, 5, 2, 6)
    return bool((candidate(x, *angles(5, 6)).norm(dim=-1) - x.norm(dim=-1)).abs().max() < 1e-4)


def lengths_asserted(candidate):
    x = torch.randn(1, 3, 1, 4)
    torch.testing.assert_close(candidate(x, *angles(3, 4)).pow(2).sum(-1), x.pow(2).sum(-1))


def never(candidate):
    assert torch.equal(candidate(torch.ones(1, 2, 1, 4), *angles(2, 4)), torch.zeros(1, 2, 1, 4))


WRONG[TEST, "anything"] = [lambda candidate: True, lambda candidate: None]
WRONG[TEST, "nothing"] = [lambda candidate: False, never]
WRONG[TEST, "lengths_only"] = [lengths_alone, lengths_asserted]
WRONG[TEST, "start_only"] = [start_alone, start_asserted]


@stray(TEST)
def one_channel(candidate):
    x = torch.zeros(1, 2, 1, 4)
    x[..., 0] = 1
    return bool(candidate(x, *angles(2, 4))[0, 1, 0, 0] > 0)


WRONG[TEST, "one_pair"] = [
    lambda candidate: compared(candidate, 3, 2, 2),
    lambda candidate: compared(candidate, 4, 5, 2),
]
WRONG[TEST, "one_token"] = [
    lambda candidate: compared(candidate, 1, 1, 4),
    lambda candidate: compared(candidate, 1, 1, 6),
]
WRONG[TEST, "one_angle"] = [
    lambda candidate: compared(candidate, 3, 2, 4, same=True),
    lambda candidate: compared(candidate, 5, 3, 6, same=True),
]
WRONG[TEST, "other_pairs"] = [
    lambda candidate: compared(candidate, 3, 2, 4, own=by_halves),
    lambda candidate: compared(candidate, 4, 2, 8, own=by_halves),
]


@stray(TEST)
def crashes_before(candidate):
    return candidate(torch.ones(2, 3)[7], 1, 2)
