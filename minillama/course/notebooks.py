"""Run notebooks in place, and keep out of them what changes from run to run without saying anything.

python -m minillama.course.notebooks notebooks/*.ipynb             # strip
python -m minillama.course.notebooks --execute notebooks/*.ipynb   # run from top to bottom, then strip
"""

import argparse
import logging
import os
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}

logger = logging.getLogger(__name__)


def strip(notebook: nbformat.NotebookNode) -> None:
    """Take out widget state, widget views, the times of execution and the versions of kernel and tools, in place.

    An output that offers a picture or a page beside its widget keeps those; one that is nothing but a widget goes:
    without a kernel it would read as "HBox(children=...)".
    """
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _is_only_a_widget(output)]
            for output in cell.outputs:
                output.get("data", {}).pop(WIDGET_VIEW, None)


def _is_only_a_widget(output: nbformat.NotebookNode) -> bool:
    kinds = set(output.get("data", {}))
    return WIDGET_VIEW in kinds and kinds <= {WIDGET_VIEW, "text/plain"}


def execute(notebook: nbformat.NotebookNode, folder: Path, timeout_seconds: int = 600) -> None:
    """Run every cell in a fresh kernel whose working folder is `folder`; outputs and counts are replaced, in place.

    What a lesson promotes goes to a folder of its own, which vanishes: nobody's my_llama/ is touched.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raises, and is not tagged `raises-exception`.
        nbclient.exceptions.CellTimeoutError: a cell takes longer than `timeout_seconds`.
    """
    client = NotebookClient(
        notebook,
        timeout=timeout_seconds,
        coalesce_streams=True,  # a stream printed piece by piece reads as one text
        kernel_name=KERNEL["name"],
        resources={"metadata": {"path": str(folder)}},
        store_widget_state=False,
        record_timing=False,
    )
    with tempfile.TemporaryDirectory() as home:
        client.execute(env=os.environ | {"MINILLAMA_HOME": home})


def write(notebook: nbformat.NotebookNode, path: Path) -> bool:
    """Write a notebook whole or not at all; False where the file already held exactly this."""
    text = nbformat.writes(notebook, version=4) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    return True


def main(arguments: list[str] | None = None) -> int:
    """Strip, or run and strip, the notebooks named on the command line; 1 where stripping alone changed a file."""
    parser = argparse.ArgumentParser(prog="python -m minillama.course.notebooks", description=main.__doc__)
    parser.add_argument("--execute", action="store_true", help="run every cell before stripping")
    parser.add_argument("paths", nargs="+", type=Path, metavar="NOTEBOOK")
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(message)s")
    logger.setLevel(logging.INFO)
    changed = False
    for path in options.paths:
        notebook = nbformat.read(path, as_version=4)
        if options.execute:
            logger.info("running %s", path)
            execute(notebook, path.resolve().parent)
        strip(notebook)
        changed |= write(notebook, path)
    return int(changed and not options.execute)


if __name__ == "__main__":
    raise SystemExit(main())
