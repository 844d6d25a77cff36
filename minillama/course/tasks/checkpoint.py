"""The tasks of lesson 10, in the order of its exercises."""

from minillama.course.tasks.checkpoint_hand import by_hand_task, your_files
from minillama.course.tasks.checkpoint_headers import gguf_shape, read_safetensors_header
from minillama.course.tasks.checkpoint_names import hf_names_to_meta, name_the_fault
from minillama.course.tasks.checkpoint_numbers import bf16_to_float32, fits_in_memory
from minillama.course.tasks.checkpoint_shards import merge_shards, split_fused

TASKS = (
    by_hand_task, read_safetensors_header, bf16_to_float32, merge_shards, hf_names_to_meta, gguf_shape, fits_in_memory,
    name_the_fault, split_fused, your_files,
)  # fmt: skip
