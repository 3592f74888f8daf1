"""The page of the manager in a real browser: what it shows changes, what is clicked is done, and nothing complains."""
from __future__ import annotations

import threading

import pytest

from browser import Page
from browserlab import CONTRAST, browser, open_page, wait_text       # noqa: F401, fixtures
from httpdlab import location, to, wait_for
from managerlab import call, changed
from pagelab import manager, parse
from recorder import ok
from serverslab import counts, listed, servers      # noqa: F401, a fixture

OWN, ANOTHER = pytest.mark.xdist_group("own"), pytest.mark.xdist_group("another")      # but for those that take longest

PAGE = "/manage"
DOWN = r"PM\d+: mirror m is (down|up)"
STATE = "#m-m .state [data-when]:not([hidden])"


def figure(name: str, mirror: str = "m") -> str:
    """A selector."""
    return f'#m-{mirror} [data-field="{name}"]'


def button(page: Page, text: str, mirror: str = "m") -> str:
    """A selector for a button that is shown, once it is."""
    page.wait(f"the button {text}", f"""[...document.querySelectorAll("#m-{mirror} button")].some((one) => {{
        const right = one.textContent === "{text}" && one.offsetParent !== null;
        one.toggleAttribute("data-test", right);
        return right;
    }}) && document.querySelector("[data-test]").textContent === "{text}" """)
    return f"#m-{mirror} [data-test]"


def press(page: Page, text: str) -> None:
    """Click a button and wait until the page says what came of it."""
    page.click(button(page, text))
    try:
        wait_text(page, figure("result"), f"{text}:")
    except AssertionError as error:     # a button that is disabled waits for the response; else it was not clicked
        buttons = page.value("[...document.querySelectorAll('#m-m button')].map((one) => [one.textContent, one.disabled])")
        raise AssertionError(f"{error}; {buttons}; {page.text('#pulse')}") from None


class Load:
    """Requests, one after the other, until the end of the block; all have to be answered."""

    def __init__(self, h, path: str) -> None:
        self.h, self.path = h, path
        self.over = threading.Event()
        self.statuses: set[int] = set()
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with self.h.client() as client:
            while not self.over.wait(0.01):
                self.statuses.add(client.get(self.path).status)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_) -> None:
        self.over.set()
        self.thread.join()
        assert self.statuses == {200}


# ---- reading ----

@pytest.mark.smoke
@pytest.mark.parametrize("path", [pytest.param("/mirror-status", marks=OWN), pytest.param("/mirror-status/", marks=ANOTHER)])
def test_figures_are_live(httpd, origin, mirror, open_page, path):
    h = httpd(location("/o/", origin, to(mirror)))
    page = open_page(h, path)
    wait_text(page, "#pulse", "Live")
    wait_text(page, STATE, "Ready")
    wait_text(page, figure("outcome:mirrored"), "0")
    assert h.get_many(["/o/a"] * 3) == [200] * 3
    wait_text(page, figure("outcome:mirrored"), "3")
    wait_text(page, STATE, "Up")
    wait_text(page, figure("connections"), str(h.mirror()["state"]["connections"]))
    assert page.text(figure("p50")).endswith("ms")
    with Load(h, "/o/a"):
        page.wait("a rate", f"""parseFloat(document.querySelector('{figure("rate:mirrored")}').textContent) > 3""")
        page.wait("a chart", "(document.querySelector('.area')?.getAttribute('d') ?? '').split('L').length > 2")
    page.wait("the rate of rest", f"""document.querySelector('{figure("rate:mirrored")}').textContent === "0" """)
    assert page.loads == 1                      # the page itself was not loaded again


@ANOTHER
def test_a_mirror_that_loses_most_is_told(httpd, origin, recorder, open_page):
    """It is up, as it accepts connections, but that is not all there is to know."""
    over = threading.Event()

    def hang(sock, message):
        over.wait(60)
        return ok(sock, message)
    h = httpd(location("/o/", origin, to(recorder(hang), "max_connections=1 max_queue=1 timeout=1s")), expect=["PM0420"])
    page = open_page(h, "/mirror-status")
    wait_text(page, "#pulse", "Live")
    try:
        with Load(h, "/o/a"):
            wait_text(page, STATE, "Up")
            page.wait("a word about the losses", f"""document.querySelector('{figure("losing")}').offsetParent !== null""")
            assert page.value("document.querySelector('.overview .losing') !== null")
        page.wait("no more losses", f"""document.querySelector('{figure("losing")}').hidden""")
        assert page.value("document.querySelector('.overview .losing') === null")
        wait_for("the last copy to time out", lambda: h.mirror()["state"]["connections"] == 0)
        assert h.outcomes()["timed_out"] >= 1 and h.mirror()["state"]["name"] == "up"      # not "ready": copies were sent
    finally:
        over.set()


@OWN
def test_chart_is_read_by_keyboard(httpd, origin, mirror, open_page):
    h = httpd(location("/o/", origin, to(mirror, "methods=GET")))
    page = open_page(h, "/mirror-status")
    with Load(h, "/o/a"):
        page.wait("two points of the chart",
                  "(document.querySelector('.area')?.getAttribute('d') ?? '').split('L').length > 2")
        page.value("document.querySelector('.chart svg').focus()")
        page.press("ArrowLeft")
        wait_text(page, ".readout", "2 s ago: Mirrored ")
        assert "Mirrored" in page.value("document.querySelector('.chart svg').getAttribute('aria-label')")
    page.press("Escape")
    wait_text(page, ".readout", "arrow keys")


def test_down_is_shown_and_told(httpd, origin, mirror, recorder, open_page):
    gone = recorder(listen=False)
    h = httpd(location("/o/", origin, to(gone, "retry=1h")) + location("/p/", origin, to(mirror, name="other")),
              expect=[DOWN])
    page = open_page(h, "/mirror-status")
    wait_text(page, STATE, "Ready")
    assert h.get("/o/a").status == 200
    wait_text(page, STATE, "Down")
    assert "Next retry" in page.text("#m-m .meaning")
    wait_text(page, '[data-outcome="unreachable"]', "Unreachable")
    page.wait("the news", """document.getElementById("news").textContent === "m: Down" """)
    assert page.value("document.title").startswith("1 down")
    assert page.text("tr[data-mirror=other] .state") == "○ Ready"


ROWS = """[...document.querySelectorAll("#m-m .servers tbody tr")].map((row) => [...row.children].map((one) => one.textContent))"""
PARTLY = """document.querySelector("#m-m .servers").hasAttribute("data-partly")"""


def test_servers_are_live(httpd, origin, servers, recorder, open_page):
    """A line for each server, made as the server itself makes it; one that is down, that is back, one less, none."""
    made = servers(2)
    dead = recorder(host="127.0.0.3", port=made[0].port, listen=False)
    addresses = [f"{one.host}:{one.port}" for one in (*made, dead)]
    h = httpd("ProxyMirrorAllowHost 127.0.0.1 127.0.0.2\n" + location("/o/", origin, listed([*made, dead], "retry=100ms")) +
              manager(), children=1, expect=[r"PM0432"])
    page = open_page(h)
    wait_text(page, "#pulse", "Live")
    wait_text(page, figure("servers:up"), "3 of 3 up")
    assert page.value(ROWS) == [[address, "Up", "0", "0", "0", "0"] for address in addresses]
    assert h.get_many(["/o/a"] * 6) == [200] * 6
    wait_text(page, figure("servers:up"), "2 of 3 up")
    h.wait_idle()
    page.wait("all figures", f"{ROWS}.reduce((sum, row) => sum + Number(row[4]), 0) === 6")
    rows = page.value(ROWS)
    assert [row[:2] for row in rows] == [[addresses[0], "Up"], [addresses[1], "Up"], [addresses[2], "Down"]]
    assert rows[2][2:5] == ["0", "0", "0"] and int(rows[2][5]) > 0 and page.value(PARTLY)
    assert [int(row[4]) for row in rows[:2]] == counts(made)
    served = parse(h.get("/mirror-status", ["Host: localhost", "Accept: text/html"]).body).one("article", id="m-m")
    lines = [[one.text for one in row.children] for row in served.one("section", class_="servers").all("tr")[1:]]
    assert [line[:5] for line in lines] == [row[:5] for row in rows]
    dead.listen()
    with Load(h, "/o/a"):
        wait_text(page, figure("servers:up"), "3 of 3 up")
        page.wait("copies at the third", f"{ROWS}[2][1] === 'Up' && Number({ROWS}[2][4]) > 0")
    assert not page.value(PARTLY)
    changed(call(h, "PATCH", data={"servers": addresses[:2]}, location="/manage"))
    wait_text(page, figure("servers:up"), "2 of 2 up")
    assert [row[0] for row in page.value(ROWS)] == addresses[:2]
    assert page.loads == 1


def test_server_that_ends_is_told(httpd, mirror, browser):
    h = httpd(to(mirror))
    page = browser.open(f"http://127.0.0.1:{h.port}/mirror-status")
    wait_text(page, "#pulse", "Live")
    h.stop()
    wait_text(page, "#pulse", "Not live since")
    assert page.value("document.querySelector('#reload').offsetParent !== null")
    h.start()
    wait_text(page, "#pulse", "Live")
    page.close()


def test_new_mirror_wants_a_reload(httpd, mirror, open_page):
    h = httpd(to(mirror))
    page = open_page(h, "/mirror-status")
    wait_text(page, "#pulse", "Live")
    h.conf += "\n" + to(mirror, name="new")
    h.configure()
    h.graceful()
    wait_text(page, "#pulse", "added or removed")
    page.click("#reload")
    page.wait("the new one", "document.querySelector('#m-new') !== null")
    wait_text(page, "#pulse", "Live")


# ---- looks ----

@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_contrast(httpd, origin, mirror, recorder, open_page, dark):
    h = httpd("".join([location("/o/", origin, to(recorder(listen=False), "retry=1h")),
                       location("/p/", origin, to(mirror, "enable_limit_count=true", "limited")),
                       to(mirror, "enabled=false", "off"), "\n", to(mirror, name="ready"), "\n", manager()]),
              expect=[DOWN])
    assert h.get_many(["/o/a", "/p/a", "/p/a"]) == [200] * 3
    page = open_page(h, dark=dark)
    wait_text(page, STATE, "Down")
    wait_text(page, STATE.replace("m-m", "m-limited"), "Limit reached")
    assert page.value(CONTRAST) == []
    assert page.value("getComputedStyle(document.body).backgroundColor") == (
        "rgb(18, 22, 27)" if dark else "rgb(244, 246, 248)")


@pytest.mark.parametrize("script", [True, False], ids=["live", "still"])
def test_phone_never_scrolls_sideways(httpd, mirror, open_page, script):
    h = httpd(f'<Location "/{"long" * 60}">\n{to(mirror, "enable_limit_count=true count=2147483647", "M" * 64)}\n'
              f'{to(mirror, name="m")}\n</Location>\n{manager()}')
    for width in (390, 320):
        page = open_page(h, width=width, height=800, script=script)
        if script:
            wait_text(page, "#pulse", "Live")
        page.send("Emulation.setScriptExecutionDisabled", {"value": False})
        page.value("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.value("document.documentElement.scrollWidth") <= width


# ---- changing ----

@pytest.mark.smoke
def test_disable_stops_the_copies(httpd, origin, mirror, open_page):
    h = httpd(location("/o/", origin, to(mirror)) + manager())
    page = open_page(h)
    with Load(h, "/o/a"):
        page.wait("copies", f"""parseInt(document.querySelector('{figure("outcome:mirrored")}').textContent) > 5""")
        press(page, "Disable")
        wait_text(page, STATE, "Disabled")
        wait_text(page, '[data-outcome="disabled"]', "Disabled")
        h.wait_idle()
        before = len(mirror.requests)
        seen = h.mirror()["seen"]
        wait_for("more requests", lambda: h.mirror()["seen"] > seen + 20)
        assert len(mirror.requests) == before
        wait_text(page, '#m-m .heading [data-field="overridden"]', "Changed by the manager")
        press(page, "Enable")
        wait_text(page, STATE, "Up")
        mirror.wait(before + 5)
    assert page.loads == 1


def test_share_is_changed(httpd, origin, mirror, open_page):
    h = httpd(location("/o/", origin, to(mirror)) + manager())
    page = open_page(h)
    field = '#m-m input[name="sample_ratio"]'
    assert page.value(f"document.querySelector('{field}').value") == "100%"
    page.type(field, "0")                       # "%" is added
    press(page, "Set share")
    assert "done" in page.text(figure("result"))
    assert h.mirror()["attributes"]["sample_ratio"] == 0
    assert h.get_many(["/o/a"] * 3) == [200] * 3
    assert h.ended(3) == {"sampled_out": 3}
    page.type(field, "25%")
    page.press("Enter")
    wait_for("the share", lambda: h.mirror()["attributes"]["sample_ratio"] == 0.25)
    page.type(field, "much")
    page.click(button(page, "Set share"))
    assert page.value(f"document.querySelector('{field}').validity.patternMismatch")
    assert h.mirror()["attributes"]["sample_ratio"] == 0.25


def test_limit_is_set_removed_and_reset(httpd, origin, mirror, open_page):
    h = httpd(location("/o/", origin, to(mirror)) + manager())
    page = open_page(h)
    assert page.value("""document.querySelector('#m-m input[name="count"]').value""") == "1000"    # not one a minute
    page.type('#m-m input[name="count"]', "2")
    page.type('#m-m input[name="time_window"]', "3600")
    press(page, "Set limit")
    assert h.get_many(["/o/a"] * 5) == [200] * 5
    assert h.ended(5) == {"mirrored": 2, "limited": 3}
    wait_text(page, STATE, "Limit reached")
    wait_text(page, "#m-m .limit", "2 of 2 copies")
    wait_text(page, "#m-m .limit", "The next window opens")
    assert page.value(f"""document.querySelector('{figure("bar")}').getAttribute("width")""") == "1000"
    press(page, "Remove limit")
    wait_text(page, STATE, "Up")
    press(page, "Reset")
    assert not h.mirror()["overridden"]
    page.wait("the fields to follow",
              """document.querySelector('#m-m input[name="count"]').value === "1000" """)


@pytest.mark.parametrize("script", [True, False])
def test_stop_all_and_resume(httpd, origin, mirror, open_page, script):
    h = httpd(location("/o/", origin, to(mirror)) + location("/p/", origin, to(mirror, name="other")) + manager())
    page = open_page(h, script=script)
    assert page.text("button") == "Stop all"        # the first on the page
    page.follow(".stop")
    assert page.text("#question") == "Stop copying to all 2 mirrors?" and h.mirror()["attributes"]["enabled"]
    page.follow(".question .stop")
    assert page.value("document.querySelector('#resume') !== null && document.querySelector('.question') === null")
    assert not [one for one in h.mirrors().values() if one["attributes"]["enabled"]]
    assert h.get("/o/a").status == 200 and h.ended(1) == {"disabled": 1}
    if script:
        wait_text(page, "#pulse", "Live")       # the page does not move from here on
    page.follow("#resume button")
    page.wait("it to be gone", "document.querySelector('#resume')?.hidden")
    assert not [one for one in h.mirrors().values() if one["overridden"]]


def test_line_that_keeps_a_change_is_live(httpd, mirror, open_page):
    h = httpd(to(mirror) + "\n" + manager())
    page = open_page(h)
    wait_text(page, "#pulse", "Live")
    assert page.value("document.querySelector('#m-m .keep').hidden")
    press(page, "Disable")
    page.wait("the line", "!document.querySelector('#m-m .keep').hidden")
    page.click("#m-m .keep summary")
    wait_text(page, figure("directive"), "enabled=false")
    page.wait("the button for all", "!document.querySelector('#resume').hidden")
    press(page, "Reset")
    page.wait("no line", "document.querySelector('#m-m .keep').hidden")


def test_losses_are_live(httpd, origin, recorder, open_page):
    gone = recorder(listen=False)
    h = httpd(location("/o/", origin, to(gone)) + manager(), expect=[DOWN])
    page = open_page(h)
    wait_text(page, "#pulse", "Live")
    assert page.value("document.querySelector('#m-m .lost').hidden")
    assert h.get("/o/a?b").status == 200
    page.wait("the section", "!document.querySelector('#m-m .lost').hidden")
    page.click("#m-m .lost summary")
    wait_text(page, "#m-m .losses tbody", "GET /o/a")
    assert "Connection refused" in page.text("#m-m .losses tbody")
    assert h.get("/o/<b>c").status == 200
    wait_text(page, "#m-m .losses tbody tr:first-child", "GET /o/<b>c")
    assert h.exchange("GET /o/\u202ed\u200b HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()).status == 200
    wait_text(page, "#m-m .losses tbody tr:first-child", "GET /o/\\u202ed\\u200b")


def test_old_nonce_is_told(httpd, origin, mirror, open_page, browser):
    h = httpd(location("/o/", origin, to(mirror)) + manager())
    page = browser.open(f"http://127.0.0.1:{h.port}/manage")
    wait_text(page, "#pulse", "Live")
    h.graceful()
    press(page, "Disable")
    assert "done" not in page.text(figure("result"))
    assert page.value(f"""document.querySelector('{figure("result")}').className""") == "failed"
    assert h.mirror()["attributes"]["enabled"]
    page.close()


LOGIN = """<Location "{path}">
    SetHandler {handler}
    AuthType form
    AuthName x
    AuthFormProvider file
    AuthUserFile "{root}/users"
    {required}
    AuthFormLoginSuccessLocation "/manage/"
    AuthFormLogoutLocation "/login.html"
    Session On
    SessionCookieName session path=/
    {more}
</Location>
"""
FORM_MODULES = ["authn_core", "authn_file", "authz_user", "auth_form", "session", "session_cookie", "request"]


@pytest.mark.parametrize("required, more", [
    ('AuthFormLoginRequiredLocation "/login.html"', ""),                            # a redirect
    ("ErrorDocument 401 /login.html", ""),                                          # 401 with a page
    ('AuthFormLoginRequiredLocation "/login.html"', "RewriteEngine On\nRewriteCond %{HTTP_COOKIE} !session=.\n"
     "RewriteRule ^/manage/mirrors /login.html [PT]\n"),                            # a page, as if all were well
], ids=["redirect", "401", "200"])
def test_session_that_has_ended_is_told(httpd, mirror, browser, required, more):
    """Nothing counts as done that another one than the manager has answered."""
    def conf(h) -> str:
        h.write("users", "ann:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=\n")
        h.write("htdocs/login.html", '<!DOCTYPE html><link rel="icon" href="data:,"><form method="post" action="/login">'
                '<input name="httpd_username"><input name="httpd_password"><button>Log in</button></form>')
        return more + to(mirror) + "\n" + "".join(
            LOGIN.format(path=path, handler=handler, root=h.root, required=required, more=last) for path, handler, last in (
                ("/manage", "proxy-mirror-manager", "Require valid-user"), ("/login", "form-login-handler", ""),
                ("/logout", "form-logout-handler", "SessionMaxAge 1")))
    h = httpd(conf, modules=FORM_MODULES)
    url = f"http://127.0.0.1:{h.port}"

    def log_in(page: Page) -> None:
        page.type("[name=httpd_username]", "ann")
        page.type("[name=httpd_password]", "test")
        page.click("button")
        page.wait("the page of the manager", "location.pathname.startsWith('/manage') && document.readyState === 'complete'")
    page = browser.open(f"{url}/login.html")
    log_in(page)
    wait_text(page, "#pulse", "Live")
    press(page, "Disable")
    assert page.text(figure("result")) == "Disable: done, now in effect."
    press(page, "Enable")
    changes = len(h.log_lines('PM0900: mirror m was changed by "ann"'))
    assert changes == 2
    other = browser.open(f"{url}/logout", beside=page)
    wait_text(page, "#pulse", "Not live since")
    wait_text(page, "#pulse", "you are signed out")
    press(page, "Disable")
    assert "you are signed out" in page.text(figure("result")) and "done, now" not in page.text(figure("result"))
    assert page.value(f"""document.querySelector('{figure("result")}').className""") == "failed"
    assert h.mirror()["attributes"]["enabled"] and len(h.log_lines("PM0900")) == changes
    # A response without a session takes the cookie away (mod_session_cookie), and could come after that of the login.
    page.value("window.network = window.fetch; window.fetch = () => Promise.reject(new TypeError('held by the test'))")
    wait_text(page, "#pulse", "no response")
    log_in(other)
    page.value("window.fetch = window.network")
    wait_text(page, "#pulse", "Live")
    press(page, "Disable")
    assert page.text(figure("result")) == "Disable: done, now in effect."
    assert not h.mirror()["attributes"]["enabled"]
    page.close()


def test_all_works_without_scripts(httpd, origin, mirror, open_page):
    h = httpd(location("/o/", origin, to(mirror)) + manager())
    page = open_page(h, script=False)

    def click(text: str) -> None:
        before = page.loads
        page.send("Emulation.setScriptExecutionDisabled", {"value": False})
        selector = button(page, text)
        page.send("Emulation.setScriptExecutionDisabled", {"value": True})
        page.click(selector)
        wait_for("the page anew", lambda: page.loads > before)
    click("Disable")
    assert page.text(STATE) == "■ Disabled"
    assert not h.mirror()["attributes"]["enabled"]
    click("Enable")
    assert page.text(STATE) == "○ Ready"
    assert page.value("location.pathname") in ("/manage", "/manage/")
    page.type("input[name=sample_ratio]", "999%")
    click("Set share")
    assert page.text("[role=alert]").startswith("Nothing was changed. sample_ratio: ")
    page.type("input[name=sample_ratio]", "50%")
    click("Set share")
    assert h.mirror()["attributes"]["sample_ratio"] == 0.5
    assert page.value("document.querySelector('[role=alert]')") is None
    (said,) = page.complaints
    assert "400 (Bad Request)" in said
    page.complaints.clear()                                         # which it may say of the form that was refused


def test_every_control_has_a_name(httpd, mirror, open_page):
    page = open_page(httpd(to(mirror, "enable_limit_count=true") + "\n" + manager()))
    tree = page.send("Accessibility.getFullAXTree")["nodes"]
    controls = [node for node in tree if node.get("role", {}).get("value") in
                {"button", "link", "textbox", "spinbutton", "image", "table", "DisclosureTriangle"}]
    assert len(controls) > 8
    assert [node for node in controls if not node.get("name", {}).get("value", "").strip()] == []
