"""The records of all tasks, a module a lesson."""

from collections.abc import Iterable
from functools import cache
from importlib import import_module

from minillama.course.record import Task
from minillama.errors import ConfigError

LESSONS: dict[str, str] = {  # stem of the notebook -> module with its TASKS
    "00_start_here": "start",
    "01_tokenizer": "tokenizer",
    "02_language_model": "language_model",
    "03_norm": "norm",
    "04_rope": "rope",
    "05_feedforward": "feedforward",
    "06_attention": "attention",
    "07_model": "model",
    "08_generate": "generate",
    "09_pretrain": "pretrain",
    "10_checkpoint": "checkpoint",
    "11_quantization": "quantization",
    "12_kernels": "kernels",
    "13_run_7b": "run_7b",
    "14_lora": "lora",
    "15_alpaca": "alpaca",
    "19_scaling": "scaling",
}


def lessons_named(wanted: str, stems: Iterable[str]) -> list[str]:
    """The notebooks that a number, or a whole name, means: one, unless there is none or two bear the number.

    >>> lessons_named("04", LESSONS), lessons_named("p1", ["p1_distance", "p2_exam"])
    (['04_rope'], ['p1_distance'])
    """
    return [stem for stem in stems if wanted in (stem, stem.partition("_")[0])]


@cache
def tasks_of(lesson: str) -> tuple[Task, ...]:
    """The tasks of one lesson, in the order of its notebook; none for a lesson without records."""
    if lesson not in LESSONS:
        return ()
    found: tuple[Task, ...] = import_module(f"minillama.course.tasks.{LESSONS[lesson]}").TASKS
    return found


def all_tasks() -> tuple[Task, ...]:
    """Every task of the course."""
    return tuple(task for lesson in LESSONS for task in tasks_of(lesson))


def find_task(task_id: str) -> Task:
    """The task of this id.

    Raises:
        ConfigError: there is none.

    >>> find_task("rope.apply_rope").kind
    'rebuild'
    """
    for task in all_tasks():
        if task.id == task_id:
            return task
    known = [task.id for task in all_tasks() if task.id.partition(".")[0] == str(task_id).partition(".")[0]]
    wanted = ", ".join(known) or ", ".join(sorted({task.id.partition(".")[0] + ".…" for task in all_tasks()}))
    raise ConfigError(f"task {task_id!r} does not exist, expected one of {wanted}")
