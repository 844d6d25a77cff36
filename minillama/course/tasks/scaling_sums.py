"""Tasks of lesson 19 that add up: who holds what in training, losses of unequal shares, a vocabulary that is cut."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.scaling_hand import LESSON, idea
from minillama.train import distributed

Generator = np.random.Generator
Reduce = Callable[[Tensor], Tensor]
KINDS = ("weights", "gradients", "optimizer")


def faulty_bytes(bugs: Bugs) -> Callable[..., float]:
    """distributed.shard_bytes with these bugs."""

    def shard_bytes(n_parameters: int, n: int, sharded: tuple[str, ...] = KINDS) -> float:
        if "always_split" in bugs:
            sharded = KINDS
        if "never_split" in bugs:
            sharded = ()
        if "others_split" in bugs:
            sharded = tuple(kind for kind in KINDS if kind not in sharded)
        sizes = {"weights": 4, "gradients": 4, "optimizer": 4 if "one_average" in bugs else 8}
        sizes |= {"weights": 2, "gradients": 2} if "two_bytes" in bugs else {}
        if "no_optimizer" in bugs:
            del sizes["optimizer"]
        if "no_gradients" in bugs:
            del sizes["gradients"]
        cut = sum(size for kind, size in sizes.items() if kind in sharded)
        whole = n_parameters * (sum(sizes.values()) - cut)
        if "everybody" in bugs:
            return cut * n_parameters + n * whole
        if "cut_only" in bugs:
            whole = 0
        if "not_rounded" in bugs:
            return whole + cut * n_parameters / n
        if "in_bytes" in bugs:
            return whole - (-cut * n_parameters // n)
        return whole + cut * (n_parameters // n if "rounds_down" in bugs else -(-n_parameters // n))

    return shard_bytes


def byte_cases(rng: Generator) -> list[Case]:
    """Each way to share, numbers that do not divide, and the 65B."""

    def case(n_parameters: int, n: int, *sharded: str) -> Case:
        what = f"{', '.join(sharded)} cut" if sharded else "nothing cut"
        return Case(name=f"{n_parameters:,} parameters, {n} processes, {what}", args=(n_parameters, n, sharded))

    odd = [7 * int(rng.integers(100, 900)) + int(rng.integers(2, 6)) for _ in range(4)]
    return [
        case(odd[0], 7, *KINDS), case(odd[1], 7), case(odd[2], 7, "optimizer"),
        case(odd[3], 7, "optimizer", "gradients"), case(65_285_660_672, 2048, *KINDS),
    ]  # fmt: skip


shard_bytes: Task = Task(
    id="scaling.shard_bytes", lesson=LESSON, kind="rebuild", title="Count what each process holds", points=3,
    difficulty=2, importance=5, minutes=10,
    reference=distributed.shard_bytes, faulty=faulty_bytes, cases=byte_cases, outputs=("bytes",),
    piece="minillama.train.distributed:shard_bytes", forbidden=("minillama.train.distributed:shard_bytes",),
    rtol=0.0, atol=0.25,
    misconceptions=(
        idea(
            "no_optimizer", "weights and gradients without the optimizer",
            "AdamW keeps two averages for every parameter: half of all that there is.",
            "What does the optimizer remember from step to step?",
        ),
        idea(
            "no_gradients", "weights and optimizer without the gradients",
            "The backward pass leaves a number for every parameter.", "Where do the gradients live until the step?",
        ),
        idea(
            "one_average", "an optimizer with one average",
            "Adam averages the gradients, and their squares.", "How many averages does Adam keep for a parameter?",
        ),
        idea(
            "two_bytes", "weights and gradients of two bytes each", "Here all numbers are float32.",
            "How many bytes has a float32?",
        ),
        idea(
            "always_split", "everything cut, whatever was asked for",
            "What is not in `sharded` every process holds whole.",
            "What does your function do with an empty `sharded`?",
        ),
        idea(
            "never_split", "everything whole in every process", "What is in `sharded` is cut into n shares.",
            "Where does your function use n?",
        ),
        idea(
            "others_split", "a cut through what should stay whole", "`sharded` names what is cut.",
            "Which kinds do you divide by n: those in `sharded`, or the others?",
        ),
        idea(
            "cut_only", "what is cut, without what stays whole",
            "A process holds all three kinds. What is not in `sharded` it holds whole.",
            "What does your function give for an empty `sharded`?",
        ),
        idea(
            "everybody", "what all processes hold together",
            "The question is about one process: its memory must suffice.",
            "Whose bytes do you count?",
        ),
        idea(
            "rounds_down", "a share that is rounded down",
            "All shares together are the whole: the largest is rounded up.",
            "Who holds the parameters that do not go round?", 0.7,
        ),
        idea(
            "not_rounded", "a share with a fraction of a parameter", "Shares are of whole parameters.",
            "How many parameters do 7 processes hold of 10, the largest share?", 0.7,
        ),
        idea(
            "in_bytes", "a cut through the middle of a parameter", "Parameters are cut into shares, not their bytes.",
            "How many parameters does the largest share hold?", 0.7,
        ),
    ),
    hints=(
        "First one parameter: how many bytes of each kind? Then how many parameters a process holds of each kind.",
        "float32: 4 bytes. Weights one number, gradients one, AdamW two. n_parameters and n are whole numbers.",
        "for each of the three kinds:\n    held = all parameters, or the n-th part rounded up where the kind is in "
        "`sharded`\n    add its bytes times held",
    ),
)  # fmt: skip


def faulty_loss(bugs: Bugs = frozenset()) -> Callable[..., Tensor]:
    """scaling.local_loss with these bugs."""

    def local_loss(nats: Tensor, count: Tensor, n: int, all_reduce: Reduce) -> Tensor:
        total = all_reduce(count)
        if "mean_of_means" in bugs:
            return nats / count
        if "own_count" in bugs:
            return n * nats / count
        if "sum" in bugs:
            return nats * n
        if "undivided" in bugs:
            return nats
        if "equal_shares" in bugs:
            return nats / (count * n)
        if "weighted_twice" in bugs:
            return nats * count / total
        return nats / total * {"no_factor": 1, "inverse": 1 / n}.get(next(iter(bugs), ""), n)

    return local_loss


def loss_cases(rng: Generator) -> list[Case]:
    """Processes with many tokens and with few, and one where none counts."""

    def case(name: str, *counts: int) -> Case:
        own = [rng.normal(size=(count, 3)).astype(np.float32) for count in counts]
        return Case(name=name, args=(rng.normal(size=3).astype(np.float32), own))

    many = int(rng.integers(5, 8))
    return [
        case("a long and a short share", many, 2), case("three shares", 1, many, 3), case("equal shares", 4, 4),
        case("one process alone", many), case("a process without a token that counts", many, 0),
    ]  # fmt: skip


local_loss: Task = Task(
    id="scaling.local_loss", lesson=LESSON, kind="diagnose", title="Mend a training on two processes", points=5,
    difficulty=3, importance=5, minutes=15,
    reference=faulty_loss(), faulty=faulty_loss, cases=loss_cases, driver="averaged_slope",
    outputs=("the mean gradient",), rtol=1e-3,
    misconceptions=(
        idea(
            "mean_of_means", "a mean of means",
            "Each process divides by its own number of tokens, so a token of a short share counts more.",
            "How much does a token count in a process that has 2, and in one that has 200?", 0.0,
        ),
        idea(
            "no_factor", "gradients that are too small by the number of processes",
            "The mean over the processes is taken for you: it divides by n once more.",
            "What becomes of your gradients after backward, with two processes?",
        ),
        idea(
            "inverse", "a division by n where the mean has divided already",
            "The mean over the processes divides by n. Your line has to take that back.",
            "By what is a token's gradient divided in the end?",
        ),
        idea(
            "own_count", "this process's own number of tokens, times n", "All tokens count alike, whoever holds them.",
            "By which number does a token of the other process get divided?",
        ),
        idea(
            "sum", "a sum that nothing is divided by", "The gradient of the loss is that of a mean over all tokens.",
            "How does your gradient grow when everybody gets twice as many tokens?",
        ),
        idea(
            "undivided", "the mean over processes of sums over tokens",
            "The mean over the processes divides by how many they are, not by how many tokens they hold.",
            "How does your gradient grow when everybody gets twice as many tokens?",
        ),
        idea(
            "equal_shares", "shares that are taken to be equal, and a mean that is taken twice",
            "The number of all tokens is not n times your own.", "How do you find out how many tokens the others have?",
        ),
        idea(
            "weighted_twice", "a sum that is weighed by its own number of tokens",
            "A sum over tokens has their number in it already; only a mean would have to be weighed.",
            "What is `nats`: a sum, or a mean?",
        ),
    ),
    hints=(
        "Write down what one process would do with all tokens. Then ask what the mean over the processes makes of it.",
        "nats is a scalar with a gradient, count a scalar tensor; `all_reduce` gives a tensor's sum over processes.",
        "wanted: (sum of all nats) / (number of all tokens)\ngot: (sum of what each returns) / n\n"
        "so each returns: its nats / (number of all tokens) times what cancels the n",
    ),
)  # fmt: skip


def faulty_split_loss(reduction: str, unit: str) -> Callable[[Bugs], Callable[..., Tensor]]:
    """scaling.split_loss of this family, with bugs."""

    def with_bugs(bugs: Bugs) -> Callable[..., Tensor]:
        def split_loss(targets: Tensor, logits: Tensor, first: int, total: Reduce, largest: Reduce) -> Tensor:
            own = logits.amax(-1)
            top = own if "own_top" in bugs else torch.zeros_like(own) if "no_top" in bugs else largest(own)
            mass = (logits - top[:, None]).exp().sum(-1)
            log_mass = (
                total(mass.log() + top)
                if "sum_of_logs" in bugs
                else (mass if "own_mass" in bugs else total(mass)).log() + top
            )
            rows = targets if "not_shifted" in bugs else targets - first
            mine = (rows >= 0) & (rows < logits.shape[-1])
            said = logits.gather(-1, rows.clamp(0, logits.shape[-1] - 1)[:, None])[:, 0]
            said = said if "everybody_says" in bugs else said * mine
            nats = log_mass - (said if "own_target" in bugs else total(said))
            loss = nats.mean() if (reduction == "mean") != ("other_reduction" in bugs) else nats.sum()
            return loss / math.log(2) if (unit == "bits") != ("other_unit" in bugs) else loss

        return split_loss

    return with_bugs


def split_loss_cases(rng: Generator) -> list[Case]:
    """Words over two and three processes, shares of unequal size, and logits that overflow."""

    def case(name: str, sizes: tuple[int, ...], scale: float, moved: float = 0.0) -> Case:
        V, T = sum(sizes), 6
        logits = (scale * rng.normal(size=(T, V)) + moved).astype(np.float32)
        targets = np.concatenate([rng.permutation(V)[: T - 2], [0, V - 1]]).astype(np.int64)
        ends = np.cumsum(sizes)
        own = [(logits[:, end - size : end].copy(), int(end - size)) for size, end in zip(sizes, ends, strict=True)]
        return Case(name=name, args=(("sum", "max"), own, targets))

    return [
        case("two equal shares", (5, 5), 1.5), case("shares of 5, 4 and 4 words", (5, 4, 4), 1.5),
        case("one process", (9,), 1.5), case("logits near 200", (4, 4), 2.0, moved=200.0),
    ]  # fmt: skip


def make_split_loss(reduction: str = "mean", unit: str = "nats") -> Task:
    """The task for a mean or a sum over tokens, in nats or bits."""
    faulty = faulty_split_loss(reduction, unit)
    return Task(
        id="scaling.split_loss", lesson=LESSON, kind="vary", title="Take the loss of a vocabulary that is cut",
        points=6, difficulty=4, importance=3, minutes=20,
        reference=faulty(frozenset()), faulty=faulty, cases=split_loss_cases, driver="processes",
        outputs=("the loss",), rtol=1e-3, atol=1e-4,
        misconceptions=(
            idea(
                "own_top", "each process's own largest score taken off before the sum",
                "Exponentials that are added up must have lost the same number.",
                "What did the other process subtract before it took its exponentials?",
            ),
            idea(
                "no_top", "exponentials of scores as they are", "e to the 200 is more than a float32 can hold.",
                "What is the largest number that you take e to the power of?",
            ),
            idea(
                "sum_of_logs", "a sum of logarithms",
                "The logarithm comes after the sum over all words, and that runs over all processes.",
                "Of what do you take the logarithm: of a share, or of the whole sum?",
            ),
            idea(
                "own_mass", "chances among this process's words alone",
                "All words share the chance, whoever holds them.",
                "What do the chances of all words sum to?",
            ),
            idea(
                "not_shifted", "targets looked up as if every share began at word 0",
                "Row 0 of a share is word `first`.", "Which word is column 0 of the second process?",
            ),
            idea(
                "everybody_says", "a target's score from processes that do not hold it",
                "Who does not hold the word has nothing to say about it: 0 in the sum.",
                "What does your process add for a word that another one holds?",
            ),
            idea(
                "own_target", "a target's score known only to who holds it",
                "Every process needs the score of the target. One has it.", "Where do the others get it from?",
            ),
            idea(
                "other_reduction", "a sum where the mean is asked for, or a mean where the sum is",
                f"The {reduction} over the tokens is asked for.", "What does your last line do with the tokens?", 0.7,
            ),
            idea(
                "other_unit", "nats where bits are asked for, or bits where nats are",
                f"The result is in {unit}; a bit is ln 2 nats.", "To which base is your logarithm?", 0.7,
            ),
        ),
        hints=(
            "log of the sum of exponentials, less the target's score. Both parts can be added up over processes.",
            "targets (T,), logits (T, share of V); `total` and `largest` get vectors (T,), not all scores.",
            "top = largest over all processes\nlog_mass = log of the total of the sums of e^(score - top), plus top\n"
            "said = own score of the target, 0 where another process holds it; then the total\nloss = log_mass - said",
        ),
        family={"reduction": ("mean", "sum"), "unit": ("nats", "bits")}, build=make_split_loss,
    )  # fmt: skip


split_loss = make_split_loss()
