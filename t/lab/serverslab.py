"""Several servers behind one mirror: recorders with one port, and an address of the loopback network each."""
from __future__ import annotations

import pytest

from httpdlab import Httpd, wait_for
from recorder import Recorder

DOWN = r"PM0400: mirror m is down"
SERVER_DOWN = r"PM0432: mirror m: server \S+ is down"
EJECTED = r"PM0434: mirror m: server \S+ gets no copies"


def with_names(httpd, preload, names):
    """A maker of httpds of which all lookups are answered by the file of `names`."""
    def make(conf, **options) -> Httpd:
        options.setdefault("children", 1)
        return httpd(conf, env={"HTTPD_PRELOAD": preload, "TEST_NAMES": names.path}, **options)
    return make


@pytest.fixture
def servers(recorder):
    """So many recorders, at 127.0.0.1 and on, with one port."""
    def make(count: int, **options) -> list[Recorder]:
        first = recorder(host="127.0.0.1", **options)
        return [first] + [recorder(host=f"127.0.0.{n}", port=first.port, **options) for n in range(2, count + 1)]
    return make


def listed(made: list[Recorder], attributes: str = "", weights: tuple[int, ...] = (), scheme: str = "http",
           name: str = "some.test") -> str:
    """A mirror with these servers."""
    hosts = [f"{one.host}:{one.port}" + (f"*{weight}" if weight else "")
             for one, weight in zip(made, weights or [0] * len(made))]
    return f'ProxyMirror "{scheme}://{name}" name=m servers={",".join(hosts)} {attributes}'


def named(port: int, attributes: str = "", scheme: str = "http") -> str:
    """A mirror with all addresses of a name."""
    return f'ProxyMirror "{scheme}://some.test:{port}" name=m resolve=all {attributes}'


def counts(made: list[Recorder]) -> list[int]:
    return [len(one.requests) for one in made]


def state(h: Httpd) -> dict[str, dict]:
    """state.servers by the address without its port."""
    return {one["address"].rsplit(":", 1)[0]: one for one in h.mirror()["state"]["servers"]}


def one_by_one(h: Httpd, count: int, before: int = 0) -> None:
    for n in range(before + 1, before + count + 1):
        assert h.get("/o/a").status == 200
        h.ended(n)


def copy_until(h: Httpd, what: str, condition) -> None:
    """One request after the other, each with its copy, until that is true."""
    def found() -> bool:
        one_by_one(h, 1, h.mirror()["seen"])
        return condition()
    wait_for(what, found)


def connect_all(h: Httpd, made: list[Recorder]) -> None:
    """Copies until each server has had one. Until it has a connection, which a busy machine may take some time for, the others get
    its share."""
    copy_until(h, "a copy to each server", lambda: all(counts(made)))


def gets(h: Httpd, count: int) -> None:
    """So many, as fast as one client can."""
    assert set(h.get_many(["/o/a"] * count)) <= {200}
