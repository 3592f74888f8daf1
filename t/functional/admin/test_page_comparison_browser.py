"""What comparing has found, in a real browser: it appears by itself, buttons work, and nothing complains."""
from __future__ import annotations

import json

import pytest

from browser import Page
from browserlab import CONTRAST, browser, open_page       # noqa: F401, fixtures
from comparelab import JSON, both, compared, comparison
from httpdlab import wait_for
from recorder import answer

PRICE = "body/items/*/price"
SECTION = "#m-m .comparison"


def differ(h, primary, mirror, count: int, before: int = 0) -> None:
    """Let another price be found so often."""
    both(primary, mirror, b'{"items": [{"price": 1}]}', b'{"items": [{"price": 2}]}', JSON)
    assert h.get_many(["/o/items"] * count) == [200] * count
    compared(h, before + count)


def rules(h) -> list[str]:
    return h.mirror()["attributes"].get("compare_rules", [])


def wait_text(page: Page, selector: str, text: str) -> None:
    """Until the first such element, once there is one, has this text."""
    page.wait(f"{text!r} at {selector}",
              f"document.querySelector({json.dumps(selector)})?.innerText.includes({json.dumps(text)})")


def button(action: str, rule: str = "") -> str:
    """A selector; what else marks an element is lost when the section is renewed."""
    return (f'{SECTION} form:has([name=action][value="{action}"])'
            + (f":has([name=rule][value={json.dumps(rule)}])" if rule else "") + " button")


def click(page: Page, action: str, rule: str = "") -> None:
    """A button of the section, once it is there."""
    selector = button(action, rule)
    page.wait(f"a button for {action} {rule}",
              f"[...document.querySelectorAll({json.dumps(selector)})].some((one) => one.offsetParent !== null)")
    page.click(selector)


@pytest.mark.smoke
@pytest.mark.parametrize("path", ["/manager", "/mirror-status"])
def test_findings_appear(pairs, open_page, path):
    h, primary, mirror = pairs()
    page = open_page(h, path)
    wait_text(page, SECTION, "Nothing compared")
    differ(h, primary, mirror, 40)
    wait_text(page, SECTION, "Differs")
    wait_text(page, f"{SECTION} .findings", f"{PRICE}: another value")
    primary.answer, mirror.answer = answer("200 OK", b"x"), answer("500 No", b"x")
    assert h.get("/o/cart").status == 200
    compared(h, 41)
    wait_text(page, f"{SECTION} .statuses", "500")
    wait_text(page, f"{SECTION} .sentence", "2 findings explain the 41 that differ.")
    assert page.loads == 1


def test_section_comes_and_goes(pairs, open_page):
    h, *_ = pairs(attributes="enabled=true")
    page = open_page(h)

    def patch(value: str) -> None:
        got = h.request("PATCH", "/manager/mirrors/m", ["Content-Type: application/json", "Host: localhost"], value.encode())
        assert got.status == 200
    wait_text(page, SECTION, "Nothing compared")
    for _ in range(2):
        patch('{"compare": []}')
        page.wait("no section", f"document.querySelector({json.dumps(SECTION)}) === null")
        patch('{"compare": ["body"]}')
        wait_text(page, SECTION, "Compared: body of 100%")
    assert page.loads == 1


@pytest.mark.smoke
def test_ignore_and_remove(pairs, open_page):
    h, primary, mirror = pairs()
    differ(h, primary, mirror, 40)
    page = open_page(h)
    wait_text(page, "#pulse", "Live")
    click(page, "add_rule", f"{PRICE} ignore")
    wait_text(page, f"{SECTION} > [role=status]", f"Ignore: {PRICE} ignore: done, now in effect.")
    assert rules(h) == [f"{PRICE} ignore"]
    wait_text(page, f"{SECTION} .rules", f"ProxyMirrorCompare {PRICE} ignore")
    wait_text(page, f"{SECTION} [data-key=ignored]", "1 finding that a rule ignores now")
    assert page.value("document.activeElement.closest('.comparison') !== null")         # the focus has not gone far
    click(page, "remove_rule", f"{PRICE} ignore")
    wait_text(page, f"{SECTION} > [role=status]", f"Remove: {PRICE} ignore: done")
    assert rules(h) == []
    click(page, "add_rule", f"{PRICE} compare")
    wait_text(page, f"{SECTION} > [role=status]", f"It matters: {PRICE} compare: done")
    assert rules(h) == [f"{PRICE} compare"]
    click(page, "restart_comparison")
    wait_text(page, f"{SECTION} > [role=status]", "Start anew: done")
    assert comparison(h)["compared"] == 0 and len(h.log_lines("PM0902")) == 1
    wait_text(page, f"{SECTION} .sentence", "No response was compared yet.")
    assert page.loads == 1


def test_old_nonce_is_told(pairs, browser):
    h, primary, mirror = pairs()
    differ(h, primary, mirror, 40)
    page = browser.open(f"http://127.0.0.1:{h.port}/manager")
    wait_text(page, "#pulse", "Live")
    click(page, "add_rule", f"{PRICE} ignore")
    wait_text(page, f"{SECTION} > [role=status]", "done, now in effect.")
    page.value("document.querySelectorAll('.comparison [name=nonce]').forEach((one) => { one.value = 'old'; })")
    click(page, "restart_comparison")
    wait_text(page, f"{SECTION} > [role=status]", "Start anew: nonce: ")
    assert comparison(h)["compared"] == 40
    page.close()


def test_what_a_reader_does_stays(pairs, open_page):
    """What is unfolded, focused and selected, while the figures change."""
    h, primary, mirror = pairs()
    differ(h, primary, mirror, 40)
    page = open_page(h)
    wait_text(page, "#pulse", "Live")
    wait_text(page, f"{SECTION} .findings", "40 of 40 responses")      # then nothing moves under the mouse
    for details in ("[data-key=examples]", ".offers details"):
        page.click(f"{SECTION} {details} summary")
    page.value(f"document.querySelector('{SECTION} .offers button').focus()")
    page.value(f"getSelection().selectAllChildren(document.querySelector('{SECTION} .line'))")
    differ(h, primary, mirror, 7, 40)
    wait_text(page, f"{SECTION} .findings", "47 of 47 responses")
    assert page.value(f"[...document.querySelectorAll('{SECTION} .findings details')].filter((one) => one.open).length") == 2
    assert page.value("document.activeElement.textContent") == f"Ignore: {PRICE} ignore"
    assert page.value("getSelection().toString()").strip() == f"ProxyMirrorCompare {PRICE} ignore"
    primary.answer, mirror.answer = answer("200 OK", b"x"), answer("500 No", b"x")      # a finding before that one
    assert h.get_many(["/o/cart"] * 60) == [200] * 60
    wait_text(page, f"{SECTION} .findings > li:first-child", "GET /o/cart")
    assert page.value(f"[...document.querySelectorAll('{SECTION} .findings details')].filter((one) => one.open).length") == 2
    assert page.value("document.activeElement.textContent") == f"Ignore: {PRICE} ignore"


def test_all_works_without_scripts(pairs, open_page):
    h, primary, mirror = pairs()
    differ(h, primary, mirror, 40)
    page = open_page(h, script=False)
    page.send("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]})

    def press(action: str, rule: str = "") -> None:
        before = page.loads
        page.click(button(action, rule))
        wait_for("the page anew", lambda: page.loads > before)
    press("add_rule", f"{PRICE} ignore")
    assert rules(h) == [f"{PRICE} ignore"] and page.value("location.hash") == "#c-m"
    press("remove_rule", f"{PRICE} ignore")
    assert rules(h) == []
    press("add_rule", f"{PRICE} compare")
    assert rules(h) == [f"{PRICE} compare"]
    press("restart_comparison")
    assert "No response was compared yet." in page.text(f"{SECTION} .sentence")


HOSTILE = ['<img/src=x/onerror=hacked()>', "<b>&\"'", "\u202eevil", "</section>", "a,b", "\u05d0" * 20, "x" * 50]


@pytest.mark.smoke
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_hostile_names_and_looks(pairs, open_page, dark):
    h, primary, mirror = pairs()
    page = open_page(h, dark=dark)
    wait_text(page, "#pulse", "Live")
    for n, name in enumerate(HOSTILE):
        both(primary, mirror, json.dumps({name: 1}).encode(), json.dumps({name: 2}).encode(), JSON)
        assert h.get(f"/o/{'long-' * 20}{n}", [f"X-Request-Id: <u>{n}&"]).status == 200
        compared(h, n + 1)
    differ(h, primary, mirror, 40, len(HOSTILE))
    wait_text(page, f"{SECTION} .sentence", f"6 findings explain the {len(HOSTILE) + 40}")        # three names are *
    wait_text(page, f"{SECTION} .findings", "<b>&\"'")
    assert page.value("document.querySelectorAll('.comparison img, .comparison u, .comparison section').length") == 0
    page.value("document.querySelectorAll('.comparison details').forEach((one) => { one.open = true; })")
    assert page.value(CONTRAST) == []
    for width in (380, 320):
        page.look(width, 800, dark)
        wide = page.value(f"[...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > {width})"
                          ".map((one) => one.outerHTML.slice(0, 99))")
        assert page.value("document.documentElement.scrollWidth") <= width, wide
    click(page, "add_rule", "body/a,b ignore")
    wait_for("the rule", lambda: rules(h) == ["body/a,b ignore"])


def test_every_control_has_a_name(pairs, open_page):
    h, primary, mirror = pairs()
    differ(h, primary, mirror, 40)
    page = open_page(h)
    tree = page.send("Accessibility.getFullAXTree")["nodes"]
    named = [node.get("name", {}).get("value", "") for node in tree
             if node.get("role", {}).get("value") in {"button", "table", "DisclosureTriangle"}]
    assert len(named) > 8, named
    assert f"Ignore : {PRICE} ignore" in named and "Start anew" in named and all(one.strip() for one in named)
