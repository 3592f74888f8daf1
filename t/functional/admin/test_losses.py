"""The last copies that did not arrive: as JSON and on the page."""
from __future__ import annotations

import datetime
import json

import pytest

import pagelab
from httpdlab import location, to
from managerlab import MANAGER, refused
from marks import needs_http2
from recorder import bytes_answer

DOWN = r"PM\d+: mirror \w+ is (down|up)"
REFUSED = "the lookup or the connection failed: Connection refused"


def losses(h, name: str = "m", where: str = "/mirror-status") -> list[dict]:
    got = h.get(f"{where}/mirrors/{name}/losses", ["Host: localhost"])
    assert got.status == 200 and got.header("Content-Type") == ["application/json"], got.raw
    data = json.loads(got.body)
    assert list(data) == ["losses"]
    for one in data["losses"]:
        assert list(one) == ["time", "method", "path", "outcome", "why"]
        then = datetime.datetime.strptime(one.pop("time"), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)
        assert abs((datetime.datetime.now(datetime.timezone.utc) - then).total_seconds()) < 600
    return data["losses"]


def loss(path: str, outcome: str, why: str, method: str = "GET") -> dict:
    return {"method": method, "path": path, "outcome": outcome, "why": why}


@pytest.mark.valgrind
@pytest.mark.smoke
def test_unreachable(httpd, origin, recorder):
    gone = recorder(listen=False)
    h = httpd(location("/o/", origin, to(gone, "retry=1h")), expect=[DOWN])
    assert losses(h) == []
    assert h.get("/o/a/b?secret=1", ["Cookie: secret=2", "X-Secret: 3"]).status == 200
    h.ended(1)
    assert h.request("DELETE", "/o/c").status == 200
    h.ended(2)
    assert losses(h) == [loss("/o/c", "unreachable", "the mirror counted as down", "DELETE"),
                         loss("/o/a/b", "unreachable", REFUSED)]
    assert b"ecret" not in h.get("/mirror-status/mirrors/m/losses").body


def test_the_last_32_of_each_mirror(httpd, origin, recorder):
    gone = recorder(listen=False)
    h = httpd(location("/o/", origin, to(gone, "retry=1h")) + location("/p/", origin, to(gone, "retry=1h", "other")),
              expect=[DOWN], children=2)
    for n in range(40):
        assert h.get(f"/o/{n}").status == 200
    h.ended(40)
    assert [one["path"] for one in losses(h)] == [f"/o/{n}" for n in range(39, 7, -1)]
    assert losses(h, "other") == []
    h.graceful()
    assert [one["path"] for one in losses(h)] == [f"/o/{n}" for n in range(39, 7, -1)]


def test_before_a_copy_exists(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, "max_body=5 path=/x path_concat_mode=prefix")))
    assert h.request("POST", "/o/long?q=1", [], b"x" * 6).status == 200
    h.ended(1)
    assert losses(h) == [loss("/x/o/long", "too_large", "the body is longer than max_body", "POST")]


def test_what_the_mirror_does(httpd, origin, recorder):
    bad = recorder(bytes_answer(b"what is this\r\n\r\n"))
    h = httpd(location("/o/", origin, to(bad)))
    assert h.request("POST", "/o/a", [], b"x").status == 200
    assert h.ended(1) == {"broken": 1}
    assert losses(h) == [loss("/o/a", "broken", "the response was not valid HTTP", "POST")]


@needs_http2
@pytest.mark.parametrize("code", [2, 7])
def test_reset_stream(httpd, origin, http2, code):
    """INTERNAL_ERROR, and REFUSED_STREAM twice."""
    h = httpd(location("/o/", origin, to(http2(lambda peer, request: peer.reset(request.stream, code)))))
    assert h.request("POST", "/o/a", [], b"x").status == 200
    assert h.ended(1) == {"broken": 1}
    assert losses(h) == [loss("/o/a", "broken", "the mirror refused the request, or reset its stream", "POST")]


def test_limit_and_selection_are_no_losses(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, "enable_limit_count=true count=1 methods=GET")))
    for n in range(3):
        assert h.get(f"/o/{n}").status == 200
        h.ended(n + 1)
    assert h.request("POST", "/o/a", [], b"").status == 200
    assert h.ended(4) == {"mirrored": 1, "limited": 2, "filtered": 1}
    assert losses(h) == []


def test_hostile_texts(httpd, origin, recorder):
    gone = recorder(listen=False)
    h = httpd(location("/o/", origin, to(gone)) + "\n" + MANAGER, expect=[DOWN])
    hostile = "/o/<script>alert(1)</script>&'\""
    long = "/o/" + "x" * 3000
    for path in (hostile, long):
        assert h.get(path).status == 200
    h.ended(2)
    first, second = losses(h)
    assert second["path"] == hostile
    assert first["path"] == long[:117] + "..."
    page = pagelab.parse(h.get("/manager", ["Host: localhost"]).body)
    section = page.one("details", class_="lost")
    assert "hidden" not in section.attributes and not section.all("script")
    rows = section.one("tbody").all("tr")
    assert [cell.text for cell in rows[1].all("td")][1:] == [f"GET {hostile}", "unreachable", REFUSED]


def test_texts_that_change_how_others_are_shown(httpd, origin, recorder):
    """A client's path has bidirectional controls, a C1 control and a zero-width space."""
    gone = recorder(listen=False)
    h = httpd(location("/o/", origin, to(gone)) + "\n" + MANAGER, expect=[DOWN])
    path = "/o/\u202ea\u2066\u0085\u200b\u00e9"
    assert h.exchange(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()).status == 200
    h.ended(1)
    assert losses(h)[0]["path"] == "/o/\u202ea\u2066?\u200b\u00e9"
    page = pagelab.parse(h.get("/manager", ["Host: localhost"]).body)
    row = page.one("details", class_="lost").one("tbody").all("tr")[0]
    assert row.all("td")[1].text == "GET /o/\\u202ea\\u2066?\\u200b\u00e9"


def test_resource(httpd, mirror):
    h = httpd(to(mirror) + "\n" + MANAGER + '<LocationMatch "^/guess">\nSetHandler proxy-mirror-status\n</LocationMatch>\n')
    assert losses(h, where="/manager") == losses(h, where="/guess") == []
    refused(h.get("/manager/mirrors/none/losses"), 404, "none: no such mirror")
    refused(h.get("/manager/mirrors/m/losses/more"), 404, "no such mirror")
    got = h.request("DELETE", "/manager/mirrors/m/losses")
    refused(got, 405, "method: ")
    assert got.header("Allow") == ["GET, HEAD"]
    assert "hidden" in pagelab.parse(h.get("/manager", ["Host: localhost"]).body).one("details", class_="lost").attributes
