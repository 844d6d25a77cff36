"""A task of lesson 02: the test that tells right losses from wrong ones."""

from collections.abc import Callable, Sequence

import torch

from minillama.course.plain import Made
from minillama.course.record import Case, Misconception, Task
from minillama.course.tasks.language_model_inputs import LESSON, Generator, Loss, faulty_loss
from minillama.loss import IGNORE

UNSEEN = {  # wrong candidate -> what a test that accepts it has not looked at
    "over_positions": "Its chances sum to 1 along another axis than the pieces.",
    "log_of_mean": "It takes the mean of the chances first, then the logarithm.",
    "sums": "Its loss grows with the number of places.",
    "overflows": "It takes e to the power of the scores as they are.",
    "divides_by_all": "It divides by places that hold IGNORE, too.",
}
CANDIDATES = ("right", "right_too", *UNSEEN)


def candidate(name: str) -> Loss:
    """An implementation of cross_entropy to be accepted or rejected, by name."""
    if name == "right_too":

        def by_places(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            flat = logits.float().flatten(0, -2)
            return torch.nn.functional.cross_entropy(flat, targets.flatten(), ignore_index=IGNORE)

        return by_places
    return faulty_loss(frozenset() if name == "right" else frozenset({name}))


def faulty_test(bugs: frozenset[str]) -> Callable[[Loss], bool]:
    """A test of cross_entropy; with bugs, one that looks at too little."""

    def agrees(loss: Loss, logits: torch.Tensor, targets: torch.Tensor) -> bool:
        right = faulty_loss(frozenset())(logits, targets)
        return bool(torch.allclose(loss(logits, targets), right, atol=1e-4))

    def accept(loss: Loss) -> bool:
        if "anything" in bugs or "nothing" in bugs:
            return "anything" in bugs
        generator = torch.Generator().manual_seed(0)
        logits, targets = torch.randn(2, 3, 5, generator=generator), torch.tensor([[1, 2, 3], [4, 0, 1]])
        if "equal_scores" in bugs:
            return agrees(loss, torch.zeros(2, 3, 5), targets)
        if "one_place" in bugs:
            return agrees(loss, logits[:1, :1], targets[:1, :1])
        if not agrees(loss, logits, targets):
            return False
        if "no_ignore" not in bugs and not agrees(loss, logits, torch.tensor([[1, 2, IGNORE], [4, 0, 1]])):
            return False
        return "small_scores" in bugs or agrees(loss, logits + 500, targets)

    return accept


def _test_cases(rng: Generator) -> Sequence[Case]:
    names = rng.permutation(CANDIDATES)
    path = "minillama.course.tasks.language_model_tests:candidate"
    return [
        Case(name=f"candidate {i + 1}", args=(Made(path, {"name": str(name)}),), unseen=UNSEEN.get(str(name), ""))
        for i, name in enumerate(names)
    ]


def _fault(name: str, looks_like: str, principle: str, question: str, credit: float = 0.3) -> Misconception:
    return Misconception(name=name, looks_like=looks_like, principle=principle, question=question, credit=credit)


test_loss = Task(
    id="language_model.test_loss", lesson=LESSON, kind="test", title="Write the test that tells", points=4,
    difficulty=4, importance=4, minutes=15,
    reference=faulty_test(frozenset()), faulty=faulty_test, cases=_test_cases, driver="accepts",
    outputs=("your verdict",), forbidden=("minillama.loss:cross_entropy",),
    misconceptions=(
        _fault(
            "anything", "a test that accepts everything", "Five of the seven are wrong.",
            "Which of your lines can fail?", 0.0,
        ),
        _fault(
            "nothing", "a test that rejects everything", "Two of the seven are right.",
            "Is the number that you expect right, and do you allow for rounding, as == does not?", 0.0,
        ),
        _fault(
            "equal_scores", "a test with equal scores alone",
            "When all chances are equal, so are all means of them.",
            "For which scores do a mean of logarithms and the logarithm of a mean differ?",
        ),
        _fault(
            "one_place", "a test with one place alone",
            "Over one place, a sum is a mean, and the order of mean and logarithm does not matter.",
            "How many places does it take to tell a sum from a mean?",
        ),
        _fault(
            "no_ignore", "a test in which every place counts",
            f"Some places hold IGNORE, {IGNORE}, and one of the candidates divides by them, too.",
            "What should happen to the loss when a place with IGNORE is added?", 0.6,
        ),
        _fault(
            "small_scores", "a test with small scores alone",
            "One of the candidates takes e to the scores as they are.",
            "From which score on does e to it overflow?", 0.6,
        ),
    ),
    hints=(
        "Each wrong candidate differs from the right ones somewhere. Go there, and know the right number.",
        "logits (B, T, V) with B, T and V different; targets (B, T); compare one number, with a tolerance.",
        "scores whose chances you know, unequal, at two places or more: the mean of two logarithms\n"
        "the same with 500 added to all scores: the same loss\n"
        "the same with one place more that holds IGNORE: the same loss",
    ),
)  # fmt: skip
