"""The tasks of lesson 02, in the order of its exercises."""

from minillama.course.tasks.language_model_hand import hand
from minillama.course.tasks.language_model_loss import cross_entropy
from minillama.course.tasks.language_model_tests import test_loss
from minillama.course.tasks.language_model_text import one_hot_embed, perplexity, shift_targets
from minillama.course.tasks.language_model_variants import repair_loss, softened_loss

TASKS = (hand, cross_entropy, shift_targets, one_hot_embed, perplexity, repair_loss, softened_loss, test_loss)
