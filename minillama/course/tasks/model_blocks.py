"""Task of lesson 07 about one block."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from minillama import model
from minillama.cache import KVCache
from minillama.config import ModelConfig
from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.attention_ideas import Generator, causal, draw
from minillama.course.tasks.model_hand import LESSON
from minillama.model import Pieces

HERE = "minillama.course.tasks.model_blocks"


def some_pieces(kind: str) -> Pieces:
    """LLaMA's own, or with a mask that fits any number of keys, or strange ones.

    Strange are matrices with a bias, no turn, attention that speaks twice as loudly, and norms of larger numbers.
    """
    if kind == "plain":
        return Pieces()
    if kind == "open":  # without a cache it raises no error: a forgotten one shows in the numbers
        return Pieces(causal_mask=lambda T, S, window=None: torch.ones(T, 1, dtype=torch.bool))
    attend = Pieces().attend

    def quieter(dim: int, eps: float = 1e-5) -> nn.Module:  # here, since no answer may call the modules of tasks
        return Pieces().RMSNorm(dim, eps + 2)

    return Pieces(
        RMSNorm=quieter,
        linear=nn.Linear,
        apply_rope=lambda x, cos, sin: x,
        attend=lambda q, k, v, mask: attend(q, k, 2 * v, mask),
    )


def faulty_block(bugs: Bugs) -> Callable[..., nn.Module]:
    """Block with these bugs."""

    class Faulty(nn.Module):
        def __init__(self, config: ModelConfig, layer: int, pieces: Pieces) -> None:
            super().__init__()
            linear = Pieces().linear if "pieces_lost" in bugs else pieces.linear
            parts = {} if bugs & {"pieces_lost", "parts_lost"} else vars(pieces)
            named = {name: parts[name] for name in ("apply_rope", "attend") if name in parts}
            make_norm = Pieces().RMSNorm if "norm_lost" in bugs else pieces.RMSNorm
            sizes = (config.dim,) if "eps_lost" in bugs else (config.dim, config.norm_eps)
            self.attention_norm = make_norm(*sizes)
            if "one_norm" not in bugs:
                self.ffn_norm = make_norm(*sizes)
            layer = 0 if "layer_zero" in bugs else layer
            self.attention = pieces.Attention(config, layer, linear=linear, **named)
            self.feed_forward = pieces.SwiGLU(config.dim, config.hidden_dim, linear)

        def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor, cache: KVCache | None = None) -> Tensor:
            cache = None if "cache_lost" in bugs else cache
            second = self.attention_norm if bugs & {"one_norm", "first_norm"} else self.ffn_norm
            norms = [self.attention_norm, second]
            norms = norms[::-1] if "norms_exchanged" in bugs else norms
            halves: list[Any] = [lambda h: self.attention(h, cos, sin, mask, cache), self.feed_forward]
            if "ffn_first" in bugs:
                norms, halves = norms[::-1], halves[::-1]
            start = x
            for i, (norm, half) in enumerate(zip(norms, halves, strict=True)):
                read = norm(start if "old_stream" in bugs else x)
                if "post_norm" in bugs:
                    x = x + norm(half(x))
                elif "outer_norm" in bugs:
                    x = norm(x + half(x))
                elif "raw" in bugs or ("raw_second" if i else "raw_first") in bugs:
                    x = x + half(x)
                elif "no_stream" in bugs or ("second_alone" if i else "first_alone") in bugs:
                    x = half(read)
                else:
                    normed = "normed_stream" in bugs or ("normed_first" in bugs and not i)
                    x = (read if normed else x) + half(read)
            return x

    return Faulty


def block_shapes(D: int, H: int, G: int, K: int, F: int, bias: bool) -> dict[str, tuple[int, ...]]:
    """The weights of a block by name."""
    shapes: dict[str, tuple[int, ...]] = {"attention_norm.weight": (D,), "ffn_norm.weight": (D,)}
    matrices = {"wq": (H * K, D), "wk": (G * K, D), "wv": (G * K, D), "wo": (D, H * K)}
    layers = {"w1": (F, D), "w2": (D, F), "w3": (F, D)}
    for part, found in (("attention", matrices), ("feed_forward", layers)):
        for name, shape in found.items():
            shapes[f"{part}.{name}.weight"] = shape
            if bias:
                shapes[f"{part}.{name}.bias"] = shape[:1]
    return shapes


def draw_weights(rng: Generator, shapes: dict[str, tuple[int, ...]], size: float = 0.7) -> list[np.ndarray]:
    """Norms near 1, all else normal; of a small size, attention looks at all keys and not at one."""
    return [
        1 + 0.5 * draw(rng, *shape) if "norm" in name else size * draw(rng, *shape) for name, shape in shapes.items()
    ]


def make_config(**sizes: Any) -> Made:
    """Small sizes as an input."""
    known = {"n_layers": 2, "hidden_dim": 6, "vocab_size": 11, "max_seq_len": 32}
    return Made("minillama.config:ModelConfig", known | sizes)


def cache_of(past: int, G: int, K: int, seed: int) -> Made:
    """A cache of two layers that has seen some tokens."""
    path = "minillama.course.tasks.attention_modules:filled_cache"
    return Made(path, {"n_layers": 2, "past": past, "n_kv_heads": G, "head_dim": K, "seed": seed})


def block_cases(rng: Generator) -> list[Case]:
    """A first block, one of layer 1 with a cache, and one of strange pieces."""
    T, past, seed = int(rng.integers(4, 7)), int(rng.integers(3, 6)), int(rng.integers(1000))
    found = []
    for name, G, layer, kind, tokens, before in (
        (f"{T} tokens", 2, 0, "plain", T, 0),
        (f"layer 1, and 2 tokens after {past} cached ones", 1, 1, "plain", 2, past),
        ("pieces of another make", 2, 0, "strange", 3, 0),
    ):
        D, H, K, F = 8, 2, 4, 6
        shapes = block_shapes(D, H, G, K, F, bias=kind == "strange")
        made = (
            make_config(dim=D, n_heads=H, n_kv_heads=G, norm_eps=0.5 if before else 1e-5),
            layer,
            Made(f"{HERE}:some_pieces", {"kind": kind}),
        )
        angles = np.outer(np.arange(before, before + tokens), 10.0 ** -np.arange(K // 2))
        inputs = [
            2 * draw(rng, 1, tokens, D), np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32),
            np.ones((tokens, 1), dtype=bool) if before else causal(tokens, tokens),
            *([cache_of(past, G, K, seed)] if before else []),
        ]  # fmt: skip
        found.append(Case(name=name, args=(made, tuple(shapes), *draw_weights(rng, shapes), *inputs)))
    return found


def entries(text: Any) -> list[str]:
    """The parameters in words, one an item."""
    return str(text).replace("), ", ")|").split("|")


def lacks_biases(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Is all right where the pieces are plain, and are biases missing, and nothing else, where they bring some?"""
    lacking = False
    for got, wanted in zip(outputs, expected, strict=True):
        missing = set(entries(wanted[0])) - set(entries(got[0]))
        if set(entries(got[0])) - set(entries(wanted[0])) or any(".bias" not in each for each in missing):
            return False
        if not missing and not np.allclose(got[1], wanted[1], atol=1e-3):
            return False
        lacking |= bool(missing)
    return lacking


def has_one_norm(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Is there one vector of weights where there should be two?"""
    vectors = [[each for each in entries(got[0]) if each.endswith(",)") and ".bias" not in each] for got in outputs]
    return bool(vectors) and all(len(each) == 1 for each in vectors)


def fault(name: str, looks_like: str, principle: str, question: str, **more: Any) -> Misconception:
    return Misconception(name=name, looks_like=looks_like, principle=principle, question=question, **more)


PIECES_LOST = fault(
    "pieces_lost", "matrices that do not come from `pieces`",
    "Whoever builds the model hands in what it is built from: a learner's norm, or matrices in 4 bits.",
    "Which of your lines make a part without `pieces`, or hand `pieces.linear` to nobody?", signature=lacks_biases,
)  # fmt: skip
CACHE_LOST = fault(
    "cache_lost", "a cache that never arrives", "Attention has to be handed the cache, or it forgets what came before.",
    "Where does your forward hand on its `cache`?",
)  # fmt: skip
LAYER_ZERO = fault(
    "layer_zero", "every layer told that it is layer 0",
    "All layers share one cache, and each has a place of its own in it.",
    "Which number does each attention layer get when it is made?",
)  # fmt: skip

Block: Task = Task(
    id="model.Block", lesson=LESSON, kind="rebuild", title="Build the block", points=4, difficulty=3, importance=5,
    minutes=15,
    reference=model.Block, faulty=faulty_block, cases=block_cases, driver="module",
    outputs=("the list of parameters", "the result"), piece="minillama.model:Block", atol=1e-4,
    forbidden=("minillama.model:Block",),
    misconceptions=(
        fault(
            "post_norm", "norms after the layers", "LLaMA norms what a layer reads; what it adds is added as it is.",
            "Does your norm stand before the layer or behind it?",
        ),
        fault(
            "outer_norm", "a norm of the stream itself",
            "That is the transformer of 2017. Here nothing stands on the road: what is added stays to the end.",
            "Which of your lines changes the whole of x?",
        ),
        fault(
            "normed_stream", "an addition to the normed copy",
            "The copy is for reading. Whoever adds to it, throws the road away.",
            "To what do you add the result of attention: to x, or to its norm?",
        ),
        fault(
            "no_stream", "layers that replace the stream", "A layer adds to what is there.",
            "What is left of the embedding after your block, if both layers give 0?",
        ),
        fault(
            "second_alone", "a second half that replaces the stream", "Both halves add.",
            "What does your last line return when feed_forward gives 0?",
        ),
        fault(
            "first_alone", "a first half that replaces the stream", "Both halves add.",
            "What is left of x after attention when attention gives 0?",
        ),
        fault(
            "normed_first", "a result of attention that is added to the normed copy",
            "The copy is for reading. Whoever adds to it, throws the road away.",
            "To what do you add the result of attention: to x, or to its norm?",
        ),
        fault(
            "raw_first", "attention that reads without a norm", "Each half reads through its norm.",
            "Where is attention_norm used?",
        ),
        fault(
            "raw_second", "feed-forward that reads without a norm", "Each half reads through its norm.",
            "Where is ffn_norm used?",
        ),
        fault(
            "norms_exchanged", "the two norms exchanged", "Each half has a norm with weights of its own.",
            "Through which norm does attention read?",
        ),
        fault(
            "norm_lost", "norms that do not come from `pieces`",
            "Whoever builds the model hands in what it is built from, norms as well.",
            "Which RMSNorm does your block make?", credit=0.7,
        ),
        fault(
            "eps_lost", "norms that were not told their eps", "LLaMA 7B was trained with 1e-6 and Llama 2 with 1e-5.",
            "What does the config say about eps?", credit=0.7,
        ),
        fault(
            "raw", "layers that read without a norm", "Each half reads through its norm.",
            "Where are your norms used?",
        ),
        fault(
            "old_stream", "halves that read at once",
            "Feed-forward reads the stream after attention has added to it. GPT-J and PaLM do it your way.",
            "Which x goes into your second norm?",
        ),
        fault(
            "ffn_first", "feed-forward before attention", "First the tokens meet, then each thinks on its own.",
            "Which half comes first?",
        ),
        fault(
            "first_norm", "the first norm used twice", "Each half has a norm with weights of its own.",
            "Which norm does your second half read through?",
        ),
        fault(
            "one_norm", "one norm for both halves",
            "Checkpoints bring two for every block, attention_norm and ffn_norm.",
            "How many norms does your block own?", signature=has_one_norm,
        ),
        LAYER_ZERO, CACHE_LOST, PIECES_LOST,
        fault(
            "parts_lost", "an attention layer that was not told what to use",
            "`apply_rope` and `attend` are pieces, too; attention is given them when it is made.",
            "What do you hand to `pieces.Attention` besides `linear`?", credit=0.7,
        ),
    ),
    hints=(
        "Four parts, two lines. Each line: norm a copy, let one half read it, add what it gives to x.",
        "x (B, T, D) stays (B, T, D) throughout. Attention also takes cos, sin, mask and cache.",
        "made once: attention_norm, attention, ffn_norm, feed_forward, all from `pieces`\n"
        "x = x + attention of the first norm of x\nreturn x + feed_forward of the second norm of x",
    ),
)  # fmt: skip
