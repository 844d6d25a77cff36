"""Which tokenizer a file holds, told by its content."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from minillama.checkpoint.files import check_readable
from minillama.errors import CheckpointError, TokenizerError
from minillama.tokenizer import Tokenizer
from minillama.tokenizer.files import write_bytes
from minillama.tokenizer.hf_json import read_tokenizer_json
from minillama.tokenizer.llama2c import read_tokenizer_bin
from minillama.tokenizer.llama3 import ByteBPETokenizer, llama3_tokenizer, serialize_ranks
from minillama.tokenizer.sentencepiece import SentencePieceTokenizer

log = logging.getLogger(__name__)

RANK_LINE = re.compile(rb"[A-Za-z0-9+/]+={0,2} \d+\r?\n")  # base64 of a token, and its rank


def read_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a tokenizer.model (SentencePiece's or Llama 3's), tokenizer.json or tokenizer.bin.

    Raises:
        CheckpointError: no such file.
        TokenizerError: none of these, or damaged.
    """
    if not path.exists():
        raise CheckpointError(f"{path}: no such file; expected a tokenizer.model, tokenizer.json or tokenizer.bin")
    check_readable(path)
    with path.open("rb") as file:
        head = file.read(4096)
    if head.lstrip()[:1] == b"{":
        return read_tokenizer_json(path)
    if RANK_LINE.match(head):
        return ByteBPETokenizer.from_file(path)
    if head[:1] == b"\n":  # the first field of SentencePiece's message: a piece
        return SentencePieceTokenizer.from_file(path)
    if path.suffix == ".bin":
        return read_tokenizer_bin(path)
    raise TokenizerError(f"{path}: no known tokenizer; expected a tokenizer.model, tokenizer.json or tokenizer.bin")


def find_tokenizer(
    folder: Path, names: Sequence[str], tokenizer: Path | None = None, beside: bool = False
) -> Tokenizer:
    """The tokenizer of a model's folder.

    Args:
        folder: the model's.
        names: of files, the first that is there counts.
        tokenizer: a tokenizer file to use instead.
        beside: whether the folder that holds `folder` is searched too, as Meta's downloads need it.

    Raises:
        CheckpointError: none found.
        TokenizerError: damaged.
    """
    if tokenizer is not None:
        return read_tokenizer(tokenizer)
    for place in (folder, folder.resolve().parent) if beside else (folder,):
        for name in names:
            if (place / name).exists():
                return read_tokenizer(place / name)
    raise CheckpointError(f"{folder}: has no {' or '.join(names)}; name the file with tokenizer=")


def warn_of_other_ids(tokenizer: SentencePieceTokenizer, kind: str) -> None:
    """Log which texts get other ids from a kind of file that holds the vocabulary alone."""
    if tokenizer.beyond_vocabulary:
        log.warning(
            "%s cannot hold the Metaspace rule of tokenizer.json: %s get other ids, as in LLaMA's own tokenizer",
            kind,
            tokenizer.beyond_vocabulary,
        )


def write_tokenizer_model(tokenizer: Tokenizer, path: Path) -> None:
    """Write tokenizer.model in SentencePiece's or Llama 3's format, whichever the tokenizer is of.

    Raises:
        TokenizerError: a tokenizer of neither kind, or special tokens with other ids than Llama 3's.
    """
    if isinstance(tokenizer, SentencePieceTokenizer):
        warn_of_other_ids(tokenizer, path.name)
        tokenizer.save(path)
        return
    if not isinstance(tokenizer, ByteBPETokenizer):
        raise TokenizerError(f"a {type(tokenizer).__name__} has no tokenizer.model format")
    usual = llama3_tokenizer(tokenizer.ranks)
    if {*usual.specials.values()} != {*tokenizer.specials.values()} or usual.bos_id != tokenizer.bos_id:
        raise TokenizerError("tokenizer.model cannot hold special tokens other than Llama 3's: write hf or gguf")
    write_bytes(path, serialize_ranks(tokenizer.ranks))
