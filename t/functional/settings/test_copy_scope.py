"""Which mirrors a request has: several lines, inheritance, off, enabled, defaults, names."""
from __future__ import annotations

import pytest

from copies import assert_copy
from httpdlab import location, to


@pytest.mark.smoke
def test_several_mirrors_get_a_copy_each(httpd, origin, recorder):
    mirrors = [recorder() for _ in range(3)]
    h = httpd(location("/o/", origin, *(to(mirror, name=f"m{n}") for n, mirror in enumerate(mirrors))))
    assert h.request("POST", "/o/a", [], b"body").status == 200
    for n, mirror in enumerate(mirrors):
        assert_copy(mirror.one(), "POST /o/a", "Content-Length: 4", body=b"body")
        assert h.ended(1, f"m{n}") == {"mirrored": 1}
    assert len(origin.requests) == 1


def test_one_mirror_twice(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, name="a"), to(mirror, name="b")))
    assert h.get("/o/a").status == 200
    assert h.ended(1, "a") == h.ended(1, "b") == {"mirrored": 1}
    assert [copy.target for copy in mirror.requests] == ["/o/a", "/o/a"]


def test_mirrors_differ_in_what_they_take(httpd, origin, recorder):
    """A body is too long for one of them, and another does not want it at all."""
    small, large, head = recorder(), recorder(), recorder()
    h = httpd(location("/o/", origin, to(small, "max_body=10", "small"), to(large, "", "large"),
                       to(head, "body=off", "head")))
    assert h.request("POST", "/o/a", [], b"x" * 11).status == 200
    assert h.ended(1, "small") == {"too_large": 1}
    assert h.ended(1, "large") == h.ended(1, "head") == {"mirrored": 1}
    assert large.one().body == b"x" * 11
    assert_copy(head.one(), "POST /o/a")
    assert small.connections == 0


def test_scopes_replace_what_they_inherit(httpd, origin, recorder):
    server, outer, inner = recorder(), recorder(), recorder()
    h = httpd("\n".join([
        to(server, name="server"),
        location("/o/", origin, to(outer, name="outer")),
        f'<Location "/o/in/">\n{to(inner, name="inner")}\n</Location>',
        '<Location "/o/in/off/">\nProxyMirror off\n</Location>',
        '<Location "/o/in/same/">\nRequestHeader set X-Same 1\n</Location>']))
    for path in ("/o/x", "/o/in/x", "/o/in/off/x", "/o/in/same/x"):
        assert h.get(path).status == 200
    assert h.ended(1, "outer") == {"mirrored": 1}
    assert h.ended(2, "inner") == {"mirrored": 2}
    assert outer.one().target == "/o/x"
    assert sorted(copy.target for copy in inner.requests) == ["/o/in/same/x", "/o/in/x"]
    assert server.connections == 0 and h.mirror("server")["seen"] == 0
    assert len(origin.requests) == 4


def test_virtual_hosts_inherit_or_replace(httpd, origin, recorder):
    first, second = recorder(), recorder()
    h = httpd(lambda h: f"""
        {to(first, name="first")}
        ProxyPass "/" "{origin.url}/"
        <VirtualHost *:{h.port}>
            ServerName heir
            ProxyPass "/mirror-status" !
        </VirtualHost>
        <VirtualHost *:{h.port}>
            ServerName own
            {to(second, name="second")}
        </VirtualHost>
        <VirtualHost *:{h.port}>
            ServerName none
            ProxyMirror off
        </VirtualHost>""")
    for host in ("heir", "own", "none"):
        got = h.exchange(f"GET /index.html HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert got.status == 200
    assert h.ended(1, "first") == h.ended(1, "second") == {"mirrored": 1}
    assert first.one().header("Host") == ["heir"]
    assert second.one().header("Host") == ["own"]


def test_off_in_an_if(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror), "<If \"-n %{HTTP:X-Quiet}\">\nProxyMirror off\n</If>"))
    assert h.get("/o/a", ["X-Quiet: 1"]).status == 200
    assert h.get("/o/b").status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert mirror.one().target == "/o/b"


def test_disabled_mirror_counts(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, "enabled=false")))
    assert h.request("POST", "/o/a", [], b"x").status == 200
    assert h.ended(1) == {"disabled": 1}
    assert mirror.connections == 0


def test_defaults_of_servers(httpd, origin, mirror):
    h = httpd(lambda h: f"""
        ProxyMirrorDefaults timeout=3s max_queue=7
        ProxyMirrorDefaults max_body=2K
        {to(mirror, "max_queue=9", "main")}
        <VirtualHost *:{h.port}>
            ServerName v
            ProxyMirrorDefaults timeout=4s
            {to(mirror, "", "vhost")}
        </VirtualHost>""")
    mirrors = h.mirrors()

    def of(name):
        return [mirrors[name]["attributes"][key] for key in ("timeout", "max_queue", "max_body", "keepalive")]
    assert of("main") == ["3s", 9, "2K", "60s"]
    assert of("vhost") == ["4s", 7, "2K", "60s"]


def test_names_that_are_made(httpd, origin, mirror):
    url = mirror.url
    h = httpd(f'ProxyMirror "{url}"\n<Location "/a b/ü">\nProxyMirror "{url}"\nProxyMirror "{url}"\n</Location>\n'
              f'<Location "/{"x" * 100}">\nProxyMirror "{url}"\nProxyMirror "{url}"\n</Location>')
    names = list(h.mirrors())
    assert names[:3] == [f"localhost-127.0.0.1-{mirror.port}", f"localhost-a-b-127.0.0.1-{mirror.port}",
                         f"localhost-a-b-127.0.0.1-{mirror.port}-2"]
    assert names[3] == ("localhost-" + "x" * 100)[:64]
    assert names[4] == ("localhost-" + "x" * 100)[:62] + "-2"


def test_made_name_avoids_a_given_one(httpd, mirror):
    made = f"localhost-127.0.0.1-{mirror.port}"
    h = httpd(f'ProxyMirror "{mirror.url}"\n<Location "/a">\n{to(mirror, name=made)}\n</Location>')
    assert sorted(h.mirrors()) == [made, f"{made}-2"]


def test_mirrors_by_name_and_by_ipv6(httpd, origin, mirror):
    h = httpd(location("/o/", origin, f'ProxyMirror "http://localhost:{mirror.port}" name=m'))
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert_copy(mirror.one(), "GET /o/a")
