"""Fixtures of tests in a real browser. A module may say which page it opens: PAGE."""
from __future__ import annotations

from typing import Callable, Iterator

import pytest

from browser import Browser, Page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    made = Browser()
    yield made
    made.close()


@pytest.fixture
def open_page(request, browser) -> Iterator[Callable[..., Page]]:
    """Opens pages; at the end of the test none of them may have complained."""
    made: list[Page] = []

    def make(h, path: str = getattr(request.module, "PAGE", "/manager"), **options) -> Page:
        made.append(browser.open(f"http://127.0.0.1:{h.port}{path}", **options))
        return made[-1]
    yield make
    complaints = [complaint for page in made for complaint in page.complaints]
    for page in made:
        page.close()
    assert not complaints, "\n".join(complaints)
