"""The tasks of lesson 00, in the order of its exercises."""

from minillama.course.tasks.start_inputs import discourage, test_double
from minillama.course.tasks.start_means import mean_of_kept
from minillama.course.tasks.start_shapes import reshape_heads, side_by_side, trace_by_hand

TASKS = (trace_by_hand, mean_of_kept, reshape_heads, discourage, test_double, side_by_side)
