"""Stories to train on: generated from a seed, simple enough for a model of four million parameters.

Each story is told by a small simulated world (world.py): it knows who is there, who holds what, and who was named
last, so that pronouns and belongings are right. What happens is drawn as a plan (plans.py): a goal such as finding a
lost thing, an obstacle such as deep water, and a kind of way out. A share of the names, of the invented words and of
the plans occurs in the held-out split only, so that a model can be asked about what it has never seen.
"""

from minillama.train.corpus.generate import corpus, describe, stories, story, tell
from minillama.train.corpus.items import ConsistencyItem, consistency_items

__all__ = ["ConsistencyItem", "consistency_items", "corpus", "describe", "stories", "story", "tell"]
