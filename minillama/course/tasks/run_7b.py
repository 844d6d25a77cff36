"""The tasks of lesson 13, in the order of its exercises."""

from minillama.course.tasks.run_7b_brakes import name_the_brake
from minillama.course.tasks.run_7b_hand import by_hand
from minillama.course.tasks.run_7b_many import many_texts, my_machine
from minillama.course.tasks.run_7b_sizes import longest_context, predict_tokens_per_second
from minillama.course.tasks.run_7b_text import perplexity

TASKS = (
    by_hand, predict_tokens_per_second, longest_context, perplexity, name_the_brake, many_texts, my_machine,
)  # fmt: skip
