"""The course's own notebooks through the whole grader: solutions earn everything, exercises as given out nothing."""

import ast
import json
import re

import pytest

from minillama.course.grading.asking import ask
from minillama.course.grading.lessons import load_course
from tests.course.grading.conftest import GENEROUS, Grader
from tests.course.grading.handing_in import ROOT, notebook, with_answers

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


PEEK = '''
import re, sys
seen = []
def find_the_bug(suspect, right):
    """Looks for words beside the models: in the grader's cell, in what made them, in functions and their names."""
    told = list(globals().get("In", ())) + list(globals().get("_ih", ()))
    frame = sys._getframe()
    while frame is not None:
        told += [repr(value) for value in frame.f_locals.values() if isinstance(value, str | list | dict)]
        frame = frame.f_back
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "") == "graded_inputs":
            told += [repr(vars(module))]
    pieces = suspect.pieces
    for part in (pieces.causal_mask, pieces.apply_rope, pieces.attend, pieces.Block):
        told += [repr(part), getattr(part, "__qualname__", ""), repr(getattr(part, "__closure__", ""))]
        told += [repr(cell.cell_contents) for cell in getattr(part, "__closure__", None) or ()]
    labels = [re.findall(r"(?:right_too|one_too_far|positions|residual|shared|final norm)", each) for each in told]
    print("told:", sorted({one for each in labels for one in each}))
    return "right"
'''


def test_nothing_beside_a_suspect_says_what_its_bug_is(by_course):
    made = with_answers({"model.find_the_bug": PEEK}, "07_model")
    result = by_course(made)
    outcome = next(each for each in result.outcomes if each.task == "model.find_the_bug")
    assert outcome.status == "wrong"
    assert "told: []" in outcome.printed


def test_suspects_differ_in_the_grader_s_cell_by_seeds_norms_and_numbers_alone():
    """What those say can be seen in the weights of a model, which anybody may look at."""
    for seed in range(5):
        asked = ask(COURSE.lessons["07_model"].tasks["model.find_the_bug"], seed, "nonce")
        call = ast.parse(asked.source).body[1].value
        cases = [json.dumps(arguments) for _, arguments in json.loads(call.args[1].value)["cases"]]
        assert len(cases) == 14
        assert len({re.sub(r"\d+|true|false", "", each) for each in cases}) == 1
