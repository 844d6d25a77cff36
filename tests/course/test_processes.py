"""Functions of a notebook in several processes."""

import pytest
import torch
import torch.distributed as dist

from minillama import course
from minillama.errors import DataError

FACTOR = 3


def scaled(x):
    return x * FACTOR


def meet(rank, n, start):
    x = torch.tensor([float(start + rank)])
    dist.all_reduce(x)
    print(f"{rank} of {n}")
    return [scaled(x).item(), rank]


def fail_in_one(rank, n):
    if rank == 1:
        raise ValueError("no such file")
    dist.barrier()


def test_processes_meet_and_bring_what_they_need(capsys):
    assert course.run_on(2, meet, 10) == [[63.0, 0], [63.0, 1]]
    assert capsys.readouterr().out == "0 of 2\n1 of 2\n"


def test_the_process_that_failed_is_named_while_others_wait_for_it():
    with pytest.raises(DataError, match=r"process 1 failed: .*no such file"):
        course.run_on(2, fail_in_one)


def test_a_function_that_cannot_be_taken_along_is_refused():
    with pytest.raises(DataError, match="top level"):
        course.run_on(2, lambda rank, n: rank)
