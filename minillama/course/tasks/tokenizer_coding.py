"""Tasks of lesson 01 about using a vocabulary: merge_by_rank, encode_bpe, decode, stream_decode."""

import codecs
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.tokenizer_inputs import (
    LESSON,
    Generator,
    hard_vocabulary,
    ids_of,
    letters,
    made_ranks,
    made_vocabulary,
    vocabulary_of,
)
from minillama.course.tasks.tokenizer_training import LEFT_TO_RIGHT
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
        if text and first and "no_prefix" not in bugs:
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


# decode


def faulty_decoding(bugs: Bugs) -> Callable[[Iterable[int], Vocabulary], str]:
    """decode with these bugs."""

    def decode(ids: Iterable[int], vocab: Vocabulary) -> str:
        parts: list[bytes] = []
        for token in ids:
            piece, part = vocab.piece(token), vocab.token_bytes(token)
            if "shows_controls" in bugs and piece in bpe.SPECIAL_PIECES:
                part = piece.encode()
            if "shows_bytes" in bugs and piece in bpe.BYTE_PIECES:
                part = piece.encode()
            if "loses_spaces" in bugs:
                part = part.replace(b" ", b"")
            parts.append(part)
        text = _to_text(parts, bugs)
        if "strips_all" in bugs:
            return text.strip(" ")
        if "cuts_first" in bugs:
            return text[1:]
        return text if "keeps_prefix" in bugs else text.removeprefix(" ")

    return decode


def _to_text(parts: list[bytes], bugs: Bugs) -> str:
    if "each_alone" in bugs:
        return "".join(part.decode("utf-8", "replace") for part in parts)
    if "latin" in bugs:
        return b"".join(parts).decode("latin-1")
    return b"".join(parts).decode("utf-8", "ignore" if "drops_broken" in bugs else "replace")


def decoding_cases(rng: Generator) -> list[Case]:
    """Words between control pieces, characters from bytes, two spaces, no space, a byte that is part of nothing."""
    a, b, c = letters(rng, 3)
    made = made_vocabulary([f"{SPACE} {a}", f"{SPACE}{a} {b}", f"{b} {c}"], [a, b, c])
    vocab = vocabulary_of(made)
    rare = str(rng.choice(["你", "🙂", "é"]))
    spelled = {
        "words between <s> and </s>": ids_of(vocab, "<s>", f"{SPACE}{a}", b + c, f"{SPACE}{a}{b}", "</s>"),
        f"the bytes of {rare}": ids_of(vocab, f"{SPACE}{a}", f"[{rare}]", b, f"[{rare}]", "[\n]", c),
        "a text that begins with a space": ids_of(vocab, SPACE, f"{SPACE}{a}", c),
        "a first piece without a space": ids_of(vocab, b + c, f"{SPACE}{a}"),
        "a byte that begins a character and stands alone": [
            *ids_of(vocab, f"{SPACE}{a}"), vocab.byte_ids[0xC3], *ids_of(vocab, b, f"{SPACE}{a}{b}"),
        ],
    }  # fmt: skip
    return [Case(name=name, args=(ids, made)) for name, ids in spelled.items()]


KEEPS_PREFIX = Misconception(
    name="keeps_prefix",
    looks_like="a first space that stays",
    principle="Encoding put one space in front that nobody wrote, and decoding takes it away again.",
    question="What does your function do with the first space of the text?",
    credit=0.7,
)
EACH_ALONE = Misconception(
    name="each_alone",
    looks_like="every id turned into text by itself",
    principle="A byte piece is a fraction of a character. Only all bytes of it together can be read.",
    question="At which moment do your bytes become text?",
)
SHOWS_CONTROLS = Misconception(
    name="shows_controls",
    looks_like="control pieces in the text",
    principle="`<s>` and `</s>` steer the model. They are no part of what it says.",
    question="What do <s> and </s> add to the text, according to `vocab.token_bytes`?",
    credit=0.7,
)

decode_task = Task(
    id="tokenizer.decode", lesson=LESSON, kind="rebuild", title="Decode", points=3, difficulty=2,
    importance=5, minutes=10,
    reference=bpe.decode, faulty=faulty_decoding, cases=decoding_cases, outputs=("the text",),
    piece="minillama.tokenizer.bpe:decode",
    forbidden=("minillama.tokenizer.bpe:decode", "minillama.tokenizer.bpe:stream_decode"),
    misconceptions=(
        KEEPS_PREFIX,
        Misconception(
            name="strips_all",
            looks_like="all spaces at the beginning taken away",
            principle="One space was added, and one is taken away. Any further one was written by somebody.",
            question="How many spaces does your function take away?",
            credit=0.7,
        ),
        Misconception(
            name="cuts_first",
            looks_like="a first character cut off, whatever it is",
            principle="Only a space is taken away. Ids from the middle of a text begin with something else.",
            question="What does your function do when the first piece does not begin with a space?",
            credit=0.7,
        ),
        Misconception(
            name="loses_spaces",
            looks_like="spaces that get lost between the words",
            principle="A `▁` inside a piece is a space of the text.",
            question="What becomes of each ▁ in yours?",
        ),
        EACH_ALONE, SHOWS_CONTROLS,
        Misconception(
            name="shows_bytes",
            looks_like="byte pieces shown as they are spelled",
            principle="`<0xE4>` is how people write this piece. What it adds to the text is one byte.",
            question="What does `vocab.token_bytes` give for a byte piece?",
        ),
        Misconception(
            name="latin",
            looks_like="each byte read as a character of its own",
            principle="The bytes are UTF-8, in which one character may take up to four of them.",
            question="Which encoding do you name when bytes become text?",
        ),
        Misconception(
            name="drops_broken",
            looks_like="broken bytes that vanish silently",
            principle="A byte that is part of no character is shown as U+FFFD, so that a reader sees that something "
            "was there.",
            question="What does your decoding do with bytes that are no UTF-8?",
            credit=0.7,
        ),
    ),
    hints=(
        "Bytes first, text last.",
        "`vocab.token_bytes(token)` gives the bytes of one id, with spaces as spaces, and none for control pieces.",
        "join the bytes of all ids\nread them as UTF-8, U+FFFD for what cannot be read\n"
        "take away one space in front, if there is one",
    ),
)  # fmt: skip


# stream_decode


def faulty_stream(bugs: Bugs) -> Callable[..., Iterator[str]]:
    """stream_decode with these bugs."""

    def stream(ids: Iterable[int], vocab: Vocabulary, at_start: bool = True) -> Iterator[str]:
        waiting = ""
        strips = (at_start or "ignores_start" in bugs) and "keeps_prefix" not in bugs
        for token, text in _texts(ids, vocab, bugs):
            if token is not None and "shows_controls" in bugs and vocab.piece(token) in bpe.SPECIAL_PIECES:
                text = vocab.piece(token)
            elif text and (strips or "strips_every" in bugs):
                text, strips = text.removeprefix(" "), False
            if "all_at_end" in bugs:
                waiting += text
            elif "one_late" in bugs:
                yield waiting
                waiting = text
            else:
                yield text
        yield waiting

    return stream


def _texts(ids: Iterable[int], vocab: Vocabulary, bugs: Bugs) -> Iterator[tuple[int | None, str]]:
    """Each id with the text that is whole with it, and None with the rest."""
    characters = codecs.getincrementaldecoder("utf-8")("replace")
    held = b""
    for token in ids:
        added = vocab.token_bytes(token)
        if "each_alone" in bugs:
            yield token, added.decode("utf-8", "replace")
        elif "stuck" in bugs:
            held += added
            try:
                text, held = held.decode(), b""
            except UnicodeDecodeError:
                text = ""
            yield token, text
        else:
            yield token, characters.decode(added)
    rest = held.decode("utf-8", "replace") if "stuck" in bugs else characters.decode(b"", final=True)
    if "drops_tail" not in bugs:
        yield None, rest


def stream_cases(rng: Generator) -> list[Case]:
    """As in decoding, one id after the other; a text that goes on, and one that ends in half a character."""
    made = decoding_cases(rng)
    vocab = vocabulary_of(made[0].args[1])
    first = made[0].args[0]
    goes_on = [*first[1:-1], *first[1:-1]]
    half = [*first[:3], vocab.byte_ids[0xC3]]
    return [
        *made,
        Case(name="at_start=False", args=(goes_on, made[0].args[1], False)),
        Case(name="a character that never ends", args=(half, made[0].args[1])),
    ]


stream_task = Task(
    id="tokenizer.stream_decode", lesson=LESSON, kind="rebuild", title="Decode while ids arrive", points=4,
    difficulty=4, importance=4, minutes=18,
    reference=bpe.stream_decode, faulty=faulty_stream, cases=stream_cases, driver="stream",
    outputs=("the text after id",),
    piece="minillama.tokenizer.bpe:stream_decode",
    forbidden=("minillama.tokenizer.bpe:decode", "minillama.tokenizer.bpe:stream_decode"),
    misconceptions=(
        EACH_ALONE, KEEPS_PREFIX, SHOWS_CONTROLS,
        Misconception(
            name="strips_every",
            looks_like="a space taken from the front of every piece",
            principle="One space was added, in front of the whole text. All others stand between words.",
            question="For how many of the pieces does your line about the space run?",
        ),
        Misconception(
            name="ignores_start",
            looks_like="a first space taken away although the text goes on",
            principle="With at_start=False something stands before these ids, and their first space belongs to the "
            "text.",
            question="What does `at_start` change in your function?",
            credit=0.7,
        ),
        Misconception(
            name="all_at_end",
            looks_like="text that comes only when all ids are there",
            principle="A reader waits for every word. Text that is whole can be shown at once.",
            question="Which line of yours first asks for *all* the ids?",
            credit=0.3,
        ),
        Misconception(
            name="one_late",
            looks_like="text that comes one id late",
            principle="When a character is whole there is nothing more to wait for.",
            question="What stands between taking an id and giving its text?",
            credit=0.7,
        ),
        Misconception(
            name="stuck",
            looks_like="one broken byte that holds up everything behind it",
            principle="Some bytes never become a character, whatever follows. A model can write such bytes.",
            question="Your buffer cannot be read yet. Could it be that it never can?",
        ),
        Misconception(
            name="drops_tail",
            looks_like="bytes that are lost at the end",
            principle="When the ids end in the middle of a character, U+FFFD shows that something was there.",
            question="What happens in yours to bytes that still wait when the ids end?",
            credit=0.7,
        ),
    ),
    hints=(
        "Hold back bytes until they make a character; give everything else at once. Python's `codecs` has such a "
        "reader.",
        '`codecs.getincrementaldecoder("utf-8")("replace")` has `.decode(bytes, final=False)`, which gives the text '
        "that is whole. Your function has `yield` in it.",
        "for each id:\n    its bytes go into the reader; what comes out is text\n"
        "    the very first text, if the text begins here: without its one space\n    give it, if there is any\n"
        "at the end: what the reader still holds",
    ),
)  # fmt: skip
