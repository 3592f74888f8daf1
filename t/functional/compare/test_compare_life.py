"""Responses that go on, break off or never come, and a comparer that stands still: the client never waits, and memory is
given back."""
from __future__ import annotations

import os
import threading
import time

import pytest

from comparelab import (JSON, Events, both, compared, comparison, memory_is_back, plain, read_chunk, read_head,
                        same, skipped, twins, verdicts)
from httpdlab import free_port, location, scaled, to, wait_for
from managerlab import MANAGER
from recorder import answer
from wire import request, reset

PRELOADS = "comparer", "files"
MEMORY = "ProxyMirrorCompareMemory 1M\n"        # two bodies of 400,000 bytes, and no other one beside them
LONG = "compare_max_body=400000"
MANY = "max_queue=100000"
SIZE = 1000003
DATE = ("Date: x", "Server: y")


@pytest.fixture
def twin(httpd, recorder):
    def make(*lines, attributes=LONG, conf=MEMORY, **options):
        primary, mirror = recorder(), recorder()
        h = httpd(MANAGER + conf + twins(primary, mirror, *lines, attributes=attributes), **options)
        return h, primary, mirror
    return make


@pytest.fixture
def held(hold, preload, recorder, httpd):
    """Makes an httpd whose comparer stands still."""
    def make(attributes="", conf="", **options):
        primary, mirror = recorder(), recorder()
        hold.hold()
        h = httpd(MANAGER + conf + location("/o/", primary, to(mirror, f"compare=all {MANY} {attributes}")),
                  env={"HTTPD_PRELOAD": preload, "TEST_COMPARER": hold.path}, **options)
        return h, primary, mirror
    return make


# ---- responses that go on ----

@pytest.mark.smoke
@pytest.mark.parametrize("attributes, skip", [("compare_max_body=300", "too_large"), (f"compare_timeout=1s {LONG}", "timeout")])
def test_events(twin, attributes, skip):
    """Each event is with the client before the next one is sent; the pair ends before the response does."""
    h, primary, mirror = twin(attributes=attributes)
    mirror.answer = answer("200 OK", b"m" * 300000, ("Content-Type: text/event-stream",))
    for path in ("/o/s", "/p/s"):
        with Events(primary) as events, h.client() as client:
            client.send(request("GET", path))
            read_head(client)
            for n in range(6):
                event = b"data: %d %s\n\n" % (n, b"x" * 100)
                began = time.monotonic()
                events.give(event)
                assert read_chunk(client) == event
                assert time.monotonic() - began < scaled(1)
            data = compared(h, 1)
            assert skipped(data) == {skip: 1} and data["findings"] == []
    if skip == "timeout":
        memory_is_back(h, primary, mirror, 400000)


def test_two_responses_that_go_on(twin):
    """A mirror whose response never ends is let go of by its own timeout."""
    h, primary, mirror = twin(attributes=f"timeout=1s compare_timeout=10min {LONG}")
    gate = mirror.gate()

    def endless(sock, message):
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"m" * 300000)
        return gate.wait() and False
    mirror.answer = endless
    with Events(primary) as events, h.client() as client:
        client.send(request("GET", "/o/s"))
        read_head(client)
        events.give(b"data: 1\n\n")
        assert read_chunk(client) == b"data: 1\n\n"
        wait_for("the end of the copy", lambda: h.outcomes() == {"timed_out": 1})
        events.give(b"data: 2\n\n")
        assert read_chunk(client) == b"data: 2\n\n"
    assert skipped(compared(h, 1)) == {"no_answer": 1}
    memory_is_back(h, primary, mirror, 400000)


# ---- responses that break off ----

def test_client_that_leaves(twin):
    h, primary, mirror = twin(expect=["proxy_http:(error|warn)"])
    mirror.answer = answer("200 OK", b"x" * 300000)
    left, end = primary.gate(), primary.gate()

    def halves(sock, message):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 150000)
        left.wait()
        sock.sendall(b"x" * 20000)
        end.wait()
        sock.sendall(b"x" * 130000)
        return True
    primary.answer = halves
    client = h.client()
    client.send(request("GET", "/o/a"))
    read_head(client)
    client.stream.exactly(150000)
    reset(client.sock)
    left.set()
    data = compared(h, 1)
    end.set()
    assert skipped(data) == {"primary_incomplete": 1} and data["findings"] == [] and data["compared"] == 0
    memory_is_back(h, primary, mirror, 400000)


@pytest.mark.parametrize("head, part", [("Content-Length: 1000", b"x" * 500),
                                        ("Transfer-Encoding: chunked", b"1f4\r\n" + b"x" * 500 + b"\r\n")],
                         ids=["length", "chunked"])
def test_backend_that_breaks_off(twin, head, part):
    h, primary, mirror = twin(expect=["proxy_http:error", "proxy:error", "http:error"])
    mirror.answer = answer("200 OK", b"x" * 1000)

    def send(sock, message):
        sock.sendall(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + part)
        return False
    primary.answer = send
    raw = []
    for path in ("/o/a", "/p/a"):
        with h.client() as client:
            client.send(request("GET", path))
            raw.append(plain(client.stream.rest()))
    assert raw[0] == raw[1] and b"x" * 500 in raw[0]
    data = compared(h, 1)
    assert skipped(data) == {"primary_broken": 1} and data["findings"] == []
    memory_is_back(h, primary, mirror, 400000)


def test_mirror_that_breaks_off(twin):
    h, primary, mirror = twin()
    primary.answer = answer("200 OK", b"x" * 1000)

    def send(sock, message):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)
        return False
    mirror.answer = send
    assert same(h, "a").body == b"x" * 1000
    assert h.ended(1) == {"broken": 1}
    assert skipped(compared(h, 1)) == {"no_answer": 1}
    memory_is_back(h, primary, mirror, 400000)


def test_limits_of_a_body(twin):
    """A body of compare_max_body is compared, a longer one is not; headers and status are."""
    h, primary, mirror = twin(attributes="compare_max_body=1000")
    for n, size in enumerate((999, 1000)):
        both(primary, mirror, b"x" * size, b"x" * size)
        same(h, "a")
        assert verdicts(compared(h, n + 1)) == {"same": n + 1}
    both(primary, mirror, b"x" * 1001, b"x" * 1001)
    same(h, "a")
    assert skipped(compared(h, 3)) == {"too_large": 1}
    primary.answer = answer("200 OK", b"x" * 1001, ("X-A: 1",))
    same(h, "a")
    data = compared(h, 4)
    assert verdicts(data) == {"same": 2, "different": 1} and skipped(data) == {"too_large": 1}


# ---- what is not read ----

@pytest.mark.parametrize("module", ["cgi", "cgid"])
def test_cgi_that_writes_line_by_line(httpd, recorder, module):
    mirror = recorder()
    mirror.answer = answer("200 OK", b"other\n", ("Content-Type: text/plain", *DATE))
    h = httpd(lambda h: f"""{MANAGER}
        ScriptAlias /o/ "{h.root}/htdocs/"
        <Location "/o/">
            {to(mirror, "compare=all")}
        </Location>""", modules=[module])
    h.write("htdocs/lines", f"""#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
for n in 1 2 3; do
    echo line $n
    while [ ! -e {h.root}/htdocs/go.$n ]; do sleep 0.01; done
done
""", 0o755)
    with h.client() as client:
        client.send(request("GET", "/o/lines"))
        read_head(client)
        for n in (1, 2, 3):
            assert read_chunk(client) == b"line %d\n" % n
            h.write(f"htdocs/go.{n}", "")
    data = compared(h, 1)
    assert skipped(data) == {"streamed": 1} and data["findings"] == []


@pytest.mark.parametrize("size, calls", [(SIZE, {"sendfile"}), (100003, None)])
def test_static_file(httpd, recorder, control, preload, size, calls):
    """A file over compare_max_body is sent as it is; a shorter one is sent so, too, and a copy of its bucket is
    read, not mapped."""
    mirror = recorder()
    log = f"{control}/files"
    with open(log, "w", encoding="ascii"):
        os.chmod(log, 0o666)
    h = httpd(f'{MANAGER}EnableSendfile on\n<Location "/o">\n{to(mirror, "compare=all")}\n</Location>\n',
              env={"HTTPD_PRELOAD": preload, "TEST_FILES": log, "TEST_FILES_SIZE": str(size)})
    body = "x" * size
    for name in "op":
        h.write(f"htdocs/{name}", body)
    head = ("Last-Modified: x", "Accept-Ranges: bytes", "ETag: z", *DATE)
    mirror.answer = answer("200 OK", body.encode(), head)
    assert h.get("/p").body == body.encode()
    with open(log, encoding="ascii") as f:
        assert set(f.read().split()) == {"sendfile"}
    assert h.get("/o").body == body.encode()
    data = compared(h, 1)
    with open(log, encoding="ascii") as f:
        found = f.read().split()
    assert "sendfile" in found[1:] and set(found) - {"sendfile"} == set(calls or {"read"}) - {"sendfile"}
    if calls:
        assert "too_large" in skipped(data) or verdicts(data) == {"different": 1}
        assert not [row for one in data["findings"] for row in one["rows"] if row["field"].startswith("body")]


def test_file_that_is_cut_meanwhile(httpd, recorder):
    """Someone writes the file anew in its place. A copy out of a map would end the child (SIGBUS)."""
    mirror = recorder()
    h = httpd(f'{MANAGER}<Location "/o">\n{to(mirror, "compare=all")}\n</Location>\n')
    mirror.answer = answer("200 OK", b"x")
    h.write("htdocs/o", "x" * 200000)
    pids, over = set(h.pids()), threading.Event()

    def write() -> None:
        with open(h.path("htdocs/o"), "r+b", buffering=0) as f:
            while not over.is_set():
                f.truncate(0)
                for at in range(0, 200000, 1000):       # so that it is short for some time
                    os.pwrite(f.fileno(), b"x" * 1000, at)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(2000):
            try:
                h.get("/o")
            except Exception:  # pylint: disable=broad-except
                if set(h.pids()) != pids:           # else httpd itself has fewer bytes than announced
                    break
    finally:
        over.set()
        writer.join()
    assert set(h.pids()) == pids


# ---- mirrors that do not respond ----

def test_mirror_that_hangs(httpd, recorder):
    """The client has all responses before the first copy has timed out; each pair is skipped."""
    primary, mirror = recorder(), recorder()
    primary.answer = answer("200 OK", b"x" * 50000)
    mirror.hold()
    h = httpd(MANAGER + MEMORY + location("/o/", primary, to(mirror, f"compare=all timeout=3s max_connections=64 {MANY}")))
    assert h.get_many(["/o/a"] * 40) == [200] * 40
    before = comparison(h)
    assert h.outcomes() == {} and set(skipped(before)) == {"memory"}
    data = compared(h, 40)
    assert data["compared"] == 0 and set(skipped(data)) == {"no_answer", "memory"}
    assert h.ended(40) == {"timed_out": 40}
    mirror.release()
    memory_is_back(h, primary, mirror, 200000)


def test_mirror_that_is_down(httpd, recorder):
    """What is dropped while the mirror is known to be down is not chosen to be compared."""
    primary = recorder()
    h = httpd(MANAGER + location("/o/", primary, f'ProxyMirror "http://127.0.0.1:{free_port()}" name=m compare=all'),
              expect=["PM0400"])
    assert h.get("/o/a").status == 200
    assert skipped(compared(h, 1)) == {"no_answer": 1}
    assert h.get_many(["/o/a"] * 20) == [200] * 20
    assert h.ended(21) == {"unreachable": 21}
    data = comparison(h)
    assert data["compared"] == 0 and set(skipped(data)) == {"no_answer"} and data["verdict"] == "nothing"


# ---- a comparer that stands still ----

def test_queue_of_the_comparer_is_full(held, hold):
    h, primary, mirror = held()
    both(primary, mirror, b"x", b"x")
    assert h.get_many(["/o/a"] * 1300) == [200] * 1300
    assert h.ended(1300) == {"mirrored": 1300}
    before = comparison(h)
    assert before["compared"] == 0 and set(skipped(before)) == {"busy"}
    assert 0 < before["skipped"]["busy"] <= 1300 - 1024 + 16
    hold.release()
    data = compared(h, 1300)
    assert verdicts(data) == {"same": 1300 - before["skipped"]["busy"]}
    assert skipped(data) == {"busy": before["skipped"]["busy"]}


def test_memory_is_full(held, hold):
    """No copy is lost for want of memory to compare; when the comparer goes on, there is room again."""
    h, primary, mirror = held(LONG, conf=MEMORY)
    both(primary, mirror, b"x" * 20000, b"x" * 20000)
    assert h.get("/o/a").status == 200 and h.ended(1) == {"mirrored": 1}    # has memory before primaries take all of it
    assert h.get_many(["/o/a"] * 999) == [200] * 999
    assert h.ended(1000) == {"mirrored": 1000}
    assert set(skipped(comparison(h))) <= {"memory"}
    hold.release()
    data = compared(h, 1000)
    assert set(skipped(data)) == {"memory"} and data["verdicts"]["same"] == data["compared"] > 0
    memory_is_back(h, primary, mirror, 400000)


def test_stop_with_a_comparer_that_stands_still(held):
    """httpd ends in time."""
    h, primary, mirror = held()
    both(primary, mirror, b"x", b"y")
    assert h.get_many(["/o/a"] * 10) == [200] * 10
    assert h.ended(10) == {"mirrored": 10}
    h.stop()


def test_no_values_are_kept(httpd, recorder):
    """Neither of bodies nor of headers, neither of the primary nor of the mirror."""
    primary, mirror = recorder(), recorder()
    h = httpd(lambda h: f'ProxyMirrorLog "{h.root}/logs/mirror_log"\n{MANAGER}'
              + location("/o/", primary, to(mirror, "compare=all")))
    primary.answer = answer("200 OK", b'{"password": "XprimaryX", "list": ["XfirstX"]}', (JSON, "Set-Cookie: a=XcookieX"))
    mirror.answer = answer("200 OK", b'{"password": "XmirrorX", "list": ["XsecondX"]}', (JSON, "X-Token: XtokenX"))
    for _ in range(40):
        assert h.get("/o/a?secret=XqueryX").status == 200
    data = compared(h, 40)
    assert verdicts(data) == {"different": 40}
    line = wait_for("the log", lambda: '"compare"' in h.read("logs/mirror_log") and h.read("logs/mirror_log"))
    assert "body/password value" in line
    shown = str(data) + h.get("/mirror-status").raw.decode() + h.get("/mirror-status/mirrors").raw.decode() + h.log()
    for value in ("XprimaryX", "XmirrorX", "XfirstX", "XsecondX", "XcookieX", "XtokenX"):
        assert value not in shown and value not in line
    assert "XqueryX" not in shown
