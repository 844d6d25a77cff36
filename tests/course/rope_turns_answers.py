"""Answers to lesson 04's tasks about turning, in unusual spellings, apart from the records; see proving.py."""

import torch

from minillama.course.proving import Book
from minillama.rope import apply_rope

BOOK = Book()
RIGHT, WRONG, STRAY = BOOK.RIGHT, BOOK.WRONG, BOOK.STRAY
right, wrong, stray = BOOK.right, BOOK.wrong, BOOK.stray


# rope.apply_rope

APPLY = "rope.apply_rope"


@right(APPLY)
def as_complex_numbers(x, cos, sin):
    numbers = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(numbers * torch.complex(cos, sin)[:, None]).flatten(-2).type_as(x)


@right(APPLY)
def as_loops_over_positions(x, cos, sin):
    out = torch.zeros_like(x, dtype=torch.float64)
    for t in range(x.shape[1]):
        for i in range(x.shape[3] // 2):
            a, b = x[:, t, :, 2 * i].double(), x[:, t, :, 2 * i + 1].double()
            out[:, t, :, 2 * i] = a * cos[t, i] - b * sin[t, i]
            out[:, t, :, 2 * i + 1] = b * cos[t, i] + a * sin[t, i]
    return out.to(x.dtype)


@right(APPLY)
def as_matrices(x, cos, sin):
    turns = torch.stack((torch.stack((cos, -sin), -1), torch.stack((sin, cos), -1)), -2)  # (T, K/2, 2, 2)
    return torch.einsum("tirc,bthic->bthir", turns, x.float().unflatten(-1, (-1, 2))).flatten(-2).to(x.dtype)


@right(APPLY)
def with_a_partner_vector(x, cos, sin):
    wide = x.float()
    partner = torch.stack((-wide[..., 1::2], wide[..., 0::2]), -1).reshape(wide.shape)
    cos, sin = (each.repeat_interleave(2, -1)[None, :, None] for each in (cos, sin))
    return (wide * cos + partner * sin).to(x.dtype).transpose(0, 1).contiguous().transpose(0, 1)


def turned(x, cos, sin, sign=1.0):
    return apply_rope(x, cos, sign * sin)


@wrong(APPLY, "halves")
def like_hugging_face(x, cos, sin):
    first, second = x.float().chunk(2, -1)
    full_cos, full_sin = torch.cat((cos, cos), -1)[:, None], torch.cat((sin, sin), -1)[:, None]
    return (x.float() * full_cos + torch.cat((-second, first), -1) * full_sin).to(x.dtype)


@wrong(APPLY, "halves")
def halves_by_index(x, cos, sin):
    out, n = torch.empty_like(x), x.shape[-1] // 2
    for i in range(n):
        a, b, c, s = x[..., i].float(), x[..., i + n].float(), cos[:, i, None], sin[:, i, None]
        out[..., i], out[..., i + n] = a * c - b * s, a * s + b * c
    return out


@wrong(APPLY, "halves_out")
def joined_by_cat(x, cos, sin):
    a, b = x[..., ::2].float(), x[..., 1::2].float()
    c, s = cos[:, None], sin[:, None]
    return torch.cat((a * c - b * s, a * s + b * c), -1).to(x.dtype)


@wrong(APPLY, "halves_out")
def real_then_imaginary(x, cos, sin):
    z = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)).contiguous()) * torch.complex(cos, sin)[:, None]
    return torch.cat((z.real, z.imag), -1).to(x.dtype)


@wrong(APPLY, "clockwise")
def conjugate(x, cos, sin):
    z = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)).contiguous()) * torch.complex(cos, -sin)[:, None]
    return torch.view_as_real(z).flatten(-2).to(x.dtype)


@wrong(APPLY, "clockwise")
def signs_swapped(x, cos, sin):
    a, b, c, s = x[..., ::2].float(), x[..., 1::2].float(), cos[:, None], sin[:, None]
    return torch.stack((a * c + b * s, b * c - a * s), -1).flatten(-2).to(x.dtype)


@wrong(APPLY, "overwritten")
def in_place(x, cos, sin):
    out, c, s = x.float().clone(), cos[:, None], sin[:, None]
    out[..., ::2] = out[..., ::2] * c - out[..., 1::2] * s
    out[..., 1::2] = out[..., ::2] * s + out[..., 1::2] * c
    return out.to(x.dtype)


@wrong(APPLY, "overwritten")
def one_name(x, cos, sin):
    a, b = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    a = a * cos[:, None] - b * sin[:, None]
    b = a * sin[:, None] + b * cos[:, None]
    return torch.stack((a, b), -1).flatten(-2).to(x.dtype)


@wrong(APPLY, "head_axis")
def plain_broadcasting(x, cos, sin):
    a, b = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2).to(x.dtype)


@wrong(APPLY, "head_axis")
def counts_heads(x, cos, sin):
    out = torch.empty_like(x)
    for head in range(x.shape[2]):
        row = slice(head, head + 1)
        out[:, :, head : head + 1] = apply_rope(x[:, :, head : head + 1], cos[row], sin[row])
    return out


STRAY[APPLY] = [
    lambda x, cos, sin: -apply_rope(x, cos, sin),
    lambda x, cos, sin: apply_rope(x, cos, sin) * 1.01,
    lambda x, cos, sin: apply_rope(x, cos, sin).flip(1),
    lambda x, cos, sin: apply_rope(x, cos, sin).float(),
    lambda x, cos, sin: apply_rope(x, cos, sin).double(),
    lambda x, cos, sin: apply_rope(x, cos, sin).transpose(1, 2),
    lambda x, cos, sin: both_plus(x, cos, sin),
    lambda x, cos, sin: apply_rope(x, cos, sin)[..., :-1],
    lambda x, cos, sin: None,
    lambda x, cos, sin: apply_rope(x, cos, sin) / 0 * 0,
    lambda x, cos, sin: "turned",
]


def both_plus(x, cos, sin):
    a, b, c, s = x[..., ::2].float(), x[..., 1::2].float(), cos[:, None], sin[:, None]
    return torch.stack((a * c + b * s, b * c + a * s), -1).flatten(-2).to(x.dtype)


@right(APPLY)
def on_the_other_side(x, cos, sin):
    y = x.transpose(1, 2).double()
    a, b = y[..., 0::2], y[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2).to(x.dtype).transpose(1, 2)


def unturned_copy(x, cos, sin):
    a, b = x[..., ::2], x[..., 1::2]
    return torch.stack((a, b), -1).flatten(-2)


WRONG[APPLY, "unturned"] = [lambda x, cos, sin: x, unturned_copy]
WRONG[APPLY, "swapped"] = [
    lambda x, cos, sin: apply_rope(x, sin, cos),
    lambda x, cos, sin: as_complex_numbers(x, sin, cos),
]


@wrong(APPLY, "first_row")
def position_zero_alone(x, cos, sin):
    a, b = x.float()[..., ::2], x.float()[..., 1::2]
    cos, sin = cos[0], sin[0]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2).to(x.dtype)


@wrong(APPLY, "first_row")
def first_row_repeated(x, cos, sin):
    return as_complex_numbers(x, cos[:1].expand_as(cos), sin[:1].expand_as(sin))


@wrong(APPLY, "regrouped")
def dealt_anew(x, cos, sin):
    B, T, H, K = x.shape
    a, b = x.float().reshape(B, H, T, K).unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).reshape(B, T, H, K).to(x.dtype)


@wrong(APPLY, "regrouped")
def viewed_anew(x, cos, sin):
    B, T, H, K = x.shape
    numbers = torch.view_as_complex(x.float().contiguous().view(B, H, T, K // 2, 2)) * torch.complex(cos, sin)
    return torch.view_as_real(numbers).view(B, T, H, K).to(x.dtype)


@wrong(APPLY, "half_work")
def all_in_the_dtype_of_x(x, cos, sin):
    a, b, c, s = x[..., 0::2], x[..., 1::2], cos[:, None].to(x.dtype), sin[:, None].to(x.dtype)
    return torch.stack((a * c - b * s, a * s + b * c), -1).flatten(-2)


@wrong(APPLY, "half_work")
def narrow_products(x, cos, sin):
    a, b = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    cos, sin = cos[:, None], sin[:, None]
    parts = [each.to(x.dtype) for each in (a * cos, b * sin, a * sin, b * cos)]
    return torch.stack((parts[0] - parts[1], parts[2] + parts[3]), -1).flatten(-2)


# rope.rotate_step

STEP = "rope.rotate_step"


@right(STEP)
def by_slices(q, k, v, cos, sin, past):
    cos, sin = cos[past:][: q.shape[1]], sin[past:][: q.shape[1]]
    return [apply_rope(q, cos, sin), apply_rope(k, cos, sin), v]


@right(STEP)
def token_by_token(q, k, v, cos, sin, past):
    def each(x):
        rows = [apply_rope(x[:, t : t + 1], cos[[past + t]], sin[[past + t]]) for t in range(x.shape[1])]
        return torch.cat(rows, 1)

    return each(q), each(k), v.clone()


@right(STEP)
def all_heads_together(q, k, v, cos, sin, past):
    rows = torch.arange(past, past + q.shape[1])
    both = apply_rope(torch.cat((q, k), 2), cos[rows], sin[rows])
    return both[:, :, : q.shape[2]], both[:, :, q.shape[2] :], v


def step(q, k, v, cos, sin, start, keys=True, values=False):
    cos, sin = cos[start : start + q.shape[1]], sin[start : start + q.shape[1]]
    turn = [True, keys, values]
    return tuple(apply_rope(x, cos, sin) if t else x for x, t in zip((q, k, v), turn, strict=True))


def step_complex(q, k, v, cos, sin, start, keys=True, values=False):
    z = torch.complex(cos, sin)[start : start + q.shape[1], None]

    def turn(x):
        return torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous()) * z).flatten(-2)

    return turn(q), turn(k) if keys else k, turn(v) if values else v


for name, start, options in (
    ("values_too", lambda past: past, {"values": True}),
    ("forgets_past", lambda past: 0, {}),
    ("from_one", lambda past: past + 1, {}),
    ("queries_only", lambda past: past, {"keys": False}),
):
    WRONG[STEP, name] = [
        lambda q, k, v, cos, sin, past, how=how, start=start, options=options: how(
            q, k, v, cos, sin, start(past), **options
        )
        for how in (step, step_complex)
    ]
for name, change in {
    "keys_only": lambda turned, q: (q, *turned[1:]),
    "keys_first": lambda turned, q: (turned[1], turned[0], turned[2]),
}.items():
    WRONG[STEP, name] = [
        lambda q, k, v, cos, sin, past, how=how, change=change: change(how(q, k, v, cos, sin, past), q)
        for how in (step, step_complex)
    ]
STRAY[STEP] = [
    lambda q, k, v, cos, sin, past: step(q, k, v, cos, sin, past + 2),
    lambda q, k, v, cos, sin, past: (*step(q, k, v, cos, sin, past)[:2], 2 * v),
    lambda q, k, v, cos, sin, past: step(q, k, v, cos, sin, past)[:2],
]


@wrong(STEP, "keys_from_zero")
def keys_at_the_start(q, k, v, cos, sin, past):
    T = q.shape[1]
    return apply_rope(q, cos[past : past + T], sin[past : past + T]), apply_rope(k, cos[:T], sin[:T]), v


@wrong(STEP, "keys_from_zero")
def two_steps_mixed(q, k, v, cos, sin, past):
    return step_complex(q, k, v, cos, sin, past)[0], step_complex(q, k, v, cos, sin, 0)[1], v


WRONG[STEP, "unturned"] = [
    lambda q, k, v, cos, sin, past: (q, k, v),
    lambda q, k, v, cos, sin, past: step(q, k, v, torch.ones_like(cos), torch.zeros_like(sin), past),
]


@wrong(STEP, "one_row")
def past_alone(q, k, v, cos, sin, past):
    cos, sin = cos[past : past + 1], sin[past : past + 1]
    return apply_rope(q, cos, sin), apply_rope(k, cos, sin), v


@wrong(STEP, "one_row")
def row_spread(q, k, v, cos, sin, past):
    rows = [past] * q.shape[1]
    return as_loops_over_positions(q, cos[rows], sin[rows]), as_loops_over_positions(k, cos[rows], sin[rows]), v
