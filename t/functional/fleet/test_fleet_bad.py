"""A store that has what no node has written: refused as a whole, said once, and what was in force stays."""
from __future__ import annotations

import re

import pytest

from fleetlab import (DOCS, DOWN, HEAD, INDEX, LOG, NODES, change, conf, document, fleet_call, holds, in_force,
                      node, state)      # noqa: F401, the fixture
from httpdlab import location, to, wait_for
from managerlab import MANAGER, delete, patch, refused
from redislab import needs_redis, redis        # noqa: F401, the fixture

pytestmark = needs_redis

ID = "00000000000000ab"
FRAME = '{"format":1,"rev":9,"id":"' + ID + '","attributes":%s}'


def plant(server, text: str, index: str = f"9-{ID}") -> None:
    """A document that somebody else has written."""
    server("HSET", DOCS, "m", text)
    server("HSET", INDEX, "m", index)
    server("HSET", HEAD, "rev", "9", "id", ID)


@pytest.mark.parametrize("text", [
    "", "{", "nothing", "[]", "{}", '{"format":2}', FRAME % '{"redis_host":"127.0.0.1"}', FRAME % '{"future":1}', FRAME % '{"count":0}',
    FRAME % '{"host":"http://forbidden.example.com"}', FRAME % '{"expr":"file(\'/etc/passwd\') == \'\'"}', FRAME % '[]', FRAME % "null",
    FRAME % '{"count":2,"count":3}', FRAME % ('{"path":"/' + "x" * 70000 + '"}'), FRAME % ("[" * 5000 + "]" * 5000),
    FRAME % '{"status":["404"],"when":"request"}', FRAME.replace("9,", "8,") % '{"count":5}', "\0", FRAME % '{"host":"unix:/x|http://y"}'])
def test_a_bad_document(node, text):
    h = node(expect=["PM0932: "])
    change(h, {"count": 2})
    plant(node.server, text)
    wait_for("the line", lambda: h.log_lines("PM0932"), 3)
    assert h.mirror()["attributes"]["count"] == 2 and h.mirror()["layer"] == "fleet"
    wait_for("the report", lambda: state(h)["nodes"]["refused"] == 1)
    calls = node.server.calls("hmget")
    wait_for("more polls", lambda: node.server.calls("hmget") >= calls + 3)
    assert len(h.log_lines("PM0932")) == 1 and not h.log_lines("PM0930")
    assert change(h, {"count": 3}, "PUT")["revision"] == 10        # a change heals it
    wait_for("all in force", lambda: state(h)["nodes"] == {"in_force": 1, "behind": 0, "refused": 0, "silent": 0})


@pytest.mark.parametrize("words", [
    ("SET", HEAD, "x"), ("SET", INDEX, "x"), ("HSET", HEAD, "rev", "-5"), ("HSET", HEAD, "rev", "x" * 5000), ("HSET", HEAD, "epoch", "nonsense"),
    ("HSET", HEAD, "id", ""), ("HDEL", HEAD, "id"), ("HSET", HEAD, "rev", "99999999999999999999")])
def test_a_bad_head_or_index(node, words):
    h = node(expect=[DOWN])
    change(h, {"count": 2})
    in_force(h, {"count": 2})
    kept = {key: node.server("HGETALL", key) for key in (HEAD, INDEX)}
    node.server(*words)                         # SET replaces it
    if words[1] == INDEX:
        node.server("HSET", HEAD, "id", ID)     # or nobody looks
    wait_for("the line", lambda: h.log_lines("PM0930"), 3)
    assert h.mirror()["attributes"]["count"] == 2
    for key, fields in kept.items():
        node.server("HSET", "{web}kept", *fields)
        node.server("RENAME", "{web}kept", key)     # at once: a poll must not see none
    wait_for("the line", lambda: h.log_lines("PM0931"), 7)
    assert len(h.log_lines("PM0930")) == 1
    assert h.mirror()["attributes"]["count"] == 2


@pytest.mark.parametrize("entry", ["", "x", f"0-{ID}", f"7-{ID}?", "9" * 5000])
def test_a_bad_entry_of_the_index(node, entry):
    h = node(expect=[DOWN])
    change(h, {"count": 2})
    plant(node.server, FRAME % '{"count":5}', entry)
    wait_for("the line", lambda: h.log_lines("PM0930"), 3)
    assert h.mirror()["attributes"]["count"] == 2 and len(h.log_lines("PM0930")) == 1
    node.server("HSET", INDEX, "m", f"9-{ID}")
    in_force(h, {"count": 5}, 7)


def test_a_key_of_another_type_stops_a_change_before_it_begins(node):
    h = node()
    change(h, {"count": 2})
    node.server("DEL", LOG)
    node.server("SET", LOG, "x")
    before = [node.server("HGETALL", key) for key in (HEAD, INDEX, DOCS)]
    refused(fleet_call(h, "PATCH", "/mirrors/m", {"count": 3}), 503, "WRONGTYPE")
    assert [node.server("HGETALL", key) for key in (HEAD, INDEX, DOCS)] == before


def test_states_of_nodes_that_no_node_has_told(node):
    h = node()
    wait_for("the node", lambda: state(h)["nodes"]["in_force"] == 1 or state(h)["nodes"]["behind"] == 1)
    for n, text in enumerate(["", "{", "[]", "{}", '{"at":1}', '{"at":"x"}', "x" * 80000, '{"at":9999999999,"refused":{"m":1}}', '{"at":1.5}']):
        node.server("HSET", NODES, f"bad{n}", text)
    node.server("HSET", NODES, "n" * 1000, "{}")
    assert state(h)["nodes"]["silent"] <= 1


def test_many_names_that_are_no_mirrors(node):
    """They are counted, and read in pages."""
    h = node()
    change(h, {"count": 2})
    fields = [word for n in range(3000) for word in (f"other{n}", f"{n + 1}-{ID}")]
    node.server("HSET", INDEX, *fields)
    change(h, {"count": 3})
    wait_for("all in force", lambda: state(h)["nodes"]["in_force"] == 1)
    assert document(h)["attributes"]["count"] == 3


def test_a_document_at_odds_with_what_a_node_has_of_its_own(node):
    """It is refused, said once, and in force when the node has dropped what is in the way."""
    one, two = node(), node(expect=["PM0932: "])
    patch(two, {"when": "request"})
    own = "with the settings of this node alone: status: must be used with when=response"
    refused(fleet_call(two, "PATCH", "/mirrors/m", {"status": ["404"]}), 400, own)
    assert document(one) is None
    change(one, {"status": ["404"], "enabled": False})
    wait_for("the line", lambda: own in " ".join(two.log_lines("PM0932")), 3)
    assert two.mirror()["attributes"]["enabled"] is True
    patch(two, {"when": "request", "count": 5})         # still is in the way
    wait_for("the report", lambda: state(one)["nodes"]["refused"] == 1)
    delete(two)
    in_force(two, {"enabled": False, "status": ["404"]}, 2)
    wait_for("all in force", lambda: state(one)["nodes"]["in_force"] == 2)
    assert len(two.log_lines("PM0932")) == 1


def test_a_deletion_at_odds_with_what_a_node_has_of_its_own(node):
    """What the node has of its own is not dropped: it may be what stops the mirror there."""
    one, two = node("when=request"), node("when=request", expect=["PM0932: ", "PM0901: "])
    change(one, {"when": "response"})
    in_force(two, {"when": "response"})
    patch(two, {"status": ["404"], "enabled": False})
    own = "with the settings of this node alone: status: must be used with when=response"
    refused(fleet_call(two, "DELETE", headers=()), 400, own)
    answer = fleet_call(two, "DELETE", "/mirrors", headers=())
    assert answer.status == 409 and own.encode() in answer.body and document(one) is None     # all at once are for others, too
    wait_for("the report", lambda: state(one)["nodes"] == {"in_force": 1, "behind": 0, "refused": 1, "silent": 0}, 3)
    assert two.mirror()["attributes"]["enabled"] is False and two.mirror()["layer"] == "node"
    assert own in two.log_lines("PM0932")[0]
    delete(two)
    wait_for("the file", lambda: two.mirror()["layer"] == "file", 2)
    wait_for("all in force", lambda: state(one)["nodes"]["in_force"] == 2)
    assert len(two.log_lines("PM0932")) == 1


def test_a_user_that_only_follows(node):
    """Its change is rejected with what Redis says, and nothing is written."""
    keys = "proxy-mirror:v1:{web}:"
    node.server("ACL", "SETUSER", "follower", "on", ">s1", f"%R~{keys}*", f"~{keys}nodes", "+hmget", "+hget", "+hscan", "+hset", "+hdel", "+lrange")
    one = node()
    two = node(fleet="redis_username=follower redis_password=s1")
    change(one, {"count": 2})
    in_force(two, {"count": 2})
    refused(fleet_call(two, "PATCH", "/mirrors/m", {"count": 3}), 503, "NOPERM")
    assert document(one)["attributes"]["count"] == 2 and len(one.log_lines("PM09")) < 5
    wait_for("both", lambda: state(two)["nodes"]["in_force"] == 2)
    refused(fleet_call(two, "DELETE", headers=()), 503, "NOPERM")


def test_without_the_permission_to_wait(node):
    keys = "proxy-mirror:v1:{web}:"
    node.server("ACL", "SETUSER", "admin", "on", ">s1", f"~{keys}*", "+hmget", "+hget", "+hscan", "+hset", "+hdel", "+lrange", "+evalsha",
                "+eval", "+hincrby", "+lpush", "+ltrim")
    h = node(fleet="redis_username=admin redis_password=s1")
    assert "replicas" not in change(h, {"count": 2})
    in_force(h, {"count": 2})


@pytest.mark.parametrize("without", ["lpush", "ltrim", "hset", "hincrby"])
def test_a_user_without_one_permission(node, without):
    """The script of a change, and that of a restore, ends in the middle: nothing was changed, and nothing is in the way of the next."""
    keys = "proxy-mirror:v1:{web}:"
    node.server("ACL", "SETUSER", "admin", "on", ">s1", f"~{keys}*", "+hmget", "+hget", "+hscan", "+hset", "+hdel", "+lrange", "+evalsha",
                "+eval", "+hincrby", "+lpush", "+ltrim", f"-{without}")
    h = node(fleet="redis_username=admin redis_password=s1", expect=["PM0936: ", "PM0940: "])

    def nothing(attributes: dict) -> None:
        polls = node.server.calls("hmget")
        wait_for("polls", lambda: node.server.calls("hmget") >= polls + 3)
        assert node.server("HLEN", INDEX) == node.server("HLEN", DOCS) == len(attributes)
        assert h.mirror()["layer"] == ("fleet" if attributes else "file") and not h.log_lines("PM0930")
    refused(fleet_call(h, "PATCH", "/mirrors/m", {"count": 2}), 503, "its store must respond")
    nothing({})
    node.server("ACL", "SETUSER", "admin", f"+{without}")
    assert change(h, {"count": 3})["attributes"] == {"count": 3}
    in_force(h, {"count": 3})
    node.server("ACL", "SETUSER", "admin", f"-{without}")
    refused(fleet_call(h, "PATCH", "/mirrors/m", {"count": 4}), 503, "its store must respond")
    nothing({"count": 3})
    assert document(h)["attributes"] == {"count": 3} and h.mirror()["attributes"]["count"] == 3
    node.server("FLUSHALL")
    wait_for("the line", lambda: h.log_lines("PM0936"), 3)
    refused(fleet_call(h, "POST", "/restore", headers=()), 503, "its store must respond")
    assert not node.server("EXISTS", INDEX) and h.mirror()["attributes"]["count"] == 3
    node.server("ACL", "SETUSER", "admin", f"+{without}")
    assert fleet_call(h, "POST", "/restore", headers=()).status == 200
    assert change(h, {"count": 5})["attributes"] == {"count": 5}


def test_a_revision_with_too_many_digits(node):
    """No entry of the index could have it: the change is rejected, and the nodes follow on."""
    h = node()
    change(h, {"count": 2})
    node.server("HSET", HEAD, "rev", "999999999999999")
    refused(fleet_call(h, "PATCH", "/mirrors/m", {"count": 3}), 503, "overflow")
    node.server("HSET", HEAD, "rev", "999999999999998")
    assert change(h, {"count": 4})["revision"] == 999999999999999
    wait_for("in force", lambda: state(h)["nodes"]["in_force"] == 1, 3)


@pytest.mark.parametrize("revision", ["-5", "x"])
def test_a_revision_that_is_none(node, revision):
    """A change, or a restore, would put an entry into the index that no node can read."""
    h = node(expect=[DOWN, "PM0936: "])
    change(h, {"count": 2})
    node.server("HSET", HEAD, "rev", revision)
    refused(fleet_call(h, "PATCH", "/mirrors/m", {"count": 3}), 503, "is none")
    assert node.server("HGET", INDEX, "m").startswith("1-")
    wait_for("the line", lambda: h.log_lines("PM0930"), 3)
    node.server("HDEL", HEAD, "epoch")
    wait_for("the line", lambda: h.log_lines("PM0936"), 8)
    refused(fleet_call(h, "POST", "/restore", headers=()), 503, "is none")
    node.server("HDEL", HEAD, "rev")
    assert fleet_call(h, "POST", "/restore", headers=()).status == 200
    assert change(h, {"count": 3})["revision"] == 2


def test_a_document_that_is_longer_than_any_reply(redis, httpd, origin, mirror):
    """It is refused alone: the other mirrors are changed, and a change heals it."""
    server = redis()
    names = ("a", "m", "z")
    h = httpd(MANAGER + conf(server.port) + location("/o/", origin, *(to(mirror, "", name) for name in names)), expect=["PM0932: "])
    for name in names:
        change(h, {"count": 2}, name=name)
    plant(server, "x" * 2_000_000)
    wait_for("the line", lambda: h.log_lines("PM0932.*mirror m:"), 3)
    for name in ("a", "z"):
        server("HSET", DOCS, name, FRAME % '{"count":5}')
        server("HSET", INDEX, name, f"9-{ID}")
    server("HSET", HEAD, "rev", "10")
    for name in ("a", "z"):
        in_force(h, {"count": 5}, name=name)
    assert h.mirror()["attributes"]["count"] == 2 and not h.log_lines("PM0930") and len(h.log_lines("PM0932")) == 1
    refused(fleet_call(h, "GET"), 502, "valid document")
    assert change(h, {"count": 3}, "PUT")["revision"] == 11
    in_force(h, {"count": 3})


def test_names_of_nodes_that_are_longer_than_any_reply(node):
    """The others are listed all the same."""
    h = node()
    change(h, {"count": 2})
    for n in range(40):
        node.server("HSET", NODES, f"{n}" + "<b>" * 21845, "{}")
    wait_for("the node", lambda: state(h)["nodes"]["in_force"] == 1)
    assert state(h)["store"]["up"] is True
    assert change(h, {"count": 3}, headers=["Content-Type: application/json", "Prefer: wait=3"])["nodes"]["in_force"] == 1


def narrowed(h, host: str = "127.0.0.1") -> None:
    """A reload after which the node allows no other host."""
    h.conf = re.sub(r"AllowHost .*", f"AllowHost {host}", h.conf)
    h.configure()
    h.graceful()


@pytest.mark.parametrize("own", [{}, {"count": 7}])
def test_a_document_that_a_reload_makes_invalid_still_stops(node, own):
    """All that is left of it is that the mirror is stopped, also when another child polls, until the configuration allows it again."""
    host = "http://other.example.com"
    one, two = node(more="ProxyMirrorAllowHost *\n"), node(more="ProxyMirrorAllowHost *\n", expect=["PM0932: ", "PM0901: "])
    change(one, {"host": host, "enabled": False})
    in_force(two, {"host": host, "enabled": False})
    if own:
        patch(two, own)
    seen = []
    for allowed in ("127.0.0.1", "127.0.0.1 127.0.0.2", "*"):
        narrowed(two, allowed)
        for n in range(20):
            assert two.get(f"/o/{n}").status == 200
            seen.append(two.mirror()["attributes"]["enabled"])
        if allowed != "*":
            wait_for("the report", lambda: state(one)["nodes"] == {"in_force": 1, "behind": 0, "refused": 1, "silent": 0}, 3)
            assert "the mirror stays stopped: " in two.log_lines("PM0932")[-1] and "ProxyMirrorAllowHost" in two.log_lines("PM0932")[-1]
        seen.append(two.mirror()["attributes"]["enabled"])
        assert holds(two, own)
    in_force(two, {"host": host, "enabled": False, **own}, 5)
    wait_for("all in force", lambda: state(one)["nodes"]["in_force"] == 2)
    assert not any(seen) and two.outcomes() == {"disabled": 60}
    change(one, {"count": 3}, "PUT")
    in_force(two, {"enabled": True, "count": 3, **own})


def test_a_change_after_one_that_a_reload_made_invalid(node):
    """Whatever is allowed here is in force at once."""
    one, two = node(more="ProxyMirrorAllowHost *\n"), node(more="ProxyMirrorAllowHost *\n", expect=["PM0932: "])
    change(one, {"host": "http://other.example.com", "enabled": False})
    in_force(two, {"enabled": False})
    narrowed(two)
    wait_for("the line", lambda: two.log_lines("PM0932"), 3)
    assert two.mirror()["attributes"]["enabled"] is False
    change(two, {"host": two.mirror()["attributes"]["host"], "count": 4})
    for h in (one, two):
        in_force(h, {"enabled": False, "count": 4})
    change(two, {}, "PUT")
    in_force(two, {"enabled": True})
    assert len(two.log_lines("PM0932")) == 1


@pytest.mark.parametrize("defaults, what", [
    ("", {"until": "2020-01-01T00:00:00Z"}), ("ProxyMirrorDefaults enabled=false\n", {"enabled": None})])
def test_whatever_stops_a_mirror_remains_of_an_invalid_document(node, defaults, what):
    """Its end, and a default that is restored."""
    attributes = "enabled=true" if defaults else ""
    one, two = (node(attributes, more="ProxyMirrorAllowHost *\n" + defaults, expect=["PM0932: "][:n]) for n in range(2))
    change(one, {"host": "http://other.example.com", **what}, headers=["Content-Type: application/json", "Prefer: wait=3"])
    assert two.get("/o/1").status == 200 and two.ended(1) == {"disabled": 1}
    for allowed in ("127.0.0.1", "127.0.0.1 127.0.0.2"):
        narrowed(two, allowed)
        for n in range(5):
            assert two.get(f"/o/{n}").status == 200
        wait_for("the report", lambda: state(one)["nodes"]["refused"] == 1, 3)
        assert two.get("/o/1").status == 200
    assert two.ended(13) == {"disabled": 13}


def test_a_node_can_be_changed_while_it_has_an_invalid_document_and_no_store(node):
    """The way to stop one node: the fleet cannot be changed, and its document is not judged."""
    h = node(more="ProxyMirrorAllowHost *\n", expect=[DOWN, "PM0932: "])
    change(h, {"host": "http://other.example.com", "count": 3})
    node.server.kill()
    narrowed(h)
    host = h.mirror()["attributes"]["host"]
    assert patch(h, {"enabled": False})["attributes"]["host"] == host
    assert h.get("/o/1").status == 200 and h.ended(1) == {"disabled": 1}
    assert holds(h, {"enabled": False, "host": host})
    narrowed(h, "*")
    assert holds(h, {"enabled": False, "host": "http://other.example.com", "count": 3})


def test_an_invalid_document_stays_refused(node):
    """Also when it is looked at again, as after a change of the node's own settings, which were over it."""
    one, two = (node("when=request", more="ProxyMirrorAllowHost *\n", expect=["PM0932: ", "PM0912: "][:2 * n]) for n in range(2))
    change(one, {"host": "http://other.example.com", "enabled": False, "when": "response"})
    in_force(two, {"enabled": False})
    patch(two, {"host": "http://127.0.0.1:9", "status": ["500"]})
    narrowed(two)
    wait_for("the report", lambda: state(one)["nodes"]["refused"] == 1, 3)
    for own in ([], ["m"]):
        _ = patch(two, {"count": 3}) if own else delete(two)
        assert two.mirror()["attributes"]["host"] != "http://other.example.com"
        wait_for("the report", lambda: [n["own"] for n in state(one)["not_in_force"] if "own" in n] == ([own] if own else []), 3)
        assert state(one)["nodes"] == {"in_force": 1, "behind": 0, "refused": 1, "silent": 0}


def test_a_restore_by_a_node_that_has_an_invalid_document(node):
    """The others get it back as it was."""
    one, two = (node(more="ProxyMirrorAllowHost *\n", expect=["PM0932: ", "PM0936: "][1 - n:]) for n in range(2))
    what = {"host": "http://other.example.com", "sample_ratio": 0.5}
    change(one, what)
    in_force(two, what)
    narrowed(two)
    wait_for("the report", lambda: state(one)["nodes"]["refused"] == 1, 3)
    assert "is refused; the configuration file is in force: " in two.log_lines("PM0932")[-1]
    node.server("FLUSHALL")
    for h in (one, two):
        wait_for("the line", lambda: h.log_lines("PM0936"), 3)
    assert fleet_call(two, "POST", "/restore").status == 200
    wait_for("the report", lambda: state(two)["nodes"] == {"in_force": 1, "behind": 0, "refused": 1, "silent": 0}, 3)
    assert holds(one, what) and document(one)["attributes"] == what
