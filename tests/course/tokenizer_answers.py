"""Answers to lesson 01's tasks in unusual spellings, right ones and wrong ones, written apart from the records.

RIGHT: task -> spellings that must pass. WRONG: (task, misconception) -> spellings that must fail and be named so.
STRAY: task -> wrong answers that no misconception describes: they must fail and be named nothing.
"""

import codecs
import re
from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import sentencepiece

from minillama.tokenizer import bpe
from minillama.tokenizer.bpe import FIRST_PIECES, alphabet, split_words, vocabulary_from_merges
from minillama.tokenizer.merge import NEVER
from minillama.tokenizer.protobuf import serialize_vocabulary

RIGHT, WRONG, STRAY = {}, {}, {}


def right(task):
    return lambda function: RIGHT.setdefault(task, []).append(function) or function


def wrong(task, name):
    return lambda function: WRONG.setdefault((task, name), []).append(function) or function


def stray(task):
    return lambda function: STRAY.setdefault(task, []).append(function) or function


# tokenizer.by_hand

HAND = {"first merge": "he", "pairs": 3, "left": 3, "bytes": 3, "pieces": "a ab"}
RIGHT["tokenizer.by_hand"] = [
    HAND,
    HAND | {"first merge": " he", "pairs": 3.0, "bytes": len("né".encode())},
    HAND | {"pieces": " ".join(["a", "ab"]), "left": np.int64(3)},
]
for name, by_hand in {
    "words_once": [{"first merge": "en"}, {"first merge": "".join(("e", "n"))}],
    "no_overlap": [{"pairs": 2}, {"pairs": "aaaa".count("aa")}],
    "taken_again": [{"left": 4}, {"left": 5 - 1}],
    "characters": [{"bytes": 2}, {"bytes": len("né")}],
    "two_each": [{"bytes": 4}, {"bytes": len("né".encode("utf-16-le"))}],
    "left_to_right": [{"pieces": "aa b"}, {"pieces": " aa b "}],
}.items():
    WRONG["tokenizer.by_hand", name] = [HAND | each for each in by_hand]
STRAY["tokenizer.by_hand"] = [HAND | {"bytes": 7}, HAND | {"first merge": "th"}, HAND | {"pieces": ["a", "ab"]}]


# tokenizer.count_pairs

COUNT = "tokenizer.count_pairs"


@right(COUNT)
def plain_dict(words):
    found = {}
    for word in words:
        for i in range(1, len(word)):
            found[word[i - 1], word[i]] = found.get((word[i - 1], word[i]), 0) + words[word]
    return found


@right(COUNT)
def by_zip(words):
    found = defaultdict(int)
    for word, times in words.items():
        for pair in pairwise(word):
            found[pair] += times
    return found


@right(COUNT)
def by_adding_counters(words):
    total = Counter()
    for word, times in words.items():
        for pair, inside in Counter(pairwise(word)).items():
            total.update({pair: inside * times})
    return total


@right(COUNT)
def by_a_long_list(words):
    return Counter(pair for word, times in words.items() for _ in range(times) for pair in pairwise(word))


WRONG[COUNT, "words_once"] = [
    lambda words: Counter(pair for word in words for pair in pairwise(word)),
    lambda words: plain_dict(dict.fromkeys(words, 1)),
]


@wrong(COUNT, "no_overlap")
def by_searching(words):
    found = Counter()
    for word, times in words.items():
        for left, right in set(pairwise(word)):
            both = rf"(?<![^,]){re.escape(left)},{re.escape(right)}(?![^,])"
            found[left, right] += times * len(re.findall(both, ",".join(word)))
    return found


@wrong(COUNT, "no_overlap")
def jumps_over_a_pair(words):
    found = Counter()
    for word, times in words.items():
        for pair in set(pairwise(word)):
            i = 0
            while i < len(word) - 1:
                if (word[i], word[i + 1]) == pair:
                    found[pair] += times
                    i += 1
                i += 1
    return found


@wrong(COUNT, "once_per_word")
def by_sets(words):
    found = Counter()
    for word, times in words.items():
        found.update(dict.fromkeys(pairwise(word), times))
    return found


@wrong(COUNT, "once_per_word")
def asks_whether_it_is_there(words):
    pairs = {pair for word in words for pair in pairwise(word)}
    return {pair: sum(times for word, times in words.items() if pair in set(pairwise(word))) for pair in pairs}


@wrong(COUNT, "across_words")
def one_long_list(words):
    symbols = [each for word, times in words.items() for _ in range(times) for each in word]
    return Counter(pairwise(symbols))


@wrong(COUNT, "across_words")
def remembers_the_last(words):
    found, last = Counter(), None
    for word, times in words.items():
        for symbol in word * times:
            if last is not None:
                found[last, symbol] += 1
            last = symbol
    return found


WRONG[COUNT, "unordered"] = [
    lambda words: Counter(
        {
            tuple(sorted(pair)): plain_dict(words).get(pair, 0)
            + (pair[0] != pair[1]) * plain_dict(words).get(pair[::-1], 0)
            for pair in plain_dict(words)
        }
    ),
    lambda words: Counter(min((a, b), (b, a)) for w, n in words.items() for _ in range(n) for a, b in pairwise(w)),
]
WRONG[COUNT, "joined_keys"] = [
    lambda words: {"".join(pair): times for pair, times in plain_dict(words).items()},
    lambda words: Counter(a + b for w, n in words.items() for _ in range(n) for a, b in pairwise(w)),
]
STRAY[COUNT] = [
    lambda words: Counter(symbol for word in words for symbol in word),
    lambda words: None,
    lambda words: list(plain_dict(words)),
    lambda words: plain_dict(words) | {("?", "?"): 1},
]


# tokenizer.merge

MERGE = "tokenizer.merge"


@right(MERGE)
def with_an_iterator(symbols, pair):
    out = []
    for symbol in symbols:
        if out and out[-1] is not None and (out[-1], symbol) == pair and not getattr(out, "done", False):
            out[-1:] = [None, out[-1] + symbol]
        else:
            out.append(symbol)
        if len(out) > 1 and out[-2] is None:
            out[-2:] = [[out[-1]]]
    return [each[0] if isinstance(each, list) else each for each in out]


@right(MERGE)
def by_recursion(symbols, pair):
    if len(symbols) < 2:
        return tuple(symbols)
    if (symbols[0], symbols[1]) == pair:
        return (symbols[0] + symbols[1], *by_recursion(symbols[2:], pair))
    return (symbols[0], *by_recursion(symbols[1:], pair))


@right(MERGE)
def by_a_regular_expression(symbols, pair):
    spelled = "".join(f"<{each}>" for each in symbols)
    both = re.escape("".join(f"<{each}>" for each in pair))
    return re.findall("<([^<>]*)>", re.sub(both, lambda match: "<" + "".join(pair) + ">", spelled))


@right(MERGE)
def with_a_flag(symbols, pair):
    out, skip = [], False
    for i, symbol in enumerate(symbols):
        if skip:
            skip = False
        elif i + 1 < len(symbols) and symbol == pair[0] and symbols[i + 1] == pair[1]:
            out.append(symbol + symbols[i + 1])
            skip = True
        else:
            out.append(symbol)
    return out


@wrong(MERGE, "taken_again")
def forgets_to_jump(symbols, pair):
    out = []
    for i in range(len(symbols)):
        out.append("".join(pair) if tuple(symbols[i : i + 2]) == pair else symbols[i])
    return out


WRONG[MERGE, "taken_again"].append(
    lambda symbols, pair: [a + b if (a, b) == pair else a for a, b in zip(symbols, [*symbols[1:], "\0"], strict=True)]
)


@wrong(MERGE, "first_only")
def at_the_first_index(symbols, pair):
    symbols = list(symbols)
    for i in range(len(symbols) - 1):
        if (symbols[i], symbols[i + 1]) == pair:
            return [*symbols[:i], "".join(pair), *symbols[i + 2 :]]
    return symbols


@wrong(MERGE, "first_only")
def replaced_once(symbols, pair):
    spelled = "".join(f"<{each}>" for each in symbols)
    spelled = spelled.replace("".join(f"<{each}>" for each in pair), "<" + "".join(pair) + ">", 1)
    return re.findall("<([^<>]*)>", spelled)


@wrong(MERGE, "right_to_left")
def from_behind(symbols, pair):
    out, i = [], len(symbols) - 1
    while i >= 0:
        if i and (symbols[i - 1], symbols[i]) == pair:
            out.insert(0, "".join(pair))
            i -= 2
        else:
            out.insert(0, symbols[i])
            i -= 1
    return out


@wrong(MERGE, "right_to_left")
def popping(symbols, pair):
    left, out = list(symbols), []
    while left:
        last = left.pop()
        if left and (left[-1], last) == pair:
            last = left.pop() + last
        out.append(last)
    return out[::-1]


@wrong(MERGE, "drops_last")
def stops_before_the_end(symbols, pair):
    out, i = [], 0
    while i + 1 < len(symbols):
        if (symbols[i], symbols[i + 1]) == tuple(pair):
            out += ["".join(pair)]
            i += 1
        else:
            out += [symbols[i]]
        i += 1
    return out


@wrong(MERGE, "drops_last")
def with_neighbours_and_a_flag(symbols, pair):
    out, skip = [], False
    for left, each in pairwise(symbols):
        if skip:
            skip = False
            continue
        skip = (left, each) == pair
        out.append(left + each if skip else left)
    return out


@wrong(MERGE, "same_spelling")
def compares_text(symbols, pair):
    out, i = [], 0
    while i < len(symbols):
        here = symbols[i : i + 2]
        step = 2 if len(here) == 2 and here[0] + here[1] == pair[0] + pair[1] else 1
        out.append("".join(symbols[i : i + step]))
        i += step
    return out


@wrong(MERGE, "same_spelling")
def compares_text_in_a_loop(symbols, pair):
    out = []
    for symbol in symbols:
        if out and out[-1][1] and out[-1][0] + symbol == "".join(pair):
            out[-1] = (out[-1][0] + symbol, False)
        else:
            out.append((symbol, True))
    return [symbol for symbol, _ in out]


WRONG[MERGE, "inside_symbols"] = [
    lambda symbols, pair: " ".join(symbols).replace(" ".join(pair), "".join(pair)).split(),
    lambda symbols, pair: re.sub(f"({pair[0]})_({pair[1]})", r"\1\2", "_".join(symbols)).split("_"),
]
STRAY[MERGE] = [
    lambda symbols, pair: symbols,
    lambda symbols, pair: "".join(symbols),
    lambda symbols, pair: None,
    lambda symbols, pair: with_a_flag(symbols, pair)[::-1],
]


# tokenizer.train_bpe

TRAIN = "tokenizer.train_bpe"


def learn(
    text, vocab_size, choose=None, split=split_words, first=FIRST_PIECES, letters=None, least=2, times=lambda n: n
):
    """Training on plain lists, with the places to go wrong as arguments."""
    choose = choose or (lambda pairs: sorted(pairs, key=lambda pair: (-pairs[pair], pair))[0])
    room = vocab_size - first - (len(alphabet(text)) if letters is None else letters)
    words = [[list(word), times(count)] for word, count in Counter(split(text)).items()]
    merges = []
    for _ in range(room):
        pairs = {}
        for word, count in words:
            for pair in pairwise(word):
                pairs[pair] = pairs.get(pair, 0) + count
        if not pairs:
            break
        best = choose(pairs)
        if pairs[best] < least:
            break
        merges.append(best)
        for entry in words:
            entry[0] = with_a_flag(entry[0], best)
    return merges


RIGHT[TRAIN] = [learn]


@right(TRAIN)
def by_heaviest_group(text, vocab_size):
    def choose(pairs):
        top = max(pairs.values())
        return min(pair for pair, count in pairs.items() if count == top)

    return tuple(map(list, learn(text, vocab_size, choose)))


@right(TRAIN)
def without_counting_words(text, vocab_size):
    words = [tuple(word) for word in split_words(text)]
    merges = []
    while len(merges) + FIRST_PIECES + len(alphabet(text)) < vocab_size:
        pairs = Counter(pair for word in words for pair in pairwise(word))
        ranked = sorted((-count, pair) for pair, count in pairs.items() if count > 1)
        if not ranked:
            return merges
        merges.append(ranked[0][1])
        words = [by_recursion(word, merges[-1]) for word in words]
    return merges


@right(TRAIN)
def plainly(text, vocab_size):
    words = Counter(tuple(word) for word in split_words(text))
    merges = []
    for _ in range(vocab_size - FIRST_PIECES - len(alphabet(text))):
        pairs = bpe.count_pairs(words)
        best = min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)
        if best is None or pairs[best] == 1:
            break
        merges.append(best)
        words = {bpe.merge(word, best): times for word, times in words.items()}
    return merges


WRONG[TRAIN, "ties_first_seen"] = [
    lambda text, size: learn(text, size, lambda pairs: max(pairs, key=pairs.get)),
    lambda text, size: learn(text, size, lambda pairs: Counter(pairs).most_common(1)[0][0]),
]
WRONG[TRAIN, "ties_last"] = [
    lambda text, size: learn(text, size, lambda pairs: max(pairs, key=lambda pair: (pairs[pair], pair))),
    lambda text, size: learn(text, size, lambda pairs: sorted((n, pair) for pair, n in pairs.items())[-1][1]),
]
WRONG[TRAIN, "across_words"] = [
    lambda text, size: learn(text, size, split=lambda text: ["▁" + text.replace(" ", "▁")]),
    lambda text, size: learn(text, size, split=lambda text: ["".join("▁" + word for word in text.split(" "))]),
]
WRONG[TRAIN, "words_once"] = [
    lambda text, size: learn(text, size, times=lambda n: 1),
    lambda text, size: learn(text, size, split=lambda text: list(dict.fromkeys(split_words(text)))),
]
WRONG[TRAIN, "bare_words"] = [
    lambda text, size: learn(text, size, split=str.split),
    lambda text, size: learn(text, size, split=lambda text: [word.strip("▁") for word in split_words(text)]),
]
WRONG[TRAIN, "no_alphabet"] = [
    lambda text, size: learn(text, size, letters=0),
    lambda text, size: learn(text, size + len(alphabet(text))),
]
WRONG[TRAIN, "merges_only"] = [
    lambda text, size: learn(text, size, first=0, letters=0),
    lambda text, size: learn(text, size, first=3),
]
WRONG[TRAIN, "goes_on"] = [
    lambda text, size: learn(text, size, least=1),
    lambda text, size: learn(text, size, least=0),
]


@wrong(TRAIN, "counts_at_start")
def the_top_of_one_count(text, size):
    pairs = bpe.count_pairs(Counter(tuple(word) for word in split_words(text)))
    ranked = sorted((-count, pair) for pair, count in pairs.items() if count > 1)
    return [pair for _, pair in ranked][: size - FIRST_PIECES - len(alphabet(text))]


@wrong(TRAIN, "counts_at_start")
def never_counts_again(text, size):
    pairs = dict(bpe.count_pairs(Counter(tuple(word) for word in split_words(text))))
    merges = []
    while len(merges) < size - FIRST_PIECES - len(alphabet(text)) and pairs:
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        if pairs.pop(best) >= 2:
            merges.append(best)
    return merges


STRAY[TRAIN] = [
    lambda text, size: [],
    lambda text, size: ["".join(pair) for pair in learn(text, size)],
    lambda text, size: learn(text, size)[1:],
    lambda text, size: learn(text.upper(), size),
]


# tokenizer.merge_by_rank

JOIN = "tokenizer.merge_by_rank"


def join(parts, rank, choose=lambda found: min(found), again=True):
    """found holds (rank, place) of all that can be joined."""
    while True:
        found = [(rank(a, b), i) for i, (a, b) in enumerate(pairwise(parts))]
        found = [each for each in found if each[0] != NEVER]
        if not found:
            return parts
        i = choose(found)[1]
        parts = [*parts[:i], parts[i] + parts[i + 1], *parts[i + 2 :]]
        if not again:
            return parts


RIGHT[JOIN] = [join]


@right(JOIN)
def by_recursion_on_lists(parts, rank):
    best, place = NEVER, -1
    for i in range(len(parts) - 1):
        if rank(parts[i], parts[i + 1]) < best:
            best, place = rank(parts[i], parts[i + 1]), i
    if place < 0:
        return tuple(parts)
    return by_recursion_on_lists([*parts[:place], "".join(parts[place : place + 2]), *parts[place + 2 :]], rank)


@right(JOIN)
def changes_its_own_copy(parts, rank):
    parts = parts.copy()
    while len(parts) > 1:
        ranks = [rank(parts[i], parts[i + 1]) for i in range(len(parts) - 1)]
        i = int(np.argmin(ranks))
        if ranks[i] == NEVER:
            break
        parts[i] += parts.pop(i + 1)
    return parts


WRONG[JOIN, "left_to_right"] = [
    lambda parts, rank: join(parts, rank, lambda found: min(found, key=lambda each: each[1])),
    lambda parts, rank: join(parts, rank, lambda found: found[0]),
]
WRONG[JOIN, "highest"] = [
    lambda parts, rank: join(parts, rank, lambda found: max(found, key=lambda each: (each[0], -each[1]))),
    lambda parts, rank: join(parts, lambda a, b: -rank(a, b) if rank(a, b) != NEVER else NEVER),
]
WRONG[JOIN, "rightmost"] = [
    lambda parts, rank: join(parts, rank, lambda found: min(found, key=lambda each: (each[0], -each[1]))),
    lambda parts, rank: join(parts, rank, lambda found: min(found[::-1], key=lambda each: each[0])),
]
WRONG[JOIN, "one_merge"] = [
    lambda parts, rank: join(parts, rank, again=False),
    lambda parts, rank: next(iter([join(parts, rank, min, False)])),
]


@wrong(JOIN, "first_pairs")
def asks_at_the_start(parts, rank):
    asked = {pair: rank(*pair) for pair in pairwise(parts)}
    return join(parts, lambda a, b: asked.get((a, b), NEVER))


@wrong(JOIN, "first_pairs")
def joins_single_letters_only(parts, rank):
    return join(parts, lambda a, b: rank(a, b) if len(a) == len(b) == 1 else NEVER)


STRAY[JOIN] = [
    lambda parts, rank: parts,
    lambda parts, rank: join(parts, rank)[::-1],
    lambda parts, rank: "".join(parts),
    lambda parts, rank: join(parts, lambda a, b: 0),
]


# tokenizer.encode_bpe

ENCODE = "tokenizer.encode_bpe"


def spelled(pieces, vocab, unknown=None):
    ids = []
    for piece in pieces:
        if piece in vocab.ids:
            ids.append(vocab.ids[piece])
        else:
            ids.extend(unknown(piece) if unknown else [vocab.byte_ids[b] for b in piece.encode("utf-8")])
    return ids


def by_scores(text, vocab):
    """Without cutting words, and by scores in place of ranks."""

    def rank(a, b):
        return -vocab.scores[vocab.ids[a + b]] if a + b in vocab.ids else NEVER

    return join(list(text), rank)


def encode(text, vocab, at_start=True, pieces=by_scores, unknown=None):
    text = (" " if at_start and text else "") + text
    return spelled(pieces(text.replace(" ", "▁"), vocab), vocab, unknown)


RIGHT[ENCODE] = [encode]


@right(ENCODE)
def word_by_word(text, vocab, at_start=True):
    text = (" " if at_start and text else "") + text
    ids = []
    for word in vocab.words(text.replace(" ", "▁")):
        ids += vocab.merger.ids(word)
    return tuple(ids)


@right(ENCODE)
def with_the_library(text, vocab, at_start=True):
    library = sentencepiece.SentencePieceProcessor(model_proto=serialize_vocabulary(vocab))
    if at_start:
        return np.array(library.encode(text))
    return library.encode("\n" + text)[2:]  # behind the prefix and a byte nothing is put in front


WRONG[ENCODE, "no_prefix"] = [
    lambda text, vocab, at_start=True: encode(text, vocab, at_start=False),
    lambda text, vocab, at_start=True: with_the_library(text, vocab, at_start=False),
]
WRONG[ENCODE, "always_prefix"] = [
    lambda text, vocab, at_start=True: encode(text, vocab),
    lambda text, vocab, at_start=None: encode(f" {text}" if text else text, vocab, at_start=False),
]
WRONG[ENCODE, "prefix_once"] = [
    lambda text, vocab, at_start=True: encode(text, vocab, at_start and text[0] != " "),
    lambda text, vocab, at_start=True: encode(text.removeprefix(" ") if at_start else text, vocab, at_start),
]
WRONG[ENCODE, "prefix_on_nothing"] = [
    lambda text, vocab, at_start=True: encode(text or " " * at_start, vocab, at_start and bool(text)),
    lambda text, vocab, at_start=True: encode(f"{' ' * at_start}{text}", vocab, at_start=False),
]
WRONG[ENCODE, "no_bytes"] = [
    lambda text, vocab, at_start=True: encode(text, vocab, at_start, unknown=lambda piece: [0]),
    lambda text, vocab, at_start=True: [
        vocab.ids.get(p, vocab.unk_id)
        for p in by_scores((" " * (at_start and text > "") + text).replace(" ", "▁"), vocab)
    ],
]
WRONG[ENCODE, "byte_values"] = [
    lambda text, vocab, at_start=True: encode(text, vocab, at_start, unknown=lambda piece: list(piece.encode())),
    lambda text, vocab, at_start=True: encode(
        text, vocab, at_start, unknown=lambda piece: [token - 3 for token in spelled([piece], vocab)]
    ),
]


def longest_match(text, vocab):
    known = sorted(vocab.ranks, key=len, reverse=True)
    pieces = []
    while text:
        pieces.append(next((piece for piece in known if text.startswith(piece)), text[0]))
        text = text[len(pieces[-1]) :]
    return pieces


def longest_by_expression(text, vocab):
    known = "|".join(re.escape(piece) for piece in sorted(vocab.ranks, key=len, reverse=True))
    return re.findall(f"{known}|.", text, re.DOTALL)


WRONG[ENCODE, "longest"] = [
    lambda text, vocab, at_start=True, how=how: encode(text, vocab, at_start, how)
    for how in (longest_match, longest_by_expression)
]


def first_that_joins(text, vocab):
    return join(list(text), lambda a, b: 0 if a + b in vocab.ranks else NEVER)


def first_that_joins_in_a_loop(text, vocab):
    parts, i = list(text), 0
    while i < len(parts) - 1:
        if parts[i] + parts[i + 1] in vocab.ranks:
            parts[i : i + 2] = [parts[i] + parts[i + 1]]
            i = 0
        else:
            i += 1
    return parts


WRONG[ENCODE, "left_to_right"] = [
    lambda text, vocab, at_start=True, how=how: encode(text, vocab, at_start, how)
    for how in (first_that_joins, first_that_joins_in_a_loop)
]


def grows(text, vocab):
    pieces = []
    for letter in text:
        if pieces and pieces[-1] + letter in vocab.ranks:
            pieces[-1] += letter
        else:
            pieces.append(letter)
    return pieces


def grows_recursively(text, vocab):
    end = 1
    while end < len(text) and text[: end + 1] in vocab.ids:
        end += 1
    return [text[:end], *grows_recursively(text[end:], vocab)] if text else []


WRONG[ENCODE, "growing"] = [
    lambda text, vocab, at_start=True, how=how: encode(text, vocab, at_start, how) for how in (grows, grows_recursively)
]
WRONG[ENCODE, "spaces_lost"] = [
    lambda text, vocab, at_start=True: encode(" ".join(text.split()), vocab, at_start),
    lambda text, vocab, at_start=True: encode(re.sub(" +", " ", text.strip()), vocab, at_start),
]
STRAY[ENCODE] = [
    lambda text, vocab, at_start=True: encode(text, vocab, at_start)[::-1],
    lambda text, vocab, at_start=True: [vocab.pieces[token] for token in encode(text, vocab, at_start)],
    lambda text, vocab, at_start=True: [1, *encode(text, vocab, at_start)],
    lambda text, vocab, at_start=True: spelled((" " * at_start + text).replace(" ", "▁"), vocab),
]


# tokenizer.decode

DECODE = "tokenizer.decode"


def bytes_of(ids, vocab):
    return b"".join(vocab.token_bytes(token) for token in ids)


def without_prefix(text):
    return text[1:] if text[:1] == " " else text


@right(DECODE)
def bytes_first(ids, vocab):
    return without_prefix(bytes_of(ids, vocab).decode("utf-8", errors="replace"))


@right(DECODE)
def from_pieces(ids, vocab):
    data = bytearray()
    for token in ids:
        piece, kind = vocab.pieces[token], vocab.types[token]
        if kind == 6:
            data.append(int(piece[1:-1], 16))
        elif kind != 3:
            data.extend(piece.replace("▁", " ").encode())
    return str(data.removeprefix(b" "), "utf-8", "replace")


@right(DECODE)
def by_the_library(ids, vocab):
    return sentencepiece.SentencePieceProcessor(model_proto=serialize_vocabulary(vocab)).decode(list(ids))


@right(DECODE)
def by_a_reader(ids, vocab):
    reader = codecs.getincrementaldecoder("utf-8")("replace")
    return without_prefix("".join(reader.decode(vocab.token_bytes(token)) for token in ids) + reader.decode(b"", True))


WRONG[DECODE, "keeps_prefix"] = [
    lambda ids, vocab: bytes_of(ids, vocab).decode(errors="replace"),
    lambda ids, vocab: " " * vocab.pieces[next(i for i in ids if i > 2)].startswith("▁") + from_pieces(ids, vocab),
]
WRONG[DECODE, "strips_all"] = [
    lambda ids, vocab: bytes_of(ids, vocab).decode(errors="replace").lstrip(" "),
    lambda ids, vocab: re.sub("^ +", "", by_the_library(ids, vocab)),
]
WRONG[DECODE, "cuts_first"] = [
    lambda ids, vocab: bytes_of(ids, vocab).decode(errors="replace")[1:],
    lambda ids, vocab: bytes_of(ids, vocab)[1:].decode(errors="replace"),
]
WRONG[DECODE, "loses_spaces"] = [
    lambda ids, vocab: bytes_first(ids, vocab).replace(" ", ""),
    lambda ids, vocab: bytes_of(ids, vocab).replace(b" ", b"").decode("utf-8", "replace"),
]
WRONG[DECODE, "each_alone"] = [
    lambda ids, vocab: without_prefix("".join(vocab.token_bytes(i).decode("utf-8", "replace") for i in ids)),
    lambda ids, vocab: without_prefix("".join(str(vocab.token_bytes(i), "utf-8", "replace") for i in ids)),
]
WRONG[DECODE, "shows_controls"] = [
    lambda ids, vocab: without_prefix(
        b"".join(vocab.pieces[i].encode() if vocab.types[i] == 3 else vocab.token_bytes(i) for i in ids).decode(
            errors="replace"
        )
    ),
    lambda ids, vocab: without_prefix(
        b"".join({1: b"<s>", 2: b"</s>"}.get(i) or vocab.token_bytes(i) for i in ids).decode(errors="replace")
    ),
]
WRONG[DECODE, "shows_bytes"] = [
    lambda ids, vocab: without_prefix("".join(vocab.pieces[i] for i in ids if i > 2).replace("▁", " ")),
    lambda ids, vocab: without_prefix("".join(vocab.piece(i).replace("▁", " ") for i in ids if vocab.types[i] != 3)),
]
WRONG[DECODE, "latin"] = [
    lambda ids, vocab: without_prefix("".join(map(chr, bytes_of(ids, vocab)))),
    lambda ids, vocab: without_prefix(bytes_of(ids, vocab).decode("latin-1")),
]
WRONG[DECODE, "drops_broken"] = [
    lambda ids, vocab: bytes_of(ids, vocab).decode("utf-8", "ignore").removeprefix(" "),
    lambda ids, vocab: bytes_first(ids, vocab).replace("\ufffd", ""),
]
STRAY[DECODE] = [
    lambda ids, vocab: "".join(vocab.pieces[i] for i in ids),
    lambda ids, vocab: bytes_of(ids, vocab),
    lambda ids, vocab: bytes_first(ids, vocab).upper(),
    lambda ids, vocab: bytes_first(ids, vocab)[::-1],
]


# tokenizer.stream_decode

STREAM = "tokenizer.stream_decode"


@right(STREAM)
def reader_and_flag(ids, vocab, at_start=True):
    reader = codecs.getincrementaldecoder("utf-8")(errors="replace")
    for token in ids:
        text = reader.decode(vocab.token_bytes(token))
        if text:
            yield text[1:] if at_start and text[0] == " " else text
            at_start = False
    yield reader.decode(b"", True)


@right(STREAM)
def letter_by_letter(ids, vocab, at_start=True):
    for text in reader_and_flag(ids, vocab, at_start):
        yield from text


def complete(held):
    """How many bytes at the front can be read, or never will be."""
    try:
        held.decode()
    except UnicodeDecodeError as error:
        return error.start if error.reason == "unexpected end of data" else len(held)
    return len(held)


@right(STREAM)
def with_a_buffer(ids, vocab, at_start=True):
    held, first = b"", at_start
    for token in ids:
        held += vocab.token_bytes(token)
        end = complete(held)
        text, held = held[:end].decode(errors="replace"), held[end:]
        if text and first:
            first, text = False, text.removeprefix(" ")
        yield text
    yield held.decode(errors="replace")


@wrong(STREAM, "each_alone")
def token_by_token(ids, vocab, at_start=True):
    for token in ids:
        text = vocab.token_bytes(token).decode(errors="replace")
        yield text[1:] if at_start and text.startswith(" ") else text
        at_start = at_start and not text


@wrong(STREAM, "each_alone")
def token_by_token_in_one_line(ids, vocab, at_start=True):
    first = at_start
    for text in (str(vocab.token_bytes(token), "utf-8", "replace") for token in ids):
        yield text.removeprefix(" ") if first else text
        first = first and text == ""


WRONG[STREAM, "keeps_prefix"] = [
    lambda ids, vocab, at_start=True: reader_and_flag(ids, vocab, False),
    lambda ids, vocab, at_start=True: with_a_buffer(ids, vocab, at_start=False),
]


@wrong(STREAM, "strips_every")
def strips_all_pieces(ids, vocab, at_start=True):
    return (text.removeprefix(" ") for text in reader_and_flag(ids, vocab, False))


@wrong(STREAM, "strips_every")
def cuts_all_pieces(ids, vocab, at_start=True):
    for text in with_a_buffer(ids, vocab, at_start=False):
        yield text[1:] if text[:1] == " " else text


@wrong(STREAM, "controls_count")
def begins_with_any_id(ids, vocab, at_start=True):
    reader = codecs.getincrementaldecoder("utf-8")("replace")
    for i, token in enumerate(ids):
        text = reader.decode(vocab.token_bytes(token))
        yield text.removeprefix(" ") if at_start and i == 0 else text
    yield reader.decode(b"", True)


@wrong(STREAM, "controls_count")
def lowers_the_flag_at_once(ids, vocab, at_start=True):
    held = b""
    for token in ids:
        held += vocab.token_bytes(token)
        end = complete(held)
        text, held = held[:end].decode(errors="replace"), held[end:]
        if at_start:
            text, at_start = text.removeprefix(" "), False
        yield text
    yield held.decode(errors="replace")


WRONG[STREAM, "ignores_start"] = [
    lambda ids, vocab, at_start=True: reader_and_flag(ids, vocab),
    lambda ids, vocab, at_start=True: with_a_buffer(ids, vocab, True),
]
WRONG[STREAM, "all_at_end"] = [
    lambda ids, vocab, at_start=True: iter(list(reader_and_flag(ids, vocab, at_start))),
    lambda ids, vocab, at_start=True: ["".join(with_a_buffer(ids, vocab, at_start))],
]


@wrong(STREAM, "one_late")
def keeps_one(ids, vocab, at_start=True):
    waiting = None
    for text in with_a_buffer(ids, vocab, at_start):
        if waiting is not None:
            yield waiting
        waiting = text
    yield waiting


@wrong(STREAM, "one_late")
def looks_ahead(ids, vocab, at_start=True):
    held, first, ids = b"", at_start, iter(ids)
    token = next(ids, None)
    while token is not None:
        following = next(ids, None)
        held += vocab.token_bytes(token)
        end = complete(held)
        text, held = held[:end].decode(errors="replace"), held[end:]
        if text and first:
            first, text = False, text.removeprefix(" ")
        yield text
        token = following
    yield held.decode(errors="replace")


@wrong(STREAM, "shows_controls")
def says_s(ids, vocab, at_start=True):
    reader = codecs.getincrementaldecoder("utf-8")("replace")
    for token in ids:
        if vocab.types[token] == 3:
            yield vocab.pieces[token]
            continue
        text = reader.decode(vocab.token_bytes(token))
        if text:
            yield text.removeprefix(" ") if at_start else text
            at_start = False
    yield reader.decode(b"", True)


@wrong(STREAM, "shows_controls")
def says_s_with_a_buffer(ids, vocab, at_start=True):
    names = {1: "<s>", 2: "</s>"}
    held, first = b"", at_start
    for token in ids:
        if token in names:
            yield names[token]
        held += vocab.token_bytes(token)
        end = complete(held)
        text, held = held[:end].decode(errors="replace"), held[end:]
        if text and first:
            first, text = False, text.removeprefix(" ")
        yield text
    yield held.decode(errors="replace")


@wrong(STREAM, "stuck")
def waits_for_ever(ids, vocab, at_start=True):
    held = b""
    for token in ids:
        held += vocab.token_bytes(token)
        try:
            text = held.decode("utf-8")
        except UnicodeDecodeError:
            continue
        held = b""
        if text:
            yield text[1:] if at_start and text[0] == " " else text
            at_start = False
    yield held.decode("utf-8", "replace")


@wrong(STREAM, "stuck")
def waits_for_ever_without_try(ids, vocab, at_start=True):
    held, first = [], at_start
    for token in ids:
        held.append(vocab.token_bytes(token))
        text = b"".join(held).decode(errors="replace")
        if text and "\ufffd" not in text:
            yield text.removeprefix(" ") if first else text
            first = False
            held.clear()
    yield b"".join(held).decode(errors="replace")


@wrong(STREAM, "drops_tail")
def never_flushes(ids, vocab, at_start=True):
    reader = codecs.getincrementaldecoder("utf-8")("replace")
    for token in ids:
        text = reader.decode(vocab.token_bytes(token))
        if text:
            yield text.removeprefix(" ") if at_start else text
            at_start = False


@wrong(STREAM, "drops_tail")
def drops_what_it_holds(ids, vocab, at_start=True):
    held, first = b"", at_start
    for token in ids:
        held += vocab.token_bytes(token)
        end = complete(held)
        text, held = held[:end].decode(errors="replace"), held[end:]
        if text and first:
            first, text = False, text.removeprefix(" ")
        yield text


STRAY[STREAM] = [
    lambda ids, vocab, at_start=True: (vocab.piece(token) for token in ids),
    lambda ids, vocab, at_start=True: iter(()),
    lambda ids, vocab, at_start=True: (text.upper() for text in reader_and_flag(ids, vocab, at_start)),
    lambda ids, vocab, at_start=True: (token for token in ids),
]


# tokenizer.split_numbers

NUMBERS = "tokenizer.split_numbers"


def group(digits, size=3):
    """Three from the right."""
    return re.findall(rf"\d{{1,{size}}}(?=(?:\d{{{size}}})*$)", digits)


@right(NUMBERS)
def by_expression(words):
    found = []
    for word in words:
        match = re.fullmatch(r"(▁?)([0-9]+)", word)
        found += [*([match[1]] if match[1] else []), *group(match[2])] if match else [word]
    return found


@right(NUMBERS)
def by_formatting(words):
    found = []
    for word in words:
        number = word.lstrip("▁")
        if number.isascii() and number.isdecimal():
            if number != word:
                found.append("▁")
            backward = number[::-1]
            found.extend([backward[i : i + 3][::-1] for i in range(0, len(number), 3)][::-1])
        else:
            found.append(word)
    return tuple(found)


@right(NUMBERS)
def by_recursion_on_words(words):
    if not words:
        return []
    first, *rest = words
    if first[:1] == "▁" and re.fullmatch("[0-9]+", first[1:]):
        return ["▁", *by_recursion_on_words([first[1:], *rest])]
    if re.fullmatch("[0-9]{4,}", first):
        return [*by_recursion_on_words([first[:-3]]), first[-3:], *by_recursion_on_words(rest)]
    return [first, *by_recursion_on_words(rest)]


def numbers(words, cut=group, space=lambda word, groups: ["▁", *groups], is_number="▁?[0-9]+"):
    found = []
    for word in words:
        if re.fullmatch(is_number, word):
            groups = cut(word.lstrip("▁"))
            found += space(word, groups) if word[0] == "▁" else groups
        else:
            found.append(word)
    return found


WRONG[NUMBERS, "other_side"] = [
    lambda words: numbers(words, lambda digits: re.findall(r"\d{1,3}", digits)),
    lambda words: numbers(words, lambda digits: [digits[i : i + 3] for i in range(0, len(digits), 3)]),
]
WRONG[NUMBERS, "digit_by_digit"] = [
    lambda words: numbers(words, list),
    lambda words: numbers(words, lambda digits: group(digits, 1)),
]
WRONG[NUMBERS, "space_glued"] = [
    lambda words: numbers(words, space=lambda word, groups: ["▁" + groups[0], *groups[1:]]),
    lambda words: re.findall(r"[^ ]+", " ".join(numbers(words)).replace("▁ ", "▁")),
]
WRONG[NUMBERS, "space_hides"] = [
    lambda words: numbers(words, is_number="[0-9]+"),
    lambda words: [part for word in words for part in (group(word) if word.isascii() and word.isdigit() else [word])],
]
WRONG[NUMBERS, "space_lost"] = [
    lambda words: numbers(words, space=lambda word, groups: groups),
    lambda words: [
        part
        for word in words
        for part in (group(word.strip("▁")) if word.strip("▁").isdigit() and word[-1] <= "9" else [word])
    ],
]
WRONG[NUMBERS, "letters_too"] = [
    lambda words: numbers(
        words, lambda text: [text[max(0, i - 3) : i] for i in range(len(text), 0, -3)][::-1], is_number=r"▁?\w+"
    ),
    lambda words: numbers(
        words,
        lambda text: [text[: len(text) % 3 or 3], *re.findall("...", text[len(text) % 3 or 3 :])],
        is_number=r"▁?[^\W▁]+",
    ),
]
WRONG[NUMBERS, "as_values"] = [
    lambda words: numbers(words, lambda digits: group(str(int(digits)))),
    lambda words: numbers(words, lambda digits: f"{int(digits):_}".split("_")),
]
WRONG[NUMBERS, "empty_group"] = [
    lambda words: numbers(words, lambda d: [d[: len(d) % 3], *re.findall("...", d[len(d) % 3 :])]),
    lambda words: numbers(words, lambda d: [d[max(0, i - 3) : i] for i in range(len(d) % 3, len(d) + 1, 3)]),
]
WRONG[NUMBERS, "every_space"] = [
    lambda words: numbers([part for word in words for part in re.findall("▁|[^▁]+", word)]),
    lambda words: [
        p
        for w in words
        for p in (numbers([w]) if re.fullmatch("[0-9]+", w[1:]) else [*"▁"[: w[0] == "▁"], w.strip("▁")])
        if p
    ],
]
WRONG[NUMBERS, "short_whole"] = [
    lambda words: numbers(words, is_number="▁?[0-9]{4,}"),
    lambda words: [part for word in words for part in (numbers([word]) if len(word.strip("▁")) > 3 else [word])],
]
WRONG[NUMBERS, "mirrored"] = [
    lambda words: numbers(words, lambda d: [d[::-1][i : i + 3] for i in range(0, len(d), 3)][::-1]),
    lambda words: numbers(words, lambda digits: [part[::-1] for part in group(digits)]),
]
WRONG[NUMBERS, "other_digits"] = [
    lambda words: numbers(words, is_number=r"▁?\d+"),
    lambda words: [
        part
        for word in words
        for part in ([*"▁"[: word[0] == "▁"], *group(word.lstrip("▁"))] if word.lstrip("▁").isdecimal() else [word])
    ],
]
STRAY[NUMBERS] = [
    lambda words: words,
    lambda words: numbers(words, lambda digits: group(digits, 2)),
    lambda words: ["".join(words)],
    lambda words: None,
]


# tokenizer.test_encode

TEST = "tokenizer.test_encode"
SMALL = vocabulary_from_merges([("b", "c"), ("a", "b"), ("c", "d"), ("a", "bcd")], list("▁abcd"))


def ids_of(*pieces):
    return [token for piece in pieces for token in spelled([piece], SMALL)]


@right(TEST)
def known_ids(candidate):
    assert candidate("abc", SMALL) == ids_of("▁", "a", "bc")
    assert candidate("bcd", SMALL) == ids_of("▁", "bc", "d")
    assert candidate("a  ä", SMALL) == ids_of("▁", "a", "▁", "▁", "ä")
    small = vocabulary_from_merges([("b", "c"), ("d", "e"), ("c", "de"), ("a", "b")], list("▁abcde"))
    assert [small.pieces[token] for token in candidate("abcde", small)] == ["▁", "a", "bc", "de"]


@right(TEST)
def against_its_own(candidate):
    rng = np.random.default_rng(0)
    for _ in range(40):
        text = "".join(rng.choice(list("aabbccdd  é"), 9))
        if candidate(text, SMALL) != encode(text, SMALL):
            return False
    return True


@right(TEST)
def against_the_library(candidate):
    return all(
        list(candidate(text, SMALL)) == list(with_the_library(text, SMALL)) for text in ("abc", "a  b", "xy", "bcd")
    )


def same_ids(*texts):
    return lambda candidate: all(list(candidate(text, SMALL)) == encode(text, SMALL) for text in texts)


def there_and_back(candidate):
    for text in ("abc", "bé", "a  b"):
        assert bpe.decode(candidate(text, SMALL), SMALL) == text


WRONG[TEST, "anything"] = [lambda candidate: True, lambda candidate: None]
WRONG[TEST, "nothing"] = [lambda candidate: False, lambda candidate: candidate("a", SMALL) == [0]]
WRONG[TEST, "round_trip"] = [
    there_and_back,
    lambda candidate: bytes_first(candidate("bc 你 a", SMALL), SMALL) == "bc 你 a",
]
WRONG[TEST, "no_prefix_expected"] = [
    lambda candidate: candidate("abc", SMALL) == ids_of("a", "bc"),
    lambda candidate: all(candidate(text, SMALL) == encode(text, SMALL, at_start=False) for text in ("bcd", "é  a")),
]
WRONG[TEST, "no_conflict"] = [same_ids("bc", "é"), same_ids("bc  é", " a")]
WRONG[TEST, "known_only"] = [same_ids("abc", "bcd", "bcda"), same_ids("abc a  b", "abcd")]
WRONG[TEST, "one_space"] = [same_ids("abc", "bé"), same_ids("é", "abc abc")]
STRAY[TEST] = [
    lambda candidate: candidate("abc", SMALL) != encode("abc", SMALL),
    lambda candidate: candidate(" a", SMALL) == encode(" a", SMALL, at_start=False),
]
