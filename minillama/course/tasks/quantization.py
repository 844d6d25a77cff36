"""The tasks of lesson 11, in the order of its exercises."""

from minillama.course.tasks.quantization_cache import kv_cache_int8
from minillama.course.tasks.quantization_eight import quantize_q8_0
from minillama.course.tasks.quantization_four import quantize_q4_0
from minillama.course.tasks.quantization_hand import block_by_hand
from minillama.course.tasks.quantization_reading import dequantize_q4_0, repair_q8_0
from minillama.course.tasks.quantization_search import spend_bits
from minillama.course.tasks.quantization_variants import quantize_minimum

TASKS = (
    block_by_hand, quantize_q8_0, quantize_q4_0, dequantize_q4_0, repair_q8_0, quantize_minimum, kv_cache_int8,
    spend_bits,
)  # fmt: skip
