"""Notebooks as pages that need no network, and a Chromium to open them in.

A lesson is rendered by nbconvert's `lab` template without the scripts that it fetches: require.js and mermaid, which no
lesson needs, and MathJax, in whose place formulas become MathML, which browsers draw themselves.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import latex2mathml.converter
from jinja2 import pass_context
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, Route, sync_playwright

ROOT = Path(__file__).parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "Chromium is not installed: on Debian, apt-get install chromium fonts-dejavu-core"
WITHIN_A_PAGE = ("file:", "data:", "blob:", "about:")
DESKTOP, PHONE = (1280, 900), (390, 844)
SCHEMES = ("light", "dark")
WAIT_MS = 180_000  # for a machine with two slow cores that does other things, too

TEMPLATE = """
{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block html_head_css -%}
<style>
/* The template cuts off long lines of code and breaks words of output; here boxes scroll, and the page does not. */
.jp-InputArea-editor .highlight { overflow-x: auto; }
.jp-RenderedMarkdown :not(pre) > code { overflow-wrap: anywhere; }
.jp-RenderedMarkdown table { display: block; width: max-content; max-width: 100%; overflow-x: auto; }
.jp-RenderedText pre { word-break: normal; overflow-wrap: anywhere; }
math[display="block"] { overflow-x: auto; }
</style>
{%- endblock -%}
"""


class _Renderer(IPythonRenderer):
    def inline_math(self, body: str) -> str:
        return latex2mathml.converter.convert(body)

    def block_math(self, body: str) -> str:
        return latex2mathml.converter.convert(body, display="block")


class _Exporter(HTMLExporter):
    @pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        renderer = _Renderer(
            escape=False,
            attachments=context.get("cell", {}).get("attachments", {}),
            embed_images=True,
            path=context.get("resources", {}).get("metadata", {}).get("path", ""),
            exclude_anchor_links=True,
        )
        return MarkdownWithMath(renderer=renderer).render(source)


@cache
def render(path: Path, scheme: str) -> str:
    """A notebook as one page, with everything in it.

    Args:
        path: to a notebook, with its outputs as they are.
        scheme: "light" or "dark": a theme of JupyterLab's.
    """
    exporter = _Exporter(raw_template=TEMPLATE, theme=scheme)
    page, _ = exporter.from_filename(str(path))
    return page


def find_chromium() -> str | None:
    """Where Chromium is installed, None where it is not."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def start_chromium(executable: str) -> Iterator[Browser]:
    """A headless Chromium without its own sandbox, which a container's root may not have."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page, and what went wrong in it.

    Args:
        page: Playwright's.
        errors: what the console calls an error, and exceptions that nobody caught.
        refused: addresses outside the page that it asked for, in vain.
    """

    page: Page
    errors: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def hear(self, message: ConsoleMessage) -> None:
        """Keep an error of the console."""
        if message.type == "error":
            self.errors.append(message.text)

    def fail(self, error: Error) -> None:
        """Keep an exception."""
        self.errors.append(str(error))


def open_page(
    browser: Browser, size: tuple[int, int] = DESKTOP, scheme: str = "light", allowed: tuple[str, ...] = WITHIN_A_PAGE
) -> Visit:
    """An empty page that reaches nothing but what is allowed.

    Args:
        browser: of start_chromium.
        size: width and height in CSS pixels.
        scheme: "light" or "dark", what a person has set in their system.
        allowed: how the addresses begin that are let through.
    """
    context: BrowserContext = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, reduced_motion="reduce"
    )
    context.set_default_timeout(WAIT_MS)
    visit = Visit(context.new_page())

    def let_through(route: Route) -> None:
        if route.request.url.startswith(allowed):
            route.continue_()
        else:
            visit.refused.append(route.request.url)
            route.abort()

    context.route("**/*", let_through)
    visit.page.on("console", visit.hear)
    visit.page.on("pageerror", visit.fail)
    return visit


def show_notebook(visit: Visit, path: Path, scheme: str, folder: Path) -> None:
    """Render a notebook into a folder and open it from there."""
    file = folder / f"{path.parent.name}_{path.stem}_{scheme}.html"
    file.write_text(render(path, scheme), encoding="utf-8")
    visit.page.goto(file.as_uri())
