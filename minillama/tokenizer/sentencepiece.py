"""LLaMA 1 and 2's tokenizer: SentencePiece models read by our own code, with the ids of the sentencepiece library.

Source: Kudo and Richardson 2018, "SentencePiece"; the conventions are those of the library, version 0.2.
"""

import copy
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Self

import sentencepiece

from minillama.tokenizer.bpe import decode, encode_bpe, stream_decode
from minillama.tokenizer.files import named, read_bytes, write_bytes
from minillama.tokenizer.protobuf import parse_vocabulary, serialize_vocabulary
from minillama.tokenizer.vocabulary import CONTROL, SPACE, USER_DEFINED, Vocabulary, check_text, either

__all__ = ["SentencePieceTokenizer", "Vocabulary", "parse_vocabulary", "serialize_vocabulary"]


class SentencePieceTokenizer:
    """A tokenizer from a SentencePiece vocabulary of the BPE kind.

    Args:
        vocabulary: the pieces.

    >>> vocab = Vocabulary(pieces=("<unk>", "<s>", "</s>", "▁", "hi"), scores=(0.0,) * 5, types=(2, 3, 3, 1, 1))
    >>> SentencePieceTokenizer(vocab).encode("hi</s>", special=True)
    [1, 3, 4, 2]
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.vocab_size = len(vocabulary)
        self.bos_id = vocabulary.bos_id
        self.eos_id = vocabulary.eos_id
        self.stop_ids = frozenset() if vocabulary.eos_id is None else frozenset({vocabulary.eos_id})
        self.add_dummy_prefix = vocabulary.add_dummy_prefix
        self.remove_extra_whitespaces = vocabulary.remove_extra_whitespaces
        self.utf8_errors = vocabulary.utf8_errors
        self._controls = either(vocabulary.of_type(CONTROL))
        self._symbols = either(vocabulary.of_type(USER_DEFINED))
        self._encode_bpe: Callable[..., list[int]] = encode_bpe
        self._decode: Callable[..., str] = decode
        self._stream_decode: Callable[..., Iterator[str]] = stream_decode

    @classmethod
    def from_file(cls, path: str | Path) -> "SentencePieceTokenizer":
        """Read a `.model` file.

        Raises:
            TokenizerError: missing, damaged, or of a kind that LLaMA does not use.
        """
        with named(path):
            return cls(parse_vocabulary(read_bytes(path)))

    def save(self, path: str | Path) -> None:
        """Write a `.model` file.

        Raises:
            TokenizerError: the place cannot be written to.
        """
        write_bytes(path, serialize_vocabulary(self.vocabulary))

    def with_pieces(
        self,
        encode_bpe: Callable[..., list[int]],
        decode: Callable[..., str],
        stream_decode: Callable[..., Iterator[str]],
    ) -> Self:
        """The same tokenizer on other definitions of the three functions of bpe.py; each is given the vocabulary."""
        other = copy.copy(self)
        other._encode_bpe, other._decode, other._stream_decode = encode_bpe, decode, stream_decode
        return other

    @property
    def beyond_vocabulary(self) -> str:
        """Which texts get other ids from the vocabulary alone, all that a `.model` file holds; empty for none."""
        return ""

    @cached_property
    def library(self) -> sentencepiece.SentencePieceProcessor:
        """The sentencepiece library with this vocabulary: the second opinion, and the reader of character tables."""
        return sentencepiece.SentencePieceProcessor(model_proto=serialize_vocabulary(self.vocabulary))

    def encode(self, text: str, bos: bool = True, eos: bool = False, special: bool = False) -> list[int]:
        """Turn text into ids.

        Args:
            text: any text.
            bos, eos: put the control piece in front, or behind, where the vocabulary has one.
            special: control pieces spelled in the text become their ids, and what stands between two of them is
                encoded as a text of its own, dummy prefix included, as Meta's code does with the turns of a chat;
                else they are plain text.

        Raises:
            TokenizerError: the text holds half of a surrogate pair, which UTF-8 cannot spell.
        """
        check_text(text)
        parts = self._controls.split(text) if special and self._controls else [text]
        ids: list[int] = [self.bos_id] if bos and self.bos_id is not None else []
        for place, part in enumerate(parts):
            ids += [self.vocabulary.ids[part]] if place % 2 else self._encode_plain(part, at_start=place == 0)
        if eos and self.eos_id is not None:
            ids.append(self.eos_id)
        return ids

    def _encode_plain(self, text: str, at_start: bool) -> list[int]:
        text = self._normalize(text, self._takes_prefix(text, at_start))
        ids: list[int] = []
        for place, part in enumerate(self._symbols.split(text) if self._symbols else [text]):
            ids += [self.vocabulary.ids[part]] if place % 2 else self._encode_bpe(part, self.vocabulary, at_start=False)
        if not self.vocabulary.byte_ids:  # the library gives a run of unknown pieces one id
            unknown = self.vocabulary.unk_id
            ids = [token for i, token in enumerate(ids) if not (token == unknown and i and ids[i - 1] == unknown)]
        return ids

    def _takes_prefix(self, text: str, at_start: bool) -> bool:
        """Whether the dummy prefix goes in front of a plain text; at_start when no control piece stands before it."""
        return self.add_dummy_prefix

    def _normalize(self, text: str, prefix: bool) -> str:
        if self.vocabulary.charsmap:
            text = self.library.normalize(text)
            return text.removeprefix(SPACE) if self.add_dummy_prefix and not prefix else text
        if self.remove_extra_whitespaces:
            text = re.sub(" +", " ", text).strip(" ")
        if text and prefix:
            text = " " + text
        text = text.replace(" ", SPACE)
        return text.rstrip(SPACE) if self.remove_extra_whitespaces else text

    def decode(self, ids: list[int]) -> str:
        """Turn ids into text; control pieces are left out, bytes of no character become U+FFFD.

        Raises:
            TokenizerError: an id outside the vocabulary.
        """
        return self._decode(ids, self.vocabulary)

    def stream_decode(self, ids: Iterable[int], at_start: bool = True) -> Iterator[str]:
        """Turn ids into text while they arrive; see `minillama.tokenizer.bpe.stream_decode`."""
        return self._stream_decode(ids, self.vocabulary, at_start=at_start)

    def token_bytes(self, token: int) -> bytes:
        """What one id adds to the text, as bytes; empty for control pieces."""
        return self.vocabulary.token_bytes(token)

    def piece(self, token: int) -> str:
        """One id as the vocabulary spells it."""
        return self.vocabulary.piece(token)
