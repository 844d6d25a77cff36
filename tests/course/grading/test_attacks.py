"""No point that was not earned, nothing outside the sandbox touched, nothing left behind, and the grader goes on."""

import pytest

from minillama.course.grading.watching import descendants
from tests.course.grading.attacks import ATTACKS, TARGET
from tests.course.grading.handing_in import START, notebook


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_earns_nothing_and_harms_nothing(name, grader):
    attack = ATTACKS[name]
    result = grader(attack.made)  # raises where it takes longer than it may
    assert result.status == attack.status
    earned = {each.task: each.credit for each in result.outcomes}
    assert {task: earned[task] for task in attack.lost if task in earned} == dict.fromkeys(
        attack.lost if earned else (), 0.0
    )
    if result.status == "graded":
        others = {task: credit for task, credit in earned.items() if task not in attack.lost}
        assert others == dict.fromkeys(others, 1.0)
    told = " ".join([*result.notes, *(each.sentence for each in result.outcomes)])
    assert attack.words in told
    if attack.printed is not None:
        printed = next(each.printed for each in result.outcomes if each.task == TARGET)
        assert attack.printed in printed


def test_nothing_is_left_behind_and_the_grader_goes_on(grader):
    result = grader(notebook(START))
    assert result.points == result.possible > 0
    assert len(descendants(grader.worker.process.pid)) <= 2  # the process that runs candidates, and its child
