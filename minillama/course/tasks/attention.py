"""The tasks of lesson 06, in the order of its exercises."""

from minillama.course.tasks.attention_attend import attend
from minillama.course.tasks.attention_hand import by_hand_task
from minillama.course.tasks.attention_heads import attention_weights, split_heads
from minillama.course.tasks.attention_masks import causal_mask, repair_mask
from minillama.course.tasks.attention_modules import Attention
from minillama.course.tasks.attention_scores import head_score
from minillama.course.tasks.attention_windows import near_and_far_task

TASKS = (
    by_hand_task, causal_mask, attention_weights, split_heads, attend, Attention, head_score, repair_mask,
    near_and_far_task,
)  # fmt: skip
