"""Fixtures of tests in a real browser. A module may say which page it opens: PAGE."""
from __future__ import annotations

from typing import Callable, Iterator

import pytest

from browser import Browser, Page
from httpdlab import wait_for


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


def wait_text(page: Page, selector: str, text: str) -> None:
    try:
        wait_for(f"{text!r} at {selector}", lambda: text in page.text(selector), 15)
    except AssertionError as error:
        raise AssertionError(f"{error}; it is {page.text(selector)!r}; {page.complaints}") from None


CONTRAST = """(() => {
    const light = (rgb) => rgb.map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const colour = (text) => text.match(/[\\d.]+/g).map(Number);
    const ground = (one) => {
        for (; one; one = one.parentElement) {
            const c = colour(getComputedStyle(one).backgroundColor);
            if (c.length === 3) {
                return c;
            }
        }
    };
    const bad = [];
    for (const one of document.body.querySelectorAll("*")) {
        const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (own && one.offsetParent) {
            const [a, b] = [light(colour(getComputedStyle(one).color).slice(0, 3)), light(ground(one))];
            const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            if (contrast < 4.5) {
                bad.push(`${one.localName}.${one.className} ${one.textContent.trim()}: ${contrast}`);
            }
        }
    }
    return bad;
})()"""
