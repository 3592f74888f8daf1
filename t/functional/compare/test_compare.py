"""Responses of primary and mirror: what is equal, what differs, and where."""
from __future__ import annotations

import json

import pytest

from comparelab import JSON, both, compared, noise, rows, verdicts
from recorder import answer


@pytest.mark.valgrind
@pytest.mark.smoke
def test_identical_responses(pairs):
    h, primary, mirror = pairs()
    for n in range(20):
        primary.answer = answer("200 OK", b'{"a": 1}', (JSON, f"X-Request-Id: {n}", "Date: Fri, 27 Nov 2026 00:00:00 GMT"))
        mirror.answer = answer("200 OK", b'{"a": 1}', (JSON, f"X-Request-Id: m{n}", "Date: Fri, 27 Nov 2026 00:00:01 GMT"))
        assert h.get("/o/a").body == b'{"a": 1}'
        compared(h, n + 1)
    data = compared(h, 20)
    assert verdicts(data) == {"same": 20} and data["findings"] == [] and data["verdict"] == "collecting"
    assert noise(data) == [("header/date", "value", "built_in"), ("header/x-request-id", "value", "built_in")]
    assert [(one["group"], one["compared"]) for one in data["groups"]] == [("GET /o/a", 20)]


@pytest.mark.valgrind
@pytest.mark.smoke
def test_different_values(pairs):
    h, primary, mirror = pairs()
    both(primary, mirror, b'{"items": [{"price": 1}, {"price": 2}]}', b'{"items": [{"price": 1}, {"price": 3}]}', JSON)
    for n in range(40):
        assert h.get(f"/o/items/{n}").status == 200
    data = compared(h, 40)
    assert verdicts(data) == {"different": 40} and data["verdict"] == "differs"
    assert rows(data) == [("body/items/*/price", "value", 40)]
    (found,) = data["findings"]
    assert (found["group"], found["count"]) == ("GET /o/items/*", 40) and len(found["examples"]) == 3
    assert found["examples"][0]["path"].startswith("/o/items/") and found["examples"][0]["status"] == [200, 200]


def test_different_statuses(pairs):
    h, primary, mirror = pairs()
    primary.answer, mirror.answer = answer("200 OK", b"x"), answer("500 No", b"y")
    for n in range(5):
        assert h.get("/o/a").status == 200
    data = compared(h, 5)
    assert verdicts(data) == {"different": 5} and data["status"] == [{"primary": 200, "mirror": 500, "count": 5}]
    assert rows(data) == [("status", "status", 5)]


def test_off_compares_nothing(pairs):
    h, primary, mirror = pairs(attributes="enabled=true")
    del primary, mirror
    got = h.request("PATCH", "/manager/mirrors/m", ["Content-Type: application/json", "Host: localhost"], b'{"compare": []}')
    assert got.status == 200, got.raw
    assert h.get("/o/a").status == 200
    h.ended(1)
    assert compared(h, 0)["verdict"] == "nothing"


@pytest.mark.parametrize("query, status, verdict", [
    ("", 200, "differs"), ("?min=100", 200, "collecting"), ("?min=1&max_different=50%", 200, "alike"),
    ("?min=1&max_different=49.9%25", 200, "differs"), ("?max_different=0.5&min=2", 200, "alike"),
    ("?min=0", 400, None), ("?max_different=%zz", 400, None), ("?most=1", 400, None)])
def test_verdict_for_a_pipeline(pairs, query, status, verdict):
    h, primary, mirror = pairs()
    for n in range(40):
        both(primary, mirror, b"a", b"b" if n % 2 else b"a")
        assert h.get("/o/a").status == 200
        compared(h, n + 1)
    got = h.get(f"/mirror-status/mirrors/m/comparison/verdict{query}", ["Host: localhost"])
    assert got.status == status, got.raw
    if verdict:
        assert json.loads(got.body) == {"verdict": verdict, "compared": 40, "different": 20, "no_answer": 0}


def test_metrics(pairs):
    h, primary, mirror = pairs()
    both(primary, mirror, b'{"a": 1}', b'{"a": 2}', JSON)
    for n in range(7):
        assert h.get(f"/o/{n}").status == 200
    compared(h, 7)
    text = h.get("/mirror-status/metrics", ["Host: localhost"]).body.decode()
    for line in ('proxy_mirror_comparisons_total{mirror="m",verdict="different"} 7',
                 'proxy_mirror_comparisons_total{mirror="m",verdict="same"} 0',
                 'proxy_mirror_comparisons_skipped_total{mirror="m",reason="too_large"} 0',
                 'proxy_mirror_differences_total{mirror="m",part="body",kind="value"} 7',
                 'proxy_mirror_primary_duration_seconds_count{mirror="m"} 7'):
        assert line in text.splitlines(), text
    assert text.count("proxy_mirror_differences_total{") == 1


def test_metrics_of_a_mirror_that_does_not_compare(pairs):
    h, primary, mirror = pairs("compare_ratio=0")
    del primary, mirror
    assert h.get("/o/a").status == 200
    h.ended(1)
    text = h.get("/mirror-status/metrics", ["Host: localhost"]).body.decode()
    assert "proxy_mirror_comparisons_total{" not in text and "# TYPE proxy_mirror_comparisons_total counter" in text
