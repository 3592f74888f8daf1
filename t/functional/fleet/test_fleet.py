"""A fleet: one change is in force on all nodes, and after a restart of all."""
from __future__ import annotations

import json
import threading

import pytest

from fleetlab import DOCS, HEAD, INDEX, LOG, NODES, DOWN, change, conf, document, fleet_call, in_force, node, pollers, state   # noqa: F401, the fixture
from httpdlab import Httpd, location, scaled, to, wait_for
from managerlab import JSON, MANAGER, call, delete, patch, refused
from redislab import needs_redis, redis        # noqa: F401, the fixture

pytestmark = needs_redis


@pytest.mark.valgrind
@pytest.mark.smoke
def test_one_change_is_in_force_on_both_nodes(node, mirror):
    one, two = node(), node()
    set_there = change(one, {"enabled": False})
    assert set_there["attributes"] == {"enabled": False} and set_there["revision"] == 1
    assert set_there.pop("replicas") == 0
    assert one.mirror()["attributes"]["enabled"] is False and one.mirror()["layer"] == "fleet"
    in_force(two, {"enabled": False})
    assert two.mirror()["layer"] == "fleet" and two.mirror()["overridden"] is True
    assert document(two) == document(one) == set_there
    for h in (one, two):
        h.get_many(["/o/a"] * 3)
        assert h.ended(3) == {"disabled": 3}
    assert not mirror.requests
    assert one.log_lines("PM0903.*for the fleet web, revision 1, .*enabled from true to false")


def test_a_restart_of_all_keeps_it(node):
    one, two = node(), node()
    change(one, {"enabled": False})
    for h in (one, two):
        h.stop()
    for h in (one, two):
        h.start()
        h.get("/o/a")           # the first request
        assert h.ended(1) == {"disabled": 1}


def test_without_the_store_the_file_holds_at_a_start_and_then_it_is_caught_up(node):
    h = node(expect=[DOWN])
    change(h, {"enabled": False})
    h.stop()
    node.server.pause()
    h.start()
    assert h.mirror()["layer"] == "file"
    h.get("/o/a")
    assert h.ended(1) == {"mirrored": 1}
    assert len(h.log_lines("PM0930")) == 1
    node.server.go_on()
    in_force(h, {"enabled": False}, 6)
    assert len(h.log_lines("PM0930")) == len(h.log_lines("PM0931")) == 1


def test_the_line_of_the_emergency_needs_the_fleet_off(node):
    """Settings of the fleet are over ProxyMirrorDefaults; without ProxyMirrorFleet they are gone."""
    h = node()
    change(h, {"enabled": True})
    in_force(h, {"enabled": True})
    lines = "ProxyMirrorDefaults enabled=false\n" + h.conf
    for h.conf, expected in ((lines, True), (lines.replace("ProxyMirrorFleet", "#ProxyMirrorFleet"), False)):
        h.configure()
        h.graceful()
        assert h.mirror()["attributes"]["enabled"] is expected


def test_put_patch_and_delete(node):
    one, two = node("timeout=3s max_queue=7"), node("timeout=4s")
    change(one, {"max_queue": 9, "timeout": None})
    assert one.mirror()["attributes"]["timeout"] == "10s"
    in_force(two, {"max_queue": 9, "timeout": "10s"})
    host = one.mirror()["attributes"]["host"]
    change(two, {"count": 5}, "PUT")                # the rest is reset, but not the host
    in_force(one, {"count": 5, "max_queue": 1024, "timeout": "10s", "host": host})
    assert fleet_call(one, "DELETE", headers=()).status == 204
    assert document(two) is None
    in_force(two, {"timeout": "4s", "max_queue": 1024})
    in_force(one, {"timeout": "3s", "max_queue": 7})
    assert one.mirror()["layer"] == two.mirror()["layer"] == "file"
    refused(fleet_call(one, "DELETE", headers=()), 404)
    assert change(two, {"count": 3})["revision"] == 4
    in_force(one, {"count": 3, "timeout": "3s"})


def test_the_layers_of_one_mirror(node):
    """file < fleet < node."""
    one, two = node("count=1"), node("count=1")
    change(one, {"count": 2, "max_queue": 5})
    in_force(two, {"count": 2})
    assert patch(two, {"count": 3})["layer"] == "node"
    assert two.mirror()["attributes"]["count"] == 3 and two.mirror()["attributes"]["max_queue"] == 5
    change(one, {"count": 4, "max_queue": 6})
    in_force(two, {"count": 3, "max_queue": 6})
    assert patch(two, {"count": 1})["attributes"]["count"] == 1     # equal to the file, and not to the fleet
    assert delete(two)["attributes"]["count"] == 4
    assert two.mirror()["layer"] == "fleet"


def test_no_mixture_of_two_changes_is_ever_seen(node):
    """Members that change together are in force together, on each node and in each child."""
    one, two = node(children=3), node(children=3)
    over, seen = threading.Event(), set()

    def look(h: Httpd) -> None:
        while not over.is_set():
            attributes = h.mirror()["attributes"]
            seen.add((attributes["count"], attributes["max_queue"], attributes["retry"]))
    threads = [threading.Thread(target=look, args=(h,)) for h in (one, two)]
    for thread in threads:
        thread.start()
    for n in range(2, 20):
        change(one if n % 2 else two, {"count": n, "max_queue": n, "retry": f"{n}s"})
        in_force(two if n % 2 else one, {"count": n})
    over.set()
    for thread in threads:
        thread.join()
    assert seen <= {(1, 1024, "10s"), *((n, n, f"{n}s") for n in range(2, 20))} and len(seen) > 10


@pytest.mark.long
def test_if_match_holds_over_the_fleet(node):
    """Of two changes that start from one version, one wins."""
    one, two = node(), node()
    etag = change(one, {"count": 1})["etag"]
    for n in range(2, 202):
        results = []

        def attempt(h: Httpd, member: str) -> None:
            results.append(fleet_call(h, "PATCH", "/mirrors/m", {member: n}, [JSON, f"If-Match: {etag}"]).status)
        threads = [threading.Thread(target=attempt, args=pair) for pair in ((one, "count"), (two, "max_queue"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == [200, 412]
        now = document(one)
        assert now["revision"] == n
        etag = now["etag"]


def test_without_if_match_both_members_are_kept(node):
    one, two = node(), node()
    for n in range(1, 21):
        threads = [threading.Thread(target=change, args=(h, {member: n})) for h, member in ((one, "count"), (two, "max_queue"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert document(one)["attributes"] == {"count": n, "max_queue": n}


def test_if_match_and_nothing_there(node):
    h = node()
    refused(fleet_call(h, "PATCH", "/mirrors/m", {"count": 2}, [JSON, 'If-Match: "1-0000000000000001"']), 412)
    refused(fleet_call(h, "PATCH", "/mirrors/m", {"count": 2}, [JSON, "If-Match: *"]), 412)
    assert fleet_call(h, "PUT", "/mirrors/m", {"count": 2}, [JSON, "If-None-Match: *"]).status == 200
    refused(fleet_call(h, "PUT", "/mirrors/m", {"count": 2}, [JSON, "If-None-Match: *"]), 412, "If-None-Match: ")
    refused(fleet_call(h, "PUT", "/mirrors/m", {"count": 2}, [JSON, 'If-Match: "x"']), 412, "If-Match: ")


def test_a_node_that_must_refuse(node, mirror):
    other = "http://other.example.com"
    one = node(more="ProxyMirrorAllowHost *\n")
    two = node(more="ProxyMirrorAllowHost 127.0.0.1\n", expect=["PM0932: "])
    change(one, {"count": 2})
    in_force(two, {"count": 2})
    change(one, {"host": other, "count": 3})
    wait_for("the refusal", lambda: two.log_lines("PM0932"), 2)
    assert two.mirror()["attributes"]["count"] == 2
    wait_for("the report", lambda: state(one)["nodes"] == {"in_force": 1, "behind": 0, "refused": 1, "silent": 0})
    said = state(one)["not_in_force"]
    assert len(said) == 1 and said[0]["node"].split(":")[1].startswith(str(two.port))
    assert "ProxyMirrorAllowHost" in said[0]["refused"]["m"]["why"]
    assert document(two)["etag"] == document(one)["etag"]
    for n in range(10):
        in_force(two, {"count": 2})
        two.get("/o/a")
    assert len(two.log_lines("PM0932")) == 1
    two.conf = two.conf.replace("AllowHost 127.0.0.1", "AllowHost *")
    two.configure()
    two.graceful()
    in_force(two, {"host": other, "count": 3}, 5)
    wait_for("the report", lambda: state(one)["nodes"] == {"in_force": 2, "behind": 0, "refused": 0, "silent": 0}, 5)


def test_wait_answers_when_all_have_judged(node):
    one = node(more="ProxyMirrorAllowHost *\n")
    two = node(more="ProxyMirrorAllowHost 127.0.0.1\n", expect=["PM0932: "])
    wait_for("both nodes", lambda: sum(state(one)["nodes"].values()) == 2)
    done = change(one, {"host": "http://other.example.com"}, headers=[JSON, "Prefer: wait=5"])
    assert done["nodes"] == {"in_force": 1, "behind": 0, "refused": 1, "silent": 0}
    assert "ProxyMirrorAllowHost" in done["not_in_force"][0]["refused"]["m"]["why"]
    done = change(one, {"host": two.mirror()["attributes"]["host"]}, headers=[JSON, "Prefer: wait=5"])
    assert done["nodes"]["in_force"] == 2


def test_waiting_when_the_states_were_lost(node):
    """The node that is asked is live in any case."""
    h = node()
    change(h, {"count": 2}, headers=[JSON, "Prefer: wait=5"])
    node.server("DEL", NODES)
    assert change(h, {"count": 3}, headers=[JSON, "Prefer: wait=5"])["nodes"] == {"in_force": 1, "behind": 0, "refused": 0, "silent": 0}


@pytest.mark.parametrize("prefer, waits", [
    ("nowait=3", False), ("wait", False), ("wait=0", False), ("await=3", False), ("handling=lenient; wait=3", False), ('x="a, wait=3"', False),
    ("respond-async, wait=3", True), ('WAIT = "3"; x', True), ("wait=3, wait=0", True)])
def test_which_preferences_wait(node, prefer, waits):
    assert ("nodes" in change(node(), {"count": 2}, headers=[JSON, f"Prefer: {prefer}"])) == waits


@pytest.mark.parametrize("data, words", [
    ({"redis_password": "x"}, "redis_password: "), ({"redis_host": "127.0.0.1"}, "redis_host: "), ({"redis_timeout": 5}, "redis_timeout: "),
    ({"sentinel_password": "x"}, "sentinel_password: "), ({"host": "unix:/tmp/x|http://x"}, "host: "), ({"name": "x"}, "name: "),
    ({"nonsense": 1}, "nonsense"), ({"count": 0}, "count: "), ({"host": "http://forbidden.example.com"}, "host: "),
    ({"redis_password": "exec:/bin/true"}, "redis_password: "), ([], "body: "), (b"{", "body: "), (b'{"count":1,"count":2}', "twice")])
def test_what_a_fleet_does_not_take(node, data, words):
    h = node("enable_limit_count=false policy=redis redis_host=127.0.0.1 redis_password=s3cret")
    for method in ("PATCH", "PUT"):
        refused(fleet_call(h, method, "/mirrors/m", data), 400, words)
    assert document(h) is None
    assert not node.server("EXISTS", HEAD)


def test_no_password_is_in_the_store(node):
    h = node("enable_limit_count=false policy=redis redis_host=127.0.0.1 redis_password=s3cret",
             lines="ProxyMirrorDefaults redis_password=hunter2\n")
    change(h, {"count": 2})
    change(h, {"count": 3}, "PUT")
    everything = "\n".join(str(node.server(*words)) for words in (
        ("HGETALL", HEAD), ("HGETALL", INDEX), ("HGETALL", DOCS), ("LRANGE", LOG, 0, -1), ("HGETALL", NODES)))
    assert '"count":3' in everything
    assert "s3cret" not in everything and "hunter2" not in everything


def test_the_store_is_killed(node):
    one, two = (node(expect=[DOWN, "PM0936: "]) for _ in range(2))
    change(one, {"count": 2})
    in_force(two, {"count": 2})
    node.server.kill()
    for h in (one, two):
        wait_for("the line", lambda h=h: h.log_lines("PM0930"))
    answer = fleet_call(one, "PATCH", "/mirrors/m", {"count": 9})
    refused(answer, 503, "store")
    assert answer.header("Retry-After") == ["2"]
    assert one.mirror()["attributes"]["count"] == two.mirror()["attributes"]["count"] == 2
    assert patch(one, {"count": 7})["layer"] == "node"
    node.server.start()         # and is empty
    wait_for("the line", lambda: one.log_lines("PM0931") and two.log_lines("PM0931"), 7)
    assert one.mirror()["attributes"]["count"] == 7 and two.mirror()["attributes"]["count"] == 2
    assert delete(one)["attributes"]["count"] == 2 and one.mirror()["layer"] == "fleet"


def test_the_store_is_emptied_and_restored(node):
    one, two = node(expect=["PM0936: "]), node(expect=["PM0936: "])
    before = change(one, {"count": 2})
    in_force(two, {"count": 2})
    node.server("FLUSHALL")
    for h in (one, two):
        wait_for("the line", lambda h=h: h.log_lines("PM0936"), 2)
        assert h.mirror()["attributes"]["count"] == 2
    refused(fleet_call(two, "PATCH", "/mirrors/m", {"count": 9}), 409, "restore first")
    answer = fleet_call(one, "POST", "/restore", None, ())
    assert answer.status == 200 and json.loads(answer.body) == {"restored": 1}
    after = document(two)
    assert after["attributes"] == before["attributes"] and after["etag"] != before["etag"]
    refused(fleet_call(one, "POST", "/restore", None, ()), 409)
    wait_for("all in force", lambda: state(one)["nodes"]["in_force"] == 2 and not state(two)["emptied"], 3)
    change(two, {"count": 3})
    in_force(one, {"count": 3})
    assert len(one.log_lines("PM0936")) == 1


def test_a_node_that_starts_after_the_store_was_emptied(node):
    """It has never seen the settings, and must not overwrite them: the others still have them."""
    one, two = node(expect=["PM0936: "]), node()
    change(one, {"count": 2})
    two.stop()
    node.server("FLUSHALL")
    wait_for("the line", lambda: one.log_lines("PM0936"), 2)
    wait_for("its state", lambda: node.server("HLEN", NODES) == 1, 2)
    two.start()
    refused(fleet_call(two, "PATCH", "/mirrors/m", {"count": 9}), 409, "restore first")
    refused(fleet_call(two, "POST", "/restore", None, ()), 409, "on a node that has its settings")
    assert one.mirror()["attributes"]["count"] == 2
    assert fleet_call(one, "POST", "/restore", None, ()).status == 200
    in_force(two, {"count": 2})


def test_a_store_that_is_emptied_while_it_is_read(node):
    """An index that has just become empty is no deletion."""
    one, two = (node(fleet="interval=100ms", expect=["PM0936: ", "PM0932: "]) for _ in range(2))
    for n in range(2, 12):
        change(one, {"count": n})
        in_force(two, {"count": n})
        node.server("FLUSHALL")
        wait_for("a node to notice", lambda: state(one)["emptied"] and state(two)["emptied"], 3)
        assert one.mirror()["attributes"]["count"] == two.mirror()["attributes"]["count"] == n
        assert fleet_call(one, "POST", "/restore", None, ()).status == 200
        wait_for("all in force", lambda: state(one)["nodes"]["in_force"] == 2, 3)


def test_an_older_backup_and_another_document_of_the_same_number(node):
    one, two = node(), node()
    change(one, {"count": 2})
    older = {key: node.server("HGETALL", key) for key in (DOCS, INDEX, HEAD)}     # the head last: it is what nodes poll
    change(one, {"count": 3})
    in_force(two, {"count": 3})
    for key, fields in older.items():
        node.server("HSET", key, *fields)
    for h in (one, two):
        in_force(h, {"count": 2})
    assert two.log_lines("PM0933")
    lost = change(one, {"count": 4})
    in_force(two, {"count": 4})
    for key, fields in older.items():           # a failover that lost this one, and another of the same number
        node.server("HSET", key, *fields)
    other = change(two, {"count": 5})
    assert other["revision"] == lost["revision"] and other["etag"] != lost["etag"]
    for h in (one, two):
        in_force(h, {"count": 5})


@pytest.mark.long
def test_an_index_that_changes_without_the_head(node):
    """As by a restore of one key after the other: it is found all the same, if later."""
    h = node(fleet="interval=100ms")
    change(h, {"count": 2})
    older = {key: node.server("HGETALL", key) for key in (DOCS, INDEX)}
    change(h, {"count": 3})
    wait_for("the revision", lambda: metrics(h)["proxy_mirror_fleet_revision"] == 2, 2)
    for key, fields in older.items():
        node.server("HSET", key, *fields)
    in_force(h, {"count": 2}, 15)


def test_an_index_that_lacks_a_mirror_is_a_deletion(node):
    one, two = node(), node()
    change(one, {"count": 2})
    in_force(two, {"count": 2})
    node.server("HSET", INDEX, "other", "1-00000000000000aa")       # an index without any was lost
    node.server("HDEL", INDEX, "m")
    node.server("HSET", HEAD, "id", "00000000000000aa")
    for h in (one, two):
        wait_for("the file", lambda h=h: h.mirror()["layer"] == "file", 2)


def test_a_fleet_in_the_log(node):
    one, two = node(), node()
    change(one, {"count": 2})
    change(two, {"count": 3})
    fleet_call(one, "DELETE", headers=())
    log = json.loads(fleet_call(two, "GET", "/log").body)["log"]
    assert [entry["revision"] for entry in log] == [3, 2, 1]
    assert log[1]["mirror"] == "m" and "count from 2 to 3" in log[1]["changes"] and log[1]["from"] == "127.0.0.1"
    assert str(two.port) in log[1]["node"]


def test_lines_of_the_file_change_beneath_the_fleet(node):
    h = node("max_queue=7")
    change(h, {"count": 2})
    h.conf = h.conf.replace("max_queue=7", "max_queue=8")
    h.configure()
    h.graceful()
    wait_for("the line", lambda: h.log_lines("PM0938"))
    in_force(h, {"count": 2, "max_queue": 8}, 5)
    assert h.mirror()["layer"] == "fleet"


@pytest.mark.parametrize("line, message", [
    ("ProxyMirrorFleet", "name: must be 1 to 64"), ("ProxyMirrorFleet a/b", "name: must be 1 to 64"),
    ("ProxyMirrorFleet web", "policy: must be redis, redis-cluster or redis-sentinel"),
    ("ProxyMirrorFleet web policy=redis", "redis_host: must be"), ("ProxyMirrorFleet web interval=1ms", "interval: must be a time"),
    ("ProxyMirrorFleet web count=5", "attributes: must be interval, policy"),
    ("ProxyMirrorFleet web policy=redis redis_host=a\nProxyMirrorFleet x policy=redis redis_host=a", "must be set once"),
    ("ProxyMirrorFleet web redis_host=a", "policy: must be redis")])
@pytest.mark.unstarted
def test_bad_configurations(lab, line, message):
    said = lab(f'{line}\nProxyMirror http://127.0.0.1:1 name=m\n').test_configuration()
    assert said.returncode != 0 and message in said.stderr


@pytest.mark.unstarted
def test_the_defaults_name_the_store(lab):
    said = lab('ProxyMirrorDefaults policy=redis redis_host=a\nProxyMirrorFleet web\nProxyMirror http://127.0.0.1:1 name=m\n').test_configuration()
    assert said.returncode == 0, said.stderr


def test_sections_that_are_no_plain_location(redis, httpd, origin, mirror):
    section = MANAGER.replace('<Location "/manager">', '<LocationMatch "^/(manager|x)">').replace("</Location>", "</LocationMatch>")
    h = httpd(section + conf(redis().port) + location("/o/", origin, to(mirror)))
    change(h, {"count": 2})
    assert document(h)["attributes"] == {"count": 2} and state(h)["name"] == "web"
    assert len(json.loads(fleet_call(h, "GET", "/log").body)["log"]) == 1
    refused(fleet_call(h, "POST", "/restore", None, ()), 409)


def metrics(h: Httpd) -> dict[str, int]:
    lines = h.get("/manager/metrics").body.decode().splitlines()
    return {line.split("{")[0]: int(line.split()[1]) for line in lines if line.startswith("proxy_mirror_fleet_")}


def test_metrics(node):
    h = node(expect=[DOWN])
    change(h, {"count": 2})
    wait_for("the revision", lambda: metrics(h)["proxy_mirror_fleet_revision"] == 1, 2)
    now = metrics(h)
    assert now["proxy_mirror_fleet_up"] == 1 and now["proxy_mirror_fleet_refused"] == 0 and now["proxy_mirror_fleet_age_seconds"] <= 2
    assert now["proxy_mirror_fleet_leader"] == 1
    node.server.kill()
    wait_for("the store to be down", lambda: metrics(h)["proxy_mirror_fleet_up"] == 0, 3)
    wait_for("the age to grow", lambda: metrics(h)["proxy_mirror_fleet_age_seconds"] >= 1, 5)
    assert metrics(h)["proxy_mirror_fleet_revision"] == 1


def test_without_a_fleet_there_is_none(httpd, mirror):
    h = httpd(MANAGER + to(mirror))
    refused(fleet_call(h, "GET", ""), 404, "ProxyMirrorFleet")
    assert h.mirror()["layer"] == "file" and not metrics(h)
