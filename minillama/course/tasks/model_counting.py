"""Tasks of lesson 07 that count: weights, and the operations for one token."""

from collections.abc import Callable
from typing import Any

from minillama import model
from minillama.config import ModelConfig
from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.attention_ideas import Generator
from minillama.course.tasks.model_hand import LESSON

SEVEN_B = {
    "dim": 4096, "n_layers": 32, "n_heads": 32, "n_kv_heads": 32, "hidden_dim": 11008, "vocab_size": 32_000,
    "max_seq_len": 2048,
}  # fmt: skip


def configs(rng: Generator) -> list[tuple[str, dict[str, Any]]]:
    """Sizes in which no two numbers are alike: heads of their own, groups, tied, wide heads, and the 7B."""

    def sizes(**more: Any) -> dict[str, Any]:
        H, K = int(rng.choice([4, 6])), int(rng.choice([6, 10]))
        return {
            "dim": H * K, "n_layers": int(rng.integers(3, 6)), "n_heads": H, "n_kv_heads": H,
            "hidden_dim": int(rng.integers(90, 120)), "vocab_size": int(rng.integers(150, 220)), "max_seq_len": 64,
        } | more  # fmt: skip

    return [
        ("as many key/value heads as query heads", sizes()),
        ("2 key/value heads", sizes(n_kv_heads=2)),
        ("a tied output", sizes(tied=True)),
        ("heads of 16 channels, more than dim / n_heads", sizes(head_dim=16)),
        ("the sizes of the 7B", SEVEN_B),
    ]


def _config(sizes: dict[str, Any]) -> Made:
    return Made("minillama.config:ModelConfig", sizes)


def _fault(name: str, looks_like: str, principle: str, question: str) -> Misconception:
    return Misconception(name=name, looks_like=looks_like, principle=principle, question=question)


def faulty_count(bugs: Bugs) -> Callable[[ModelConfig], int]:
    """model.count_parameters with these bugs."""

    def count(config: ModelConfig) -> int:
        D, H, G = config.dim, config.n_heads, config.n_kv_heads
        like_7b = "like_7b" in bugs
        G = H if like_7b else G
        K = D // H if like_7b or "square" in bugs else config.head_dim
        attention = D * K * ((1 if "no_wo" in bugs else 2) * H + 2 * (H if "own_keys" in bugs else G))
        inner = 4 * D if "four_dim" in bugs else config.hidden_dim
        feed_forward = (2 if "two_matrices" in bugs else 3) * D * inner
        norm = 1 if "small_norms" in bugs else D
        layer = attention + feed_forward + (0 if "no_norms" in bugs else 1 if "one_norm" in bugs else 2) * norm
        tables = 1 if "no_output" in bugs else 2 if like_7b or "tied_twice" in bugs or not config.tied else 1
        tables = 1 + config.tied if "tied_inverted" in bugs else tables
        layers = 1 if "one_layer" in bugs else config.n_layers
        return tables * config.vocab_size * D + layers * layer + (0 if "no_final" in bugs else norm)

    return count


count_parameters: Task = Task(
    id="model.count_parameters", lesson=LESSON, kind="rebuild", title="Count the weights to the last one", points=2,
    difficulty=2, importance=4, minutes=10,
    reference=model.count_parameters, faulty=faulty_count, piece="minillama.model:count_parameters",
    forbidden=("minillama.model:count_parameters",), rtol=0.0, atol=0.25, outputs=("the count",),
    cases=lambda rng: [Case(name=name, args=(_config(sizes),)) for name, sizes in configs(rng)],
    misconceptions=(
        _fault(
            "tied_inverted", "a tied model with two tables, and another with one",
            "Tied means that one table serves at both ends.", "How many tables has a model that is not tied?",
        ),
        _fault(
            "like_7b", "a count for models of the 7B's kind",
            "Others share keys and values, tie their tables, or have wider heads. The config says so.",
            "Which fields of the config does your count never read?",
        ),
        _fault(
            "small_norms", "a norm counted as one number", "A norm weighs every channel.",
            "How many channels does a norm multiply?",
        ),
        _fault(
            "own_keys", "keys and values counted for every query head",
            "wk and wv have rows for the key/value heads alone.", "How many heads write into the cache?",
        ),
        _fault(
            "square", "heads of dim / n_heads channels",
            "`head_dim` says how wide a head is; in some models it is not dim / n_heads.",
            "How many rows has wq, by the config?",
        ),
        _fault(
            "no_wo", "attention without its last matrix", "wq, wk, wv, and wo, which leads back to the stream.",
            "How many matrices does an attention layer hold?",
        ),
        _fault(
            "two_matrices", "a feed-forward layer of two matrices", "A gated layer has three: w1, w2 and w3.",
            "Which matrix makes the gate?",
        ),
        _fault(
            "one_norm", "one norm a block", "Attention and feed-forward each read through a norm of their own.",
            "How many vectors of D weights stand in one block?",
        ),
        _fault(
            "no_norms", "blocks without their norms", "A norm has a weight for every channel, and a block two norms.",
            "Which parts of a block have you not counted?",
        ),
        _fault(
            "four_dim", "an inner size of 4 · dim", "A gated layer is narrower; the config says how wide it is.",
            "Which field of the config is the number of rows of w1?",
        ),
        _fault(
            "no_final", "a count without the last norm", "After the last block comes one more norm.",
            "Which vector of D weights belongs to no block?",
        ),
        _fault(
            "no_output", "a model without its output matrix",
            "Where the config does not say `tied`, the way from D to V has weights of its own.",
            "How many tables of V rows does an untied model hold?",
        ),
        _fault(
            "tied_twice", "a tied table counted twice", "Tied means: one table, used at both ends.",
            "What does `config.tied` change?",
        ),
        _fault(
            "one_layer", "a single block", "Every block has weights of its own.", "How often does your block count?",
        ),
    ),
    hints=(
        "One block first: its four matrices of attention, its three of feed-forward, its norms. Then what stands "
        "outside of the blocks.",
        "wq, wo: D x (H K). wk, wv: D x (G K). w1, w2, w3: D x F. A norm: D. The embedding: V x D.",
        "block = matrices of attention + matrices of feed-forward + two norms\n"
        "total = n_layers blocks + the last norm + one or two tables",
    ),
)  # fmt: skip


def faulty_flops(bugs: Bugs = frozenset()) -> Callable[[ModelConfig, int], int]:
    """model.flops_per_token with these bugs."""

    def flops(config: ModelConfig, S: int) -> int:
        if "twice_all" in bugs:
            return 2 * model.count_parameters(config)
        D, H, G, K, L = config.dim, config.n_heads, config.n_kv_heads, config.head_dim, config.n_layers
        matrices = L * (D * K * (2 * H + 2 * G) + 3 * D * config.hidden_dim)
        tables = 0 if "no_output" in bugs or ("tied_free" in bugs and config.tied) else 1
        matrices += (2 if "table_too" in bugs else tables) * config.vocab_size * D
        matrices += (2 * L + 1) * D if "norms_too" in bugs else 0
        heads = G if "key_heads" in bugs else H
        meetings = L * heads * K * (S * S if "all_pairs" in bugs else S)
        meetings *= 0 if "no_meetings" in bugs else 1 if "scores_only" in bugs else 2
        return (1 if "one_op" in bugs else 2) * (matrices + meetings)

    return flops


flops_per_token: Task = Task(
    id="model.flops_per_token", lesson=LESSON, kind="complete", title="Count the operations for one token", points=2,
    difficulty=3, importance=3, minutes=10,
    reference=faulty_flops(), faulty=faulty_flops, rtol=0.0, atol=0.25, outputs=("the count",),
    cases=lambda rng: [
        Case(name=f"{name}, token {S}", args=(_config(sizes), S))
        for (name, sizes), S in zip(configs(rng), (7, 5, 3, 9, 2048), strict=True)
    ],
    misconceptions=(
        _fault(
            "twice_all", "two operations for every weight there is",
            "A good rule of thumb. But not every weight is multiplied with each token, and attention works on keys "
            "and values that are no weights.",
            "Which weights does a token only look up, and what grows with S?",
        ),
        _fault(
            "one_op", "one operation for a weight", "Each weight is multiplied, and the product is added: two.",
            "What does a dot product of n numbers cost?",
        ),
        _fault(
            "table_too", "a product with the embedding table",
            "The embedding picks one row and multiplies nothing; the output matrix multiplies all of its rows.",
            "Which of the two tables does a token have to go through?",
        ),
        _fault(
            "norms_too", "the weights of norms counted with those of the matrices",
            "A norm multiplies each channel once and adds nothing: the task leaves that out.",
            "Which weights of `count_parameters` stand in no matrix?",
        ),
        _fault(
            "no_output", "a model that computes no logits", "The way from D to V is a product, too.",
            "How are 32,000 scores made from D numbers?",
        ),
        _fault(
            "tied_free", "an output that costs nothing because it is tied",
            "A tied table saves memory. The product is computed all the same.",
            "What are the logits multiplied with in a tied model?",
        ),
        _fault(
            "no_meetings", "products with weights alone",
            "In every layer the query meets the S keys, and their values are added up. No weights, but work.",
            "What grows with S?",
        ),
        _fault(
            "scores_only", "half of what attention does", "S dot products make scores; then S values are added up.",
            "What happens to the values?",
        ),
        _fault(
            "key_heads", "as many queries as there are key/value heads",
            "Every query head makes scores of its own; sharing keys saves memory, not this work.",
            "How many heads compare themselves with each key?",
        ),
        _fault(
            "all_pairs", "every token against every token", "One token is asked for: one query, S keys.",
            "How many queries does one token bring in each head?",
        ),
    ),
    hints=(
        "First the weights that one token is multiplied with; then what its queries do with the S keys and values.",
        "A product of a vector with an (N, D) matrix: N dot products of D numbers, 2 N D operations.",
        "matrices = n_layers times (attention + feed-forward) + output\n"
        "meetings = n_layers times H K S, for scores, and again for values\nresult = 2 (matrices + meetings)",
    ),
)  # fmt: skip
