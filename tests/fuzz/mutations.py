"""Small changes to a file, of the kinds that damage or malice make."""

import random
from collections.abc import Callable, Sequence

EXTREMES = (0, 1, 2, 3, 7, 8, 9, 16, 31, 32, 33, 64, 127, 128, 255, 256, 1000, 0x7FFF, 0xFFFF, 0x10000, 1 << 20)
EXTREMES += tuple((1 << bits) + step for bits in (24, 28, 30, 31, 32, 48, 62, 63, 64) for step in (-1, 0, 1))
FLOATS = tuple(bytes.fromhex(text) for text in ("0000c07f", "0000807f", "000080ff", "00000080", "01000000", "ffff7f7f"))
Mutation = Callable[[random.Random, bytearray, "Seed", Sequence[bytes]], None]


class Seed:
    """A file to start from.

    Args:
        data: its bytes.
        fields: (offset, bytes) of the numbers in it, as far as they are known.
        words: byte strings that mean something to the reader.
    """

    def __init__(self, data: bytes, fields: Sequence[tuple[int, int]] = (), words: Sequence[bytes] = ()) -> None:
        self.data = data
        self.fields = fields
        self.words = words


def _place(rng: random.Random, data: bytearray) -> int:
    return rng.randrange(len(data)) if data else 0


def flip_bit(rng: random.Random, data: bytearray, seed: Seed, others: Sequence[bytes]) -> None:
    if data:
        data[_place(rng, data)] ^= 1 << rng.randrange(8)


def set_byte(rng: random.Random, data: bytearray, seed: Seed, others: Sequence[bytes]) -> None:
    if data:
        data[_place(rng, data)] = rng.randrange(256)


def set_field(rng: random.Random, data: bytearray, seed: Seed, others: Sequence[bytes]) -> None:
    """A number that the reader reads becomes an extreme, or moves a little."""
    if not seed.fields:
        return set_number(rng, data, seed, others)
    offset, width = rng.choice(seed.fields)
    if offset + width > len(data):
        return None
    value = int.from_bytes(data[offset : offset + width], "little")
    value = rng.choice(EXTREMES) if rng.random() < 0.6 else value + rng.randint(-40, 40)
    data[offset : offset + width] = (value % (1 << 8 * width)).to_bytes(width, "little")
    return None


def set_number(rng: random.Random, data: bytearray, seed: Seed, others: Sequence[bytes]) -> None:
    width = rng.choice((1, 2, 4, 4, 8))
    place = _place(rng, data) // width * width if rng.random() < 0.5 else _place(rng, data)
    if rng.random() < 0.2:
        data[place : place + 4] = rng.choice(FLOATS)
    else:
        data[place : place + width] = (rng.choice(EXTREMES) % (1 << 8 * width)).to_bytes(width, "little")


def truncate(rng: random.Random, data: bytearray, seed: Seed, others: Sequence[bytes]) -> None:
    del data[_place(rng, data) :]


def remove(rng: random.Random, data: bytearray, seed: Seed, others: Sequence[bytes]) -> None:
    start = _place(rng, data)
    del data[start : start + rng.choice((1, 2, 4, 8, 32, 100))]


def repeat(rng: random.Random, data: bytearray, seed: Seed, others: Sequence[bytes]) -> None:
    start, length = _place(rng, data), rng.choice((1, 2, 4, 8, 32, 100))
    data[start:start] = data[start : start + length]


def splice(rng: random.Random, data: bytearray, seed: Seed, others: Sequence[bytes]) -> None:
    """The end of another file behind the start of this one, or a piece of it in between."""
    other = rng.choice(others)
    cut = rng.randrange(len(other) + 1)
    if rng.random() < 0.5:
        data[_place(rng, data) :] = other[cut:]
    else:
        start = _place(rng, data)
        piece = other[cut : cut + rng.choice((4, 8, 32, 200))]
        data[start : start + len(piece)] = piece


def insert_word(rng: random.Random, data: bytearray, seed: Seed, others: Sequence[bytes]) -> None:
    """One word that the reader knows in the place of another, of the same length or not."""
    if len(seed.words) < 2:
        return set_byte(rng, data, seed, others)
    word, new = rng.choice(seed.words), rng.choice(seed.words)
    at = data.find(word)
    if at >= 0:
        data[at : at + len(word)] = new[: len(word)].ljust(len(word)) if rng.random() < 0.7 else new
    return None


MUTATIONS: tuple[Mutation, ...] = (
    flip_bit, set_byte, set_field, set_field, set_field, set_field, set_number, truncate, remove, repeat, splice,
    insert_word, insert_word,
)  # fmt: skip


def mutate(rng: random.Random, seed: Seed, others: Sequence[bytes]) -> bytes:
    """The seed after one to six changes."""
    data = bytearray(seed.data)
    for _ in range(rng.choice((1, 1, 1, 1, 2, 2, 3, 5))):
        rng.choice(MUTATIONS)(rng, data, seed, others)
    return bytes(data)
