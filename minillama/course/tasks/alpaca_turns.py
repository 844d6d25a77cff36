"""Lesson 15's variant of labels: a conversation of several turns in one sample."""

from collections.abc import Callable, Sequence

from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.alpaca_hand import LESSON
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.loss import IGNORE

Turns = list[tuple[list[int], list[int]]]
Made = tuple[list[int], list[int]]


def talking(counted: str, ends: str) -> Callable[[Bugs], Callable[[Turns, int], Made]]:
    """Tokens and labels of a conversation.

    Args:
        counted: "every" answer, or the "last" one.
        ends: EOS stands behind "every" answer, or behind the "last" one.
    """

    def with_bugs(bugs: Bugs = frozenset()) -> Callable[[Turns, int], Made]:
        last_counts = (counted == "last") != ("other_counted" in bugs)
        last_ends = (ends == "last") != ("other_ends" in bugs)

        def mask_turns(turns: Turns, eos_id: int) -> Made:
            tokens, labels = list[int](), list[int]()
            for i, (asked, said) in enumerate(turns):
                is_last = i == len(turns) - 1
                end = [] if (last_ends and not is_last) or "no_eos" in bugs else [eos_id]
                answer = [*said, *end]
                tokens += [*asked, *answer]
                shown = [IGNORE] * len(answer) if last_counts and not is_last else answer
                hidden = [0 if "zeros" in bugs else IGNORE] * len(asked)
                if "late" in bugs and shown:
                    shown = [IGNORE, *shown[1:]]
                if "eos_masked" in bugs and end:
                    shown = [*shown[:-1], IGNORE]
                if "asked_counts" in bugs or ("first_prompt_only" in bugs and i):
                    hidden, shown = list(asked), answer
                if "inverted" in bugs:
                    hidden, shown = list(asked), [IGNORE] * len(answer)
                labels += [*hidden, *shown]
            if "shifted" in bugs:
                labels = [*labels[1:], IGNORE]
            return tokens, labels

        return mask_turns

    return with_bugs


def turn_cases(rng: Generator) -> Sequence[Case]:
    """One turn, three turns of different lengths, and words that come again."""

    def turns(*lengths: tuple[int, int]) -> Turns:
        made = [
            ([int(each) for each in rng.integers(10, 90, n)], [int(each) for each in rng.integers(10, 90, m)])
            for n, m in lengths
        ]
        return [([1, *asked] if i == 0 else asked, said) for i, (asked, said) in enumerate(made)]

    again = turns((4, 3), (2, 3))
    again[1] = (again[0][1][:2], again[0][1])
    return [
        Case(name="three turns", args=(turns((4, 3), (2, 5), (3, 2)), 2)),
        Case(name="a single turn", args=(turns((5, 4)), 2)),
        Case(name="a second turn that repeats words of the first answer", args=(again, 2)),
        Case(name="an EOS whose id is 7", args=(turns((2, 2), (4, 3)), 7)),
    ]


def make_turns(counted: str = "every", ends: str = "every") -> Task:
    """The task for what counts, and for where EOS stands."""
    faulty = talking(counted, ends)
    counts = "Every answer counts." if counted == "every" else "Only the last answer counts."
    stands = "every answer" if ends == "every" else "the last answer, and nowhere else"
    return Task(
        id="alpaca.mask_turns", lesson=LESSON, kind="vary", title="Mask a conversation", points=6, difficulty=3,
        importance=4, minutes=15,
        reference=faulty(frozenset()), faulty=faulty, cases=turn_cases, outputs=("tokens", "labels"),
        misconceptions=(
            idea("other_counted", "other answers counted than the task says",
                 f"{counts} What the model has said in a turn is a lesson, if it is counted.",
                 "Which answers have labels in yours, in a conversation of three turns?"),
            idea("other_ends", "an EOS at other places", f"Here EOS stands behind {stands}.",
                 "How many times does EOS stand in your conversation of three turns?"),
            idea("asked_counts", "a loss on everything", "What the other side says is not the model's to say.",
                 "Who speaks the words at the very beginning?"),
            idea("first_prompt_only", "a mask that ends with the first question",
                 "Every turn begins with words of the other side, and the second question is no answer either.",
                 "What are the labels of the second question in yours?"),
            idea("inverted", "the two sides exchanged", "The model learns to answer, not to ask.",
                 "Whose words have labels in yours?"),
            idea("eos_masked", "an EOS that does not count",
                 "Without it the model goes on, and speaks for the other side as well.",
                 "Which label ends an answer that counts?", 0.4),
            idea("no_eos", "a conversation without EOS", "EOS is the last word of an answer, and is learned like one.",
                 "What teaches the model to stop?", 0.3),
            idea("zeros", "zeros in the place of IGNORE",
                 f"0 is a token like any other. What does not count is marked {IGNORE}.",
                 "How does the loss tell a masked place from token 0 in yours?"),
            idea("late", "a mask that is one place too long, in every turn",
                 "The first token of an answer counts.", "Which place is the first of an answer?"),
            idea("shifted", "labels that are shifted already", "Labels stand where their tokens stand.",
                 "How do the first two labels compare with the first two tokens?", 0.4),
        ),
        hints=(
            "A conversation is a row of samples without a gap. Go through it turn by turn.",
            "Two lists, as long as each other: ids, and ids or -100.",
            "for each turn:\n    tokens: what was asked, what was said, EOS where it belongs\n"
            "    labels: IGNORE for what was asked; for the rest its ids, if it counts",
        ),
        family={"counted": ("every", "last"), "ends": ("every", "last")}, build=make_turns,
        phrases=(
            "EOS follows *every* answer." if ends == "every" else "EOS follows the *last* answer only.",
            "Only the last answer counts, with its EOS; nothing else does." if counted == "last"
            else f"Every answer counts, with {'its EOS' if ends == 'every' else 'EOS where there is one'}; "
            "nothing that was asked does.",
        ),
    )  # fmt: skip


mask_turns = make_turns()
