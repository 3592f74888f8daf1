"""A store that responds slowly, or late: what is judged, and what is in force in the end."""
from __future__ import annotations

import json
import threading

from fleetlab import DOCS, DOWN, HEAD, INDEX, between, change, conf, fleet_call, in_force, state     # noqa: F401, fixtures
from httpdlab import location, to, wait_for
from managerlab import MANAGER, refused
from redislab import needs_redis, redis        # noqa: F401, the fixture

pytestmark = needs_redis
NAMES = [f"m{n}" for n in range(40)]
ALLOW = "ProxyMirrorAllowHost 127.0.0.1 mirror.test\n"


def test_many_documents_are_judged_anew_after_a_reload(between, httpd, origin, mirror):
    """More than a poll can read in its 30 seconds: they are judged as they are stored, also the last one."""
    h = httpd(MANAGER + conf(between.port) + ALLOW + location("/o/", origin, *(to(mirror, "", name) for name in NAMES)),
              expect=[DOWN, "PM0932: "])
    for name in NAMES:
        change(h, {"count": 2}, name=name)
    change(h, {"host": "http://mirror.test"}, name=NAMES[-1])
    wait_for("the poll of the last one", lambda: state(h)["nodes"]["in_force"] == 1, 5)
    never = threading.Event()
    between.rule = lambda words: never.wait(0.9) or None if words[0] == b"HGET" and words[1].endswith(b":docs") else None
    h.conf = h.conf.replace(ALLOW, ALLOW.replace(" mirror.test", ""))
    h.configure()
    h.graceful()
    wait_for("the last one to be refused", lambda: [line for line in h.log_lines("PM0932") if f"mirror {NAMES[-1]}:" in line], 5)
    assert h.mirror(NAMES[-1])["layer"] == "file"
    assert all(h.mirror(name)["attributes"]["count"] == 2 for name in NAMES[:-1])


def test_the_response_to_a_change_is_late(between, httpd, origin, mirror):
    """The document was deleted meanwhile, which the node has seen already."""
    one, two = (httpd(MANAGER + conf(port, "redis_timeout=20000") + location("/o/", origin, to(mirror))) for port in (between.port, between.server.port))
    change(one, {"count": 1})
    in_force(two, {"count": 1})
    done, late = threading.Event(), threading.Event()

    def rule(words):
        if words[0] != b"EVALSHA":
            return None
        between.server("EVALSHA", *(word.decode() for word in words[1:]))
        done.set()
        late.wait(30)
        return b"*3\r\n$4\r\ndone\r\n$1\r\n2\r\n$16\r\n%s\r\n" % between.server("HGET", "proxy-mirror:v1:{web}:head", "epoch").encode()
    between.rule = rule
    answers: list = []
    request = threading.Thread(target=lambda: answers.append(fleet_call(one, "PATCH", "/mirrors/m", {"count": 9})))
    request.start()
    assert done.wait(20)
    in_force(two, {"count": 9})
    assert fleet_call(two, "DELETE", "/mirrors/m", headers=()).status == 204
    wait_for("the deletion", lambda: one.mirror()["layer"] == "file" and state(one)["nodes"]["in_force"] == 2, 5)
    late.set()
    request.join(20)
    assert answers[0].status == 200
    wait_for("the deletion again", lambda: one.mirror()["layer"] == "file", 3)


def test_a_change_while_the_index_is_read(between, httpd, origin, mirror):
    """What a node has written itself is not judged by what it had read before that."""
    mirrors = location("/o/", origin, to(mirror, "", "m0"), to(mirror, "", "m1"))
    one, two = (httpd(MANAGER + conf(port, "redis_timeout=20000") + mirrors) for port in (between.port, between.server.port))
    change(one, {"count": 1}, name="m0")
    in_force(two, {"count": 1}, name="m0")
    read, late = threading.Event(), threading.Event()

    def rule(words):
        if words[0] != b"HSCAN" or words[1] != INDEX.encode() or read.is_set():
            return None
        (field, value), = between.server("HSCAN", INDEX, "0")[1::2]
        read.set()
        late.wait(30)
        return b"*2\r\n$1\r\n0\r\n*2\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(text), text.encode()) for text in (field, value))
    between.rule = rule
    change(two, {"count": 2}, name="m0")
    assert read.wait(20)
    change(one, {"count": 9}, name="m1")
    late.set()
    in_force(one, {"count": 2}, name="m0")
    assert one.mirror("m1")["attributes"]["count"] == 9 and not one.log_lines("PM0935")


def test_a_change_arrives_when_its_client_has_given_up(between, httpd, origin, mirror):
    """As after a loss of packets. What was found before that is no proof: 504, and not that nothing was changed."""
    h = httpd(MANAGER + conf(between.port, "redis_timeout=300") + location("/o/", origin, to(mirror)))
    kept: list = []
    over = threading.Event()

    def rule(words):
        if words[0] not in (b"EVALSHA", b"EVAL"):
            return None
        kept.append([word.decode() for word in words])
        over.wait(30)
        return b""
    change(h, {"count": 2})
    between.rule = rule
    refused(fleet_call(h, "PATCH", "/mirrors/m", {"count": 3}), 504, "not known whether")
    between.server(*kept[0])
    in_force(h, {"count": 3})
    refused(fleet_call(h, "PATCH", "/mirrors/m", {"count": 4}), 504, "not known whether")
    between.rule = lambda words: None
    assert change(h, {"count": 5})["revision"] == 3         # repeated; and the late one is none any more
    assert between.server(*kept[1]) == ["differs"]
    in_force(h, {"count": 5})
    over.set()


# ---- in force with the response ----

def test_the_change_was_made_on_another_node(between, httpd, origin, mirror):
    """Also then it is in force on the node that is asked, and not only after its next poll."""
    one, two = (httpd(MANAGER + conf(between.port, "interval=60s") + location("/o/", origin, to(mirror))) for _ in range(2))
    change(one, {"count": 2})
    assert change(two, {"count": 2})["revision"] == 1 and two.mirror()["attributes"]["count"] == 2
    assert fleet_call(two, "PATCH", "/mirrors", {"enabled": False}).status == 200
    (result,) = json.loads(fleet_call(one, "PATCH", "/mirrors", {"enabled": False}).body)["mirrors"]
    assert result == {"name": "m", "result": "unchanged", "enabled": False} and one.mirror()["attributes"]["enabled"] is False
    assert fleet_call(two, "DELETE", "/mirrors", headers=()).status == 200
    assert fleet_call(one, "DELETE", "/mirrors", headers=()).status == 200 and one.mirror()["layer"] == "file"


def test_a_change_after_the_store_has_gone_back(between, httpd, origin, mirror):
    """Its revision is lower than that which the node has, or the same: it is in force with the response all the same."""
    h = httpd(MANAGER + conf(between.port, "interval=60s") + location("/o/", origin, to(mirror)))
    server = between.server
    change(h, {"count": 1})
    kept = {key: server("HGETALL", key) for key in (HEAD, INDEX, DOCS)}
    for n in (2, 3, 4):
        change(h, {"count": n})
    for expected in (2, 3):
        for key, fields in kept.items():
            server("DEL", key)
            server("HSET", key, *fields)
        assert change(h, {"max_queue": expected})["revision"] == 2
        attributes = h.mirror()["attributes"]
        assert (attributes["count"], attributes["max_queue"]) == (1, expected)
