"""limit_count in a Redis Cluster of six nodes: whoever owns the key counts."""
from __future__ import annotations

import socket

import pytest

from httpdlab import Httpd, get_until, location, scaled, to, wait_for
from recorder import Recorder
from redislab import Cluster, Redis, cluster, needs_redis, patient, wrk_until_limited  # noqa: F401, the fixture

pytestmark = needs_redis

KEY = "proxy-mirror:v1:c:m"
SILENT = r"PM0600: "


def attributes(nodes: str, more: str = "") -> str:
    return patient(f"enable_limit_count=true policy=redis-cluster redis_cluster_nodes={nodes} redis_cluster_name=c "
                   f"limit_fallback=drop {more}")


def counted(h: Httpd) -> int:
    """How many were let go, when nothing is under way."""
    h.wait_idle()
    return h.outcomes().get("mirrored", 0)


def move(cluster: Cluster, to_node: Redis) -> None:
    """Begin to move the key's slot to another node."""
    source, slot = cluster.owner(KEY), to_node("CLUSTER", "KEYSLOT", KEY)
    to_node("CLUSTER", "SETSLOT", slot, "IMPORTING", cluster.id_of(source))
    source("CLUSTER", "SETSLOT", slot, "MIGRATING", cluster.id_of(to_node))


def settle(cluster: Cluster, to_node: Redis) -> None:
    """The slot is the other node's now."""
    slot, owner = to_node("CLUSTER", "KEYSLOT", KEY), cluster.id_of(to_node)
    to_node("CLUSTER", "SETSLOT", slot, "NODE", owner)
    for node in cluster.masters():
        node("CLUSTER", "SETSLOT", slot, "NODE", owner)


@pytest.mark.parametrize("reverse", [False, True])
def test_moved_is_followed_and_the_owner_remembered(httpd, origin, mirror, cluster, reverse):
    owner = wait_for("an owner", lambda: cluster.owner(KEY))
    nodes = sorted(cluster.nodes, key=lambda node: (node is owner) != reverse)
    h = httpd(location("/o/", origin, to(mirror, attributes(
        ",".join(f"127.0.0.1:{node.port}" for node in nodes), "count=5"))))
    h.get_many(["/o/a"] * 3)
    assert h.ended(3) == {"mirrored": 3}
    h.get_many(["/o/a"] * 6)
    assert h.ended(9) == {"mirrored": 5, "limited": 4}
    assert owner.used(KEY) == 5
    asked = sum(node.calls("evalsha") for node in cluster.nodes if node is not owner)
    assert asked == 0       # a redirect is no call


@pytest.mark.long
def test_exactly_count_over_two_httpds_with_four_children(httpd, origin, mirror, cluster):
    conf = location("/o/", origin, to(mirror, attributes(cluster.addresses(), "count=2000 max_queue=100000")),
                    conf="max=4")
    both = [httpd(conf, children=4) for _ in range(2)]
    wrk_until_limited(*both)
    assert sum(counted(h) for h in both) == 2000
    assert cluster.owner(KEY).used(KEY) == 2000


def test_a_slot_that_moves_keeps_its_count(httpd, origin, mirror, cluster):
    source = wait_for("an owner", lambda: cluster.owner(KEY))
    target = next(node for node in cluster.masters() if node is not source)
    h = httpd(location("/o/", origin, to(mirror, attributes(cluster.addresses(), "count=8"))))
    h.get_many(["/o/a"] * 2)
    assert h.ended(2) == {"mirrored": 2}
    move(cluster, target)
    h.get("/o/a")                                   # the key is still there
    assert h.ended(3) == {"mirrored": 3}
    source("MIGRATE", "127.0.0.1", target.port, KEY, 0, 5000)
    h.get("/o/a")                                   # ASK
    assert h.ended(4) == {"mirrored": 4}
    assert target.calls("asking") > 0
    settle(cluster, target)
    h.get("/o/a")                                   # MOVED
    assert h.ended(5) == {"mirrored": 5}
    assert target.used(KEY) == 5
    h.get_many(["/o/a"] * 5)
    assert h.ended(10) == {"mirrored": 8, "limited": 2}
    assert not h.log_lines("PM0600")


@pytest.mark.long
def test_the_owner_is_killed_and_its_replica_counts(httpd, origin, mirror, cluster):
    owner = wait_for("an owner", lambda: cluster.owner(KEY))
    h = httpd(location("/o/", origin, to(mirror, attributes(cluster.addresses(), "count=1000000 time_window=3600"))),
              expect=[SILENT])
    h.get_many(["/o/a"] * 3)
    assert h.ended(3) == {"mirrored": 3}
    owner.kill()
    heir = wait_for("the failover", lambda: cluster.owner(KEY), 20)
    before = counted(h)
    get_until(h, "counting again", lambda: h.outcomes().get("mirrored", 0) > before, 15)
    wait_for("the end of the fallback", lambda: not h.mirror()["state"]["limit"]["fallback"])
    let_go = counted(h)
    used = heir.used(KEY)
    h.get_many(["/o/a"] * 20)
    assert counted(h) == let_go + 20
    assert heir.used(KEY) == used + 20
    assert len(h.log_lines("PM0600")) == len(h.log_lines("PM0601")) <= 1


def test_seeds_that_are_dead_are_passed_over(httpd, origin, mirror, cluster):
    owner = wait_for("an owner", lambda: cluster.owner(KEY))
    dead = Recorder(scaled(10), listen=False)
    h = httpd(location("/o/", origin, to(mirror, attributes(
        f"127.0.0.1:{dead.port},localhost:{dead.port},127.0.0.1:{owner.port}", "count=5"))))
    h.get_many(["/o/a"] * 7)
    assert h.ended(7) == {"mirrored": 5, "limited": 2}
    dead.close()


def test_without_the_whole_cluster_there_is_no_answer(httpd, origin, mirror, cluster):
    h = httpd(location("/o/", origin, to(mirror, attributes(cluster.addresses(), "count=100"))), expect=[SILENT])
    h.get("/o/a")
    assert h.ended(1) == {"mirrored": 1}
    for node in cluster.nodes:
        node.kill()
    get_until(h, "the fallback", lambda: h.mirror()["state"]["limit"]["fallback"], 15)
    assert set(h.outcomes()) <= {"mirrored", "limit_failed"}


# ---- nodes that say anything ----

class Node(Recorder):
    """A node that says what it is told to; each reply goes on from the one before."""

    def __init__(self, *replies: bytes) -> None:
        self.replies = list(replies)
        self.commands: list[bytes] = []
        super().__init__(scaled(10), takeover=self.serve)

    def serve(self, sock: socket.socket) -> None:
        while data := sock.recv(65536):
            self.commands.append(data)
            reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
            sock.sendall(reply.replace(b"PORT", b"%d" % self.port))


GRANTED = b"*3\r\n:1\r\n:1\r\n:1000\r\n"


@pytest.mark.parametrize("replies", [
    [b"-TRYAGAIN Multiple keys request during rehashing of slot\r\n", GRANTED],
    [b"-CLUSTERDOWN The cluster is down\r\n", GRANTED],
    [b"-CLUSTERDOWN Hash slot not served\r\n", GRANTED],
    [b"-LOADING Redis is loading the dataset in memory\r\n", GRANTED],
    [b"-MOVED 1 127.0.0.1:PORT\r\n", GRANTED],
    [b"-MOVED 1 :PORT\r\n", GRANTED],
    [b"-MOVED 1 localhost:PORT\r\n", GRANTED],
    [b"-ASK 1 127.0.0.1:PORT\r\n", b"+OK\r\n", GRANTED],
    [b"-NOSCRIPT No matching script\r\n", GRANTED],
])
def test_what_passes_by_is_survived(httpd, origin, mirror, replies):
    node = Node(*replies)
    h = httpd(location("/o/", origin, to(mirror, attributes(f"127.0.0.1:{node.port},127.0.0.1:{node.port}"))))
    h.get("/o/a")
    assert h.ended(1) == {"mirrored": 1}
    node.close()


@pytest.mark.parametrize("reply, most", [
    (b"-MOVED 1 127.0.0.1:PORT\r\n", 8),            # in a circle
    (b"-ASK 1 127.0.0.1:PORT\r\n", 20),
    (b"-MOVED 1 127.0.0.1:1\r\n", 8),               # to a node that is dead
    (b"-ASK 1 127.0.0.1:1\r\n", 8),
    (b"-MOVED 1 127.0.0.1\r\n", 1),                 # to nowhere
    (b"-MOVED 1 127.0.0.1:99999\r\n", 1),
    (b"-MOVED\r\n", 1),
    (b"-MOVED x 127.0.0.1:PORT\r\n", 1),
    (b"-MOVED 1 " + b"x" * 600 + b":PORT\r\n", 1),
    (b"-NOAUTH Authentication required.\r\n", 1),
])
def test_a_redirect_has_bounds(httpd, origin, mirror, reply, most):
    node = Node(reply)
    h = httpd(location("/o/", origin, to(mirror, attributes(f"127.0.0.1:{node.port},127.0.0.1:{node.port}"))),
              expect=[SILENT])
    h.get("/o/a")
    assert h.ended(1) == {"limit_failed": 1}
    assert len(node.commands) <= most
    node.close()
