"""The tasks of lesson 04, in the order of its exercises."""

from minillama.course.tasks.rope_hand import turn_by_hand
from minillama.course.tasks.rope_partial import partial_rotary
from minillama.course.tasks.rope_tables import repair_tables, rope_frequencies
from minillama.course.tasks.rope_tests import test_rope
from minillama.course.tasks.rope_turns import apply_rope, rotate_step
from minillama.course.tasks.rope_weights import convert_attention, permute_hf_to_meta

TASKS = (
    turn_by_hand, rope_frequencies, apply_rope, rotate_step, permute_hf_to_meta, convert_attention, repair_tables,
    partial_rotary, test_rope,
)  # fmt: skip
