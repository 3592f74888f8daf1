"""How the response of the primary is seen in httpd: what its handler produced, whatever httpd makes of it for the client."""
from __future__ import annotations

import gzip
import os

import pytest

from comparelab import (JSON, both, compared, comparison, decided, plain, rows, same, skipped, twins,
                        verdicts)
from httpdlab import free_port, location, to, wait_for
from managerlab import MANAGER
from recorder import answer, bytes_answer
from wire import chunked, request

FILE = ("Last-Modified: Thu, 01 Jan 1970 00:00:01 GMT", "Accept-Ranges: bytes", "Date: x", "Server: y")
CACHE = ["cache", "cache_disk"]


@pytest.fixture
def twin(httpd, recorder):
    """Makes an httpd with /o/, which is compared, and /p/, which is not."""
    def make(*lines, attributes="", conf="", **options):
        primary, mirror = recorder(), recorder()
        h = httpd(lambda h: MANAGER + (conf(h) if callable(conf) else conf)
                  + twins(primary, mirror, *lines, attributes=attributes), **options)
        return h, primary, mirror
    return make


@pytest.fixture
def static(httpd, recorder):
    """Makes an httpd with files below /o/ and /p/."""
    def make(files: dict[str, str], attributes="", conf="", **options):
        mirror = recorder()

        def configure(h):
            for folder in "op":
                os.mkdir(h.path(f"htdocs/{folder}"))
                for name, text in files.items():
                    h.write(f"htdocs/{folder}/{name}", text)
                    os.utime(h.path(f"htdocs/{folder}/{name}"), (1, 1))
            lines = conf(h) if callable(conf) else conf
            return (f"{MANAGER}FileETag None\n{lines}\n"
                    f'<Location "/o/">\n{to(mirror, f"compare=all {attributes}")}\n</Location>\n')
        return httpd(configure, **options), mirror
    return make


# ---- filters ----

@pytest.mark.valgrind
@pytest.mark.smoke
def test_filters_of_httpd(twin):
    """SUBSTITUTE and DEFLATE change what the client gets, and not what is compared."""
    h, primary, mirror = twin("SetOutputFilter SUBSTITUTE;DEFLATE", "Substitute s/foo/bar/", "Header set X-Front 1",
                              modules=["filter", "substitute", "deflate"])
    both(primary, mirror, b"foo " * 100, b"foo " * 100, "Content-Type: text/plain")
    got = same(h, "a", ("Accept-Encoding: gzip",))
    assert gzip.decompress(got.body) == b"bar " * 100
    assert got.header("Content-Encoding") == ["gzip"] and got.header("X-Front") == ["1"]
    data = compared(h, 1)
    assert verdicts(data) == {"same": 1} and data["findings"] == []
    both(primary, mirror, b"foo " * 100, b"bar " * 100, "Content-Type: text/plain")
    same(h, "a")
    data = compared(h, 2)
    assert verdicts(data) == {"same": 1, "different": 1} and rows(data) == [("body", "text", 1)]


def test_redirects_to_its_own_host(twin):
    """mod_proxy maps the primary's Location, and nobody the mirror's."""
    h, primary, mirror = twin()
    h.conf = lambda h: (MANAGER + twins(primary, mirror, f'ProxyPassReverse "{primary.url}/o/"', attributes=""))
    h.configure()
    h.graceful()
    primary.answer = answer("302 Found", b"", (f"Location: {primary.url}/o/next?a=1",))
    mirror.answer = answer("302 Found", b"", (f"Location: {mirror.url}/o/next?a=1",))
    assert h.get("/o/a").header("Location") == ["http://t/o/next?a=1"]
    assert verdicts(compared(h, 1)) == {"same": 1}
    mirror.answer = answer("302 Found", b"", (f"Location: {mirror.url}/o/other?a=1",))
    assert h.get("/o/a").header("Location") == ["http://t/o/next?a=1"]
    data = compared(h, 2)
    assert verdicts(data) == {"same": 1, "different": 1} and rows(data) == [("header/location", "value", 1)]


def test_redirects_that_are_mapped_to_another_path(httpd, recorder):
    """The rules of docs/comparison.md make them equal, and nothing else."""
    primary, mirror = recorder(), recorder()
    lines = (f'ProxyPassReverse "{primary.url}/base/"', 'ProxyPassReverseCookiePath "/base/" "/o/"', to(mirror, "compare=all"))
    rules = ("ProxyMirrorCompare header/Location mask ^/(o|base)/", "ProxyMirrorCompare header/Set-Cookie mask path=/[^;]*")

    def conf(*more):
        text = location("/o/", primary, *lines, *more)
        return MANAGER + text.replace(f"{primary.url}/o/", f"{primary.url}/base/")

    def redirect(server, to_path):
        server.answer = answer("302 Found", b"", (f"Location: {server.url}/base/{to_path}", "Set-Cookie: a=1; Path=/base/; Secure"))
    h = httpd(conf())
    redirect(primary, "login"), redirect(mirror, "login")
    assert h.get("/o/a").header("Location") == ["http://t/o/login"]
    assert rows(compared(h, 1)) == [("header/location", "value", 1), ("header/set-cookie", "value", 1)]
    h.conf = lambda h: conf(*rules)
    h.configure()
    h.graceful()
    assert h.get("/o/a").status == 302
    assert verdicts(compared(h, 2)) == {"different": 1, "ignored": 1}
    redirect(mirror, "logout")
    assert h.get("/o/a").status == 302
    assert rows(compared(h, 3)) == [("header/location", "value", 2), ("header/set-cookie", "value", 1)]


# ---- responses without a body, or with a part of it ----

def test_head(twin):
    h, primary, mirror = twin()
    both(primary, mirror, b"x" * 10, b"x" * 10, JSON)
    assert same(h, "a", method="HEAD").header("Content-Length") == ["10"]
    assert verdicts(compared(h, 1)) == {"same": 1}
    both(primary, mirror, b"x" * 10, b"y" * 20, JSON, "X-A: 1")
    mirror.answer = answer("200 OK", b"y" * 20, (JSON,))
    same(h, "a", method="HEAD")
    data = compared(h, 2)
    assert verdicts(data) == {"same": 1, "different": 1} and rows(data) == [("header/x-a", "missing", 1)]


def test_head_of_a_file(static):
    """The default handler passes the file on, and httpd drops it."""
    h, mirror = static({"a.txt": "text\n"})
    mirror.answer = answer("200 OK", b"other text\n", FILE)
    got = h.request("HEAD", "/o/a.txt")
    assert plain(got.raw) == plain(h.request("HEAD", "/p/a.txt").raw)
    assert verdicts(compared(h, 1)) == {"same": 1}


@pytest.mark.parametrize("way", ["primary", "mirror"])
def test_not_modified_on_one_side(twin, way):
    h, primary, mirror = twin()
    none, full = bytes_answer(b"HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n"), answer("200 OK", b"x")
    primary.answer, mirror.answer = (none, full) if way == "primary" else (full, none)
    got = same(h, "a", ('If-None-Match: "1"',))
    assert got.status == (304 if way == "primary" else 200)
    data = compared(h, 1)
    assert skipped(data) == {"conditional": 1} and data["compared"] == 0 and data["status"] == []


def test_not_modified_on_both_sides(twin):
    h, primary, mirror = twin()
    primary.answer = mirror.answer = bytes_answer(b"HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n")
    assert same(h, "a", ('If-None-Match: "1"',)).status == 304
    assert verdicts(compared(h, 1)) == {"same": 1}


@pytest.mark.parametrize("wanted, status, body", [("0-3", 206, b"0123"), ("90-", 416, None)])
def test_range_of_a_file(static, wanted, status, body):
    """httpd makes the range, below what is seen."""
    h, mirror = static({"a.txt": "0123456789"})
    mirror.answer = answer("206 Partial Content", b"0123", ("Content-Range: bytes 0-3/10",))
    got = h.get("/o/a.txt", [f"Range: bytes={wanted}"])
    assert got.status == status and (body is None or got.body == body)
    assert plain(got.raw) == plain(h.get("/p/a.txt", [f"Range: bytes={wanted}"]).raw)
    data = compared(h, 1)
    assert skipped(data) == {"range": 1} and data["findings"] == []


def test_range_by_the_backend(twin):
    h, primary, mirror = twin()
    primary.answer = mirror.answer = answer("206 Partial Content", b"0123", ("Content-Range: bytes 0-3/10",))
    assert same(h, "a", ("Range: bytes=0-3",)).status == 206
    assert verdicts(compared(h, 1)) == {"same": 1}


def test_short_file(static):
    h, mirror = static({"a.txt": "text\n" * 2000})
    mirror.answer = answer("200 OK", b"text\n" * 2000, FILE)
    got = h.get("/o/a.txt")
    assert got.body == b"text\n" * 2000
    assert plain(got.raw) == plain(h.get("/p/a.txt").raw)
    assert verdicts(compared(h, 1)) == {"same": 1}
    mirror.answer = answer("200 OK", b"text\n" * 1999, FILE)
    h.get("/o/a.txt")
    data = compared(h, 2)
    assert verdicts(data) == {"same": 1, "different": 1}
    assert [row for row in rows(data) if row[0] == "body"], data


# ---- mod_cache ----

def cached(twin, *lines):
    return twin("CacheEnable disk", "CacheHeader on", *lines, modules=CACHE,
                conf=lambda h: f'CacheQuickHandler off\nCacheRoot "{h.folder("cache")}"\n')


def test_cache(twin):
    """What the cache has stored is nothing of the primary's."""
    h, primary, mirror = cached(twin)
    both(primary, mirror, b"fresh", b"fresh", "Cache-Control: max-age=60")
    assert h.get("/o/a").body == b"fresh"
    assert verdicts(compared(h, 1)) == {"same": 1}
    mirror.answer = answer("200 OK", b"other")
    got = h.get("/o/a")
    assert got.body == b"fresh" and got.header("X-Cache")[0].startswith("HIT")
    data = compared(h, 2)
    assert skipped(data) == {"cached": 1} and data["findings"] == []
    assert len(primary.requests) == 1


def test_cache_that_revalidates(twin):
    """The 304 of the primary becomes the stored 200."""
    h, primary, mirror = cached(twin, "CacheStoreExpired on")
    both(primary, mirror, b"fresh", b"fresh", "Cache-Control: max-age=0", 'ETag: "1"')
    assert h.get("/o/a").body == b"fresh"
    assert verdicts(compared(h, 1)) == {"same": 1}
    primary.answer = bytes_answer(b"HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n")
    got = h.get("/o/a")
    assert got.body == b"fresh" and got.header("X-Cache")[0].startswith("REVALIDATE")
    assert primary.requests[1].header("If-None-Match") == ['"1"']
    data = compared(h, 2)
    assert skipped(data) == {"cached": 1} and data["findings"] == []


def test_cache_that_has_a_condition_met(twin):
    """The client gets 304 of the cache."""
    h, primary, mirror = cached(twin)
    both(primary, mirror, b"fresh", b"fresh", "Cache-Control: max-age=60", 'ETag: "1"')
    assert h.get("/o/a").body == b"fresh"
    compared(h, 1)
    assert h.get("/o/a", ['If-None-Match: "1"']).status == 304
    data = compared(h, 2)
    assert skipped(data) == {"cached": 1}


# ---- pages of errors ----

def test_error_override(twin):
    h, primary, mirror = twin("ProxyErrorOverride on")
    both(primary, mirror, b"its own page", b"its own page", status="500 No")
    got = same(h, "a")
    assert got.status == 500 and b"its own page" not in got.body
    data = compared(h, 1)
    assert skipped(data) == {"primary_replaced": 1} and data["findings"] == [] and data["status"] == []


def test_error_document(static):
    h, mirror = static({}, conf="ErrorDocument 404 /index.html")
    mirror.answer = answer("404 Not Found", b"none")
    got = h.get("/o/none")
    assert got.status == 404 and got.body == b"hi\n"
    assert plain(got.raw) == plain(h.get("/p/none").raw)
    data = compared(h, 1)
    assert skipped(data) == {"primary_replaced": 1} and data["findings"] == []


def test_error_of_httpd(static):
    h, mirror = static({})
    mirror.answer = answer("404 Not Found", b"none")
    assert h.get("/o/none").status == 404
    data = compared(h, 1)
    assert skipped(data) == {"primary_replaced": 1} and data["findings"] == []


def test_error_document_of_a_proxied_path(twin):
    """The backend's error reaches the client as it is, and is compared."""
    h, primary, mirror = twin("ErrorDocument 404 /index.html")
    both(primary, mirror, b"none", b"none", status="404 Not Found")
    assert same(h, "a").body == b"none"
    assert verdicts(compared(h, 1)) == {"same": 1}


def test_backend_that_is_down(httpd, recorder):
    mirror = recorder()
    h = httpd(f'{MANAGER}<Location "/o/">\nProxyPass "http://127.0.0.1:{free_port()}/" retry=0\n'
              f'{to(mirror, "compare=all")}\n</Location>\n', expect=["AH00957", "AH01114"])
    assert h.get("/o/a").status == 503
    data = compared(h, 1)
    assert skipped(data) == {"primary_replaced": 1} and data["findings"] == []


def test_backend_that_closes(twin):
    h, primary, mirror = twin(expect=["AH00898", "AH01102"])
    primary.answer = lambda sock, message: False
    del mirror
    assert h.get("/o/a").status == 502
    data = compared(h, 1)
    assert skipped(data) == {"primary_replaced": 1} and data["findings"] == []


def test_internal_redirect(static):
    """The response is that of the target."""
    h, mirror = static({"new.txt": "new\n"}, conf="RewriteEngine on\nRewriteRule ^/o/old.txt$ /o/new.txt [PT]")
    mirror.answer = answer("200 OK", b"new\n", FILE)
    assert h.get("/o/old.txt").body == b"new\n"
    assert verdicts(compared(h, 1)) == {"same": 1}


# ---- other ways to a response ----

def test_directory_index(static):
    """A fast redirect, within the request."""
    h, mirror = static({"index.html": "index\n"}, conf="DirectoryIndex index.html", modules=["dir"])
    mirror.answer = answer("200 OK", b"index\n", FILE)
    assert h.get("/o/").body == b"index\n"
    assert plain(h.get("/o/").raw) == plain(h.get("/p/").raw)
    assert verdicts(compared(h, 2)) == {"same": 2}


def test_includes(static):
    """What the handler passes on is the file with its directives; subrequests are none of the response."""
    text = 'a <!--#include virtual="part.txt" --> z\n'
    h, mirror = static({"a.txt": text, "part.txt": "part"}, modules=["include"],
                       conf='<LocationMatch "^/[op]/a.txt">\nOptions +Includes\nSetOutputFilter INCLUDES\n</LocationMatch>')
    mirror.answer = answer("200 OK", text.encode(), FILE)
    assert h.get("/o/a.txt").body == h.get("/p/a.txt").body == b"a part z\n"
    data = compared(h, 1)
    assert not [row for row in rows(data) if row[0].startswith("body")], data


def test_only_the_first_of_several_copies(twin):
    h, primary, mirror = twin(attributes="copies=3")
    both(primary, mirror, b"x", b"x")
    assert same(h, "a").body == b"x"
    assert h.ended(3) == {"mirrored": 3}
    assert verdicts(compared(h, 1)) == {"same": 1}


@pytest.mark.parametrize("when", ["request", "response"])
def test_either_response_first(twin, when):
    """The mirror's may be there before the primary's has begun."""
    h, primary, mirror = twin(attributes=f"when={when}")
    both(primary, mirror, b"x" * 1000, b"x" * 1000)
    gate = primary.gate()
    send = primary.answer
    primary.answer = lambda sock, message: gate.wait() and send(sock, message)
    with h.client() as client:
        client.send(request("GET", "/o/a"))
        primary.wait(1)
        if when == "request":
            assert h.ended(1) == {"mirrored": 1}
        gate.set()
        assert client.answer().body == b"x" * 1000
    assert verdicts(compared(h, 1)) == {"same": 1}


def test_two_mirrors(httpd, recorder):
    """Each has what its own attributes say."""
    primary, first, second, third = recorder(), recorder(), recorder(), recorder()
    h = httpd(MANAGER + location("/o/", primary, to(first, "compare=all compare_max_body=100", "a"),
                                 to(second, "compare=all compare_max_body=10000", "b"), to(third, "", "c")))
    both(primary, first, b"x" * 1000, b"x" * 1000)
    second.answer = answer("200 OK", b"x" * 999 + b"y")
    assert h.get("/o/a").body == b"x" * 1000
    assert skipped(compared(h, 1, "a")) == {"too_large": 1}
    assert verdicts(compared(h, 1, "b")) == {"different": 1}
    assert compared(h, 0, "c")["verdict"] == "nothing"


def test_a_share_of_the_requests(twin):
    h, primary, mirror = twin(attributes="compare_ratio=50%")
    both(primary, mirror, b"x", b"x")
    assert h.get_many(["/o/a"] * 200) == [200] * 200
    assert h.ended(200) == {"mirrored": 200}
    wait_for("the comparisons", lambda: decided(comparison(h)) >= 60)
    assert decided(comparison(h)) <= 140


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_requests_with_a_body(twin, method):
    h, primary, mirror = twin()
    both(primary, mirror, b"x", b"y", "Content-Type: text/plain", status="201 Created")
    assert h.request(method, "/o/a", [], b"b" * 100000).status == 201
    data = compared(h, 1)
    assert rows(data) == [("body", "text", 1)] and data["groups"][0]["group"] == f"{method} /o/a"


def test_primary_in_chunks(twin):
    """Framing is none of the response."""
    h, primary, mirror = twin()
    primary.answer = bytes_answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  + chunked(*[b"x" * 100] * 50))
    mirror.answer = answer("200 OK", b"x" * 5000)
    assert same(h, "a").body == b"x" * 5000
    assert verdicts(compared(h, 1)) == {"same": 1}
    mirror.answer = bytes_answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(*[b"x"] * 5000))
    same(h, "a")
    assert verdicts(compared(h, 2)) == {"same": 2}


def test_interim_responses(twin):
    h, primary, mirror = twin()
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    primary.answer = bytes_answer(early + b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
    mirror.answer = bytes_answer(early * 2 + b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
    assert h.get("/o/a").body == b"x"
    assert verdicts(compared(h, 1)) == {"same": 1}


def test_requests_in_a_batch(twin):
    """Each of the pipelined copies has its own response."""
    h, primary, mirror = twin(attributes="pipeline=8 max_connections=1")

    def echo(sock, message):
        return answer("200 OK", message.target.rsplit("/", 1)[1].encode() * 100)(sock, message)
    primary.answer = mirror.answer = echo
    assert h.get_many([f"/o/{n}" for n in range(100)]) == [200] * 100
    assert verdicts(compared(h, 100)) == {"same": 100}


def test_connection_that_the_mirror_has_closed(twin):
    """The copy is sent again; what there was of a response is forgotten."""
    h, primary, mirror = twin()
    both(primary, mirror, b"x" * 100, b"x" * 100)
    mirror.answer = answer("200 OK", b"x" * 100, close=False)
    send = mirror.answer
    for n in range(10):
        mirror.answer = (lambda sock, message: send(sock, message) and False) if n % 2 else send
        assert h.get("/o/a").status == 200
        assert verdicts(compared(h, n + 1)) == {"same": n + 1}
