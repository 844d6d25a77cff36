"""The pictures that an author looks at: every screen and figure, of the right size, or a clear word."""

import sys

import nbformat

from minillama import viz
from tests.browser import screenshots
from tests.browser.pages import MISSING


def test_screens_and_figures_are_written(chromium, tmp_path):
    figure, axes = viz.new_figure()
    axes.plot([0, 1], [0, 1])
    data = viz.show(figure, "A line that rises from zero to one.")._repr_mimebundle_()
    output = nbformat.v4.new_output("display_data", data=data)
    cells = [nbformat.v4.new_markdown_cell("# Title"), nbformat.v4.new_code_cell("1", outputs=[output], id="line")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "one.ipynb")
    screenshots.save_all(chromium, tmp_path / "one.ipynb", tmp_path / "out", whole=False)
    widths = {path.stem: int.from_bytes(path.read_bytes()[16:20], "big") for path in (tmp_path / "out").iterdir()}
    screens = {"desktop_light": 1280, "desktop_dark": 1280, "phone_light": 390, "phone_dark": 390}
    assert screens.items() <= widths.items()
    figures = widths.keys() - screens.keys()
    assert figures == {"figure_01_line_desktop_light", "figure_01_line_phone_dark"}


def test_without_chromium_the_author_is_told(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["screenshots", "one.ipynb", str(tmp_path)])
    assert screenshots.main() == 1
    assert capsys.readouterr().err == MISSING + "\n"
