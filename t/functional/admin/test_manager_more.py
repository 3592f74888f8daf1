"""The manager with what a mirror may want of others: TLS, Redis, shared memory that has no room."""
from __future__ import annotations

import re

from httpdlab import location, to, wait_for
from managerlab import FORM, MANAGER, attributes, call, changed, delete, overwrite_shared, patch, put, refused
from redislab import LONG, needs_redis, redis      # noqa: F401, the fixture
from tlslab import strict

ALLOW = "ProxyMirrorAllowHost 127.0.0.1 localhost\n"


def test_another_host_by_tls(httpd, origin, mirror, https, authority):
    secure = https()
    h = httpd(MANAGER + ALLOW + strict(authority) + location("/o/", origin, to(mirror)), modules=["ssl"], children=1)
    assert h.get("/o/1").status == 200
    patch(h, {"host": secure.url})
    assert h.get("/o/2").status == 200
    delete(h)
    assert h.get("/o/3").status == 200
    assert h.ended(3) == {"mirrored": 3}
    assert [copy.target for copy in secure.requests] == ["/o/2"]
    assert sorted(copy.target for copy in mirror.requests) == ["/o/1", "/o/3"]     # each may have a connection of its own


def test_tls_needs_what_it_needs_at_startup(httpd, mirror):
    h = httpd(MANAGER + ALLOW + to(mirror))
    refused(call(h, "PATCH", "m", {"host": "https://localhost"}), 400, "an https:// mirror requires mod_ssl")
    refused(call(h, "PATCH", "m", {"enable_limit_count": True, "policy": "redis", "redis_host": "localhost", "redis_ssl": True}),
            400, "redis_ssl=true requires mod_ssl")
    h = httpd(MANAGER + ALLOW + to(mirror), modules=["ssl"])
    refused(call(h, "PATCH", "m", {"host": "https://localhost"}), 400, "SSLProxyEngine")
    assert h.mirror()["overridden"] is False


@needs_redis
def test_another_policy(httpd, origin, mirror, redis):          # noqa: F811
    server = redis()
    h = httpd(MANAGER + ALLOW + location("/o/", origin, to(mirror, "enable_limit_count=true count=1 time_window=3600")))
    assert h.get_many(["/o/a"] * 3) == [200] * 3
    assert h.ended(3) == {"mirrored": 1, "limited": 2}
    patch(h, {"policy": "redis", "redis_host": "127.0.0.1", "redis_port": server.port, "count": 2, "time_window": LONG,
              "redis_timeout": 60000})
    assert h.get_many(["/o/a"] * 5) == [200] * 5
    assert h.ended(8) == {"mirrored": 3, "limited": 5}
    assert server.used("proxy-mirror:v1:m") == 2
    assert h.mirror()["state"]["limit"]["closed_until"]
    delete(h)
    assert h.get("/o/a").status == 200
    assert h.ended(9) == {"mirrored": 3, "limited": 6}          # the window of before goes on


@needs_redis
def test_a_name_is_needed_to_share_a_count(httpd, mirror, redis):    # noqa: F811
    h = httpd(MANAGER + ALLOW + f'ProxyMirror "{mirror.url}"')
    (name,) = h.mirrors()
    refused(call(h, "PATCH", name, {"policy": "redis", "redis_host": "127.0.0.1", "enable_limit_count": True}), 400, "name: ")


def test_a_mirror_that_is_off(httpd, mirror):
    """A reload cannot end a server that runs, so a mirror that cannot be is off, and stays so."""
    h = httpd(MANAGER + ALLOW + to(mirror), expect=["PM0700"])
    h.conf = MANAGER + ALLOW + 'ProxyMirror "https://localhost" name=m\n' + to(mirror, name="n")
    h.configure()
    h.graceful()
    refused(call(h, "PATCH", "m", {"count": 2}), 503, "mirror: cannot be changed while it is off")
    assert changed(call(h, "PATCH", "n", {"count": 2}))["attributes"]["count"] == 2
    assert attributes(h, "m")["host"] == "https://localhost"


def test_what_is_dropped_over_a_reload_is_dropped_once(httpd, origin, mirror):
    """Children of before and after it each have what their own file says."""
    h = httpd(MANAGER + location("/o/", origin, to(mirror, "count=2")), children=2)
    patch(h, {"enabled": False})
    gate = origin.hold()
    with h.client() as client:
        client.send(b"GET /o/old HTTP/1.1\r\nHost: t\r\n\r\n")
        origin.wait(1)                          # its child lives until this is answered
        h.conf = MANAGER + location("/o/", origin, to(mirror, "count=3"))
        h.configure()
        h.graceful()
        assert h.mirror()["overridden"] is False and attributes(h)["count"] == 3
        patch(h, {"count": 9})
        gate.set()
        assert client.answer().status == 200
    assert h.get("/o/new").status == 200
    assert h.ended(2) == {"disabled": 1, "mirrored": 1}
    assert attributes(h)["count"] == 9
    wait_for("the line in the log", lambda: len(h.log_lines("PM0910: ")) == 1)


def test_delete_cures_what_cannot_be_in_force(httpd, mirror):
    h = httpd(MANAGER + to(mirror), children=1)
    patch(h, {"path": "/remarkable"})
    overwrite_shared(h.pids()[0], b'"path":"/remarkable"', b'"pxth":"/remarkable"')
    refused(call(h, "PATCH", "m", {"count": 2}), 500, 'unknown attribute "pxth"; did you mean "path"?')
    one = delete(h)
    assert one["overridden"] is False and "path" not in one["attributes"]
    assert h.mirror() == one
    assert h.log_lines("PM0900: mirror m was changed [(]reset to the configuration file[)] by ")
    assert patch(h, {"count": 2})["attributes"]["count"] == 2


def test_location_of_a_303_names_no_host(httpd, mirror):
    """Not even if a rewritten path has two slashes at its front."""
    h = httpd("MergeSlashes Off\nRewriteEngine On\nRewriteRule ^/evil(.*) //evil.example$1 [PT]\n" + to(mirror) +
              '\n<LocationMatch "^//evil[.]example">\nSetHandler proxy-mirror-manager\n</LocationMatch>')
    nonce = re.search(rb'name="nonce" value="(\w+)"', h.get("/evil", ["Host: localhost"]).body).group(1).decode()
    got = h.request("POST", "/evil/mirrors/m", [FORM, "Accept: text/html", "Host: localhost"], f"nonce={nonce}&count=2".encode())
    assert got.status == 303 and got.header("Location") == ["/evil.example/"]


def test_file_may_have_subrequests_in_expressions(httpd, origin, mirror):
    """Which JSON may not set, but keep."""
    h = httpd(MANAGER + location("/o/", origin, to(mirror, "\"expr=-U '/index.html'\"")))
    patch(h, {"count": 2})
    put(h, attributes(h))
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    refused(call(h, "PATCH", "m", {"expr": "-U '/o/'"}), 400, "expr: ", "-U not available")
