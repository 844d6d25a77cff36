"""The tasks of lesson 12, in the order of its exercises."""

from minillama.course.tasks.kernels_hand import ladder_by_hand
from minillama.course.tasks.kernels_minimums import at_the_bound, matvec_minimums
from minillama.course.tasks.kernels_packing import pack_rows
from minillama.course.tasks.kernels_rows import matvec_q4, matvec_q8
from minillama.course.tasks.kernels_threads import matmul_tile, repair_race

TASKS = (
    ladder_by_hand, matvec_q8, matvec_q4, repair_race, pack_rows, matmul_tile, matvec_minimums, at_the_bound,
)  # fmt: skip
