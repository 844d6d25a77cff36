"""Tasks of lesson 19 that add up: who holds what in training, and losses of unequal shares."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from minillama.course.drivers import averaged_slope
from minillama.course.plain import to_input
from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import idea
from minillama.course.tasks.scaling_hand import LESSON
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
        sizes |= {"optimizer": 12} if "copy_too" in bugs else {}
        sizes = {kind: size // 4 for kind, size in sizes.items()} if "numbers" in bugs else sizes
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
        if "nearest" in bugs:
            return whole + cut * round(n_parameters / n)
        share = n_parameters // n if bugs & {"rounds_down", "one_more"} else -(-n_parameters // n)
        return whole + cut * (share + ("one_more" in bugs))

    return shard_bytes


def byte_cases(rng: Generator) -> list[Case]:
    """Each way to share, numbers that do not divide, and the 65B."""

    def case(n_parameters: int, n: int, *sharded: str) -> Case:
        what = f"{', '.join(sharded)} cut" if sharded else "nothing cut"
        return Case(name=f"{n_parameters:,} parameters, {n} processes, {what}", args=(n_parameters, n, sharded))

    odd = [7 * int(rng.integers(100, 900)) + int(rng.integers(*rest)) for rest in ((2, 4), (2, 6), (4, 6), (2, 6))]
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
            "nearest", "a share that is rounded to the nearest whole number",
            "All shares together are the whole: the largest is rounded up, however little is left over.",
            "Who holds the last parameter of 15 in 7 processes?", 0.7,
        ),
        idea(
            "one_more", "one parameter more, also where the shares are even", "What divides evenly has no rest.",
            "How many parameters does each hold, of 14 in 7 processes?", 0.7,
        ),
        idea("numbers", "numbers that are counted, not bytes", "A float32 has four bytes.",
             "What does the result count?", 0.7),
        idea(
            "copy_too", "a copy of the weights in the optimizer",
            "A copy in float32 is kept where the weights are in 16 bits. Here they are float32 themselves.",
            "Which numbers does AdamW keep for a parameter of float32?", 0.7,
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
        total = all_reduce(count.clamp(min=1) if "counts_one" in bugs else count)
        if "two" in bugs:
            return 2 * nats / total
        if "mean_weighted" in bugs:
            return n * (nats / count) * (count / total)
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


NOTHING = "a process without a token that counts"


def is_mean_of_means(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Is the gradient that of a mean of means, whatever a process does that has no token?"""
    wrong = faulty_loss(frozenset({"mean_of_means"}))
    telling = [(case, got) for case, got in zip(cases, outputs, strict=True) if case.name != NOTHING]
    made = [averaged_slope(wrong, *(to_input(each) for each in case.args)).double() for case, _ in telling]
    return all(np.allclose(one, got, rtol=1e-3, atol=1e-5) for one, (_, got) in zip(made, telling, strict=True))


def loss_cases(rng: Generator) -> list[Case]:
    """Processes with many tokens and with few, and one where none counts."""

    def case(name: str, *counts: int) -> Case:
        own = [rng.normal(size=(count, 3)).astype(np.float32) for count in counts]
        return Case(name=name, args=(rng.normal(size=3).astype(np.float32), own))

    many = int(rng.integers(5, 8))
    return [
        case("a long and a short share", many, 2), case("three shares", 1, many, 3), case("equal shares", 4, 4),
        case("one process alone", many), case(NOTHING, many, 0),
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
            "How much does a token count in a process that has 2, and in one that has 200?", 0.0, is_mean_of_means,
        ),
        idea(
            "mean_weighted", "a mean of own tokens, weighed by their share",
            "A process may have no token that counts: then its mean is 0 / 0, and a nan in one gradient is in all.",
            "What does your line give where count is 0?", 0.7,
        ),
        idea(
            "counts_one", "a process without tokens that counts as one",
            "The sum over the processes is the number of all tokens, and 0 is a number.",
            "Which of your divisions could be by 0 at all, when the counts of all processes are added up?", 0.7,
        ),
        idea("two", "a factor of 2, however many processes there are", "n says how many take part.",
             "What cancels a mean over three processes?", 0.7),
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
            "How does your gradient grow when everybody gets twice as many tokens?", 0.0,
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
