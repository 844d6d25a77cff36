"""How fast a learner's kernel is, beside the package's and beside the memory; it decides nothing."""

from typing import Any

from minillama.course.showing import Message
from minillama.course.tasks import find_task
from minillama.errors import ConfigError
from minillama.quant.kernels.roofline import measure_matvec, measure_memory
from minillama.quant.kernels.rungs import Measurement

FORMATS = {"kernels.matvec_q8": "q8_0", "kernels.matvec_q4": "q4_0"}


def speed(task_id: str, answer: Any, shape: tuple[int, int] = (4096, 4096)) -> Message:
    """Time a kernel on one product, beside the package's and the memory's speed.

    Args:
        task_id: "kernels.matvec_q8" or "kernels.matvec_q4".
        answer: the kernel, (blocks, x) -> y; compiling it does not count.
        shape: (N, K) of the matrix.

    Raises:
        ConfigError: a task that is no kernel for one token.
    """
    task = find_task(task_id)
    if task.id not in FORMATS:
        raise ConfigError(f"task {task.id} is timed by nothing, expected one of {', '.join(FORMATS)}")
    try:
        mine = measure_matvec("yours", answer, FORMATS[task.id], shape, rounds=3, megabytes=100)
    except NotImplementedError as error:
        return Message("○", f"{task.id}: Not written yet: {error}")
    except Exception as error:
        return Message("✗", f"{task.id}: it raised {type(error).__name__}. What does its check say?")
    theirs = measure_matvec("the package's", task.reference, FORMATS[task.id], shape, rounds=3, megabytes=100)
    read = max(measure_memory(), theirs.gb_per_s or 0.0, mine.gb_per_s or 0.0)
    return Message(
        "→", f"{task.id}: {mine.gb_per_s:.2g} GB of weights a second",
        (_line(mine, read), _line(theirs, read), f"the memory at its best  {read:.3g} GB/s"),
    )  # fmt: skip


def _line(measured: Measurement, read: float) -> str:
    gb, share = measured.gb_per_s or 0.0, (measured.gb_per_s or 0.0) / read
    return f"{measured.rung.title}  {gb:.3g} GB/s, {share:.1%} of the memory's speed; {measured.gops:.2g} GOPS"
