"""Lesson 14's lists and counts: what the optimizer is handed, and how many numbers that is."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from minillama.config import ModelConfig
from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.course.tasks.lora_hand import LESSON
from minillama.train import lora


def faulty_list(bugs: Bugs = frozenset()) -> Callable[[nn.Module], list[torch.Tensor]]:
    """lora.trainable_parameters with these bugs."""

    def trainable_parameters(model: nn.Module) -> list[torch.Tensor]:
        named = list(model.named_parameters())
        if "all" in bugs:
            found = [each for _, each in named]
        elif "by_name" in bugs:
            found = [each for name, each in named if "lora_" in name]
        elif "by_gradient" in bugs:
            found = [each for _, each in named if each.grad is not None]
        elif "adapters_alone" in bugs:
            found = [each for name, each in named if "lora_" in name and each.requires_grad]
        elif "frozen_ones" in bugs:
            found = [each for _, each in named if not each.requires_grad]
        elif "one_half" in bugs:
            found = [each for name, each in named if each.requires_grad and not name.endswith("lora_a")]
        elif "matrices" in bugs:
            found = [each for _, each in named if each.requires_grad and each.dim() == 2]
        elif "twice" in bugs:
            found = [each for part in model.modules() for each in part.parameters() if each.requires_grad]
        elif "shared_twice" in bugs:
            parts = model.modules()
            found = [each for part in parts for each in part.parameters(recurse=False) if each.requires_grad]
        else:
            found = [each for _, each in named if each.requires_grad]
        return [each.detach().clone() for each in found] if "copies" in bugs else list(found)

    return trainable_parameters


def list_cases(rng: Generator) -> Sequence[Case]:
    """Adapters alone; some of them frozen; norms, or an embedding, that learn beside them, or are shared."""
    dim, n_layers = int(rng.integers(3, 9)), int(rng.integers(2, 4))
    return [
        Case(name="adapters on wq and wv", args=(dim, n_layers, ("wq", "wv"), "", "")),
        Case(name="adapters of which those of the first layer are frozen", args=(dim, 2, ("wo",), "layers.0.", "")),
        Case(name="norms that learn too", args=(dim, 1, ("wk", "wv"), "", "norm")),
        Case(name="an embedding that learns too", args=(dim, 1, ("wq",), "", "tok_embeddings")),
        Case(name="an embedding that is the output matrix as well", args=(dim, 1, ("wo",), "", "tok_embeddings", True)),
    ]


trainable_parameters = Task(
    id="lora.trainable_parameters", lesson=LESSON, kind="rebuild", title="Hand the optimizer what learns", points=2,
    difficulty=1, importance=4, minutes=6,
    reference=lora.trainable_parameters, faulty=faulty_list, cases=list_cases, driver="handed",
    piece="minillama.train.lora:trainable_parameters", forbidden=("minillama.train.lora:trainable_parameters",),
    outputs=("the place",),
    misconceptions=(
        idea(
            "all", "the base handed over as well",
            "An optimizer keeps numbers of its own beside each one that it moves. What is frozen has none.",
            "How many parameters has your list, and how many learn?",
        ),
        idea(
            "by_name", "a choice by name",
            "A name says what a parameter is for. Whether it learns is written on the parameter itself.",
            "What would yours do with an adapter that somebody has frozen, or a norm that may learn?", 0.7,
        ),
        idea(
            "by_gradient", "a choice by gradients that are there already",
            "Before the first backward() nothing has a gradient, and the optimizer is made before.",
            "When is your function called: before the first step, or after it?",
        ),
        idea(
            "adapters_alone", "adapters that learn, and nothing else that does",
            "An embedding or a norm may learn beside the adapters. Whether it does is written on the parameter itself.",
            "What would yours do with a norm that requires a gradient?", 0.7,
        ),
        idea("frozen_ones", "exactly what does not learn", "Those that require a gradient are wanted.",
             "What does `requires_grad` say where it is True?"),
        idea("one_half", "no A in the list", "Both halves learn, B first: A's gradient is zero at the beginning.",
             "Which half is missing in your list?"),
        idea(
            "matrices", "matrices alone", "Whatever requires a gradient is wanted, a norm's row of numbers as well.",
            "Which of your conditions has nothing to do with learning?", 0.7,
        ),
        idea(
            "twice", "parameters that are listed several times",
            "A module's parameters() holds those of all modules inside it.",
            "How often does your walk come past the adapter of layer 0?",
        ),
        idea(
            "shared_twice", "a shared parameter that is listed once for each module that holds it",
            "Tied weights are one parameter under two names, and an optimizer is handed each parameter once.",
            "How often would yours list an embedding that is the output matrix as well?", 0.7,
        ),
        idea(
            "copies", "copies of the parameters",
            "An optimizer moves the tensors that it is handed. A copy moves, and the model does not.",
            "Is what you return the model's own?",
        ),
    ),
    hints=(
        "Walk over everything that the model calls a parameter, and ask each one whether it learns.",
        "A list of the model's own parameters, of any shapes.",
        "for each parameter of the model:\n    requires it a gradient? then keep it",
    ),
)  # fmt: skip


def faulty_count(bugs: Bugs = frozenset()) -> Callable[[ModelConfig, int, Sequence[str]], int]:
    """How many numbers an adapter has, with these bugs."""

    def count_adapter(config: ModelConfig, rank: int, targets: Sequence[str]) -> int:
        D, F, queries = config.dim, config.hidden_dim, config.n_heads * config.head_dim
        keys = queries if "all_square" in bugs else config.n_kv_heads * config.head_dim
        sides = {"wq": (D, queries), "wk": (D, keys), "wv": (D, keys), "wo": (queries, D)}
        F = 4 * D if "four_dim" in bugs else F
        sides |= {"w1": (D, F), "w3": (D, F), "w2": (F, D)}
        targets = ("wq", "wv") if "always_q_v" in bugs else tuple(sides) if "all_seven" in bugs else targets
        total = 0
        for target in targets:
            K, N = sides[target]
            K, N = (D, D) if "dim_for_all" in bugs else (K, N)
            count = K if "a_alone" in bugs else K * N if "area" in bugs else K + N
            total += (count + rank) if "core" in bugs else count
        layers = 1 if "one_layer" in bugs else config.n_layers
        return total * layers * (1 if "no_rank" in bugs else rank)

    return count_adapter


def count_cases(rng: Generator) -> Sequence[Case]:
    """The best-known number first; then matrices that are not square, shared keys, and all of them."""

    def config(n_heads: int, n_kv_heads: int) -> Made:
        dim = 8 * n_heads * int(rng.integers(1, 4))
        sizes = {"dim": dim, "hidden_dim": dim + 8 * int(rng.integers(3, 20)), "n_layers": int(rng.integers(2, 7))}
        more = {"n_heads": n_heads, "n_kv_heads": n_kv_heads, "vocab_size": 100, "max_seq_len": 16}
        return Made("minillama.config:ModelConfig", sizes | more)

    llama = {
        "dim": 4096, "hidden_dim": 11008, "n_layers": 32, "n_heads": 32, "n_kv_heads": 32, "vocab_size": 32000,
        "max_seq_len": 4096,
    }  # fmt: skip
    rank = int(rng.integers(3, 12))
    return [
        Case(name="Llama 2 7B, wq and wv", args=(Made("minillama.config:ModelConfig", llama), 8, ("wq", "wv"))),
        Case(name="shared keys and values", args=(config(4, 2), rank, ("wq", "wk", "wv", "wo"))),
        Case(name="the feed-forward alone", args=(config(2, 1), rank, ("w1", "w2", "w3"))),
        Case(name="w2 and wv", args=(config(8, 1), rank + 1, ("w2", "wv"))),
    ]


count_adapter = Task(
    id="lora.count_adapter", lesson=LESSON, kind="complete", title="Count what learns", points=2, difficulty=2,
    importance=3, minutes=8,
    reference=faulty_count(), faulty=faulty_count, cases=count_cases, outputs=("the count",), rtol=0.0, atol=0.5,
    misconceptions=(
        idea("a_alone", "one of the two halves", "A has r rows of K, and B N rows of r.",
             "How many numbers does B add?"),
        idea(
            "area", "a product of rank, rows and columns",
            "That is more than the matrix itself has. The two halves lie along its two sides.",
            "How many numbers has A, if the matrix has K columns?",
        ),
        idea(
            "all_square", "keys and values as wide as queries",
            "Where heads share keys and values, wk and wv have fewer rows than wq.",
            "How many heads do wk and wv write for?", 0.7,
        ),
        idea("dim_for_all", "matrices that all have dim rows and columns",
             "A feed-forward's matrices have hidden_dim on one side, and wk and wv may be narrow.",
             "What are the two sides of w1?"),
        idea("four_dim", "a hidden size of four times dim", "A gated feed-forward has another: the config says which.",
             "Which of your lines reads `hidden_dim`?", 0.7),
        idea("all_seven", "every matrix of a layer, whatever is asked for",
             "`targets` says which matrices have an adapter.", "Which of your lines reads `targets`?"),
        idea("one_layer", "one layer of the model", "Every layer has adapters of its own.",
             "How many layers learn?"),
        idea("no_rank", "a rank of 1", "A has r rows, and B r columns.", "Which of your lines reads `rank`?"),
        idea("always_q_v", "wq and wv, whatever is asked for", "`targets` says which matrices have an adapter.",
             "Which of your lines reads `targets`?"),
        idea("core", "another r times r in the middle", "B meets A directly; nothing stands between them.",
             "Which matrix has r rows and r columns?"),
    ),
    hints=(
        "First one matrix of N rows and K columns. Then the sides of the seven. Then the layers.",
        "wq (n_heads x head_dim, dim), wk and wv (n_kv_heads x head_dim, dim), wo the other way round; w1 and w3 "
        "(hidden_dim, dim), w2 the other way round.",
        "for each target: rank x (its rows + its columns)\nall of them x n_layers",
    ),
)  # fmt: skip
