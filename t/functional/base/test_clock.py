"""The wall clock of the host is set, by an hour or a day, forward or back: timers, deadlines
and pauses do not notice."""
from __future__ import annotations

import datetime
import errno
import json
import re
import signal
import time

import pytest

from clocklab import DAY, HOUR, Clock, clock, steps     # noqa: F401, a fixture
from copies import assert_next_is_intact
from httpdlab import Httpd, location, scaled, to, wait_for
from recorder import answer
from redislab import LONG, needs_redis, redis      # noqa: F401, the fixture
from serverslab import counts, copy_until, listed, servers, state     # noqa: F401, a fixture
from tlslab import strict

PRELOADS = "clock", "connect"
DOWN = r"PM\d+: mirror m is down"
@pytest.fixture
def httpd(clock, preload, httpd):
    """Whose wall clock the test sets. That it does is looked at first."""
    def make(conf, env=None, **options) -> Httpd:
        options.setdefault("children", 1)
        variables = {"HTTPD_PRELOAD": preload, "TEST_CLOCK": clock.path, **(env or {})}
        h = httpd(conf, env=variables, **options)
        clock.step(1000000)
        answer = h.get("/")
        (date,) = [value for name, value in answer.headers if name == "Date"]
        printed = datetime.datetime.strptime(f"{date}+0000", "%a, %d %b %Y %H:%M:%S GMT%z")
        assert clock.is_now(printed.isoformat())
        clock.step(-1000000)
        return h
    return make


@pytest.fixture
def proxy(httpd, origin):
    """Makes httpds whose /o/ is mirrored to a recorder."""
    def make(mirror, attributes="", conf="", **options) -> Httpd:
        return httpd(conf + location("/o/", origin, to(mirror, attributes)), **options)
    return make


# ---- down and up ----

@steps
def test_mirror_that_is_down_is_tried_again(proxy, recorder, clock, step):
    mirror = recorder(listen=False)
    h = proxy(mirror, f"retry={int(scaled(300))}ms", expect=[DOWN])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"unreachable": 1}
    clock.step(step)
    mirror.listen()
    wait_for("the end of the pause", lambda: h.mirror()["state"]["down_until"] is None)
    assert_next_is_intact(h, mirror, unreachable=1)
    assert len(h.log_lines("PM0401: mirror m is up again")) == 1


@steps
def test_mirror_that_is_down_stays_down(proxy, recorder, clock, step):
    """A step is no reason to try it. The end of the pause is printed by the clock in force."""
    mirror = recorder(listen=False)
    h = proxy(mirror, "retry=2h", expect=[DOWN])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"unreachable": 1}
    mirror.listen()
    clock.step(step)
    for n in range(2, 5):
        assert h.get("/o/a").status == 200
        assert h.ended(n) == {"unreachable": n}
    assert clock.is_now(h.mirror()["state"]["down_until"], later=2 * HOUR)
    assert b'proxy_mirror_up{mirror="m"} 0' in h.get("/mirror-status/metrics").body
    assert not mirror.connections


@steps
def test_pause_for_want_of_ports_ends(proxy, mirror, clock, faults, step):
    faults.set(mirror.port, errno.EADDRNOTAVAIL, 1)
    h = proxy(mirror, env={"TEST_CONNECT": faults.path},
              expect=["PM0412: mirror m", "PM0420: .* ports are left"])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"memory_full": 1}
    clock.step(step)
    count = 1

    def is_mirrored() -> bool:
        nonlocal count
        count += 1
        assert h.get("/o/a").status == 200
        return h.ended(count).get("mirrored", 0) > 0
    wait_for("the end of the pause", is_mirrored)


# ---- connections ----

@steps
def test_copies_under_way_time_out_in_time(proxy, mirror, clock, step):
    timeout = scaled(1)
    mirror.hold()
    h = proxy(mirror, f"timeout={int(timeout * 1000)}ms max_connections=1")
    began = time.monotonic()
    assert h.get("/o/a").status == 200
    mirror.wait(1)
    clock.step(step)
    assert h.get("/o/b").status == 200          # which wakes the sender
    wait_for("a copy to time out", lambda: h.outcomes() == {"timed_out": 1})
    assert time.monotonic() - began >= timeout
    mirror.wait(2)
    assert h.ended(2) == {"timed_out": 2}
    assert time.monotonic() - began >= 2 * timeout


@steps
def test_connect_times_out_in_time(proxy, recorder, clock, step):
    timeout = scaled(1)
    mirror = recorder(listen=False)
    filling = mirror.fill_backlog()
    h = proxy(mirror, f"connect_timeout={int(timeout * 1000)}ms", expect=[DOWN])
    began = time.monotonic()
    assert h.get("/o/a").status == 200
    wait_for("the connect", lambda: h.mirror()["state"]["queued"] == 1)
    clock.step(step)
    assert h.ended(1) == {"unreachable": 1}
    assert timeout <= time.monotonic() - began + 0.001 < timeout + scaled(2)
    for sock in filling:
        sock.close()


@steps
def test_handshake_times_out_in_time(httpd, origin, recorder, authority, clock, step):
    timeout = scaled(1)
    mirror = recorder(takeover=lambda sock: gate.wait())
    gate = mirror.gate()
    h = httpd(strict(authority) + location(
        "/o/", origin, f'ProxyMirror "https://127.0.0.1:{mirror.port}" name=m '
        f"connect_timeout={int(timeout * 1000)}ms"), modules=("ssl",), expect=[DOWN])
    began = time.monotonic()
    assert h.get("/o/a").status == 200
    mirror.wait_until("connection", lambda: mirror.connections == 1)
    clock.step(step)
    assert h.ended(1) == {"tls_failed": 1}
    assert timeout <= time.monotonic() - began + 0.001 < timeout + scaled(2)


# ---- several servers, and the end of a mirror ----

@steps
def test_server_that_is_down_is_tried_again(httpd, origin, servers, recorder, clock, step):
    """Its pause, and that of one that is ejected, are of the monotonic clock; what is shown is of the wall clock."""
    made = servers(3)
    dead = recorder(host="127.0.0.4", port=made[0].port, listen=False)
    retry = scaled(0.3)
    h = httpd(location("/o/", origin, listed([*made, dead], f"retry={int(retry * 1000)}ms")), expect=["PM0432", "PM0434"])
    made[2].answer = lambda sock, message: False
    copy_until(h, "the two that are out", lambda: [one["down_until"] is None for one in state(h).values()] == [True, True, False, False])
    clock.step(step)
    assert all(clock.is_now(one["down_until"]) for one in state(h).values() if one["down_until"])
    dead.listen()
    made[2].answer = answer()
    before, began = counts([*made, dead]), time.monotonic()
    copy_until(h, "all again", lambda: all(now > n for now, n in zip(counts([*made, dead]), before)))
    assert time.monotonic() - began < 2 * retry + scaled(1)
    assert all(one["down_until"] is None for one in state(h).values())


def test_until_is_of_the_wall_clock(httpd, origin, mirror, clock):
    """It is what people see on theirs: a clock that is set forward ends the mirror, one that is set back begins it again."""
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2 * HOUR)
    h = httpd(location("/o/", origin, to(mirror, f"until={end:%Y-%m-%dT%H:%M:%SZ}")))
    outcomes = {"mirrored": 0, "disabled": 0}
    for step, name, outcome in ((HOUR, "up", "mirrored"), (HOUR + 60, "ended", "disabled"), (-HOUR, "up", "mirrored"),
                                (1000 * DAY, "ended", "disabled"), (-2000 * DAY, "up", "mirrored")):
        clock.step(step)
        assert h.get("/o/a").status == 200
        outcomes[outcome] += 1
        assert h.ended(sum(outcomes.values())) == {which: n for which, n in outcomes.items() if n}
        assert h.mirror()["state"]["name"] == name
        assert len(mirror.requests) == outcomes["mirrored"]


@steps
def test_idle_connection_stays(proxy, mirror, clock, step):
    h = proxy(mirror, "keepalive=1min")
    for n in range(1, 4):
        assert h.get("/o/a").status == 200
        assert h.ended(n) == {"mirrored": n}
        clock.step(step)
    assert mirror.connections == 1


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_idle_connection_is_closed_in_time(proxy, mirror, clock, step):
    h = proxy(mirror, "keepalive=300ms")
    assert h.get("/o/a").status == 200
    mirror.wait(1)
    clock.step(step)
    assert h.ended(1) == {"mirrored": 1}
    mirror.wait_until("end of the connection", lambda: mirror.open == 0)


# ---- limits ----

@steps
def test_window_that_is_used_up_stays_so(proxy, mirror, clock, step):
    h = proxy(mirror, f"enable_limit_count=true count=1 time_window={LONG}")
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    for n in range(2, 4):
        clock.step(step)
        assert h.get("/o/a").status == 200
        assert h.ended(n) == {"mirrored": 1, "limited": n - 1}
        assert clock.is_now(h.mirror()["state"]["limit"]["closed_until"], later=LONG)


@steps
def test_window_ends(proxy, mirror, clock, step):
    h = proxy(mirror, "enable_limit_count=true count=1 time_window=1")
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    clock.step(step)
    wait_for("the next window", lambda: h.get("/o/a") and len(mirror.requests) == 2)
    h.wait_idle()


@needs_redis
@steps
def test_redis_goes_on_being_asked(proxy, mirror, redis, clock, step):
    """Questions follow one another at a pace, which is a timer."""
    server = redis()
    h = proxy(mirror, f"enable_limit_count=true count=1000000 time_window={LONG} policy=redis "
              f"redis_host=127.0.0.1 redis_port={server.port} limit_fallback=drop "
              f"redis_timeout={int(scaled(1000))}")
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    for n in range(1, 4):
        assert h.get_many(["/o/a"] * 10) == [200] * 10
        clock.step(step)
        assert h.ended(10 * n + 1) == {"mirrored": 10 * n + 1}
    assert server.used("proxy-mirror:v1:m") == 31


# ---- what is measured, what is printed ----

@steps
def test_durations_and_times_of_a_line(proxy, origin, mirror, clock, step):
    """A step while origin and mirror answer is in none of them; the line comes, although its timer
    was set before."""
    gates = origin.hold(), mirror.hold()
    h = proxy(mirror, "when=request timeout=1min", "ProxyMirrorLog logs/copies\n")
    with h.client() as client:
        client.send(b"GET /o/a HTTP/1.1\r\nHost: t\r\n\r\n")
        mirror.wait(1)
        origin.wait(1)
        clock.step(step)
        for gate in gates:
            gate.set()
        assert client.answer().status == 200
    assert h.ended(1) == {"mirrored": 1}
    line = json.loads(wait_for("the line", lambda: h.read("logs/copies")))
    assert 0 < line["response"]["ms"] < scaled(60000)
    clock.step(-step)                           # the request came before the step
    assert clock.is_now(line["time"])
    (total,) = re.findall(r'proxy_mirror_duration_seconds_sum{mirror="m"} ([\d.]+)',
                          h.get("/mirror-status/metrics").body.decode())
    assert float(total) < scaled(60)


@steps
def test_time_until_the_response_began(proxy, origin, mirror, clock, step):
    gate = origin.hold()
    h = proxy(mirror, "", "ProxyMirrorLog logs/copies\n")
    with h.client() as client:
        client.send(b"GET /o/a HTTP/1.1\r\nHost: t\r\n\r\n")
        origin.wait(1)
        clock.step(step)
        gate.set()
        assert client.answer().status == 200
    line = json.loads(wait_for("the line", lambda: h.read("logs/copies")))
    assert line["primary"]["status"] == 200 and 0 < line["primary"]["ms"] < scaled(60000)


@steps
def test_lines_go_on_being_written(proxy, mirror, clock, step):
    """Those before the step started the timer that writes what comes after it."""
    h = proxy(mirror, "", "ProxyMirrorLog logs/copies\n")
    for n in range(1, 4):
        assert h.get("/o/a").status == 200
        clock.step(step)
        wait_for("the line", lambda: h.read("logs/copies").count("\n") == n)


# ---- the end of a child ----

@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_drain_ends_in_time(httpd, origin, mirror, clock, step):
    """The clock is set again and again, so that it is also while the old child drains."""
    patience = scaled(1)
    mirror.hold()
    h = httpd(f"ProxyMirrorDrainTimeout {int(patience * 1000)}ms\n"
              + location("/o/", origin, to(mirror, "timeout=1min")))
    assert h.get("/o/a").status == 200
    mirror.wait(1)
    old = h.pids()
    began = time.monotonic()
    h.tell(signal.SIGUSR1)

    def has_ended() -> bool:
        clock.step(step)
        return not set(old) & set(h.pids())
    wait_for("the end of the old child", has_ended)
    assert time.monotonic() - began >= patience
    wait_for("the new child", h.pids)
    assert h.ended(1) == {"shut_down": 1}
