"""`tokenizer.json` of Llama 3's kind: BPE over bytes, in the words of a pattern."""

from typing import Any

from minillama.errors import TokenizerError
from minillama.tokenizer.byte_alphabet import read_spelled, spell_bytes
from minillama.tokenizer.hf_json_fields import (
    HFNames,
    added_row,
    bos_template,
    field,
    read_merges,
    read_vocab,
    steps,
    write_merge,
)
from minillama.tokenizer.llama3 import PATTERN, STOPS, ByteBPETokenizer

PIECES_OF_PATTERN = {"behavior": "Isolated", "invert": False}
AS_BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}


def byte_tokenizer(document: dict[str, Any], names: HFNames) -> ByteBPETokenizer:
    """The tokenizer that a parsed file describes.

    Raises:
        TokenizerError: damaged, or of a kind that no LLaMA has.
    """
    model = field(document, "model", dict)
    if document.get("normalizer") is not None:
        raise TokenizerError("a byte BPE with a normalizer, expected none, as Llama 3 has")
    cut = steps(document.get("pre_tokenizer"), "pretokenizers")
    if [step.get("type") for step in cut] != ["Split", "ByteLevel"]:
        kinds = [str(step.get("type"))[:20] for step in cut]
        raise TokenizerError(f"pre-tokenizer is {kinds}, expected ['Split', 'ByteLevel'], as Llama 3 has")
    split, as_bytes = cut
    # Only the pattern that is known: another one could take forever on some text.
    known = split.get("pattern") == {"Regex": PATTERN} and PIECES_OF_PATTERN.items() <= split.items()
    if not known or as_bytes.get("add_prefix_space", True) or as_bytes.get("use_regex", True):
        raise TokenizerError("the pre-tokenizer cuts words by another pattern than Llama 3's, which is not supported")
    ranks = {read_spelled(piece): token for piece, token in read_vocab(model).items() if piece not in names.ids}
    stops = {names.ids[name] for name in STOPS if name in names.ids} | {names.eos_id}
    return ByteBPETokenizer(
        ranks,
        names.ids,
        PATTERN,
        merges=[(read_spelled(left), read_spelled(right)) for left, right in read_merges(model)],
        ignore_merges=bool(model.get("ignore_merges")),
        bos_id=names.bos_id,
        eos_id=names.eos_id,
        stop_ids=[token for token in stops if token is not None],
    )


def byte_document(tokenizer: ByteBPETokenizer) -> dict[str, Any]:
    """The file's content for a tokenizer."""
    contents = {token: content for content, token in tokenizer.specials.items()}
    split = {"type": "Split", "pattern": {"Regex": tokenizer.pattern}, **PIECES_OF_PATTERN}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [added_row(token, contents[token]) for token in sorted(contents)],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, AS_BYTES]},
        "post_processor": None
        if tokenizer.bos_id is None
        else bos_template(contents[tokenizer.bos_id], tokenizer.bos_id),
        "decoder": {**AS_BYTES, "add_prefix_space": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": tokenizer.ignore_merges,
            "vocab": {spell_bytes(piece): token for piece, token in tokenizer.ranks.items()},
            "merges": [write_merge(spell_bytes(left), spell_bytes(right)) for left, right in tokenizer.merges],
        },
    }
