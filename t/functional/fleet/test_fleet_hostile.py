"""A store that lies, fails in the middle or never ends, and another node that does not mean well."""
from __future__ import annotations

import json
import os
import signal
import threading
import time

import pytest

from fleetlab import DOCS, DOWN, HEAD, INDEX, NODES, between, Between, change, conf, document, fleet_call, in_force, node, state     # noqa: F401, fixtures
from httpdlab import Httpd, location, scaled, to, wait_for
from managerlab import JSON, MANAGER, call, patch, refused
from redislab import needs_redis, redis        # noqa: F401, the fixture

pytestmark = needs_redis


@pytest.fixture
def behind(between, httpd, origin, mirror):
    """Makes nodes whose store is `between`."""
    def make(attributes: str = "", fleet: str = "", **options) -> Httpd:
        options.setdefault("expect", [DOWN])
        return httpd(MANAGER + conf(between.port, fleet) + location("/o/", origin, to(mirror, attributes)), **options)
    return make


def on(*commands: str, reply):
    return lambda words: reply if words[0].decode() in commands else None


# ---- replies that are lost ----

def test_a_reply_that_is_lost_after_the_change(behind, between):
    """The change is found in the store, and is not made twice."""
    h = behind()
    change(h, {"count": 2})
    between.rule = on("EVALSHA", reply=Between.LOST)
    assert change(h, {"count": 3})["revision"] == 2      # the route repeats it once, which differs
    between.rule = lambda words: None
    assert document(h)["attributes"]["count"] == 3
    assert len(json.loads(fleet_call(h, "GET", "/log").body)["log"]) == 2


def test_a_reply_that_is_lost_before_the_change(behind, between):
    h = behind()
    change(h, {"count": 2})
    between.rule = on("EVALSHA", reply=b"")
    refused(fleet_call(h, "PATCH", "/mirrors/m", {"count": 3}), 503, "its store must respond")
    between.rule = lambda words: None
    assert document(h)["attributes"]["count"] == 2


def test_a_reply_that_is_lost_and_cannot_be_found_out(behind, between):
    h = behind()
    change(h, {"count": 2})
    lost = []

    def rule(words):
        lost.extend(words[:1] if words[0] == b"EVALSHA" else [])
        return Between.LOST if words[0] == b"EVALSHA" else b"" if lost and words[0] == b"HGET" else None
    between.rule = rule
    refused(fleet_call(h, "PATCH", "/mirrors/m", {"count": 3}), 504, "not known whether")
    between.rule = lambda words: None
    in_force(h, {"count": 3}, 6)            # it was; and is in force with the next poll


def lose_one(*, then=None, find=None):
    """The first EVALSHA is done, and its reply is lost; `then`: to the next ones; `find`: to HGET after it."""
    lost = []

    def rule(words):
        if words[0] == b"EVALSHA":
            lost.append(words)
            return Between.LOST if len(lost) == 1 else then
        return find if lost and words[0] == b"HGET" else None
    return rule


@pytest.mark.parametrize("headers", [[], ["If-Match: *"]])
def test_a_change_that_was_repeated_and_cannot_be_found_out(behind, between, headers):
    """The second one differs, because of the first one: that does not say that nothing was changed."""
    h = behind()
    change(h, {"count": 2})
    between.rule = lose_one(find=b"")
    refused(fleet_call(h, "PATCH", "/mirrors/m", {"count": 3}, [JSON, *headers]), 504, "not known whether")
    between.rule = lambda words: None
    in_force(h, {"count": 3}, 6)


@pytest.mark.parametrize("reply", [b"-LOADING x\r\n", b"-OOM x\r\n", b"-NOSCRIPT x\r\n"])
def test_an_error_after_a_reply_that_was_lost(behind, between, reply):
    """The index decides, whatever the second one is answered."""
    h = behind()
    change(h, {"count": 2})
    between.rule = lose_one(then=reply)
    assert change(h, {"count": 3})["revision"] == 2
    between.rule = lambda words: None
    assert document(h)["attributes"]["count"] == 3


@pytest.fixture
def replaced(behind, between, httpd, origin, mirror):
    """A change of one node, whose EVALSHA is answered `reply`, and which another node replaces before it was found out."""
    def make(headers, reply, log=None):
        one, two = behind(), httpd(MANAGER + conf(between.server.port) + location("/o/", origin, to(mirror)))
        change(one, {"count": 2})
        lost, by = [], []

        def rule(words):
            if words[0] == b"EVALSHA" and len(lost) < 2:
                lost.append(words)
                return reply if len(lost) == 1 or reply == b"" else None
            if words[0] == b"HGET" and len(lost) == 2 and not by:
                by.append(change(two, {"max_queue": 9}))
            return log if words[0] == b"LRANGE" else None
        between.rule = rule
        answer = fleet_call(one, "PATCH", "/mirrors/m", {"count": 3}, [JSON, *headers])
        between.rule = lambda words: None
        assert by
        return answer, [entry["changes"] for entry in json.loads(fleet_call(two, "GET", "/log").body)["log"]]
    return make


CONDITIONS = pytest.mark.parametrize("headers", [[], ["If-Match: *"]])


@CONDITIONS
def test_a_change_that_another_one_replaced_before_it_was_found_out(replaced, headers):
    """The log has it. So it is not made once more, over the other one; 412 would say that it was not made at all."""
    answer, log = replaced(headers, Between.LOST)
    assert answer.status == 200 and json.loads(answer.body)["revision"] == 2
    assert log == ["max_queue from 1024 to 9", "count from 2 to 3", "count from 1 to 2"]


@CONDITIONS
def test_a_change_that_was_not_made_before_another_one(replaced, headers):
    answer, log = replaced(headers, b"")
    assert answer.status == (412 if headers else 200)
    assert log == ["count from 2 to 3"] * (not headers) + ["max_queue from 1024 to 9", "count from 1 to 2"]


@CONDITIONS
def test_a_change_that_another_one_replaced_and_the_log_cannot_be_read(replaced, headers):
    answer, log = replaced(headers, Between.LOST, b"-LOADING x\r\n")
    refused(answer, 504, "written before another one")
    assert log.count("count from 2 to 3") == 1


@pytest.mark.parametrize("reply", [b"-READONLY You can't write against a read only replica.\r\n", b"-MOVED 1 127.0.0.1:1\r\n",
                                   b"-NOPERM no\r\n", b"-OOM command not allowed\r\n", b"-LOADING x\r\n"])
def test_an_error_of_the_store(behind, between, reply):
    h = behind()
    change(h, {"count": 2})
    between.rule = on("EVALSHA", reply=reply)
    refused(fleet_call(h, "PATCH", "/mirrors/m", {"count": 3}), 503, reply.decode().split()[0][1:])
    between.rule = lambda words: None
    assert document(h)["attributes"]["count"] == 2 and change(h, {"count": 3})["revision"] == 2


def test_the_state_of_the_store_is_not_older_than_the_request(behind, between):
    """The poller may not have noticed yet that the store fails."""
    h = behind(fleet="interval=10s")
    wait_for("the store", lambda: state(h)["store"]["up"])
    between.rule = on("HMGET", reply=b"")
    assert state(h)["store"]["up"] is False and not h.log_lines("PM0930")


def test_scripts_that_are_flushed(node):
    h = node()
    for n in range(2, 5):
        assert change(h, {"count": n})["revision"] == n - 1
        node.server("SCRIPT", "FLUSH")


# ---- replies that lie ----

@pytest.mark.parametrize("reply", [
    b":1\r\n", b"*0\r\n", b"+done\r\n", b"*1\r\n$4\r\ndone\r\n", b"*3\r\n$4\r\ndone\r\n$2\r\n-1\r\n$1\r\nx\r\n", b"*-1\r\n", b"$-1\r\n",
    b"*1000000000\r\n", b"$1000000000\r\n", b"nonsense\r\n", b"*3\r\n*0\r\n*0\r\n*0\r\n"])
def test_a_script_that_lies(behind, between, reply):
    """What it says is not believed: the index decides."""
    h = behind(fleet="redis_timeout=300")
    change(h, {"count": 2})
    between.rule = on("EVALSHA", "EVAL", reply=reply)
    answer = fleet_call(h, "PATCH", "/mirrors/m", {"count": 3})
    assert answer.status in (503, 504), answer.raw
    between.rule = lambda words: None
    assert document(h)["attributes"]["count"] == 2 and h.mirror()["attributes"]["count"] == 2


@pytest.mark.parametrize("reply", [b":1\r\n", b"$3\r\nabc\r\n", b"*3\r\n:1\r\n:2\r\n:3\r\n", b"*3\r\n$6\r\nmaster\r\n:0\r\n:7\r\n", b"-NOPERM x\r\n", b""])
def test_a_role_that_lies(behind, between, reply):
    h = behind()
    between.rule = on("ROLE", reply=reply)
    assert "replicas" not in change(h, {"count": 2})
    in_force(h, {"count": 2})


@pytest.mark.parametrize("reply", [b":-1\r\n", b":999\r\n", b"+OK\r\n", b"-ERR x\r\n"])
def test_a_wait_that_lies(behind, between, reply):
    h = behind()
    one = b"*3\r\n$6\r\nmaster\r\n:0\r\n*1\r\n*0\r\n"
    between.rule = lambda words: one if words[0] == b"ROLE" else reply if words[0] == b"WAIT" else None
    assert "replicas" not in change(h, {"count": 2})


def test_lists_that_never_end(behind, between):
    """A page and a response end; the node is not held up, and says that its store does not respond as it should."""
    h = behind(fleet="redis_timeout=500 interval=100ms")
    change(h, {"count": 2})
    page = b"*2\r\n$1\r\n7\r\n*0\r\n"

    between.rule = slow(page)
    start = time.monotonic()
    got = h.get("/manager/", ["Host: localhost"])
    assert got.status == 200 and b"The store did not list the nodes" in got.body
    assert time.monotonic() - start < scaled(4)
    between.rule = lambda words: None


def slow(page: bytes):
    """Each page of a list comes late, but in time."""
    late = threading.Event()

    def rule(words):
        return None if words[0] != b"HSCAN" else (late.wait(0.05), page)[1]
    return rule


# ---- nodes ----

def test_states_that_are_many_or_long(node):
    """They cost little, and long ones are dropped."""
    h = node()
    wait_for("the node", lambda: sum(state(h)["nodes"].values()) == 1)
    now = int(time.time())
    for begin in range(0, 3000, 500):
        fields = [word for n in range(begin, begin + 500) for word in (f"Node{n}", json.dumps({"at": now, "revision": 1, "id": "0" * 16}))]
        node.server("HSET", NODES, *fields)
    node.server("HSET", NODES, "node1", json.dumps({"at": now}), "long", json.dumps({"at": now, "module": "x" * 20000}))
    got = state(h)
    assert sum(got["nodes"].values()) == 3002 and len(got["not_in_force"]) == 100
    wait_for("the long one to be removed", lambda: state(h) and not node.server("HEXISTS", NODES, "long"))


def test_a_node_whose_clock_is_wrong(node):
    """To it all others are gone; it must not remove them."""
    h = node()
    wait_for("the node", lambda: sum(state(h)["nodes"].values()) == 1)
    for n in range(3):
        node.server("HSET", NODES, f"n{n}", json.dumps({"at": int(time.time()) - 7200, "revision": 1, "id": "0" * 16}))
    assert sum(state(h)["nodes"].values()) == 1 and node.server("HLEN", NODES) == 4
    node.server("HSET", NODES, "n4", json.dumps({"at": int(time.time()), "revision": 1, "id": "0" * 16}))
    assert sum(state(h)["nodes"].values()) == 2
    wait_for("the former ones to be removed", lambda: state(h) and node.server("HLEN", NODES) == 2)


def test_times_and_revisions_at_the_ends_of_their_range(node):
    h = node()
    wait_for("the node", lambda: sum(state(h)["nodes"].values()) == 1)
    largest = 2 ** 63 - 1
    for n, (at, revision) in enumerate([(largest, 1), (-largest, 1), (int(time.time()), largest), (int(time.time()), -largest)]):
        node.server("HSET", NODES, f"n{n}", json.dumps({"at": at, "revision": revision, "id": "0" * 16}))
    wait_for("the oldest one to be removed", lambda: state(h) and not node.server("HEXISTS", NODES, "n1"))
    assert state(h)["nodes"]["silent"] == 1 and sum(state(h)["nodes"].values()) == 4


def test_another_node_of_the_same_name(node):
    """It is said once; a restart of this node is no other node."""
    h = node(expect=["PM0939: "])
    wait_for("the node", lambda: sum(state(h)["nodes"].values()) == 1)
    (name,) = node.server("HKEYS", NODES)
    h.stop()
    h.start()
    change(h, {"count": 2})
    wait_for("the state", lambda: state(h)["nodes"]["in_force"] == 1)
    assert not h.log_lines("PM0939")
    for n in range(3, 6):
        node.server("HSET", NODES, name, json.dumps({"at": int(time.time()), "revision": 1, "id": "0" * 16, "start": "00000000000000ff"}))
        change(h, {"count": n})
        wait_for("its own state", lambda: state(h)["nodes"]["in_force"] == 1)
    assert len(h.log_lines("PM0939")) == 1 and name in h.log_lines("PM0939")[0]


# ---- revisions ----

def test_a_revision_that_jumps(node):
    h, other = node(), node()
    change(h, {"count": 2})
    node.server("HSET", HEAD, "rev", "900000000000000")
    assert change(h, {"count": 3})["revision"] == 900000000000001
    in_force(other, {"count": 3})
    node.server("HSET", HEAD, "rev", "7")
    assert change(h, {"count": 4})["revision"] == 8
    for one in (h, other):
        in_force(one, {"count": 4})


def test_a_revision_that_overflows(node):
    h = node(expect=[DOWN])
    change(h, {"count": 2})
    node.server("HSET", HEAD, "rev", "9223372036854775807")
    refused(fleet_call(h, "PATCH", "/mirrors/m", {"count": 3}), 503, "overflow")
    assert node.server("HGET", INDEX, "m").startswith("1-") and h.mirror()["attributes"]["count"] == 2


def test_a_document_names_the_mirror(node):
    """An attribute of the line is no attribute of a document."""
    h = node(expect=["PM0932: "])
    change(h, {"count": 2})
    version = "00000000000000ab"
    node.server("HSET", DOCS, "m", '{"format":1,"rev":9,"id":"%s","attributes":{"name":"x"}}' % version)
    node.server("HSET", INDEX, "m", f"9-{version}")
    node.server("HSET", HEAD, "rev", "9", "id", version)
    wait_for("the line", lambda: h.log_lines("PM0932"), 3)
    assert h.mirror()["attributes"]["count"] == 2


# ---- locations ----

@pytest.mark.parametrize("name", ["fleet", "log"])
def test_a_mirror_with_the_name_of_a_resource(redis, httpd, origin, mirror, name):
    section = MANAGER.replace('<Location "/manager">', '<LocationMatch "^/(manager|x)">').replace("</Location>", "</LocationMatch>")
    for manager in (MANAGER, section):
        server = redis()
        h = httpd(manager + conf(server.port) + location("/o/", origin, to(mirror, "", name)))
        assert patch(h, {"count": 2}, name)["layer"] == "node"
        assert call(h, "GET", name).status == 200 and h.get(f"/manager/mirrors/{name}/losses").status == 200
        assert change(h, {"count": 3}, name=name)["attributes"] == {"count": 3}
        assert document(h, name)["revision"] == 1
        assert json.loads(fleet_call(h, "GET", "/mirrors").body)["mirrors"][0]["name"] == name


# ---- who may change the fleet ----

WRITES = [("PATCH", "/mirrors/m", {"count": 9}), ("PUT", "/mirrors/m", {"count": 9}), ("DELETE", "/mirrors/m", None),
          ("PATCH", "/mirrors", {"enabled": False}), ("DELETE", "/mirrors", None), ("POST", "/restore", None)]


@pytest.mark.parametrize("method, what, data", WRITES)
def test_a_change_that_a_proxy_or_a_page_forwards(node, method, what, data):
    """As by an author of an .htaccess file, who can make this host send requests to itself."""
    h = node()
    change(h, {"count": 2})
    for header in ("X-Forwarded-For: 10.0.0.1", "Via: 1.1 x", "X-Proxy-Mirror: x", "Origin: http://elsewhere.example", "Sec-Fetch-Site: cross-site"):
        answer = fleet_call(h, method, what, data, ["Content-Type: application/json", header])
        refused(answer, 403)
    refused(fleet_call(h, method, what, data, ["Content-Type: application/json", "Host: evil.example.com"]), 403)
    assert document(h)["attributes"] == {"count": 2} and len(h.log_lines("PM0920")) == 6
    answer = h.request(method, f"/mirror-status/fleet{what}", ["Content-Type: application/json"], json.dumps(data).encode() if data else None)
    assert answer.status in (404, 405), answer.raw       # the status changes nothing


def test_an_access_file_makes_no_fleet(redis, httpd, origin, mirror):
    server = redis()

    def configure(h: Httpd) -> str:
        for folder, text in (("fleet", conf(server.port)), ("handler", "SetHandler proxy-mirror-manager\n")):
            os.makedirs(h.path(f"htdocs/{folder}"), exist_ok=True)
            h.write(f"htdocs/{folder}/.htaccess", text)
            h.write(f"htdocs/{folder}/a", "a file\n")
        return f'<Directory "{h.root}/htdocs">\nAllowOverride All\nAcceptPathInfo On\n</Directory>\n' + conf(server.port) + to(mirror)
    h = httpd(configure, expect=[r"ProxyMirrorFleet not allowed here", "AH01276", "PM0921: "])
    assert h.get("/fleet/a").status == 500 and h.log_lines("ProxyMirrorFleet not allowed here")
    for method, what, data in (*WRITES, ("GET", "", None), ("GET", "/log", None), ("GET", "/mirrors", None)):
        answer = h.request(method, f"/handler/a/fleet{what}", ["Content-Type: application/json"], json.dumps(data).encode() if data else None)
        assert answer.status == 403, answer.raw
    assert not server("EXISTS", HEAD)


def test_a_poll_that_began_before_the_first_change(behind, between):
    """It found no head, and the node knows one when the reply comes: nothing was emptied."""
    h = behind()
    asked, changed = threading.Event(), threading.Event()

    def late(words):
        if words[0].upper() != b"HMGET" or asked.is_set():
            return None
        asked.set()
        changed.wait(20)
        return b"*%d\r\n" % (len(words) - 2) + b"$-1\r\n" * (len(words) - 2)
    between.rule = late
    wait_for("a poll", asked.is_set)
    change(h, {"count": 2})
    polls = between.seen.count(b"HMGET")
    changed.set()
    wait_for("further polls", lambda: between.seen.count(b"HMGET") >= polls + 3)
    in_force(h, {"count": 2})
    assert not h.log_lines("PM0936")


# ---- the log is bounded ----

@pytest.mark.long
def test_a_store_that_fails_again_and_again(behind, between):
    """Few lines say so; once it has failed for long, or responds for good, the last line is true."""
    h = behind(fleet="interval=100ms")
    change(h, {"count": 2})

    def is_up() -> bool:
        return b"\nproxy_mirror_fleet_up{fleet=\"web\"} 1\n" in h.get("/manager/metrics").body
    for _ in range(12):
        between.rule = on("HMGET", reply=b"")
        wait_for("a failure", lambda: not is_up())
        between.rule = lambda words: None
        wait_for("the store", is_up)
    down, up = len(h.log_lines("PM0930")), len(h.log_lines("PM0931"))
    assert 1 <= up == down <= 6, (down, up)
    between.rule = on("HMGET", reply=b"")
    wait_for("the last line", lambda: len(h.log_lines("PM0930")) == down + 1, 30)
    between.rule = lambda words: None
    wait_for("the last line", lambda: len(h.log_lines("PM0931")) == up + 1, 8)


@pytest.mark.long
def test_a_refused_document_is_logged_once_by_all_children(node):
    """Whichever child polls; again only after a reload."""
    h = node(children=4, expect=["PM0932: ", "children are killed successively"])
    change(h, {"count": 2})
    version = "00000000000000ab"
    node.server("HSET", DOCS, "m", '{"format":2}')
    node.server("HSET", INDEX, "m", f"9-{version}")
    node.server("HSET", HEAD, "rev", "9", "id", version)
    wait_for("the line", lambda: h.log_lines("PM0932"), 3)
    for _ in range(2):
        reads = node.server.calls("hscan")
        for pid in h.pids():
            os.kill(pid, signal.SIGKILL)
        wait_for("another poller, which judges it", lambda: node.server.calls("hscan") > reads, 8)
        calls = node.server.calls("hmget")
        wait_for("more polls", lambda: node.server.calls("hmget") > calls + 2, 8)
    assert len(h.log_lines("PM0932")) == 1 and h.mirror()["attributes"]["count"] == 2
    h.graceful()
    wait_for("the line of the reload", lambda: len(h.log_lines("PM0932")) == 2, 5)
