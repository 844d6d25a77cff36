"""GPT-2's printable character for every byte, in which byte BPE vocabularies are spelled in JSON and GGUF.

Source: Radford et al. 2019, encoder.py of GPT-2.
"""

from functools import cache

from minillama.errors import TokenizerError


@cache
def byte_alphabet() -> dict[int, str]:
    """Byte -> character: printable Latin-1 for itself, the others from U+0100 on.

    >>> byte_alphabet()[ord(" ")]
    'Ġ'
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}


@cache
def _byte_of() -> dict[int, int]:
    return {ord(character): byte for byte, character in byte_alphabet().items()}


def spell_bytes(raw: bytes) -> str:
    """Bytes in the alphabet.

    >>> spell_bytes(b" a")
    'Ġa'
    """
    return raw.decode("latin-1").translate(byte_alphabet())


def read_spelled(text: str) -> bytes:
    """The bytes that a piece stands for.

    Raises:
        TokenizerError: a character outside the alphabet.

    >>> read_spelled("Ġa")
    b' a'
    """
    byte_of = _byte_of()
    if not all(map(byte_of.__contains__, map(ord, text))):
        raise TokenizerError(f"piece {text[:40]!r} is not spelled in GPT-2's byte alphabet; the file is damaged")
    return text.translate(byte_of).encode("latin-1")
