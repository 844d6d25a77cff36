"""What is assigned, handed in: the solution's answers are worth everything, the stubs nothing, in each own variant."""

import io
import json
import zipfile

import nbformat
import pytest

from minillama.course.grading.assigning import Handout
from minillama.course.grading.drawing import variant_of
from minillama.course.grading.grading import Plan, grade
from minillama.course.grading.handing_out import Recipient, archive
from minillama.course.grading.lessons import load_course
from minillama.course.grading.limits import Limits
from minillama.course.grading.packs import new_pack
from minillama.course.tasks import find_task
from tests.course.grading.handing_in import ROOT, SEED

SECRET = "a secret of the course's"
LEARNERS = ("ada", "grace", "stub", "copied")  # the last hands in the public solution
CHOSEN = ("rope.repair_tables", "rope.partial_rotary", "rope.test_rope")
PARTIAL = """def partial_rotary(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    R = 2 * cos.shape[1]
    turning, rest = (x[..., :R], x[..., R:]) if {first} else (x[..., -R:], x[..., :-R])
    order = torch.arange(R).view(2, -1).T.flatten() if {halves} else torch.arange(R)
    turned = apply_rope(turning[..., order], cos, sin)[..., order.argsort()]
    return torch.cat((turned, rest) if {first} else (rest, turned), dim=-1)
"""


def handed_in(lesson, tasks, folder, own):
    """Submissions of all learners; `own` gives a learner's answers to some tasks."""
    solved = {cell.id: cell.source for cell in lesson.notebook.cells}
    given = Handout(lesson=lesson, points={each: lesson.tasks[each].points for each in tasks}, name="week")
    for learner in LEARNERS:
        data = archive(given, SECRET, Recipient(learner=learner, drawn_for=learner))
        with zipfile.ZipFile(io.BytesIO(data)) as opened:
            made = nbformat.reads(opened.read(f"week/{lesson.stem}.ipynb").decode(), as_version=4)
        for cell in made.cells if learner != "stub" else ():
            task = lesson.wanted.get(cell.id)
            if task in tasks:
                cell.source = own(task, learner) or solved[cell.id]
        (folder / learner).mkdir(parents=True)
        nbformat.write(made, folder / learner / f"{lesson.stem}.ipynb")
    return folder


def points(out):
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))["results"]
    return {each["learner"]: {one["task"]: one["credit"] for one in each["outcomes"]} for each in results}


def test_an_assigned_lesson_is_graded_in_each_learners_variant(sandboxed, tmp_path):
    def own(task, learner):
        drawn = variant_of(find_task(task), SECRET, learner)
        if learner == "copied":
            return None
        return drawn and PARTIAL.format(first=drawn["side"] == "first", halves=drawn["pairing"] == "halves")

    lesson = load_course(ROOT).lessons["04_rope"]
    folder = handed_in(lesson, CHOSEN, tmp_path / "in", own)
    grade(
        Plan(submissions=folder, out=tmp_path / "out", root=ROOT, seed=SEED, secret=SECRET, limits=Limits(wall_s=150))
    )
    found = points(tmp_path / "out")
    assert found["copied"].pop("rope.partial_rotary") == 0.0
    for learner in LEARNERS:
        wanted = {0.0 if learner == "stub" else 1.0}
        assert {credit for task, credit in found[learner].items() if task in CHOSEN} == wanted, learner


def test_the_example_pack_is_graded_in_its_public_variant(sandboxed, tmp_path):
    pack = new_pack(tmp_path / "pack")
    (lesson,) = load_course(pack, pack).lessons.values()
    folder = handed_in(lesson, tuple(lesson.tasks), tmp_path / "in", lambda task, learner: None)
    plan = Plan(submissions=folder, out=tmp_path / "out", root=ROOT, pack=pack, seed=SEED, limits=Limits(wall_s=150))
    grade(plan)
    for learner, found in points(tmp_path / "out").items():
        wanted = 0.0 if learner == "stub" else 1.0
        assert {credit for task, credit in found.items() if task != "distance.distance_bias"} == {wanted}


@pytest.mark.parametrize("learner", LEARNERS)
def test_variants_differ_between_learners_of_this_class(learner):
    assert variant_of(find_task("rope.partial_rotary"), SECRET, learner)
