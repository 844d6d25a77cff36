"""The tasks of lesson 15, in the order of its exercises."""

from minillama.course.tasks.alpaca_batches import collate, repair_labels
from minillama.course.tasks.alpaca_data import check_data
from minillama.course.tasks.alpaca_hand import sample_by_hand
from minillama.course.tasks.alpaca_labels import build_sample, mask_labels
from minillama.course.tasks.alpaca_own import own_experiment
from minillama.course.tasks.alpaca_prompts import format_prompt, format_turn
from minillama.course.tasks.alpaca_turns import mask_turns

TASKS = (
    sample_by_hand, check_data, format_prompt, mask_labels, build_sample, collate, repair_labels, format_turn,
    mask_turns, own_experiment,
)  # fmt: skip
