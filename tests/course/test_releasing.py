"""exercises/ from solutions/: stubs, leaks, and an assignment that is put back to its beginning."""

from pathlib import Path

import nbformat
import pytest

from minillama.course.grading.lessons import load_course
from minillama.course.grading.proving_notebooks import lesson_faults
from minillama.course.releasing import exercise_of, leaks, release, reset, stub
from minillama.course.tasks import tasks_of
from minillama.errors import DataError

ROOT = Path(__file__).parents[2]
COURSE = load_course(ROOT)
SOLUTIONS = sorted((ROOT / "solutions").glob("*.ipynb"))
ANSWER = """def f(x):
    \"\"\"Doc.\"\"\"
    # answer: do "this" (one line)
    return x + 12345678
    # end


value = {
    "speed": [1.0, 0.1],  # answer
    "kept": 3,
}
other = 7 * 6  # answer"""


def notebook(source=ANSWER, tags=("answer",), note="# Title"):
    cell = nbformat.v4.new_code_cell(source, id="answer-f", metadata={"tags": list(tags)})
    cell.outputs, cell.execution_count = [nbformat.v4.new_output("stream", text="12345678")], 3
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(note, id="title"), cell])


def test_answers_become_stubs():
    source, taken = stub(ANSWER)
    assert 'raise NotImplementedError("do \\"this\\" (one line)")' in source
    assert '"speed": ...,' in source
    assert '"kept": 3,' in source
    assert "other = ..." in source
    assert "12345678" not in source
    assert taken == ["return x + 12345678", "[1.0, 0.1]", "7 * 6"]
    compile(source, "stub", "exec")


def test_outputs_go_and_ids_stay():
    exercise, _ = exercise_of(notebook())
    assert exercise.cells[1].outputs == []
    assert exercise.cells[1].execution_count is None
    assert [cell.id for cell in exercise.cells] == ["title", "answer-f"]


@pytest.mark.parametrize("source", ["# answer: x\nreturn 1", "# end", "    # answer: x\n    # answer: y\n"])
def test_marks_that_do_not_match_are_refused(source):
    with pytest.raises(DataError):
        stub(source)


def test_an_answer_without_its_tag_is_refused():
    with pytest.raises(DataError, match="tagged"):
        exercise_of(notebook(tags=()))
    with pytest.raises(DataError, match="tagged"):
        exercise_of(notebook(source="x = 1"))


def test_a_leaking_answer_is_seen(tmp_path):
    exercise, taken = exercise_of(notebook(note="Just `return x+12345678`."))
    assert leaks(exercise, taken) == ["return x + 12345678"]
    (tmp_path / "solutions").mkdir()
    (tmp_path / "exercises").mkdir()
    nbformat.write(notebook(note="return x + 12345678"), tmp_path / "solutions" / "09_leak.ipynb")
    with pytest.raises(DataError, match="would show"):
        release(tmp_path)


def test_release_writes_once_and_reset_keeps_what_was_there(tmp_path):
    for folder in ("solutions", "exercises"):
        (tmp_path / folder).mkdir()
    nbformat.write(notebook(), tmp_path / "solutions" / "09_f.ipynb")
    assert release(tmp_path, check=True) == ["09_f.ipynb"]
    assert not (tmp_path / "exercises" / "09_f.ipynb").exists()
    assert release(tmp_path) == ["09_f.ipynb"]
    assert release(tmp_path) == []
    target = tmp_path / "exercises" / "09_f.ipynb"
    worked_on = nbformat.read(target, as_version=4)
    worked_on.cells[1].source = "mine = 1"
    nbformat.write(worked_on, target)
    assert release(tmp_path, check=True) == ["09_f.ipynb"]
    for number in (1, 2):
        path, kept = reset(tmp_path, "09", tmp_path / "kept")
        assert path == target
        assert kept == (tmp_path / "kept" / "09_f-01.ipynb" if number == 1 else None)
    assert nbformat.read(tmp_path / "kept" / "09_f-01.ipynb", as_version=4).cells[1].source == "mine = 1"
    assert release(tmp_path, check=True) == []
    with pytest.raises(DataError, match="has no exercises"):
        reset(tmp_path, "33", tmp_path / "kept")


# What is committed


def test_committed_exercises_are_what_release_writes():
    assert release(ROOT, check=True) == [], "run minillama release"


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_nothing_of_an_answer_is_in_the_assignment(path):
    _, taken = exercise_of(nbformat.read(path, as_version=4))
    exercise = nbformat.read(ROOT / "exercises" / path.name, as_version=4)
    assert taken
    assert leaks(exercise, taken) == []
    assert all(not cell.get("outputs") for cell in exercise.cells)


@pytest.mark.parametrize("stem", COURSE.lessons)
def test_solution_holds_what_an_assignment_is_made_of(stem):
    """Its cells, lines and checks; stubs that fail and answers that pass; every variant in words of its own."""
    lesson = COURSE.lessons[stem]
    assert list(lesson.wanted.values()) == [task.id for task in tasks_of(stem)]
    assert [str(fault) for fault in lesson_faults(lesson, ROOT / "solutions", public=True)] == []
