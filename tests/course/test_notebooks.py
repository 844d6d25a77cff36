"""Running notebooks, and stripping them of what only changes."""

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from minillama.course import notebooks
from minillama.course.notebooks import WIDGET_VIEW

TIMES = {"execution": {"shell.execute_reply": "2026-01-01T00:00:00Z"}}


def notebook_with(*outputs):
    cell = nbformat.v4.new_code_cell("1 + 1", outputs=list(outputs), metadata={**TIMES, "tags": ["keep"]})
    metadata = {"widgets": {"state": {}}, "kernelspec": {"name": "my-env", "display_name": "my env"}}
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Title"), cell], metadata=metadata)


def display(**kinds):
    return nbformat.v4.new_output("display_data", data={key.replace("_", "/"): value for key, value in kinds.items()})


def test_strip_takes_out_widget_state_and_times_and_keeps_tags():
    notebook = notebook_with()
    notebooks.strip(notebook)
    assert "widgets" not in notebook.metadata
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.cells[1].metadata == {"tags": ["keep"]}
    nbformat.validate(notebook)


def test_strip_drops_a_bare_widget_and_keeps_the_page_beside_one():
    bare = nbformat.v4.new_output("display_data", data={WIDGET_VIEW: {"model_id": "1"}, "text/plain": "HBox()"})
    page = nbformat.v4.new_output("display_data", data={WIDGET_VIEW: {"model_id": "2"}, "text/html": "<p>page</p>"})
    text = display(text_plain="2")
    notebook = notebook_with(bare, page, text)
    notebooks.strip(notebook)
    assert [dict(output.data) for output in notebook.cells[1].outputs] == [
        {"text/html": "<p>page</p>"},
        {"text/plain": "2"},
    ]


def test_command_line_says_when_it_changed_a_file_and_then_leaves_it_alone(tmp_path):
    path = tmp_path / "lesson.ipynb"
    nbformat.write(notebook_with(), path)
    assert notebooks.main([str(path)]) == 1
    stripped = path.read_bytes()
    assert notebooks.main([str(path)]) == 0
    assert path.read_bytes() == stripped
    assert [file.name for file in tmp_path.iterdir()] == ["lesson.ipynb"]


def test_execute_runs_in_the_notebooks_folder(tmp_path):
    (tmp_path / "word.txt").write_text("found", encoding="utf-8")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("open('word.txt').read()")])
    path = tmp_path / "lesson.ipynb"
    nbformat.write(notebook, path)
    assert notebooks.main(["--execute", str(path)]) == 0
    (cell,) = nbformat.read(path, as_version=4).cells
    assert cell.execution_count == 1
    assert cell.outputs[0].data["text/plain"] == "'found'"
    assert "execution" not in cell.metadata


def test_execute_stops_at_a_cell_that_raises(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        notebooks.execute(notebook, tmp_path)
