"""Tasks of lesson 10 about converting Hugging Face's tensors: their names, and what may be wrong with a converter."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from minillama.checkpoint import hf
from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Probe, Task
from minillama.course.tasks.checkpoint_hand import LESSON
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.rope import permute_hf_to_meta, permute_meta_to_hf

Renamed = dict[str, Any]
LAYER = {**hf.LAYER_NAMES}
ENDS = {**hf.NAMES}
EXCHANGED = {  # bug -> two of our names that changed places
    "gate_and_up": ("feed_forward.w1", "feed_forward.w3"),
    "up_and_down": ("feed_forward.w2", "feed_forward.w3"),
    "norms": ("attention_norm", "ffn_norm"),
}


def layer_names(bugs: Bugs) -> dict[str, str]:
    """Hugging Face's names inside a layer, and ours, with some exchanged."""
    names = dict(LAYER)
    for bug, (one, other) in EXCHANGED.items():
        if bug in bugs:
            names = {theirs: {one: other, other: one}.get(ours, ours) for theirs, ours in names.items()}
    return names


def faulty_names(bugs: Bugs = frozenset()) -> Callable[[Mapping[str, Any]], Renamed]:
    """checkpoint.hf_names_to_meta with these bugs."""
    inside, tail = layer_names(bugs), "" if "no_weight" in bugs else ".weight"

    def rename(name: str) -> str | None:
        stem, _, kind = name.rpartition(".")
        if kind == "bias" and "biases" in bugs:
            kind, stem_tail = "weight", ".bias"
        else:
            stem_tail = tail
        if kind != "weight":
            return None
        if stem in ENDS:
            return ("lm_head" if "head_kept" in bugs and stem == "lm_head" else ENDS[stem]) + stem_tail
        if not stem.startswith("model.layers."):
            return None
        layer, _, part = stem.removeprefix("model.layers.").partition(".")
        layer = layer[0] if "one_digit" in bugs else layer
        prefix = "model." if "prefix_kept" in bugs else ""
        return f"{prefix}layers.{layer}.{inside[part]}{stem_tail}" if part in inside else None

    def hf_names_to_meta(tensors: Mapping[str, Any]) -> Renamed:
        renamed = {}
        for name, value in tensors.items():
            new = rename(name)
            if new is None and "others_kept" in bugs:
                new = name
            if new is not None:
                renamed[new] = name if "old_names" in bugs else value
        if "ties" in bugs and "output.weight" not in renamed and "tok_embeddings.weight" in renamed:
            renamed["output.weight"] = renamed["tok_embeddings.weight"]
        return renamed

    return hf_names_to_meta


def name_cases(rng: Generator) -> list[Case]:
    """Layers of one and of two digits, a tied model, strangers of several kinds, and names in no order."""

    def shuffled(names: Sequence[str]) -> dict[str, str]:
        return {names[i]: f"tensor {rng.integers(100, 1000)}" for i in rng.permutation(len(names))}

    def whole(layers: Sequence[int], tied: bool = False) -> list[str]:
        ends = [f"{stem}.weight" for stem in ENDS if not (tied and stem == "lm_head")]
        return ends + [f"model.layers.{layer}.{part}.weight" for layer in layers for part in LAYER]

    one, two = int(rng.integers(2, 9)), int(rng.integers(10, 80))
    table = f"model.layers.{one}.self_attn.rotary_emb.inv_freq"
    strangers = [
        f"model.layers.{one}.self_attn.q_norm.weight", f"model.layers.{one}.self_attn.q_proj.bias", "lm_head.bias",
        "vision_tower.patch_embedding.weight", f"model.layers.{one}.mlp.experts.0.gate_proj.weight",
    ]  # fmt: skip
    return [
        Case(name="a whole model", args=(shuffled(whole((0, one))),)),
        Case(name="a layer beyond the tenth", args=(shuffled(whole((one, two))),)),
        Case(name="a tied model, without lm_head", args=(shuffled(whole((one,), tied=True)),)),
        Case(name="a table of frequencies, as old files hold it", args=(shuffled([*whole((one,)), table]),)),
        Case(name="tensors that no LLaMA has", args=(shuffled([*whole((one,)), *strangers]),)),
        Case(name="a single tensor", args=({f"model.layers.{two}.mlp.up_proj.weight": "tensor 7"},)),
    ]


hf_names_to_meta: Task = Task(
    id="checkpoint.hf_names_to_meta", lesson=LESSON, kind="rebuild", title="Give Hugging Face's tensors Meta's names",
    points=3, difficulty=2, importance=5, minutes=12,
    reference=hf.hf_names_to_meta, faulty=faulty_names, cases=name_cases,
    piece="minillama.checkpoint.hf:hf_names_to_meta",
    forbidden=("minillama.checkpoint.hf:hf_names_to_meta", "minillama.checkpoint.hf:meta_name_to_hf"),
    misconceptions=(
        idea(
            "gate_and_up", "gate and up exchanged", "The gate is what is bent, and Meta calls it w1.",
            "Which of Hugging Face's two goes through SiLU?",
        ),
        idea(
            "up_and_down", "gate, up and down numbered in this order",
            "Meta's w2 leads back down: its name is older than the gate's second half, w3.",
            "Which of the three has D rows, and what does Meta call it?",
        ),
        idea(
            "norms", "the two norms of a layer exchanged", "post_attention_layernorm stands before the feed-forward.",
            "What comes after the attention in a layer?",
        ),
        idea(
            "one_digit", "layers that are told by their first digit", "7B has 32 layers.",
            "What does your function make of layer 10, and what of layer 1?",
        ),
        idea(
            "no_weight", "names without .weight at their end", "Meta's names end as Hugging Face's do.",
            "How does the name of Meta's wq in layer 0 end?", 0.7,
        ),
        idea(
            "prefix_kept", "names that still begin with model", "Meta's names begin with layers.",
            "What stands in front of the first dot of yours?", 0.7,
        ),
        idea(
            "head_kept", "an lm_head that kept its name", "Meta calls the last matrix output.",
            "Which three tensors lie outside of the layers?", 0.6,
        ),
        idea(
            "others_kept", "strangers that came along", "What has no name in Meta's files is left out.",
            "What does yours do with a name that it does not know?", 0.7,
        ),
        idea(
            "biases", "biases that came along", "A LLaMA has none: only what ends in .weight counts.",
            "What does your function look at behind the last dot?", 0.7,
        ),
        idea(
            "ties", "an output that was added", "Names are changed here, nothing is added. A tied model has no output.",
            "How many entries can the result have at most?", 0.7,
        ),
        idea(
            "old_names", "old names in the place of the tensors", "The values stay what they are.",
            "What is behind each name in your result?", 0.6,
        ),
    ),
    hints=(
        "Three names outside of the layers, nine inside. Write them as a table; the number of the layer stays.",
        "A dict of names to a dict of names, with the same values, and maybe fewer of them.",
        "for each name and value:\n  cut off .weight, or leave it out\n  one of the three outside: its new name\n"
        "  model.layers.N.part: layers.N and the part's new name\n  anything else: left out",
    ),
)  # fmt: skip

# A converter that gives gibberish: what is wrong with it?

Converter = Callable[[Mapping[str, Tensor], int, int], dict[str, Tensor]]
FAULTS = ("order", "way", "heads", "values", "gate")
SUSPECTS = ("right", "right_too", *FAULTS)


def reordered(weight: Tensor, n_heads: int, move: Callable[[Tensor, int], Tensor]) -> Tensor:
    """Rows moved, or left where this number of heads does not divide them into pairs."""
    return weight.clone() if len(weight) % (2 * n_heads) else move(weight, n_heads)


def suspect(name: str) -> Converter:
    """A converter of Hugging Face's tensors to be judged, by the word for its fault; it takes any part of a model."""
    move = permute_meta_to_hf if name == "way" else permute_hf_to_meta

    def convert(tensors: Mapping[str, Tensor], n_heads: int, n_kv_heads: int) -> dict[str, Tensor]:
        heads = {"attention.wq": n_heads, "attention.wk": n_heads if name == "heads" else n_kv_heads}
        if name == "values":
            heads["attention.wv"] = n_kv_heads
        found = {}
        names = faulty_names(frozenset({"gate_and_up"} if name == "gate" else ()))
        for new, weight in names(tensors).items():
            part = new.removesuffix(".weight").partition(".")[2].partition(".")[2]
            moved = part in heads and name != "order"
            found[new] = reordered(weight, heads[part], move) if moved else weight.clone()
        return dict(reversed(found.items())) if name == "right_too" else found

    return convert


def examine(bugs: Bugs = frozenset()) -> Callable[[Converter], str]:
    """checkpoint.name_the_fault; with bugs, one that looks at too little."""

    def name_the_fault(convert: Converter) -> str:
        if "says_right" in bugs:
            return "right"
        H, G, K = 4, 4 if "all_equal" in bugs else 2, 4 if "small_heads" in bugs else 8
        rows = {"self_attn.q_proj": H * K, "self_attn.k_proj": G * K, "self_attn.v_proj": G * K}
        rows |= {"mlp.gate_proj": 3, "mlp.up_proj": 5}
        parts = {name: torch.arange(count * 2.0).view(count, 2) for name, count in rows.items()}
        out = convert({f"model.layers.0.{name}.weight": part for name, part in parts.items()}, H, G)
        got = {name: out.get(f"layers.0.{name}.weight", torch.empty(0)) for name in LAYER.values()}
        if "blind_to_gate" not in bugs and len(got["feed_forward.w1"]) != 3:
            return "gate"
        if "blind_to_values" not in bugs and not torch.equal(got["attention.wv"], parts["self_attn.v_proj"]):
            return "values"
        q, k = parts["self_attn.q_proj"], parts["self_attn.k_proj"]
        if torch.equal(got["attention.wq"], permute_hf_to_meta(q, H)):
            return "right" if torch.equal(got["attention.wk"], permute_hf_to_meta(k, G)) else "heads"
        return "order" if torch.equal(got["attention.wq"], q) else "way"

    return name_the_fault


def line_up(rng: Generator) -> Sequence[Case]:
    path = "minillama.course.tasks.checkpoint_names:suspect"
    names = rng.permutation(SUSPECTS)
    return [Case(name=f"suspect {i + 1}", args=(Made(path, {"name": str(name)}),)) for i, name in enumerate(names)]


def _words(cases: Sequence[Case], outputs: Sequence[Any]) -> str | None:
    """What was said of the first suspect that was misjudged."""
    for case, said in zip(cases, outputs, strict=True):
        name = str(case.args[0].arguments["name"]).removesuffix("_too")
        if not isinstance(said, str) or said.strip() not in ("right", *FAULTS):
            return f"Of {case.name} you say {said!r}, which is none of the six words."
        if said.strip() != name:
            return f"Of {case.name} you say {said.strip()!r}, and it is {name!r}."
    return None


name_the_fault: Task = Task(
    id="checkpoint.name_the_fault", lesson=LESSON, kind="diagnose", title="Find out why a converted model babbles",
    points=5, difficulty=4, importance=5, minutes=18,
    reference=examine(), faulty=examine, cases=line_up, outputs=("your word",),
    probes=(
        Probe(
            name="each suspect by its name", cases=line_up, broken=_words,
            principle="Rows that carry their own numbers show where each of them went.",
            question="What do you feed it, and would another converter give the same on that?",
        ),
    ),
    misconceptions=(
        idea(
            "says_right", "a function that finds nothing wrong with anything", "Five of the seven suspects are wrong.",
            "Which of your lines can return another word?", 0.0,
        ),
        idea(
            "small_heads", "heads of four rows", "With four rows a head, there and back are the same order.",
            "In which order do you expect the six rows of a head, for either way?",
        ),
        idea(
            "all_equal", "as many key heads as query heads",
            "Then nobody sees which of the two numbers was used for wk.",
            "Which n_heads and n_kv_heads do you choose?",
        ),
        idea(
            "blind_to_values", "a function that never looks at wv", "Values are never turned, so their rows stay.",
            "Which of the three matrices of an attention do you look at?",
        ),
        idea(
            "blind_to_gate", "a function that never looks at the feed-forward",
            "Two of its three matrices have one shape, so nothing complains when they change places.",
            "How can you tell w1 from w3 in what comes out?",
        ),
    ),
    hints=(
        "Feed it matrices whose rows carry their own numbers. Then you can read where each row went.",
        "suspect(tensors by Hugging Face's names, n_heads, n_kv_heads) -> tensors by Meta's names. A part of one layer "
        "will do; the sizes are yours.",
        "more query heads than key heads, heads of six rows or more\nwq as it came -> order; in another order than "
        "neighbouring pairs -> way\nwk not by its own heads -> heads\nwv not as it came -> values\nw1 is what was "
        "up -> gate",
    ),
)  # fmt: skip
