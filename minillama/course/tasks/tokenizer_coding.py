"""Tasks of lesson 01 that turn text into ids: merge_by_rank, encode_bpe."""

from collections.abc import Callable
from itertools import pairwise

from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.tokenizer_ideas import LEFT_TO_RIGHT
from minillama.course.tasks.tokenizer_inputs import (
    LESSON,
    Generator,
    hard_vocabulary,
    letters,
    made_ranks,
)
from minillama.tokenizer import bpe
from minillama.tokenizer.merge import NEVER, merge_by_rank
from minillama.tokenizer.vocabulary import SPACE, Vocabulary

Rank = Callable[[str, str], int]

GROWING = Misconception(
    name="growing",
    looks_like="a piece that grows letter by letter from the left, as long as it is in the vocabulary",
    principle="The merge that was learned first comes first, wherever in the word it is.",
    question="Which two neighbours in the *whole* word have the lowest rank?",
)
LONGEST = Misconception(
    name="longest",
    looks_like="the longest piece that fits, from left to right",
    principle="A long piece can be in the vocabulary and still not be used: an earlier merge may have taken its last "
    "letter.",
    question="Where do the ranks, or scores, of the pieces enter your choice?",
)


# merge_by_rank


def faulty_joining(bugs: Bugs) -> Callable[[list[str], Rank], list[str]]:
    """merge_by_rank with these bugs."""

    def join(parts: list[str], rank: Rank) -> list[str]:
        parts = list(parts)
        while len(parts) > 1:
            ranks = [rank(left, right) for left, right in pairwise(parts)]
            possible = [each for each in ranks if each != NEVER]
            if not possible:
                break
            wanted = max(possible) if "highest" in bugs else min(possible)
            if "left_to_right" in bugs:
                i = next(i for i, each in enumerate(ranks) if each != NEVER)
            elif "rightmost" in bugs:
                i = max(i for i, each in enumerate(ranks) if each == wanted)
            else:
                i = ranks.index(wanted)
            parts[i : i + 2] = [parts[i] + parts[i + 1]]
            if "one_merge" in bugs:
                break
        return parts

    def keep_first_pairs(parts: list[str], rank: Rank) -> list[str]:
        known = {pair: rank(*pair) for pair in pairwise(parts)}
        return faulty_joining(bugs - {"first_pairs"})(parts, lambda left, right: known.get((left, right), NEVER))

    return keep_first_pairs if "first_pairs" in bugs else join


def joining_cases(rng: Generator) -> list[Case]:
    """The lowest rank in the middle, a run of equal letters, three levels, nothing to join."""
    a, b, c, d = letters(rng, 4)
    run = 2 * int(rng.integers(2, 4)) + 1
    return [
        Case(name="the lowest rank on the right", args=([a, a, b], made_ranks(a + b, a + a))),
        Case(name="the lowest rank on the left", args=([a, b, b], made_ranks(a + b, b + b))),
        Case(name=f"{run} equal letters", args=([a] * run, made_ranks(a + a))),
        Case(
            name="a piece made of pieces",
            args=([a, b, c, d, a, b], made_ranks(c + d, a + b, a + b + c + d, c + d + a)),
        ),
        Case(name="nothing to join", args=([a, c, b], made_ranks(a + b))),
        Case(name="one symbol", args=([a], made_ranks(a + b))),
    ]


join_task = Task(
    id="tokenizer.merge_by_rank", lesson=LESSON, kind="rebuild", title="Join by rank", points=3, difficulty=3,
    importance=5, minutes=10,
    reference=merge_by_rank, faulty=faulty_joining, cases=joining_cases, outputs=("piece",),
    piece="minillama.tokenizer.merge:merge_by_rank",
    forbidden=("minillama.tokenizer.merge:merge_by_rank", "minillama.tokenizer.merge:Merger"),
    misconceptions=(
        LEFT_TO_RIGHT,
        Misconception(
            name="highest",
            looks_like="the highest rank first",
            principle="Rank 0 is the merge that was learned first, and it comes first.",
            question="Is a small rank early or late?",
        ),
        Misconception(
            name="rightmost",
            looks_like="the last of several equal ranks",
            principle="Of equal ranks the leftmost joins.",
            question="If the lowest rank stands at several places, which one does your search find?",
            credit=0.7,
        ),
        Misconception(
            name="one_merge",
            looks_like="a single merge",
            principle="After a merge there are new neighbours, and the search begins again.",
            question="What makes your function look a second time?",
        ),
        Misconception(
            name="first_pairs",
            looks_like="ranks of the first neighbours only",
            principle="A new symbol has new neighbours, and with them ranks that nobody has asked for yet.",
            question="When do you ask for the rank of a piece that you have just made?",
        ),
    ),
    hints=(
        "Look at all neighbours, join the best two, and look again. Stop when none can be joined.",
        "parts: a list of text; rank(left, right) is a whole number, `NEVER` for two that do not join; the result: a "
        "list of text.",
        "repeat:\n    the rank of every two neighbours\n    stop if there are none, or all are NEVER\n"
        "    join the two at the leftmost place of the lowest",
    ),
)  # fmt: skip


# encode_bpe


def faulty_encoding(bugs: Bugs) -> Callable[..., list[int]]:
    """encode_bpe with these bugs."""

    def encode(text: str, vocab: Vocabulary, at_start: bool = True) -> list[int]:
        if "spaces_lost" in bugs:
            text = " ".join(text.split())
        first = at_start or "always_prefix" in bugs
        if "prefix_once" in bugs and text.startswith(" "):
            first = False
        if (text or "prefix_on_nothing" in bugs) and first and "no_prefix" not in bugs:
            text = " " + text
        ids: list[int] = []
        for word in vocab.words(text.replace(" ", SPACE)):
            for piece in _pieces(word, vocab, bugs):
                ids += _spell(piece, vocab, bugs)
        return ids

    return encode


def _pieces(word: str, vocab: Vocabulary, bugs: Bugs) -> list[str]:
    if "bytes_only" in bugs:
        return list(word)
    if bugs & {"longest", "growing"}:
        found: list[str] = []
        while word:
            ends = range(1, len(word) + 1)
            if "longest" in bugs:
                length = max((end for end in ends if word[:end] in vocab.ranks), default=1)
            else:
                length = next((end for end in ends if word[: end + 1] not in vocab.ranks or end == len(word)), 1)
            found.append(word[:length])
            word = word[length:]
        return found
    joining = faulty_joining(bugs & {"left_to_right"})
    return joining(list(word), lambda left, right: vocab.ranks.get(left + right, NEVER))


def _spell(piece: str, vocab: Vocabulary, bugs: Bugs) -> list[int]:
    if piece in vocab.ranks and ("bytes_only" not in bugs or piece == SPACE):
        return [vocab.ids[piece]]
    if "no_bytes" in bugs:
        return [vocab.unk_id]
    return [byte if "byte_values" in bugs else vocab.byte_ids[byte] for byte in piece.encode()]


def encoding_cases(rng: Generator) -> list[Case]:
    """Words in which the order of merging decides, two spaces, characters without a piece, and a text that goes on."""
    a, b, c, d, x, y, z = alphabet = letters(rng, 7)
    vocab = hard_vocabulary(alphabet)
    rare = str(rng.choice(["ä", "é", "你", "🙂", "ю"]))
    return [
        Case(name="an early merge that is a trap", args=(f"{a}{b}{c}{d}", vocab)),
        Case(name="a long piece that may not be used", args=(f"{y} {x}{y}{z}{d}", vocab)),
        Case(name=f"the character {rare}", args=(f"{a}{rare} {x}{rare}", vocab)),
        Case(name="a space at the beginning", args=(f" {x}{y}", vocab)),
        Case(name="two spaces between words", args=(f"{a}{b}  {x}{c}", vocab)),
        Case(name="at_start=False", args=(f"{x}{y} {a}", vocab, False)),
        Case(name="an empty text", args=("", vocab)),
    ]


encode_bpe = Task(
    id="tokenizer.encode_bpe", lesson=LESSON, kind="rebuild", title="Encode a text", points=4, difficulty=3,
    importance=5, minutes=15,
    reference=bpe.encode_bpe, faulty=faulty_encoding, cases=encoding_cases, outputs=("id",),
    piece="minillama.tokenizer.bpe:encode_bpe", forbidden=("minillama.tokenizer.bpe:encode_bpe",),
    misconceptions=(
        Misconception(
            name="no_prefix",
            looks_like="a first word without its space",
            principle="A space is put in front of the text, so that its first word is spelled like all others.",
            question="Which piece does the first word of a text begin with?",
        ),
        Misconception(
            name="always_prefix",
            looks_like="a space in front of a text that only goes on",
            principle="With at_start=False something stands before this text, and no space is put in between.",
            question="What does `at_start` change in your function?",
            credit=0.7,
        ),
        Misconception(
            name="prefix_once",
            looks_like="no space in front of a text that begins with a space itself",
            principle="The space in front is added to every text, also to one that begins with a space. Decoding takes "
            "one away, and the reader's own is still there.",
            question="What do ' hi' and 'hi' become in yours, and can both be told apart?",
            credit=0.7,
        ),
        Misconception(
            name="prefix_on_nothing",
            looks_like="a space in front of an empty text",
            principle="The space in front is for the first word of a text, and an empty text has none: no ids at all.",
            question="What does your function do with an empty text, before it cuts words?",
            credit=0.7,
        ),
        Misconception(
            name="no_bytes",
            looks_like="the unknown piece where bytes would do",
            principle="LLaMA can write any text: a character without a piece is spelled in its UTF-8 bytes.",
            question="Which ids does a character get that is in no piece?",
        ),
        Misconception(
            name="byte_values",
            looks_like="bytes used as ids",
            principle="The first ids belong to the special pieces, so that byte 0 does not have id 0.",
            question="Where does the vocabulary say which id a byte has?",
            credit=0.7,
        ),
        LONGEST, LEFT_TO_RIGHT, GROWING,
        Misconception(
            name="spaces_lost",
            looks_like="several spaces that become one, or none",
            principle="Every space of the text is in its ids: Python code would not survive otherwise.",
            question="What does your way of cutting the text do with two spaces in a row?",
        ),
    ),
    hints=(
        "Three steps: a space in front, where it belongs; words into pieces; pieces into ids.",
        "`vocab.words(text)` cuts a text whose spaces are written `▁`; `vocab.ranks` and `vocab.ids` know pieces, "
        "`vocab.byte_ids` the id of each byte. The result is a list of ids.",
        "put the space in front, if the text begins here\nwrite spaces as ▁\nfor each word:\n"
        "    join its characters by rank\n    each piece: its id, or the ids of its bytes",
    ),
)  # fmt: skip
