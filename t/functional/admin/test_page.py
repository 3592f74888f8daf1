"""The page of the manager as text: what it says, how it is escaped, its headers and forms."""
from __future__ import annotations

import json
import re

import pytest

import pagelab
from httpdlab import location, to
from managerlab import ANN, MANAGER, OUTCOMES, USER_MODULES, user
from pagelab import manager

STATUS = "/mirror-status"
POLICY = {"default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'",
          "connect-src": "'self'", "form-action": "'self'", "frame-ancestors": "'none'", "base-uri": "'none'"}
FILES = ["page.css", "page_admin.css", "page_comparison.css", "page.js", "page_chart.js", "page_comparison.js", "page.svg"]
FORM = ["Content-Type: application/x-www-form-urlencoded"]


def page_of(h, path: str = STATUS) -> pagelab.Element:
    got = h.get(path, ["Host: localhost"])
    assert got.status == 200, got.raw
    return pagelab.parse(got.body)


def field(element: pagelab.Element, name: str) -> str:
    """The text of a figure, which may stand there twice."""
    (text,) = {one.text for one in element.all(data_field=name)}
    return text


# ---- headers ----

@pytest.mark.smoke
@pytest.mark.parametrize("path, type_", [("", "text/html"), ("/", "text/html"), ("/page.css", "text/css"),
                                         ("/page.js", "text/javascript"), ("/page_chart.js", "text/javascript"),
                                         ("/page_comparison.css", "text/css"), ("/page_admin.css", "text/css"), ("/page_comparison.js", "text/javascript"), ("/page.svg", "image/svg+xml")])
def test_headers(httpd, mirror, path, type_):
    h = httpd(to(mirror) + "\n" + manager())
    for where in (STATUS, "/manage"):
        got = h.get(where + path)
        assert got.status == 200 and got.body
        assert got.header("Content-Type")[0].split(";")[0] == type_
        assert got.header("Cache-Control") == ["no-store"]
        assert got.header("X-Content-Type-Options") == ["nosniff"]
        assert got.header("X-Frame-Options") == ["DENY"]
        (policy,) = got.header("Content-Security-Policy")
        assert dict(part.split(maxsplit=1) for part in policy.split(";")) == POLICY
        head = h.request("HEAD", where + path)
        assert head.status == 200 and head.body == b"" and head.header("Content-Type") == got.header("Content-Type")


def test_nothing_is_from_elsewhere_or_inline(httpd, mirror):
    h = httpd(to(mirror) + "\n" + manager())
    page = page_of(h, "/manage")
    assert [script.get("src") for script in page.all("script")] == ["/manage/page_chart.js", "/manage/page_comparison.js",
                                                                "/manage/page.js"]
    assert not [script for script in page.all("script") if script.text]
    assert not page.all("style") and not page.all("iframe")
    for element in page:
        assert not [name for name in element.attributes if name == "style" or name.startswith("on")]
        for name in ("src", "href", "action"):
            assert re.match(r"/manage/|#m-", element.get(name) or "/manage/"), element.attributes
    assert b"://" not in re.sub(rb"http://www.w3.org/2000/svg", b"",
                                 b"".join(h.get(f"/manage/{file}").body for file in FILES))


# ---- what it says ----

@pytest.mark.smoke
def test_reads_as_the_json(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, "max_body=10 timeout=1500ms")))
    assert h.get_many(["/o/a"] * 3) == [200] * 3
    assert h.request("POST", "/o/b", [], b"x" * 11).status == 200
    assert h.ended(4) == {"mirrored": 3, "too_large": 1}
    data = h.mirror()
    page = page_of(h)
    article = page.one("article", data_mirror="m")
    row = page.one("tr", data_mirror="m")
    for part in (row, article):
        assert field(part, "outcome:mirrored") == "3"
        assert "Up" in part.all(class_="state")[0].shown and "Down" not in part.shown
        assert re.fullmatch(r"[\d.]+ ms", field(part, "p50"))
    assert field(row, "lost") == "1"
    assert field(article, "connections") == str(data["state"]["connections"])
    assert field(article, "host") == mirror.url
    assert "/o/" in article.one("p", class_="route").text
    assert [outcome.get("data-outcome") for outcome in article.all("tr") if outcome.get("data-outcome")] == OUTCOMES
    assert [one.get("data-outcome") for one in article.all("tr")
            if one.get("data-outcome") and "hidden" not in one.attributes] == ["mirrored", "too_large"]
    settings = {one.get("data-attribute"): one.one("td").text for one in article.all("tr")
                if one.get("data-attribute") and "hidden" not in one.attributes}
    assert list(settings) == list(data["attributes"])
    assert settings["timeout"] == "1500ms" and settings["max_body"] == "10" and settings["enabled"] == "true"


def test_each_outcome_and_state_is_explained(httpd, mirror):
    h = httpd(to(mirror))
    article = page_of(h).one("article")
    labels = set()
    for outcome in OUTCOMES:
        row = article.one("tr", data_outcome=outcome)
        label = row.one("b")
        labels.add(label.text)
        assert len(label.get("title")) > 15 and label.get("title") in row.one("small").text
        assert outcome in row.one("code").text
        assert page_of(h).one("pattern", id=f"t-{outcome}")
    assert len(labels) == len(OUTCOMES)


@pytest.mark.parametrize("attributes, state", [("", "Ready"), ("enabled=false", "Disabled")])
def test_state_in_words(httpd, mirror, attributes, state):
    h = httpd(to(mirror, attributes))
    assert state in page_of(h).one("article").one(class_="state").shown


def test_limit_that_is_used_up(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, "enable_limit_count=true count=4 time_window=3600")))
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    limit = page_of(h).one("section", class_="limit")
    assert "1 of 4 copies" in limit.shown and "Used up" not in limit.shown
    assert limit.one(data_field="bar").get("width") == "250"
    assert h.get_many(["/o/a"] * 5) == [200] * 5
    assert h.ended(6) == {"mirrored": 4, "limited": 2}
    article = page_of(h).one("article")
    assert "Limit reached" in article.one(class_="state").shown
    limit = article.one("section", class_="limit")
    assert "4 of 4 copies" in limit.shown and "Used up" in limit.shown
    assert limit.one(data_field="bar").get("width") == "1000"
    assert limit.one("time").get("datetime") == h.mirror()["state"]["limit"]["closed_until"]


def test_mirror_that_is_down(httpd, origin, recorder):
    h = httpd(location("/o/", origin, to(recorder(listen=False), "retry=1h")), expect=[r"PM\d+: mirror m is down"])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"unreachable": 1}
    page = page_of(h)
    article = page.one("article")
    assert "Down" in article.one(class_="state").shown
    assert article.one(data_field="down_until").get("datetime") == h.mirror()["state"]["down_until"]
    assert field(page.one("tr", data_mirror="m"), "lost") == "1"


def test_without_mirrors(httpd):
    page = page_of(httpd(""))
    assert not page.all("article") and not page.all("table")
    assert "No mirror is configured" in page.one("main").text


# ---- escaping ----

def test_all_is_escaped(httpd, mirror):
    evil = "<b>&\\\"'x'</b>"
    raw = evil.replace("\\", "")
    h = httpd(f"""<Location "/{evil}">
        {to(mirror, f'"path=/{evil}" "expr=%{{REQUEST_URI}} != {evil[6:-4]}"')}
        ProxyMirrorHeader set X "{evil}"
        </Location>
        <If "%{{REQUEST_URI}} == '<script>alert(1)</script>'">
        {to(mirror, name="other")}
        </If>""")
    body = h.get(STATUS).body
    assert b"<b>&" not in body and b"<script>" not in body and body.count(b"<script ") == 3
    page = pagelab.parse(body)
    article = page.one("article", id="m-m")
    assert article.one("p", class_="route").all("code")[0].text == f"/{raw}" == h.mirror()["scope"]
    assert article.one("tr", data_attribute="path").one("td").text == f"/{raw}"
    assert article.one("tr", data_attribute="expr").one("td").text == h.mirror()["attributes"]["expr"]
    assert "<script>alert(1)</script>" in page.one("article", id="m-other").one("p", class_="route").text


def test_host_of_the_client_is_escaped(httpd, mirror):
    h = httpd(lambda h: f"HttpProtocolOptions Unsafe\n{to(mirror)}\n{MANAGER}{user(h)}", modules=USER_MODULES)
    got = h.exchange(f"GET /manager HTTP/1.1\r\nHost: a<i>&\"b\r\n{ANN}\r\nConnection: close\r\n\r\n".encode())
    assert got.status == 200
    assert b"<i>" not in got.body and b'&"b' not in got.body


def test_password_is_not_shown(httpd, mirror):
    h = httpd(to(mirror, "enable_limit_count=true policy=redis redis_host=127.0.0.1 redis_password=hush-hush"))
    body = h.get(STATUS).body
    assert b"hush-hush" not in body and b"***" in body


# ---- where it is ----

PLACES = [('<Location "/a/deep/place">', "/a/deep/place", ["", "/"]),
          ('<Location "/a/slash/">', "/a/slash", ["/"]),
          ('<Location "/">', "", ["/"]),
          ('<Location "/a b/%41&\'c">', "/a%20b/%2541&'c", ["", "/"]),
          ('<LocationMatch "^/guess">', "/guess", ["", "/"]),
          ('<Location "/mirrors">', "/mirrors", ["", "/"])]


@pytest.mark.parametrize("section, path, slashes", PLACES)
def test_any_location(httpd, mirror, section, path, slashes):
    h = httpd(f"{to(mirror)}\n{section}\nSetHandler proxy-mirror-status\n</{section[1:].split()[0]}>")
    for slash in slashes:
        page = page_of(h, path + slash)
        assert page.one("body").get("data-location") == path
        assert [one.get("href") for one in page.all("link", rel="stylesheet")] == [
            f"{path}/page.css", f"{path}/page_admin.css", f"{path}/page_comparison.css"]
    for file in FILES:
        assert h.get(f"{path}/{file}", ["Host: localhost"]).body == h.get(f"{STATUS}/{file}").body
    assert list(json.loads(h.get(f"{path}/mirrors", ["Host: localhost"]).body)) == ["mirrors"]


def test_location_never_names_a_host(httpd, mirror):
    """Not even if a rewritten path has two slashes at its front."""
    h = httpd(f"MergeSlashes Off\nRewriteEngine On\nRewriteRule ^/evil //evil.example/ [PT]\n{to(mirror)}\n"
              '<LocationMatch "^//evil[.]example">\nSetHandler proxy-mirror-status\n</LocationMatch>')
    assert page_of(h, "/evil").one("body").get("data-location") == "/evil.example"


# ---- forms ----

@pytest.mark.smoke
def test_read_only_page_has_no_forms(httpd, mirror):
    h = httpd(to(mirror) + "\n" + manager())
    page = page_of(h)
    assert not page.all("form") and not page.all("input") and not page.all("button")
    assert "This page is read only" in page.one("footer").text
    assert page_of(h, "/manage").all("form")


def test_who_may_change_nothing_is_told(httpd, mirror):
    """A client that is neither on this machine nor somebody, as the PROXY protocol says of its connection."""
    h = httpd(f"{to(mirror)}\n{manager()}RemoteIPProxyProtocol On", modules=["remoteip"],
              expect=["AH03497", "AH03507", "AH10184"])     # httpd 2.4.68 has the last for a connection without a byte
    h.hanging = True                            # the counters cannot be asked for without that protocol
    bodies = {}
    for address in ("192.0.2.1", "127.0.0.1"):
        got = h.exchange(f"PROXY TCP4 {address} 127.0.0.1 1000 80\r\nGET /manage HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert got.status == 200
        bodies[address] = pagelab.parse(got.body)
    assert bodies["127.0.0.1"].all("form") and not bodies["127.0.0.1"].all(class_="refusal")
    assert not bodies["192.0.2.1"].all("form")
    assert "must come from an authenticated user or a loopback connection" in bodies["192.0.2.1"].one(class_="refusal").text


def test_forms_carry_the_nonce(httpd, mirror):
    h = httpd(f"{to(mirror)}\n{to(mirror, name='other')}\n{manager()}")
    page = page_of(h, "/manage/")
    nonces = set()
    for name in ("m", "other"):
        assert {one.text for form in pagelab.forms(page, name) for one in form.all("button")} == {
            "Disable", "Set share", "Set limit"}
        for form in page.one("article", id=f"m-{name}").all("form"):
            assert (form.get("method"), form.get("action")) == ("post", f"/manage/mirrors/{name}")
            nonces.add(form.one("input", name="nonce").get("value"))
    assert len(nonces) == 1 and len(nonces.pop()) >= 16
    labelled = [field for label in page.all("label") for field in label.all("input")]
    assert [one for one in page.all("input") if one.get("type") != "hidden"] == labelled


BROWSER = ("Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",)


def press(h, button: str, name: str = "m", headers: tuple[str, ...] = BROWSER, **typed: str):
    """A button on the page, as without JavaScript."""
    form = pagelab.form_with(page_of(h, "/manage"), name, button)
    return h.request("POST", form.get("action"), [*FORM, *headers], pagelab.posted(form, **typed))


@pytest.mark.valgrind
@pytest.mark.smoke
def test_forms_change_a_mirror(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror)) + manager())
    before = h.mirror()["attributes"]
    got = press(h, "Disable")
    assert got.status == 303
    assert re.search(r"/manage/?$", got.header("Location")[0])
    article = page_of(h, "/manage").one("article")
    assert "Disabled" in article.one(class_="state").shown and "Changed by the manager" in article.shown
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"disabled": 1}
    for button, typed in (("Enable", {}), ("Set share", {"sample_ratio": "12.5%"}),
                          ("Set limit", {"count": "7", "time_window": "30"})):
        assert press(h, button, **typed).status == 303, button
    assert h.mirror()["attributes"].items() >= {"enabled": True, "sample_ratio": 0.125, "enable_limit_count": True,
                                                "count": 7, "time_window": 30}.items()
    assert press(h, "Remove limit").status == 303
    assert h.mirror()["attributes"]["enable_limit_count"] is False
    assert press(h, "Reset").status == 303
    assert h.mirror()["attributes"] == before and not h.mirror()["overridden"]
    assert "Changed by the manager" not in page_of(h, "/manage").one("article").shown


def test_refused_form_is_told_on_the_page(httpd, mirror):
    """To a browser without JavaScript; JSON, which page.js reads, to all others."""
    h = httpd(manager() + to(mirror))
    before = h.mirror()["attributes"]
    got = press(h, "Set share", sample_ratio="<b>2</b>")
    assert got.status == 400
    assert got.header("Content-Type") == ["text/html; charset=utf-8"] and got.header("Content-Security-Policy")
    page = pagelab.parse(got.body)
    told = page.one(role="alert").shown
    assert told.startswith("Nothing was changed. sample_ratio: ") and '"<b>2</b>"' in told and not page.one(role="alert").all("b")
    assert h.mirror()["attributes"] == before
    form = pagelab.form_with(page, "m", "Set share")                # it can be sent again, and is right this time
    assert h.request("POST", form.get("action"), [*FORM, *BROWSER], pagelab.posted(form, sample_ratio="2%")).status == 303
    assert h.mirror()["attributes"]["sample_ratio"] == 0.02
    assert not page_of(h, "/manage").all(role="alert")
    for headers in ((), ("Accept: */*",), ("Accept: application/json",)):
        got = press(h, "Set share", headers=headers, sample_ratio="2")
        assert got.status == 400 and json.loads(got.body)["error"].startswith("sample_ratio: ")


def test_form_of_another_site_is_told_on_the_page(httpd, mirror):
    h = httpd(manager() + to(mirror))
    got = h.request("POST", "/manage/mirrors/m", [*FORM, "Accept: text/html", "Origin: http://evil.example.com"], b"count=2")
    assert got.status == 403
    assert "Origin: must be this server" in pagelab.parse(got.body).one(role="alert").shown


def test_share_is_shown_exactly(httpd, mirror):
    h = httpd("\n".join([manager(), *(to(mirror, f"sample_ratio={ratio}", name) for ratio, name in
                                      (("0", "a"), ("1", "b"), ("0.5", "c"), ("0.123456789", "d"), ("0.000000001", "e"))
                                      )]))
    page = page_of(h, "/manage")
    shares = [page.one("article", id=f"m-{name}").one("input", name="sample_ratio") for name in "abcde"]
    assert [share.get("value") for share in shares] == ["0%", "100%", "50%", "12.3456789%", "0.0000001%"]
    assert all(re.fullmatch(share.get("pattern"), share.get("value")) for share in shares)
    assert press(h, "Set share", "e").status == 303
    assert h.mirror("e")["attributes"]["sample_ratio"] == 0.000000001
