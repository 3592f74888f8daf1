"""The mirrors on the page of mod_status, and in its ?auto."""
from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from httpdlab import location, to

PAGE = '<Location "/server-status">\nSetHandler server-status\n</Location>\n'


class Table(HTMLParser):
    """The rows of the table that has a heading "Mirror"; and all tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self.cell = False
        self.feed(text)
        while self.rows and self.rows[0][:1] != ["Mirror"]:
            del self.rows[0]

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        self.cell = tag in ("td", "th")
        if self.cell:
            self.rows[-1].append("")

    def handle_endtag(self, tag) -> None:
        self.cell = self.cell and tag not in ("td", "th")

    def handle_data(self, data) -> None:
        if self.cell and self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def auto_of(h) -> dict[str, str]:
    lines = h.get("/server-status?auto").body.decode().splitlines()
    return dict(line.split(": ", 1) for line in lines if line.startswith("ProxyMirror["))


@pytest.mark.smoke
def test_the_page_and_auto(httpd, recorder, origin, mirror):
    dead = recorder(listen=False)
    h = httpd(PAGE + location("/o/", origin, to(mirror)) + location("/d/", origin, to(dead, "retry=1h", "dead")) +
              location("/e/", origin, to(mirror, "enabled=off", "none")), ["status"], expect=["PM0400"])
    assert h.get_many(["/o/a", "/o/b", "/d/a", "/e/a"]) == [200] * 4
    assert h.ended(2) == {"mirrored": 2}
    assert h.ended(1, "dead") == {"unreachable": 1}
    head, *rows = Table(h.get("/server-status").body.decode()).rows
    rows = [dict(zip(head, row)) for row in rows]
    assert [row["Mirror"] for row in rows] == ["m", "dead", "none"]
    assert [row["State"] for row in rows] == ["up", "down", "disabled"]
    assert [row["Seen"] for row in rows] == ["2", "1", "1"]
    assert [row["Mirrored"] for row in rows] == ["2", "0", "0"]
    assert [row["Other outcomes"] for row in rows] == ["-", "unreachable 1", "disabled 1"]
    assert rows[0]["Host"] == mirror.url and rows[0]["Scope"] == "/o/" and rows[0]["Server"] == f"localhost:{h.port}"
    assert float(rows[0]["p50 ms"]) <= float(rows[0]["p99 ms"]) and rows[1]["p50 ms"] == "-"
    auto = auto_of(h)
    one = h.mirror()
    assert [auto[f"ProxyMirror[{n}]Name"] for n in range(3)] == ["m", "dead", "none"]
    assert [auto[f"ProxyMirror[{n}]Status"] for n in range(3)] == ["up", "down", "disabled"]
    assert auto["ProxyMirror[0]Seen"] == "2" and auto["ProxyMirror[0]Connections"] == str(one["state"]["connections"])
    assert [auto[f"ProxyMirror[0]{name}"] for name in ("Queued", "InFlight", "Bytes")] == ["0"] * 3
    for outcome, n in one["outcomes"].items():
        assert auto[f"ProxyMirror[0]Outcome[{outcome}]"] == str(n)
    for name, n in one["responses"].items():
        assert auto[f"ProxyMirror[0]Response[{name}]"] == str(n)
    assert auto["ProxyMirror[1]Outcome[unreachable]"] == "1"


def test_markup_of_the_configuration_is_escaped(httpd, mirror):
    h = httpd(f'{PAGE}<LocationMatch "^/(?<a>b|<script>alert)&\'">\n{to(mirror)}\n</LocationMatch>\n', ["status"])
    text = h.get("/server-status").body.decode()
    table = Table(text)
    assert "script" not in table.tags and "a" not in table.tags[table.tags.index("h1") + 1:]
    assert table.rows[1][2] == "^/(?<a>b|<script>alert)&'"


def test_a_page_without_tables(httpd, origin, mirror):
    h = httpd(PAGE + location("/o/", origin, to(mirror)), ["status"])
    text = h.get("/server-status?notable").body.decode()
    part = text[text.index("Proxy Mirror Status"):]
    assert re.search(r"<li>m \| .* \| up \| 0 \| 0 \| - \|", part)
    assert "<table" not in part


def test_nothing_without_mirrors(httpd):
    h = httpd(PAGE, ["status"])
    assert b"Proxy Mirror" not in h.get("/server-status").body
    assert auto_of(h) == {}


def test_a_mirror_without_a_slot_is_off_everywhere(httpd, mirror):
    """A mirror that was renamed has no slot while that of the name before is kept."""
    manager = '<Location "/manage">\nSetHandler proxy-mirror-manager\n</Location>\n'
    h = httpd(PAGE + manager + "ProxyMirrorSlots 1\n" + to(mirror, name="one"), modules=["status"], expect=["PM0002"])
    h.conf = PAGE + manager + "ProxyMirrorSlots 1\n" + to(mirror, name="two")
    h.configure()
    h.graceful()
    assert h.log_lines("PM0002: mirror two ")
    assert h.mirror("two")["state"]["name"] == "off"
    assert auto_of(h)["ProxyMirror[0]Status"] == "off"
    page = h.get("/manage/").body.decode()
    assert 'data-mirror="two" data-state="off"' in page and "The mirror receives no copies" in page
    assert b'proxy_mirror_up{mirror="two"} 0' in h.get("/manage/metrics").body

def test_bounds_of_all_children(httpd, origin, mirror):
    """At most so many child processes, times what each may use."""
    h = httpd("ProxyMirrorMemory 2M\nProxyMirrorSpool /tmp 3M\n" + PAGE +
              location("/o/", origin, to(mirror, "max_connections=1000 max_queue=24")), modules=["status"], children=3)
    assert h.mirror()["bounds"] == {"children": 3, "connections": 3000, "copies": 3072, "memory": 6 << 20, "spool": 9 << 20}
    page = h.get("/mirror-status", ["Host: localhost"]).body.decode()
    assert "3 \u00d7 1,000 = 3,000</span> connections" in page and "3 \u00d7 1,024 = 3,072</span> pending copies" in page
    assert "At most 3 child processes serve requests" in page
    assert "3 \u00d7 2.0 MB = 6.0 MB of memory" in page and "3 \u00d7 3.0 MB = 9.0 MB of disk" in page
    auto = h.get("/server-status?auto").body.decode()
    for line in ("MaxChildren: 3", "MaxConnections: 3000", "MaxCopies: 3072"):
        assert f"ProxyMirror[0]{line}\n" in auto
    assert "<td>3 x 1000 = 3000</td>" in h.get("/server-status").body.decode()
