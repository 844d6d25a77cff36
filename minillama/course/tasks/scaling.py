"""The tasks of lesson 19, in the order of its exercises."""

from minillama.course.tasks.scaling_cuts import split_columns, split_rows
from minillama.course.tasks.scaling_hand import by_hand_task
from minillama.course.tasks.scaling_sums import local_loss, shard_bytes
from minillama.course.tasks.scaling_vocabulary import split_loss

TASKS = (by_hand_task, split_columns, split_rows, shard_bytes, local_loss, split_loss)
