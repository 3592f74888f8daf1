"""Names of mirrors: every address is tried, for how long they are kept, and a name server that does not answer."""
from __future__ import annotations

import time

import pytest

from copies import assert_copy, assert_next_is_intact
from httpdlab import Httpd, location, scaled, to, wait_for
from redislab import needs_redis, redis      # noqa: F401, the fixture
from tlslab import strict

PRELOADS = ("names",)
DOWN = r"PM\d+: mirror m is down"


@pytest.fixture
def httpd(names, preload, httpd):
    """Of which all look-ups are answered by the file. It ends before those that hang are let go."""
    def make(conf, **options) -> Httpd:
        options.setdefault("children", 1)
        return httpd(conf, env={"HTTPD_PRELOAD": preload, "TEST_NAMES": names.path}, **options)
    return make


def by_name(name: str, port: int, attributes: str = "", mirror: str = "m", scheme: str = "http") -> str:
    return f'ProxyMirror "{scheme}://{name}.test:{port}" name={mirror} {attributes}'


# ---- addresses ----

@pytest.mark.smoke
@pytest.mark.parametrize("addresses", ["127.0.0.2 127.0.0.1", "::1 127.0.0.3 127.0.0.1", "127.0.0.1 127.0.0.2"])
def test_every_address_is_tried(httpd, origin, mirror, names, addresses):
    names.set(some=addresses)
    h = httpd(location("/o/", origin, by_name("some", mirror.port, "keepalive=0")))
    for n in range(1, 4):
        assert h.get("/o/a").status == 200
        assert h.ended(n) == {"mirrored": n}
    assert mirror.connections == 3
    assert not h.log_lines(DOWN)


def swallowing(recorder, port: int, *hosts: str) -> list:
    """At these addresses a port where connecting hangs; close() of what is returned ends that."""
    made = [recorder(listen=False, host=host, port=port) for host in hosts]
    return [sock for one in made for sock in one.fill_backlog()]


@pytest.mark.parametrize("addresses", ["127.0.0.2 127.0.0.1", "127.0.0.2 127.0.0.3 127.0.0.1",
                                       "127.0.0.2 127.0.0.1 127.0.0.3"])
def test_address_that_hangs_leaves_time_for_the_others(httpd, origin, mirror, names, recorder,
                                                       addresses):
    """Each has its part of connect_timeout; the one that let us connect is tried first from then on."""
    filling = swallowing(recorder, mirror.port, "127.0.0.2", "127.0.0.3")
    names.set(some=addresses)
    count = len(addresses.split())
    patience = scaled(1.5)
    part = patience / count
    h = httpd(location("/o/", origin, by_name("some", mirror.port,
                                              f"keepalive=0 connect_timeout={int(patience * 1000)}ms")))
    began = time.monotonic()
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    first = time.monotonic() - began
    assert part * addresses.split().index("127.0.0.1") - 0.01 <= first < patience
    began = time.monotonic()
    for n in range(2, 5):
        assert h.get("/o/a").status == 200
        assert h.ended(n) == {"mirrored": n}
    assert time.monotonic() - began < part
    assert mirror.connections == 4
    assert not h.log_lines(DOWN)
    for sock in filling:
        sock.close()


@pytest.mark.parametrize("place", [0, 1500, 2999])
def test_one_of_thousands_of_addresses(httpd, origin, mirror, names, place):
    """More than there are milliseconds: the others refuse, and this one is tried wherever it is in the list."""
    every = [f"127.{n // 200 + 1}.{n % 200}.1" for n in range(3000)]
    every[place] = "127.0.0.1"
    names.set(some=" ".join(every))
    h = httpd(location("/o/", origin, by_name("some", mirror.port, f"keepalive=0 connect_timeout={int(scaled(2) * 1000)}ms")))
    for n in range(1, 3):
        assert h.get("/o/a").status == 200
        assert h.ended(n) == {"mirrored": n}
    assert mirror.connections == 2 and not h.log_lines(DOWN)


def test_addresses_that_all_hang_take_connect_timeout(httpd, origin, mirror, names, recorder):
    filling = swallowing(recorder, mirror.port, "127.0.0.2", "127.0.0.3", "127.0.0.4")
    names.set(some="127.0.0.2 127.0.0.3 127.0.0.4")
    patience = scaled(0.6)
    h = httpd(location("/o/", origin, by_name("some", mirror.port, f"connect_timeout={int(patience * 1000)}ms")),
              expect=[DOWN])
    began = time.monotonic()
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"unreachable": 1}
    assert patience - 0.01 <= time.monotonic() - began < patience + scaled(0.4)
    for sock in filling:
        sock.close()


def test_address_that_worked_and_ends_leaves_its_place_to_another(httpd, origin, recorder, names):
    one = recorder(listen=False)
    two = recorder(host="127.0.0.2", port=one.port)
    names.set(some="127.0.0.1 127.0.0.2")
    h = httpd(location("/o/", origin, by_name("some", one.port, "keepalive=0")))
    for n in range(1, 3):
        assert h.get("/o/a").status == 200
        assert h.ended(n) == {"mirrored": n}
    assert two.connections == 2
    two.stop_listening()
    one.listen()
    for n in range(3, 6):
        assert h.get("/o/a").status == 200
        assert h.ended(n) == {"mirrored": n}
    assert one.connections == 3
    assert names.lookups("some") == 1
    assert not h.log_lines(DOWN)


def test_no_address_answers(httpd, origin, recorder, names):
    dead = recorder(listen=False)
    names.set(some="127.0.0.2 127.0.0.1")
    h = httpd(location("/o/", origin, by_name("some", dead.port, f"retry={int(scaled(200))}ms")), expect=[DOWN])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"unreachable": 1}
    assert "some.test" in h.log_lines(DOWN)[0]
    dead.listen()
    wait_for("the end of the pause", lambda: h.mirror()["state"]["down_until"] is None)
    assert_next_is_intact(h, dead, unreachable=1)


def test_unknown_name(httpd, origin, mirror, names):
    names.set(some="")
    h = httpd(location("/o/", origin, by_name("some", mirror.port, f"retry={int(scaled(200))}ms")), expect=[DOWN])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"unreachable": 1}
    names.set(some="127.0.0.1")
    wait_for("the end of the pause", lambda: h.mirror()["state"]["down_until"] is None)
    assert_next_is_intact(h, mirror, unreachable=1)


@pytest.mark.smoke
def test_ipv6(httpd, origin, recorder):
    mirror = recorder(host="::1")
    h = httpd(location("/o/", origin, to(mirror, "host_header=target")))
    assert h.request("POST", "/o/a", [], b"body").status == 200
    assert_copy(mirror.one(), "POST /o/a", f"Host: [::1]:{mirror.port}", "Content-Length: 4", body=b"body")
    assert h.ended(1) == {"mirrored": 1}
    for n in range(2, 5):
        assert h.get("/o/a").status == 200
        assert h.ended(n) == {"mirrored": n}
    assert mirror.connections == 1
    assert h.mirror()["attributes"]["host"] == f"http://[::1]:{mirror.port}"


def test_ipv6_that_is_closed(httpd, origin, recorder):
    h = httpd(location("/o/", origin, to(recorder(host="::1", listen=False))), expect=[DOWN])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"unreachable": 1}
    assert "::1" in h.log_lines(DOWN)[0]


def test_name_that_leads_to_ipv6(httpd, origin, recorder, names):
    mirror = recorder(host="::1")
    names.set(some="127.0.0.1 ::1")
    h = httpd(location("/o/", origin, by_name("some", mirror.port)))
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}


# ---- ttl ----

@pytest.mark.parametrize("ttl, lookups", [("0", 4), ("60s", 1)])
def test_addresses_are_kept_for_ttl(httpd, origin, mirror, names, ttl, lookups):
    """Each copy has a connection of its own; with ttl=0 each looks the name up."""
    names.set(some="127.0.0.1")
    h = httpd(location("/o/", origin, by_name("some", mirror.port, f"keepalive=0 ttl={ttl}")))
    for n in range(1, 5):
        assert h.get("/o/a").status == 200
        assert h.ended(n) == {"mirrored": n}
    assert names.lookups("some") == lookups
    assert mirror.connections == 4


def test_connection_that_is_kept_needs_no_name(httpd, origin, mirror, names):
    names.set(some="127.0.0.1")
    h = httpd(location("/o/", origin, by_name("some", mirror.port, "ttl=0")))
    for n in range(1, 5):
        assert h.get("/o/a").status == 200
        assert h.ended(n) == {"mirrored": n}
    assert names.lookups("some") == mirror.connections == 1


def test_mirror_that_moves_is_found_after_ttl(httpd, origin, mirror, recorder, names):
    """Both are up all the time; the first new connection after ttl goes to the new address."""
    other = recorder(host="127.0.0.2", port=mirror.port)
    names.set(some="127.0.0.1")
    h = httpd(location("/o/", origin, by_name("some", mirror.port, f"keepalive=0 ttl={int(scaled(300))}ms")))
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert len(mirror.requests) == 1
    names.set(some="127.0.0.2")
    count = 1

    def moved() -> bool:
        nonlocal count
        count += 1
        assert h.get("/o/a").status == 200
        assert h.ended(count) == {"mirrored": count}
        return bool(other.requests)
    wait_for("a copy at the new address", moved)
    assert names.lookups("some") == 2
    assert len(mirror.requests) + len(other.requests) == count


def test_address_that_fails_is_looked_up_anew(httpd, origin, recorder, names):
    """Whatever ttl says: the mirror may have moved."""
    dead = recorder(listen=False)
    other = recorder(host="127.0.0.2", port=dead.port)
    names.set(some="127.0.0.1")
    h = httpd(location("/o/", origin, by_name("some", dead.port, f"ttl=1h retry={int(scaled(200))}ms")), expect=[DOWN])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"unreachable": 1}
    names.set(some="127.0.0.2")
    wait_for("the end of the pause", lambda: h.mirror()["state"]["down_until"] is None)
    assert_next_is_intact(h, other, unreachable=1)
    assert names.lookups("some") == 2


# ---- a name server that does not answer ----

@pytest.mark.smoke
@pytest.mark.parametrize("threads", [4, 8])
@pytest.mark.parametrize("hanging", [1, 4, 8])
def test_name_server_that_does_not_answer_holds_up_no_other_mirror(httpd, origin, recorder, authority, https, names,
                                                                   hanging, threads):
    """However many names wait for it: those of the others are addresses."""
    plain, six, tls = recorder(), recorder(host="::1"), https()
    lost = [f"lost{n}" for n in range(hanging)]
    names.set(**{name: "?" for name in lost})
    h = httpd(strict(authority, "SSLProxyCheckPeerName off", f"ProxyMirrorThreads {threads}") + location(
        "/lost/", origin, *(by_name(name, plain.port, mirror=name) for name in lost)) + location(
        "/o/", origin, to(plain, name="plain"), to(six, name="six"),
        f'ProxyMirror "https://127.0.0.1:{tls.port}" name=tls'), modules=("ssl",))
    assert h.get_many(["/lost/a"] * 5) == [200] * 5
    look_ups = 1 if threads == 4 else min(hanging, 3)
    wait_for("as many look-ups as may be", lambda: sum(map(names.lookups, lost)) == look_ups)
    began = time.monotonic()
    assert h.get_many(["/o/a"] * 20) == [200] * 20
    assert time.monotonic() - began < scaled(3)
    for name, mirror in (("plain", plain), ("six", six), ("tls", tls)):
        assert h.ended(20, name) == {"mirrored": 20}
        assert len(mirror.requests) == 20
    assert sum(map(names.lookups, lost)) == look_ups
    for name in lost:
        assert h.mirror(name)["state"]["queued"] == 5
    names.set(**{name: "127.0.0.1" for name in lost})
    for name in lost:
        assert h.ended(5, name) == {"mirrored": 5}


def test_one_name_that_hangs_and_one_that_does_not(httpd, origin, mirror, names):
    names.set(lost="?", some="127.0.0.1")
    h = httpd(location("/lost/", origin, by_name("lost", mirror.port, mirror="lost")) + location(
        "/o/", origin, by_name("some", mirror.port, "ttl=0 keepalive=0")), expect=["mirror lost is down"])
    assert h.get("/lost/a").status == 200
    wait_for("the look-up", lambda: names.lookups("lost") == 1)
    for n in range(1, 6):
        assert h.get("/o/a").status == 200
        assert h.ended(n) == {"mirrored": n}
    names.set(lost="")
    assert h.ended(1, "lost") == {"unreachable": 1}


def test_queue_of_a_name_that_hangs_is_bounded(httpd, origin, mirror, names):
    names.set(some="?")
    h = httpd(location("/o/", origin, by_name("some", mirror.port, "max_queue=5 max_connections=2")),
              expect=[r"PM0420: mirror m: .*full"])
    assert h.get_many(["/o/a"] * 20) == [200] * 20
    assert h.outcomes() == {"queue_full": 13}
    wait_for("the look-up", lambda: names.lookups("some") == 1)
    names.set(some="127.0.0.1")
    assert h.ended(20) == {"mirrored": 7, "queue_full": 13}
    assert_next_is_intact(h, mirror, 20, mirrored=7, queue_full=13)


def test_known_address_is_no_longer_used_while_its_name_hangs(httpd, origin, mirror, names):
    """A connection that is kept goes on being used."""
    names.set(some="127.0.0.1")
    h = httpd(location("/o/", origin, by_name("some", mirror.port, "ttl=0")))
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    names.set(some="?")
    for n in range(2, 6):
        assert h.get("/o/a").status == 200
        assert h.ended(n) == {"mirrored": n}
    assert names.lookups("some") == mirror.connections == 1


def test_stop_while_a_name_hangs(httpd, origin, mirror, names):
    """The helper is left behind; the child ends, and does not crash."""
    names.set(some="?")
    h = httpd("ProxyMirrorDrainTimeout 200ms\n" + location("/o/", origin, by_name("some", mirror.port)))
    assert h.get_many(["/o/a"] * 3) == [200] * 3
    wait_for("the look-up", lambda: names.lookups("some") == 1)
    h.graceful()
    assert h.ended(3) == {"shut_down": 3}
    began = time.monotonic()
    h.stop()
    assert time.monotonic() - began < scaled(5)


# ---- Redis by name ----

@needs_redis
def test_address_of_redis_that_hangs_leaves_time_for_the_other(httpd, origin, mirror, names,
                                                               recorder, redis):
    server = redis()
    filling = swallowing(recorder, server.port, "127.0.0.2")
    names.set(some="127.0.0.2 127.0.0.1")
    h = httpd(location("/o/", origin, to(
        mirror, "enable_limit_count=true policy=redis redis_host=some.test count=1000 "
        f"redis_port={server.port} redis_timeout={int(scaled(2000))} limit_fallback=drop")))
    for n in range(1, 4):
        assert h.get("/o/a").status == 200
        assert h.ended(n) == {"mirrored": n}
    assert server.used("proxy-mirror:v1:m") == 3
    for sock in filling:
        sock.close()


@pytest.mark.long
@needs_redis
def test_limits_whose_names_hang_hold_up_no_other_for_long(httpd, origin, recorder, mirror, names, redis):
    """They take all helpers that ask. The one that is left counts on its own as soon as redis_timeout is over, and in its
    Redis again when there is a helper."""
    server = redis()
    lost = [f"lost{n}" for n in range(4)]
    names.set(**{name: "?" for name in lost})
    common = f"enable_limit_count=true policy=redis redis_port={server.port} redis_timeout={int(scaled(300))}"
    h = httpd("ProxyMirrorThreads 4\n" + location(
        "/lost/", origin, *(to(recorder(), f"{common} redis_host={name}.test limit_fallback=drop", name) for name in lost))
        + location("/o/", origin, to(mirror, f"{common} redis_host=127.0.0.1 count=1000000")), expect=["PM0600: "])
    assert h.get("/lost/a").status == 200
    for name in lost:
        assert h.ended(1, name) == {"limit_failed": 1}
    wait_for("as many look-ups as may be", lambda: sum(map(names.lookups, lost)) == 2)
    began = time.monotonic()
    assert h.get_many(["/o/a"] * 20) == [200] * 20
    assert h.ended(20) == {"mirrored": 20}
    assert time.monotonic() - began < scaled(2)
    assert len(h.log_lines("PM0600: mirror m: .*no helper thread was free")) == 1
    assert server.used("proxy-mirror:v1:m") == 0
    names.set(**{name: "127.0.0.1" for name in lost})
    wait_for("counting in Redis", lambda: h.get("/o/a") and server.used("proxy-mirror:v1:m"))
    h.wait_idle()
