"""Pages in a real Chromium, cut off from the network; skipped where there is none."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.pages import MISSING, Visit, find_chromium, open_page, start_chromium


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for the tests of a module: Playwright keeps an event loop, which tests elsewhere must not meet."""
    executable = find_chromium()
    if executable is None:
        pytest.skip(MISSING)
    with start_chromium(executable) as browser:
        yield browser


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[..., Visit]]:
    """`visit(size, scheme)` gives an empty page that reaches no network; it is closed after the test."""
    visits: list[Visit] = []

    def open_one(*arguments: object, **options: object) -> Visit:
        visits.append(open_page(chromium, *arguments, **options))
        return visits[-1]

    yield open_one
    for each in visits:
        each.page.context.close()
