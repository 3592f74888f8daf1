"""The store of a fleet as a Redis Cluster, and as a master with Sentinels: changes go on through a failover."""
from __future__ import annotations

import threading

import pytest

from fleetlab import DOWN, change, document, fleet_call, in_force, state    # noqa: F401
from httpdlab import location, to, wait_for
from managerlab import JSON, MANAGER
from redislab import Liar, address, cluster, needs_redis, sentinels     # noqa: F401, fixtures

pytestmark = needs_redis

HEAD = "proxy-mirror:v1:c:{web}:head"
KEYS = [f"proxy-mirror:v1:c:{{web}}:{name}" for name in ("head", "index", "docs", "log", "nodes")]


@pytest.fixture
def clustered(cluster, httpd, origin, mirror):
    def make():
        store = f"policy=redis-cluster redis_cluster_name=c redis_cluster_nodes={cluster.addresses()}"
        return httpd(MANAGER + f"ProxyMirrorFleet web {store}\n" + location("/o/", origin, to(mirror)), expect=[DOWN])
    return make


@pytest.fixture
def watched(sentinels, httpd, origin, mirror):
    def make(addresses: str = ""):
        store = f"policy=redis-sentinel redis_master_name=mymaster redis_sentinels={addresses or make.servers.addresses()}"
        return httpd(MANAGER + f"ProxyMirrorFleet web {store}\n" + location("/o/", origin, to(mirror)), expect=[DOWN])
    make.servers = sentinels()
    return make


def change_until(h, data: dict) -> dict:
    """Repeat a change while the store is in its failover."""
    def done():
        return fleet_call(h, "PATCH", "/mirrors/m", data).status == 200
    wait_for("a change", done, 20)
    return document(h)


def race(one, two, rounds: int) -> None:
    etag = document(one)["etag"]
    for n in range(rounds):
        statuses = []
        threads = [threading.Thread(target=lambda h=h, key=key: statuses.append(
            fleet_call(h, "PATCH", "/mirrors/m", {key: n + 10}, [JSON, f"If-Match: {etag}"]).status))
            for h, key in ((one, "count"), (two, "max_queue"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(statuses) == [200, 412]
        etag = document(two)["etag"]


def test_a_cluster(clustered, cluster):
    one, two = clustered(), clustered()
    assert len({cluster.nodes[0]("CLUSTER", "KEYSLOT", key) for key in KEYS}) == 1
    change(one, {"count": 2})
    in_force(two, {"count": 2})
    assert document(one) == document(two)
    race(one, two, 10)
    wait_for("both in force", lambda: state(one)["nodes"]["in_force"] == 2, 2)


@pytest.mark.long
def test_the_owner_is_killed(clustered, cluster):
    one, two = clustered(), clustered()
    change(one, {"count": 2})
    in_force(two, {"count": 2})
    owner = wait_for("an owner", lambda: cluster.owner(HEAD))
    owner.kill()
    for h in (one, two):
        assert h.mirror()["attributes"]["count"] == 2
    change_until(one, {"count": 3})
    in_force(two, {"count": 3}, 8)
    assert document(two)["attributes"]["count"] == 3
    assert all(len(h.log_lines("PM0930")) <= 1 for h in (one, two))


@pytest.mark.long
def test_the_slot_is_migrated(clustered, cluster):
    one, two = clustered(), clustered()
    change(one, {"count": 2})
    in_force(two, {"count": 2})
    source = wait_for("an owner", lambda: cluster.owner(HEAD))
    target = next(node for node in cluster.masters() if node is not source)
    slot = source("CLUSTER", "KEYSLOT", HEAD)
    target("CLUSTER", "SETSLOT", slot, "IMPORTING", cluster.id_of(source))
    source("CLUSTER", "SETSLOT", slot, "MIGRATING", cluster.id_of(target))
    keys = [key for key in KEYS if source("EXISTS", key)]
    source("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
    change_until(one, {"count": 3})                 # ASK
    in_force(two, {"count": 3}, 8)
    for node in (target, *cluster.masters()):
        node("CLUSTER", "SETSLOT", slot, "NODE", cluster.id_of(target))
    change_until(two, {"count": 4})                 # MOVED
    in_force(one, {"count": 4}, 8)
    assert target("HGET", HEAD, "rev") == "3"


@pytest.mark.long
def test_a_failover_by_sentinels(watched):
    one, two = watched(), watched()
    change(one, {"count": 2})
    in_force(two, {"count": 2})
    servers = watched.servers
    wait_for("the replica to have it", lambda: servers.replica("HGET", "proxy-mirror:v1:{web}:head", "rev") == "1")
    servers.master.kill()
    wait_for("the failover", lambda: servers.named() == {servers.replica.port}, 20)
    for h in (one, two):
        assert h.mirror()["attributes"]["count"] == 2
    change_until(one, {"count": 3})
    in_force(two, {"count": 3}, 7)
    assert servers.replica("HGET", "proxy-mirror:v1:{web}:head", "rev") == "2"
    assert all(len(h.log_lines("PM0930")) == len(h.log_lines("PM0931")) <= 1 for h in (one, two))


def test_a_sentinel_that_lies(watched):
    liar = Liar(address("127.0.0.1", watched.servers.replica.port))
    h = watched(f"127.0.0.1:{liar.port},{watched.servers.addresses()}")
    change(h, {"count": 2})
    in_force(h, {"count": 2})
    assert watched.servers.master("HGET", "proxy-mirror:v1:{web}:head", "rev") == "1"
    liar.close()


@pytest.mark.long
def test_a_master_that_became_a_replica_is_left(watched):
    """It still answers reads, and would be followed for ever."""
    h, other = watched(), watched()
    change(h, {"count": 2})
    in_force(other, {"count": 2})
    servers = watched.servers
    wait_for("the replica to have it", lambda: servers.replica("HGET", "proxy-mirror:v1:{web}:head", "rev") == "1")
    servers.sentinels[0]("SENTINEL", "FAILOVER", "mymaster")
    wait_for("the failover", lambda: servers.named() == {servers.replica.port}, 20)
    change_until(h, {"count": 3})
    in_force(other, {"count": 3}, 8)
    in_force(h, {"count": 3}, 8)


def test_replicas_confirm_a_change(watched):
    """With a replica the response says that it has the change; a replica that hangs is waited for 200 ms."""
    h = watched()
    servers = watched.servers
    wait_for("the replica", lambda: "state=online" in servers.master("INFO", "replication"))
    assert change(h, {"count": 2})["replicas"] == 1
    assert servers.replica("HGET", "proxy-mirror:v1:{web}:head", "rev") == "1"
    servers.replica.pause()
    assert change(h, {"count": 3})["replicas"] == 0
    servers.replica.go_on()
    assert change(h, {"count": 4})["replicas"] == 1
    assert "replicas" not in change(h, {"count": 4})        # nothing was written
