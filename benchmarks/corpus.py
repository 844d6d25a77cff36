"""The data sheet of the generated stories: how many, how long, how distinct, and what is held out.

    python benchmarks/corpus.py [--seed 0] [--megabytes 200] [--sample 4000] [--shown 5]

Prints minillama/assets/corpus.md. The first `--megabytes` of stories are told one after the other, and only a digest of
each is kept: of its words, and of its words with every name left out. What needs all sentences at once is counted on
the first `--sample` stories. Every figure except the speed follows from the arguments.
"""

import argparse
import hashlib
import itertools
import re
import time
from collections import Counter
from collections.abc import Iterator

from minillama.train.corpus import corpus, describe, story, tell
from minillama.train.corpus.cast import INVENTED, NAMES
from minillama.train.corpus.generate import SPLITS
from minillama.train.corpus.plans import GOALS, PLANS

GIVEN_NAMES = {name for split in NAMES.values() for names in split.values() for name in names}
NAME_WORDS = {word.lower() for name in GIVEN_NAMES for word in name.split()} | {
    word.lower() for split in INVENTED.values() for word in split
}
TITLE = """# The stories

Made by `minillama.train.corpus` from a seed, word for word the same on every machine; no text written by anybody else.
This sheet is printed by `python benchmarks/corpus.py{arguments}`.

## How a story comes about

A small world is simulated: who is there, who holds what, who was named last. A plan is drawn, which is a goal (find a
lost thing, build a hut, share a cake ...), an obstacle and a kind of way out; a quarter of the stories carry out two
plans one after the other. The plot's sentences are templates with choices in them, and the world puts in the names, the
pronouns that a reader can resolve, and the things by their look, so that "she" and "the red kite" are right by
construction. About a third of the stories have somebody with an invented name of two words, which comes three times or
more; about a quarter have an ordered list that is said again later.

What it is good for: a model of four million parameters learns grammar, pronouns, possession, copying of names and the
shape of a story. What it is not: the world is small, everybody is kind in the end, and sentences recur, as the
figures below say.
"""


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation."""
    return re.findall(r"[a-z]+", text.lower())


def digest(words: list[str]) -> bytes:
    """Sixteen bytes that stand for these words."""
    return hashlib.blake2b(" ".join(words).encode(), digest_size=16).digest()


def tell_many(seed: int, n_bytes: int) -> tuple[dict[str, int], float]:
    """Counts over that many bytes of stories, and the bytes told in a second."""
    counts: Counter[str] = Counter()
    whole: set[bytes] = set()
    nameless: set[bytes] = set()
    seconds = 0.0
    stories = corpus(seed, n_bytes)
    while True:
        began = time.process_time()
        text = next(stories, None)
        seconds += time.process_time() - began
        if text is None:
            break
        words = words_of(text)
        counts.update(stories=1, bytes=len(text), words=len(words))
        whole.add(digest(words))
        nameless.add(digest([word for word in words if word not in NAME_WORDS]))
    counts.update(distinct=len(whole), distinct_without_names=len(nameless))
    return dict(counts), counts["bytes"] / seconds


def four_grams(texts: list[str]) -> Iterator[tuple[str, ...]]:
    """Every four words that follow one another."""
    for text in texts:
        words = words_of(text)
        yield from zip(words, words[1:], words[2:], words[3:], strict=False)


def sampled(seed: int, n_stories: int) -> dict[str, str]:
    """What is counted on a sample, a row each."""
    train, held_out = (describe(seed, n_stories, split) for split in SPLITS)
    texts = {split: [story(seed, index, split) for index in range(n_stories)] for split in SPLITS}
    seen: Counter[tuple[str, ...]] = Counter(four_grams(texts["train"]))
    unseen = list(four_grams(texts["held_out"]))
    rows = {
        "words a story: least, median, most": "{words_min:.0f}, {words_median:.0f}, {words_max:.0f}",
        "distinct words": "{distinct_words:,.0f}",
        "stories with an invented name": "{share_invented_names:.1%}",
        "stories with an ordered list": "{share_lists:.1%}",
        "stories with speech": "{share_speech:.1%}",
        "distinct stories": "{share_distinct_stories:.1%}",
        "distinct sentences, of all sentences": "{share_distinct_sentences:.1%}",
    }
    table = {name: f"{form.format(**train)} | {form.format(**held_out)}" for name, form in rows.items()}
    known = sum(gram in seen for gram in unseen) / len(unseen)
    own = [len(set(four_grams(texts[split]))) for split in SPLITS]
    table["distinct runs of four words"] = " | ".join(f"{count:,}" for count in own)
    table["runs of four words that occur in the sample of training stories"] = f"100.0% | {known:.1%}"
    return table


def goals(seed: int, n_stories: int) -> str:
    """How often each goal comes first in a story of the sample."""
    counts = Counter(tell(seed, index)[0].goal for index in range(n_stories))
    return ", ".join(f"{goal} {counts[goal] / n_stories:.1%}" for goal in GOALS)


def split_table() -> Iterator[str]:
    """Names and plans of the two splits, and how many they share."""
    yield "| | training | held out | in both |"
    yield "|---|---:|---:|---:|"
    pools = {f"names, {kind}": [set(NAMES[held][kind]) for held in (False, True)] for kind in NAMES[False]}
    pools["invented words, two of which make a name"] = [set(INVENTED[held]) for held in (False, True)]
    pools["plans (goal, obstacle, kind of way out)"] = [
        {str(plan) for plans in PLANS[held].values() for plan in plans} for held in (False, True)
    ]
    for name, (train, held_out) in pools.items():
        yield f"| {name} | {len(train):,} | {len(held_out):,} | {len(train & held_out)} |"


def quoted(text: str) -> str:
    """A story as a quotation, a line for each paragraph."""
    return "\n>\n".join(f"> {line}" for line in text.splitlines()) + "\n"


def sheet(seed: int, megabytes: int, n_sample: int, n_shown: int, arguments: str) -> Iterator[str]:
    """The data sheet, line by line."""
    yield TITLE.format(arguments=arguments)
    counts, speed = tell_many(seed, megabytes * 1_000_000)
    yield f"## {megabytes} MB of it\n"
    yield f"| seed {seed}, training split | |\n|---|---:|"
    for name in ("stories", "bytes", "words"):
        yield f"| {name} | {counts[name]:,} |"
    for key, what in (("distinct", "as it stands"), ("distinct_without_names", "with all names left out")):
        repeated = counts["stories"] - counts[key]
        yield f"| repeat an earlier story, {what} | {repeated:,} ({repeated / counts['stories']:.2%}) |"
    yield f"| told a second, on one core | {speed / 1e6:.2f} MB |\n"
    yield f"## A sample of {n_sample:,} stories of each split\n"
    yield "| | training | held out |\n|---|---:|---:|"
    yield from (f"| {name} | {value} |" for name, value in sampled(seed, n_sample).items())
    yield f"\nThe first goal of a story: {goals(seed, n_sample)}.\n"
    yield "## What is held out\n"
    yield from split_table()
    yield f"\n## The first {n_shown} stories of seed {seed}, unedited\n"
    for text in itertools.islice((story(seed, index) for index in itertools.count()), n_shown):
        yield quoted(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--sample", type=int, default=4000)
    parser.add_argument("--shown", type=int, default=5)
    given = parser.parse_args()
    options = [f"--{name} {value}" for name, value in vars(given).items() if value != parser.get_default(name)]
    arguments = "".join(f" {option}" for option in options)
    for line in sheet(given.seed, given.megabytes, given.sample, given.shown, arguments):
        print(line, flush=True)


if __name__ == "__main__":
    main()
