"""Copies of what others than mod_proxy_http handle, and of requests in all kinds of sections."""
from __future__ import annotations

import contextlib
import json

import pytest

import fastcgi
from copies import assert_copy
from httpdlab import location, to, wait_for
from wire import chunked, request

# cat would not do: mod_cgi writes the whole body before it reads, and both would wait for ever
READING = "#!/bin/sh\nset -- $(cksum)\nprintf 'Content-Type: text/plain\\r\\n\\r\\n%s bytes\\n' $2\n"
NOT_READING = "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\nok\\n'\n"
CGI = """
ScriptAlias /cgi/ "{h.root}/htdocs/"
{line}
"""


@pytest.mark.smoke
@pytest.mark.valgrind
def test_static_file(httpd, mirror):
    h = httpd(to(mirror))
    assert h.get("/index.html?x").body == b"hi\n"
    assert_copy(mirror.one(), "GET /index.html?x")
    assert h.ended(1) == {"mirrored": 1}


def test_static_file_does_not_read_the_body(httpd, mirror):
    """httpd reads it at the end, to get at the next request."""
    h = httpd(to(mirror))
    with h.client() as client:
        for body in (b"x" * 5, b"y" * 100000):
            client.send(request("GET", "/index.html", [], body, close=False))
            assert client.answer().status == 200
        client.send(request("GET", "/index.html", ["Transfer-Encoding: chunked"], close=False) + chunked(b"zzz"))
        assert client.answer().status == 200
    assert h.ended(3) == {"mirrored": 3}
    assert sorted(copy.body for copy in mirror.requests) == [b"x" * 5, b"y" * 100000, b"zzz"]


def test_file_that_is_not_there(httpd, mirror):
    h = httpd(to(mirror), expect=["AH00128"])
    assert h.get("/none").status == 404
    assert_copy(mirror.one(), "GET /none")
    assert h.ended(1) == {"mirrored": 1}


@pytest.mark.parametrize("module", ["cgi", "cgid"])
@pytest.mark.parametrize("size", [0, 5, 300000])
def test_cgi_that_reads_the_body(httpd, mirror, module, size):
    h = httpd(lambda h: CGI.format(h=h, line=to(mirror)), modules=[module])
    h.write("htdocs/count", READING, 0o755)
    body = b"b" * size
    assert h.request("POST", "/cgi/count?x", [], body).body == b"%d bytes\n" % size
    assert_copy(mirror.one(), "POST /cgi/count?x", f"Content-Length: {size}", body=body)
    assert h.ended(1) == {"mirrored": 1}


@pytest.mark.parametrize("size", [0, 5, 300000])
def test_cgi_that_does_not_read_the_body(httpd, mirror, size):
    h = httpd(lambda h: CGI.format(h=h, line=to(mirror)), modules=["cgi"], expect=[r"\[cgi:error\]"])
    h.write("htdocs/deaf", NOT_READING, 0o755)
    body = b"b" * size
    assert h.request("POST", "/cgi/deaf", [], body).status == 200
    assert_copy(mirror.one(), "POST /cgi/deaf", f"Content-Length: {size}", body=body)
    assert h.ended(1) == {"mirrored": 1}


NPH = "#!/bin/sh\nhead -c 4 >/dev/null\nprintf 'HTTP/1.1 %s\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n' {status}\n"


@pytest.mark.parametrize("module", ["cgi", "cgid"])
@pytest.mark.parametrize("wanted, outcome", [("", "mirrored"), ("status=2xx", "mirrored"), ("status=4xx", "filtered")])
def test_cgi_that_writes_its_own_head(httpd, mirror, module, wanted, outcome):
    """httpd does not look at what such a script says: to it the status is 200, as in the access log."""
    h = httpd(lambda h: CGI.format(h=h, line=to(mirror, wanted)) + "ProxyMirrorLog logs/mirror\n"
              + 'CustomLog logs/access "%>s %{PROXY_MIRROR}e"\n', modules=[module])
    for status in (200, 404):
        h.write(f"htdocs/nph-{status}", NPH.format(status=status), 0o755)
        assert h.request("POST", f"/cgi/nph-{status}", [], b"body").status == status
    assert h.ended(2) == {outcome: 2}
    assert [copy.body for copy in mirror.requests] == [b"body"] * (2 if outcome == "mirrored" else 0)
    line = "200 " + {"mirrored": "captured"}.get(outcome, outcome)
    wait_for("the access log", lambda: h.read("logs/access").splitlines().count(line) == 2)
    if outcome == "mirrored":       # what is filtered has no line
        lines = wait_for("both lines", lambda: (lines := h.read("logs/mirror").splitlines())[1:] and lines)
        assert [json.loads(line)["primary"]["status"] for line in lines] == [200, 200]


@pytest.mark.parametrize("size", [0, 5, 300000])
def test_cgid_that_does_not_read_the_body(httpd, mirror, size):
    """What such a script has said may be lost with the rest of the socket that it closes, and then httpd gives the
    client up; if the body was read by then, there is a copy."""
    h = httpd(lambda h: CGI.format(h=h, line=to(mirror)), modules=["cgid"], expect=[r"\[(cgid|core):error\]"])
    h.write("htdocs/deaf", NOT_READING, 0o755)
    body = b"b" * size
    with contextlib.suppress(EOFError, OSError):
        h.request("POST", "/cgi/deaf", [], body)
    if h.ended(1) != {"incomplete": 1}:
        assert_copy(mirror.one(), "POST /cgi/deaf", f"Content-Length: {size}", body=body)


def test_fastcgi(httpd, recorder, mirror):
    responder = recorder(takeover=fastcgi.respond)
    h = httpd(f'ProxyPass /f/ fcgi://127.0.0.1:{responder.port}/srv/\n{to(mirror)}', modules=["proxy_fcgi"])
    for size in (0, 7, 100000):
        assert h.request("POST", f"/f/{size}", [], b"x" * size).body == b"%d bytes\n" % size
    assert h.ended(3) == {"mirrored": 3}
    for copy in mirror.requests:
        size = int(copy.target[3:])
        assert_copy(copy, f"POST /f/{size}", f"Content-Length: {size}", body=b"x" * size)


def test_balancer(httpd, recorder, mirror):
    members = [recorder(), recorder()]
    h = httpd("<Proxy balancer://both>\n" + "".join(f"    BalancerMember {member.url}\n" for member in members)
              + f"</Proxy>\nProxyPass /b/ balancer://both/\n{to(mirror)}",
              modules=["proxy_balancer", "lbmethod_byrequests", "slotmem_shm"])
    for n in range(6):
        assert h.request("POST", f"/b/{n}", [], b"x" * n).status == 200
    assert h.ended(6) == {"mirrored": 6}
    assert [len(member.requests) for member in members] == [3, 3]
    for copy in mirror.requests:
        n = int(copy.target[3:])
        assert_copy(copy, f"POST /b/{n}", f"Content-Length: {n}", body=b"x" * n)


def test_balancer_with_a_dead_member(httpd, origin, recorder, mirror):
    """The request is tried on another member; that is not another request."""
    dead = recorder(listen=False)
    h = httpd(f"<Proxy balancer://both>\n    BalancerMember {dead.url} loadfactor=100\n"
              f"    BalancerMember {origin.url}\n</Proxy>\nProxyPass /b/ balancer://both/\n{to(mirror)}",
              modules=["proxy_balancer", "lbmethod_byrequests", "slotmem_shm"], expect=[r"\[proxy\w*:error\]"])
    assert h.request("POST", "/b/x", [], b"body").status == 200
    assert origin.one().body == b"body"
    assert_copy(mirror.one(), "POST /b/x", "Content-Length: 4", body=b"body")
    assert h.ended(1) == {"mirrored": 1}


SECTIONS = {
    "If": """<If "%{{QUERY_STRING}} == 'yes'">\n{line}\n</If>""",
    "Location": '<Location "/o/in">\n{line}\n</Location>',
    "LocationMatch": '<LocationMatch "^/o/[hi]n">\n{line}\n</LocationMatch>',
    "Location~": '<Location ~ "in$">\n{line}\n</Location>',
    "Proxy": '<Proxy "http://127.0.0.1:{port}/in*">\n{line}\n</Proxy>',
    "ProxyMatch": '<ProxyMatch "/in$">\n{line}\n</ProxyMatch>',
}


@pytest.mark.parametrize("section", SECTIONS)
def test_sections_of_proxied_requests(httpd, origin, mirror, section):
    conf = SECTIONS[section].format(line=to(mirror), port=origin.port)
    h = httpd(f'ProxyPass "/o/" "{origin.url}/"\n{conf}')
    assert h.request("POST", "/o/in?yes", [], b"body").status == 200
    assert h.request("POST", "/o/out?no", [], b"body").status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert_copy(mirror.one(), "POST /o/in?yes", "Content-Length: 4", body=b"body")


@pytest.mark.parametrize("section", ['Directory "{h.root}/htdocs/in"', 'DirectoryMatch "/in"', 'Files "a"',
                                     'FilesMatch "^a$"'])
def test_sections_of_files(httpd, mirror, section):
    h = httpd(lambda h: f"<{section.format(h=h)}>\n{to(mirror)}\n</{section.split()[0]}>", expect=["AH00128"])
    for name in ("in", "out"):
        h.folder(f"htdocs/{name}")
    h.write("htdocs/in/a", "x")
    h.write("htdocs/out/b", "x")
    assert h.get("/in/a").status == 200
    assert h.get("/out/b").status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert_copy(mirror.one(), "GET /in/a")


def test_proxied_virtual_host(httpd, origin, mirror):
    h = httpd(lambda h: f"""
        <VirtualHost *:{h.port}>
            ServerName first
        </VirtualHost>
        <VirtualHost *:{h.port}>
            ServerName second
            ProxyPass "/" "{origin.url}/"
            {to(mirror)}
        </VirtualHost>""")
    for host in ("first", "second"):
        got = h.exchange(f"GET /index.html HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert got.status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert h.mirror()["server"] == f"second:{h.port}"
    assert_copy(mirror.one(), "GET /index.html", "Host: second",
                added=("X-Forwarded-For: 127.0.0.1", "X-Forwarded-Host: second", "X-Forwarded-Server: second",
                       "X-Proxy-Mirror: lab"))


def test_body_that_mod_request_keeps(httpd, origin, mirror):
    """It is read before the handler, and replayed to it."""
    h = httpd(location("/o/", origin, "KeptBodySize 1000", to(mirror)), modules=["request"])
    assert h.request("POST", "/o/a", [], b"kept").status == 200
    assert origin.one().body == b"kept"
    assert_copy(mirror.one(), "POST /o/a", "Content-Length: 4", body=b"kept")
    assert h.ended(1) == {"mirrored": 1}


def test_body_in_front_of_mod_buffer(httpd, origin, mirror):
    h = httpd(location("/o/", origin, "SetInputFilter BUFFER", to(mirror)), modules=["buffer"])
    body = b"x" * 50000
    assert h.exchange(request("POST", "/o/a", ["Transfer-Encoding: chunked"]) + chunked(body, body)).status == 200
    assert origin.one().body == body * 2
    assert_copy(mirror.one(), "POST /o/a", "Content-Length: 100000", body=body * 2)
