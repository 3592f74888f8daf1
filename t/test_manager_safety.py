"""Who may change something, and the page's forms."""
from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest

from httpdlab import Httpd, to
from managerlab import FORM, JSON, MANAGER, attributes, call, changed, patch, refused
from wire import Message


@pytest.fixture
def same(httpd, mirror):
    h = httpd(MANAGER + to(mirror))
    yield h
    assert h.mirror()["overridden"] is False
    assert not h.log_lines("PM0900")


def nonce(h: Httpd) -> str:
    """The nonce of the forms, as the manager's own page has it."""
    found = re.search(rb'nonce"[^0-9a-f]{1,20}(?:value=|content=)?[^0-9a-f]{0,3}([0-9a-f]{32})\b', h.get("/manager").body)
    assert found
    return found.group(1).decode()


def post(h: Httpd, fields: dict[str, str], headers: tuple[str, ...] = (), name: str = "m") -> Message:
    return call(h, "POST", name, urlencode(fields).encode(), (FORM, *headers))


# ---- who ----

@pytest.mark.parametrize("origin, allowed", [
    ("http://{local}", True), ("https://127.0.0.1", False), ("http://127.0.0.1", False), ("http://evil.example.com", False),
    ("null", False), ("", False), ("http://{local}.evil.com", False), ("http://localhost:{h.port}", False),
    ("http://evil.com#{local}", False), ("file://", False), ("http://u@{local}", False)])
def test_origins(httpd, mirror, origin, allowed):
    h = httpd(MANAGER + to(mirror))
    local = f"127.0.0.1:{h.port}"
    got = call(h, "PATCH", "m", {"count": 2}, [JSON, f"Host: {local}", "Origin: " + origin.format(local=local, h=h)])
    if allowed:
        changed(got)
    else:
        refused(got, 403, "Origin: ")
    assert h.mirror()["overridden"] is allowed


@pytest.mark.parametrize("site, allowed", [("same-origin", True), ("none", True), ("cross-site", False),
                                           ("same-site", False), ("nonsense", False)])
def test_fetch_metadata(httpd, mirror, site, allowed):
    h = httpd(MANAGER + to(mirror))
    got = call(h, "PATCH", "m", {"count": 2}, [JSON, "Host: localhost", f"Sec-Fetch-Site: {site}"])
    if allowed:
        changed(got)
    else:
        refused(got, 403, "Origin: ")
    assert h.mirror()["overridden"] is allowed


def test_a_name_that_leads_to_loopback_is_no_name_of_ours(same):
    """A page of evil.example.com, whose address was made 127.0.0.1, is of the same origin to a browser."""
    for headers in (["Origin: http://evil.example.com"], ["Sec-Fetch-Site: same-origin"]):
        refused(call(same, "PATCH", "m", {"count": 2}, [JSON, "Host: evil.example.com", *headers]), 403, "Host: ")


@pytest.mark.parametrize("host", ["localhost", "www.example.com", "a.b.example.org", "[::1]", "127.1.2.3:99"])
def test_names_of_ours(httpd, mirror, host):
    h = httpd(lambda h: f"<VirtualHost *:{h.port}>\nServerName www.example.com\nServerAlias *.example.org\n{MANAGER}"
                        f"{to(mirror)}\n</VirtualHost>")
    changed(call(h, "PATCH", "m", {"count": 2}, [JSON, f"Host: {host}", f"Origin: http://{host}"]))


PROXY_PROTOCOL = "RemoteIPProxyProtocol On\n"


def from_elsewhere(h: Httpd, method: str, headers: list[str], body: bytes = b'{"count": 2}') -> Message:
    """What a client at 192.0.2.1 sends, as httpd is told by the PROXY protocol about its connection."""
    head = "".join(f"{line}\r\n" for line in ("Host: t", JSON, f"Content-Length: {len(body)}", *headers))
    return h.exchange(f"PROXY TCP4 192.0.2.1 127.0.0.1 1000 80\r\n{method} /manager/mirrors/m HTTP/1.1\r\n{head}\r\n".encode()
                      + body, method)


USER = """<Location "/manager">
AuthType Basic
AuthName x
AuthBasicProvider file
AuthUserFile "{h.root}/users"
Require valid-user
</Location>
"""


def test_from_elsewhere_a_user_is_needed(httpd, mirror):
    h = httpd(PROXY_PROTOCOL + MANAGER + to(mirror), modules=["remoteip"])
    h.module = None                             # whose status is asked without the PROXY protocol
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        refused(from_elsewhere(h, method, []), 403, "change: an authenticated user, or a connection from loopback")
    refused(from_elsewhere(h, "PATCH", ["X-Forwarded-For: 127.0.0.1"]), 403)
    got = from_elsewhere(h, "GET", [])
    assert got.status == 200 and b'"overridden": false' in got.body


def test_whom_a_local_proxy_speaks_for(httpd, mirror):
    h = httpd("RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.0/8\n" + MANAGER + to(mirror),
              modules=["remoteip"])
    refused(call(h, "PATCH", "m", {"count": 2}, [JSON, "X-Forwarded-For: 192.0.2.1"]), 403, "change: ")
    changed(call(h, "PATCH", "m", {"count": 2}, [JSON, "X-Forwarded-For: 127.0.0.9"]))
    changed(call(h, "PATCH", "m", {"count": 3}))


def test_a_user_may_change_from_elsewhere(httpd, mirror):
    def conf(h: Httpd) -> str:
        h.write("users", "ann:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=\n")         # test
        return PROXY_PROTOCOL + MANAGER + USER.format(h=h) + to(mirror)
    h = httpd(conf, modules=["remoteip", "authn_core", "authn_file", "auth_basic", "authz_user"], expect=["AH01617"])
    h.module = None
    assert from_elsewhere(h, "PATCH", []).status == 401
    assert changed(from_elsewhere(h, "PATCH", ["Authorization: Basic YW5uOnRlc3Q="]))["attributes"]["count"] == 2
    assert h.log_lines('PM0900: mirror m is changed by "ann" from 192.0.2.1 through 127.0.0.1: count from 1 to 2')


# ---- forms ----

@pytest.mark.smoke
def test_form(httpd, mirror):
    h = httpd(MANAGER + to(mirror, "count=3 timeout=5s"))
    one = nonce(h)
    assert nonce(h) == one
    got = post(h, {"nonce": one, "enabled": "off", "count": "10", "timeout": "", "methods": "GET,POST",
                   "sample_ratio": "12.5%", "action": "set"}, ("Host: localhost", "Origin: http://localhost"))
    assert got.status == 303 and got.header("Location") == ["/manager/"]
    now = attributes(h)
    assert (now["enabled"], now["count"], now["timeout"], now["methods"]) == (False, 10, "10s", ["GET", "POST"])
    assert now["sample_ratio"] == 0.125
    refused(post(h, {"nonce": one, "count": "0"}), 400, "count: ")
    refused(post(h, {"nonce": one, "nonsense": "0"}), 400, "attributes: ")
    refused(post(h, {"nonce": one, "host": "unix:/x|http://a"}), 400, "only the configuration file can give a socket")
    refused(post(h, {"nonce": one, "redis_password": "exec:/x"}), 400, "only the configuration file can give a program")
    refused(post(h, {"nonce": one, "action": "explode"}), 400, "action: set or reset is needed")
    refused(call(h, "POST", "m", f"nonce={one}&path=/%ff".encode(), [FORM]), 400, "body: ")
    refused(call(h, "POST", "m", f"nonce={one}&path=/%00x".encode(), [FORM]), 400, "body: ")
    refused(call(h, "POST", "m", f"nonce={one}&count=1&count=2".encode(), [FORM]), 400, "body: ")
    refused(call(h, "POST", "m", f"nonce={one}&count".encode(), [FORM]), 400, "body: ")
    assert attributes(h) == now
    etag = call(h, "GET", "m", None, ()).header("ETag")[0]
    refused(post(h, {"nonce": one, "count": "4", "etag": '"x"'}), 412)
    assert post(h, {"nonce": one, "count": "4", "etag": etag}).status == 303
    assert post(h, {"nonce": one, "action": "reset"}).status == 303
    assert h.mirror()["overridden"] is False


def test_forms_need_the_nonce(same):
    for fields in ({}, {"nonce": ""}, {"nonce": "0" * 32}, {"nonce": nonce(same)[:-1]}, {"nonce": nonce(same) + "0"}):
        refused(post(same, {"count": "2", **fields}), 403, "nonce: ")
        refused(post(same, {"action": "reset", **fields}), 403, "nonce: ")


def test_a_nonce_is_stale_after_a_reload(same):
    before = nonce(same)
    same.graceful()
    assert nonce(same) != before
    refused(post(same, {"count": "2", "nonce": before}), 403, "load the page again")


def test_all_children_have_the_same_nonce(httpd, mirror):
    h = httpd(MANAGER + to(mirror), children=4, threads=2)
    one = nonce(h)
    for n in range(30):
        assert post(h, {"nonce": one, "count": str(n + 2)}).status == 303
        assert attributes(h)["count"] == n + 2


@pytest.mark.parametrize("headers", [["Origin: http://evil.example.com"], ["Origin: null"], ["Sec-Fetch-Site: cross-site"]])
def test_forms_of_other_sites(same, headers):
    """Even with the nonce."""
    refused(post(same, {"nonce": nonce(same), "count": "2"}, tuple(headers)), 403, "Origin: ")
    refused(call(same, "POST", "m", b"count=2", ["Content-Type: text/plain", *headers]), 403)
    refused(call(same, "DELETE", "m", None, headers), 403)


def test_reading_needs_no_more_than_require(httpd, mirror):
    h = httpd(f'{MANAGER}<Location "/manager">\nRequire all denied\n</Location>\n' + to(mirror), expect=["AH01630"])
    for method in ("GET", "PUT", "PATCH", "DELETE", "POST"):
        assert call(h, method, "m", {"count": 2}).status == 403
    assert h.mirror()["overridden"] is False
