"""Byte-pair encoding from scratch: learn merges from a text, encode with them, decode, and decode while ids arrive.

Sources: Gage 1994, "A New Algorithm for Data Compression"; Sennrich et al. 2016, section 3.2; Kudo and Richardson 2018,
"SentencePiece". Conventions are those of LLaMA's own vocabulary: a word starts at its space, written "▁"; no piece
crosses words; what has no piece is spelled in bytes.
"""

import codecs
import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Protocol

import regex

from minillama.errors import TokenizerError
from minillama.tokenizer.vocabulary import BYTE, BYTE_PIECES, CONTROL, NORMAL, SPACE, UNKNOWN, Vocabulary

Pair = tuple[str, str]

SPECIAL_PIECES = ("<unk>", "<s>", "</s>")
FIRST_PIECES = len(SPECIAL_PIECES) + len(BYTE_PIECES)  # 259: what a vocabulary holds before its first character
LETTERS = r"▁?[\p{L}\p{M}]+"
SIGNS = r"▁?[^▁\n\p{L}\p{M}\p{N}]+|▁+(?=▁)|▁"
DIGIT_BY_DIGIT = regex.compile(rf"\p{{N}}|{LETTERS}|{SIGNS}")
WHOLE_NUMBERS = regex.compile(rf"▁?\p{{N}}+|{LETTERS}|{SIGNS}")


def split_words(text: str, split_digits: bool = True) -> list[str]:
    """Cut a text into the words inside which training may merge: letters, numbers or signs, each with its space.

    Every line counts as a text, so it begins with the space of the dummy prefix. Line ends belong to no word: LLaMA
    spells them in bytes.

    >>> split_words("It cost 25,  twice.")
    ['▁It', '▁cost', '▁', '2', '5', ',', '▁', '▁twice', '.']
    """
    pattern = DIGIT_BY_DIGIT if split_digits else WHOLE_NUMBERS
    lines = text.replace(" ", SPACE).split("\n")
    return [word for line in lines if line for word in pattern.findall(SPACE + line)]


def count_pairs(words: Mapping[tuple[str, ...], int]) -> Counter[Pair]:
    """How often each two symbols are neighbours.

    Args:
        words: a word's symbols -> how often the word occurs.

    >>> count_pairs({("a", "a", "a"): 2, ("a", "b"): 1})
    Counter({('a', 'a'): 4, ('a', 'b'): 1})
    """
    pairs: Counter[Pair] = Counter()
    for symbols, times in words.items():
        for pair in pairwise(symbols):
            pairs[pair] += times
    return pairs


def merge(symbols: Sequence[str], pair: Pair) -> tuple[str, ...]:
    """Join every occurrence of a pair, from left to right; a symbol that is taken is not taken again.

    >>> merge(("a", "a", "a"), ("a", "a"))
    ('aa', 'a')
    """
    merged, i = [], 0
    while i < len(symbols):
        if tuple(symbols[i : i + 2]) == pair:
            merged.append(symbols[i] + symbols[i + 1])
            i += 2
        else:
            merged.append(symbols[i])
            i += 1
    return tuple(merged)


def alphabet(text: str, coverage: float = 1.0) -> list[str]:
    """The characters that get pieces of their own, the most frequent first, ties in dictionary order.

    Args:
        text: the training text.
        coverage: share of the text's characters that they must cover, 0 to 1; rarer ones are left to the bytes.

    >>> alphabet("a banana")
    ['a', 'n', '▁', 'b']
    """
    counts = Counter(text.replace(" ", SPACE).replace("\n", SPACE))
    counts[SPACE] += 1  # the dummy prefix
    wanted, covered, chosen = coverage * counts.total(), 0, []
    for character, times in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if covered >= wanted:
            break
        chosen.append(character)
        covered += times
    return chosen if SPACE in chosen else [*chosen, SPACE]


def train_bpe(text: str, vocab_size: int, split_digits: bool = True, coverage: float = 1.0) -> list[Pair]:
    """Learn merges: again and again, join the two neighbours that occur most often, ties in dictionary order.

    Words are counted once, and a merge visits only the words that hold its pair, so the time grows with the number of
    different words, not with the text.

    Args:
        text: what to learn from.
        vocab_size: pieces of the vocabulary that `vocabulary_from_merges` makes of the result: 3 special ones, 256
            bytes, the alphabet and the merges.
        split_digits: every digit stays a piece of its own.
        coverage: see `alphabet`.

    Returns:
        The merges in the order learned; fewer than fit when no pair is left that occurs twice.

    Raises:
        TokenizerError: vocab_size has no room for the alphabet.

    >>> train_bpe("low lower lowest", 270)
    [('l', 'o'), ('lo', 'w'), ('▁', 'low')]
    """
    characters = alphabet(text, coverage)
    room = vocab_size - FIRST_PIECES - len(characters)
    if room < 0:
        raise TokenizerError(
            f"vocab_size is {vocab_size}, expected at least {vocab_size - room}: {len(SPECIAL_PIECES)} special pieces, "
            f"{len(BYTE_PIECES)} bytes and {len(characters)} characters; ask for more, or for less coverage"
        )
    known = set(characters)
    counts = Counter(split_words(text, split_digits))
    words: Counter[tuple[str, ...]] = Counter()
    for word, times in counts.items():
        for is_known, run in groupby(word, known.__contains__):
            if is_known:
                words[tuple(run)] += times
    return _learn_merges(words, room)


def _learn_merges(words: Mapping[tuple[str, ...], int], room: int) -> list[Pair]:
    symbols, times = list(words), list(words.values())
    pairs = count_pairs(words)
    places = defaultdict(set)  # pair -> the words that hold it, or held it once
    for word, parts in enumerate(symbols):
        for pair in pairwise(parts):
            places[pair].add(word)
    queue = [(-count, pair) for pair, count in pairs.items()]
    heapq.heapify(queue)
    merges: list[Pair] = []
    made: set[str] = set()  # two pairs may spell one piece
    while queue and len(made) < room:
        count, best = heapq.heappop(queue)
        if -count != pairs[best]:
            continue  # an outdated entry: the pair has a newer one
        if -count < 2:
            break
        merges.append(best)
        made.add("".join(best))
        changes: Counter[Pair] = Counter()
        for word in places.pop(best):
            parts, symbols[word] = symbols[word], merge(symbols[word], best)
            for pair in pairwise(parts):
                changes[pair] -= times[word]
            for pair in pairwise(symbols[word]):
                changes[pair] += times[word]
                places[pair].add(word)
        for pair, change in changes.items():
            if change:
                pairs[pair] += change
                heapq.heappush(queue, (-pairs[pair], pair))
    return merges


def vocabulary_from_merges(merges: Iterable[Pair], characters: Iterable[str]) -> Vocabulary:
    """Number the pieces as LLaMA does: <unk>, <s>, </s>, the 256 bytes, the merges, the characters.

    A merge's score is minus its rank, so that earlier merges come first; characters follow the merges.

    Args:
        merges: of `train_bpe`.
        characters: of `alphabet`.

    >>> vocab = vocabulary_from_merges([("a", "b")], ["▁", "a", "b"])
    >>> vocab.pieces[259:], vocab.scores[259:]
    (('ab', '▁', 'a', 'b'), (0.0, -1.0, -2.0, -3.0))
    """
    merged = dict.fromkeys(
        left + right for left, right in merges
    )  # of two pairs that spell one piece, the first counts
    learned = (*merged, *(character for character in dict.fromkeys(characters) if character not in merged))
    return Vocabulary(
        pieces=(*SPECIAL_PIECES, *BYTE_PIECES, *learned),
        scores=(0.0,) * FIRST_PIECES + tuple(float(-rank) for rank in range(len(learned))),
        types=(UNKNOWN, CONTROL, CONTROL, *(BYTE,) * len(BYTE_PIECES), *(NORMAL,) * len(learned)),
    )


def encode_bpe(text: str, vocab: Vocabulary, at_start: bool = True) -> list[int]:
    """Turn plain text into ids by the merges of a vocabulary.

    Args:
        text: any text; control pieces in it are plain text.
        vocab: of `vocabulary_from_merges`, or read from a file.
        at_start: nothing stands before this text, so the dummy prefix does.

    Returns:
        The ids, without BOS and EOS.

    >>> vocab = vocabulary_from_merges([("a", "b")], ["▁", "a", "b"])
    >>> [vocab.piece(token) for token in encode_bpe("abä", vocab)]
    ['▁', 'ab', '<0xC3>', '<0xA4>']
    """
    if text and at_start and vocab.add_dummy_prefix:
        text = " " + text
    ids: list[int] = []
    for word in vocab.words(text.replace(" ", SPACE)):
        ids += vocab.merger.ids(word)
    return ids


class TokenBytes(Protocol):
    """What decoding asks of a vocabulary: a `Vocabulary` and every `Tokenizer` have it.

    Three attributes may be there besides: `add_dummy_prefix` and `remove_extra_whitespaces` as in `Vocabulary` (False
    when missing), and `utf8_errors`, how bytes that are part of no character are shown: "replace" (when missing; one
    U+FFFD for the start of a character, as tiktoken has it) or "each_byte" (one a byte, as SentencePiece has it).
    """

    def token_bytes(self, token: int) -> bytes: ...

    def piece(self, token: int) -> str: ...


def decode(ids: Iterable[int], vocab: TokenBytes) -> str:
    """Turn ids into text.

    Args:
        ids: of any kind and in any order; control pieces add nothing.
        vocab: a `Vocabulary` or a `Tokenizer`.

    Raises:
        TokenizerError: the vocabulary has no such id.

    >>> vocab = vocabulary_from_merges([], ["▁", "a"])
    >>> decode(encode_bpe("a ä", vocab), vocab)
    'a ä'
    """
    return "".join(stream_decode(ids, vocab))


def stream_decode(ids: Iterable[int], vocab: TokenBytes, at_start: bool = True) -> Iterator[str]:
    """Turn ids into text while they arrive: pieces of whole characters, which together are `decode(ids)`.

    Bytes are held back until they are a whole character. The space of the dummy prefix is left out: one, in front of
    the first text.

    Args:
        ids: may be a generator; each piece of text is given as soon as its last id is there.
        vocab: a `Vocabulary` or a `Tokenizer`.
        at_start: False when the ids go on from a text, so that their first space counts.

    Raises:
        TokenizerError: the vocabulary has no such id.

    >>> vocab = vocabulary_from_merges([], ["▁", "a"])
    >>> list(stream_decode(encode_bpe("a ä", vocab), vocab))
    ['a', ' ', 'ä']
    """
    if isinstance(ids, str) or not isinstance(ids, Iterable):
        raise TokenizerError(f"ids are of type {type(ids).__name__}, expected a list of whole numbers")
    strip_all = getattr(vocab, "remove_extra_whitespaces", False)
    at_start = at_start and (strip_all or getattr(vocab, "add_dummy_prefix", False))
    characters = codecs.getincrementaldecoder("utf-8")(getattr(vocab, "utf8_errors", "replace"))
    for token in ids:
        added = vocab.token_bytes(token)
        if at_start and added:
            if vocab.piece(token).startswith(SPACE):
                added = added[1:]
                at_start = strip_all and not added
            else:
                at_start = False
        text = characters.decode(added, final=not added)  # a control piece ends a character that is not whole
        if text:
            yield text
    text = characters.decode(b"", final=True)
    if text:
        yield text


def _replace_each_byte(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "\ufffd", error.start + 1


codecs.register_error("each_byte", _replace_each_byte)
