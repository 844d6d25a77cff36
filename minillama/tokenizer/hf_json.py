"""Hugging Face's `tokenizer.json`, of the two kinds that LLaMAs have.

LLaMA 1 and 2, TinyLlama and Mistral: BPE over characters with byte fallback, the dummy prefix written as a normalizer
or as a Metaspace pre-tokenizer. Llama 3: BPE over bytes inside the words of a pattern. Every other kind is refused:
a tokenizer that is nearly right gives text that is nearly right.

Source: the serialized form of the tokenizers library, version 0.2x.
"""

import json
from pathlib import Path
from typing import Any

from minillama.errors import TokenizerError
from minillama.tokenizer import Tokenizer
from minillama.tokenizer.files import named, read_bytes, write_bytes
from minillama.tokenizer.hf_json_bytes import byte_document, byte_tokenizer
from minillama.tokenizer.hf_json_fields import HFNames, field
from minillama.tokenizer.hf_json_llama import llama_document, llama_tokenizer
from minillama.tokenizer.llama3 import ByteBPETokenizer
from minillama.tokenizer.sentencepiece import SentencePieceTokenizer


def read_tokenizer_json(path: str | Path) -> Tokenizer:
    """Read a `tokenizer.json`; a `tokenizer_config.json` beside it names BOS and EOS where it is present.

    Raises:
        TokenizerError: missing, damaged, or of a kind that no LLaMA has.
    """
    path = Path(path)
    config: Any = {}
    beside = path.with_name("tokenizer_config.json")
    if beside.is_file():
        with named(beside):
            config = _parse_json(read_bytes(beside))
    with named(path):
        return parse_tokenizer_json(read_bytes(path), config)


def parse_tokenizer_json(data: bytes, config: dict[str, Any] | None = None) -> Tokenizer:
    """Read the content of a `tokenizer.json`.

    Args:
        data: the file's content.
        config: of `tokenizer_config.json`, for its `bos_token` and `eos_token`.

    Raises:
        TokenizerError: damaged, or of a kind that no LLaMA has.
    """
    document = _parse_json(data)
    model = field(document, "model", dict)
    kind = model.get("type", "BPE")
    if kind != "BPE":
        raise TokenizerError(f"model type is {str(kind)[:40]!r}, expected 'BPE', as every LLaMA has")
    for option in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(option):
            raise TokenizerError(f"{option} is {str(model[option])[:40]!r}, expected none, as every LLaMA has")
    names = HFNames(document, config or {})
    return llama_tokenizer(document, names) if model.get("byte_fallback") else byte_tokenizer(document, names)


def _parse_json(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data.decode())
    except (ValueError, RecursionError):
        raise TokenizerError("not JSON in UTF-8; the file is cut off or damaged") from None
    if not isinstance(document, dict):
        raise TokenizerError(f"holds a JSON {type(document).__name__}, expected an object")
    return document


def write_tokenizer_json(tokenizer: Tokenizer, path: str | Path) -> None:
    """Write a `tokenizer.json` with which transformers gives equal ids.

    Raises:
        TokenizerError: a tokenizer of another kind, or the place cannot be written to.
    """
    if isinstance(tokenizer, SentencePieceTokenizer):
        document = llama_document(tokenizer)
    elif isinstance(tokenizer, ByteBPETokenizer):
        document = byte_document(tokenizer)
    else:
        raise TokenizerError(
            f"{type(tokenizer).__name__} cannot be written as tokenizer.json, expected a LLaMA tokenizer"
        )
    write_bytes(path, json.dumps(document, ensure_ascii=False).encode())
