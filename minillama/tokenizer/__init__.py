"""Text to ids and back."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Tokenizer(Protocol):
    """What every tokenizer offers, whatever file it was read from."""

    vocab_size: int
    bos_id: int | None
    eos_id: int | None
    stop_ids: frozenset[int]  # ids that end a generation: EOS, and Llama 3's end of turn

    def encode(self, text: str, bos: bool = True, eos: bool = False, special: bool = False) -> list[int]:
        """Text to ids; with special=False control tokens spelled out in the text are plain text."""
        ...

    def decode(self, ids: list[int]) -> str:
        """Ids to text; control tokens are left out, broken UTF-8 becomes U+FFFD."""
        ...

    def token_bytes(self, token: int) -> bytes:
        """What one id adds to the text, as bytes; empty for control tokens."""
        ...

    def piece(self, token: int) -> str:
        """One id as the vocabulary spells it, for people: "▁Hello", "<0x0A>", "<s>"."""
        ...
