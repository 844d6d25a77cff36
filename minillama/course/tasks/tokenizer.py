"""The tasks of lesson 01, in the order of its exercises."""

from minillama.course.tasks.tokenizer_coding import encode_bpe, join_task
from minillama.course.tasks.tokenizer_counting import by_hand_task, count_pairs, merge_task
from minillama.course.tasks.tokenizer_decoding import decode_task, stream_task
from minillama.course.tasks.tokenizer_numbers import split_numbers
from minillama.course.tasks.tokenizer_tests import test_encode
from minillama.course.tasks.tokenizer_training import train_bpe

TASKS = (
    by_hand_task, count_pairs, merge_task, train_bpe, join_task, encode_bpe, decode_task, stream_task, split_numbers,
    test_encode,
)  # fmt: skip
