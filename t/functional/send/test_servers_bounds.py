"""Several servers behind one mirror, and what their tests may take: helpers, descriptors. A server that hangs, or many of them,
hold up neither the copies nor the return of others."""
from __future__ import annotations

import time

import pytest

from httpdlab import location, scaled, wait_for
from serverslab import DOWN, SERVER_DOWN, counts, gets, listed, named, one_by_one, servers, state, with_names  # noqa: F401

PRELOADS = ("names",)


@pytest.fixture
def httpd(names, preload, httpd):
    return with_names(httpd, preload, names)


# ---- helpers ----

def hang(recorder, port: int, numbers) -> tuple[list, list]:
    """Servers to which connecting hangs, and the sockets that see to it."""
    made = [recorder(host=f"127.0.0.{n}", port=port, listen=False) for n in numbers]
    return made, [sock for one in made for sock in one.fill_backlog()]


@pytest.mark.long
def test_server_returns_although_others_hang(httpd, origin, servers, recorder):
    """Those before it hang again and again, with a pause that is shorter than the tests of all of them."""
    made = servers(1)
    hung, filling = hang(recorder, made[0].port, range(2, 7))
    dead = recorder(host="127.0.0.7", port=made[0].port, listen=False)
    h = httpd(location("/o/", origin, listed([*hung, dead, *made], f"retry=200ms connect_timeout={int(scaled(0.4) * 1000)}ms")),
              expect=[SERVER_DOWN])
    wait_for("all that are down", lambda: h.get("/o/a").status == 200 and len(h.log_lines(SERVER_DOWN)) == 6)
    dead.listen()
    wait_for("its return", lambda: h.get("/o/a").status == 200 and dead.requests, 5)
    h.wait_idle()
    assert set(h.outcomes()) == {"mirrored"}
    for sock in filling:
        sock.close()


@pytest.mark.long
@pytest.mark.parametrize("kind", ["list", "name"])
def test_tests_of_servers_that_hang_hold_up_no_copies(httpd, origin, servers, recorder, names, kind):
    """Each copy needs a connection: for those there is always a helper."""
    made = servers(2)
    hung, filling = hang(recorder, made[0].port, range(3, 7))
    names.set(some=" ".join(one.host for one in [*hung, *made]))
    attributes = f"retry=100ms connect_timeout={int(scaled(2) * 1000)}ms keepalive=0 max_queue=100000"     # until all are down
    h = httpd(location("/o/", origin, listed([*hung, *made], attributes) if kind == "list" else named(made[0].port, attributes)),
              expect=[SERVER_DOWN])
    wait_for("all that are down", lambda: h.get("/o/a").status == 200 and len(h.log_lines(SERVER_DOWN)) == 4)
    h.wait_idle()
    count, longest, end = h.mirror()["seen"], 0.0, time.monotonic() + 3 * scaled(2)
    while time.monotonic() < end:
        began = time.monotonic()
        one_by_one(h, 1, count)
        count += 1
        longest = max(longest, time.monotonic() - began)
    assert longest < scaled(1), longest
    assert h.outcomes() == {"mirrored": count}
    for sock in filling:
        sock.close()


# ---- connections ----

def test_busy_connections_hold_up_no_test(httpd, origin, servers, recorder):
    """The servers have copies that they never respond to, and then accept no connection. When they do again, the mirror is up
    with the next test, and not only when those copies time out."""
    made = servers(2)
    for one in made:
        one.hold()
    h = httpd(location("/o/", origin, listed(made, "timeout=1h retry=200ms")), expect=[DOWN, SERVER_DOWN])
    gets(h, 2)
    wait_for("a copy at each", lambda: all(counts(made)))
    for one in made:
        one.stop_listening()
    wait_for("the end of both", lambda: h.get("/o/a").status == 200 and h.log_lines(DOWN))
    again = [recorder(host=one.host, port=one.port) for one in made]
    wait_for("copies at both", lambda: h.get("/o/a").status == 200 and all(counts(again)), 5)
    assert h.mirror()["state"]["name"] == "up"
    for one in made:
        one.release()
    h.wait_idle()
    assert set(h.outcomes()) == {"mirrored", "unreachable"}


# ---- descriptors ----

@pytest.mark.long
@pytest.mark.parametrize("up", [1, 0])
def test_tests_of_servers_leave_descriptors(httpd, origin, recorder, up):
    """A quarter of the descriptors is for mirrors, and one beside for each, also when very many servers return at once. Each of
    them has copies, although they are more than the connections that there may be."""
    limit = 120
    first = recorder(host="127.0.0.1", listen=up == 1)
    made = [first] + [recorder(host=f"127.0.0.{n}", port=first.port, listen=False) for n in range(2, 17)]
    names = [f"m{n}" for n in range(6)]
    h = httpd("ProxyMirrorThreads 256\n" + "".join(location(f"/{name}/", origin, listed(made, "retry=200ms").replace("name=m ", f"name={name} "))
                                                    for name in names),
              expect=["PM0432: mirror m.: server", DOWN.replace("m is", "m. is")], wrapper=("prlimit", f"--nofile={limit}:{limit}"))
    most = 0

    def each() -> dict[str, dict]:
        nonlocal most
        for name in names:
            assert h.get(f"/{name}/a").status == 200
        mirrors = h.mirrors()
        if connections(mirrors) == connections(h.mirrors()):    # else one may have been counted at two mirrors, one after the other
            most = max(most, sum(connections(mirrors)))
        return mirrors

    def connections(mirrors: dict[str, dict]) -> list[int]:
        return [one["state"]["connections"] for one in mirrors.values()]

    def all_are_up() -> bool:
        return all(server["down_until"] is None for one in each().values() for server in one["state"]["servers"])

    def all_have_copies() -> bool:
        each()
        return all(len({message.target for message in one.requests}) == len(names) for one in made)
    wait_for("all that are down", lambda: each() and len(h.log_lines("PM0432")) == len(names) * (len(made) - up))
    for one in made[up:]:
        one.listen()
    wait_for("all that are up", all_are_up)
    wait_for("copies at each", all_have_copies)
    assert limit // 4 - 1 <= most <= limit // 4 + len(names)
    h.wait_idle()
    for name in names:
        assert set(h.outcomes(name)) <= {"mirrored"} | ({"unreachable"} if not up else set())
