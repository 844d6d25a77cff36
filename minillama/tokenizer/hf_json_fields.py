"""What both kinds of `tokenizer.json` share: checked look-ups, merges, added tokens, BOS and EOS."""

from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from minillama.errors import TokenizerError
from minillama.tokenizer.vocabulary import MAX_PIECES, check_text

Kind = TypeVar("Kind")

BOS_NAMES = ("<s>", "<|begin_of_text|>")
EOS_NAMES = ("</s>", "<|end_of_text|>")


class AddedToken(NamedTuple):
    """A token that is found in the text before anything else is done with it."""

    id: int
    content: str
    special: bool


def field(parent: dict[str, Any], name: str, kind: type[Kind]) -> Kind:
    """A member of a JSON object.

    Raises:
        TokenizerError: it is missing, or of another type.
    """
    value = parent.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TokenizerError(f"{name} is {type(value).__name__}, expected {kind.__name__}; the file is damaged")
    return value


def steps(component: Any, members: str) -> list[dict[str, Any]]:
    """A normalizer, pre-tokenizer or post-processor as a list: none, one, or those of a Sequence."""
    if component is None:
        return []
    if not isinstance(component, dict):
        raise TokenizerError(f"{members} is {type(component).__name__}, expected an object; the file is damaged")
    if component.get("type") != "Sequence":
        return [component]
    inner = field(component, members, list)
    if not all(isinstance(step, dict) for step in inner):
        raise TokenizerError(f"{members} holds something that is no object; the file is damaged")
    return inner


def read_vocab(model: dict[str, Any]) -> dict[str, int]:
    """Piece -> id.

    Raises:
        TokenizerError: ids that are none.
    """
    vocab = field(model, "vocab", dict)
    for piece, token in vocab.items():
        if not isinstance(token, int) or isinstance(token, bool) or not 0 <= token < MAX_PIECES:
            raise TokenizerError(f"piece {piece[:40]!r} has id {str(token)[:40]}, expected 0 to {MAX_PIECES - 1}")
    return vocab


def read_merges(model: dict[str, Any]) -> list[tuple[str, str]]:
    """The pairs that may join: written "a b", or ["a", "b"] by later versions.

    Raises:
        TokenizerError: something else.
    """
    merges: list[tuple[str, str]] = []
    for merge in field(model, "merges", list):
        halves = merge.split(" ") if isinstance(merge, str) else merge
        if not isinstance(halves, list) or len(halves) != 2 or not all(isinstance(half, str) for half in halves):
            raise TokenizerError(
                f"merge {len(merges)} is {str(merge)[:40]!r}, expected two pieces; the file is damaged"
            )
        merges.append((halves[0], halves[1]))
    return merges


def write_merge(left: str, right: str) -> str | list[str]:
    """A pair as every version of the tokenizers library reads it, where that is possible: "a b"."""
    return [left, right] if " " in left + right else f"{left} {right}"


class HFNames:
    """The added tokens, and which of them are BOS and EOS.

    Args:
        document: of `tokenizer.json`.
        config: of `tokenizer_config.json`.

    Raises:
        TokenizerError: damaged, or with options that no LLaMA has.
    """

    def __init__(self, document: dict[str, Any], config: dict[str, Any]) -> None:
        self.document, self.config = document, config
        rows = field({"added_tokens": []} | document, "added_tokens", list)
        self.added = [self._added(row) for row in rows]

    @staticmethod
    def _added(row: Any) -> AddedToken:
        if not isinstance(row, dict):
            raise TokenizerError(f"added_tokens holds {type(row).__name__}, expected objects; the file is damaged")
        content, token = field(row, "content", str), field(row, "id", int)
        if not content or not 0 <= token < MAX_PIECES:
            raise TokenizerError(f"added token {content[:40]!r} has id {token}, expected 0 to {MAX_PIECES - 1}")
        check_text(content)
        for option in ("lstrip", "rstrip", "single_word"):
            if row.get(option):
                raise TokenizerError(f"added token {content[:40]!r} has {option}, expected a plain one, as LLaMAs have")
        return AddedToken(token, content, bool(row.get("special")))

    @cached_property
    def ids(self) -> dict[str, int]:
        """Added token -> id."""
        return {token.content: token.id for token in self.added}

    def named(self, name: str, usual: tuple[str, ...]) -> int | None:
        """The id of "bos_token" or "eos_token": as the config says, else the usual one that is there."""
        value = self.config.get(name)
        if isinstance(value, dict):
            value = value.get("content")
        wanted = (value,) if isinstance(value, str) else usual
        return next((self.ids[content] for content in wanted if content in self.ids), None)

    @cached_property
    def bos_id(self) -> int | None:
        """The token that the post-processor puts in front, else the one named BOS."""
        for step in steps(self.document.get("post_processor"), "processors"):
            template = step.get("single")
            if step.get("type") == "TemplateProcessing" and isinstance(template, list) and template:
                first = template[0].get("SpecialToken") if isinstance(template[0], dict) else None
                content = first.get("id") if isinstance(first, dict) else None
                if isinstance(content, str) and content in self.ids:
                    return self.ids[content]
        return self.named("bos_token", BOS_NAMES)

    @cached_property
    def eos_id(self) -> int | None:
        """The token named EOS."""
        return self.named("eos_token", EOS_NAMES)


def added_row(token: int, content: str, special: bool = True) -> dict[str, Any]:
    """An added token as the file writes it."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {"id": token, "content": content, **flags, "special": special}


def bos_template(content: str | None, token: int | None) -> dict[str, Any] | None:
    """The post-processor that puts BOS in front of a text, None without BOS."""
    if content is None or token is None:
        return None
    bos = {"SpecialToken": {"id": content, "type_id": 0}}
    first, second = {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}
    return {
        "type": "TemplateProcessing",
        "single": [bos, first],
        "pair": [bos, first, {"SpecialToken": {"id": content, "type_id": 1}}, second],
        "special_tokens": {content: {"id": content, "ids": [token], "tokens": [content]}},
    }
