"""Tasks of lesson 10 that put matrices together and take them apart."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minillama.checkpoint import meta
from minillama.course.record import Bugs, Case, Probe, Task
from minillama.course.tasks.checkpoint_hand import LESSON
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.rope import permute_hf_to_meta

Shard = dict[str, Tensor]
ROWS = ("wq", "wk", "wv", "w1", "w3", "output")
COLUMNS = ("wo", "w2")


def axis_of(name: str, first: Tensor, dim: int, bugs: Bugs) -> int | None:
    """Along which axis to put a tensor together, with these bugs; None takes the first shard's."""
    part = name.split(".")[-2]
    if first.dim() == 1:
        return 0 if "norms_joined" in bugs else None
    if "all_rows" in bugs or "all_columns" in bugs:
        return 0 if "all_rows" in bugs else 1
    if part == "tok_embeddings":
        if bugs & {"embedding_rows", "embedding_columns"}:
            return 0 if "embedding_rows" in bugs else 1
        return 0 if first.shape[1] == dim else 1
    if (part == "wo" and "wo_rows" in bugs) or (part == "w2" and "w2_rows" in bugs):
        return 0
    return 0 if part in ROWS and not (part == "output" and "output_columns" in bugs) else 1


def faulty_merge(bugs: Bugs = frozenset()) -> Callable[[list[Shard], int], Shard]:
    """checkpoint.merge_shards with these bugs."""

    def merge_shards(shards: list[Shard], dim: int) -> Shard:
        shards = shards[::-1] if "backwards" in bugs else shards
        shards = shards[:1] if "first_only" in bugs else shards
        merged = {}
        for name, first in shards[0].items():
            parts, axis = [shard[name] for shard in shards], axis_of(name, first, dim, bugs)
            if axis is None:
                merged[name] = sum(parts[1:], first) if "norms_summed" in bugs else first
            elif axis == 1 and "reshaped" in bugs:
                merged[name] = torch.cat(parts).reshape(len(first), -1)
            else:
                merged[name] = torch.cat(parts, dim=axis)
        return merged

    return merge_shards


def shards_of(sizes: dict[str, int], n: int, rows_embedding: bool, rng: Generator, only: str = "") -> list[Any]:
    """The shards of a model of one layer, or of the parts that `only` names."""
    D, F, KV, V = sizes["D"], sizes["F"], sizes["KV"], sizes["V"]
    shapes = {
        "tok_embeddings": (V, D), "layers.0.attention.wq": (D, D), "layers.0.attention.wk": (KV, D),
        "layers.0.attention.wv": (KV, D), "layers.0.attention.wo": (D, D), "layers.0.feed_forward.w1": (F, D),
        "layers.0.feed_forward.w2": (D, F), "layers.0.feed_forward.w3": (F, D), "layers.0.attention_norm": (D,),
        "layers.0.ffn_norm": (D,), "norm": (D,), "output": (V, D),
    }  # fmt: skip
    shards: list[dict[str, np.ndarray]] = [{} for _ in range(n)]
    for name, shape in shapes.items():
        part = name.rpartition(".")[2]
        if only and part not in only.split():
            continue
        whole = rng.normal(size=shape).astype(np.float32)
        columns = part in COLUMNS or (part == "tok_embeddings" and not rows_embedding)
        pieces = np.split(whole, n, axis=int(columns)) if len(shape) == 2 else [whole] * n
        for shard, piece in zip(shards, pieces, strict=True):
            shard[f"{name}.weight"] = piece.copy()
    return shards


def in_16_bits(shards: list[dict[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
    """The same shards in float16."""
    return [{name: part.astype(np.float16) for name, part in shard.items()} for shard in shards]


def merge_cases(rng: Generator) -> list[Case]:
    """Two and four shards, Llama 3's way with the embedding, a model in one piece, a part of one, and 16 bits."""
    D, F, V = 8, 4 * int(rng.integers(5, 8)), 4 * int(rng.integers(9, 12))
    sizes = {"D": D, "F": F, "KV": 4, "V": V}
    return [
        Case(name="2 shards", args=(shards_of(sizes, 2, False, rng), D)),
        Case(name="4 shards", args=(shards_of(sizes, 4, False, rng), D)),
        Case(name="2 shards of Llama 3, whose embedding is cut by rows", args=(shards_of(sizes, 2, True, rng), D)),
        Case(name="a model in one piece", args=(shards_of(sizes, 1, False, rng), D)),
        Case(name="a part of a model", args=(shards_of(sizes, 2, False, rng, "wo ffn_norm"), D)),
        Case(name="2 shards in 16 bits", args=(in_16_bits(shards_of(sizes, 2, False, rng)), D)),
    ]


def _spoilt(cases: Sequence[Case], outputs: Sequence[Any]) -> str | None:
    """Rows of a matrix cut by columns in which parts of two rows follow each other, in words."""
    for case, got in zip(cases, outputs, strict=True):
        first = case.args[0][0]["layers.0.attention.wo.weight"]
        row = np.asarray(got["layers.0.attention.wo.weight"])[0]
        if row.shape == (8,) and np.allclose(row, np.concatenate([first[0], first[1]])):
            return "In your wo, row 0 of the first shard is followed by row 1 of the first shard."
    return None


def _two(rng: Generator) -> list[Case]:
    return [
        Case(name="2 shards", args=(shards_of({"D": 8, "F": 20, "KV": 4, "V": 36}, 2, False, rng), 8)),
    ]


merge_shards: Task = Task(
    id="checkpoint.merge_shards", lesson=LESSON, kind="rebuild", title="Put Meta's shards together", points=4,
    difficulty=3, importance=5, minutes=15,
    reference=meta.merge_shards, faulty=faulty_merge, cases=merge_cases, piece="minillama.checkpoint.meta:merge_shards",
    forbidden=("minillama.checkpoint.meta:merge_shards", "minillama.checkpoint.meta:shard_axis"),
    probes=(
        Probe(
            name="rows stay rows", cases=_two, broken=_spoilt,
            principle="Each shard has a half of every row of wo. The halves of one row belong beside each other.",
            question="Which axis of wo was cut?",
        ),
    ),
    misconceptions=(
        idea(
            "wo_rows", "wo put together by rows", "wo takes in what the heads give out, and each shard has some heads: "
            "some of its columns.", "Which axis of wo counts what the heads say?",
        ),
        idea(
            "w2_rows", "w2 put together by rows",
            "w2 takes in what w1 and w3 give out, and each shard has some of that: "
            "some of its columns.", "Which axis of w2 counts hidden numbers?",
        ),
        idea(
            "all_rows", "everything put together by rows", "wo, w2 and the embedding are cut by columns.",
            "Which matrices take in what others give out, and were cut along that?", 0.3,
        ),
        idea(
            "all_columns", "everything put together by columns",
            "A matrix whose outputs are shared out is cut by rows.",
            "How many rows of wq does a shard have?", 0.3,
        ),
        idea(
            "embedding_rows", "every embedding put together by rows",
            "LLaMA 1 and 2 cut it by columns, Llama 3 by rows. Its shape and dim say which.",
            "How long is a row of the embedding in one shard, and how long should it be?", 0.7,
        ),
        idea(
            "embedding_columns", "every embedding put together by columns",
            "LLaMA 1 and 2 cut it by columns, Llama 3 by rows. Its shape and dim say which.",
            "What is `dim` handed over for?", 0.7,
        ),
        idea(
            "output_columns", "the output put together by columns", "Each shard scores some of the words.",
            "Which axis of the output counts words?",
        ),
        idea(
            "norms_joined", "norms that were put behind each other", "Every shard has the whole of every norm.",
            "How long is a norm's weight, with one shard and with two?",
        ),
        idea(
            "norms_summed", "norms that were added up", "Every shard has the whole of every norm: copies, not parts.",
            "What would a norm's weight be, with eight shards?",
        ),
        idea("first_only", "a model of the first shard alone", "Each of the shards has a part of every matrix.",
             "Where do you use the second shard?", 0.2),
        idea("backwards", "shards from the last to the first", "consolidated.00.pth has what comes first.",
             "Whose rows stand at the top of your wq?"),
        idea(
            "reshaped", "rows that were put together and then given another shape",
            "A reshape moves nothing: the numbers follow each other as before, and rows of two shards do not mix.",
            "Which number of your wo follows the last one of the first shard's row 0?", 0.4,
        ),
    ),
    hints=(
        "For each tensor: who uses what it gives out, and who makes what it takes in? One of the two was shared out.",
        "wq wk wv w1 w3 output (rows/n, D); wo w2 and the old embedding (rows, columns/n); norms (D,).",
        "for each name of the first shard:\n  a vector: take it\n  wo, w2: beside each other\n  the embedding: beside "
        "each other where its rows are shorter than dim\n  all others: below each other",
    ),
)  # fmt: skip

# A variant that nobody shows: wq, wk and wv in one matrix


def fused_split(layout: str, order: str) -> Callable[[Bugs], Callable[..., tuple[Tensor, Tensor, Tensor]]]:
    """How a family lays wq, wk and wv into one matrix, to be taken apart.

    Args:
        layout: "groups": for each key head in turn, its query heads, key and value; "blocks": all of each kind.
        order: of the three inside, such as "qkv".
    """

    def with_bugs(bugs: Bugs = frozenset()) -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
        groups = (layout == "groups") != ("other_layout" in bugs)
        inside = "kvq" if ("other_order" in bugs) == (order == "qkv") else "qkv"

        def split_fused(weight: Tensor, n_heads: int, n_kv_heads: int) -> tuple[Tensor, Tensor, Tensor]:
            if "thirds" in bugs:
                third = len(weight) // 3 + (len(weight) % 3 > 0)
                return weight[:third], weight[third : 2 * third], weight[2 * third :]
            each = n_heads // n_kv_heads
            counts = {"q": each, "k": 1, "v": 1}
            shares = [counts[kind] for kind in inside]
            n = n_kv_heads if groups else 1
            K = len(weight) // (n_heads + 2 * n_kv_heads)
            heads = weight.reshape(n, -1, K, weight.shape[1])  # (n, heads of one, K, D)
            parts = heads.split([share * n_kv_heads // n for share in shares], dim=1)
            found = {kind: part.flatten(0, 2) for kind, part in zip(inside, parts, strict=True)}
            if "interleaved" in bugs:
                found["q"] = found["q"].unflatten(0, (n_kv_heads, each, K)).transpose(0, 1).flatten(0, 2)
            if "reordered" in bugs:
                found["q"], found["k"] = (
                    permute_hf_to_meta(found[kind], count) for kind, count in (("q", n_heads), ("k", n_kv_heads))
                )
            if "exchanged" in bugs:
                return found["q"], found["v"], found["k"]
            return found["q"], found["k"], found["v"]

        return split_fused

    return with_bugs


def fused_cases(rng: Generator) -> list[Case]:
    """Groups of two, of three and of four, and one key head for each query head."""
    K, D = 2 * int(rng.integers(3, 5)), int(rng.integers(3, 6))
    return [
        Case(
            name=f"{H} query heads and {G} key heads of {K} rows",
            args=(rng.normal(size=((H + 2 * G) * K, D)).astype(np.float32), H, G),
        )
        for H, G in ((4, 2), (9, 3), (4, 4), (8, 2), (3, 1))
    ]


FUSED = {
    ("groups", "qkv"): (
        "group by group: first the query heads that share the first key head, then this key head, then its value head; "
        "then the same for the second key head, and so on",
        "an axis for the groups, one for the heads of a group",
    ),
    ("groups", "kvq"): (
        "group by group: first the first key head, then its value head, then the query heads that share it; then the "
        "same for the second key head, and so on",
        "an axis for the groups, one for the heads of a group",
    ),
    ("blocks", "qkv"): (
        "kind by kind: first all query heads, then all key heads, then all value heads", "three stretches of rows",
    ),
    ("blocks", "kvq"): (
        "kind by kind: first all key heads, then all value heads, then all query heads", "three stretches of rows",
    ),
}  # fmt: skip


def make_fused(layout: str = "groups", order: str = "qkv") -> Task:
    """The task for one layout of the fused matrix."""
    faulty = fused_split(layout, order)
    first = "its query heads" if order == "qkv" else "its key head"
    return Task(
        id="checkpoint.split_fused", lesson=LESSON, kind="vary", title="Take a fused matrix apart", points=6,
        difficulty=4, importance=3, minutes=15,
        reference=faulty(frozenset()), faulty=faulty, cases=fused_cases, outputs=("wq", "wk", "wv"),
        misconceptions=(
            idea(
                "other_layout", "a matrix in which "
                + ("all queries stand first, then all keys, then all values" if layout == "groups"
                   else "each key head has its queries beside it"),
                "The task says how the rows lie: " + ("group by group." if layout == "groups" else "kind by kind."),
                "To which head does the second block of K rows belong?",
            ),
            idea(
                "thirds", "three equal parts", "There are fewer key heads than query heads.",
                "How many rows does wk have to have?", 0.2,
            ),
            idea(
                "other_order", "the three kinds in another order",
                f"In each group {first} come first." if layout == "groups" else "The task says which kind comes first.",
                "Which kind are your first K rows?",
            ),
            idea(
                "exchanged", "wk and wv in each other's place", "The key stands before its value.",
                "Which of the two do you give back second?",
            ),
            idea(
                "interleaved", "query heads in another order",
                "Query heads that share a key head stay neighbours: attention counts on it.",
                "Which query heads use key head 0, and where are they in your wq?",
            ),
            idea(
                "reordered", "rows that were reordered as well",
                "The family turns neighbouring pairs already: only the heads have to be taken apart.",
                "Which row of the fused matrix is row 1 of your wq?", 0.6,
            ),
        ),
        hints=(
            "Count in heads. How many heads has the matrix in all, and how many of them make one group?",
            "((H + 2G) K, D) -> (G, H/G + 2, K, D), and from there (H K, D), (G K, D), (G K, D).",
            "K = rows / (H + 2G)\ngive the rows the axes of groups, heads, rows\ntake the query heads, the key, the "
            "value of all groups\nmake rows of each again",
        ),
        family={"layout": ("groups", "blocks"), "order": ("qkv", "kvq")}, build=make_fused,
        phrases=FUSED[layout, order],
    )  # fmt: skip


split_fused = make_fused()
