"""The tasks of lesson 05, in the order of its exercises."""

from minillama.course.tasks.feedforward_files import repair_fused, test_swiglu
from minillama.course.tasks.feedforward_gates import SwiGLU, silu
from minillama.course.tasks.feedforward_hand import feedforward_by_hand
from minillama.course.tasks.feedforward_residual import gated_residual
from minillama.course.tasks.feedforward_sizes import hidden_size

TASKS = (feedforward_by_hand, silu, hidden_size, SwiGLU, repair_fused, gated_residual, test_swiglu)
