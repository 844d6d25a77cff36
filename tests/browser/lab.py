"""JupyterLab on loopback, with settings, files and kernels of its own: nobody's are read or changed."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Locator, Page

from tests.browser.pages import ROOT

START_SECONDS = 120
RUN_MS = 480_000

# No question about news; and every cell is in the page, also one that is out of sight.
SETTINGS = {
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {"fetchNews": "false"},
    "@jupyterlab/notebook-extension/tracker.jupyterlab-settings": {"windowingMode": "none"},
}


PROMPTS = '[...document.querySelectorAll(".jp-CodeCell .jp-InputPrompt")].map((each) => each.innerText.trim())'
TRACEBACKS = """
[...document.querySelectorAll(".jp-OutputArea-output")].map((each) => each.innerText)
  .filter((each) => each.includes("Traceback (most recent call last)"))""".strip()
# Every cell has its number, or one failed that should not have: then the others stay without.
HAS_RUN = f"(expected) => {PROMPTS}.every((each) => /[0-9]/.test(each)) || {TRACEBACKS}.length > expected"


@dataclass(frozen=True)
class Lab:
    """A JupyterLab that runs.

    Args:
        address: "http://127.0.0.1:PORT/".
        token: what opens it.
        root: the folder that it shows.
    """

    address: str
    token: str
    root: Path

    def open(self, path: str) -> str:
        """The address of a notebook below the root, alone: those that were open before would come back."""
        return f"{self.address}lab/tree/{path}?token={self.token}&reset"

    def copy(self, path: str, only: tuple[str, ...] = ("",)) -> Any:
        """Put a notebook of the course below the root, without outputs: those that appear come from this run.

        Args:
            path: from the root of the course.
            only: the cells that have one of these in their source; all of them by default.
        """
        notebook = nbformat.read(ROOT / path, as_version=4)
        notebook.cells = [cell for cell in notebook.cells if any(words in cell.source for words in only)]
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        own = self.root / path
        own.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, own)
        return notebook

    def run(self, page: Page, path: str) -> Locator:
        """Open a notebook below the root, and let every cell run; gives its cells of code."""
        page.goto(self.open(path))
        cells = page.locator(".jp-Notebook .jp-CodeCell")
        cells.first.wait_for()
        page.locator("#jp-main-statusbar", has_text="| Idle").wait_for()  # before that, Run asks for a kernel
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        return cells

    def run_all(self, page: Page, path: str, only: tuple[str, ...] = ("",)) -> Locator:
        """Open a notebook of the course, run every cell, and see that only those raise that should.

        Args:
            page: of a browser that may reach this JupyterLab.
            path, only: see copy.

        Returns:
            Its cells of code.
        """
        notebook = self.copy(path, only)
        cells = self.run(page, path)
        raising = [cell for cell in notebook.cells if "raises-exception" in cell.metadata.get("tags", [])]
        page.wait_for_function(HAS_RUN, arg=len(raising), timeout=RUN_MS)
        tracebacks = page.evaluate(TRACEBACKS)
        assert len(tracebacks) == len(raising), "\n\n".join(tracebacks)
        assert page.evaluate(PROMPTS) == [f"[{number}]:" for number in range(1, cells.count() + 1)]
        return cells


def free_port() -> int:
    """A port of loopback on which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def start_lab(folder: Path) -> Iterator[Lab]:
    """Start JupyterLab on `folder`/course, and end it and its kernels afterwards.

    Raises:
        RuntimeError: it does not answer in time; with what it printed.
    """
    port, token, root = free_port(), secrets.token_hex(16), folder / "course"
    root.mkdir()
    for name, settings in SETTINGS.items():
        file = folder / "settings" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings), encoding="utf-8")
    own = {"CONFIG_DIR": "config", "DATA_DIR": "data", "RUNTIME_DIR": "runtime"}
    environment = {
        **os.environ,
        **{f"JUPYTER_{name}": str(folder / place) for name, place in own.items()},
        "JUPYTER_TOKEN": token,
        "IPYTHONDIR": str(folder / "ipython"),
        "MINILLAMA_HOME": str(folder / "home"),
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    command += [f"--ServerApp.root_dir={root}", f"--LabApp.user_settings_dir={folder / 'settings'}"]
    command += [f"--LabApp.workspaces_dir={folder / 'workspaces'}"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with (folder / "lab.log").open("w+", encoding="utf-8") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            lab = Lab(f"http://127.0.0.1:{port}/", token, root)
            _wait_for(lab, server, Path(log.name))
            yield lab
        finally:
            server.terminate()  # JupyterLab then ends its kernels
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_for(lab: Lab, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{lab.address}api/status?token={lab.token}", timeout=10):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.3)
    raise RuntimeError(f"JupyterLab does not answer: {log.read_text(encoding='utf-8')[-2000:]}")
