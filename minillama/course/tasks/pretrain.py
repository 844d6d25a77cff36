"""The tasks of lesson 09, in the order of its exercises."""

from minillama.course.tasks.pretrain_cooling import stay_and_cool
from minillama.course.tasks.pretrain_data import keep_originals, pack
from minillama.course.tasks.pretrain_groups import decay_groups
from minillama.course.tasks.pretrain_hand import recipe_by_hand
from minillama.course.tasks.pretrain_repairs import repair_loss
from minillama.course.tasks.pretrain_schedules import cosine_schedule
from minillama.course.tasks.pretrain_steps import train_step

TASKS = (
    recipe_by_hand, keep_originals, pack, repair_loss, cosine_schedule, decay_groups, train_step, stay_and_cool,
)  # fmt: skip
