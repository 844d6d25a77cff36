"""Lesson 08's top-p: which tokens stay."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from minillama import sampling
from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import CROSSER_LOST, LESSON, Generator, idea, shuffled


def faulty_top_p(bugs: Bugs = frozenset()) -> Callable[[Tensor, float], Tensor]:
    """keep_top_p with these bugs."""

    def keep(logits: Tensor, p: float) -> Tensor:
        ordered, order = logits.sort(descending="ascending" not in bugs)
        masses = ordered if "raw_scores" in bugs else ordered.softmax(-1)
        before = masses.cumsum(-1) - masses
        out = before > p if "one_too_many" in bugs else before >= p
        if "first_lost" in bugs:
            out = masses.cumsum(-1) >= p
            out = torch.cat((out[:, :1], out[:, :-1]), -1)
        if "crosser_lost" in bugs or "none_left" in bugs:
            out = masses.cumsum(-1) > p
            if "none_left" not in bugs:
                out[:, 0] = False
        if "own_chance" in bugs:
            out = masses < p
        if "one_row" in bugs:
            out = out.scatter(-1, order, out)[:1].expand_as(out)
        elif "gathered" in bugs:
            out = out.gather(-1, order)
        elif "misplaced" not in bugs and "sorted_back" not in bugs:
            out = out.scatter(-1, order, out)
        base = ordered if "sorted_back" in bugs else logits
        if "unchanged" in bugs:
            return logits.clone()
        if "chances" in bugs:
            return logits.softmax(-1).masked_fill(out, 0.0)
        if "log_chances" in bugs:
            return logits.masked_fill(out, -torch.inf).log_softmax(-1)
        return base.masked_fill(out, 0.0 if "zeros" in bugs else -torch.inf)

    return keep


def top_p_cases(rng: Generator) -> Sequence[Case]:
    """Rows of different sureness, a p below the first chance, one that is the first chance, and one that is all.

    Tokens that are equally likely stay together or go together: it is open which of two such is the better one.
    """
    unsure = [0.22, 0.2, 0.18, 0.16, 0.14, 0.1]
    usual, sure = [0.42, 0.25, 0.15, 0.1, 0.06, 0.02], [0.8, 0.1, 0.05, 0.03, 0.015, 0.005]
    rows = (usual, sure, unsure)
    halves = np.array([[3 + math.log(2), 3.0, 3.0]], dtype=np.float32)  # chances of 1/2, 1/4 and 1/4
    alike = np.full((1, 4), float(rng.uniform(-2, 2)), dtype=np.float32)
    return [
        Case(name="p = 0.7 and three rows", args=(shuffled(rng, *rows, least=1.0)[0], 0.7)),
        Case(name="p = 0.3, which is less than some first chances", args=(shuffled(rng, *rows, least=1.0)[0], 0.3)),
        Case(name="p = 0.93", args=(shuffled(rng, *rows[:2], least=1.0)[0], 0.93)),
        Case(name="one row", args=(shuffled(rng, usual, least=1.0)[0], 0.7)),
        Case(name="p = 0.5, which is a first chance exactly", args=(halves[:, rng.permutation(3)], 0.5)),
        Case(name="p = 1", args=(alike, 1.0)),
    ]


keep_top_p = Task(
    id="sampling.keep_top_p", lesson=LESSON, kind="rebuild", title="Keep the nucleus", points=3, difficulty=3,
    importance=5, minutes=12,
    reference=sampling.keep_top_p, faulty=faulty_top_p, cases=top_p_cases, piece="minillama.sampling:keep_top_p",
    forbidden=("minillama.sampling:keep_top_p",),
    misconceptions=(
        CROSSER_LOST,
        idea(
            "none_left", "a sure model that is left with no token at all",
            "When one token alone holds more than p, that token stays: something has to be drawn.",
            "What stays in yours where the first chance is 0.8 and p is 0.3?",
        ),
        idea(
            "misplaced", "a decision about sorted tokens, used on tokens that are not sorted",
            "Sorting gives a token another place. What was decided about a place has to go back to its token.",
            "Which token does column 0 of your decision speak of, and which column 0 of the logits?",
        ),
        idea(
            "sorted_back", "logits that come back sorted", "Column i stays the logit of token i.",
            "Which token would be drawn for column 0 of what you return?",
        ),
        idea(
            "gathered", "a way back that is the way there once more",
            "`gather` with `order` asks what lies at a place: that is the sort itself. Coming back turns it round.",
            "The first of `order` is some token. Which column speaks of it afterwards, its own or column 0?",
        ),
        idea(
            "zeros", "a logit of 0 for what was cut",
            "A logit of 0 is no chance of 0: e to the 0 is 1.",
            "Which logit makes e to its power exactly 0?",
        ),
        idea(
            "unchanged", "a cut that takes nothing away", "What is outside of the nucleus gets a chance of 0.",
            "Which of your lines writes -inf?", 0.0,
        ),
        idea(
            "raw_scores", "scores added up instead of chances", "Top-p counts chances. Logits may even be negative.",
            "What do the numbers that you add up sum to, over all tokens?",
        ),
        idea(
            "ascending", "adding up from the least likely token", "The nucleus begins with the most likely token.",
            "Which token comes first after your sort?",
        ),
        idea(
            "own_chance", "each chance compared with p by itself",
            "It is the sum of chances, from the largest down, that has to reach p.",
            "Where does your code add up?",
        ),
        idea(
            "one_row", "one row's decision for all rows", "Every row is another text, and sure in its own way.",
            "Along which axis do you sort and add, and what happens to axis 0?",
        ),
        idea(
            "one_too_many", "one token more where p is reached exactly",
            "Tokens are taken until their chances reach p. With exactly p they have.",
            "What stays in yours where the first chance is 0.5 and p is 0.5?", 0.7,
        ),
        idea(
            "first_lost", "a decision moved on by one place, with the first place left as it was",
            "Whatever was said of the first token moves on to the second. The first always stays.",
            "What does column 0 of your decision say, where the first chance alone reaches p?", 0.7,
        ),
        idea(
            "chances", "chances in place of logits", "What stays keeps its logit: others will cut it further.",
            "Is what you return what came in, but for -inf?",
        ),
        idea(
            "log_chances", "logits that were scaled to chances of 1",
            "What stays keeps its logit. The softmax comes later, and does that by itself.",
            "Is what you return what came in, but for -inf?", 0.7,
        ),
    ),
    hints=(
        "Sort by chance. A token stays as long as those before it have not yet reached p.",
        "logits (B, V); sorted (B, V) and its order (B, V); the decision goes back by the order to (B, V).",
        "ordered, order = sort, largest first\nbefore = running sum of their chances, without the token itself\n"
        "out where before has reached p\nbring `out` back into the order of the tokens (scatter)\n"
        "logits with -inf where out",
    ),
)  # fmt: skip
