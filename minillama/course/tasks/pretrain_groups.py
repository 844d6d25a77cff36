"""Lesson 09's groups: which parameters AdamW lets decay."""

from collections.abc import Callable, Sequence

from torch import nn

from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.course.tasks.pretrain_hand import LESSON
from minillama.train import loop


def faulty_groups(bugs: Bugs = frozenset()) -> Callable[..., list[dict]]:
    """loop.decay_groups with these bugs."""

    def decay_groups(model: nn.Module, weight_decay: float = 0.1) -> list[dict]:
        weight_decay = 0.1 if "fixed" in bugs else weight_decay
        decayed: list[nn.Parameter] = []
        kept: list[nn.Parameter] = []
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad and not bugs & {"frozen_too", "frozen_quiet"}:
                continue
            decays = parameter.dim() >= 2 and "tok_embeddings" not in name
            decays |= "norms" in bugs and parameter.dim() < 2
            decays |= "embeddings" in bugs and "tok_embeddings" in name
            decays = (decays or "all" in bugs) and "none" not in bugs
            decays = decays and not ("output_kept" in bugs and name.startswith("output"))
            if "table_lost" in bugs and "tok_embeddings" in name:
                continue
            decays = decays and (parameter.requires_grad or "frozen_too" in bugs)
            decays = decays and not ("attention_only" in bugs and "feed_forward" in name)
            (decayed if decays != ("exchanged" in bugs) else kept).append(parameter)
        if "lost" in bugs:
            return [{"params": decayed, "weight_decay": weight_decay}]
        if "no_zero" in bugs:
            return [{"params": decayed, "weight_decay": weight_decay}, {"params": kept}]
        return [{"params": decayed, "weight_decay": weight_decay}, {"params": kept, "weight_decay": 0.0}]

    return decay_groups


def group_cases(rng: Generator) -> Sequence[Case]:
    """A model with an output of its own, one without, one of which a part does not learn, another decay."""
    sizes = {"n_heads": 2, "n_kv_heads": 1, "vocab_size": int(rng.integers(10, 20)), "max_seq_len": 8}

    def config(tied: bool, n_layers: int) -> Made:
        dim, hidden = 4 * int(rng.integers(1, 4)), int(rng.integers(5, 12))
        return Made(
            "minillama.config:ModelConfig",
            {**sizes, "dim": dim, "n_layers": n_layers, "hidden_dim": hidden, "tied": tied},
        )

    return [
        Case(name="a model that has an output matrix", args=(config(False, 1), "")),
        Case(name="a decay of 0.03", args=(config(True, 2), "", 0.03)),
        Case(name="feed-forward layers that do not learn", args=(config(False, 2), "feed_forward", 0.2)),
        Case(name="norms that do not learn", args=(config(True, 1), "norm")),
    ]


decay_groups = Task(
    id="train.decay_groups", lesson=LESSON, kind="rebuild", title="Choose what decays", points=2, difficulty=2,
    importance=4, minutes=10,
    reference=loop.decay_groups, faulty=faulty_groups, cases=group_cases, driver="groups",
    piece="minillama.train.loop:decay_groups", forbidden=("minillama.train.loop:decay_groups",),
    outputs=("the decay",),
    misconceptions=(
        idea(
            "norms", "norms that decay",
            "A norm's weights say how loud each channel is, and 1 is their middle. Decay pulls them to 0.",
            "What has a norm's weight that a matrix has not, or the other way round?",
        ),
        idea(
            "embeddings", "embeddings that decay",
            "A rare token's row is moved by its gradient a few times in a run, and by the decay in every step.",
            "How often does the row of a rare token get a gradient?", 0.7,
        ),
        idea(
            "all", "a decay of everything", "Matrices decay; norms and embeddings do not.",
            "Which parameters have one axis only, and which is the table of the words?",
        ),
        idea(
            "none", "a decay of nothing", "Matrices decay: it keeps weights small that nothing holds up.",
            "Which of your groups holds the matrices?",
        ),
        idea("exchanged", "the two groups exchanged", "Matrices decay, the rest does not.",
             "Which decay stands beside which list?"),
        idea(
            "output_kept", "an output matrix that does not decay",
            "The output is a matrix like the others: every row of it has a gradient in every step.",
            "Which names do you leave out, and why each?", 0.7,
        ),
        idea(
            "attention_only", "a decay of attention alone", "The matrices of feed-forward layers are matrices, too.",
            "How do you tell a matrix: by its name, or by its shape?",
        ),
        idea(
            "frozen_too", "groups that hold what does not learn",
            "A parameter without requires_grad belongs to no group: the optimizer has nothing to do with it.",
            "How does your loop learn that a parameter is frozen?", 0.6,
        ),
        idea(
            "lost", "parameters that are in no group",
            "The optimizer moves only what it is handed: whoever is in no group never learns.",
            "How many groups do you return?",
        ),
        idea(
            "table_lost", "an embedding that is in no group",
            "It does not decay, and it learns: it stands beside the norms.",
            "Which list does the embedding go into in yours?",
        ),
        idea(
            "frozen_quiet", "what does not learn, put beside what does not decay",
            "A parameter without requires_grad belongs to no group: the optimizer has nothing to do with it.",
            "Which two questions decide about a parameter, and what follows from the first?", 0.7,
        ),
        idea(
            "no_zero", "a second group that does not say its decay",
            "A group without a decay of its own gets the optimizer's, which is not 0 in AdamW.",
            "What does AdamW take for a group that names no weight_decay?", 0.7,
        ),
        idea("fixed", "a decay that is always 0.1", "weight_decay is an argument.",
             "What do you give for a decay of 0.03?", 0.7),
    ),
    hints=(
        "Walk over the named parameters; for each, two questions: does it learn, and does it decay?",
        "A norm has one axis, a matrix two. An embedding has two as well: know it by its name, tok_embeddings.",
        "for name, parameter of the model:\n    skip what does not learn\n    a matrix, and not the embedding? "
        "to the one list, else to the other\ntwo dicts with params and weight_decay",
    ),
)  # fmt: skip
