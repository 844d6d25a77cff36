"""Answers to lesson 08's cache.SinkCache in unusual spellings, of every member of its family."""

from collections import deque

import torch

from minillama.cache import KVCache
from minillama.course.proving import Book

book = Book()
RIGHT, WRONG, STRAY = book.RIGHT, book.WRONG, book.STRAY
right, stray = book.right, book.stray
SINK = "cache.SinkCache"
PUBLIC = ("one by one", "beside")


def sinks_on_lists(bug="", forget="one by one", counts="beside"):
    """Pairs of keys and values in a list; the first `sinks` of it stay."""
    by_halves = (forget == "half") != (bug == "other_forget")
    beside = (counts == "beside") != (bug == "other_counts")

    class SinkCache:
        def __init__(self, sinks, window):
            self.sinks, self.held = sinks, []
            self.window = (window if beside else window - sinks) + (bug == "one_more") - (bug == "one_less")

        def update(self, k, v):
            v = k if bug == "values_of_keys" else v
            new = list(zip(k.unbind(1), v.unbind(1), strict=True))
            first, before = not self.held, len(self.held)
            self.held = new if bug == "forgets_all" else new + self.held if bug == "new_first" else self.held + new
            grown = list(self.held)
            if len(self.held) > self.sinks + self.window or bug == "twice":
                self.cut(new, before)
            self.held = grown if bug == "long_prompt" and first else self.held
            shown = grown if bug == "before_the_cut" else self.held
            keys, values = (torch.stack(part, 1) for part in zip(*shown, strict=True))
            return (values, keys) if bug == "swapped" else (keys, values)

        def cut(self, new, before):
            if bug == "no_window":
                del self.held[self.sinks + self.window :]
                return
            s = 0 if bug == "no_sinks" else self.sinks
            fit = self.sinks + self.window - s
            first, rest = self.held[:s], self.held[s:]
            if by_halves:
                rest = self.halved(rest, fit, s, before)
            elif bug == "one_a_call":
                del rest[0]
            else:
                rest = (self.held if bug == "twice" else rest)[-fit:]
            first = new[:s] if bug == "new_sinks" else first
            self.held = rest + first if bug == "window_first" else first + rest

        def halved(self, rest, fit, s, before):
            if bug == "down_to_half":
                return rest[-(fit // 2) :]
            if bug == "half_of_old":  # room is made before the new ones come, as far as that goes
                return rest[(before - s) // 2 :] if before else rest
            while len(rest) > fit:
                odd = len(rest) % 2
                half = {
                    "rounded_up": len(rest) // 2 + odd,
                    "half_of_all": len(rest + self.held[:s]) // 2,
                    "half_of_room": fit // 2,
                }.get(bug, len(rest) // 2)
                if bug == "newer_half":
                    rest = rest[:-half]
                else:
                    del rest[:half]
                if bug == "one_a_call":
                    break
            return rest

    return SinkCache


def sinks_by_index(bug="", forget="one by one", counts="beside"):
    """Keys and values in one tensor, and a list of the places that stay."""
    by_halves = (forget == "half") != (bug == "other_forget")
    in_all = (counts == "with") != (bug == "other_counts")

    class SinkCache:
        def __init__(self, sinks, window):
            self.sinks = sinks
            self.all = window + (0 if in_all else sinks) + {"one_more": 1, "one_less": -1}.get(bug, 0)
            self.both = None

        def update(self, k, v):
            new = torch.stack((k, k if bug == "values_of_keys" else v))  # (2, B, T, G, K)
            past = 0 if self.both is None or bug == "forgets_all" else self.both.shape[2]
            if past:
                new = torch.cat((new, self.both) if bug == "new_first" else (self.both, new), 2)
            n = new.shape[2]
            over = n > self.all
            keep = (self.halves if by_halves else self.latest)(n, past) if over or bug == "twice" else list(range(n))
            if bug == "long_prompt" and not past:
                keep = list(range(n))
            if bug == "new_sinks" and over:
                keep = [*range(past, min(n, past + self.sinks)), *keep[self.sinks :]]
            if bug == "no_window":
                keep = list(range(min(n, self.all)))
            if bug == "window_first" and over:
                keep = keep[self.sinks :] + keep[: self.sinks]
            self.both = new[:, :, keep]
            if bug == "before_the_cut":
                return tuple(new)
            return tuple(self.both.flip(0)) if bug == "swapped" else tuple(self.both)

        def latest(self, n, past):
            """Who stays where as many go as have to."""
            s = self.sinks
            if bug == "one_a_call":
                return [i for i in range(n) if i != s]
            if bug == "no_sinks":
                return list(range(max(0, n - self.all), n))
            if bug == "window_alone":
                return list(range(max(0, n - self.all + s), n))
            if bug == "twice":
                return [*range(min(s, n)), *range(max(0, n - self.all + s), n)]
            return [i for i in range(n) if i < s or i >= n - (self.all - s)]

        def halves(self, n, past):
            """Who stays where half of them go: all from `start` on, or all up to `end`."""
            s = 0 if bug in ("no_sinks", "window_alone") else self.sinks
            most = self.all - (self.sinks if bug == "window_alone" else 0)
            start, end = s, n
            if bug == "half_of_old":  # half of what is there, until it fits or there is none
                while n - start + s > most and past - start > 1:
                    start += (past - start) // 2
                return [*range(s), *range(start, n)]
            while end - start + s > most:
                size = end - start
                if bug == "newer_half":
                    end = start + (size + 1) // 2
                    continue
                start += {
                    "rounded_up": (size + 1) // 2, "half_of_all": (size + s) // 2, "half_of_room": (most - s) // 2,
                    "down_to_half": size - (most - s) // 2,
                }.get(bug, size // 2)  # fmt: skip
                if bug == "one_a_call":
                    break
            return [*range(s), *range(start, end)]

    return SinkCache


@right(SINK)
class TwoParts:
    """Sinks and window apart, and the window a deque."""

    def __init__(self, sinks, window):
        self.sinks, self.first, self.last = sinks, [], deque(maxlen=window)

    def update(self, k, v):
        for pair in zip(k.unbind(1), v.unbind(1), strict=True):
            (self.first if len(self.first) < self.sinks else self.last).append(pair)
        keys, values = zip(*self.first, *self.last, strict=True)
        return torch.stack(keys, 1), torch.stack(values, 1)


RIGHT[SINK] += [sinks_on_lists(), sinks_by_index()]
ALWAYS = (
    "no_sinks", "no_window", "other_counts", "one_more", "one_less", "before_the_cut", "other_forget", "one_a_call",
    "window_first", "forgets_all", "long_prompt", "new_sinks", "new_first", "values_of_keys", "swapped",
)  # fmt: skip
ONE_BY_ONE = (*ALWAYS, "twice")
BY_HALVES = (*ALWAYS, "rounded_up", "half_of_all", "half_of_room", "down_to_half", "half_of_old", "newer_half")
for name in ONE_BY_ONE:
    WRONG[SINK, name] = [sinks_on_lists(name), sinks_by_index(name)]
WRONG[SINK, "no_sinks"] += [sinks_by_index("window_alone")]


@stray(SINK)
class Everything(KVCache):
    def __init__(self, sinks, window):
        super().__init__(1, 1, 100, 2, 3)

    def update(self, k, v):
        return super().update(0, k, v)


# Members of the family other than the public one


class TwoPartsWithin(TwoParts):
    """The sinks are a part of the window."""

    def __init__(self, sinks, window):
        super().__init__(sinks, window - sinks)


class Halving:
    """Numbers of tokens that stay, found by recursion; then keys and values are picked."""

    within = False

    def __init__(self, sinks, window):
        self.sinks, self.window = sinks, window - sinks * self.within
        self.held = []

    def update(self, k, v):
        self.held += zip(k.split(1, 1), v.split(1, 1), strict=True)
        self.held = self.held[: self.sinks] + self.fitting(self.held[self.sinks :])
        return tuple(torch.cat(part, 1) for part in zip(*self.held, strict=True))

    def fitting(self, rest):
        return rest if len(rest) <= self.window else self.fitting(rest[len(rest) // 2 :])


class HalvingWithin(Halving):
    within = True


OTHERS = {("one by one", "with"): TwoPartsWithin, ("half", "beside"): Halving, ("half", "with"): HalvingWithin}
MEMBERS = []  # task, variant, what is wrong or nothing, the answer
for kind, answer in OTHERS.items():
    variant = {"forget": kind[0], "counts": kind[1]}
    made = [("", answer), ("", sinks_on_lists("", *kind)), ("", sinks_by_index("", *kind))]
    for name in BY_HALVES if kind[0] == "half" else ONE_BY_ONE:
        made += [(name, sinks_on_lists(name, *kind)), (name, sinks_by_index(name, *kind))]
    made += [("no_sinks", sinks_by_index("window_alone", *kind))]
    MEMBERS += [(SINK, variant, name, answer) for name, answer in made]
