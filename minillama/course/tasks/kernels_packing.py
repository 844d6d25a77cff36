"""Lesson 12's layout: sixteen rows beside each other."""

from collections.abc import Callable, Sequence

import numpy as np

from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.course.tasks.kernels_inputs import LESSON
from minillama.quant.kernels import ladder_int8

BYTES, ROWS = 18, 16


def faulty_packing(bugs: Bugs = frozenset()) -> Callable[[np.ndarray], np.ndarray]:
    """ladder_int8.pack_rows with these bugs."""

    def pack_rows(blocks: np.ndarray) -> np.ndarray:
        n_blocks = blocks.shape[1] // BYTES
        n_groups = len(blocks) // ROWS if "rest_lost" in bugs else -(-len(blocks) // ROWS)
        rows = np.zeros((n_groups * ROWS, n_blocks, BYTES), np.uint8)
        stored = blocks.reshape(len(blocks), n_blocks, BYTES)[: len(rows)]
        rows[: len(stored)] = stored
        groups = rows.reshape(n_groups, ROWS, n_blocks, BYTES)
        if "rest_repeated" in bugs:
            rows[len(blocks) :] = rows[len(blocks) - 1]
        size = 1 if "by_ones" in bugs else 2 if "by_twos" in bugs else ROWS if "by_blocks" in bugs else 4
        codes = groups[..., 2:].reshape(n_groups, ROWS, n_blocks, 16 // size, size)  # group, row, block, line, byte
        order = (
            (0, 1, 2, 3, 4) if "row_by_row" in bugs else (0, 3, 2, 1, 4) if "lines_first" in bugs else (0, 2, 3, 1, 4)
        )
        scales = groups[..., :2]
        parts = [codes.transpose(order), scales if "scales_by_row" in bugs else scales.transpose(0, 2, 1, 3)]
        if "scales_in_blocks" in bugs:
            parts = [groups.transpose(0, 2, 1, 3)]
        if "untouched" in bugs:
            parts = [groups]
        if "scales_first" in bugs:
            parts.reverse()
        if "unaligned" not in bugs:
            parts.append(np.zeros((n_groups, -288 * n_blocks % 64), np.uint8))
        return np.concatenate([part.reshape(n_groups, part[0].size if len(part) else 0) for part in parts], axis=1)

    return pack_rows


def packing_cases(rng: Generator) -> Sequence[Case]:
    """Whole groups, rows left over, and a group whose bytes have to be filled up."""

    def blocks(rows: int, n_blocks: int) -> np.ndarray:
        return rng.integers(0, 256, (rows, BYTES * n_blocks), np.uint8)

    return [
        Case(name="32 rows of 2 blocks", args=(blocks(32, 2),)),
        Case(name="21 rows of 2 blocks", args=(blocks(21, 2),)),
        Case(name="16 rows of 3 blocks", args=(blocks(16, 3),)),
    ]


pack_rows = Task(
    id="kernels.pack_rows", lesson=LESSON, kind="rebuild", title="Lay 16 rows beside each other", points=4,
    difficulty=4, importance=3, minutes=20,
    reference=ladder_int8.pack_rows, faulty=faulty_packing, cases=packing_cases, framework="numpy",
    outputs=("the groups",), piece="minillama.quant.kernels.ladder_int8:pack_rows", time_limit_s=90,
    forbidden=("minillama.quant.kernels.ladder_int8:pack_rows", "minillama.quant.kernels.packing:pack",
               "minillama.quant.kernels.packing:prepare"),
    misconceptions=(
        idea(
            "row_by_row", "codes that still lie row by row",
            "One load of 64 bytes is to bring four bytes of every one of the 16 rows.",
            "Which rows are in the first 64 bytes of your group?",
        ),
        idea(
            "by_ones", "rows that alternate byte by byte",
            "The instruction adds up four neighbouring bytes, so four bytes of a row have to stay together.",
            "How many bytes of row 0 stand before the first one of row 1?",
        ),
        idea(
            "by_twos", "rows that alternate every two bytes", "Four bytes of a row stay together.",
            "How many bytes of row 0 stand before the first one of row 1?",
        ),
        idea(
            "by_blocks", "rows that alternate every 16 bytes", "64 bytes hold 16 rows, so each row gets four of them.",
            "How many rows are in your first 64 bytes?",
        ),
        idea(
            "lines_first", "the first line of all blocks, then the second",
            "A block's four lines follow one another, then comes the next block.",
            "What stands in your bytes 64 to 127: another part of block 0, or block 1?",
        ),
        idea(
            "scales_in_blocks", "whole blocks of 18 bytes that alternate",
            "The scales have a part of their own, behind all codes.", "Where are the first two bytes of a block now?",
        ),
        idea(
            "untouched", "rows that lie as they did", "The bytes are to change places.",
            "Which byte of your result is not where it was?",
        ),
        idea(
            "scales_first", "scales before the codes", "The codes come first in a group.",
            "What is in the first byte of your group?", 0.7,
        ),
        idea(
            "scales_by_row", "scales that lie row by row",
            "The 16 scales of a block are used together, so they lie together.",
            "Which scale follows that of row 0, block 0?", 0.7,
        ),
        idea(
            "rest_lost", "rows at the end that are in no group",
            "A group that is not full is filled up with rows of zeros.",
            "How many groups do 21 rows make?", 0.7,
        ),
        idea(
            "rest_repeated", "a last group that is filled up with its last row", "Rows that do not exist are zero.",
            "What do you write where there is no row?", 0.8,
        ),
        idea(
            "unaligned", "groups whose length is no multiple of 64 bytes",
            "Registers of 64 bytes load fastest from a multiple of 64, so each group is filled up with zeros.",
            "At which byte does your second group begin?", 0.7,
        ),
    ),
    hints=(
        "Give every byte five numbers, group, row, block, line and place in its line, and ask in which order "
        "they count.",
        "In: (N, B * 18) bytes, a float16 and 16 bytes of codes a block. Out: (groups, B * 256 + B * 32, "
        "filled up to 64).",
        "add rows of zeros up to a multiple of 16\nsplit: group, row, block, 2 bytes of scale + 4 lines of 4 bytes\n"
        "codes in the order group, block, line, row, byte\nscales in the order group, block, row, byte\nboth side by "
        "side, then zeros up to a multiple of 64",
    ),
)  # fmt: skip
