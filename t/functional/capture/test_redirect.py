"""Internal redirects, error documents, subrequests, filters, caches: one copy, of the client's own request and body."""
from __future__ import annotations

import gzip
import random

import pytest

from copies import assert_copy
from httpdlab import location, to
from recorder import answer
from wire import chunked, request

BODY = b"0123456789" * 300


@pytest.mark.smoke
def test_error_document_from_a_proxied_url(httpd, origin, mirror):
    h = httpd(f"{to(mirror)}\nErrorDocument 404 /o/sorry\n{location('/o/', origin)}", expect=["AH00128"])
    got = h.request("POST", "/none?x", [], BODY)
    assert (got.status, got.body) == (200, b"ok\n")         # mod_proxy takes over the status of the document
    assert origin.one().target == "/sorry"
    assert_copy(mirror.one(), "POST /none?x", f"Content-Length: {len(BODY)}", body=BODY)
    assert h.ended(1) == {"mirrored": 1}


def test_error_document_for_an_answer_of_the_origin(httpd, origin, mirror):
    """ProxyErrorOverride: the redirect begins when the body was read and the response has begun at the origin."""
    origin.answer = lambda sock, message: answer("500 No" if message.target == "/a" else "200 OK")(sock, message)
    h = httpd(f"ErrorDocument 500 /o/sorry\n{location('/o/', origin, to(mirror), 'ProxyErrorOverride On')}")
    assert h.request("POST", "/o/a", [], BODY).status == 500
    assert [r.target for r in origin.requests] == ["/a", "/sorry"]
    assert_copy(mirror.one(), "POST /o/a", f"Content-Length: {len(BODY)}", body=BODY)
    assert h.ended(1) == {"mirrored": 1}


@pytest.mark.parametrize("document", ["/index.html", '"just text"', "/none-either"])
def test_local_error_document(httpd, mirror, document):
    h = httpd(f"{to(mirror)}\nErrorDocument 404 {document}", expect=["AH00128"])
    assert h.request("POST", "/none", [], BODY).status == 404
    assert_copy(mirror.one(), "POST /none", f"Content-Length: {len(BODY)}", body=BODY)
    assert h.ended(1) == {"mirrored": 1}


def test_error_document_of_what_was_refused(httpd, origin, mirror):
    """403 is said before a handler: the document that comes instead is not what the client asked for."""
    h = httpd(f"{to(mirror)}\nErrorDocument 403 /o/sorry\n{location('/o/', origin)}\n"
              '<Location "/closed">\nRequire all denied\n</Location>', expect=["AH01630"])
    assert h.request("POST", "/closed", [], BODY).body == b"ok\n"
    assert origin.one().target == "/sorry"
    h.wait_idle()
    assert mirror.connections == 0


def test_error_document_when_the_origin_is_down(httpd, origin, recorder, mirror):
    down = recorder(listen=False)
    h = httpd(f"{to(mirror)}\nErrorDocument 503 /o/sorry\n{location('/o/', origin)}\n{location('/down/', down)}",
              expect=[r"\[proxy\w*:error\]"])
    assert h.request("POST", "/down/a", [], BODY).body == b"ok\n"
    assert origin.one().target == "/sorry"
    assert_copy(mirror.one(), "POST /down/a", f"Content-Length: {len(BODY)}", body=BODY)
    assert h.ended(1) == {"mirrored": 1}


@pytest.mark.valgrind
@pytest.mark.parametrize("in_chunks", [False, True])
def test_rewrite_to_a_proxied_url_in_a_directory(httpd, origin, mirror, in_chunks):
    h = httpd(lambda h: f"""
        {to(mirror)}
        <Directory "{h.root}/htdocs">
            RewriteEngine On
            RewriteRule "^api/(.*)" "{origin.url}/v2/$1" [P]
        </Directory>""")
    if in_chunks:
        got = h.exchange(request("POST", "/api/a?x=%2F", ["Transfer-Encoding: chunked"]) + chunked(BODY, BODY))
    else:
        got = h.request("POST", "/api/a?x=%2F", [], BODY * 2)
    assert got.status == 200
    assert origin.one().body == BODY * 2
    assert origin.one().target == "/v2/a?x=%2F"
    assert_copy(mirror.one(), "POST /api/a?x=%2F", f"Content-Length: {len(BODY) * 2}", body=BODY * 2)
    assert h.ended(1) == {"mirrored": 1}


@pytest.mark.parametrize("size", [0, 1, 3000, 300000])
def test_rewrite_in_a_directory_and_then_a_proxied_location(httpd, origin, mirror, size):
    """The internal redirect that mod_rewrite makes drops the filters of the first request."""
    h = httpd(lambda h: f"""
        {to(mirror)}
        {location('/o/', origin)}
        <Directory "{h.root}/htdocs">
            RewriteEngine On
            RewriteRule "^old/(.*)" "/o/$1" [L]
        </Directory>""")
    body = b"b" * size
    assert h.request("POST", "/old/a?q", [], body).status == 200
    assert origin.one().body == body
    assert_copy(mirror.one(), "POST /old/a?q", f"Content-Length: {len(body)}", body=body)
    assert h.ended(1) == {"mirrored": 1}


def test_rewrite_in_a_virtual_host(httpd, origin, mirror):
    h = httpd(f'{to(mirror)}\nRewriteEngine On\nRewriteRule "^/old/(.*)" "{origin.url}/new/$1" [P]')
    assert h.request("POST", "/old/a", [], BODY).status == 200
    assert origin.one().target == "/new/a"
    assert_copy(mirror.one(), "POST /old/a", f"Content-Length: {len(BODY)}", body=BODY)
    assert h.ended(1) == {"mirrored": 1}


# how httpd goes on with the file app.html: lines of the server, the modules, what the client asks for
WAYS = {
    "FallbackResource": ("FallbackResource /app.html", ["dir"], "/asked/x"),
    "DirectoryIndex": ("DirectoryIndex /app.html", ["dir"], "/asked/"),
    "MultiViews": ("Options +MultiViews", ["mime", "negotiation"], "/app"),
    "RewriteRule": ('RewriteEngine On\nRewriteRule "^asked/" "/app.html"', [], "/asked/x"),
}
SECTIONS = {
    "Location": '<Location "{path}">\n{says}\n</Location>',
    "If": """<If "%{{REQUEST_URI}} == '{path}'">\n{says}\n</If>""",
}
# what the section of what was asked for says, and that of the file; which of them gets the copy, with its own headers
SCOPES = [("mirror", "mirror", "asked"), ("mirror", "", "asked"), ("mirror", "off", "asked"), ("mirror", "header", "asked"),
          ("", "mirror", "file"), ("header", "mirror", "file"), ("off", "mirror", None), ("off", "", None), ("", "off", None)]


@pytest.fixture
def scopes(httpd, recorder):
    """An httpd with these two sections, and their mirrors by name."""
    def make(way, asked, file, section="Location", server=""):
        lines, modules, path = WAYS[way]
        mirrors = {name: recorder() for name in ("asked", "file")}
        says = {name: {"": "", "off": "ProxyMirror off", "header": f"ProxyMirrorHeader append X-Scope {name}-header",
                       "mirror": to(mirrors[name], name=name) + f"\nProxyMirrorHeader append X-Scope {name}"}[word]
                for name, word in (("asked", asked), ("file", file))}
        h = httpd(lambda h: f'''
            TypesConfig /dev/null
            AddType text/html .html
            {server}
            <Directory "{h.root}/htdocs">
                {lines}
            </Directory>
            {SECTIONS[section].format(path=path, says=says["asked"])}
            <Location "/app.html">
                {says["file"]}
            </Location>''', modules=[*modules, *({"mime"} - {*modules})])
        h.folder("htdocs/asked")
        h.write("htdocs/app.html", "app\n")
        return h, mirrors, path
    return make


@pytest.mark.parametrize("asked, file, gets", SCOPES)
@pytest.mark.parametrize("way", WAYS)
def test_first_scope_decides(scopes, way, asked, file, gets):
    """Wherever httpd goes on with a request, the scope that the client asked for decides, if it says something."""
    h, mirrors, path = scopes(way, asked, file)
    assert h.get(path).body == b"app\n"
    h.wait_idle()
    assert {name: len(mirror.requests) for name, mirror in mirrors.items()} \
        == {name: int(name == gets) for name in mirrors}
    assert all(not mirror["seen"] for name, mirror in h.mirrors().items() if name != gets)
    if gets:
        assert_copy(mirrors[gets].one(), f"GET {path}", f"X-Scope: {gets}")


@pytest.mark.parametrize("way", WAYS)
def test_off_of_the_first_scope_is_off_for_the_server(scopes, recorder, way):
    server = recorder()
    h, mirrors, path = scopes(way, "off", "", server=to(server, name="server"))
    assert h.get(path).body == b"app\n"
    assert h.get("/app.html").body == b"app\n"
    assert h.ended(1, "server") == {"mirrored": 1}
    assert server.one().target == "/app.html"


@pytest.mark.parametrize("way", ["FallbackResource", "DirectoryIndex"])
def test_first_scope_is_a_condition(scopes, way):
    h, mirrors, path = scopes(way, "mirror", "mirror", section="If")
    assert h.request("POST", path, [], BODY).body == b"app\n"
    assert_copy(mirrors["asked"].one(), f"POST {path}", "X-Scope: asked", f"Content-Length: {len(BODY)}", body=BODY)
    assert h.ended(1, "asked") == {"mirrored": 1}
    assert h.mirror("file")["seen"] == 0


@pytest.mark.parametrize("flags, copies", [("L", 0), ("PT", 1)])
def test_rewritten_path_of_a_server_has_its_own_scope(httpd, mirror, flags, copies):
    """A RewriteRule of a server comes before sections are looked for. With [PT] they are those of the new path, as for all
    directives of httpd; without, those of the path that was asked for."""
    h = httpd(lambda h: f'''
        {to(mirror)}
        RewriteEngine On
        RewriteRule "^/private" "{"/index.html" if flags == "PT" else h.path("htdocs/index.html")}" [{flags}]
        <Location "/private">
            ProxyMirror off
        </Location>''')
    assert h.get("/private/x").body == b"hi\n"
    h.wait_idle()
    assert [copy.target for copy in mirror.requests] == ["/private/x"] * copies


def test_first_scope_decides_when_it_ends_in_a_proxied_path(httpd, origin, recorder):
    """FallbackResource to another scope is still the request of the first."""
    first, second = recorder(), recorder()
    h = httpd(lambda h: f"""
        {to(first, name="first")}
        {location('/o/', origin, to(second, name="second"))}
        FallbackResource /o/fallback""", modules=["dir"])
    assert h.request("POST", "/none", [], BODY).status == 200
    assert_copy(first.one(), "POST /none", f"Content-Length: {len(BODY)}", body=BODY)
    assert h.ended(1, "first") == {"mirrored": 1}
    assert h.mirror("second")["seen"] == 0
    assert origin.one().body == BODY


@pytest.mark.parametrize("scope, copies", [("", 1), ("ProxyMirror off", 0)])
def test_first_scope_decides_to_mirror_nothing(httpd, origin, mirror, scope, copies):
    """A scope without a word on mirrors leaves it to where the request is redirected; one with `off` does not."""
    h = httpd(lambda h: f"""
        {location('/o/', origin, to(mirror))}
        ScriptAlias /cgi/ "{h.root}/htdocs/"
        <Location /cgi/>
            {scope}
        </Location>""", modules=["cgid"])
    h.write("htdocs/away", "#!/bin/sh\nprintf 'Location: /o/there\\r\\n\\r\\n'\n", 0o755)
    assert h.get("/cgi/away").status == 200
    h.wait_idle()
    assert [copy.target for copy in mirror.requests] == ["/cgi/away"] * copies


def test_cgi_that_redirects(httpd, origin, mirror):
    """A local redirect (RFC 3875 6.2.2) is a GET without the body, which the script has not read."""
    h = httpd(lambda h: f"""
        {to(mirror)}
        {location('/o/', origin)}
        ScriptAlias /cgi/ "{h.root}/htdocs/"
        """, modules=["cgid"])
    h.write("htdocs/away", "#!/bin/sh\ncat >/dev/null\nprintf 'Location: /o/there\\r\\n\\r\\n'\n", 0o755)
    assert h.request("POST", "/cgi/away", [], BODY).status == 200
    assert origin.one().start == "GET /there HTTP/1.1"
    assert_copy(mirror.one(), "POST /cgi/away", f"Content-Length: {len(BODY)}", body=BODY)
    assert h.ended(1) == {"mirrored": 1}


def test_error_document_that_fails_as_well(httpd, origin, mirror):
    origin.answer = answer("500 No")
    h = httpd(f"{to(mirror)}\nErrorDocument 404 /o/sorry\nErrorDocument 500 /none\n"
              f"{location('/o/', origin, 'ProxyErrorOverride On')}", expect=["AH00128"])
    assert h.get("/missing").status == 404
    assert_copy(mirror.one(), "GET /missing")
    assert h.ended(1) == {"mirrored": 1}


def test_server_side_includes(httpd, origin, mirror):
    h = httpd(f"""
        {to(mirror)}
        {location('/o/', origin)}
        <Location "/page.html">
            Options +Includes
            SetOutputFilter INCLUDES
        </Location>""", modules=["include"])
    h.write("htdocs/page.html", '<!--#include virtual="/o/one" --><!--#include virtual="/index.html" -->')
    assert h.get("/page.html").body == b"ok\nhi\n"
    assert origin.one().target == "/one"
    assert_copy(mirror.one(), "GET /page.html")
    assert h.ended(1) == {"mirrored": 1}


@pytest.mark.parametrize("path", ["/", "/?x=1"])
def test_directory_index(httpd, mirror, path):
    h = httpd(f"{to(mirror)}\nDirectoryIndex none.html index.html", modules=["dir"])
    assert h.get(path).body == b"hi\n"
    assert_copy(mirror.one(), f"GET {path}")
    assert h.ended(1) == {"mirrored": 1}


def test_directory_index_that_is_proxied(httpd, origin, mirror):
    h = httpd(f"{to(mirror)}\nDirectoryIndex /o/index\n{location('/o/', origin)}", modules=["dir"])
    assert h.get("/").body == b"ok\n"
    assert_copy(mirror.one(), "GET /")
    assert h.ended(1) == {"mirrored": 1}


def cached(lines: str):
    """A configuration with mod_cache's normal handler."""
    return lambda h: f"""
        CacheQuickHandler Off
        CacheRoot "{h.root}/run"
        CacheEnable disk "/o/"
        {lines}"""


def test_cache(httpd, origin, mirror):
    """What mod_cache's normal handler answers is mirrored as well."""
    origin.answer = answer(headers=("Cache-Control: max-age=600",))
    h = httpd(cached(location("/o/", origin, to(mirror))), modules=["cache", "cache_disk"])
    for n in range(1, 4):
        assert h.get("/o/a?x").body == b"ok\n"
        assert h.ended(n) == {"mirrored": n}
    assert origin.one().target == "/a?x"
    for copy in mirror.requests:
        assert copy.start == "GET /o/a?x HTTP/1.1"


def test_cache_does_not_change_the_copy(httpd, origin, mirror):
    """To validate what it has, mod_cache adds conditions to the request; the client did not send them."""
    origin.answer = answer(headers=("Cache-Control: max-age=0", 'ETag: "1"',
                                    "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT"))
    h = httpd(cached(location("/o/", origin, to(mirror))), modules=["cache", "cache_disk"])
    for n in range(1, 4):
        assert h.get("/o/a").status == 200
        assert h.ended(n) == {"mirrored": n}
    for copy in mirror.requests:
        assert_copy(copy, "GET /o/a")


@pytest.mark.smoke
def test_inflated_request_body(httpd, origin, mirror):
    """mod_deflate's input filter: the origin gets text, the mirror what the client sent."""
    h = httpd(location("/o/", origin, "SetInputFilter DEFLATE", to(mirror)), modules=["deflate"])
    text = random.Random(1).randbytes(100000).hex().encode()
    packed = gzip.compress(text)
    assert h.request("POST", "/o/a", ["Content-Encoding: gzip"], packed).status == 200
    assert origin.one().body == text
    assert_copy(mirror.one(), "POST /o/a", "Content-Encoding: gzip", f"Content-Length: {len(packed)}", body=packed)
    assert h.ended(1) == {"mirrored": 1}


def test_deflated_answer(httpd, origin, mirror):
    origin.answer = answer(body=BODY)
    h = httpd(location("/o/", origin, "SetOutputFilter DEFLATE", to(mirror)), modules=["deflate", "filter"])
    got = h.get("/o/a", ["Accept-Encoding: gzip"])
    assert gzip.decompress(got.body) == BODY
    assert_copy(mirror.one(), "GET /o/a", "Accept-Encoding: gzip")


def test_substituted_request_body(httpd, origin, mirror):
    """mod_sed rewrites what the origin gets; not what the mirror gets."""
    h = httpd(location("/o/", origin, "SetInputFilter Sed", 'InputSed "s/0/zero/g"', to(mirror)), modules=["sed"])
    assert h.request("POST", "/o/a", [], b"102030\n").status == 200
    assert origin.one().body == b"1zero2zero3zero\n"
    assert_copy(mirror.one(), "POST /o/a", "Content-Length: 7", body=b"102030\n")
