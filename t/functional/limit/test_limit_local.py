"""limit_count in shared memory: exactly `count` copies in a window."""
from __future__ import annotations

import os
import signal
import threading

import pytest

from httpdlab import Httpd, location, scaled, to, wait_for
from recorder import ok
from redislab import LONG, wrk_until_limited

LIMIT = "enable_limit_count=true "
STEADY = f"{LIMIT}time_window={LONG} "       # does not end within a test


def limit(h, name="m") -> dict:
    return h.mirror(name)["state"]["limit"]


@pytest.mark.smoke
def test_no_more_than_count_leave(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, STEADY + "count=2")))
    assert h.get_many(["/o/a"] * 7) == [200] * 7
    assert h.ended(7) == {"mirrored": 2, "limited": 5}
    assert len(mirror.requests) == 2
    state = limit(h)
    assert state["used"] == 2 and state["closed_until"].endswith("Z") and state["fallback"] is False


def test_the_window_begins_with_the_first_copy_and_ends(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, LIMIT + f"count=2 time_window={int(scaled(2))}")))
    h.get_many(["/o/a"] * 5)
    assert h.ended(5) == {"mirrored": 2, "limited": 3}
    wait_for("the end of the window", lambda: limit(h)["closed_until"] is None)
    assert limit(h)["used"] == 0
    h.get_many(["/o/a"] * 5)
    assert h.ended(10)["mirrored"] == 4


def test_no_limit_is_null(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror)))
    h.get_many(["/o/a"] * 3)
    assert h.ended(3) == {"mirrored": 3}
    assert limit(h) is None


def test_it_is_exact_over_all_children_under_load(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, STEADY + "count=1000 max_queue=100000"), conf="max=4"), children=4)
    wrk_until_limited(h)
    assert h.outcomes()["mirrored"] == 1000
    assert len(mirror.requests) == 1000
    assert limit(h)["used"] == 1000


@pytest.mark.parametrize("children", [1, 4])
def test_a_graceful_restart_goes_on_counting(httpd, origin, mirror, children):
    h = httpd(location("/o/", origin, to(mirror, STEADY + "count=5")), children=children)
    h.get_many(["/o/a"] * 3)
    assert h.ended(3) == {"mirrored": 3}
    h.graceful()
    h.get_many(["/o/a"] * 5)
    assert h.ended(8) == {"mirrored": 5, "limited": 3}


def test_old_children_that_finish_count_with_the_new_ones(httpd, origin, mirror):
    gate = origin.hold()
    h = httpd(location("/o/", origin, to(mirror, STEADY + "count=3")))
    threads = [threading.Thread(target=h.get, args=("/o/a",)) for _ in range(3)]
    for thread in threads:
        thread.start()
    origin.wait(3)
    h.graceful()
    origin.answer = ok
    h.get_many(["/o/a"] * 2)            # by a new child
    assert h.outcomes().get("mirrored", 0) <= 2
    gate.set()                          # the old one goes on
    for thread in threads:
        thread.join(scaled(10))
    h.get("/o/a")
    assert h.ended(6) == {"mirrored": 3, "limited": 3}
    assert len(mirror.requests) == 3


def test_another_count_holds_for_the_window_in_force(httpd, origin, mirror):
    lines = {"count": 2}
    h = httpd(lambda _: location("/o/", origin, to(mirror, STEADY + f"count={lines['count']}")))
    h.get_many(["/o/a"] * 3)
    assert h.ended(3) == {"mirrored": 2, "limited": 1}
    lines["count"] = 4
    h.configure()
    h.graceful()
    h.get_many(["/o/a"] * 3)
    assert h.ended(6) == {"mirrored": 4, "limited": 2}


def test_a_killed_child_takes_no_places_with_it(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, STEADY + "count=4")), children=1, expect=["AH00052", "exit signal"])
    h.get_many(["/o/a"] * 3)
    assert h.ended(3) == {"mirrored": 3}
    before = h.pids()
    os.kill(before[0], signal.SIGKILL)
    wait_for("another child", lambda: h.pids() and h.pids() != before)
    h.get_many(["/o/a"] * 3)
    assert h.ended(6) == {"mirrored": 4, "limited": 2}


def test_what_is_refused_before_takes_nothing(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, STEADY + "count=3 max_body=10 methods=GET,POST")))
    h.request("POST", "/o/a", [], b"x" * 11)
    h.request("PUT", "/o/a", [], b"x")
    h.get("/o/a", ["X-Proxy-Mirror: lab"])
    assert h.ended(3) == {"too_large": 1, "filtered": 1, "looped": 1}
    assert limit(h)["used"] == 0
    h.get_many(["/o/a"] * 5)
    assert h.ended(8)["mirrored"] == 3


def test_a_full_queue_comes_before_the_limit_and_takes_nothing(httpd, origin, mirror):
    gate = mirror.hold()
    h = httpd(location("/o/", origin, to(mirror, STEADY + "count=3 max_connections=1 max_queue=1")),
              expect=["PM0420: mirror m: "])
    h.get_many(["/o/a"] * 6)
    assert h.outcomes() == {"queue_full": 4}
    gate.set()
    assert h.ended(6) == {"mirrored": 2, "queue_full": 4}
    assert limit(h)["used"] == 2
    h.get_many(["/o/a"])
    assert h.ended(7)["mirrored"] == 3


def test_mirrors_have_limits_of_their_own(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, STEADY + "count=1", "one"), to(mirror, STEADY + "count=2", "two"),
                       to(mirror, "", "three")))
    h.get_many(["/o/a"] * 3)
    assert h.ended(3, "one") == {"mirrored": 1, "limited": 2}
    assert h.ended(3, "two") == {"mirrored": 2, "limited": 1}
    assert h.ended(3, "three") == {"mirrored": 3}


def test_the_outcome_is_known_where_the_request_is_logged(httpd, origin, mirror):
    h = httpd(lambda h: location("/o/", origin, to(mirror, STEADY + "count=1")) +
              f'LogFormat "%{{PROXY_MIRROR}}e" outcome\nCustomLog "{h.root}/logs/outcomes" outcome\n')
    h.get("/o/a")
    h.ended(1)
    h.get("/o/a")
    wait_for("the log", lambda: "limited" in h.read("logs/outcomes"))


# ---- the configuration ----

REDIS = LIMIT + "policy=redis redis_host=h "
CLUSTER = LIMIT + "policy=redis-cluster redis_cluster_nodes=a:1,b:2 redis_cluster_name=c "


def complaints(attributes: str, name: str = "name=m") -> tuple[int, str]:
    h = Httpd(f'ProxyMirror "http://127.0.0.1:9" {name} {attributes}\n')
    result = h.test_configuration()
    h.clean()
    return result.returncode, result.stderr


@pytest.mark.unstarted
@pytest.mark.parametrize("attributes, message", [
    (LIMIT + "count=0", "count: must be an integer from 1 to 2147483647, got 0"),
    (LIMIT + "count=2147483648", "count: must be an integer from 1 to 2147483647, got 2147483648"),
    (LIMIT + "count=1.5", "count: must be an integer from 1 to 2147483647, got 1.5"),
    (LIMIT + "time_window=0", "time_window: must be an integer from 1 to 31536000 (seconds), got 0"),
    (LIMIT + "time_window=31536001", "time_window: must be an integer from 1 to 31536000 (seconds), got 31536001"),
    (LIMIT + "time_window=60s", 'time_window: must be an integer from 1 to 31536000 (seconds), got "60s"'),
    (LIMIT + "policy=memcached", 'policy: must be local, redis, redis-cluster or redis-sentinel, got "memcached"'),
    (REDIS + "limit_fallback=no", 'limit_fallback: must be local, mirror or drop, got "no"'),
    (REDIS + "redis_port=0", "redis_port: must be an integer from 1 to 65535, got 0"),
    (REDIS + "redis_port=65536", "redis_port: must be an integer from 1 to 65535, got 65536"),
    (REDIS + "redis_database=-1", "redis_database: must be an integer from 0 to 2147483647, got -1"),
    (REDIS + "redis_timeout=0", "redis_timeout: must be an integer from 1 to 3600000 (milliseconds), got 0"),
    (REDIS + "redis_username=u", "redis_password: must be a password if redis_username is set, got nothing"),
    (LIMIT + "policy=redis redis_host=a/b", 'redis_host: must be a host name, an IPv4 address or an IPv6 address, got "a/b"'),
    (LIMIT + "policy=redis", "redis_host: must be a host name, an IPv4 address or an IPv6 address with policy=redis, got nothing"),
    (LIMIT + "policy=redis-cluster redis_cluster_name=c",
     "redis_cluster_nodes: must be two or more host:port with policy=redis-cluster, got nothing"),
    (LIMIT + "policy=redis-sentinel redis_master_name=m",
     "redis_sentinels: must be 1 to 16 host:port with policy=redis-sentinel, got nothing"),
    (LIMIT + "policy=redis-sentinel redis_sentinels=a:1",
     "redis_master_name: must be a name with policy=redis-sentinel, got nothing"),
    (LIMIT + "policy=redis-sentinel redis_sentinels=a:1 redis_master_name=m sentinel_username=u",
     "sentinel_password: must be a password if sentinel_username is set, got nothing"),
    (LIMIT + "policy=redis-sentinel redis_sentinels=a", 'redis_sentinels: must be 1 to 16 host:port, got "a"'),
    (LIMIT + "policy=redis-cluster redis_cluster_nodes=a:1,b:2",
     "redis_cluster_name: must be a name with policy=redis-cluster, got nothing"),
    (LIMIT + "policy=redis-cluster redis_cluster_name=c redis_cluster_nodes=a:1",
     'redis_cluster_nodes: must be two or more host:port, got "a:1"'),
    (LIMIT + "policy=redis-cluster redis_cluster_name=c redis_cluster_nodes=a:1,b",
     'redis_cluster_nodes: must be two or more host:port, got "a:1,b" (a node has no valid port)'),
    (LIMIT + "policy=redis-cluster redis_cluster_name=c redis_cluster_nodes=a:1,b:0",
     'redis_cluster_nodes: must be two or more host:port, got "a:1,b:0" (a node has no valid port)'),
])
def test_bad_input_stops_the_start(attributes, message):
    returncode, stderr = complaints(attributes)
    assert returncode != 0
    assert message in stderr


@pytest.mark.unstarted
@pytest.mark.parametrize("attributes", [REDIS, CLUSTER])
def test_redis_needs_a_name(attributes):
    returncode, stderr = complaints(attributes, name="")
    assert returncode != 0
    assert "name: must be set with policy=" in stderr


@pytest.mark.unstarted
@pytest.mark.parametrize("attributes, attribute", [
    ("count=5", "count"), ("time_window=5", "time_window"), ("policy=local", "policy"),
    (LIMIT + "limit_fallback=drop", "limit_fallback"), (LIMIT + "redis_host=h", "redis_host"),
    (LIMIT + "redis_port=7", "redis_port"), (LIMIT + "redis_password=secret7", "redis_password"),
    (CLUSTER + "redis_database=3", "redis_database"), (CLUSTER + "redis_host=h", "redis_host"),
    (REDIS + "redis_cluster_name=c", "redis_cluster_name"),
])
def test_an_attribute_without_effect_is_a_warning(attributes, attribute):
    returncode, stderr = complaints(attributes)
    assert returncode == 0
    assert "PM0101: " in stderr and f"ProxyMirror {attribute}: has no effect without " in stderr
    assert "secret7" not in stderr


@pytest.mark.unstarted
def test_all_that_has_an_effect_is_no_warning():
    for attributes in (LIMIT + "count=5 time_window=5 policy=local",
                       REDIS + "count=5 redis_port=7 redis_username=u redis_password=p redis_database=2 redis_timeout=5 "
                       "redis_key_prefix=x limit_fallback=drop",
                       CLUSTER + "count=5 redis_username=u redis_password=p redis_timeout=5 redis_key_prefix=x"):
        assert complaints(attributes) == (0, "Syntax OK\n")


@pytest.mark.unstarted
def test_a_password_is_in_no_message():
    for attributes in (REDIS + "redis_password=secret7 redis_password=secret8", REDIS + "redis_password=secret7 count=x",
                       REDIS + 'redis_password="secret7"x', REDIS + "redis_password=" + "secret7" * 300):
        returncode, stderr = complaints(attributes)
        assert returncode != 0
        assert "secret" not in stderr


@pytest.mark.unstarted
def test_defaults_may_name_a_redis_for_mirrors_without_a_limit():
    h = Httpd('ProxyMirrorDefaults policy=redis redis_host=h\nProxyMirror "http://127.0.0.1:9"\n')
    result = h.test_configuration()
    h.clean()
    assert (result.returncode, result.stderr) == (0, "Syntax OK\n")
