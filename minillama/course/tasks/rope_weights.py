"""Tasks of lesson 04 about weights whose rows are in the other convention."""

from collections.abc import Callable

from torch import Tensor

from minillama import rope
from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.rope_ideas import LESSON
from minillama.course.tasks.rope_inputs import Generator, draw

INVERSE = Misconception(
    name="inverse",
    looks_like="the way back, from Meta's order to Hugging Face's",
    principle="Going there, row 1 of each head has to become what was row K/2: the partner moves beside row 0.",
    question="Which row of the result holds row K/2 of the first head?",
)


def faulty_permutation(bugs: Bugs) -> Callable[[Tensor, int], Tensor]:
    """permute_hf_to_meta with these bugs."""

    def permute(weight: Tensor, n_heads: int) -> Tensor:
        if "unchanged" in bugs:
            return weight.clone()
        if "exchanged" in bugs:
            return weight.unflatten(0, (n_heads, 2, -1)).transpose(0, 1).flatten(0, 2)
        if "sizes_exchanged" in bugs:
            return weight.unflatten(0, (-1, 2, n_heads // 2)).transpose(1, 2).flatten(0, 2)
        if "one_head" in bugs:
            n_heads = 1
        if "columns" in bugs:
            return faulty_permutation(bugs - {"columns"})(weight.T, n_heads).T.contiguous()
        order = (n_heads, -1, 2) if "inverse" in bugs else (n_heads, 2, -1)
        return weight.unflatten(0, order).transpose(1, 2).flatten(0, 2)

    return permute


def permutation_cases(rng: Generator) -> list[Case]:
    """Heads of 6 and more rows: with 4, there and back are the same."""
    H, K, D = int(rng.integers(2, 5)), 2 * int(rng.integers(3, 6)), int(rng.integers(5, 9))
    return [
        Case(name=f"{H} heads of {K} rows", args=(draw(rng, H * K, D), H)),
        Case(name="a square matrix", args=(draw(rng, 16, 16), 2)),
        Case(name="one head", args=(draw(rng, K, D), 1)),
        Case(name="4 heads of 6 rows", args=(draw(rng, 24, D), 4)),
    ]


permute_hf_to_meta = Task(
    id="rope.permute_hf_to_meta", lesson=LESSON, kind="rebuild", title="Put halves beside each other", points=3,
    difficulty=3, importance=4, minutes=10,
    reference=rope.permute_hf_to_meta, faulty=faulty_permutation, cases=permutation_cases,
    piece="minillama.rope:permute_hf_to_meta",
    misconceptions=(
        INVERSE,
        Misconception(
            name="one_head",
            looks_like="one big head",
            principle="Each head keeps its own rows together; halves are halves of a head.",
            question="Where does the first row of the second head end up in yours?",
        ),
        Misconception(
            name="columns",
            looks_like="columns that moved",
            principle="A weight is (out, in): its rows make the channels of the heads.",
            question="Which axis of the weight becomes q?",
        ),
        Misconception(
            name="unchanged",
            looks_like="rows that stay where they were",
            principle="A reshape alone moves nothing: there and back it reads the rows in the order that they had.",
            question="Which of your steps changes the order of two axes?",
            credit=0.0,
        ),
        Misconception(
            name="exchanged",
            looks_like="halves that changed places with the heads",
            principle="Every head keeps its rows; inside it, halves and places change.",
            question="Which two axes does your transpose exchange, and what does each of them count?",
        ),
        Misconception(
            name="sizes_exchanged",
            looks_like="the number of heads taken for the size of one",
            principle="n_heads says how many heads there are. How many rows each has, follows from the rows of all.",
            question="What does your first reshape count with n_heads?",
        ),
    ),
    hints=(
        "Look at one head with six rows. Write the new order of rows 0 to 5, then find the reshape that makes it.",
        "(H * K, D) -> (H, 2, K/2, D) -> (H, K/2, 2, D) -> (H * K, D)",
        "split the rows into heads, halves, places\nexchange halves and places\nmake rows of them again",
    ),
)  # fmt: skip


def faulty_conversion(bugs: Bugs) -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
    """rope.convert_attention with these bugs."""

    def convert(wq: Tensor, wk: Tensor, wv: Tensor, n_heads: int, n_kv_heads: int) -> tuple[Tensor, Tensor, Tensor]:
        there = rope.permute_meta_to_hf if "inverse" in bugs else rope.permute_hf_to_meta
        if "nothing" in bugs:
            return wq, wk, wv
        if "all_by_query_heads" in bugs:
            return there(wq, n_heads), there(wk, n_heads), there(wv, n_heads)
        if "exchanged_numbers" in bugs:
            return there(wq, n_kv_heads), there(wk, n_heads), wv
        if "key_heads_for_queries" in bugs:
            return there(wq, n_kv_heads), there(wk, n_kv_heads), wv
        if "values_second" in bugs:
            return there(wq, n_heads), wv, there(wk, n_kv_heads)
        if "query_heads_for_keys" in bugs:
            key = there(wk, n_heads)
        else:
            key = wk if "queries_only" in bugs else there(wk, n_kv_heads)
        return there(wq, n_heads), key, there(wv, n_kv_heads) if "values_too" in bugs else wv

    return convert


def conversion_cases(rng: Generator) -> list[Case]:
    """Grouped queries, so that the numbers of heads differ and both divide the rows of wk."""
    sizes = [(4, 2, 8), (4, 1, 16), (8, 2, 16), (6, 3, 8)]
    chosen = rng.choice(len(sizes), 2, replace=False)
    return [
        Case(
            name=f"{H} query heads and {G} key heads",
            args=(draw(rng, H * K, 7), draw(rng, G * K, 7), draw(rng, G * K, 7), H, G),
        )
        for H, G, K in (sizes[i] for i in chosen)
    ]


convert_attention = Task(
    id="rope.convert_attention", lesson=LESSON, kind="complete", title="Convert one attention layer", points=2,
    difficulty=2, importance=4, minutes=5,
    reference=faulty_conversion(frozenset()), faulty=faulty_conversion, cases=conversion_cases,
    outputs=("wq", "wk", "wv"),
    misconceptions=(
        Misconception(
            name="query_heads_for_keys",
            looks_like="the number of query heads for wk",
            principle="With grouped queries wk has fewer heads, each as large as a query head. The wrong number often "
            "divides, too, and then nothing complains.",
            question="How many rows does one head of wk have, and how many did you take?",
        ),
        Misconception(
            name="values_too",
            looks_like="values that are reordered as well",
            principle="The order matters to what is turned. Values never are.",
            question="Which of the three does apply_rope see?",
        ),
        Misconception(
            name="queries_only",
            looks_like="keys left as they were",
            principle="A query and a key meet channel by channel, so both need the same order.",
            question="What else is turned besides q?",
        ),
        Misconception(
            name="all_by_query_heads",
            looks_like="all three reordered, and all by the number of query heads",
            principle="Only what is turned needs the order, and each matrix has its own number of heads. The wrong "
            "number often divides, too, and then nothing complains.",
            question="Which of the three make vectors that are turned, and how many heads has each of these?",
            credit=0.3,
        ),
        Misconception(
            name="exchanged_numbers",
            looks_like="the two numbers of heads in each other's place",
            principle="With grouped queries several query heads share a key head: there are more of the former.",
            question="Which matrix has more rows, and which number is larger?",
        ),
        Misconception(
            name="key_heads_for_queries",
            looks_like="the number of key heads for wq",
            principle="Each head of wq has as many rows as a head of wk. With too few heads, halves of neighbours mix.",
            question="How many rows does one head of wq have, and how many did you take?",
        ),
        Misconception(
            name="values_second",
            looks_like="wv and wk in each other's place",
            principle="wk and wv have one shape, so nothing but the order tells the caller which is which.",
            question="In which order does the task name the three?",
        ),
        Misconception(
            name="nothing",
            looks_like="three matrices as they came",
            principle="Hugging Face's rows are halves: taken for neighbours, channels turn together that are no pair.",
            question="Which of the three make vectors that are turned?",
            credit=0.0,
        ),
        INVERSE,
    ),
    hints=(
        "Which of the three matrices make vectors that are turned, and how many heads has each?",
        "wq (H * K, D), wk (G * K, D), wv (G * K, D): the shapes stay.",
        "reorder wq by its heads\nreorder wk by its heads\nwv as it is",
    ),
)  # fmt: skip
