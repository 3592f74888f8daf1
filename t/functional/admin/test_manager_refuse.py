"""What the manager refuses, and that then nothing has changed."""
from __future__ import annotations

import json

import pytest

from httpdlab import to
from managerlab import FORM, JSON, MANAGER, attributes, call, changed, patch, put, refused

ANY = "ProxyMirrorAllowHost *\n"


@pytest.fixture
def same(httpd, mirror):
    """A manager whose mirror has to be as it was in the end."""
    h = httpd(MANAGER + to(mirror))
    before = h.mirror()
    yield h
    assert h.mirror() == before
    assert not h.log_lines("PM0900")


@pytest.mark.smoke
@pytest.mark.parametrize("data, error", [
    ({"count": 0}, "count: must be an integer from 1 to 2147483647, got 0"),
    ({"count": "5"}, 'count: must be an integer from 1 to 2147483647, got "5"'),
    ({"count": 1.5}, "count: must be an integer from 1 to 2147483647, got 1.5"),
    ({"count": True}, "count: must be an integer from 1 to 2147483647, got true"),
    ({"count": [1]}, "got a list"),
    ({"servers": []}, "got an empty list"),
    ({"count": {"a": 1}}, "got an object"),
    ({"enabled": "true"}, 'enabled: must be true or false (in a directive, also on or off), got "true"'),
    ({"enabled": 1}, "enabled: "),
    ({"timeout": 5}, "timeout: must be a time such as"),
    ({"timeout": "5 s"}, "timeout: "),
    ({"max_body": 100}, "max_body: must be a size such as"),
    ({"methods": "GET"}, "methods: "),
    ({"methods": []}, "methods: "),
    ({"methods": ["GET", 1]}, "methods: "),
    ({"sample_ratio": 1.01}, "sample_ratio: "),
    ({"sample_ratio": "50%"}, "sample_ratio: "),
    ({"when": "never"}, "when: must be response or request"),
    ({"path": "x"}, "path: "),
    ({"path": "/\u0000x"}, "NUL"),
    ({"path": "/\n"}, "path: "),
    ({"expr": "%{"}, "expr: must be an expression"),
    ({"expr": "file('/etc/passwd') == ''"}, "expr: must be an expression"),
    ({"sample_key": "%{file:/etc/passwd}"}, "sample_key: "),
    ({"expr": "-U '/o/a'"}, "(-U not available in restricted context)"),
    ({"expr": "-F '/etc/passwd'"}, "(-F not available in restricted context)"),
    ({"expr": "-A %{REQUEST_URI}"}, "(-A not available in restricted context)"),
    ({"expr": "! ( true && ( -n 'a' || !-F %{tolower:%{REQUEST_URI}}))"}, "(-F not available in restricted context)"),
    ({"expr": "-s '/etc/passwd'"}, "not available in restricted context"),
    ({"path": "/\udc00"}, 'path: must be a path that starts with /'),
    ({"redis_password": "\udc00"}, "it is not UTF-8"),
    ({"methods": ["\udc00"]}, "it is not UTF-8"),
    ({"expr": "'\udc00' == ''"}, "it is not UTF-8"),
    ({"expr": "!" * 4096}, "expr: "),
    ({"name": "x"}, "name: must be set in the configuration file"),
    ({"name": "m"}, "name: "),
    ({"host": "http://127.0.0.1:80/x"}, "host: must be http://, https://, h2c://"),
    ({"nonsense": 1}, 'unknown attribute "nonsense". Allowed attributes: host, enabled,'),
    ({"host": "http://u:secret@127.0.0.1"}, "***@127.0.0.1"),
    ({"host": "unix:/tmp/x|http://127.0.0.1"}, "a socket can be set only in the configuration file"),
    ({"host": "http://elsewhere.example.com"}, "host: must be a host that ProxyMirrorAllowHost allows, got "
                                                '"elsewhere.example.com:80"'),
    ({"redis_password": "exec:/bin/true"}, "a program can be set only in the configuration file"),
    ({"redis_host": "10.0.0.1"}, "redis_host: must be a host that ProxyMirrorAllowHost allows"),
    ({"redis_cluster_nodes": ["10.0.0.1:1", "127.0.0.1:2"]}, "redis_cluster_nodes: must be hosts that ProxyMirrorAllowHost"),
    ({"policy": "redis", "enable_limit_count": True}, "redis_host: "),
    ({"status": ["200"], "when": "request"}, "status: must be used with when=response, got when=request"),
    ({"enabled": False, "count": 0}, "count: "),
])
def test_bad_values(same, data, error):
    said = refused(call(same, "PATCH", "m", data), 400, error)
    assert "secret" not in said and "/etc/passwd" not in said or "expr" in said or "sample_key" in said
    host = attributes(same)["host"]
    refused(call(same, "PUT", "m", {"host": host, **data}), 400, error)


@pytest.mark.parametrize("body, words", [
    (b"", ["body: must be a JSON object of attributes, got invalid JSON"]),
    (b"{", ["body: must be a JSON object", "invalid JSON"]),
    (b"[]", ["not an object"]),
    (b'"x"', ["not an object"]),
    (b"null", ["not an object"]),
    (b'{"count": 2} {"count": 3}', ["invalid JSON"]),
    (b'{"count": 2,}', ["invalid JSON"]),
    (b"{'count': 2}", ["invalid JSON"]),
    (b'{"count": 02}', ["invalid JSON"]),
    (b'{"path": "/\xff"}', ["invalid JSON"]),
    (b'{"path": "/\xc0\xaf"}', ["not UTF-8"]),
    (b'{"path": "/\xed\xa0\x80"}', ["not UTF-8"]),
    (b'{"path": "/\\ude00"}', ["not UTF-8"]),
    (b'{"count": 2, "count": 3}', ["attributes: must be set once each", '"count" twice']),
    (b'{"count": 2\0}', ["NUL"]),
    (b'{"count\\u0000": 2}', ["NUL"]),
    (b'{"path": "/\\\\u0000"}', []),
    (b"[" * 17 + b"]" * 17, ["16"]),
    (b'{"count":' * 17 + b"1" + b"}" * 17, ["16"]),
    (b"[" * 60000, ["16"]),
    (b'{"count": 2 /* two */}', ["invalid JSON"]),
    (b'{"count": 2} // two', ["invalid JSON"]),
    (b'{/*"*/"path": "/a\\u0000b"}', ["invalid JSON"]),
    (b'{/*"*/"count": ' + b"[" * 30000 + b"]" * 30000 + b"}", ["invalid JSON"]),
    (b'{"path": "/*\\"//*/"}', []),
])
def test_bad_bodies(httpd, mirror, body, words):
    h = httpd(MANAGER + to(mirror))
    before = h.mirror()
    for method in ("PUT", "PATCH"):
        if words:
            refused(call(h, method, "m", body), 400, *words)
    if not words:
        assert changed(call(h, "PATCH", "m", body))["attributes"]["path"] == json.loads(body)["path"]
    else:
        assert h.mirror() == before


def test_bodies_are_bounded(same):
    filled = b'{"enabled": false' + b" " * 65519 + b"}"
    refused(call(same, "PATCH", "m", filled), 413, "65536")
    chunks = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    got = same.exchange(b"PATCH /manager/mirrors/m HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + 3 * chunks + b"0\r\n\r\n")
    refused(got, 413)


def test_a_body_may_be_long_and_chunked(httpd, mirror):
    h = httpd(MANAGER + to(mirror))
    assert changed(call(h, "PATCH", "m", b'{"count": 7' + b" " * 65524 + b"}"))["attributes"]["count"] == 7
    got = h.exchange(b"PATCH /manager/mirrors/m HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                     b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\n{\"cou\r\n8\r\nnt\": 8 }\r\n0\r\n\r\n")
    assert changed(got)["attributes"]["count"] == 8


@pytest.mark.parametrize("method, headers", [
    ("PUT", []), ("PATCH", []), ("PUT", ["Content-Type: application/merge-patch+json"]),
    ("PATCH", ["Content-Type: text/plain"]), ("PATCH", [FORM]), ("PATCH", ["Content-Type: application/jsonx"]),
    ("PUT", ["Content-Type: text/json"]), ("POST", [JSON]), ("POST", ["Content-Type: multipart/form-data; boundary=x"]),
    ("POST", []), ("POST", ["Content-Type: text/plain"])])
def test_other_types(same, method, headers):
    refused(call(same, method, "m", {"host": attributes(same)["host"], "enabled": False}, headers), 415,
            "Content-Type: must be application/")


# ---- hosts ----

@pytest.mark.parametrize("patterns, host, allowed", [
    ("mirror.example.com", "http://mirror.example.com", True),
    ("Mirror.Example.Com", "https://mirror.example.com:444", None),
    ("mirror.example.com", "http://mirror.example.com:81", True),
    ("mirror.example.com:81", "http://mirror.example.com:81", True),
    ("mirror.example.com:81", "http://mirror.example.com", False),
    ("*.example.com", "http://a.b.example.com", True),
    ("*.example.com", "http://example.com", False),
    ("*.example.com", "http://notexample.com", False),
    ("*example.com:80", "http://notexample.com", True),
    ("*", "http://10.1.2.3:9", True),
    ("*:9", "http://10.1.2.3:9", True),
    ("10.1.2.3 [::1]:7", "http://[0::1]:7", True),
    ("10.1.2.3 [::1]:7", "http://[::1]:8", False),
    ("[::1]", "http://[::1]:8", True),
    ("[0:0:0:0:0:0:0:1]", "http://[::1]:8", True),
    ("[FE80::0:1]:8", "http://[fe80::1]:8", True),
    ("a.example.com", "http://a.example.com.", False),
    ("a.example.com", "http://127.0.0.1:1", False),
])
def test_allowed_hosts(httpd, mirror, patterns, host, allowed):
    h = httpd(f"{MANAGER}ProxyMirrorAllowHost {patterns}\n" + to(mirror))
    got = call(h, "PATCH", "m", {"host": host})
    if allowed:
        changed(got)
    elif allowed is None:
        refused(got, 400, "mod_ssl")
    else:
        refused(got, 400, "ProxyMirrorAllowHost")
    changed(call(h, "PUT", "m", {"host": mirror.url}))     # the file's own


def test_hosts_of_the_file_are_allowed(httpd, mirror):
    h = httpd(MANAGER + to(mirror) + "\n" +
              to(mirror, "enable_limit_count=true policy=redis redis_host=redis.example.com", "r") + "\n" +
              to(mirror, "enable_limit_count=true policy=redis-cluster redis_cluster_name=c "
                         "redis_cluster_nodes=n1.example.com:7000,[::1]:7000", "c") +
              '\nProxyMirror "http://other.example.com" name=o\nProxyMirror "unix:/tmp/x|http://socket.example.com" name=u')
    for host in ("other.example.com", "redis.example.com:1", "n1.example.com", "[::1]"):
        patch(h, {"host": f"http://{host}"})
    patch(h, {"redis_host": "n1.example.com", "redis_port": 1, "redis_cluster_nodes": ["[::1]:1", "127.0.0.1:1"]})
    refused(call(h, "PATCH", "m", {"host": "http://socket.example.com"}), 400, "ProxyMirrorAllowHost")
    one = changed(call(h, "PATCH", "u", {"count": 2}))
    changed(call(h, "PUT", "u", one["attributes"]))         # a socket can be kept


def test_each_server_must_be_allowed(httpd, mirror):
    """With its port, which may be that of the URL; the file's own servers always are."""
    h = httpd(MANAGER + "ProxyMirrorAllowHost a.example.com 10.0.0.1:7\n" +
              to(mirror, "servers=own.example.com,[::1]:5"))
    patch(h, {"servers": ["a.example.com", "a.example.com:1*2"]})
    patch(h, {"servers": ["10.0.0.1:7", "own.example.com"]})
    refused(call(h, "PATCH", "m", {"servers": ["[::1]:5*9", "[0::1]:5"]}), 400, "servers: must be different servers")
    for other in ("b.example.com", "10.0.0.1", "10.0.0.1:8", "own.example.com:1", "[::1]:6"):
        refused(call(h, "PATCH", "m", {"servers": ["a.example.com", other]}), 400, "servers", "ProxyMirrorAllowHost")
    assert attributes(h)["servers"] == ["10.0.0.1:7", "own.example.com"]
    patch(h, {"servers": None})
    assert "servers" not in attributes(h)


def test_servers_of_the_file_are_allowed(httpd, mirror):
    h = httpd(MANAGER + to(mirror) + "\n" + 'ProxyMirror "http://b.example.com" name=b servers=own.example.com,[::1]:5')
    patch(h, {"servers": ["own.example.com:1", "[::1]"], "host": "http://own.example.com"})
    refused(call(h, "PATCH", "m", {"servers": ["own.example.com", "127.0.0.2"]}), 400, "servers", "ProxyMirrorAllowHost")


@pytest.mark.parametrize("pattern", ["a b*", "a*.b", "http://a", "a:0", "a:65536", "a:", "a/", "[::1", "[a.b]", "[::1.2]", "::1", "a\"b", ":80"])
def test_bad_patterns_stop_the_start(httpd, mirror, pattern):
    h = httpd(MANAGER + to(mirror))
    h.conf = f"ProxyMirrorAllowHost \"{pattern}\"\n" if '"' not in pattern else f"ProxyMirrorAllowHost '{pattern}'\n"
    h.configure()
    said = h.test_configuration()
    assert said.returncode and "ProxyMirrorAllowHost: must be a host name or address" in said.stderr


def test_a_host_that_is_not_allowed_any_more_is_dropped(httpd, mirror):
    h = httpd(MANAGER + ANY + to(mirror), children=3, threads=4)    # the first of three that finds it so logs it
    patch(h, {"host": "http://10.1.2.3"})
    h.conf = MANAGER + "ProxyMirrorAllowHost a.example.com\n" + to(mirror)
    h.configure()
    h.graceful()
    assert h.mirror()["overridden"] is False and attributes(h)["host"] == mirror.url
    assert len(h.log_lines("PM0912: mirror m is reset to the configuration file; .*ProxyMirrorAllowHost")) == 1


# ---- passwords ----

REDIS = "enable_limit_count=false policy=redis redis_host=10.0.0.1 redis_username=u redis_password=s3cret"


@pytest.mark.parametrize("data", [
    {"redis_host": "10.0.0.2"}, {"redis_port": 6380}, {"redis_username": "v"}, {"redis_username": None, "redis_host": "10.0.0.3"},
    {"redis_ssl": True}, {"redis_host": "10.0.0.2", "redis_password": "***"}, {"redis_cluster_nodes": ["10.0.0.4:1", "10.0.0.5:1"]},
])
def test_another_server_needs_the_password_anew(httpd, mirror, data):
    h = httpd(MANAGER + ANY + to(mirror, REDIS))
    before = h.mirror()
    refused(call(h, "PATCH", "m", data), 400, "redis_password: must be set again")
    refused(call(h, "PUT", "m", {**before["attributes"], **data}), 400, "redis_password: ")
    assert h.mirror() == before
    one = patch(h, {**data, "redis_password": "n3w"})
    assert one["attributes"]["redis_password"] == "***"
    patch(h, {"count": 7})                      # which goes where it was given for
    refused(call(h, "PATCH", "m", {"redis_port": 99}), 400, "redis_password: ")
    refused(call(h, "PATCH", "m", {"redis_host": "10.0.0.9", "redis_password": "***"}), 400, "redis_password: ")
    everything = h.log() + h.get("/manager/mirrors").raw.decode("latin-1")
    assert "s3cret" not in everything and "n3w" not in everything


def test_the_password_of_the_defaults_stays_where_it_belongs(httpd, mirror):
    h = httpd(MANAGER + ANY + "ProxyMirrorDefaults redis_host=10.0.0.7 redis_password=d3fault\n" +
              to(mirror, "enable_limit_count=true policy=redis redis_host=10.0.0.1 redis_password=s3cret"))
    patch(h, {"redis_host": "10.0.0.66", "redis_password": "mine"})
    refused(call(h, "PATCH", "m", {"redis_password": None}), 400, "redis_password: ")
    put(h, {"host": mirror.url, "policy": "redis", "enable_limit_count": True})
    assert attributes(h)["redis_host"] == "10.0.0.7" and attributes(h)["redis_password"] == "***"
    refused(call(h, "PATCH", "m", {"redis_host": "10.0.0.66"}), 400, "redis_password: ")


def test_a_password_is_kept_and_removed(httpd, mirror):
    h = httpd(MANAGER + to(mirror, REDIS))
    first = call(h, "GET", "m", None, ()).header("ETag")
    assert patch(h, {"redis_password": "***"})["overridden"] is False
    patch(h, {"redis_password": "other"})
    assert call(h, "GET", "m", None, ()).header("ETag") != first
    assert h.mirror()["overridden"] is True
    refused(call(h, "PATCH", "m", {"redis_password": None}), 400, "redis_password: must be a password if redis_username is set")
    assert "redis_password" not in patch(h, {"redis_password": None, "redis_username": None})["attributes"]
    assert json.loads(call(h, "DELETE", "m", None, ()).body)["attributes"]["redis_password"] == "***"
    assert call(h, "GET", "m", None, ()).header("ETag") == first


SENTINELS = ("enable_limit_count=false policy=redis-sentinel redis_sentinels=10.0.0.1:26379 redis_master_name=mymaster "
             "redis_password=s3cret sentinel_username=u sentinel_password=s3ntinel")


@pytest.mark.parametrize("change, secret", [
    ({"redis_sentinels": ["10.0.0.2:26379"]}, "redis_password"), ({"redis_master_name": "x"}, "redis_password"),
    ({"redis_sentinels": ["10.0.0.2:26379"], "redis_password": "new"}, "sentinel_password"),
    ({"redis_sentinels": ["10.0.0.2:26379"], "sentinel_password": "new"}, "redis_password"),
    ({"sentinel_username": "v"}, "sentinel_password")])
def test_passwords_are_not_sent_to_other_sentinels(httpd, mirror, change, secret):
    h = httpd(MANAGER + "ProxyMirrorAllowHost 10.0.0.1 10.0.0.2\n" + to(mirror, SENTINELS))
    refused(call(h, "PATCH", "m", change), 400, f"{secret}: must be set again")
    patch(h, {**change, "redis_password": "a", "sentinel_password": "b"})


def test_sentinels_must_be_allowed(httpd, mirror):
    h = httpd(MANAGER + "ProxyMirrorAllowHost 10.0.0.1\n" + to(mirror, SENTINELS))
    refused(call(h, "PATCH", "m", {"redis_sentinels": ["10.0.0.9:1"], "redis_password": "a", "sentinel_password": "b"}), 400,
            "redis_sentinels: must be hosts that ProxyMirrorAllowHost allows")
