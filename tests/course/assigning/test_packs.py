"""A pack from the example, and every fault that a teacher can make, seen and said in a line."""

from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from minillama.cli import app
from minillama.course.grading.lessons import import_files, load_course
from minillama.course.grading.packs import EXAMPLE, check_pack, new_pack
from minillama.course.grading.proving_notebooks import lesson_faults
from minillama.course.proving import task_faults
from minillama.errors import ConfigError, DataError

RECORD, ANSWERS, NOTEBOOK = "records/distance.py", "answers/distance.py", "solutions/p1_distance.ipynb"


@pytest.fixture
def pack(tmp_path):
    return new_pack(tmp_path / "pack")


def run(*arguments):
    return CliRunner().invoke(app, ["pack", *map(str, arguments)])


def test_the_example_holds_and_is_copied_whole(tmp_path):
    result = run("new", tmp_path / "mine")
    assert (result.exit_code, result.stdout.strip()) == (0, str(tmp_path / "mine"))
    kept = {path.relative_to(EXAMPLE) for path in EXAMPLE.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert {path.relative_to(tmp_path / "mine") for path in (tmp_path / "mine").rglob("*") if path.is_file()} == kept
    result = run("check", tmp_path / "mine", "--seeds", 5)
    assert result.exit_code == 0, result.output
    for task in ("distance.distance_bias", "distance.repair_cap", "distance.test_cap"):
        assert task in result.stdout
    assert "3 records hold, each on 5 draws" in result.stderr
    with pytest.raises(DataError, match="is there already"):
        new_pack(tmp_path / "mine")
    assert run("new", tmp_path / "mine").exit_code == 2


def change(pack, file, old, new):
    path = pack / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def change_notebook(pack, change):
    notebook = nbformat.read(pack / NOTEBOOK, as_version=4)
    change({cell.id: cell for cell in notebook.cells}, notebook)
    nbformat.write(notebook, pack / NOTEBOOK)


def add_to(cell, text):
    return lambda cells, _: cells[cell].update(source=cells[cell].source + text)


RECORDS = [
    ((RECORD, '"Which sign has your bias for the farthest key?"', '"Look at the sign."'), "rewards, question"),
    ((RECORD, "minutes=12", "minutes=0"), "minutes: got 0, expected more than 0"),
    ((RECORD, 'if "clamped" in bugs', 'if "clomped" in bugs'), "misconception clamped"),
    ((RECORD, "(size * rng.standard_normal((2, T, S)))", "(size * np.ones((2, T, S)))"), "distance.repair_cap"),
    ((RECORD, 'outputs=("the bias",),', 'outputs=("the bias",), rtol=9.0,'), "misconception"),
    ((ANSWERS, "RIGHT[BIAS] = [by_loops, by_outer, by_tril]", "RIGHT[BIAS] = [by_loops]"), "right answers: got 1"),
    ((ANSWERS, 'WRONG[CAP, "no_cap"]', 'WRONG[CAP, "none"]'), "misconception no_cap"),
    ((ANSWERS, "torch.zeros(H, T, S)]", "by_loops(T, S, H)]"), "stray answer 2"),
    ((ANSWERS, "return hidden(bent(scores, cap)).softmax(-1)", "return hidden(scores).softmax(-1)"), "right answer 2"),
]


@pytest.mark.parametrize(("changed", "words"), RECORDS, ids=[words for _, words in RECORDS])
def test_a_fault_in_a_record_or_its_answers_is_seen(changed, words, pack):
    change(pack, *changed)
    course = load_course(pack, pack)
    books = list(import_files(pack / "answers", "known_answers").values())
    tasks = [task for lesson in course.lessons.values() for task in lesson.tasks.values()]
    faults = [str(fault) for task in tasks for fault in task_faults(task, books, course.lessons, range(2))]
    assert any(words in fault for fault in faults), faults
    assert all("got" in fault and "expected" in fault for fault in faults)


NOTEBOOKS = [
    (add_to("task-repair-cap", "\n\n`bent = cap * (scores / cap).tanh()`"), "the answer's line"),
    (add_to("title", " [there](../nowhere.md)"), "'../nowhere.md'"),
    (add_to("try-test-cap", '\ncourse.check("distance.test_cap", test_cap)'), "expected none in a pack"),
    (add_to("try-test-cap", '\ncourse.quiz("distance.none")'), "course.quiz"),
    (add_to("colleague", '\nopen("/home/ada/x")'), "path of one machine"),
    (lambda cells, _: cells["task-test-cap"].update(source="## 3 · Write the test that tells"), "another one, or none"),
    (lambda cells, _: cells["task-distance-bias"].update(
        source=cells["task-distance-bias"].source.replace("s_h = 2^", "s_h is 2^")), "'phrases'|phrases"),
    (lambda cells, _: cells["answer-repair-cap"].update(
        source=cells["answer-repair-cap"].source.replace("bent, -math.inf", "scores, -math.inf")), "the answer in"),
    (lambda cells, _: cells["answer-repair-cap"].update(
        source=cells["answer-repair-cap"].source.replace("    # end", "")), "no end"),
    (lambda cells, _: cells["colleague"].update(source="import nothing_of_this_name"), "ModuleNotFoundError"),
]  # fmt: skip


@pytest.mark.parametrize(("changed", "words"), NOTEBOOKS, ids=[words for _, words in NOTEBOOKS])
def test_a_fault_in_a_notebook_is_seen(changed, words, pack):
    change_notebook(pack, changed)
    (lesson,) = load_course(pack, pack).lessons.values()
    faults = [str(fault) for fault in lesson_faults(lesson, pack / "solutions", public=False)]
    assert any(part in fault for fault in faults for part in words.split("|")), faults


def test_a_record_that_no_notebook_asks_for_is_seen(pack):
    def drop(cells, notebook):
        notebook.cells = [cell for cell in notebook.cells if not cell.id.endswith("test-cap")]

    change_notebook(pack, drop)
    found = check_pack(pack, seeds=1)
    assert [fault.where for fault in found.others] == ["records/distance.py"]


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        (RECORD, "import nothing_of_this_name", "ModuleNotFoundError"),
        (RECORD, "TASKS = ()", "expected the id of a record"),
        (ANSWERS, "x = 1", "RIGHT, WRONG or STRAY"),
        (ANSWERS, "def f(:", "SyntaxError"),
    ],
)
def test_a_pack_that_cannot_be_read_is_one_line(file, text, words, pack):
    (pack / file).write_text(text, encoding="utf-8")
    result = run("check", pack)
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_faults_are_printed_and_end_with_2(pack):
    change(pack, RECORD, "minutes=12", "minutes=0")
    result = run("check", pack, "--seeds", 1)
    assert result.exit_code == 2
    assert "distance.repair_cap: minutes: got 0, expected more than 0: change the record" in result.stdout


def test_a_folder_that_is_no_pack_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"no records/\*\.py"):
        check_pack(tmp_path)


def test_the_example_is_assigned_in_every_variant(pack, tmp_path):
    (tmp_path / "secret.txt").write_text("a secret of the course's", encoding="utf-8")
    made = tmp_path / "x.zip"
    arguments = ["assign", "p1_distance", "--pack", str(pack), "--out", str(made), "--learner", "ada"]
    result = CliRunner().invoke(app, [*arguments, "--secret-file", str(tmp_path / "secret.txt")])
    assert result.exit_code == 0, result.output
    assert Path(result.stdout.strip()) == made
