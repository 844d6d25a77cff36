"""llama2.c's `tokenizer.bin`: the pieces and scores of a SentencePiece vocabulary, without their types.

The file is int32 max_token_length, then for every piece float32 score, int32 length and the bytes; little-endian, with
spaces for "▁". The number of pieces is not in it, nor are the types: by convention 0 is the unknown piece, 1 BOS,
2 EOS, 3 to 258 the bytes, and all others are normal.

Source: the format that llama2.c's tokenizer.py writes and run.c reads.
"""

import struct
from pathlib import Path

from minillama.errors import TokenizerError
from minillama.tokenizer.bpe import FIRST_PIECES, SPECIAL_PIECES
from minillama.tokenizer.files import named, read_bytes, write_bytes
from minillama.tokenizer.sentencepiece import SentencePieceTokenizer
from minillama.tokenizer.vocabulary import BYTE, BYTE_PIECES, CONTROL, NORMAL, SPACE, UNKNOWN, Vocabulary

HEADER, ROW = struct.Struct("<i"), struct.Struct("<fi")
FIRST_TYPES = (UNKNOWN, CONTROL, CONTROL, *(BYTE,) * len(BYTE_PIECES))
FIRST_SPELLINGS = ("<unk>", "\n<s>\n", "\n</s>\n", *BYTE_PIECES)  # as the file spells them


def read_tokenizer_bin(path: str | Path) -> SentencePieceTokenizer:
    """Read a `tokenizer.bin`.

    Raises:
        TokenizerError: missing, damaged, or another format.
    """
    with named(path):
        return SentencePieceTokenizer(parse_tokenizer_bin(read_bytes(path)))


def write_tokenizer_bin(tokenizer: SentencePieceTokenizer, path: str | Path) -> None:
    """Write a `tokenizer.bin`.

    Raises:
        TokenizerError: the vocabulary is not in the order that the format asks for, or the place cannot be written to.
    """
    with named(path):
        write_bytes(path, serialize_tokenizer_bin(tokenizer.vocabulary))


def parse_tokenizer_bin(data: bytes) -> Vocabulary:
    """Read the content of a `tokenizer.bin`.

    Raises:
        TokenizerError: cut off, damaged, or another format.
    """
    if len(data) < HEADER.size:
        raise TokenizerError(f"{len(data)} bytes, expected a llama2.c tokenizer; the file is cut off")
    (longest,) = HEADER.unpack_from(data)
    at = HEADER.size
    pieces: list[str] = []
    scores: list[float] = []
    while at < len(data):
        if len(data) - at < ROW.size:
            raise TokenizerError(f"{len(data) - at} bytes are left for piece {len(pieces)}; the file is cut off")
        score, length = ROW.unpack_from(data, at)
        at += ROW.size
        if not 0 < length <= min(longest, len(data) - at):
            raise TokenizerError(
                f"piece {len(pieces)} has length {length}, expected 1 to {min(longest, len(data) - at)}; "
                "cut off or no llama2.c tokenizer"
            )
        try:
            pieces.append(data[at : at + length].decode())
        except UnicodeDecodeError:
            raise TokenizerError(f"piece {len(pieces)} is not UTF-8 text; no llama2.c tokenizer") from None
        scores.append(score)
        at += length
    if tuple(pieces[3:FIRST_PIECES]) != BYTE_PIECES:
        raise TokenizerError("pieces 3 to 258 are not <0x00> to <0xFF>; no llama2.c tokenizer")
    learned = tuple(piece.replace(" ", SPACE) for piece in pieces[FIRST_PIECES:])
    return Vocabulary(
        pieces=(*SPECIAL_PIECES, *BYTE_PIECES, *learned),
        scores=tuple(scores),
        types=FIRST_TYPES + (NORMAL,) * len(learned),
    )


def serialize_tokenizer_bin(vocabulary: Vocabulary) -> bytes:
    """The content of a `tokenizer.bin`.

    Raises:
        TokenizerError: the vocabulary is not in the order that the format asks for.
    """
    if vocabulary.pieces[3:FIRST_PIECES] != BYTE_PIECES or (vocabulary.bos_id, vocabulary.eos_id) != (1, 2):
        raise TokenizerError(
            f"BOS is {vocabulary.bos_id} and EOS {vocabulary.eos_id}; llama2.c's format has 1, 2 and the bytes from 3"
        )
    if not vocabulary.add_dummy_prefix or vocabulary.remove_extra_whitespaces or vocabulary.charsmap:
        raise TokenizerError("the vocabulary rewrites text, or has no dummy prefix: llama2.c's format cannot say so")
    learned = (piece.replace(SPACE, " ") for piece in vocabulary.pieces[FIRST_PIECES:])
    spelled = [piece.encode() for piece in (*FIRST_SPELLINGS, *learned)]
    rows = (ROW.pack(score, len(raw)) + raw for score, raw in zip(vocabulary.scores, spelled, strict=True))
    return HEADER.pack(max(map(len, spelled))) + b"".join(rows)
