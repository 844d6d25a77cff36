"""Llama 3's tokenizer: BPE over bytes, inside the words that a pattern cuts.

Sources: Grattafiori et al. 2024, "The Llama 3 Herd of Models", section 3.2; Radford et al. 2019, "Language Models are
Unsupervised Multitask Learners", section 2.2; the names of the special tokens are those of Meta's reference code.
"""

import base64
import binascii
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import regex

from minillama.errors import TokenizerError
from minillama.tokenizer.bpe import decode
from minillama.tokenizer.files import named, read_bytes, write_bytes
from minillama.tokenizer.merge import Merger, all_splits
from minillama.tokenizer.vocabulary import MAX_PIECES, check_id, check_text, either

# Contractions; a word with the sign or space in front of it; up to three digits; signs; line ends; other white space.
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
NAMED_SPECIALS = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|reserved_special_token_0|>",
    "<|reserved_special_token_1|>",
    "<|finetune_right_pad_id|>",
    "<|step_id|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eom_id|>",
    "<|eot_id|>",
    "<|python_tag|>",
)
N_SPECIALS = 256
STOPS = ("<|end_of_text|>", "<|eom_id|>", "<|eot_id|>")


class ByteBPETokenizer:
    """A tokenizer that merges bytes.

    Args:
        ranks: piece -> id, with all 256 single bytes among the pieces.
        specials: control token as it is spelled -> id.
        pattern: matches one word after the other, in the syntax of the `regex` library.
        merges: the pairs that may join, in the order of merging; None when any two neighbours that spell a piece may,
            in the order of ids.
        ignore_merges: a word that is a piece is not merged from its bytes.
        bos_id, eos_id: control tokens, or None.
        stop_ids: ids that end a generation.

    Raises:
        TokenizerError: parts that do not go together.

    >>> tokenizer = ByteBPETokenizer({bytes([byte]): byte for byte in range(256)} | {b"hi": 256}, {"<s>": 257}, PATTERN)
    >>> tokenizer.encode("hi<s>", special=True), tokenizer.decode([256, 33])
    ([256, 257], 'hi!')
    """

    utf8_errors = "replace"

    def __init__(
        self,
        ranks: dict[bytes, int],
        specials: dict[str, int],
        pattern: str,
        merges: list[tuple[bytes, bytes]] | None = None,
        ignore_merges: bool = True,
        bos_id: int | None = None,
        eos_id: int | None = None,
        stop_ids: Iterable[int] = (),
    ) -> None:
        self.ranks = ranks
        self.specials = specials
        self.pattern = pattern
        self.ignore_merges = ignore_merges
        self.bos_id = bos_id
        self.eos_id = eos_id
        self.stop_ids = frozenset(stop_ids)
        self._given_merges = merges
        self._check()
        self.vocab_size = max(*ranks.values(), *specials.values()) + 1
        self._controls = either(list(specials))
        self._words = _compile(pattern)
        self._bytes = {token: piece for piece, token in ranks.items()}
        self._names = {token: name for name, token in specials.items()}
        pairs = None if merges is None else {pair: rank for rank, pair in reversed(list(enumerate(merges)))}
        self._merger: Merger[bytes] = Merger(ranks if pairs is None else pairs, lambda piece: [ranks[piece]])

    def _check(self) -> None:
        missing = [byte for byte in range(256) if bytes([byte]) not in self.ranks]
        if missing:
            raise TokenizerError(f"the vocabulary has no piece for byte {missing[0]:#04x}, expected all 256")
        tokens = {*self.ranks.values(), *self.specials.values()}
        if len(tokens) != len(self.ranks) + len(self.specials):
            raise TokenizerError("two pieces of the vocabulary have one id, expected an id for each")
        if min(tokens) < 0 or max(tokens) >= MAX_PIECES:
            raise TokenizerError(f"ids run from {min(tokens)} to {max(tokens)}, expected 0 to {MAX_PIECES - 1}")
        if "" in self.specials or b"" in self.ranks:
            raise TokenizerError("the vocabulary holds an empty piece, which no text spells")
        for token in {self.bos_id, self.eos_id, *self.stop_ids} - {None}:
            if token not in tokens:
                raise TokenizerError(f"BOS, EOS or stop id {token} is not in the vocabulary")
        for left, right in self._given_merges or ():
            if left not in self.ranks or right not in self.ranks or left + right not in self.ranks:
                raise TokenizerError(f"the merge of {left[:40]!r} and {right[:40]!r} is not made of pieces")

    @classmethod
    def from_file(cls, path: str | Path) -> "ByteBPETokenizer":
        """Read Llama 3's `tokenizer.model`, in tiktoken's format; its 256 special tokens follow the pieces.

        Raises:
            TokenizerError: missing, damaged, or another format.
        """
        with named(path):
            return llama3_tokenizer(parse_ranks(read_bytes(path)))

    def save(self, path: str | Path) -> None:
        """Write a `tokenizer.model` in tiktoken's format, which holds neither special tokens nor merges.

        Raises:
            TokenizerError: the place cannot be written to, or the file could not say what this tokenizer does.
        """
        write_bytes(path, serialize_ranks(self.ranks))

    @cached_property
    def merges(self) -> list[tuple[bytes, bytes]]:
        """The pairs that may join, in the order of merging."""
        if self._given_merges is not None:
            return self._given_merges
        return sorted(
            (pair for pair in all_splits(self.ranks) if pair[0] in self.ranks and pair[1] in self.ranks),
            key=lambda pair: self.ranks[pair[0] + pair[1]],
        )

    def encode(self, text: str, bos: bool = True, eos: bool = False, special: bool = False) -> list[int]:
        """Turn text into ids.

        Args:
            text: any text.
            bos, eos: put the control token in front, or behind, where the vocabulary has one.
            special: control tokens spelled in the text become their ids; else they are plain text.

        Raises:
            TokenizerError: the text holds half of a surrogate pair, which UTF-8 cannot spell.
        """
        check_text(text)
        parts = self._controls.split(text) if special and self._controls else [text]
        ids: list[int] = [self.bos_id] if bos and self.bos_id is not None else []
        for place, part in enumerate(parts):
            ids += [self.specials[part]] if place % 2 else self._encode_plain(part)
        if eos and self.eos_id is not None:
            ids.append(self.eos_id)
        return ids

    def _encode_plain(self, text: str) -> list[int]:
        ids: list[int] = []
        for match in self._words.finditer(text):
            word = match[0].encode()
            if self.ignore_merges and word in self.ranks:
                ids.append(self.ranks[word])
            else:
                ids += self._merger.ids(word)
        return ids

    def decode(self, ids: list[int]) -> str:
        """Turn ids into text; control tokens are left out, broken UTF-8 becomes U+FFFD.

        Raises:
            TokenizerError: an id outside the vocabulary.
        """
        return decode(ids, self)

    def token_bytes(self, token: int) -> bytes:
        """What one id adds to the text, as bytes; empty for control tokens.

        Raises:
            TokenizerError: the vocabulary has no such id.
        """
        token = check_id(token, self.vocab_size)
        if token in self._names:
            return b""
        if token not in self._bytes:
            raise TokenizerError(f"id {token} is outside the vocabulary, which has a hole there")
        return self._bytes[token]

    def piece(self, token: int) -> str:
        """One id for people: its text, with bytes that are no whole character as \\xNN.

        Raises:
            TokenizerError: the vocabulary has no such id.
        """
        token = check_id(token, self.vocab_size)
        return self._names.get(token) or self.token_bytes(token).decode(errors="backslashreplace")


def _compile(pattern: str) -> regex.Pattern[str]:
    try:
        return regex.compile(pattern)
    except regex.error as error:
        raise TokenizerError(f"the pattern that cuts words cannot be used ({error}); the file is damaged") from error


def llama3_tokenizer(ranks: dict[bytes, int]) -> ByteBPETokenizer:
    """Add Llama 3's pattern and special tokens to its pieces: BOS 128000, EOS 128001, end of turn 128009."""
    reserved = [f"<|reserved_special_token_{i}|>" for i in range(2, 2 + N_SPECIALS - len(NAMED_SPECIALS))]
    specials = {name: len(ranks) + i for i, name in enumerate((*NAMED_SPECIALS, *reserved))}
    return ByteBPETokenizer(
        ranks,
        specials,
        PATTERN,
        bos_id=specials["<|begin_of_text|>"],
        eos_id=specials["<|end_of_text|>"],
        stop_ids=(specials[name] for name in STOPS),
    )


def parse_ranks(data: bytes) -> dict[bytes, int]:
    """Read the content of a file in tiktoken's format: a line a piece, in base64, and its id.

    Raises:
        TokenizerError: a line that is something else, or ids that are not 0, 1, 2, ... in some order.

    >>> parse_ranks(b"IQ== 0")
    {b'!': 0}
    """
    ranks: dict[bytes, int] = {}
    lines = data.splitlines()
    for place, line in enumerate(lines, start=1):
        parts = line.split()
        if not parts:
            continue
        try:
            text, rank = parts
            ranks[base64.b64decode(text, validate=True)] = int(rank[:10])
        except (ValueError, binascii.Error):
            raise TokenizerError(
                f"line {place} is {line[:40]!r}, expected a piece in base64 and its id; cut off or no such file"
            ) from None
    if not ranks or sorted(ranks.values()) != list(range(sum(1 for line in lines if line.strip()))):
        raise TokenizerError(
            "pieces or ids are missing or occur twice, expected the ids 0, 1, 2, ...; the file is damaged"
        )
    return ranks


def serialize_ranks(ranks: dict[bytes, int]) -> bytes:
    """The content of a file in tiktoken's format, in the order of ids.

    >>> serialize_ranks({b"!": 0})
    b'IQ== 0\\n'
    """
    rows = sorted(ranks.items(), key=lambda item: item[1])
    return b"".join(b"%s %d\n" % (base64.b64encode(piece), rank) for piece, rank in rows)
