"""The course's own notebooks through the whole grader: solutions earn everything, exercises as given out nothing."""

import pytest

from minillama.course.grading.lessons import load_course
from tests.course.grading.conftest import GENEROUS, Grader
from tests.course.grading.handing_in import ROOT, notebook

COURSE = load_course(ROOT)


@pytest.fixture(scope="module")
def by_course(sandboxed, tmp_path_factory):
    """Grades by the course's records."""
    made = Grader(tmp_path_factory.mktemp("handed-in"), limits=GENEROUS, pack=False)
    yield made
    made.close()


@pytest.mark.parametrize("stem", ["00_start_here", "04_rope", "08_generate", "12_kernels"])
def test_solutions_earn_everything_and_exercises_nothing(stem, by_course):
    for folder, full in (("solutions", 1.0), ("exercises", 0.0)):
        result = by_course(notebook(stem, folder))
        earned = {each.task: each.credit for each in result.outcomes if each.kind != "experiment"}
        assert earned == {name: full for name, task in COURSE.lessons[stem].tasks.items() if task.kind != "experiment"}
        assert result.notes == ()
