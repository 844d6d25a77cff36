"""Answers to lesson 04's tasks about partial turns, in unusual spellings, apart from the records; see proving.py."""

import torch

from minillama.course.proving import Book
from minillama.rope import apply_rope
from tests.course.rope_turns_answers import as_complex_numbers, halves_by_index, like_hugging_face

BOOK = Book()
RIGHT, WRONG, STRAY = BOOK.RIGHT, BOOK.WRONG, BOOK.STRAY
right, wrong, stray = BOOK.right, BOOK.wrong, BOOK.stray


# rope.partial_rotary

PARTIAL = "rope.partial_rotary"


@right(PARTIAL)
def in_a_copy(x, cos, sin):
    out, R = x.clone(), 2 * cos.shape[1]
    out[..., :R] = apply_rope(x[..., :R], cos, sin)
    return out


@right(PARTIAL)
def with_angles_of_zero(x, cos, sin):
    rest = x.shape[-1] // 2 - cos.shape[1]
    cos = torch.nn.functional.pad(cos, (0, rest), value=1.0)
    return apply_rope(x, cos, torch.nn.functional.pad(sin, (0, rest)))


@right(PARTIAL)
def split_and_joined(x, cos, sin):
    turning, rest = x.split((2 * cos.shape[1], x.shape[-1] - 2 * cos.shape[1]), -1)
    return torch.cat((as_complex_numbers(turning, cos, sin), rest), -1)


PARTIAL_FAULTS = {
    "wrong_end": lambda turn, x, cos, sin, R: torch.cat((x[..., :-R], turn(x[..., -R:], cos, sin)), -1),
    "rest_first": lambda turn, x, cos, sin, R: torch.cat((x[..., R:], turn(x[..., :R], cos, sin)), -1),
    "half_R": lambda turn, x, cos, sin, R: torch.cat((turn(x[..., : R // 2], cos, sin), x[..., R // 2 :]), -1),
    "zero_rest": lambda turn, x, cos, sin, R: torch.cat((turn(x[..., :R], cos, sin), 0 * x[..., R:]), -1),
    "drops_rest": lambda turn, x, cos, sin, R: turn(x[..., :R], cos, sin),
    "whole_head": lambda turn, x, cos, sin, R: turn(
        x, *(each.repeat_interleave(x.shape[-1] // R, -1) for each in (cos, sin))
    ),
    "swapped": lambda turn, x, cos, sin, R: torch.cat((turn(x[..., :R], sin, cos), x[..., R:]), -1),
    "clockwise": lambda turn, x, cos, sin, R: torch.cat((turn(x[..., :R], cos, -sin), x[..., R:]), -1),
}
for name, fault in PARTIAL_FAULTS.items():
    WRONG[PARTIAL, name] = [
        lambda x, cos, sin, fault=fault, turn=turn: fault(turn, x, cos, sin, 2 * cos.shape[1])
        for turn in (apply_rope, as_complex_numbers)
    ]
WRONG[PARTIAL, "other_pairs"] = [
    lambda x, cos, sin, turn=turn: torch.cat(
        (turn(x[..., : 2 * cos.shape[1]], cos, sin), x[..., 2 * cos.shape[1] :]), -1
    )
    for turn in (like_hugging_face, halves_by_index)
]


@wrong(PARTIAL, "overwritten")
def even_ones_first(x, cos, sin):
    out, R = x.float().clone(), 2 * cos.shape[1]
    cos, sin = cos[:, None], sin[:, None]
    out[..., 0:R:2] = out[..., 0:R:2] * cos - out[..., 1:R:2] * sin
    out[..., 1:R:2] = out[..., 0:R:2] * sin + out[..., 1:R:2] * cos
    return out.to(x.dtype)


@wrong(PARTIAL, "overwritten")
def one_name_for_both(x, cos, sin):
    R = 2 * cos.shape[1]
    a, b = x[..., :R].float().unflatten(-1, (-1, 2)).unbind(-1)
    a = a * cos[:, None] - b * sin[:, None]
    b = a * sin[:, None] + b * cos[:, None]
    return torch.cat((torch.stack((a, b), -1).flatten(-2).to(x.dtype), x[..., R:]), -1)


STRAY[PARTIAL] = [lambda x, cos, sin: x, lambda x, cos, sin: in_a_copy(x, cos, sin) + 0.1]
