"""The manager's JSON interface: reading, and each way to change a mirror."""
from __future__ import annotations

import json

import pytest

from httpdlab import location, to, wait_for
from managerlab import JSON, MANAGER, attributes, call, changed, delete, patch, put, refused


@pytest.mark.smoke
def test_disable_and_enable(httpd, origin, mirror):
    h = httpd(MANAGER + location("/o/", origin, to(mirror)))
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    one = patch(h, {"enabled": False})
    assert one["overridden"] is True
    assert one["attributes"]["enabled"] is False
    assert h.get_many(f"/o/{n}" for n in range(20)) == [200] * 20
    assert h.ended(21) == {"mirrored": 1, "disabled": 20}
    assert patch(h, {"enabled": True})["overridden"] is False
    assert h.get("/o/b").status == 200
    assert h.ended(22) == {"mirrored": 2, "disabled": 20}


@pytest.mark.smoke
def test_read(httpd, origin, mirror):
    h = httpd(MANAGER + location("/o/", origin, to(mirror, "count=2 enable_limit_count=true")))
    listed = h.get("/manager/mirrors")
    assert listed.status == 200
    (one,) = json.loads(listed.body)["mirrors"]
    got = call(h, "GET", "m", None, ())
    assert changed(got) == one == h.mirror()
    assert got.header("ETag")[0].startswith('"')
    assert call(h, "HEAD", "m", None, ()).body == b""
    refused(call(h, "GET", "none"), 404, "none")


@pytest.mark.valgrind
@pytest.mark.smoke
def test_put_is_a_whole_and_what_is_not_named_goes_to_its_default(httpd, origin, mirror):
    h = httpd(MANAGER + "ProxyMirrorDefaults timeout=7s count=3\n" +
              location("/o/", origin, to(mirror, "count=5 enable_limit_count=true path=/x max_queue=9 timeout=1s")))
    before = attributes(h)
    one = put(h, {"host": mirror.url, "sample_ratio": 0.5, "max_queue": 4})
    after = one["attributes"]
    assert after["timeout"] == "7s" and after["count"] == 3         # of ProxyMirrorDefaults
    assert after["enable_limit_count"] is False and "path" not in after     # of the table
    assert after["sample_ratio"] == 0.5 and after["max_queue"] == 4
    assert attributes(h) == after
    put(h, {"host": mirror.url, "count": None, "methods": ["GET"]})
    assert attributes(h)["count"] == 3 and attributes(h)["methods"] == ["GET"]
    one = delete(h)
    assert one["overridden"] is False and one["attributes"] == before
    refused(call(h, "PUT", "m", {"count": 1}), 400, "host: ", "got nothing")
    refused(call(h, "PATCH", "m", {"host": None}), 400, "host: ", "got nothing")


def test_put_takes_what_get_gives(httpd, origin, mirror):
    h = httpd(MANAGER + location("/o/", origin, to(
        mirror, "count=5 enable_limit_count=true path=/x path_concat_mode=prefix methods=GET,POST status=2xx,404 "
                "max_body=3K sample_ratio=12.5% retry=1500ms "
                "\"expr=%{REQUEST_URI} =~ m#^/o/#\" \"sample_key=%{REQUEST_URI}\"")))
    before = h.mirror()
    assert put(h, before["attributes"])["overridden"] is False
    patch(h, {"methods": ["PUT"], "expr": "-n 'x'", "max_body": "5"})
    other = attributes(h)
    delete(h)
    assert put(h, other)["attributes"] == other
    assert put(h, before["attributes"])["attributes"] == before["attributes"]


def test_merge_patch(httpd, mirror):
    h = httpd(MANAGER + "ProxyMirrorDefaults timeout=7s\n" + to(mirror, "timeout=1s count=2 enable_limit_count=true"))
    merge = "Content-Type: application/merge-patch+json; charset=utf-8"
    assert changed(call(h, "PATCH", "m", {"count": 10}, [merge]))["attributes"]["count"] == 10
    assert attributes(h)["timeout"] == "1s"
    assert patch(h, {"timeout": None})["attributes"]["timeout"] == "7s"
    assert patch(h, {"count": None})["attributes"]["count"] == 1
    assert patch(h, {})["attributes"] == attributes(h)
    one = patch(h, {"count": 2, "timeout": "1s"})
    assert one["overridden"] is False


def test_etag_and_if_match(httpd, mirror):
    h = httpd(MANAGER + to(mirror))
    first = call(h, "GET", "m", None, ()).header("ETag")[0]
    second = call(h, "PATCH", "m", {"count": 2}, [JSON, f"If-Match: {first}"]).header("ETag")[0]
    assert second != first
    assert call(h, "GET", "m", None, ()).header("ETag") == [second]
    for method, data in (("PATCH", {"count": 3}), ("PUT", {"host": mirror.url}), ("DELETE", None)):
        stale = call(h, method, "m", data, [JSON, f"If-Match: {first}"])
        refused(stale, 412, "If-Match")
        assert stale.header("ETag") == [second]
    refused(call(h, "PATCH", "m", {"count": 3}, [JSON, f"If-Match: W/{second}"]), 412)
    refused(call(h, "PATCH", "m", {"count": 3}, [JSON, "If-None-Match: *"]), 412)
    assert attributes(h)["count"] == 2
    assert call(h, "PATCH", "m", {"count": 4}, [JSON, f'If-Match: "x", {second}']).status == 200
    assert call(h, "PATCH", "m", {"count": 5}, [JSON, "If-Match: *"]).status == 200
    h.graceful()
    assert attributes(h)["count"] == 5


@pytest.mark.long
def test_survives_graceful_restarts_until_the_line_changes(httpd, origin, mirror):
    def conf(attributes: str, defaults: str = "timeout=7s", name: str = "m") -> str:
        return f"ProxyMirrorDefaults {defaults}\n{MANAGER}" + location("/o/", origin, to(mirror, attributes, name))
    h = httpd(conf("count=2"))
    patch(h, {"count": 3, "enabled": False})
    before = call(h, "GET", "m", None, ()).header("ETag")
    for _ in range(2):
        h.graceful()
        assert attributes(h)["count"] == 3 and h.mirror()["overridden"] is True
        assert call(h, "GET", "m", None, ()).header("ETag") == before
        assert h.get("/o/a").status == 200
    assert h.ended(2) == {"disabled": 2}
    h.conf = conf("count=2", "timeout=7s max_body=1M")               # says the same
    h.configure()
    h.graceful()
    assert attributes(h)["count"] == 3
    h.conf = conf("count=2", "timeout=8s")
    h.configure()
    h.graceful()
    one = h.mirror()
    assert one["overridden"] is False and one["attributes"]["count"] == 2 and one["attributes"]["timeout"] == "8s"
    assert h.get("/o/a").status == 200
    assert h.ended(3) == {"disabled": 2, "mirrored": 1}
    wait_for("a line in the log", lambda: h.log_lines("PM0910: mirror m is reset to the configuration file; "))
    h.conf = conf("count=2")
    h.configure()
    h.graceful()
    assert h.mirror()["overridden"] is False                        # what was dropped does not come back


def test_more_slots_keep_what_was_set(httpd, mirror):
    h = httpd(MANAGER + "ProxyMirrorSlots 2\n" + to(mirror), expect=["PM0200"])
    patch(h, {"count": 3})
    h.conf = MANAGER + "ProxyMirrorSlots 5\n" + to(mirror, name="other") + "\n" + to(mirror)
    h.configure()
    h.graceful()
    assert attributes(h)["count"] == 3
    assert h.mirror("other")["overridden"] is False


def test_a_change_is_not_lost_where_slots_are_made_anew(httpd, mirror):
    """A child of before it is asked before, and comes to the change when nobody looks there any more."""
    h = httpd(MANAGER + "ProxyMirrorSlots 2\n" + to(mirror), expect=["PM0200"])
    patch(h, {"count": 3})
    with h.client() as client:
        client.send(b"PATCH /manager/mirrors/m HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    b"Expect: 100-continue\r\nContent-Length: 12\r\n\r\n")
        assert client.stream.line() == b"HTTP/1.1 100 Continue"     # it waits for the body
        assert client.stream.line() == b""
        h.conf = MANAGER + "ProxyMirrorSlots 5\n" + to(mirror)
        h.configure()
        h.graceful()
        client.send(b'{"count": 9}')
        refused(client.answer("PATCH"), 409, "mirror: httpd has just reloaded its configuration; retry the request")
    assert attributes(h)["count"] == 3
    assert patch(h, {"count": 9})["attributes"]["count"] == 9


def test_all_children_have_it_with_the_next_request(httpd, origin, mirror):
    h = httpd(MANAGER + location("/o/", origin, to(mirror)), children=4, threads=4)
    seen = 0
    for n in range(20):
        enabled = n % 2 == 1
        patch(h, {"enabled": enabled})
        for _ in range(8):
            assert h.get("/o/a").status == 200
            seen += 1
    assert h.ended(seen) == {"mirrored": 80, "disabled": 80}


def test_changed_host_gets_fresh_connections_while_old_ones_finish(httpd, origin, mirror, recorder):
    other = recorder()
    h = httpd(f"{MANAGER}ProxyMirrorAllowHost 127.0.0.1\n" +
              location("/o/", origin, to(mirror, "host_header=target max_connections=2")), children=1)
    gate = mirror.hold()
    assert h.get_many(["/o/1", "/o/2", "/o/3"]) == [200] * 3
    mirror.wait(2)                              # two have a connection, one waits for one
    patch(h, {"host": other.url})
    assert h.get("/o/4").status == 200
    other.wait(1)                               # although the old ones hang
    assert [copy.target for copy in other.requests] == ["/o/4"]
    assert other.requests[0].header("Host") == [other.url.split("//")[1]]
    gate.set()
    assert h.ended(4) == {"mirrored": 4}
    assert sorted(copy.target for copy in mirror.requests) == ["/o/1", "/o/2", "/o/3"]
    wait_for("the old connections to be closed", lambda: h.mirror()["state"]["connections"] == 1)
    delete(h)
    assert h.get("/o/5").status == 200
    assert h.ended(5) == {"mirrored": 5}
    assert mirror.requests[-1].target == "/o/5"


def test_a_mirror_that_is_down_is_up_with_another_host(httpd, origin, mirror, recorder):
    gone = recorder()
    gone.close()
    h = httpd(f"{MANAGER}ProxyMirrorAllowHost 127.0.0.1\n" + location("/o/", origin, to(gone, "retry=1h")),
              children=1, expect=["PM0400"])
    assert h.get("/o/1").status == 200
    assert h.ended(1) == {"unreachable": 1}
    assert h.mirror()["state"]["down_until"]
    patch(h, {"host": mirror.url})
    assert h.mirror()["state"]["down_until"] is None
    assert h.get("/o/2").status == 200
    assert h.ended(2) == {"unreachable": 1, "mirrored": 1}


def test_changed_limit(httpd, origin, mirror):
    h = httpd(MANAGER + location("/o/", origin, to(mirror, "enable_limit_count=true count=2 time_window=3600")))
    assert h.get_many(f"/o/{n}" for n in range(4)) == [200] * 4
    assert h.ended(4) == {"mirrored": 2, "limited": 2}
    assert h.mirror()["state"]["limit"]["closed_until"]
    patch(h, {"count": 3})
    assert h.mirror()["state"]["limit"]["closed_until"] is None
    assert h.get_many(f"/o/{n}" for n in range(3)) == [200] * 3
    assert h.ended(7) == {"mirrored": 3, "limited": 4}
    patch(h, {"enable_limit_count": False})
    assert h.mirror()["state"]["limit"] is None
    assert h.get_many(f"/o/{n}" for n in range(3)) == [200] * 3
    assert h.ended(10) == {"mirrored": 6, "limited": 4}


def test_more_copies_than_the_file_has(httpd, origin, mirror):
    h = httpd(MANAGER + location("/o/", origin, to(mirror)))
    patch(h, {"copies": 7})
    assert h.get("/o/a").status == 200
    assert h.ended(7) == {"mirrored": 7}


def test_expressions_and_lists_are_in_force(httpd, origin, mirror):
    h = httpd(MANAGER + location("/o/", origin, to(mirror)))
    patch(h, {"expr": "%{REQUEST_URI} =~ m#/yes#", "methods": ["GET"]})
    assert h.get("/o/yes").status == 200 and h.get("/o/no").status == 200
    assert h.request("POST", "/o/yes", [], b"x").status == 200
    assert h.ended(3) == {"mirrored": 1, "filtered": 2}
    patch(h, {"expr": None, "methods": None, "status": ["404"]})
    assert h.get("/o/a").status == 200
    assert h.ended(4) == {"mirrored": 1, "filtered": 3}


def test_expressions_of_the_file_are_not_restricted(httpd, origin, mirror):
    """Another attribute can be changed beside an expression that the manager could not have set."""
    h = httpd(lambda h: MANAGER + location("/o/", origin, to(
        mirror, f"\"expr=file('{h.write('flag', 'on')}') == 'on'\"")))
    before = attributes(h)["expr"]
    patch(h, {"count": 5})
    put(h, {"host": mirror.url, "expr": before, "max_queue": 3})
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    refused(call(h, "PATCH", "m", {"expr": before + " "}), 400, "expr: must be an expression")


def test_every_change_is_a_line_in_the_log(httpd, mirror):
    h = httpd(MANAGER + to(mirror, "count=2"))
    patch(h, {"count": 10, "expr": "-n '%{REQUEST_URI}'"})
    patch(h, {"count": 10})                     # no change
    delete(h)
    first, second = h.log_lines(r"\[proxy_mirror:notice\].* PM0900: ")
    assert "mirror m was changed by a client without a user from 127.0.0.1: " in first
    assert "count from 2 to 10" in first and 'expr from nothing to "-n \'%{REQUEST_URI}\'"' in first
    assert "m was changed (reset to the configuration file) by " in second and "count from 10 to 2" in second


def test_other_methods(httpd, mirror):
    h = httpd(MANAGER + to(mirror))
    for method in ("BREW", "OPTIONS", "MKCOL"):
        got = call(h, method, "m", None, ())
        assert got.status == (200 if method == "OPTIONS" else 405)
        assert got.header("Allow") == ["GET, HEAD, PUT, PATCH, DELETE, POST"]
    for path in ("/manager", "/manager/", "/manager/mirrors", "/manager/mirrors/"):
        for_all = path.startswith("/manager/mirrors")       # see test_manager_all.py
        for method in ("PUT",) if for_all else ("PUT", "PATCH", "DELETE", "POST"):
            got = h.request(method, path, [JSON], b"{}")
            assert got.status == 405, path
            assert got.header("Allow") == ["GET, HEAD, PATCH, DELETE, POST" if for_all else "GET, HEAD"], path
    refused(call(h, "PATCH", "none", {"count": 1}), 404)
    assert h.mirror()["overridden"] is False


def test_nothing_can_be_changed_in_the_status(httpd, mirror):
    h = httpd(MANAGER + to(mirror))
    before = h.mirror()
    for method in ("PUT", "PATCH", "DELETE", "POST", "MKCOL", "BREW", "PROPPATCH"):
        for path in ("", "/", "/mirrors", "/mirrors/m"):
            got = h.request(method, f"/mirror-status{path}", [JSON], b'{"enabled": false, "count": 7}')
            assert got.status == 405
            assert method not in got.header("Allow")[0]
    assert h.mirror() == before
