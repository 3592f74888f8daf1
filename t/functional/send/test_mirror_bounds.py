"""How much a mirror may take, and what happens while it is down."""
from __future__ import annotations

import pytest

import wire
from copies import assert_copy, assert_next_is_intact
from httpdlab import location, scaled, to, wait_for
from marks import needs_threads
from recorder import answer, ok

DOWN = r"PM\d+: mirror m is down"
UP = r"PM\d+: mirror m is up"


# ---- bounds ----

@pytest.mark.parametrize("connections, queue", [(3, 5), (1, 0), (2, 0), (1, 1)])
def test_bounds(proxy, mirror, connections, queue):
    gate = mirror.hold()
    h = proxy(mirror, f"max_connections={connections} max_queue={queue}", children=1,
              expect=[r"PM\d+: mirror m: .*full"])
    taken = connections + queue
    assert h.get_many(f"/o/{n}" for n in range(taken + 4)) == [200] * (taken + 4)
    assert h.outcomes() == {"queue_full": 4}
    mirror.wait_until("connections", lambda: mirror.connections >= connections)
    wait_for("copies in flight", lambda: h.mirror()["state"]["in_flight"] == connections)
    state = h.mirror()["state"]
    assert (state["queued"], state["connections"]) == (queue, connections)
    assert mirror.connections == connections
    gate.set()
    assert h.ended(taken + 4) == {"mirrored": taken, "queue_full": 4}
    assert mirror.connections == connections
    assert sorted(int(copy.target[3:]) for copy in mirror.requests) == list(range(taken))
    assert_next_is_intact(h, mirror, taken + 4, mirrored=taken, queue_full=4)


def test_full_queue_is_one_line_in_the_log(proxy, mirror):
    gate = mirror.hold()
    h = proxy(mirror, "max_connections=1 max_queue=0", children=1, expect=[r"PM\d+: mirror m: .*full"])
    h.get_many(["/o/a"] * 200)
    assert h.outcomes() == {"queue_full": 199}
    wait_for("a line in the log", lambda: h.log_lines(r"PM\d+: mirror m: .*full"))
    gate.set()
    assert h.ended(200) == {"mirrored": 1, "queue_full": 199}
    assert len(h.log_lines(r"proxy_mirror:warn")) == 1


# ---- down and up ----

@pytest.mark.smoke
def test_down_and_up_again(proxy, recorder):
    mirror = recorder(listen=False)
    h = proxy(mirror, f"retry={int(scaled(700))}ms", expect=[DOWN])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"unreachable": 1}
    mirror.listen()
    assert h.get_many(["/o/b"] * 20) == [200] * 20
    assert h.ended(21) == {"unreachable": 21}
    assert mirror.connections == 0                      # not even tried
    assert len(h.log_lines(DOWN)) == 1
    wait_for("the end of the pause", lambda: h.mirror()["state"]["down_until"] is None)
    assert_next_is_intact(h, mirror, 21, unreachable=21)
    assert len(h.log_lines(DOWN)) == len(h.log_lines(UP)) == 1
    assert "21 copies" in h.log_lines(UP)[0]


@pytest.mark.parametrize("attributes, request_, outcome", [
    ("status=404", wire.request("GET", "/o/a"), "filtered"),
    ("max_body=3", wire.request("POST", "/o/a", ["Transfer-Encoding: chunked"]) + wire.chunked(b"long"), "too_large"),
], ids=["filtered", "too_large"])
def test_probe_that_is_not_sent_leaves_its_turn(proxy, recorder, origin, attributes, request_, outcome):
    """What ends before it gets to the mirror does not keep it down for another `retry`."""
    mirror = recorder(listen=False)
    origin.answer = lambda sock, message: (ok if message.target == "/a" else answer("404 Not Found"))(
        sock, message)
    h = proxy(mirror, f"retry={int(scaled(700))}ms connect_timeout=1h {attributes}", expect=[DOWN])
    assert h.get("/o/b").status == 404
    assert h.ended(1) == {"unreachable": 1}
    wait_for("the end of the pause", lambda: h.mirror()["state"]["down_until"] is None)
    mirror.listen()
    assert h.exchange(request_).status == 200       # would be the probe
    assert h.ended(2) == {"unreachable": 1, outcome: 1}
    assert h.get("/o/b").status == 404
    assert h.ended(3) == {"unreachable": 1, outcome: 1, "mirrored": 1}


def test_each_probe_that_fails_says_nothing(proxy, recorder):
    h = proxy(recorder(listen=False), "retry=50ms", expect=[DOWN])
    count = 0
    for _ in range(5):
        count += 1
        assert h.get("/o/a").status == 200
        assert h.ended(count) == {"unreachable": count}
        wait_for("the end of the pause", lambda: h.mirror()["state"]["down_until"] is None)
    assert len(h.log_lines(DOWN)) == 1


def test_one_probe_at_a_time(proxy, recorder):
    """A full backlog: connecting takes until connect_timeout, and meanwhile the other copies end at once."""
    mirror = recorder(listen=False)
    fill = mirror.fill_backlog()
    h = proxy(mirror, f"retry=300ms connect_timeout={int(scaled(1000))}ms", children=1, expect=[DOWN])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"unreachable": 1}
    wait_for("the end of the pause", lambda: h.mirror()["state"]["down_until"] is None)
    assert h.get_many(["/o/b"] * 10) == [200] * 10
    state = h.mirror()["state"]
    assert state["queued"] + state["in_flight"] == 1
    assert h.outcomes() == {"unreachable": 10}
    assert h.ended(11) == {"unreachable": 11}
    assert len(h.log_lines(DOWN)) == 1
    for sock in fill:
        sock.close()


@needs_threads
def test_open_connection_that_answers_ends_down(proxy, mirror):
    """A second connection rejected while the first one waits for its answer: when that comes, the
    first one has to do."""
    gate = mirror.hold()
    h = proxy(mirror, "retry=1h", children=1, expect=[DOWN])
    assert h.get("/o/a").status == 200
    mirror.wait(1)
    mirror.stop_listening()
    assert h.get("/o/b").status == 200
    wait_for("a line in the log", lambda: h.log_lines(DOWN))
    assert h.get("/o/c").status == 200
    assert h.outcomes() == {"unreachable": 1}
    gate.set()
    wait_for("both answers", lambda: h.outcomes() == {"mirrored": 2, "unreachable": 1})
    assert h.get_many(f"/o/{n}" for n in range(20)) == [200] * 20
    assert h.ended(23) == {"mirrored": 22, "unreachable": 1}
    assert mirror.connections == 1
    assert len(h.log_lines(DOWN)) == len(h.log_lines(UP)) == 1      # no other connection was tried


@needs_threads
def test_stale_copy_gets_a_connection_while_others_have_to_do(proxy, mirror, recorder):
    """No connection is opened for `retry`, but for a copy whose own was stale: those that are open
    are of no use to it."""
    gates = {path: mirror.gate() for path in ("/o/a", "/o/b")}

    def behave(sock, message):
        if message.target in gates:
            gates[message.target].wait()
        return message.target != "/o/stale" and ok(sock, message)
    mirror.answer = behave
    h = proxy(mirror, "retry=1h timeout=1min", children=1, expect=[DOWN])
    for path in gates:
        assert h.get(path).status == 200
    mirror.wait(2)
    mirror.stop_listening()
    assert h.get("/o/c").status == 200
    wait_for("a line in the log", lambda: h.log_lines(DOWN))
    gates["/o/a"].set()
    wait_for("two answers", lambda: h.outcomes() == {"mirrored": 2})
    fresh = recorder(port=mirror.port)
    assert h.get("/o/stale").status == 200
    assert fresh.one().target == "/o/stale"         # that of /o/b is still open
    gates["/o/b"].set()
    assert h.ended(4) == {"mirrored": 4}
    assert mirror.connections == 2


@needs_threads
def test_answer_that_had_begun_before_does_not_end_down(proxy, mirror):
    gate = mirror.gate()

    def begin(sock, _):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
        begun.append(1)
        gate.wait()
        sock.sendall(b"abc")
        return True
    begun = []
    mirror.answer = begin
    h = proxy(mirror, "retry=1h timeout=1min", children=1, expect=[DOWN])
    assert h.get("/o/a").status == 200
    wait_for("the beginning of the answer", lambda: begun)
    mirror.stop_listening()
    assert h.get("/o/b").status == 200
    wait_for("a line in the log", lambda: h.log_lines(DOWN))
    mirror.answer = lambda sock, _: gate2.wait() and False
    gate2 = mirror.gate()
    gate.set()
    wait_for("the answer", lambda: h.outcomes() == {"mirrored": 1})
    assert h.mirror()["state"]["down_until"] and not h.log_lines(UP)
    gate2.set()
    h.ended(2)


def test_dead_mirror_beside_a_healthy_one(httpd, origin, mirror, recorder):
    h = httpd(location("/o/", origin, to(recorder(listen=False), name="dead"), to(mirror)),
              expect=[r"mirror dead is down"])
    assert h.get_many(f"/o/{n}" for n in range(50)) == [200] * 50
    assert h.ended(50) == {"mirrored": 50}
    assert h.ended(50, "dead") == {"unreachable": 50}


def test_hanging_mirror_beside_a_healthy_one(httpd, origin, mirror, recorder):
    hanging = recorder()
    gate = hanging.hold()
    h = httpd(location("/o/", origin, to(hanging, "max_connections=2 max_queue=10", "hanging"), to(mirror)),
              children=1, expect=[r"mirror hanging: .*full"])
    assert h.get_many(f"/o/{n}" for n in range(50)) == [200] * 50
    assert h.ended(50) == {"mirrored": 50}
    assert h.outcomes("hanging") == {"queue_full": 38}
    gate.set()
    assert h.ended(50, "hanging") == {"mirrored": 12, "queue_full": 38}


@pytest.mark.parametrize("ttl, times", [("0", 3), ("1h", 1)])
def test_address_is_used_for_its_time(proxy, mirror, ttl, times):
    h = proxy(mirror, f"keepalive=0 ttl={ttl}", children=1)
    for n in range(1, 4):
        assert h.get("/o/a").status == 200
        assert h.ended(n) == {"mirrored": n}
    assert mirror.connections == 3
    assert len(h.log_lines("PM0413: mirror m: ")) == times


def test_name_that_does_not_resolve(httpd, origin, mirror):
    """Other mirrors do not wait for the look-up."""
    h = httpd(location("/o/", origin, 'ProxyMirror "http://mirror.invalid" name=lost', to(mirror)),
              expect=[r"mirror lost is down"], env={"RES_OPTIONS": "timeout:1 attempts:1"})
    assert h.get("/o/a").status == 200
    assert_copy(mirror.one(), "GET /o/a")
    wait_for("the look-up to fail", lambda: h.outcomes("lost"), 25)
    assert h.ended(1, "lost") == {"unreachable": 1}
    assert "mirror.invalid" in h.log_lines(r"mirror lost is down")[0]
