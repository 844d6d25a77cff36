"""The tasks of lesson 08, in the order of its exercises."""

from minillama.course.tasks.generate_cache import kv_cache
from minillama.course.tasks.generate_draws import sample
from minillama.course.tasks.generate_hand import draw_by_hand
from minillama.course.tasks.generate_repairs import accept_draft, repair_penalty
from minillama.course.tasks.generate_sinks import sink_cache
from minillama.course.tasks.generate_steps import attend_step
from minillama.course.tasks.generate_top_p import keep_top_p

TASKS = (draw_by_hand, keep_top_p, sample, repair_penalty, kv_cache, attend_step, sink_cache, accept_draft)
