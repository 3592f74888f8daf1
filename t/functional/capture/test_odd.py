"""Odd configurations, and requests that are odd but allowed."""
from __future__ import annotations

import contextlib
import subprocess
import threading

import pytest

import ajp
from copies import ADDED, assert_copy
from httpdlab import location, scaled, to
from marks import needs_mod_http2
from wire import chunked, request


def test_ajp(httpd, recorder, mirror):
    container = recorder(takeover=ajp.respond)
    h = httpd(f"ProxyPass /j/ ajp://127.0.0.1:{container.port}/\n{to(mirror)}", modules=["proxy_ajp"])
    for size in (0, 7, 100000):
        assert h.request("POST", f"/j/{size}", [], b"x" * size).body == b"%d bytes\n" % size
    answer = h.exchange(request("POST", "/j/5", ["Transfer-Encoding: chunked"]) + chunked(b"xx", b"xxx"))
    assert answer.body == b"5 bytes\n"
    assert h.ended(4) == {"mirrored": 4}
    for copy in mirror.requests:
        size = int(copy.target[3:])
        assert_copy(copy, f"POST /j/{size}", f"Content-Length: {size}", body=b"x" * size)


def test_http_0_9(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror)))
    with h.client() as client:
        client.send(b"GET /o/a\r\n")
        assert client.stream.rest().endswith(b"ok\n")
    assert_copy(mirror.one(), "GET /o/a", "Host: localhost",
                added=tuple(line for line in ADDED if "Forwarded-Host" not in line))
    assert h.ended(1) == {"mirrored": 1}


def test_long_head(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror)) +
              "LimitRequestLine 60000\nLimitRequestFieldSize 60000\nLimitRequestFields 1000\n")
    headers = [f"X-{n}: " + "v" * 10000 for n in range(100)]
    path = "/o/" + "a" * 50000 + "?" + "b" * 5000
    assert h.get(path, headers).status == 200
    assert_copy(mirror.one(), "GET " + path, *headers)
    assert h.ended(1) == {"mirrored": 1}


def test_body_that_takes_too_long(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror)) + "RequestReadTimeout body=1\n", modules=["reqtimeout"],
              expect=[r"\[(proxy\w*|reqtimeout):"])
    with h.client() as client:
        client.send(request("POST", "/o/a", ["Content-Length: 10"]) + b"half")
        with contextlib.suppress(EOFError, OSError):
            client.answer()
    assert h.ended(1) == {"incomplete": 1}


def test_sections_within_sections(httpd, origin, mirror):
    h = httpd(f"""
{to(mirror, name="server")}
<Location "/o/">
    ProxyPass "{origin.url}/"
    ProxyMirror off
    <If "%{{QUERY_STRING}} =~ /yes/">
        {to(mirror, name="if")}
        <If "%{{QUERY_STRING}} =~ /no/">
            ProxyMirror off
        </If>
        <ElseIf "%{{QUERY_STRING}} =~ /other/">
            {to(mirror, name="elseif")}
        </ElseIf>
    </If>
    <Else>
        {to(mirror, name="else")}
    </Else>
</Location>
""")
    h.get_many(["/o/a", "/o/a?yes", "/o/a?yes,no", "/o/a?yes,other", "/index.html"])
    for name in ("server", "if", "elseif", "else"):
        assert h.ended(1, name) == {"mirrored": 1}
    assert h.mirror("elseif")["scope"] == '/o/ If "%{QUERY_STRING} =~ /yes/" ElseIf "%{QUERY_STRING} =~ /other/"'


def test_very_many_copies(httpd, origin, mirror):
    mirrors = [to(mirror, "copies=100 max_queue=1000 timeout=60s connect_timeout=60s", f"m{n}") for n in range(20)]
    h = httpd(location("/o/", origin, *mirrors), children=1)
    assert h.get("/o/a").status == 200
    for n in range(20):
        assert h.ended(100, f"m{n}") == {"mirrored": 100}


def test_multiviews(httpd, mirror):
    """httpd looks at all the variants, by subrequests, and goes on with one of them."""
    h = httpd(lambda h: f'TypesConfig /dev/null\n{to(mirror)}\n'
              f'<Directory "{h.root}/htdocs">\nOptions +MultiViews\n</Directory>\nAddType text/html .html\n',
              modules=["negotiation", "mime"])
    h.write("htdocs/page.html", "found\n")
    assert h.get("/page?q").body == b"found\n"
    assert_copy(mirror.one(), "GET /page?q")
    assert h.ended(1) == {"mirrored": 1}


@needs_mod_http2
def test_what_http2_pushes(httpd, mirror):
    h = httpd("Protocols h2c http/1.1\nH2Direct on\nH2Push on\n"
              f'<Location "/index.html">\nH2PushResource /pushed.txt\n</Location>\n{to(mirror)}\n', modules=["http2"])
    h.write("htdocs/pushed.txt", "this was pushed\n")
    said = subprocess.run(["nghttp", "-v", f"http://127.0.0.1:{h.port}/index.html"], capture_output=True, text=True,
                          timeout=scaled(20), check=True).stdout
    assert "PUSH_PROMISE" in said and "this was pushed" in said
    assert h.ended(1) == {"mirrored": 1}
    assert mirror.one().target == "/index.html"


@needs_mod_http2
def test_upgrade_to_http2_that_is_not_taken_up(httpd, origin, mirror):
    """A request with a body stays HTTP/1.1."""
    h = httpd("Protocols h2c http/1.1\nH2Upgrade on\n" + location("/o/", origin, to(mirror)), modules=["http2"])
    offer = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"]
    with h.client() as client:
        client.send(request("POST", "/o/a", offer, b"body", close=False))
        assert client.answer().status == 200
    assert_copy(mirror.one(), "POST /o/a", "Content-Length: 4", body=b"body")
    assert h.ended(1) == {"mirrored": 1}


@pytest.mark.long
def test_children_that_serve_few_connections(httpd, origin, mirror):
    """Each ends after some, and another one takes its place: nothing is lost."""
    h = httpd(location("/o/", origin, to(mirror, "max_queue=10000")) + "MaxConnectionsPerChild 20\n", children=2)
    before = set(h.pids())

    def load() -> None:
        for n in range(100):
            assert h.request("POST", f"/o/{n}", [], b"x").status == 200
    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(scaled(30))
    assert h.ended(400) == {"mirrored": 400}
    assert len(mirror.requests) == 400
    assert not before & set(h.pids())
