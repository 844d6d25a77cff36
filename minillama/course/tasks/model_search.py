"""The second search of lesson 07: which bug a model has."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from minillama.attention import Attend, attend, attend_fused, causal_mask
from minillama.cache import KVCache
from minillama.config import ModelConfig
from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Probe, Task
from minillama.course.tasks.attention_ideas import Generator
from minillama.course.tasks.model_blocks import fault
from minillama.course.tasks.model_hand import LESSON
from minillama.course.tasks.model_parts import faulty_first
from minillama.model import Llama, Pieces
from minillama.rope import apply_rope
from minillama.trace import part_outputs

HERE = "minillama.course.tasks.model_search"
WORDS = ("mask", "positions", "residual", "shared", "final norm")
CANDIDATES = ("right", "right_too", *WORDS)
CONFIG = ModelConfig(dim=16, n_layers=2, n_heads=2, n_kv_heads=1, hidden_dim=24, vocab_size=40, max_seq_len=16)


def one_too_far(T: int, S: int, window: int | None = None) -> Tensor:
    """A causal mask that lets every query see one key ahead."""
    return torch.arange(S)[None] <= torch.arange(S - T, S)[:, None] + 1


def working_part(part: str, name: str) -> Callable[..., Any]:
    """A function in the suspect `name`: its "causal", "rope", "attend" or "join" (stream, what was read, answer)."""
    if part == "causal":
        return one_too_far if name == "mask" else causal_mask
    if part == "rope":
        return (lambda x, cos, sin: x) if name == "positions" else apply_rope
    if part == "attend":
        one = attend if name == "right_too" else attend_fused
        return lambda q, k, v, mask: (one(q, k, v, mask)[0], None)
    return lambda x, read, answer: (read if name == "residual" else x) + answer


def joining_block(join: Callable[..., Tensor]) -> Callable[..., nn.Module]:
    """A block that leaves to a function how an answer is added to the stream."""

    class Joining(nn.Module):
        def __init__(self, config: ModelConfig, layer: int, pieces: Pieces) -> None:
            super().__init__()
            self.attention_norm = pieces.RMSNorm(config.dim, config.norm_eps)
            self.attention = pieces.Attention(config, layer, apply_rope=pieces.apply_rope, attend=pieces.attend)
            self.ffn_norm = pieces.RMSNorm(config.dim, config.norm_eps)
            self.feed_forward = pieces.SwiGLU(config.dim, config.hidden_dim)

        def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor, cache: KVCache | None = None) -> Tensor:
            read = self.attention_norm(x)
            x = join(x, read, self.attention(read, cos, sin, mask, cache))
            read = self.ffn_norm(x)
            return join(x, read, self.feed_forward(read))

    return Joining


def assembled(
    seeds: Sequence[int], last_norm: bool, causal: Callable[..., Tensor], rope: Callable[..., Tensor],
    attend: Attend, join: Callable[..., Tensor],
) -> nn.Module:  # fmt: skip
    """A small model.

    Its source and what it is called with can be read where answers run, so neither may say what is wrong: functions
    come ready made, and stay elsewhere when this is graded.

    Args:
        seeds: of what stands around the layers, and of each layer: equal seeds, equal weights.
        last_norm: whether there is one.
        causal, rope, attend, join: see working_part. None is called like a bug: the names can be read, too.
    """
    pieces = Pieces(causal_mask=causal, apply_rope=rope, attend=attend, Block=joining_block(join))
    found = Llama(CONFIG, pieces).requires_grad_(False).eval()
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    for name, each in found.named_parameters():
        layer = int(name.split(".")[1]) + 1 if name.startswith("layers.") else 0
        drawn = torch.randn(each.shape, generator=generators[layer])
        each.copy_(1 + 0.3 * drawn if each.dim() == 1 else drawn * 1.5 / each.shape[1] ** 0.5)
    if not last_norm:
        found.norm = nn.Identity()
    return found


def suspect_model(name: str, seed: int) -> Made:
    """A model with one bug, by its word; "right" and "right_too" have none. Equal seeds, equal weights."""
    parts = {
        part: Made(f"{HERE}:working_part", {"part": part, "name": name})
        for part in ("causal", "rope", "attend", "join")
    }
    seeds = (seed, seed + 1, seed + (1 if name == "shared" else 2))
    return Made(f"{HERE}:assembled", {"seeds": seeds, "last_norm": name != "final norm", **parts})


def examine(bugs: Bugs = frozenset()) -> Callable[[nn.Module, nn.Module], str]:
    """model.find_the_bug; with bugs, one that looks at too little."""

    def find_the_bug(suspect: nn.Module, right: nn.Module) -> str:
        if "says_right" in bugs:
            return "right"
        tokens = torch.tensor([[3, 9, 4, 1, 7, 12]])
        part = faulty_first()(part_outputs(right, tokens), part_outputs(suspect, tokens))
        if part == "none":
            return "right"
        if part == "norm":
            return "final norm"
        if part.startswith("layers.1"):
            return "right" if "first_layer" in bugs else "shared"
        if part == "layers.0.ffn_norm":
            return "residual"
        if bugs & {"mask_unseen", "positions_unseen"}:
            return "positions" if "mask_unseen" in bugs else "mask"
        changed = torch.tensor([[3, 9, 4, 1, 7, 13]])
        return "mask" if (suspect(changed) - suspect(tokens))[:, :-1].abs().max() > 1e-4 else "positions"

    return find_the_bug


def _name_of(case: Case) -> str:
    return str(case.args[0].arguments["causal"].arguments["name"])


def line_up(rng: Generator) -> Sequence[Case]:
    """All candidates in any order."""
    seed = int(rng.integers(1000))
    return [
        Case(
            name=f"suspect {i + 1}",
            args=(suspect_model(str(name), seed), suspect_model("right", seed)),
        )
        for i, name in enumerate(rng.permutation(CANDIDATES))
    ]


def misjudged(cases: Sequence[Case], outputs: Sequence[Any]) -> str | None:
    """What was said of the first suspect that was misjudged."""
    for case, said in zip(cases, outputs, strict=True):
        name = _name_of(case).removesuffix("_too")
        if not isinstance(said, str) or said.strip() not in ("right", *WORDS):
            return f"Of {case.name} you say {said!r}, which is none of the six words."
        if said.strip() != name:
            return f"Of {case.name} you say {said.strip()!r}, and it is {name!r}."
    return None


EACH_BY_NAME = Probe(
    name="each suspect by its name", cases=line_up, broken=misjudged,
    principle="Where two models part says which half is wrong; a second experiment says what is wrong with it.",
    question="At which part does this one leave the right one, and what would each of the bugs change there?",
)  # fmt: skip

find_the_bug: Task = Task(
    id="model.find_the_bug", lesson=LESSON, kind="diagnose", title="Find the bug of five broken models", points=6,
    difficulty=4, importance=5, minutes=20,
    reference=examine(), faulty=examine, cases=line_up, probes=(EACH_BY_NAME,), outputs=("your word",),
    time_limit_s=30.0,
    misconceptions=(
        fault(
            "says_right", "a function that finds nothing wrong with any of them", "Five of the seven are broken.",
            "Which of your lines can return another word?", credit=0.0,
        ),
        fault(
            "first_layer", "a search that ends with the first layer",
            "One of the bugs leaves the whole first layer as it should be.",
            "Which parts of layer 1 do you compare?",
        ),
        fault(
            "mask_unseen", "a search that never asks about the future",
            "With a wrong mask and with wrong positions the same part goes wrong first: the first attention.",
            "Which token could you change, and where must nothing change then?",
        ),
        fault(
            "positions_unseen", "every wrong attention taken for a wrong mask",
            "With a wrong mask and with wrong positions the same part goes wrong first: the first attention.",
            "What would a mask that lets the future through do, that wrong positions would not?",
        ),
    ),
    hints=(
        "Record both models on the same tokens, and find the first part that differs. Where two bugs share it, change "
        "the last token.",
        "part_outputs(model, tokens) with tokens (1, T): name -> tensor, the parts in order, then logits.",
        "no part differs -> right\nfirst at layers.0.attention -> mask or positions: does the last token change the "
        "logits before it?\nfirst after layers.0.attention was still right -> residual\nfirst in layer 1 -> shared\n"
        "first at norm -> final norm",
    ),
)  # fmt: skip
