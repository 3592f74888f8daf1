"""The attribute until: after that time nothing is copied, and page, JSON and status show it."""
from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

import pagelab
from httpdlab import location, scaled, to, wait_for
from managerlab import MANAGER, attributes, call, patch, refused


def after(seconds: float) -> str:
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def state(h) -> str:
    return h.mirror()["state"]["name"]


@pytest.mark.valgrind
@pytest.mark.smoke
def test_mirror_ends_by_itself(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror)) + MANAGER)
    end = after(scaled(2) + 1)
    assert patch(h, {"until": end})["attributes"]["until"] == end
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1} and state(h) == "up"
    wait_for("the end", lambda: state(h) == "ended")
    assert after(0) >= end
    assert h.get("/o/b").status == 200
    assert h.ended(2) == {"mirrored": 1, "disabled": 1}
    assert mirror.one().target == "/o/a"
    patch(h, {"until": None})
    assert "until" not in attributes(h) and state(h) == "up"
    assert h.get("/o/c").status == 200
    assert h.ended(3) == {"mirrored": 2, "disabled": 1}


def test_end_in_the_past_is_shown(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, "until=2001-02-03T04:05:06+01:00")) + location(
        "/p/", origin, to(mirror, "until=2001-02-03T04:05:06Z enabled=off", "off")), ["status"],
        expect=[r'PM0101: .*: ProxyMirror until: is "2001-02-03T0[34]:05:06Z", which is over'])
    assert h.get_many(["/o/a", "/p/a"]) == [200] * 2
    assert h.ended(1) == h.ended(1, "off") == {"disabled": 1}
    assert attributes(h)["until"] == "2001-02-03T03:05:06Z"
    assert [h.mirror(name)["state"]["name"] for name in ("m", "off")] == ["ended", "disabled"]
    page = pagelab.parse(h.get("/mirror-status", ["Host: localhost", "Accept: text/html"]).body)
    article = page.one("article", id="m-m")
    assert article.get("data-state") == "ended" and "Ended" in article.one(class_="state").shown
    assert "until" in article.one(class_="meaning").shown
    assert "2001-02-03T03:05:06Z" in article.one("tr", data_attribute="until").text
    assert not mirror.requests


def test_reference_that_has_ended_compares_no_more(httpd, origin, mirror, recorder):
    old = recorder()
    h = httpd(location("/o/", origin, to(mirror, "compare=all"),
                       to(old, "role=reference until=2001-02-03T04:05:06Z", "old")), expect=["PM0101: .*until"])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert h.outcomes("old") == {} and not old.requests


@pytest.mark.parametrize("value", ["tomorrow", "2026-12-24", 5, True, ["2026-12-24T18:00:00Z"]])
def test_refused(httpd, origin, mirror, value):
    h = httpd(location("/o/", origin, to(mirror)) + MANAGER)
    refused(call(h, "PATCH", data={"until": value}), 400, "until: must be a date and time of RFC 3339")
