"""`tokenizer.json` of LLaMA 1 and 2's kind: BPE over characters with byte fallback."""

import base64
import binascii
from itertools import pairwise
from typing import Any

from minillama.errors import TokenizerError
from minillama.tokenizer.hf_json_fields import (
    AddedToken,
    HFNames,
    added_row,
    bos_template,
    field,
    read_merges,
    read_vocab,
    steps,
    write_merge,
)
from minillama.tokenizer.merge import all_splits
from minillama.tokenizer.sentencepiece import SentencePieceTokenizer
from minillama.tokenizer.vocabulary import (
    BYTE,
    BYTE_PIECES,
    CONTROL,
    NORMAL,
    SPACE,
    UNKNOWN,
    USER_DEFINED,
    Vocabulary,
)

# The normalizers that say what a SentencePiece vocabulary's settings say.
PREPEND = {"type": "Prepend", "prepend": SPACE}
ESCAPE = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
TRIM = {"type": "Replace", "pattern": {"Regex": r"\A +| +\z"}, "content": ""}
COLLAPSE = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
UNKNOWN_NAME = "<unk>"
PRECOMPILED = "Precompiled"


class MetaspaceTokenizer(SentencePieceTokenizer):
    """A tokenizer whose dummy prefix follows the rule of tokenizers' Metaspace: never in front of a space.

    Args:
        vocabulary: the pieces.
        always: the prefix goes in front of every text between two control tokens; else only at the very start.
    """

    def __init__(self, vocabulary: Vocabulary, always: bool) -> None:
        super().__init__(vocabulary)
        self.always = always

    @property
    def beyond_vocabulary(self) -> str:
        """See SentencePieceTokenizer."""
        if not self.add_dummy_prefix:
            return ""
        return "texts that begin with a space" + ("" if self.always else " or follow a control token")

    def _takes_prefix(self, text: str, at_start: bool) -> bool:
        return self.add_dummy_prefix and (at_start or self.always) and not text.startswith((" ", SPACE))


def llama_tokenizer(document: dict[str, Any], names: HFNames) -> SentencePieceTokenizer:
    """The tokenizer that a parsed file describes.

    Raises:
        TokenizerError: damaged, or of a kind that no LLaMA has.
    """
    model = field(document, "model", dict)
    if model.get("ignore_merges"):
        raise TokenizerError("ignore_merges is set together with byte fallback, which no LLaMA has")
    normalizers = steps(document.get("normalizer"), "normalizers")
    words = steps(document.get("pre_tokenizer"), "pretokenizers")
    settings = _read_normalizers(normalizers, escapes=not words)
    if words:
        settings["add_dummy_prefix"] = _read_metaspace(words, settings) != "never"
    vocabulary = _read_vocabulary(model, names, settings)
    if not words:
        return SentencePieceTokenizer(vocabulary)
    if words[0].get("split", True) and any(SPACE in piece[1:] for piece in vocabulary.ranks):
        raise TokenizerError("the pre-tokenizer splits at every space, but a piece holds several; no LLaMA has both")
    return MetaspaceTokenizer(vocabulary, always=words[0].get("prepend_scheme", "always") == "always")


def _read_normalizers(normalizers: list[dict[str, Any]], escapes: bool) -> dict[str, Any]:
    """The settings of a Vocabulary that a list of normalizers means."""
    rest = list(normalizers)
    settings: dict[str, Any] = {"remove_extra_whitespaces": False, "charsmap": b""}
    if rest and rest[0].get("type") == PRECOMPILED:
        try:
            settings["charsmap"] = base64.b64decode(field(rest.pop(0), "precompiled_charsmap", str), validate=True)
        except binascii.Error:
            raise TokenizerError("the precompiled_charsmap is not base64; the file is damaged") from None
    if rest[:2] == [TRIM, COLLAPSE]:
        settings["remove_extra_whitespaces"] = True
        rest = rest[2:]
    settings["add_dummy_prefix"] = rest[:1] == [PREPEND]
    rest = rest[1:] if settings["add_dummy_prefix"] else rest
    if rest != ([ESCAPE] if escapes else []):
        kinds = [str(step.get("type"))[:20] for step in normalizers]
        raise TokenizerError(
            f"the normalizers {kinds} are not those of a LLaMA, expected Prepend and Replace of the space"
        )
    return settings


def _read_metaspace(words: list[dict[str, Any]], settings: dict[str, Any]) -> str:
    """When a Metaspace pre-tokenizer puts the prefix: "always", "first" or "never"."""
    step = words[0]
    scheme = step.get("prepend_scheme", "always" if step.get("add_prefix_space", True) else "never")
    known = step.get("type") == "Metaspace" and step.get("replacement") == SPACE and len(words) == 1
    if not known or scheme not in ("always", "first", "never") or any(settings.values()):
        kinds = [str(step.get("type"))[:20] for step in words]
        raise TokenizerError(f"the pre-tokenizers {kinds} are not those of a LLaMA, expected none or Metaspace alone")
    return scheme


def _read_vocabulary(model: dict[str, Any], names: HFNames, settings: dict[str, Any]) -> Vocabulary:
    vocab, merges = read_vocab(model), read_merges(model)
    ids = vocab | names.ids
    pieces = sorted(ids, key=lambda piece: ids[piece])
    if [ids[piece] for piece in pieces] != list(range(len(pieces))) or any(
        vocab.get(content, token) != token for content, token in names.ids.items()
    ):
        raise TokenizerError("ids are missing or occur twice, expected one piece for each of 0, 1, 2, ...")
    unknown = model.get("unk_token") or UNKNOWN_NAME  # transformers 5 leaves it out
    if not isinstance(unknown, str) or unknown not in vocab:
        raise TokenizerError(f"unk_token is {str(unknown)[:40]!r}, expected one of the pieces")
    order: dict[str, int] = {}
    for left, right in merges:
        if left not in vocab or right not in vocab or left + right not in vocab:
            raise TokenizerError(f"the merge of {left[:40]!r} and {right[:40]!r} is not made of pieces")
        order.setdefault(left + right, len(order))
    added = {token.content: token for token in names.added}
    types = tuple(_type_of(piece, added, piece == unknown) for piece in pieces)
    # When all pairs that spell a piece are listed, piece by piece, they say what SentencePiece's scores say.
    normal = {piece: 0 for piece, kind in zip(pieces, types, strict=True) if kind == NORMAL}
    in_order = all(order[a + b] <= order[c + d] for (a, b), (c, d) in pairwise(merges))
    complete = in_order and set(merges) == all_splits(normal).keys()
    return Vocabulary(
        pieces=tuple(pieces),
        scores=tuple(-float(order.get(piece, len(order))) for piece in pieces),
        types=types,
        unk_id=ids[unknown],
        bos_id=names.bos_id,
        eos_id=names.eos_id,
        merges=() if complete else tuple(merges),
        **settings,
    )


def _type_of(piece: str, added: dict[str, AddedToken], is_unknown: bool) -> int:
    if is_unknown:
        return UNKNOWN
    if piece in added:
        return CONTROL if added[piece].special else USER_DEFINED
    return BYTE if piece in BYTE_PIECES else NORMAL


def llama_document(tokenizer: SentencePieceTokenizer) -> dict[str, Any]:
    """The file's content for a tokenizer."""
    vocabulary = tokenizer.vocabulary
    rows = enumerate(zip(vocabulary.pieces, vocabulary.types, strict=True))
    added = [
        added_row(token, piece, special=kind != USER_DEFINED)
        for token, (piece, kind) in rows
        if kind in (UNKNOWN, CONTROL, USER_DEFINED)
    ]
    bos = None if vocabulary.bos_id is None else vocabulary.pieces[vocabulary.bos_id]
    decoders: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    if vocabulary.add_dummy_prefix:
        decoders.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    metaspace = isinstance(tokenizer, MetaspaceTokenizer)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None if metaspace else {"type": "Sequence", "normalizers": _normalizers(vocabulary)},
        "pre_tokenizer": _metaspace(tokenizer) if isinstance(tokenizer, MetaspaceTokenizer) else None,
        "post_processor": bos_template(bos, vocabulary.bos_id),
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": vocabulary.pieces[vocabulary.unk_id],
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": bool(vocabulary.byte_ids),
            "ignore_merges": False,
            "vocab": vocabulary.ids,
            "merges": [write_merge(*pair) for pair in vocabulary.merges or _merges(vocabulary)],
        },
    }


def _normalizers(vocabulary: Vocabulary) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if vocabulary.charsmap:
        found.append({"type": PRECOMPILED, "precompiled_charsmap": base64.b64encode(vocabulary.charsmap).decode()})
    if vocabulary.remove_extra_whitespaces:
        found += [TRIM, COLLAPSE]
    return [*found, PREPEND, ESCAPE] if vocabulary.add_dummy_prefix else [*found, ESCAPE]


def _metaspace(tokenizer: MetaspaceTokenizer) -> dict[str, Any]:
    scheme = "never"
    if tokenizer.add_dummy_prefix:
        scheme = "always" if tokenizer.always else "first"
    return {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": scheme, "split": False}


def _merges(vocabulary: Vocabulary) -> list[tuple[str, str]]:
    """Every pair of pieces that spells a piece, in the order of the scores."""
    ids, ranks = vocabulary.ids, vocabulary.ranks
    pairs = (pair for pair in all_splits(ranks) if pair[0] in ids and pair[1] in ids)
    return sorted(pairs, key=lambda pair: ranks[pair[0] + pair[1]])
