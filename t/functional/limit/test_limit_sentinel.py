"""limit_count at the master that Sentinels name, through a failover."""
from __future__ import annotations

import pytest

from httpdlab import Httpd, get_until, location, scaled, to, wait_for
from recorder import Recorder
from redislab import Liar, address, needs_redis, patient, redis, sentinels      # noqa: F401, fixtures

pytestmark = needs_redis

KEY = "proxy-mirror:v1:m"


def attributes(addresses: str, more: str = "") -> str:
    return patient(f"enable_limit_count=true policy=redis-sentinel redis_sentinels={addresses} redis_master_name=mymaster "
                   f"limit_fallback=drop {more}")


def counted(h: Httpd) -> int:
    h.wait_idle()
    return h.outcomes().get("mirrored", 0)


def test_the_master_counts(httpd, origin, mirror, sentinels):
    watched = sentinels()
    dead = Recorder(scaled(10), listen=False)
    h = httpd(location("/o/", origin, to(mirror, attributes(f"127.0.0.1:{dead.port},{watched.addresses()}", "count=3"))))
    h.get_many(["/o/a"] * 5)
    assert h.ended(5) == {"mirrored": 3, "limited": 2}
    assert watched.master.used(KEY) == 3
    dead.close()


@pytest.mark.long
def test_the_master_is_killed_and_the_new_one_counts(httpd, origin, mirror, sentinels):
    watched = sentinels()
    h = httpd(location("/o/", origin, to(mirror, attributes(watched.addresses(), "count=1000000 redis_timeout=1000"))),
              expect=["PM0600: "])
    h.get_many(["/o/a"] * 3)
    assert h.ended(3) == {"mirrored": 3}
    wait_for("the count to be at the replica", lambda: watched.replica.used(KEY) == 3)
    watched.master.kill()
    wait_for("the failover", lambda: watched.named() == {watched.replica.port}, 20)
    before = counted(h)
    get_until(h, "counting again", lambda: h.outcomes().get("mirrored", 0) > before, 5)
    wait_for("the end of the fallback", lambda: not h.mirror()["state"]["limit"]["fallback"])
    let_go, used = counted(h), watched.replica.used(KEY)
    assert used > 3
    h.get_many(["/o/a"] * 5)
    assert counted(h) == let_go + 5
    assert watched.replica.used(KEY) == used + 5
    assert len(h.log_lines("PM0600")) == len(h.log_lines("PM0601")) <= 1


def test_sentinels_with_a_user_and_a_wrong_password(httpd, origin, mirror, sentinels):
    watched = sentinels(password="s3ntinel")
    right = attributes(watched.addresses(), "count=2 sentinel_password=s3ntinel")
    h = httpd(location("/o/", origin, to(mirror, right)))
    h.get_many(["/o/a"] * 3)
    assert h.ended(3) == {"mirrored": 2, "limited": 1}
    wrong = attributes(watched.addresses(), "count=2 sentinel_password=wr0ng redis_timeout=500")
    other = httpd(location("/o/", origin, to(mirror, wrong)), expect=["PM0600: "])
    other.get("/o/a")
    assert other.ended(1) == {"limit_failed": 1}
    assert other.log_lines("PM0600.*AUTH: WRONGPASS") and "wr0ng" not in other.log()


def test_a_sentinel_that_names_a_replica_is_not_believed(httpd, origin, mirror, sentinels):
    watched = sentinels()
    liar = Liar(address("127.0.0.1", watched.replica.port))
    h = httpd(location("/o/", origin, to(mirror, attributes(f"127.0.0.1:{liar.port},{watched.addresses()}", "count=2"))))
    h.get_many(["/o/a"] * 3)
    assert h.ended(3) == {"mirrored": 2, "limited": 1}
    assert liar.asked == 1 and watched.master.used(KEY) == 2
    liar.close()


@pytest.mark.parametrize("reply", [b"*-1\r\n", b"*2\r\n", b"*1\r\n$1\r\na\r\n", address("127.0.0.1", 0), address("127.0.0.1", "x"),
                                   address("a b", 1), address("", 1), address("x" * 300, 1), b"-ERR no\r\n", b"*99999\r\n",
                                   b"$5\r\nhello\r\n", b"\r\n", address("127.0.0.1\r\n", 6379)])
def test_a_reply_that_is_no_address(httpd, origin, mirror, redis, reply):
    liar = Liar(reply)
    h = httpd(location("/o/", origin, to(mirror, attributes(f"127.0.0.1:{liar.port}", "redis_timeout=300"))), expect=["PM0600: "])
    h.get("/o/a")
    assert h.ended(1) == {"limit_failed": 1}
    assert len(h.log_lines("PM0600")) == 1
    liar.close()


def test_a_master_that_is_none(httpd, origin, mirror, redis):
    """All Sentinels agree on a replica: nothing is counted there."""
    master = redis()
    replica = redis("--replicaof", "127.0.0.1", str(master.port), "--replica-read-only", "no")
    liar = Liar(address("127.0.0.1", replica.port))
    h = httpd(location("/o/", origin, to(mirror, attributes(f"127.0.0.1:{liar.port}", "redis_timeout=300"))), expect=["PM0600: "])
    h.get("/o/a")
    assert h.ended(1) == {"limit_failed": 1}
    assert h.log_lines("PM0600.*(must be a master|timed out and its helper)")     # both end with the deadline
    assert replica.used(KEY) == 0
    liar.close()
