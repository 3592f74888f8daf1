"""Sections for one place: of two, the later one replaces what the former has, and `httpd -t` says so."""
from __future__ import annotations

import re

import pytest

from httpdlab import location, to

URL = "http://127.0.0.1:9"
A, B = f'ProxyMirror "{URL}" name=a', f'ProxyMirror "{URL}" name=b'


def section(kind: str, *lines: str) -> str:
    return "\n".join([f"<{kind}>", *lines, f"</{kind.split()[0]}>", ""])


# the configuration; what the warnings name, in their order
REPLACED = [
    (section('Location "/x"', A) + section('Location "/x"', B), ["a"]),
    (section('Location "/x"', A) + section("location /x", B), ["a"]),
    (section('Location "/x"', A, B) + section('Location "/x"', f'ProxyMirror "{URL}" name=c'), ["a", "b"]),
    (section('Location "/x"', A) + section('Location "/x"', B) + section('Location "/x"', f'ProxyMirror "{URL}" name=c'),
     ["a", "b"]),
    (section('Location "/x"', A) + section('Location "/x"', "ProxyMirror off"), ["a"]),
    (section('Location "/x"', "ProxyMirror off") + section('Location "/x"', A), ["off"]),
    (section('LocationMatch "^/x"', A) + section('LocationMatch "^/x"', B), ["a"]),
    (section('Directory "/srv"', A) + section('IfModule proxy_module', section('Directory "/srv"', B)), ["a"]),
    (section('Directory "/srv"', section('Files "f"', A)) + section('Directory "/srv"', section('Files "f"', B)), ["a"]),
    (section('Proxy "http://h/"', A) + section('Proxy "http://h/"', B), ["a"]),
    (section("If \"%{REQUEST_URI} == '/x'\"", A) + section("If \"%{REQUEST_URI} == '/x'\"", B), ["a"]),
    (section("VirtualHost *:1", section('Location "/x"', A), section('Location "/x"', B)), ["a"]),
]
KEPT = [
    section('Location "/x"', A, B),
    A + "\n" + B,
    A + "\n" + section('Location "/x"', B),
    section('Location "/x"', A) + section('Location "/x/"', B),
    section('Location "/x"', A) + section('Directory "/x"', B),
    section('Location "/x"', A) + section('LocationMatch "/x"', B),
    section('Location "/x"', A) + section('Location "/x"', "ProxyMirrorHeader unset Cookie"),
    section('Location "/x"', "ProxyMirror off") + section('Location "/x"', "ProxyMirror off"),
    section("VirtualHost *:1", section('Location "/x"', A)) + section("VirtualHost *:2", section('Location "/x"', B)),
    section('Location "/x"', A) + section("VirtualHost *:1", section('Location "/x"', B)),
    section('If "true"', "ProxyMirror off") + section("Else", A) + section('If "false"', "ProxyMirror off") + section("Else", B),
    section('Directory "/a"', section('Files "f"', A)) + section('Directory "/b"', section('Files "f"', B)),
]


def warnings(h) -> list[tuple[str, str]]:
    """The name in each warning, and the line that it leads to."""
    said = h.test_configuration()
    assert said.returncode == 0, said.stderr
    lines = h.read("httpd.conf").splitlines()
    return [(name, lines[int(n) - 1].strip()) for n, name in
            re.findall(r"PM0104: \S+:(\d+): ProxyMirror (\S+): has no effect because a later section for the same scope", said.stderr)]


@pytest.mark.unstarted
@pytest.mark.parametrize("conf, names", REPLACED)
def test_line_that_is_replaced(lab, conf, names):
    found = warnings(lab(conf))
    assert [name for name, _ in found] == names
    assert all(re.search(rf"\b{name}$", line) for name, line in found)


@pytest.mark.unstarted
@pytest.mark.parametrize("conf", KEPT)
def test_line_that_is_not_replaced(lab, conf):
    assert not warnings(lab(conf))


def test_line_that_is_replaced_sees_nothing(httpd, origin, recorder):
    """What the warning says is true."""
    first, second = recorder(), recorder()
    h = httpd(location("/o/", origin, to(first, name="first")) + section('Location "/o/"', to(second, name="second")),
              expect=["PM0104"])
    assert h.get("/o/a").status == 200
    assert h.ended(1, "second") == {"mirrored": 1}
    assert h.mirror("first")["seen"] == 0 and first.connections == 0
