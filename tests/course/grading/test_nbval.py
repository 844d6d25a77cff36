"""What we lean on in nbval, pinned: an upgrade that changes it fails here, and not in a grade."""

import inspect
import json
import os
import subprocess
import sys

import nbval.kernel
import nbval.plugin
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output, writes

from minillama.course.grading.reading import without_orders

PLUGIN = """
import json, pathlib, nbval.plugin
class Seen:
    def __init__(self): self.lines = []
    def pytest_runtest_logreport(self, report):
        if report.when == "call":
            self.lines.append([report.nodeid.rpartition("::")[2], report.outcome, hasattr(report, "wasxfail")])
"""
MAIN = (
    PLUGIN
    + """
import pytest, sys
seen = Seen()
pytest.main(["--nbval", "--nbval-current-env", "-p", "nbval.plugin", "-p", "no:cacheprovider", "--noconftest",
             "-c", "empty.ini", *sys.argv[1:], "x.ipynb"], plugins=[seen])
pathlib.Path("seen.json").write_text(json.dumps(seen.lines))
"""
)


def run(folder, *cells, options=()):
    """What nbval says of each cell."""
    (folder / "x.ipynb").write_text(writes(new_notebook(cells=list(cells))), encoding="utf-8")
    (folder / "empty.ini").write_text("[pytest]\n")
    env = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    subprocess.run(
        [sys.executable, "-c", MAIN, *options], cwd=folder, env=env, check=True, capture_output=True, timeout=120
    )
    return [tuple(each) for each in json.loads((folder / "seen.json").read_text())]


def cell(source, *tags, count=1, output=None):
    made = new_code_cell(source, metadata={"tags": list(tags)})
    made.execution_count = count
    made.outputs = [] if output is None else [new_output("stream", name="stdout", text=output)]
    return made


def test_one_item_a_code_cell_in_order_and_on_after_an_error(tmp_path):
    found = run(
        tmp_path,
        cell("x = 1"), cell("print(x)", output="1\n"), cell("print(x)", output="2\n"), cell("1 / 0"),
        cell("print(x)", output="1\n"),
    )  # fmt: skip
    assert found == [
        ("Cell 0", "passed", False), ("Cell 1", "passed", False), ("Cell 2", "failed", False),
        ("Cell 3", "failed", False), ("Cell 4", "passed", False),
    ]  # fmt: skip


def test_a_cell_without_a_count_is_run_and_not_compared(tmp_path):
    assert run(tmp_path, cell("print(1)", count=None))[0][1] == "passed"


def test_a_cell_with_a_count_and_no_outputs_is_compared(tmp_path):
    assert run(tmp_path, cell("print(1)"))[0][1] == "failed"


def test_the_tag_keeps_outputs_from_being_compared(tmp_path):
    assert run(tmp_path, cell("print(1)", "nbval-ignore-output", output="2\n"))[0][1] == "passed"


def test_comments_in_a_cell_give_orders(tmp_path):
    """Which is why those of learners are spoilt before."""
    found = run(tmp_path, cell("# NBVAL_SKIP\n1 / 0"), cell("# NBVAL_SKIP.\n1 / 0"))
    assert [each[1] for each in found] == ["skipped", "failed"]


@pytest.mark.parametrize("order", nbval.plugin.comment_markers)
@pytest.mark.parametrize("form", ["{}", "x = 1\n  ##  # {}  ", "# a\u2028# {}", "# a\x0b#{}\x1c# b", "\r# {}\r\nx"])
def test_no_order_gets_through(order, form):
    source = form.format(f"# {order}" if form == "{}" else order)
    assert list(nbval.plugin.find_comment_markers(source)) or form == "x = 1\n  ##  # {}  "
    assert not list(nbval.plugin.find_comment_markers(without_orders(source)))


def test_what_is_raised_is_no_failure_where_it_is_announced(tmp_path):
    """Even where nothing is raised: the tag requires nothing."""
    found = run(tmp_path, cell("1 / 0", "raises-exception", count=None), cell("x = 1", "raises-exception", count=None))
    assert [each[1] for each in found] == ["passed", "passed"]


def test_what_is_printed_as_an_error_is_output_too(tmp_path):
    source = "import sys; print('x', file=sys.stderr)"
    assert [each[1] for each in run(tmp_path, cell(source), cell(source, count=None))] == ["failed", "passed"]


def test_numbers_are_compared_as_text(tmp_path):
    """Which is why they are compared elsewhere."""
    assert run(tmp_path, cell("print(0.1 + 0.2)", output="0.3\n"))[0][1] == "failed"


def test_the_status_of_the_reply_is_ignored(tmp_path):
    """Which is why an error that is hidden must not pass for a right answer."""
    hide = "get_ipython().showtraceback = lambda *_, **__: None"
    assert [each[1] for each in run(tmp_path, cell(hide), cell("1 / 0"))] == ["passed", "passed"]


def test_cells_after_one_that_took_too_long_are_expected_to_fail(tmp_path):
    found = run(
        tmp_path,
        cell("import time; time.sleep(60)"),
        cell("1 / 0"),
        cell("x = 1"),
        options=("--nbval-cell-timeout", "2"),
    )
    assert [each[1:] for each in found] == [("failed", False), ("skipped", True), ("passed", True)]


@pytest.mark.parametrize(
    ("owner", "name", "parameters"),
    [
        (nbval.plugin.IPyNbCell, "compare_outputs", ["self", "test", "ref", "skip_compare"]),
        (nbval.plugin.IPyNbCell, "runtest", ["self"]),
        (nbval.plugin.IPyNbCell, "setup", ["self"]),
        (nbval.plugin.IPyNbFile, "collect", ["self"]),
        (nbval.plugin.IPyNbFile, "setup", ["self"]),
        (nbval.plugin.IPyNbFile, "teardown", ["self"]),
        (nbval.plugin.IPyNbFile, "get_kernel_message", ["self", "timeout", "stream"]),
        (nbval.kernel.RunningKernel, "get_message", ["self", "stream", "timeout"]),
        (nbval.kernel.RunningKernel, "await_reply", ["self", "msg_id", "timeout"]),
        (nbval.kernel.RunningKernel, "await_idle", ["self", "parent_id", "timeout"]),
        (nbval.kernel.RunningKernel, "execute_cell_input", ["self", "cell_input", "allow_stdin"]),
        (nbval.kernel.RunningKernel, "is_alive", ["self"]),
        (nbval.kernel.RunningKernel, "interrupt", ["self"]),
        (nbval.kernel.RunningKernel, "stop", ["self"]),
    ],
)
def test_what_is_overridden_is_there(owner, name, parameters):
    assert list(inspect.signature(getattr(owner, name)).parameters) == parameters


RUNTEST = (
    "compare_outputs(outs", "get_kernel_message(timeout=self.output_timeout)",
    "kernel.is_alive()", "kernel.interrupt()", "kernel.stop()",
    "self.cell.source", "allow_stdin=False",
)  # fmt: skip


@pytest.mark.parametrize(
    ("function", "calls"),
    [
        (nbval.plugin.IPyNbCell.runtest, RUNTEST),
        (nbval.plugin.IPyNbCell.setup, ["self.parent.timed_out"]),
        (nbval.plugin.IPyNbFile.setup, ["self.kernel = RunningKernel(", "self.setup_sanitize_files()"]),
        (nbval.plugin.IPyNbFile.collect, ["cell.metadata", "self.nb.cells", "cell=cell, options=options"]),
        (nbval.kernel.RunningKernel.execute_cell_input, ["store_history=False", "stop_on_error=False"]),
        (nbval.kernel.RunningKernel._ensure_iopub_up, ["self.await_reply(", "self.await_idle(", "RuntimeError"]),
        (nbval.kernel.RunningKernel.await_reply, ["self.get_message(stream='shell', timeout=timeout)"]),
        (nbval.plugin.pytest_collect_file, ['file_path.suffix == ".ipynb"']),
    ],
)  # fmt: skip
def test_it_is_called_where_we_override_it(function, calls):
    source = inspect.getsource(function)
    assert all(each in source for each in calls)
