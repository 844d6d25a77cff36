"""Compare minillama's tokenizers with sentencepiece and tiktoken: mismatches on many strings, and times side by side.

    python benchmarks/tokenizers.py FOLDER

FOLDER holds llama_tokenizer.model, llama3_tokenizer.model, tinyshakespeare.txt and alpaca_5000.json. Compared are every
line of the plays, every field of the records, and 2,000 random strings from a seed: ids, decoded text, and the joined
pieces of streaming. Times are the first encoding of a fresh tokenizer, in the same run as the library's.
"""

import argparse
import json
import random
import sys
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

import sentencepiece
import tiktoken

from minillama.tokenizer import Tokenizer
from minillama.tokenizer.bpe import stream_decode
from minillama.tokenizer.llama3 import PATTERN, ByteBPETokenizer
from minillama.tokenizer.sentencepiece import SentencePieceTokenizer

Encode = Callable[[str], list[int]]
Decode = Callable[[list[int]], str]
RANGES = ((0, 0x80), (0x80, 0x250), (0x370, 0x530), (0x600, 0x700), (0x900, 0xA00), (0x2000, 0x2700), (0x3040, 0x3100),
          (0x4E00, 0xA000), (0xAC00, 0xD7A4), (0x1F300, 0x1F700), (0, 0x110000))  # fmt: skip


def random_strings(count: int) -> list[str]:
    """Strings of characters from many scripts, spaces and odd ones."""
    generator = random.Random(20)

    def character() -> str:
        while True:
            found = chr(generator.randrange(*generator.choice(RANGES)))
            if unicodedata.category(found) not in ("Cs", "Cn"):  # no half pairs; no characters newer than the libraries
                return found

    return ["".join(generator.choice((character(), " ", "▁", "\n", "the"))
                    for _ in range(generator.randrange(40))) for _ in range(count)]  # fmt: skip


def compare(name: str, texts: list[str], ours: Tokenizer, encode: Encode, decode: Decode) -> int:
    """Print and return how many texts differ from the library's."""
    wrong = 0
    for text in texts:
        ids = ours.encode(text, bos=False)
        expected = encode(text)
        same = ids == expected and ours.decode(ids) == decode(expected) == "".join(stream_decode(ids, ours))
        wrong += not same
    print(f"{name}: {len(texts)} strings compared, {wrong} mismatches")
    return wrong


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare_times(name: str, texts: dict[str, str], fresh: Callable[[], Tokenizer], encode: Encode) -> None:
    """Print the time of ours, first and second encoding, and the library's."""
    for title, text in texts.items():
        ours = fresh()
        first = seconds(lambda ours=ours, text=text: ours.encode(text))
        second = seconds(lambda ours=ours, text=text: ours.encode(text))
        theirs = min(seconds(lambda text=text: encode(text)) for _ in range(3))
        print(f"{name}, {title}: {first:.3f} s, again {second:.3f} s, library {theirs:.3f} s: {first / theirs:.1f} x")


def main() -> int:
    """Run all comparisons; 0 without mismatches."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    plays = (folder / "tinyshakespeare.txt").read_text(encoding="utf-8")
    records = json.loads((folder / "alpaca_5000.json").read_text(encoding="utf-8"))
    groups = {
        "lines of the plays": plays.split("\n"),
        "fields of the records": [value for record in records for value in record.values()],
        "random strings": random_strings(2000),
    }
    base64 = "".join(
        random.Random(0).choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", k=10**6)
    )
    long_texts = {
        "100,000 a": "a" * 100_000,
        "the plays as one string": plays,
        "1 MB of base64": base64,
        "100,000 Chinese characters": "".join(map(chr, range(0x4E00, 0x9FA6))) * 5,
    }
    processor = sentencepiece.SentencePieceProcessor(str(folder / "llama_tokenizer.model"))
    llama3 = ByteBPETokenizer.from_file(folder / "llama3_tokenizer.model")
    encoding = tiktoken.Encoding(
        "llama3", pat_str=PATTERN, mergeable_ranks=llama3.ranks, special_tokens=llama3.specials
    )

    def encode3(text: str) -> list[int]:
        return encoding.encode(text, disallowed_special=())

    wrong = 0
    llama = SentencePieceTokenizer.from_file(folder / "llama_tokenizer.model")
    for title, texts in groups.items():
        wrong += compare(f"LLaMA, {title}", texts, llama, processor.encode, processor.decode)
        wrong += compare(f"Llama 3, {title}", texts, llama3, encode3, encoding.decode)
    compare_times(
        "LLaMA",
        long_texts,
        lambda: SentencePieceTokenizer.from_file(folder / "llama_tokenizer.model"),
        processor.encode,
    )
    compare_times("Llama 3", long_texts, lambda: ByteBPETokenizer(llama3.ranks, llama3.specials, PATTERN), encode3)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
