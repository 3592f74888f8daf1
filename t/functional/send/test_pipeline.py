"""Several copies in a row on one connection: which ones, and what becomes of the others when one is the last there."""
from __future__ import annotations

import random
import socket
from collections import Counter

import pytest

from copies import assert_copy, assert_next_is_intact
from httpdlab import location, scaled, to, wait_for
from managerlab import MANAGER, attributes, call, patch, refused
from recorder import answer, ok
from tlslab import TlsRecorder, end_tls
from wire import request, reset

WELL = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"


@pytest.fixture
def proxy(proxy):
    """An httpd of one child whose /o/ is mirrored to a recorder over one connection."""
    def make(mirror, attributes, **options):
        return proxy(mirror, f"max_connections=1 {attributes}", children=1, **options)
    return make


def together(mirror, serve):
    """What comes after /o/busy waits until go() is called, and is then served by serve(sock, message, count), where count is
    how many of these requests have come. What else comes is answered well."""
    gate = mirror.gate()
    late = []

    def respond(sock, message):
        if message.target == "/o/busy":
            return gate.wait() and ok(sock, message)
        if message.target.startswith("/o/row"):
            late.append(message.target)
            return serve(sock, message, len(late))
        return ok(sock, message)
    mirror.answer = respond
    return gate.set


def busy(h, mirror) -> None:
    """The one connection has answered a copy, and waits for the answer to another one."""
    assert h.get("/o/first").status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert h.get("/o/busy").status == 200
    mirror.wait(2)


def send_row(h, mirror, go, count: int = 4) -> None:
    """`count` copies wait until the connection is free, and then leave together."""
    busy(h, mirror)
    assert h.get_many(f"/o/row{n}" for n in range(count)) == [200] * count
    wait_for("copies in the queue", lambda: h.mirror()["state"]["queued"] == count)
    go()


def has_more(sock) -> bool:
    """Whether another request is behind the one that was read."""
    sock.settimeout(scaled(0.1))
    try:
        return bool(sock.recv(1, socket.MSG_PEEK))
    except TimeoutError:
        return False
    finally:
        sock.settimeout(None)


def all_at_once(data: bytes, rows=(4,)):
    """Answers with `data` when as many requests have come as a row has, and not before."""
    def serve(sock, _, count):
        if count in rows:
            sock.sendall(data)
        return True
    return serve


# ---- what goes in a row ----

@pytest.mark.smoke
@pytest.mark.valgrind
def test_a_row_leaves_before_its_first_answer(proxy, either):
    mirror = either()
    go = together(mirror, all_at_once(WELL * 4, (4, 8)))
    h = proxy(mirror, "pipeline=4")
    send_row(h, mirror, go, 8)
    assert h.ended(10) == {"mirrored": 10}
    assert [copy.target for copy in mirror.requests[2:]] == [f"/o/row{n}" for n in range(8)]
    for copy in mirror.requests:
        assert_copy(copy, f"GET {copy.target}")
    assert h.mirror()["responses"]["2xx"] == 10
    assert_next_is_intact(h, mirror, 10, mirrored=10)
    assert mirror.connections == 1


def test_a_row_is_in_flight(proxy, mirror):
    gate = mirror.gate()
    go = together(mirror, lambda sock, message, _: gate.wait() and ok(sock, message))
    h = proxy(mirror, "pipeline=3")
    send_row(h, mirror, go, 5)
    wait_for("copies in flight", lambda: h.mirror()["state"]["in_flight"] == 3)
    assert (h.mirror()["state"]["queued"], h.mirror()["state"]["connections"]) == (2, 1)
    gate.set()
    assert h.ended(7) == {"mirrored": 7}


@pytest.mark.parametrize("attributes", ["", "pipeline=1"])
def test_one_at_a_time_is_the_default(proxy, mirror, attributes):
    go = together(mirror, lambda sock, message, _: not has_more(sock) and ok(sock, message))
    h = proxy(mirror, attributes)
    send_row(h, mirror, go)
    assert h.ended(6) == {"mirrored": 6}
    assert mirror.connections == 1


@pytest.mark.parametrize("method, body", [("POST", b"body"), ("POST", None), ("PATCH", None), ("PUT", b"body")])
def test_what_does_not_go_in_a_row(proxy, mirror, method, body):
    """Nothing is sent behind it, and it is sent behind nothing, until that was answered (RFC 9112 9.3.2)."""
    alone = []

    def serve(sock, message, count):
        if count in (1, 2):
            alone.append(not has_more(sock))
            return ok(sock, message)
        return all_at_once(WELL * 2)(sock, message, count)
    go = together(mirror, serve)
    h = proxy(mirror, "pipeline=8")
    busy(h, mirror)
    for n, how in enumerate(["GET", method, "GET", "GET"]):
        assert h.request(how, f"/o/row{n}", [], body if n == 1 else None).status == 200
    wait_for("copies in the queue", lambda: h.mirror()["state"]["queued"] == 4)
    go()
    assert h.ended(6) == {"mirrored": 6}
    assert alone == [True, True]
    assert [copy.target for copy in mirror.requests[2:]] == [f"/o/row{n}" for n in range(4)]
    assert mirror.requests[3].body == (body or b"")
    assert mirror.connections == 1


def test_a_connection_that_has_answered_nothing_gets_no_row(proxy, mirror):
    """Each one is closed after its answer: nothing is sent twice."""
    gate = mirror.hold(then=answer(close=True))
    h = proxy(mirror, "pipeline=8")
    assert h.get_many(f"/o/{n}" for n in range(6)) == [200] * 6
    mirror.wait(1)
    wait_for("copies in the queue", lambda: h.mirror()["state"]["queued"] == 5)
    gate.set()
    assert h.ended(6) == {"mirrored": 6}
    assert [copy.target for copy in mirror.requests] == [f"/o/{n}" for n in range(6)]
    assert mirror.connections == 6


def test_without_keepalive_there_are_no_rows(proxy, mirror):
    """No connection is used a second time."""
    go = together(mirror, lambda sock, message, _: not has_more(sock) and ok(sock, message))
    h = proxy(mirror, "pipeline=8 keepalive=0")
    send_row(h, mirror, go)
    assert h.ended(6) == {"mirrored": 6}
    assert mirror.connections == 6


def test_a_row_has_its_places_in_the_queue(proxy, mirror):
    """What is on a connection, but for one, counts as if it waited for it."""
    gate = mirror.gate()
    go = together(mirror, lambda sock, message, _: gate.wait() and ok(sock, message))
    h = proxy(mirror, "pipeline=8 max_queue=4", expect=["PM0420"])
    send_row(h, mirror, go, 4)
    wait_for("copies in flight", lambda: h.mirror()["state"]["in_flight"] == 4)
    assert h.get_many(["/o/fifth", "/o/sixth"]) == [200] * 2
    assert h.outcomes() == {"mirrored": 2, "queue_full": 1}
    gate.set()
    assert h.ended(8) == {"mirrored": 7, "queue_full": 1}


# ---- answers ----

@pytest.mark.parametrize("size", [1, 2, 7, 40, 41, 43, 83])
def test_answers_in_pieces(proxy, mirror, size):
    """However the answers of a row are cut."""
    data = (WELL + b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
            + b"HTTP/1.1 204 None\r\n\r\n" + WELL)

    def serve(sock, _, count):
        if count == 4:
            for at in range(0, len(data), size):
                sock.sendall(data[at:at + size])
        return True
    go = together(mirror, serve)
    h = proxy(mirror, "pipeline=4")
    send_row(h, mirror, go)
    assert h.ended(6) == {"mirrored": 6}
    assert h.mirror()["responses"] == {"1xx": 1, "2xx": 5, "3xx": 0, "4xx": 1, "5xx": 0}
    assert_next_is_intact(h, mirror, 6, mirrored=6)
    assert mirror.connections == 1


def test_head_in_a_row(proxy, mirror):
    """Its answer has a length and no body (RFC 9110 9.3.2)."""
    go = together(mirror, all_at_once(WELL + WELL[:-3] + WELL, (3,)))
    h = proxy(mirror, "pipeline=4")
    busy(h, mirror)
    for n, method in enumerate(["GET", "HEAD", "GET"]):
        assert h.request(method, f"/o/row{n}").status == 200
    wait_for("copies in the queue", lambda: h.mirror()["state"]["queued"] == 3)
    go()
    assert h.ended(5) == {"mirrored": 5}
    assert_next_is_intact(h, mirror, 5, mirrored=5)
    assert mirror.connections == 1


def test_more_answers_than_copies(proxy, mirror):
    """The connection is not used again."""
    go = together(mirror, all_at_once(WELL * 5))
    h = proxy(mirror, "pipeline=4")
    send_row(h, mirror, go)
    assert h.ended(6) == {"mirrored": 6}
    assert_next_is_intact(h, mirror, 6, mirrored=6)
    assert mirror.connections == 2


def test_long_rows(proxy, mirror):
    """More than one writev takes."""
    go = together(mirror, all_at_once(WELL * 100, (100,)))
    h = proxy(mirror, "pipeline=100")
    send_row(h, mirror, go, 100)
    assert h.ended(102) == {"mirrored": 102}
    assert [copy.target for copy in mirror.requests[2:]] == [f"/o/row{n}" for n in range(100)]


def test_a_row_that_fills_the_socket(proxy, either):
    """What is left of it is written when there is room again."""
    mirror = either()
    read_on = mirror.gate()

    def serve(sock, _, count):
        if count == 1:
            read_on.wait()
        if count == 100:
            sock.sendall(WELL * 100)
        return True
    go = together(mirror, serve)
    h = proxy(mirror, "pipeline=100")
    busy(h, mirror)
    with h.client() as client:
        for n in range(100):
            assert client.get(f"/o/row{n}", [f"X-{name}: " + "x" * 8000 for name in "ABCDEFGH"]).status == 200
    wait_for("copies in the queue", lambda: h.mirror()["state"]["queued"] == 100)
    go()
    wait_for("copies in flight", lambda: h.mirror()["state"]["in_flight"] == 100)
    read_on.set()
    assert h.ended(102) == {"mirrored": 102}
    assert [copy.target for copy in mirror.requests[2:]] == [f"/o/row{n}" for n in range(100)]
    assert all(copy.header(f"X-{name}") == ["x" * 8000] for copy in mirror.requests[2:] for name in "ABCDEFGH")
    assert mirror.connections == 1


# ---- the end of a connection within a row ----

def closing(data: bytes, end):
    """Answers the row with `data`, and then ends the connection; whoever comes later is answered well."""
    def serve(sock, message, count):
        if count < 4:
            return True
        if count > 4:
            return ok(sock, message)
        sock.sendall(data)
        return end(sock)
    return serve


@pytest.mark.smoke
@pytest.mark.parametrize("how, data", [
    ("says so", WELL + WELL.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")),
    ("does not", WELL * 2),
])
def test_the_mirror_closes_it_in_the_middle(proxy, either, how, data):
    """What was not answered is sent once more, alone; what was is not."""
    mirror = either()
    go = together(mirror, closing(data, end_tls if isinstance(mirror, TlsRecorder) else lambda sock: False))
    h = proxy(mirror, "pipeline=4")
    send_row(h, mirror, go)
    assert h.ended(6) == {"mirrored": 6}
    again = [copy.target for copy in mirror.requests[6:]]
    assert sorted(again) == ["/o/row2", "/o/row3"]
    assert_next_is_intact(h, mirror, 6, mirrored=6)


def test_the_mirror_resets_it(proxy, mirror):
    """Before the first answer: all are sent once more, and no third time."""
    go = together(mirror, lambda sock, message, count: True if count < 4 else reset(sock) and False)
    h = proxy(mirror, "pipeline=4")
    send_row(h, mirror, go)
    assert h.ended(6) == {"mirrored": 2, "broken": 4}
    assert len(mirror.requests) == 2 + 2 * 4
    assert_next_is_intact(h, mirror, 6, mirrored=2, broken=4)


@pytest.mark.parametrize("fault", [b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"])
def test_an_answer_that_is_none(proxy, mirror, fault):
    """It is the end of its copy; those behind it cannot tell their answers from its rest, and are sent once more."""
    go = together(mirror, closing(WELL + fault + WELL * 2, lambda sock: True))
    h = proxy(mirror, "pipeline=4")
    send_row(h, mirror, go)
    assert h.ended(6) == {"mirrored": 5, "broken": 1}
    assert sorted(copy.target for copy in mirror.requests[6:]) == ["/o/row2", "/o/row3"]
    assert_next_is_intact(h, mirror, 6, mirrored=5, broken=1)


def test_an_answer_that_does_not_come(proxy, mirror):
    """All that wait for one on that connection have had their time."""
    go = together(mirror, closing(WELL, lambda sock: True))
    h = proxy(mirror, f"pipeline=4 timeout={int(scaled(1000))}ms")
    send_row(h, mirror, go)
    assert h.ended(6) == {"mirrored": 3, "timed_out": 3}
    assert len(mirror.requests) == 6
    mirror.wait_until("closed connection", lambda: mirror.open == 0)
    assert_next_is_intact(h, mirror, 6, mirrored=3, timed_out=3)


def test_the_end_of_the_child(proxy, mirror):
    go = together(mirror, closing(WELL, lambda sock: True))
    h = proxy(mirror, "pipeline=4", conf="ProxyMirrorDrainTimeout 500ms\n")
    send_row(h, mirror, go, 6)
    wait_for("the first answer", lambda: h.mirror()["outcomes"]["mirrored"] == 3)
    old = h.pids()
    h.graceful()
    wait_for("the old children to end", lambda: not set(h.pids()) & set(old), 20)
    assert h.ended(8) == {"mirrored": 3, "shut_down": 5}


def test_empty_lines_between_answers(proxy, mirror):
    """One before an answer is let pass, and is not the beginning of one: the third copy is no worse off than the fourth."""
    go = together(mirror, closing(b"\r\n" + WELL + b"\r\n" + WELL + b"\r\n", lambda sock: False))
    h = proxy(mirror, "pipeline=4")
    send_row(h, mirror, go)
    assert h.ended(6) == {"mirrored": 6}
    assert sorted(copy.target for copy in mirror.requests[6:]) == ["/o/row2", "/o/row3"]
    assert_next_is_intact(h, mirror, 6, mirrored=6)


def test_a_connection_that_is_closed_with_its_row(proxy, mirror):
    """One answer, that the mirror gave before it had read the second copy: what was not answered comes again."""
    go = together(mirror, lambda sock, message, count: ok(sock, message) and count > 1)
    h = proxy(mirror, "pipeline=4")
    send_row(h, mirror, go)
    assert h.ended(6) == {"mirrored": 6}
    assert [copy.target for copy in mirror.requests[:3]] == ["/o/first", "/o/busy", "/o/row0"]
    assert sorted(copy.target for copy in mirror.requests[3:]) == ["/o/row1", "/o/row2", "/o/row3"]


# ---- run time ----

def test_it_can_be_changed_at_run_time(httpd, origin, mirror):
    go = together(mirror, all_at_once(WELL * 4))
    h = httpd(MANAGER + location("/o/", origin, to(mirror, "max_connections=1")), children=1)
    assert attributes(h)["pipeline"] == 1
    refused(call(h, "PATCH", "m", {"pipeline": 101}), 400, "pipeline: must be an integer from 1 to 100, got 101")
    patch(h, {"pipeline": 4})
    assert attributes(h)["pipeline"] == 4
    send_row(h, mirror, go)
    assert h.ended(6) == {"mirrored": 6}
    assert mirror.connections == 1


def test_copies_with_other_settings_are_another_row(httpd, origin, mirror):
    """A row has one deadline, and so settings that are the same."""
    rows = []

    def serve(sock, message, count):
        rows.append((message.target, has_more(sock)))
        return ok(sock, message)
    go = together(mirror, serve)
    h = httpd(MANAGER + location("/o/", origin, to(mirror, "max_connections=1 pipeline=8")), children=1)
    busy(h, mirror)
    assert h.get("/o/row0").status == 200
    patch(h, {"timeout": "20s"})
    assert h.get("/o/row1").status == 200
    wait_for("copies in the queue", lambda: h.mirror()["state"]["queued"] == 2)
    go()
    assert h.ended(4) == {"mirrored": 4}
    assert rows == [("/o/row0", False), ("/o/row1", False)]


# ---- stranded ----

def assert_stranded_come_first(h, mirror, go) -> None:
    """A row of four ends with the first answer, while eight more copies wait: the other three are sent before these."""
    busy(h, mirror)
    assert h.get_many(f"/o/row{n}" for n in range(4)) == [200] * 4
    assert h.get_many(f"/o/late{n}" for n in range(8)) == [200] * 8
    wait_for("copies in the queue", lambda: h.mirror()["state"]["queued"] == 12)
    go()
    assert h.ended(14) == {"mirrored": 14}
    assert [copy.target for copy in mirror.requests[2:6]] == [f"/o/row{n}" for n in range(4)]
    again = [copy.target for copy in mirror.requests[6:]]
    assert sorted(again[:3]) == ["/o/row1", "/o/row2", "/o/row3"]


def test_stranded_copies_do_not_wait_for_those_that_came_later(proxy, mirror):
    """There is always something that waits: it does not get the connection before those that had one already."""
    go = together(mirror, closing(WELL, lambda sock: False))
    h = proxy(mirror, "pipeline=4")
    assert_stranded_come_first(h, mirror, go)


def test_stranded_copies_do_not_wait_for_lack_of_descriptors(httpd, origin, mirror, recorder):
    """The bound is not max_connections: another mirror hangs, with all connections but one that there may be."""
    limit = 96
    hanging = recorder()
    hanging.hold()
    go = together(mirror, closing(WELL, lambda sock: False))
    h = httpd(location("/o/", origin, to(mirror, "pipeline=4"))
              + location("/hang/", origin, to(hanging, f"max_connections={limit // 4 - 1} timeout=1min", "hanging")),
              children=1, wrapper=("prlimit", f"--nofile={limit}:{limit}"))
    assert h.get_many(["/hang/"] * (limit // 4 - 1)) == [200] * (limit // 4 - 1)
    hanging.wait(limit // 4 - 1)
    assert_stranded_come_first(h, mirror, go)
    assert mirror.connections == 4


# ---- whatever the mirror does ----

def linger(sock) -> bool:
    """Close it, but only when the other side has: with requests that were not read, its answers would be lost (RFC 9112
    9.6)."""
    sock.shutdown(socket.SHUT_WR)
    while sock.recv(65536):
        pass
    return False


def capricious(seed: int, answered: Counter):
    """Answers mostly well, in pieces of any size; else it closes, before, within or after an answer, or says what is none.
    What it does depends on the request and on how often that has come. `answered` counts whole answers by target."""
    came: Counter = Counter()

    def respond(sock, message):
        came[message.target] += 1
        rng = random.Random(f"{seed} {message.target} {came[message.target]}")
        good = rng.choice([b"HTTP/1.1 204 None\r\n\r\n", b"HTTP/1.1 103 Early\r\n\r\n" + WELL, WELL, WELL])
        if message.start.startswith("HEAD "):
            good = WELL[:-3]
        what = rng.randrange(40)
        if what < 3:
            sock.sendall([b"", good[:-1], b"what is none\r\n"][what])
            return linger(sock)
        if what == 3:
            good = b"HTTP/1.0 200 OK\r\n\r\n"
        answered[message.target] += 1
        size = rng.choice([1, 5, 100])
        for at in range(0, len(good), size):
            sock.sendall(good[at:at + size])
        return what > 4 or linger(sock)
    return respond


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_the_mirror_does(proxy, mirror, seed):
    """Each copy ends once, and as the mirror has answered it; what is idempotent comes, at most twice, and a POST at most
    once."""
    answered: Counter = Counter()
    mirror.answer = capricious(seed, answered)
    h = proxy(mirror, f"pipeline={4 * seed}")
    rng = random.Random(seed)
    methods = {f"/o/{n}": rng.choice(["GET"] * 8 + ["HEAD", "DELETE", "POST", "PUT"]) for n in range(300)}
    with h.client() as client:
        for target, method in methods.items():
            client.send(request(method, target, [], b"body" if method in ("POST", "PUT") else None, close=False))
            assert client.answer(method).status == 200
    outcomes = h.ended(300)
    assert set(outcomes) == {"mirrored", "broken"}
    came = Counter(copy.target for copy in mirror.requests)
    assert all(came[target] or method == "POST" for target, method in methods.items())
    assert all(came[target] <= (1 if method == "POST" else 2) for target, method in methods.items())
    assert max(answered.values()) == 1
    assert outcomes["mirrored"] == len(answered)
