"""The status handler's JSON, and the environment variable PROXY_MIRROR."""
from __future__ import annotations

import json
import re

import pytest

from httpdlab import location, to, wait_for
from managerlab import OUTCOMES
from wire import request


def get(h, path: str, method: str = "GET", headers=()):
    return h.request(method, f"/mirror-status{path}", headers)


@pytest.mark.smoke
def test_all_of_a_mirror(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, "max_body=10 timeout=1500ms max_queue=5")))
    assert h.get("/o/a").status == 200
    assert h.request("POST", "/o/b", [], b"x" * 11).status == 200
    assert h.ended(2) == {"mirrored": 1, "too_large": 1}
    got = get(h, "/mirrors")
    assert got.status == 200
    assert got.header("Content-Type") == ["application/json"]
    assert got.header("Cache-Control") == ["no-store"]
    data = json.loads(got.body)
    assert list(data) == ["mirrors"]
    (one,) = data["mirrors"]
    assert one.pop("directive") == f'ProxyMirror "{mirror.url}" name=m max_body=10 timeout=1500ms max_queue=5'
    assert sorted(one.pop("bounds")) == ["children", "connections", "copies", "memory", "spool"]
    latency = one.pop("latency_ms")
    assert sorted(latency) == ["p50", "p90", "p99"]
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"]
    assert one.pop("attributes").items() >= {
        "host": mirror.url, "enabled": True, "body": True, "max_body": "10", "when": "response",
        "connect_timeout": "2s", "timeout": "1500ms", "keepalive": "60s", "max_connections": 64, "max_queue": 5,
        "retry": "10s", "ttl": "60s",
        }.items()
    assert one.pop("state").items() >= {
        "queued": 0, "in_flight": 0, "connections": 1, "bytes": 0, "down_until": None}.items()
    assert one == {
        "name": "m", "server": f"localhost:{h.port}", "scope": "/o/", "overridden": False, "layer": "file", "seen": 2,
        "outcomes": {**dict.fromkeys(OUTCOMES, 0), "mirrored": 1, "too_large": 1},
        "responses": {"1xx": 0, "2xx": 1, "3xx": 0, "4xx": 0, "5xx": 0}}


def test_one_mirror_by_name(httpd, origin, mirror):
    h = httpd("\n".join([to(mirror, name="a.b-c_1"), location("/o/", origin, to(mirror, "timeout=3", "other"))]))
    all_of_them = h.mirrors()
    assert list(all_of_them) == ["a.b-c_1", "other"]
    for name, data in all_of_them.items():
        got = get(h, f"/mirrors/{name}")
        assert json.loads(got.body) == data
        assert re.fullmatch(r'"[^"]+"', got.header("ETag")[0])
    assert get(h, "/mirrors/a.b-c_1").header("ETag") != get(h, "/mirrors/other").header("ETag")


def test_etag_is_that_of_the_settings(httpd, origin, mirror):
    """Counters do not change it, nor does a restart; another value does."""
    h = httpd(location("/o/", origin, to(mirror)))
    before = get(h, "/mirrors/m").header("ETag")
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    h.graceful()
    assert get(h, "/mirrors/m").header("ETag") == before
    h.conf = location("/o/", origin, to(mirror, "timeout=11s"))
    h.configure()
    h.graceful()
    assert get(h, "/mirrors/m").header("ETag") != before


def test_head(httpd, mirror):
    h = httpd(to(mirror))
    for path in ("/mirrors", "/mirrors/m"):
        got = get(h, path, "HEAD")
        assert got.status == 200 and got.body == b""
        assert got.header("Content-Type") == ["application/json"]
    assert get(h, "/mirrors/m", "HEAD").header("ETag") == get(h, "/mirrors/m").header("ETag")


@pytest.mark.parametrize("path", ["/mirrors/none", "/mirrors/m/x", "/none", "/mirrorsx", "/mirrors/M", "/mirrors/m%00",
                                  "/mirrors/%3Cscript%3E%22"])
def test_not_found(httpd, mirror, path):
    h = httpd(to(mirror), expect=["AH00026", "AH10508"])
    assert get(h, path).status == 404


def test_unknown_name_is_an_error_in_json(httpd, mirror):
    h = httpd(to(mirror))
    got = get(h, "/mirrors/n%22one")
    assert got.status == 404
    assert got.header("Content-Type") == ["application/json"]
    assert 'n"one' in json.loads(got.body)["error"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "BREW"])
@pytest.mark.parametrize("path", ["/mirrors", "/mirrors/m"])
def test_status_is_read_only(httpd, mirror, method, path):
    h = httpd(to(mirror))
    before = h.mirror()
    got = h.request(method, f"/mirror-status{path}", ["Content-Type: application/json"], b'{"enabled": false}')
    assert got.status == 405
    allowed = [word.strip() for word in got.header("Allow")[0].split(",")]
    assert "GET" in allowed and method not in allowed
    assert h.mirror() == before


def test_who_may_come_in_is_said_by_require(httpd, mirror):
    h = httpd(f'{to(mirror)}\n<Location "/closed">\nSetHandler proxy-mirror-status\nRequire all denied\n</Location>',
              expect=["AH01630"])
    assert h.get("/closed/mirrors").status == 403
    assert h.get("/closed/mirrors/m").status == 403


def test_other_handlers_below_are_not_touched(httpd, mirror):
    h = httpd(f'{to(mirror)}\n<Location "/index.html">\nSetHandler default-handler\n</Location>')
    assert h.get("/index.html").body == b"hi\n"


def test_status_is_not_mirrored(httpd, mirror):
    h = httpd(to(mirror))
    for _ in range(3):
        assert h.mirror()["seen"] == 0
    assert mirror.connections == 0


def test_status_without_mirrors(httpd):
    h = httpd("")
    assert json.loads(get(h, "/mirrors").body) == {"mirrors": []}


def test_strange_scopes_are_json(httpd, mirror):
    h = httpd(f'<LocationMatch "^/a\\\\b[\\"\x7f]">\n{to(mirror, name="a")}\n</LocationMatch>\n'
              f'<Location "/ü">\n{to(mirror, name="b")}\n</Location>\n'
              f'<If "%{{REQUEST_URI}} == \'/x\'">\n{to(mirror, name="c")}\n</If>')
    mirrors = h.mirrors()
    assert mirrors["b"]["scope"] == "/ü"
    assert "REQUEST_URI" in mirrors["c"]["scope"]


@pytest.mark.smoke
def test_what_is_under_way(httpd, origin, mirror):
    gate = mirror.hold()
    h = httpd(location("/o/", origin, to(mirror, "max_connections=2")), children=1)
    assert h.get_many(f"/o/{n}" for n in range(5)) == [200] * 5
    wait_for("two copies in flight", lambda: h.mirror()["state"]["in_flight"] == 2)
    one = h.mirror()
    assert (one["seen"], one["state"]["queued"], one["state"]["connections"]) == (5, 3, 2)
    assert one["state"]["bytes"] > 0
    assert sum(one["outcomes"].values()) == 0
    gate.set()
    assert h.ended(5) == {"mirrored": 5}
    assert h.mirror()["state"]["bytes"] == 0


def test_time_is_measured(httpd, origin, mirror):
    gate = mirror.hold()
    h = httpd(location("/o/", origin, to(mirror)))
    assert h.mirror()["latency_ms"] == {"p50": None, "p90": None, "p99": None}
    assert h.get("/o/a").status == 200
    mirror.wait(1)
    gate.wait(0.05)
    gate.set()
    assert h.ended(1) == {"mirrored": 1}
    assert h.mirror()["latency_ms"]["p50"] >= 40


# ---- PROXY_MIRROR ----

LOG = 'CustomLog "{h.root}/logs/access" "%U %{{PROXY_MIRROR}}e"\n'


def logged(h, count: int) -> list[str]:
    return wait_for(f"{count} lines in the access log",
                    lambda: len(lines := h.read("logs/access").splitlines()) >= count and lines)


@pytest.mark.smoke
def test_environment_variable(httpd, origin, mirror):
    h = httpd(lambda h: LOG.format(h=h) + "\n".join([
        location("/o/", origin, to(mirror, "max_body=10", "m")),
        f'<Location "/o/off">\n{to(mirror, "enabled=off", "off")}\n</Location>',
        f'<Location "/o/two">\n{to(mirror, "", "two")}\n{to(mirror, "enabled=off", "none")}\n</Location>',
        '<Location "/o/not">\nProxyMirror off\n</Location>']))
    assert h.get("/o/a").status == 200
    assert h.request("POST", "/o/long", [], b"x" * 11).status == 200
    assert h.get("/o/loop", ["X-Proxy-Mirror: lab"]).status == 200
    assert h.get("/o/up", ["Upgrade: websocket", "Connection: Upgrade"]).status == 200
    for name in ("off", "two", "not"):
        assert h.get(f"/o/{name}").status == 200
    lines = [line for line in logged(h, 7) if "mirror-status" not in line]
    assert sorted(lines) == ["/o/a captured", "/o/long too_large", "/o/loop looped", "/o/not -", "/o/off disabled",
                             "/o/two captured,disabled", "/o/up upgrade"]


def test_environment_variable_of_what_was_broken_off(httpd, origin, mirror):
    h = httpd(lambda h: LOG.format(h=h) + location("/o/", origin, to(mirror)), expect=[r"\[proxy\w*:(error|warn)\]"])
    client = h.client()
    client.send(request("POST", "/o/a", ["Content-Length: 10"]) + b"x")
    client.sock.close()
    assert "/o/a incomplete" in logged(h, 1)


def test_environment_variable_after_an_internal_redirect(httpd, origin, mirror):
    """mod_log_config reads the environment of the last request."""
    h = httpd(lambda h: LOG.format(h=h) + f"{to(mirror)}\nErrorDocument 404 /o/sorry\n{location('/o/', origin)}",
              expect=["AH00128"])
    assert h.get("/none").body == b"ok\n"
    assert [line.split()[1] for line in logged(h, 1)] == ["captured"]


def test_environment_variable_when_the_queue_is_full(httpd, origin, mirror):
    gate = mirror.hold()
    h = httpd(lambda h: LOG.format(h=h) + location("/o/", origin, to(mirror, "max_connections=1 max_queue=0")),
              children=1, expect=[r"PM\d+: mirror m: .*full"])
    assert h.get_many(["/o/a", "/o/b"]) == [200, 200]
    assert logged(h, 2)[:2] == ["/o/a captured", "/o/b queue_full"]
    gate.set()


def test_client_cannot_set_the_variable(httpd, origin, mirror):
    h = httpd(lambda h: LOG.format(h=h) + location("/o/", origin, to(mirror)))
    assert h.get("/o/a", ["PROXY_MIRROR: x", "Proxy-Mirror: x"]).status == 200
    assert logged(h, 1)[0] == "/o/a captured"
