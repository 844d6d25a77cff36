"""The searches of lesson 07: where two models part, and which bug a model has."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from minillama.attention import attend
from minillama.config import ModelConfig
from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Probe, Task
from minillama.course.tasks.attention_ideas import Generator
from minillama.course.tasks.model_blocks import fault, faulty_block
from minillama.course.tasks.model_hand import LESSON
from minillama.model import Llama, Pieces
from minillama.trace import part_outputs

HERE = "minillama.course.tasks.model_search"
PARTS = ("tok_embeddings", "layers.0.attention", "layers.0", "layers.1.attention", "layers.1", "norm", "logits")
Outputs = dict[str, Tensor]


def pass_of(kind: str, seed: int, first: int, suspect: bool) -> Outputs:
    """What the parts of a model gave, or of a suspect that goes wrong at part `first`.

    Args:
        kind: "rising" differs more and more, "falling" most at the first wrong part and less afterwards, "level" by
            numbers whose mean is 0, "large" has a stream of thousands, "single" begins with one wrong number, "below"
            is too low, "negative" has no right number above 0, "nan" has no numbers there, "none" agrees.
        seed: of the numbers.
        first: number of the part.
        suspect: the suspect's pass; it is rounded otherwise.
    """
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for i, name in enumerate(PARTS):
        x = torch.randn(2, 4, 6, generator=generator)
        x = (x + 0.3 * x.sign()) * (3000.0 if kind == "large" else 1.0)
        if kind == "negative":
            x = -x.abs()
            x[0, 0, 0] = 0.0
        if kind == "none" and i == len(PARTS) - 3:
            x[0, 0, 0] = 0.0  # rounded like its neighbours, and nothing beside itself
        noise, wrong = (torch.randn(2, 4, 6, generator=generator) for _ in range(2))
        if suspect:
            x = x + 2e-7 * x.abs().max() * noise
            if i >= first and kind != "none":
                wrong = (wrong - wrong.mean()) * x.abs().max()
                if kind == "below":
                    wrong = -wrong.abs() - x.abs().max()
                if kind == "single" and i == first:
                    wrong = torch.zeros_like(x)
                    wrong[-1, -1, -1] = 0.04 * x.abs().max()
                sizes = {"falling": 0.5 / (1 + i - first), "nan": float("nan")}
                x = x + wrong * sizes.get(kind, 0.05 * (1 + i - first))
        found[name] = x
    return found


def faulty_first(bugs: Bugs = frozenset()) -> Callable[[Outputs, Outputs], str]:
    """model.first_wrong_part with these bugs."""

    def first_wrong_part(right: Outputs, suspect: Outputs) -> str:
        wrong = {}
        for name, expected in sorted(right.items()) if "sorted" in bugs else right.items():
            gap, size = (suspect[name] - expected), expected.abs().max()
            if "own_size" in bugs:
                gap, size = gap / expected.abs(), torch.ones(())
            if "signed_size" in bugs:
                size = expected.max()
            largest = gap.max() if "signed_gap" in bugs else gap.abs().max()
            largest = gap.mean().abs() if "mean" in bugs else gap.abs().mean() if "mean_size" in bugs else largest
            off = largest / (1 if "absolute" in bugs else size)
            limit = 0.0 if "exact" in bugs else 1e-4
            if off > limit or (off.isnan() and "blind_to_nan" not in bugs):
                wrong[name] = float(off)
        if not wrong:
            return "none"
        if "largest" in bugs:
            return max(wrong, key=lambda name: wrong[name])
        return list(wrong)[-1 if "last" in bugs else 0]

    return first_wrong_part


def first_cases(rng: Generator) -> list[Case]:
    """Passes that part early and late, loudly and softly, and one that does not."""
    found = []
    for name, kind, first in (
        ("a difference that grows", "rising", int(rng.integers(1, 4))),
        ("a difference that fades", "falling", int(rng.integers(1, 4))),
        ("rounding alone", "none", 0),
        ("a stream of thousands", "large", int(rng.integers(3, 6))),
        ("one wrong number at first", "single", int(rng.integers(1, 4))),
        ("numbers that are too low", "below", int(rng.integers(1, 4))),
        ("right numbers below 0", "negative", int(rng.integers(2, 5))),
        ("nan from some part on", "nan", int(rng.integers(2, 5))),
    ):
        seed = int(rng.integers(10_000))
        made = [
            Made(f"{HERE}:pass_of", {"kind": kind, "seed": seed, "first": first, "suspect": suspect})
            for suspect in (False, True)
        ]
        found.append(Case(name=name, args=tuple(made)))
    return found


first_wrong_part: Task = Task(
    id="model.first_wrong_part", lesson=LESSON, kind="complete", title="Find where two models part", points=3,
    difficulty=2, importance=5, minutes=10,
    reference=faulty_first(), faulty=faulty_first, cases=first_cases, outputs=("the part",),
    misconceptions=(
        fault(
            "largest", "the part that is most wrong",
            "An error grows, or fades, on its way. It was made where it begins.",
            "Which part stands first in the order of the pass?",
        ),
        fault(
            "last", "the last part that is wrong", "The error was made where it begins.", "When does your loop stop?"
        ),
        fault(
            "exact", "numbers that have to be equal to the last digit",
            "Two right models add in another order, and rounding differs.",
            "How far apart may two right results be?",
        ),
        fault(
            "absolute", "a difference that is not measured against the numbers' size",
            "0.001 is much beside 0.01, and rounding beside 3,000.", "How large are the numbers that you compare?",
        ),
        fault(
            "own_size", "a difference that is measured against each number's own size",
            "Rounding happens in sums. A number that comes out near 0 is rounded like its large neighbours.",
            "What does your measure say of 0.0000001 beside a true 0?",
        ),
        fault(
            "mean", "a mean of differences, in which plus and minus cancel",
            "Half too large and half too small is wrong.",
            "What becomes of a difference of +1 and one of -1 in your measure?",
        ),
        fault(
            "mean_size", "a mean of errors, in which one among many drowns",
            "A single wrong number is wrong: the largest error counts.",
            "What does your measure say where one number of a thousand is off?",
        ),
        fault(
            "signed_gap", "a difference whose sign still stands",
            "A number that is too low is wrong, too, and its difference is below 0, which is below every limit.",
            "What does your measure say of a part whose numbers are all too low?",
        ),
        fault(
            "signed_size", "the largest number instead of the largest size",
            "Where all numbers are below 0, the largest of them is the one nearest to 0.",
            "How large are the numbers -3 and -0.1 in your measure?", credit=0.7,
        ),
        fault(
            "sorted", "parts in the order of their names", "The parts come in the order of the pass already.",
            "In which order does your loop meet `tok_embeddings` and `layers.0`?",
        ),
        fault(
            "blind_to_nan", "a comparison that lets nan through",
            "Every comparison with nan is False: nan is neither above your limit nor below it.",
            "What does your condition say when the difference is nan?", credit=0.8,
        ),
    ),
    hints=(
        "Go through the parts in order, measure each against the size of the right one, stop at the first that is off.",
        "right and suspect: name -> tensor of equal shape. The answer is a name, or \"none\".",
        "for each name: gap = largest absolute difference; size = largest absolute number of the right one\n"
        "unless gap is at most 0.0001 times size: return the name\nin the end: none",
    ),
)  # fmt: skip


# Which bug?

WORDS = ("mask", "positions", "residual", "shared", "final norm")
CANDIDATES = ("right", "right_too", *WORDS)
CONFIG = ModelConfig(dim=16, n_layers=2, n_heads=2, n_kv_heads=1, hidden_dim=24, vocab_size=40, max_seq_len=16)


def one_too_far(T: int, S: int, window: int | None = None) -> Tensor:
    """A causal mask that lets every query see one key ahead."""
    return torch.arange(S)[None] <= torch.arange(S - T, S)[:, None] + 1


@cache
def suspect_model(name: str, seed: int) -> nn.Module:
    """A small model with one bug, by its word; "right" and "right_too" have none. Equal seeds, equal weights."""
    pieces = {
        "right_too": Pieces(attend=attend),
        "mask": Pieces(causal_mask=one_too_far),
        "positions": Pieces(apply_rope=lambda x, cos, sin: x),
        "residual": Pieces(Block=faulty_block(frozenset({"normed_stream"}))),
    }
    generator = torch.Generator().manual_seed(seed)
    made = Llama(CONFIG).requires_grad_(False)
    weights = {
        name: 1 + 0.3 * torch.randn(each.shape, generator=generator) if each.dim() == 1
        else torch.randn(each.shape, generator=generator) * 1.5 / each.shape[1] ** 0.5
        for name, each in made.named_parameters()
    }  # fmt: skip
    found = Llama(CONFIG, pieces.get(name, Pieces())).requires_grad_(False).eval()
    found.load_state_dict(weights)
    if name == "shared":
        found.layers[1].load_state_dict(found.layers[0].state_dict())
    if name == "final norm":
        found.norm = nn.Identity()
    return found


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


def line_up(rng: Generator) -> Sequence[Case]:
    """All candidates in any order."""
    seed = int(rng.integers(1000))
    return [
        Case(
            name=f"suspect {i + 1}",
            args=tuple(Made(f"{HERE}:suspect_model", {"name": each, "seed": seed}) for each in (str(name), "right")),
        )
        for i, name in enumerate(rng.permutation(CANDIDATES))
    ]


def misjudged(cases: Sequence[Case], outputs: Sequence[Any]) -> str | None:
    """What was said of the first suspect that was misjudged."""
    for case, said in zip(cases, outputs, strict=True):
        name = str(case.args[0].arguments["name"]).removesuffix("_too")
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
