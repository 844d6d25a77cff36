"""The tokenizer inside a GGUF file: `tokenizer.ggml.*` to a tokenizer and back.

Two kinds are read: "llama" (SentencePiece pieces, scores and types) and "gpt2" with the pre-tokenizer of Llama 3 (byte
pairs, spelled in GPT-2's alphabet, which gives every byte a printable character).

Source: ggml/docs/gguf.md, "Tokenizer".
"""

import numpy as np

from minillama.checkpoint.gguf_format import Value, shown
from minillama.checkpoint.tokenizers import warn_of_other_ids
from minillama.errors import CheckpointError, TokenizerError
from minillama.tokenizer import Tokenizer
from minillama.tokenizer.byte_alphabet import read_spelled, spell_bytes
from minillama.tokenizer.llama3 import PATTERN, STOPS, ByteBPETokenizer
from minillama.tokenizer.sentencepiece import SentencePieceTokenizer
from minillama.tokenizer.vocabulary import CONTROL, NORMAL, UNKNOWN, UNUSED, Vocabulary

PREFIX = "tokenizer.ggml."
NO_TOKEN = 0xFFFFFFFF
LLAMA3_PRE = ("llama-bpe", "llama3", "llama-v3")
END_OF_TURN = "<|eot_id|>"
_PADDING_SCORE = -1000.0


class _Keys:
    """Typed look-ups of `tokenizer.ggml.*`."""

    def __init__(self, metadata: dict[str, Value]) -> None:
        self.metadata = metadata

    def text(self, key: str) -> str:
        value = self.metadata.get(PREFIX + key)
        if not isinstance(value, str):
            raise CheckpointError(f"{PREFIX}{key} is missing or no text: it holds no whole tokenizer")
        return value

    def strings(self, key: str) -> list[str]:
        value = self.metadata.get(PREFIX + key)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise CheckpointError(f"{PREFIX}{key} is no list of texts: it holds no whole tokenizer")
        return value  # type: ignore[return-value]

    def numbers(self, key: str, kinds: str, count: int) -> list:
        """`count` numbers whose dtype is of one of the NumPy kinds."""
        value = self.metadata.get(PREFIX + key)
        if not isinstance(value, np.ndarray) or value.dtype.kind not in kinds or len(value) != count:
            raise CheckpointError(
                f"{PREFIX}{key} is no list of {count} numbers, one a token: it holds no whole tokenizer"
            )
        return value.tolist()

    def flag(self, key: str, default: bool) -> bool:
        value = self.metadata.get(PREFIX + key, default)
        if not isinstance(value, bool):
            raise CheckpointError(f"{PREFIX}{key} is {type(value).__name__}, expected true or false")
        return value

    def token(self, key: str, default: int | None) -> int | None:
        """The id of a token; None for one that the vocabulary does not have."""
        value = self.metadata.get(f"{PREFIX}{key}_token_id", default)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise CheckpointError(f"{PREFIX}{key}_token_id is {type(value).__name__}, expected a whole number")
        return None if value == NO_TOKEN else value


def _sentencepiece(keys: _Keys) -> SentencePieceTokenizer:
    pieces = keys.strings("tokens")
    types = keys.numbers("token_type", "iu", len(pieces))
    unknown = keys.token("unknown", types.index(UNKNOWN) if UNKNOWN in types else 0)
    charsmap = keys.metadata.get(PREFIX + "precompiled_charsmap")
    return SentencePieceTokenizer(
        Vocabulary(
            pieces=tuple(pieces),
            scores=tuple(keys.numbers("scores", "f", len(pieces))),
            types=tuple(types),
            unk_id=0 if unknown is None else unknown,
            bos_id=keys.token("bos", 1),
            eos_id=keys.token("eos", 2),
            pad_id=keys.token("padding", None),
            add_dummy_prefix=keys.flag("add_space_prefix", True),
            remove_extra_whitespaces=keys.flag("remove_extra_whitespaces", False),
            charsmap=charsmap.tobytes() if isinstance(charsmap, np.ndarray) else b"",
        )
    )


def _byte_pairs(keys: _Keys) -> ByteBPETokenizer:
    pre = keys.text("pre")
    if pre not in LLAMA3_PRE:
        raise CheckpointError(f"{PREFIX}pre is {shown(pre)}, expected {LLAMA3_PRE[0]!r}, the one that LLaMAs have")
    tokens = keys.strings("tokens")
    types = keys.numbers("token_type", "iu", len(tokens))
    specials = {text: token for token, text in enumerate(tokens) if types[token] not in (NORMAL, UNUSED)}
    spelled = {text: read_spelled(text) for token, text in enumerate(tokens) if types[token] == NORMAL}
    ranks = {spelled[text]: token for token, text in enumerate(tokens) if types[token] == NORMAL}
    if len(ranks) + len(specials) + types.count(UNUSED) != len(tokens):
        raise CheckpointError(f"{PREFIX}tokens holds a token twice: it is damaged")
    merges = []
    for line in keys.strings("merges"):
        left, _, right = line.partition(" ")
        if left not in spelled or right not in spelled:
            raise CheckpointError(f"{PREFIX}merges holds {shown(line)}, expected two tokens: it is damaged")
        merges.append((spelled[left], spelled[right]))
    eos = keys.token("eos", None)
    stops = {eos, keys.token("eot", None), *(specials.get(name) for name in STOPS)}
    return ByteBPETokenizer(
        ranks,
        specials,
        PATTERN,
        merges=merges,
        bos_id=keys.token("bos", None),
        eos_id=eos,
        stop_ids=[token for token in stops if token is not None],
    )


def tokenizer_of(metadata: dict[str, Value]) -> Tokenizer:
    """The tokenizer that a file's metadata hold.

    Raises:
        CheckpointError: none, a damaged one, or of a kind that no LLaMA has.
        TokenizerError: its parts do not go together.
    """
    keys = _Keys(metadata)
    model = keys.text("model")
    if model == "llama":
        return _sentencepiece(keys)
    if model == "gpt2":
        return _byte_pairs(keys)
    raise CheckpointError(f"{PREFIX}model is {shown(model)}, expected 'llama' or 'gpt2'")


def _padding(count: int, vocab_size: int) -> list[str]:
    """Names for the rows of the embedding that have no token; llama.cpp wants one for each."""
    if count > vocab_size:
        raise TokenizerError(
            f"tokenizer has {count} pieces, but the model only {vocab_size} rows: it is another model's"
        )
    return [f"[PAD{token}]" for token in range(count, vocab_size)]


def _metadata_of_sentencepiece(vocabulary: Vocabulary, vocab_size: int) -> dict[str, Value]:
    padding = _padding(len(vocabulary), vocab_size)
    metadata: dict[str, Value] = {
        "model": "llama",
        "pre": "default",
        "tokens": [*vocabulary.pieces, *padding],
        "scores": np.array([*vocabulary.scores, *[_PADDING_SCORE] * len(padding)], np.float32),
        "token_type": np.array([*vocabulary.types, *[UNUSED] * len(padding)], np.int32),
        "unknown_token_id": vocabulary.unk_id,
        "add_space_prefix": vocabulary.add_dummy_prefix,
        "remove_extra_whitespaces": vocabulary.remove_extra_whitespaces,
    }
    if vocabulary.charsmap:
        metadata["precompiled_charsmap"] = np.frombuffer(vocabulary.charsmap, np.uint8)
    if vocabulary.pad_id is not None:
        metadata["padding_token_id"] = vocabulary.pad_id
    return metadata


def _metadata_of_byte_pairs(tokenizer: ByteBPETokenizer, vocab_size: int) -> dict[str, Value]:
    count = max([*tokenizer.ranks.values(), *tokenizer.specials.values()]) + 1
    tokens, types = [f"[PAD{token}]" for token in range(count)] + _padding(count, vocab_size), [UNUSED] * vocab_size
    for raw, token in tokenizer.ranks.items():
        tokens[token], types[token] = spell_bytes(raw), NORMAL
    for text, token in tokenizer.specials.items():
        tokens[token], types[token] = text, CONTROL
    metadata: dict[str, Value] = {
        "model": "gpt2",
        "pre": LLAMA3_PRE[0],
        "tokens": [*tokens],
        "token_type": np.array(types, np.int32),
        "merges": [f"{spell_bytes(left)} {spell_bytes(right)}" for left, right in tokenizer.merges],
    }
    if END_OF_TURN in tokenizer.specials:
        metadata["eot_token_id"] = tokenizer.specials[END_OF_TURN]
    return metadata


def metadata_of_tokenizer(tokenizer: Tokenizer, vocab_size: int) -> dict[str, Value]:
    """The `tokenizer.ggml.*` keys of a tokenizer.

    Args:
        tokenizer: a SentencePieceTokenizer or a ByteBPETokenizer.
        vocab_size: rows of the embedding; the tokens are filled up to it with unused ones.

    Raises:
        TokenizerError: of another kind, or with more tokens than the embedding has rows.
    """
    if isinstance(tokenizer, SentencePieceTokenizer):
        warn_of_other_ids(tokenizer, "a GGUF file")
        metadata = _metadata_of_sentencepiece(tokenizer.vocabulary, vocab_size)
    elif isinstance(tokenizer, ByteBPETokenizer):
        metadata = _metadata_of_byte_pairs(tokenizer, vocab_size)
    else:
        raise TokenizerError(f"a {type(tokenizer).__name__} cannot be written to GGUF, expected one read from a file")
    for name, token in (("bos", tokenizer.bos_id), ("eos", tokenizer.eos_id)):
        metadata[f"{name}_token_id"] = NO_TOKEN if token is None else token  # left out would mean the usual one
    metadata["add_bos_token"] = tokenizer.bos_id is not None
    metadata["add_eos_token"] = False
    return {PREFIX + key: value for key, value in metadata.items()}
