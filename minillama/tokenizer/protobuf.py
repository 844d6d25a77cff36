"""SentencePiece's `.model` files: a small reader and writer of their protobuf messages.

Source: sentencepiece_model.proto (ModelProto), and the protobuf encoding guide. The reader trusts no length.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from minillama.errors import TokenizerError
from minillama.tokenizer.vocabulary import BYTE, CONTROL, UNKNOWN, Vocabulary

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types

# Field numbers of the messages.
PIECES, TRAINER, NORMALIZER, DENORMALIZER = 1, 2, 3, 5
PIECE, SCORE, TYPE = 1, 2, 3
CHARSMAP, DUMMY_PREFIX, EXTRA_WHITESPACES, ESCAPE_WHITESPACES = 2, 3, 4, 5
MODEL_TYPE, SPACE_IS_SUFFIX, BYTE_FALLBACK, UNK_SURFACE = 3, 24, 35, 44
VOCAB_SIZE, IDS, NAMES = 4, (40, 41, 42, 43), (45, 46, 47, 48)  # unk, bos, eos, pad

BPE = 2
MODEL_TYPES = {1: "a unigram", BPE: "a BPE", 3: "a word", 4: "a character"}


class Field(NamedTuple):
    """One field of a message: its number, its wire type, and what it holds."""

    number: int
    wire: int
    value: int
    content: bytes

    def as_bytes(self) -> bytes:
        self._expect(BYTES)
        return self.content

    def as_text(self) -> str:
        try:
            return self.as_bytes().decode()
        except UnicodeDecodeError:
            raise TokenizerError(f"field {self.number} is not UTF-8 text; the file is damaged") from None

    def as_int(self) -> int:
        self._expect(VARINT)
        return self.value - (1 << 64) if self.value >> 63 else self.value  # negative numbers are stored in 64 bits

    def as_float(self) -> float:
        self._expect(FIXED32)
        return struct.unpack("<f", self.content)[0]

    def _expect(self, wire: int) -> None:
        if self.wire != wire:
            raise TokenizerError(f"field {self.number} has wire type {self.wire}, expected {wire}; not a .model file")


def read_varint(data: bytes, start: int) -> tuple[int, int]:
    """A number of 1 to 10 bytes, seven bits each, the lowest first: (value, where the next byte stands)."""
    value = 0
    for place, byte in enumerate(data[start : start + 10]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value & (1 << 64) - 1, start + place + 1
    raise TokenizerError(f"a number at byte {start} has no end; the file is cut off or no .model file")


def read_fields(data: bytes) -> Iterator[Field]:
    """The fields of a message, in order.

    Raises:
        TokenizerError: a length that reaches past the end, or a wire type that protobuf does not have.
    """
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        number, wire, value, length = key >> 3, key & 7, 0, 0
        if wire == VARINT:
            value, at = read_varint(data, at)
        elif wire == BYTES:
            length, at = read_varint(data, at)
        elif wire in (FIXED64, FIXED32):
            length = 8 if wire == FIXED64 else 4
        else:
            raise TokenizerError(f"wire type {wire} at byte {at}, expected 0, 1, 2 or 5; not a .model file")
        if length > len(data) - at:
            raise TokenizerError(
                f"{length} bytes announced at byte {at}, {len(data) - at} are left; the file is cut off"
            )
        yield Field(number, wire, value, data[at : at + length])
        at += length


def parse_vocabulary(data: bytes) -> Vocabulary:
    """Read the content of a SentencePiece `.model` file.

    Raises:
        TokenizerError: not such a file, cut off, damaged, or of a kind that LLaMA does not use.
    """
    rows: list[tuple[str, float, int]] = []
    trainer: dict[int, Field] = {}
    normalizer: dict[int, Field] = {}
    for field in read_fields(data):
        if field.number == PIECES:
            rows.append(_parse_piece(field.as_bytes()))
        elif field.number in (TRAINER, NORMALIZER):
            settings = trainer if field.number == TRAINER else normalizer
            settings.update({inner.number: inner for inner in read_fields(field.as_bytes())})
        elif field.number == DENORMALIZER and _has_charsmap(field.as_bytes()):
            raise TokenizerError("the model rewrites decoded text (a denormalizer), which no LLaMA does")
    if not rows or not trainer or not normalizer:
        raise TokenizerError("pieces or settings are missing; the file is empty, cut off or no SentencePiece model")
    _check_kind(trainer, normalizer, rows)
    pieces, scores, types = zip(*rows, strict=True)
    controls = {piece: token for token, (piece, _, kind) in enumerate(rows) if kind == CONTROL}
    defaults = ("<unk>", "<s>", "</s>", "<pad>")
    names = [trainer[n].as_text() if n in trainer else name for n, name in zip(NAMES, defaults, strict=True)]
    return Vocabulary(
        pieces=pieces,
        scores=scores,
        types=types,
        unk_id=types.index(UNKNOWN) if UNKNOWN in types else 0,
        bos_id=controls.get(names[1]),
        eos_id=controls.get(names[2]),
        pad_id=controls.get(names[3]),
        add_dummy_prefix=_flag(normalizer, DUMMY_PREFIX, True),
        remove_extra_whitespaces=_flag(normalizer, EXTRA_WHITESPACES, True),
        charsmap=normalizer[CHARSMAP].as_bytes() if CHARSMAP in normalizer else b"",
        unk_surface=trainer[UNK_SURFACE].as_text() if UNK_SURFACE in trainer else Vocabulary.unk_surface,
    )


def _parse_piece(data: bytes) -> tuple[str, float, int]:
    piece, score, kind = "", 0.0, 1
    for field in read_fields(data):
        if field.number == PIECE:
            piece = field.as_text()
        elif field.number == SCORE:
            score = field.as_float()
        elif field.number == TYPE:
            kind = field.as_int()
    return piece, score, kind


def _has_charsmap(settings: bytes) -> bool:
    return any(field.number == CHARSMAP and field.content for field in read_fields(settings))


def _flag(settings: dict[int, Field], number: int, default: bool) -> bool:
    return bool(settings[number].as_int()) if number in settings else default


def _check_kind(trainer: dict[int, Field], normalizer: dict[int, Field], rows: list[tuple[str, float, int]]) -> None:
    model_type = trainer[MODEL_TYPE].as_int() if MODEL_TYPE in trainer else 1
    if model_type != BPE:
        raise TokenizerError(
            f"this is {MODEL_TYPES.get(model_type, 'an unknown')} model, expected BPE, as every LLaMA has"
        )
    if _flag(trainer, SPACE_IS_SUFFIX, False) or not _flag(normalizer, ESCAPE_WHITESPACES, True):
        raise TokenizerError("the model does not write spaces as a ▁ in front of words, as every LLaMA does")
    if any(kind == BYTE for _, _, kind in rows) != _flag(trainer, BYTE_FALLBACK, False):
        raise TokenizerError("byte pieces and the byte_fallback setting contradict each other; the file is damaged")


def serialize_vocabulary(vocabulary: Vocabulary) -> bytes:
    """The content of a `.model` file, which the sentencepiece library reads with equal ids.

    >>> vocab = Vocabulary(pieces=("<unk>", "<s>", "</s>", "▁hi"), scores=(0.0, 0.0, 0.0, -1.0), types=(2, 3, 3, 1))
    >>> parse_vocabulary(serialize_vocabulary(vocab)) == vocab
    True

    Raises:
        TokenizerError: the vocabulary has merges of its own, which the format cannot hold.
    """
    if vocabulary.merges:
        raise TokenizerError(
            "the vocabulary joins only some pairs, which a .model file cannot say; write tokenizer.json"
        )
    parts = []
    for piece, score, kind in zip(vocabulary.pieces, vocabulary.scores, vocabulary.types, strict=True):
        message = _field(PIECE, piece.encode()) + _key(SCORE, FIXED32) + struct.pack("<f", score) + _field(TYPE, kind)
        parts.append(_field(PIECES, message))
    trainer = _field(MODEL_TYPE, BPE) + _field(VOCAB_SIZE, len(vocabulary))
    trainer += _field(BYTE_FALLBACK, int(bool(vocabulary.byte_ids)))
    tokens = (vocabulary.unk_id, vocabulary.bos_id, vocabulary.eos_id, vocabulary.pad_id)
    for number, token in zip(IDS, tokens, strict=True):
        trainer += _field(number, -1 if token is None else token)
    trainer += _field(UNK_SURFACE, vocabulary.unk_surface.encode())
    absent = ("", "<no bos>", "<no eos>", "<no pad>")
    for number, token, name in zip(NAMES, tokens, absent, strict=True):
        trainer += _field(number, (name if token is None else vocabulary.pieces[token]).encode())
    normalizer = _field(1, b"custom" if vocabulary.charsmap else b"identity") + _field(CHARSMAP, vocabulary.charsmap)
    normalizer += _field(DUMMY_PREFIX, int(vocabulary.add_dummy_prefix))
    normalizer += _field(EXTRA_WHITESPACES, int(vocabulary.remove_extra_whitespaces)) + _field(ESCAPE_WHITESPACES, 1)
    return b"".join((*parts, _field(TRAINER, trainer), _field(NORMALIZER, normalizer)))


def _field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, bytes):
        return _key(number, BYTES) + _varint(len(value)) + value
    return _key(number, VARINT) + _varint(value & (1 << 64) - 1)


def _key(number: int, wire: int) -> bytes:
    return _varint(number << 3 | wire)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*encoded, value))
