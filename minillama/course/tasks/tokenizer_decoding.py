"""Tasks of lesson 01 that turn ids into text: decode, stream_decode."""

import codecs
from collections.abc import Callable, Iterable, Iterator

from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.tokenizer_inputs import (
    LESSON,
    Generator,
    ids_of,
    letters,
    made_vocabulary,
    vocabulary_of,
)
from minillama.tokenizer import bpe
from minillama.tokenizer.vocabulary import SPACE, Vocabulary

Rank = Callable[[str, str], int]


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
            elif (text or "controls_count" in bugs) and (strips or "strips_every" in bugs):
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
            name="controls_count",
            looks_like="a beginning that is over after the first id, whether it added text or not",
            principle="`<s>` adds nothing: when it has passed, the text has not begun yet.",
            question="After which id does your function hold that the text has begun?",
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
