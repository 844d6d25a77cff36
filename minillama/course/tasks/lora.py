"""The tasks of lesson 14, in the order of its exercises."""

from minillama.course.tasks.lora_hand import adapter_by_hand
from minillama.course.tasks.lora_joins import join_adapters
from minillama.course.tasks.lora_layers import LoRALinear
from minillama.course.tasks.lora_lists import count_adapter, trainable_parameters
from minillama.course.tasks.lora_merges import merge
from minillama.course.tasks.lora_places import where_to_put
from minillama.course.tasks.lora_repairs import repair_base

TASKS = (
    adapter_by_hand, LoRALinear, trainable_parameters, count_adapter, merge, repair_base, join_adapters, where_to_put,
)  # fmt: skip
