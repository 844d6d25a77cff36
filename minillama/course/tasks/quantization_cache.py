"""Lesson 11's bonus: the keys of a cache in 8 bits, a scale for each token in each head."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minillama.course.record import Bugs, Case, Probe, Task
from minillama.course.tasks.generate_ideas import idea
from minillama.course.tasks.quantization_inputs import LESSON, Generator, Signature, only_wrong

STILL = "a key of zeros"


def faulty_cache(bugs: Bugs = frozenset()) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """Codes and scales of keys, one scale for each token's key in each head, with these bugs."""

    def kv_cache_int8(keys: Tensor) -> tuple[Tensor, Tensor]:
        size = keys.amax(-1) if "no_abs" in bugs else keys.abs().amax(-1)  # (B, S, G)
        if "per_token" in bugs:
            size = size.amax(-1, keepdim=True).expand_as(size)
        if "per_head" in bugs:
            size = size.amax(1, keepdim=True).expand_as(size)
        if "per_tensor" in bugs:
            size = size.amax().expand_as(size)
        scales = size / (128 if "by_128" in bugs else 127)
        steps = keys / scales[..., None]
        steps = torch.where(steps.isfinite(), steps, torch.tensor(9.0 if "zero_key" in bugs else 0.0))
        codes = steps.trunc() if "truncated" in bugs else steps.floor() if "floored" in bugs else steps.round()
        return codes.clamp(-128, 127).to(torch.int8), scales

    return kv_cache_int8


def cut_off(rule: Callable[[np.ndarray], np.ndarray]) -> Signature:
    """A signature: are the scales right and the codes those of a rule that leaps at whole numbers?"""

    def fits(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
        telling = False
        for case, got, right in zip(cases, outputs, expected, strict=True):
            d = np.asarray(right[1])[..., None]
            x = np.asarray(case.args[0], np.float64)
            steps = np.divide(x, d, out=np.zeros_like(x), where=d != 0)
            near = (got[0] == rule(steps - 1e-4)) | (got[0] == rule(steps + 1e-4))
            if not near.all() or not np.allclose(got[1], right[1], rtol=1e-4, atol=0):
                return False
            telling |= not np.array_equal(got[0], right[0])
        return telling

    return fits


def size_like(rule: Callable[[np.ndarray], np.ndarray]) -> Signature:
    """A signature: are the scales those of a rule over each key, and not everywhere the right ones?"""

    def fits(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
        scales = [rule(np.asarray(case.args[0], np.float64)) for case in cases]
        if not all(np.allclose(got[1], each, rtol=1e-4, atol=0) for got, each in zip(outputs, scales, strict=True)):
            return False
        pairs = zip(scales, expected, strict=True)
        return not all(np.allclose(each, right[1], rtol=1e-4, atol=0) for each, right in pairs)

    return fits


def keys_of(rng: Generator, shape: tuple[int, int, int], head_dim: int) -> np.ndarray:
    """Keys of very unequal size (B, S, G, K), each number well within a step of the code that it gets."""
    sizes = rng.permutation(np.geomspace(0.05, 8, int(np.prod(shape)))).reshape(*shape, 1) / 127
    codes = rng.integers(-99, 100, (*shape, head_dim))
    off = rng.uniform(0.1, 0.35, codes.shape) * rng.choice((-1, 1), codes.shape)
    keys = (codes + off) * sizes
    at = rng.integers(head_dim, size=(*shape, 1))
    sign = np.where(np.arange(sizes.size).reshape(sizes.shape) % 2, 127.0, -127.0)
    np.put_along_axis(keys, at, sign * sizes, axis=-1)
    return keys.astype(np.float32)


def cache_cases(rng: Generator) -> Sequence[Case]:
    """Two texts with several heads, one token alone, and a key of zeros."""
    still = keys_of(rng, (1, 3, 2), 6)
    still[0, 1, 1] = 0
    return [
        Case(name="2 texts of 3 tokens and 2 heads", args=(keys_of(rng, (2, 3, 2), 8),)),
        Case(name="one token alone", args=(keys_of(rng, (1, 1, 3), 4),)),
        Case(name=STILL, args=(still,)),
        Case(name="heads of 64 numbers", args=(keys_of(rng, (1, 2, 3), 64),)),
    ]


def one_token_more(rng: Generator) -> Sequence[Case]:
    """A text, and the same with one more token, whose keys are large."""
    keys = keys_of(rng, (1, 3, 2), 5)
    more = np.concatenate([keys, 20 * keys_of(rng, (1, 1, 2), 5)], axis=1)
    return [Case(name="a text of 3 tokens", args=(keys,)), Case(name="the same text and a 4th token", args=(more,))]


def past_changed(cases: Sequence[Case], outputs: Sequence[Any]) -> str | None:
    """What a 4th token did to what is stored of the first three."""
    (before, scales), (after, more) = outputs
    if np.array_equal(before, after[:, :3]) and np.allclose(scales, more[:, :3], rtol=1e-6):
        return None
    moved = np.abs(scales - more[:, :3])[0]
    token, head = np.unravel_index(moved.argmax(), moved.shape)
    one, other = scales[0, token, head], more[0, token, head]
    return f"A 4th token changed the scale of token {token} in head {head} from {one:.4g} to {other:.4g}."


kv_cache_int8 = Task(
    id="quant.kv_cache_int8", lesson=LESSON, kind="vary", title="Bonus: keep keys in 8 bits", points=4, difficulty=3,
    importance=3, minutes=15,
    reference=faulty_cache(), faulty=faulty_cache, cases=cache_cases, rtol=1e-4, atol=0, exact_dtype=True,
    outputs=("the codes", "the scales"),
    probes=(
        Probe(
            name="the past stays", cases=one_token_more, broken=past_changed,
            principle="A cache is written once a token. A scale that later tokens have a part in would have to round "
            "all earlier keys anew.",
            question="Over which axes does your largest magnitude reach?",
        ),
    ),
    misconceptions=(
        idea(
            "per_tensor", "one scale for all keys",
            "Each token's key has a scale of its own in each head: the next token must not touch it.",
            "What happens to the codes of token 0 when a large key arrives?",
        ),
        idea(
            "per_head", "one scale for a head, over all tokens",
            "Each token's key has a scale of its own in each head: the next token must not touch it.",
            "What happens to the codes of token 0 when a large key arrives?",
        ),
        idea(
            "per_token", "one scale for a token, over all of its heads",
            "Heads differ in size: each has a scale of its own.", "How many scales do you return for one token?",
        ),
        idea(
            "truncated", "codes whose fraction is cut off", "A number gets the code that it is nearest to.",
            "Which code does a number of 3.9 steps get?", 0.5, cut_off(np.trunc),
        ),
        idea(
            "floored", "codes that are rounded down", "A number gets the code that it is nearest to.",
            "Which code does a number of -3.1 steps get?", 0.5, cut_off(np.floor),
        ),
        idea(
            "by_128", "a scale of a 128th of the largest number",
            "Eight bits with a sign end at 127. The largest number has to fit on either side.",
            "Which code does a largest number above zero get?", 0.5,
            size_like(lambda keys: np.abs(keys).max(axis=-1) / 128),
        ),
        idea(
            "no_abs", "a largest number that is looked for above zero only", "It is the magnitude that counts.",
            "What is the largest magnitude of -9, 1, 2?", 0.3, size_like(lambda keys: keys.max(axis=-1) / 127),
        ),
        idea(
            "zero_key", "a key of zeros divided by its scale",
            "Its largest magnitude is 0: scale and codes are 0, and nothing is divided.",
            "What is 0 / 0, and which code becomes of it?", 0.8, only_wrong(STILL, scales_too=True),
        ),
    ),
    hints=(
        "Q8_0 with another block: here a block is the key of one token in one head.",
        "keys (B, S, G, K); scales (B, S, G); codes (B, S, G, K), torch.int8.",
        "scales = largest magnitude over the last axis / 127\ncodes = keys / scales, to the nearest, as int8; 0 "
        "where the "
        "scale is 0",
    ),
)  # fmt: skip
