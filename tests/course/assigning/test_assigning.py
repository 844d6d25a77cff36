"""From a pristine notebook to a learner's: chosen tasks, drawn variants, no answers, and the same bytes again."""

import builtins
import io
import re
import zipfile
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from minillama.cli import app
from minillama.course.grading.assigning import Handout, assigned_notebook, defined, needed
from minillama.course.grading.drawing import variant_of
from minillama.course.grading.handing_out import Recipient, archive, safe_name, write_archives
from minillama.course.grading.lessons import load_course
from minillama.course.grading.proving_notebooks import answers_of
from minillama.course.grading.reading import matches, pick_answers, read_cells
from minillama.course.judging import judge
from minillama.course.releasing import exercise_of, leaks
from minillama.course.running import observe
from minillama.course.tasks import find_task
from minillama.errors import ConfigError

ROOT = Path(__file__).parents[3]
LESSONS = load_course(ROOT).lessons
FAMILIES = [(stem, task) for stem, lesson in LESSONS.items() for task in lesson.tasks.values() if task.build]
SECRET = "a secret of the course's"
LAST_HALVES = {"rope.partial_rotary": {"side": "last", "pairing": "halves"}}
TURNS_THE_LAST = """def partial_rotary(x, cos, sin):
    R = 2 * cos.shape[1]
    rest, (a, b) = x[..., :-R], x[..., -R:].float().unflatten(-1, (2, -1)).unbind(-2)
    cos, sin = cos[:, None], sin[:, None]
    return torch.cat((rest, (a * cos - b * sin).to(x.dtype), (a * sin + b * cos).to(x.dtype)), -1)
"""
CLASS = """
title = "Spring"
timezone = "Europe/Berlin"
secret = "secret.txt"
[[assignment]]
name = "turns"
lesson = "04"
tasks = ["rope.partial_rotary", "rope.test_rope"]
points = { "rope.test_rope" = 2.5 }
due = 2027-03-08T23:59:00
[[learner]]
id = "ada"
[[learner]]
id = "grace"
[[extension]]
learner = "ada"
assignment = "turns"
due = 2027-03-11T23:59:00
"""


def handout(stem, *tasks):
    lesson = LESSONS[stem]
    return Handout(lesson=lesson, points={each: lesson.tasks[each].points for each in tasks or lesson.tasks}, name=stem)


def filled(notebook, stem, **changed):
    """A notebook with the solution's answers, and some others."""
    answers = {cell.id: cell.source for cell in LESSONS[stem].notebook.cells}
    for cell in notebook.cells:
        name = cell.metadata.get("minillama", {}).get("task", "")
        if name and ("NotImplementedError" in cell.source or "..." in cell.source):
            cell.source = changed.get(name.rpartition(".")[2], answers[cell.id])
    return notebook


def verdicts(notebook, lesson, variants=None):
    """What each answer of a notebook is worth; without a sandbox, for answers of our own."""
    found = {}
    for name, answer in answers_of(lesson, notebook).items():
        task = lesson.tasks[name].member((variants or {}).get(name))
        found[name] = judge(task, 5, observe(task, answer, task.plan(5).cases)).status
    return found


@pytest.mark.parametrize("stem", LESSONS)
def test_a_whole_lesson_is_its_exercise_without_links(stem):
    made = assigned_notebook(handout(stem), {})
    released = nbformat.read(ROOT / "exercises" / f"{stem}.ipynb", as_version=4)
    assert [cell.id for cell in made.cells] == [cell.id for cell in released.cells]
    code = [[cell.source for cell in each.cells if cell.cell_type == "code"] for each in (made, released)]
    assert code[0] == code[1]
    assert not any("](../" in cell.source for cell in made.cells)


@pytest.mark.parametrize("stem", LESSONS)
def test_one_task_alone_finds_all_that_it_needs(stem):
    _, taken = exercise_of(LESSONS[stem].notebook)
    for task in LESSONS[stem].tasks:
        made = assigned_notebook(handout(stem, task), {})
        assert task in [cell.metadata.minillama.task for cell in made.cells if "minillama" in cell.metadata]
        assert leaks(made, taken) == []
        assert not re.search(r"task[s ]*\d", made.cells[0].source)
        known = set(dir(builtins)) | {"__name__"}
        for cell in filled(made, stem).cells:
            if cell.cell_type == "code":
                assert needed([cell.source]) <= known, cell.id
                known |= defined([cell.source])


@pytest.mark.parametrize(("stem", "task"), FAMILIES, ids=lambda each: getattr(each, "id", ""))
def test_every_variant_has_words_of_its_own(stem, task):
    """No two members read alike."""
    texts = {}
    for variant in task.members:
        made = assigned_notebook(handout(stem, task.id), {task.id: variant})
        text = "\n".join(cell.source for cell in made.cells if "course.check" not in cell.source)
        assert texts.setdefault(text, variant) == variant
        (call,) = [cell.source for cell in made.cells if f'course.check("{task.id}"' in cell.source]
        assert eval(call, {"course": _Course, task.name: None}) == (task.id, variant)


class _Course:
    check = staticmethod(lambda task, _, variant: (task, variant))


def test_a_drawn_variant_is_asked_and_answered():
    made = assigned_notebook(handout("04_rope", "rope.partial_rotary"), LAST_HALVES)
    text = "\n".join(cell.source for cell in made.cells)
    assert "## 8 · Turn only the last channels" in text
    assert "**last R channels** of every head, the i-th and the (R/2 + i)-th of these as a pair," in text
    assert "about 12 minutes" in text
    assert 'course.where("04_rope", only=["rope.partial_rotary"])' in text
    assert "from minillama.rope import apply_rope" in text
    assert "rope_frequencies" not in text.replace("rope.rope_frequencies", "")
    stub = verdicts(made, LESSONS["04_rope"], LAST_HALVES)
    assert stub["rope.partial_rotary"] == "stub"
    right = filled(made, "04_rope", partial_rotary=TURNS_THE_LAST)
    assert verdicts(right, LESSONS["04_rope"], LAST_HALVES)["rope.partial_rotary"] == "passed"
    assert verdicts(right, LESSONS["04_rope"])["rope.partial_rotary"] == "wrong"


@pytest.mark.parametrize("stem", ["03_norm", "04_rope", "15_alpaca"])
def test_filled_with_the_solutions_answers_it_is_right_and_as_it_is_worth_nothing(stem):
    made = assigned_notebook(handout(stem), {})
    kept = [task for task in LESSONS[stem].tasks.values() if task.kind != "experiment"]
    found = verdicts(made, LESSONS[stem])
    assert {found[task.id] for task in kept} == {"stub"}
    found = verdicts(filled(made, stem), LESSONS[stem])
    assert {found[task.id] for task in kept} == {"passed"}


def test_the_grader_finds_the_answers_of_an_assigned_notebook():
    lesson = LESSONS["04_rope"]
    made = filled(assigned_notebook(handout("04_rope", "rope.partial_rotary"), LAST_HALVES), "04_rope")
    cells = read_cells(nbformat.writes(made).encode())
    answers = pick_answers(cells, lesson.wanted, lesson.provided)
    assert set(answers.sources) == {"rope.partial_rotary", "rope.apply_rope"}
    assert answers.notes == ()
    assert matches(cells, lesson.wanted) == 2


def test_an_archive_is_the_same_again_and_names_what_to_hand_in():
    given = handout("04_rope", "rope.partial_rotary")
    to = Recipient(learner="ada", drawn_for="ada", due="Monday")
    data = archive(given, SECRET, to)
    assert data == archive(given, SECRET, to)
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert opened.namelist() == ["04_rope/04_rope.ipynb", "04_rope/README.txt"]
        assert {each.date_time for each in opened.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        readme = opened.read("04_rope/README.txt").decode()
        notebook = nbformat.reads(opened.read("04_rope/04_rope.ipynb").decode(), as_version=4)
    assert "one task: 6 points, about 12 minutes; due Monday." in readme
    assert "For ada." in readme
    drawn = variant_of(find_task("rope.partial_rotary"), SECRET, "ada")
    assert f"**{drawn['side']} R channels**" in "\n".join(cell.source for cell in notebook.cells)
    assert all(not cell.get("outputs") for cell in notebook.cells)


def test_names_are_safe_and_two_learners_never_share_a_file(tmp_path):
    assert [safe_name(each) for each in ("Week 3: norms?", "../../x", "nul", "a/b\\c", "\u202e", "ada.")] == [
        "Week-3-norms", "x", "_nul", "a-b-c", "unnamed", "ada",
    ]  # fmt: skip
    people = [Recipient(learner="a b"), Recipient(learner="A-b")]
    with pytest.raises(ConfigError, match="would both be given"):
        write_archives(handout("04_rope"), "", people, tmp_path)
    assert list(tmp_path.iterdir()) == []


# The command


@pytest.fixture
def spring(tmp_path):
    (tmp_path / "course.toml").write_text(CLASS, encoding="utf-8")
    (tmp_path / "secret.txt").write_text(SECRET, encoding="utf-8")
    return tmp_path / "course.toml"


def run(*arguments):
    return CliRunner().invoke(app, ["assign", "--root", str(ROOT), *map(str, arguments)])


def test_everybody_in_a_class_is_given_an_archive(spring, tmp_path):
    out = tmp_path / "out"
    result = run("--course", spring, "--roster", "--out", out)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [str(out / "ada.zip"), str(out / "grace.zip")]
    texts = {}
    for name in ("ada", "grace"):
        with zipfile.ZipFile(out / f"{name}.zip") as opened:
            texts[name] = opened.read("turns/README.txt").decode()
            notebook = opened.read("turns/04_rope.ipynb").decode()
        assert "2.5 points*" in notebook
    assert "2 tasks: 8.5 points" in texts["ada"]
    assert "due Thursday, 11 March 2027, 23:59 (Europe/Berlin)" in texts["ada"]
    assert "due Monday, 08 March 2027, 23:59 (Europe/Berlin)" in texts["grace"]
    alone = run("--course", spring, "--learner", "ada", "--out", tmp_path / "one.zip")
    assert alone.exit_code == 0
    assert (tmp_path / "one.zip").read_bytes() == (out / "ada.zip").read_bytes()


def test_a_lesson_is_assigned_without_a_class(tmp_path):
    result = run("04", "--task", "rope.test_rope", "--out", tmp_path / "x.zip")
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path / 'x.zip'}\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "got no --out"),
        (("--out", "x.zip"), "got no lesson"),
        (("77", "--out", "x.zip"), "expected one of 00_start_here"),
        (("04", "--task", "rope.tset_rope", "--out", "x.zip"), "rope.tset_rope"),
        (("04", "--roster", "--out", "x"), "--roster needs --course"),
        (("04", "--course", "{spring}", "--out", "x.zip"), "leave the others out"),
        (("--course", "{spring}", "--learner", "eve", "--out", "x.zip"), "expected an id of its roster"),
    ],
)
def test_what_cannot_be_assigned_is_one_line(arguments, words, spring, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*(str(spring) if each == "{spring}" else each for each in arguments))
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "x.zip").exists()


@pytest.mark.parametrize(
    ("variant", "words"),
    [({"side": "middle"}, "no variant with"), ({"side": "last", "pairing": "halves", "x": 1}, "varies in")],
)
def test_a_variant_that_there_is_none_of_is_refused(variant, words):
    with pytest.raises(ConfigError, match=words):
        find_task("rope.partial_rotary").member({"pairing": "halves"} | variant)
    with pytest.raises(ConfigError, match="has no variants"):
        find_task("rope.apply_rope").member(variant)
