"""Who may change something, and the page's forms."""
from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest

from httpdlab import Httpd, free_port, to, wait_for
from managerlab import ANN, FORM, JSON, MANAGER, USER_MODULES, attributes, call, changed, patch, refused, user
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


BROWSER = "Accept: text/html,*/*"


# ---- who ----

@pytest.mark.parametrize("origin, allowed", [
    ("http://{local}", True), ("https://127.0.0.1", False), ("http://127.0.0.1", False), ("http://evil.example.com", False),
    ("null", False), ("", False), ("http://{local}.evil.com", False), ("http://localhost:{h.port}", False),
    ("http://evil.com#{local}", False), ("file://", False), ("http://u@{local}", False),
    ("HTTP://{local}", True), ("file://{local}", False), ("capacitor://{local}", False), ("x-http://{local}", False),
    ("http:{local}", False)])
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


READ = ["/manager", "/manager/", "/manager/mirrors", "/manager/mirrors/m", "/manager/metrics", "/manager/page.js"]


def names(h: Httpd, mirror) -> str:
    """A virtual host that has names, and takes all others."""
    return (f"<VirtualHost *:{h.port}>\nServerName www.example.com\nServerAlias web1 * *.example.org\n{MANAGER}"
            f"{to(mirror)}\n</VirtualHost>")


@pytest.mark.parametrize("host", ["evil.example.com", "a.b.example.org", "127.0.0.1.nip.io", "localhost.example.com", "127.1",
                                  "2130706433", "www.example.com.evil.org", "*", "web1.example.org:80", "[::1].evil.org"])
def test_a_name_that_leads_here_is_no_name_of_ours(httpd, mirror, host):
    """A page of evil.example.com, whose address was made 127.0.0.1, is of the same origin to a browser: it reads what it
    likes, and has the nonce."""
    h = httpd(lambda h: names(h, mirror))
    for path in (*READ, *(path.replace("manager", "mirror-status") for path in READ)):
        for method in ("GET", "HEAD", "OPTIONS"):
            got = h.request(method, path, [f"Host: {host}"])
            assert got.status in (400, 403) and b'"overridden"' not in got.body and b"nonce" not in got.body, (path, got)
    for headers in ([], [f"Origin: http://{host}"], ["Sec-Fetch-Site: same-origin"]):
        for method in ("PUT", "PATCH", "DELETE", "POST"):
            assert call(h, method, "m", {"count": 2}, [JSON, f"Host: {host}", *headers]).status in (400, 403)
    h.module = None                             # whose counters the virtual host has
    assert b'"overridden": false' in h.get("/manager/mirrors", ["Host: web1"]).body
    assert not h.log_lines("PM0900")


@pytest.mark.parametrize("host", ["localhost", "LocalHost:99", "www.example.com", "WWW.example.com.", "web1:9", "[::1]", "127.1.2.3:99",
                                  "10.1.2.3", "[2001:db8::1]:8080"])
def test_names_of_ours(httpd, mirror, host):
    h = httpd(lambda h: names(h, mirror))
    for path in READ:
        assert h.get(path, [f"Host: {host}"]).status == 200
    changed(call(h, "PATCH", "m", {"count": 2}, [JSON, f"Host: {host}", f"Origin: http://{host}"]))
    assert not h.log_lines("PM0920")


def test_without_a_host_there_is_no_browser(httpd, mirror):
    h = httpd(MANAGER + to(mirror))
    assert h.exchange(b"GET /manager/mirrors HTTP/1.0\r\n\r\n").status == 200
    assert h.exchange(b"GET /manager/mirrors HTTP/1.0\r\nHost: evil.example.com\r\n\r\n").status == 403
    assert h.exchange(b"GET http://evil.example.com/manager/mirrors HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                      ).status == 403


def test_a_user_may_call_it_by_any_name(httpd, mirror):
    h = httpd(lambda h: MANAGER + user(h) + to(mirror), modules=USER_MODULES)
    assert h.get("/manager/mirrors", ["Host: lb.example.net", ANN]).status == 200
    changed(call(h, "PATCH", "m", {"count": 2}, [JSON, "Host: lb.example.net", ANN]))


PROXY_PROTOCOL = "RemoteIPProxyProtocol On\n"
NOTHING_SENT = "AH10184"                        # httpd 2.4.68 has it for a connection without a byte: whether it listens


def from_elsewhere(h: Httpd, method: str, headers: list[str], body: bytes = b'{"count": 2}') -> Message:
    """What a client at 192.0.2.1 sends, as httpd is told by the PROXY protocol about its connection."""
    head = "".join(f"{line}\r\n" for line in ("Host: localhost", JSON, f"Content-Length: {len(body)}", *headers))
    return h.exchange(f"PROXY TCP4 192.0.2.1 127.0.0.1 1000 80\r\n{method} /manager/mirrors/m HTTP/1.1\r\n{head}\r\n".encode()
                      + body, method)


def test_from_elsewhere_a_user_is_needed(httpd, mirror):
    h = httpd(PROXY_PROTOCOL + MANAGER + to(mirror), modules=["remoteip"], expect=[NOTHING_SENT])
    h.module = None                             # whose status is asked without the PROXY protocol
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        refused(from_elsewhere(h, method, []), 403, "change: must come from an authenticated user or a loopback connection, got neither")
    refused(from_elsewhere(h, "PATCH", ["X-Forwarded-For: 127.0.0.1"]), 403)
    got = from_elsewhere(h, "GET", [])
    assert got.status == 200 and b'"overridden": false' in got.body


def test_whom_a_local_proxy_speaks_for(httpd, mirror):
    h = httpd("RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.0/8\n" + MANAGER + to(mirror),
              modules=["remoteip"])
    refused(call(h, "PATCH", "m", {"count": 2}, [JSON, "X-Forwarded-For: 192.0.2.1"]), 403, "change: ")
    changed(call(h, "PATCH", "m", {"count": 2}, [JSON, "X-Forwarded-For: 127.0.0.9"]))
    changed(call(h, "PATCH", "m", {"count": 3}))


SIGNS = ["X-Proxy-Mirror: lab", "X-Proxy-Mirror: other", "X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "Forwarded: for=127.0.0.1",
         "Via: 1.1 nginx", "X-Forwarded-For:"]


@pytest.mark.parametrize("sign", SIGNS)
def test_a_request_that_was_passed_on_is_not_local(same, sign):
    """A proxy on this machine connects from loopback for anybody, and a mirror may lead back to httpd."""
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        refused(call(same, method, "m", {"count": 2}, [JSON, sign]), 403, "change: ",
                f"it has the header {sign.split(':')[0]})")
    assert same.get("/manager/mirrors", [sign]).status == 200       # who may read is Require's matter
    assert b"<form" not in same.get("/manager", [sign]).body
    assert len(same.log_lines("PM0920: .* mirror m by a client without a user from 127.0.0.1 was rejected: change: ")) == 4


def test_a_user_may_come_through_a_proxy(httpd, mirror):
    h = httpd(lambda h: MANAGER + user(h) + to(mirror), modules=USER_MODULES)
    changed(call(h, "PATCH", "m", {"count": 2}, [JSON, ANN, *SIGNS[:6]]))


def test_a_copy_changes_nothing(httpd, mirror):
    """What a client sends to the public host arrives at the mirror, the manager's host, from loopback."""
    def conf(h: Httpd) -> str:
        manager = free_port()
        return (f'Listen 127.0.0.1:{manager}\n<VirtualHost *:{h.port}>\nServerName localhost\n'
                f'ProxyMirror "http://127.0.0.1:{manager}" name=staging body=on host_header=target\n</VirtualHost>\n'
                f"<VirtualHost *:{manager}>\nServerName localhost\n{MANAGER}</VirtualHost>")
    h = httpd(conf)
    got = h.request("DELETE", "/manager/mirrors/staging", [JSON])
    assert got.status in (403, 404, 405)
    h.ended(1, "staging")
    wait_for("the copy", lambda: h.log_lines('PM0920: "DELETE" of mirror staging by .* was rejected: .*X-Proxy-Mirror'))
    assert not h.log_lines("PM0900")


def test_a_user_may_change_from_elsewhere(httpd, mirror):
    h = httpd(lambda h: PROXY_PROTOCOL + MANAGER + user(h) + to(mirror), modules=["remoteip", *USER_MODULES], expect=["AH01617", NOTHING_SENT])
    h.module = None
    assert from_elsewhere(h, "PATCH", []).status == 401
    assert changed(from_elsewhere(h, "PATCH", [ANN]))["attributes"]["count"] == 2
    assert h.log_lines('PM0900: mirror m was changed by "ann" from 192.0.2.1 through 127.0.0.1: count from 1 to 2')


# ---- forms ----

@pytest.mark.smoke
def test_form(httpd, mirror):
    h = httpd(MANAGER + to(mirror, "count=3 timeout=5s"))
    one = nonce(h)
    assert nonce(h) == one
    got = post(h, {"nonce": one, "enabled": "off", "count": "10", "timeout": "", "methods": "GET,POST",
                   "sample_ratio": "12.5%", "action": "set"}, ("Host: localhost", "Origin: http://localhost", BROWSER))
    assert got.status == 303 and got.header("Location") == ["/manager/"]
    now = attributes(h)
    assert (now["enabled"], now["count"], now["timeout"], now["methods"]) == (False, 10, "10s", ["GET", "POST"])
    assert now["sample_ratio"] == 0.125
    refused(post(h, {"nonce": one, "count": "0"}), 400, "count: ")
    refused(post(h, {"nonce": one, "nonsense": "0"}), 400, "attributes: ")
    refused(post(h, {"nonce": one, "host": "unix:/x|http://a"}), 400, "a socket can be set only in the configuration file")
    refused(post(h, {"nonce": one, "redis_password": "exec:/x"}), 400, "a program can be set only in the configuration file")
    refused(post(h, {"nonce": one, "action": "explode"}), 400, "action: must be set, reset, add_rule, remove_rule or restart_comparison")
    refused(call(h, "POST", "m", f"nonce={one}&path=/%ff".encode(), [FORM]), 400, "body: ")
    refused(call(h, "POST", "m", f"nonce={one}&path=/%00x".encode(), [FORM]), 400, "body: ")
    refused(call(h, "POST", "m", f"nonce={one}&count=1&count=2".encode(), [FORM]), 400, "body: ")
    refused(call(h, "POST", "m", f"nonce={one}&count".encode(), [FORM]), 400, "body: ")
    assert attributes(h) == now
    etag = call(h, "GET", "m", None, ()).header("ETag")[0]
    refused(post(h, {"nonce": one, "count": "4", "etag": '"x"'}), 412)
    now = changed(post(h, {"nonce": one, "count": "4", "etag": etag}))      # to programs, such as page.js
    assert now == h.mirror() and now["attributes"]["count"] == 4
    assert post(h, {"nonce": one, "action": "reset"}, (BROWSER,)).status == 303
    assert h.mirror()["overridden"] is False


def test_forms_need_the_nonce(same):
    for fields in ({}, {"nonce": ""}, {"nonce": "0" * 32}, {"nonce": nonce(same)[:-1]}, {"nonce": nonce(same) + "0"}):
        refused(post(same, {"count": "2", **fields}), 403, "nonce: ")
        refused(post(same, {"action": "reset", **fields}), 403, "nonce: ")


def test_a_nonce_is_stale_after_a_reload(same):
    before = nonce(same)
    same.graceful()
    assert nonce(same) != before
    refused(post(same, {"count": "2", "nonce": before}), 403, "nonce: must be that of the current page, got another one (reload the page)")


def test_all_children_have_the_same_nonce(httpd, mirror):
    h = httpd(MANAGER + to(mirror), children=4, threads=2)
    one = nonce(h)
    for n in range(30):
        assert changed(post(h, {"nonce": one, "count": str(n + 2)}))["attributes"]["count"] == n + 2
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


# ---- the log ----

def test_each_refusal_is_one_line(httpd, mirror):
    h = httpd(lambda h: PROXY_PROTOCOL + MANAGER + to(mirror), modules=["remoteip"])
    h.module = None
    head = "PM0920: .PATCH. of mirror m by a client without a user from "
    for count, (headers, words) in enumerate([
            ([], "192.0.2.1 through 127.0.0.1 was rejected: change: must come from an authenticated user"),
            (["Origin: http://evil.example.com"], "192.0.2.1 through 127.0.0.1 was rejected: change: "),
            (["X-Forwarded-For: 1.2.3.4"], "192.0.2.1 through 127.0.0.1 was rejected: change: ")], 1):
        refused(from_elsewhere(h, "PATCH", headers), 403)
        assert len(h.log_lines(head + words)) == len(h.log_lines("PM0920")) == count


def test_refusals_of_users_and_forms_are_logged(httpd, mirror):
    h = httpd(lambda h: MANAGER + user(h) + to(mirror), modules=USER_MODULES)
    refused(call(h, "DELETE", "m", None, [ANN, "Origin: http://evil.example.com"]), 403)
    assert h.log_lines('PM0920: "DELETE" of mirror m by "ann" from 127.0.0.1 was rejected: Origin: must be this server')
    assert post(h, {"nonce": "0" * 32, "count": "2"}, (ANN, BROWSER)).status == 403
    assert h.log_lines('PM0920: "POST" of mirror m by "ann" from 127.0.0.1 was rejected: nonce: ')
    assert len(h.log_lines("PM0920")) == 2


def test_what_a_client_says_cannot_forge_a_line(httpd, mirror):
    h = httpd("HttpProtocolOptions Unsafe\n" + MANAGER + to(mirror))
    path = b"/manager/%0aPM0900:%1b[2J" + (b"/" + b"x" * 200) * 20
    got = h.exchange(b"GET " + path + b" HTTP/1.1\r\nHost: e<\"vil" + b"y" * 200 + b"\r\nConnection: close\r\n\r\n")
    refused(got, 403, "Host: ")
    (line,) = h.log_lines("PM0920")
    assert len(line) < 1000 and not h.log_lines(r"^PM0900|\x1b")
