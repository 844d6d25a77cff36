"""The tasks of lesson 03, in the order of its exercises."""

from minillama.course.tasks.norm_bugs import name_the_bug
from minillama.course.tasks.norm_heads import qk_norm
from minillama.course.tasks.norm_modules import RMSNorm, savings_task
from minillama.course.tasks.norm_vectors import rms_norm, trace_by_hand

TASKS = (trace_by_hand, rms_norm, RMSNorm, savings_task, name_the_bug, qk_norm)
