"""The tasks of lesson 07, in the order of its exercises."""

from minillama.course.tasks.model_blocks import Block
from minillama.course.tasks.model_counting import count_parameters, flops_per_token
from minillama.course.tasks.model_hand import walk_by_hand
from minillama.course.tasks.model_parallel import parallel_task
from minillama.course.tasks.model_parts import first_wrong_part
from minillama.course.tasks.model_search import find_the_bug
from minillama.course.tasks.model_whole import Llama

TASKS = (
    walk_by_hand, Block, Llama, count_parameters, flops_per_token, first_wrong_part, find_the_bug, parallel_task,
)  # fmt: skip
