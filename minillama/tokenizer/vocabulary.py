"""The pieces of a SentencePiece-style vocabulary, and what each of them adds to a text.

Source: Kudo and Richardson 2018, "SentencePiece"; piece types as in sentencepiece_model.proto.
"""

import math
import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count

from minillama.errors import TokenizerError
from minillama.tokenizer.merge import Merger

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
SPACE = "▁"  # U+2581 stands for a space inside pieces
BYTE_PIECES = tuple(f"<0x{byte:02X}>" for byte in range(256))
MAX_PIECES = 1 << 24


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """The pieces of a vocabulary: a piece's place is its id.

    Args:
        pieces: how each is spelled, with "▁" for a space.
        scores: of two possible merges, the one whose piece has the higher score comes first.
        types: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte.
        unk_id: the piece for what cannot be spelled, of type 2.
        bos_id, eos_id, pad_id: control pieces, or None.
        add_dummy_prefix: a space is put in front of every text, so that its first word is spelled like the others.
        remove_extra_whitespaces: runs of spaces become one, those at both ends go.
        charsmap: SentencePiece's compiled table of character replacements; empty for none.
        unk_surface: what the unknown piece decodes to.
        merges: the only pairs that may join, in the order of merging; empty when any two neighbours that spell a piece
            may, as in SentencePiece.

    Raises:
        TokenizerError: the lists differ in length, or hold something that no vocabulary holds.

    >>> vocab = Vocabulary(pieces=("<unk>", "<s>", "</s>", "▁hi"), scores=(0.0, 0.0, 0.0, -1.0), types=(2, 3, 3, 1))
    >>> vocab.token_bytes(3)
    b' hi'
    """

    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    types: tuple[int, ...]
    unk_id: int = 0
    bos_id: int | None = 1
    eos_id: int | None = 2
    pad_id: int | None = None
    add_dummy_prefix: bool = True
    remove_extra_whitespaces: bool = False
    charsmap: bytes = b""
    unk_surface: str = " ⁇ "
    merges: tuple[tuple[str, str], ...] = ()

    utf8_errors = "each_byte"  # every byte that is part of no character decodes to a U+FFFD of its own

    def __post_init__(self) -> None:
        if not len(self.pieces) == len(self.scores) == len(self.types):
            raise TokenizerError(
                f"vocabulary has {len(self.pieces)} pieces, {len(self.scores)} scores and {len(self.types)} types, "
                "expected as many of each"
            )
        if not 0 < len(self.pieces) <= MAX_PIECES:
            raise TokenizerError(f"vocabulary has {len(self.pieces)} pieces, expected 1 to {MAX_PIECES}")
        self._check_pieces()
        for name in ("unk_id", "bos_id", "eos_id", "pad_id"):
            token = getattr(self, name)
            if token is not None and not 0 <= token < len(self.pieces):
                raise TokenizerError(f"{name} is {token}, expected an id below {len(self.pieces)}")
        if self.types.count(UNKNOWN) != 1 or self.types[self.unk_id] != UNKNOWN:
            raise TokenizerError(
                f"piece {self.unk_id} must be the one unknown piece (type {UNKNOWN}) of the vocabulary"
            )

    def _check_pieces(self) -> None:
        check_text("".join(self.pieces))
        seen: set[str] = set()
        for token, (piece, score, kind) in enumerate(zip(self.pieces, self.scores, self.types, strict=True)):
            if not piece or piece in seen:
                raise TokenizerError(f"piece {token} is {piece!r}, expected a spelling that no other piece has")
            if not math.isfinite(score):
                raise TokenizerError(f"piece {token} has score {score}, expected a finite number")
            if not NORMAL <= kind <= BYTE:
                raise TokenizerError(f"piece {token} has type {kind}, expected {NORMAL} to {BYTE}")
            if kind == BYTE and piece not in BYTE_PIECES:
                raise TokenizerError(f"byte piece {token} is {piece!r}, expected <0x00> to <0xFF>")
            seen.add(piece)
        if self.types.count(BYTE) not in (0, 256):
            raise TokenizerError(f"vocabulary has {self.types.count(BYTE)} byte pieces, expected 256 or none")

    def __len__(self) -> int:
        return len(self.pieces)

    @cached_property
    def ids(self) -> dict[str, int]:
        """Piece -> id."""
        return dict(zip(self.pieces, count()))

    @cached_property
    def byte_ids(self) -> tuple[int, ...]:
        """The ids of <0x00> to <0xFF>; empty for a vocabulary without byte fallback."""
        return tuple(self.ids[piece] for piece in BYTE_PIECES) if BYTE in self.types else ()

    @cached_property
    def ranks(self) -> dict[str, int]:
        """Every piece that merges can make -> its place in the order of merging: 0 first, equal scores share a rank."""
        order = {score: rank for rank, score in enumerate(sorted(set(self.scores), reverse=True))}
        mergeable = (NORMAL, USER_DEFINED, UNUSED)
        rows = zip(self.pieces, self.scores, self.types, strict=True)
        return {piece: order[score] for piece, score, kind in rows if kind in mergeable}

    @cached_property
    def merger(self) -> Merger[str]:
        """Splits words into ids by these pieces; remembers what it has seen."""
        pairs = {pair: rank for rank, pair in reversed(list(enumerate(self.merges)))}
        return Merger(pairs or self.ranks, self.spell)

    @cached_property
    def word_pattern(self) -> re.Pattern[str]:
        """Matches one word after the other: from its space to the next, unless a piece holds a space further in."""
        crossing = any(SPACE in piece.lstrip(SPACE) for piece in self.ranks)
        return re.compile(".+" if crossing else f"{SPACE}+[^{SPACE}]*|[^{SPACE}]+", re.DOTALL)

    def words(self, text: str) -> list[str]:
        """Cut a text, in which spaces are written "▁", where no merge can cross."""
        return self.word_pattern.findall(text)

    def spell(self, piece: str) -> list[int]:
        """The ids of one piece that merging has left: its own, or those of its bytes, or the unknown piece's."""
        token = self.ids.get(piece, self.unk_id)
        if token == self.unk_id:
            return [self.byte_ids[byte] for byte in piece.encode()] if self.byte_ids else [token]
        if self.types[token] == UNUSED and len(piece) > 1:
            inner = {other: rank for other, rank in self.ranks.items() if other in piece and other != piece}
            return Merger(inner, self.spell).ids(piece)  # unused pieces fall apart into what they were merged from
        return [token]

    def of_type(self, kind: int) -> list[str]:
        """The pieces of one type, in the order of their ids."""
        return [piece for piece, each in zip(self.pieces, self.types, strict=True) if each == kind]

    def piece(self, token: int) -> str:
        """How one id is spelled.

        Raises:
            TokenizerError: the vocabulary has no such id.
        """
        return self.pieces[check_id(token, len(self.pieces))]

    def token_bytes(self, token: int) -> bytes:
        """What one id adds to the text, as UTF-8 or a part of it; empty for control pieces.

        Raises:
            TokenizerError: the vocabulary has no such id.
        """
        piece, kind = self.piece(token), self.types[token]
        if kind == CONTROL:
            return b""
        if kind == BYTE:
            return bytes([int(piece[3:5], 16)])
        return (self.unk_surface if kind == UNKNOWN else piece.replace(SPACE, " ")).encode()


def either(spellings: Sequence[str]) -> re.Pattern[str] | None:
    """A pattern for any of some strings, the longest first, as a group that re.split keeps; None for no strings."""
    longest_first = sorted(spellings, key=len, reverse=True)
    return re.compile("(" + "|".join(map(re.escape, longest_first)) + ")") if spellings else None


def check_id(token: int, size: int) -> int:
    """An id that lies inside a vocabulary of `size` pieces.

    Raises:
        TokenizerError: it is outside, or no whole number.
    """
    try:
        place = operator.index(token)
    except TypeError:
        raise TokenizerError(f"id {token!r} is of type {type(token).__name__}, expected a whole number") from None
    if not 0 <= place < size:
        raise TokenizerError(f"id {place} is outside the vocabulary, expected 0 to {size - 1}")
    return place


def check_text(text: str) -> None:
    """Refuse what is no text, and what UTF-8 cannot spell.

    Raises:
        TokenizerError: of another type than str, or with half of a surrogate pair.
    """
    if not isinstance(text, str):
        raise TokenizerError(f"the text is of type {type(text).__name__}, expected str")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise TokenizerError(
            f"character {error.start} of the text is {text[error.start]!r}, half of a surrogate pair; "
            "read the text again, as UTF-8"
        ) from None
