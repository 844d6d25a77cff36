"""No point that was not earned, nothing outside the sandbox touched, nothing left behind, and the grader goes on."""

import pytest

from minillama.course.grading.watching import descendants
from tests.course.grading.attacking import all_attacks, problems
from tests.course.grading.handing_in import OWN, SLIP, STUB, TARGET, notebook, with_answers

ATTACKS = all_attacks()


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_earns_nothing_and_harms_nothing(name, grader):
    attack = ATTACKS[name]
    assert problems(attack, grader(attack.made, attack.beside)) == []


def test_every_attack_of_the_list_is_there_and_ten_more():
    numbers = {each.number for each in ATTACKS.values()}
    assert numbers >= set(range(1, 29))
    assert len([number for number in numbers if number > 28]) >= 10


def test_honest_ones_earn_what_they_should(grader):
    """After all of that, by the same process."""
    for made in map(notebook, OWN):
        result = grader(made)
        assert result.points == result.possible > 0
    stub, slip = (grader(with_answers({TARGET: source})).outcomes[0] for source in (STUB, SLIP))
    assert (stub.status, stub.credit) == ("stub", 0)
    assert (slip.credit, slip.misconceptions) == (0.25, ("everything",))
    assert slip.sentence == "This looks like a mean over everything."


def test_nothing_is_left_behind(grader):
    assert len(descendants(grader.worker.process.pid)) <= 2  # the process that runs candidates, and its child
