"""ProxyMirrorLog: one line of JSON for each copy."""
from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import time

import pytest

from clients import run_together
from httpdlab import Httpd, location, scaled, to, wait_for
from recorder import answer, ok
from wire import request

KEYS = ["time", "mirror", "method", "uri", "request_id", "primary", "outcome", "response", "bytes"]
WITHOUT_LINE = ("disabled", "filtered", "sampled_out", "looped", "upgrade")
LOG = "logs/mirror_log"
ROTATELOGS = shutil.which("rotatelogs") or "/usr/bin/rotatelogs"


def logged(*parts: str):
    """A configuration with a log in a file."""
    return lambda h: "\n".join([f'ProxyMirrorLog "{h.path(LOG)}"', *parts])


def parse(text: str) -> list[dict]:
    lines = []
    for line in text.splitlines():
        assert len(line.encode()) < 4096
        lines.append(json.loads(line))
        assert list(lines[-1]) == KEYS
    return lines


def whole(text: str) -> str:
    """Without a line that is just being written."""
    return text[:text.rfind("\n") + 1]


def lines_of(h: Httpd, count: int, file: str = LOG) -> list[dict]:
    """All lines, once there are so many."""
    wait_for(f"{count} lines", lambda: h.read(file).count("\n") >= count)
    lines = parse(whole(h.read(file)))
    assert len(lines) == count, lines
    return lines


def outcomes_of(lines: list[dict]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for line in lines:
        counts[line["outcome"]] = counts.get(line["outcome"], 0) + 1
    return counts


@pytest.mark.smoke
@pytest.mark.valgrind
def test_a_line(httpd, recorder, origin):
    mirror = recorder(answer("503 Service Unavailable"))
    h = httpd(logged(location("/o/", origin, to(mirror))))
    before = time.time()
    assert h.request("POST", "/o/a?b=c", ["X-Request-Id: id-1"], b"hello").status == 200
    assert h.ended(1) == {"mirrored": 1}
    (line,) = lines_of(h, 1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["time"])
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(before))
    assert stamp <= line["time"][:19] <= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    assert (line["mirror"], line["method"], line["uri"], line["outcome"]) == ("m", "POST", "/o/a?b=c", "mirrored")
    assert line["request_id"] == "id-1"
    assert line["primary"]["status"] == 200 and 0 < line["primary"]["ms"] < scaled(20000)
    assert line["response"]["status"] == 503 and 0 < line["response"]["ms"] < scaled(20000)
    assert line["bytes"] == len(mirror.requests[0].raw)


def test_each_line_while_httpd_runs(httpd, origin, mirror):
    """A line is in the file soon, with nothing else going on."""
    h = httpd(logged(location("/o/", origin, to(mirror))))
    for n in range(1, 4):
        assert h.get(f"/o/{n}").status == 200
        assert lines_of(h, n)[-1]["uri"] == f"/o/{n}"


def test_what_the_client_was_answered(httpd, recorder, mirror):
    h = httpd(logged(location("/o/", recorder(answer("404 Not Found")), to(mirror))))
    assert h.get("/o/a").status == 404
    (line,) = lines_of(h, 1)
    assert line["primary"]["status"] == 404 and line["request_id"] is None


def test_unknown_when_the_copy_leaves_first(httpd, origin, mirror):
    gate = origin.hold()
    h = httpd(logged(location("/o/", origin, to(mirror, "when=request"))))
    with h.client() as client:
        client.send(request("GET", "/o/a", [], None))
        (line,) = lines_of(h, 1)
        gate.set()
        assert client.answer().status == 200
    assert line["primary"] is None and line["response"]["status"] == 200


def test_request_id_is_mod_unique_id_s_first(httpd, origin, mirror):
    h = httpd(logged(location("/o/", origin, to(mirror)), 'LogFormat "%{UNIQUE_ID}e" id', 'CustomLog logs/access_log id'),
              ["unique_id"])
    assert h.get("/o/a", ["X-Request-Id: client"]).status == 200
    (line,) = lines_of(h, 1)
    wait_for("the access log", lambda: "\n" in h.read("logs/access_log"))
    assert line["request_id"] == h.read("logs/access_log").splitlines()[0]


def test_which_outcomes_have_a_line(httpd, recorder, origin, mirror):
    """Each copy that was wanted has one, refused ones as well; what was chosen not to be copied has none."""
    dead, mute = recorder(listen=False), recorder()
    mute.hold()
    h = httpd(logged(location("/ok/", origin, to(mirror, "max_body=10 enable_limit_count=on count=2 time_window=3600")),
                     location("/dead/", origin, to(dead, "retry=1h", "dead")),
                     location("/late/", origin, to(mute, "timeout=100ms max_connections=1 max_queue=0", "late")),
                     location("/off/", origin, to(mirror, "enabled=off", "off")),
                     location("/some/", origin, to(mirror, "sample_ratio=0", "some")),
                     location("/post/", origin, to(mirror, "methods=POST", "post")),
                     location("/5xx/", origin, to(mirror, "status=5xx", "fault")),
                     location("/loop/", origin, to(mirror, "", "loop"))), children=1, expect=["PM0400", "PM0420"])
    for _ in range(4):
        assert h.get("/ok/a").status == 200
        h.ended(h.mirror()["seen"])
    assert h.request("POST", "/ok/b", [], b"x" * 11).status == 200
    assert h.get_many(["/dead/a"]) == [200]
    assert h.ended(1, "dead") == {"unreachable": 1}
    assert h.get_many(["/dead/b", "/off/a", "/some/a", "/post/a", "/5xx/a"]) == [200] * 5
    assert h.get_many(["/late/a", "/late/b"]) == [200] * 2
    assert h.get("/loop/a", ["X-Proxy-Mirror: lab"]).status == 200
    h.wait_idle()
    mirrors = h.mirrors()
    assert {o for m in mirrors.values() for o, n in m["outcomes"].items() if n} == {
        "mirrored", "limited", "too_large", "unreachable", "timed_out", "queue_full", "disabled", "sampled_out",
        "filtered", "looped"}
    wanted = {name: {o: n for o, n in m["outcomes"].items() if n and o not in WITHOUT_LINE} for name, m in mirrors.items()}
    lines = lines_of(h, sum(n for outcomes in wanted.values() for n in outcomes.values()))
    for name, outcomes in wanted.items():
        assert outcomes_of([line for line in lines if line["mirror"] == name]) == outcomes
    for line in lines:
        assert (line["response"] is not None) == (line["outcome"] == "mirrored")
        assert (line["bytes"] > 0) == (line["outcome"] in ("mirrored", "timed_out") or line["uri"] == "/dead/a"), line


def test_a_body_that_was_broken_off(httpd, origin, mirror):
    h = httpd(logged(location("/o/", origin, to(mirror))), expect=["AH01095"])
    with h.client() as client:
        client.send(b"POST /o/a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        wait_for("the request", lambda: h.mirror()["seen"] == 1)
    assert h.ended(1) == {"incomplete": 1}
    assert lines_of(h, 1)[0]["outcome"] == "incomplete"


def test_a_line_for_each_of_several_copies(httpd, origin, mirror, recorder):
    other = recorder()
    h = httpd(logged(location("/o/", origin, to(mirror, "copies=3"), to(other, "", "n"))))
    assert h.get("/o/a").status == 200
    assert h.ended(3) == {"mirrored": 3}
    lines = lines_of(h, 4)
    assert sorted(line["mirror"] for line in lines) == ["m", "m", "m", "n"]
    assert len({line["time"] for line in lines}) == 1


def test_the_client_s_uri_over_an_internal_redirect(httpd, origin, mirror):
    def conf(h: Httpd) -> str:
        rewrite = f'<Directory "{h.path("htdocs")}">\nRewriteEngine On\nRewriteRule "^first" "/o/second" [L]\n</Directory>'
        return logged(location("/o/", origin, to(mirror, "path=/else")), rewrite)(h)
    h = httpd(conf)
    assert h.get("/first?x=1").status == 200
    assert lines_of(h, 1)[0]["uri"] == "/first?x=1"


@pytest.mark.parametrize("uri, seen", [("/o/%C3%BC\"", '/o/%C3%BC"'), ("/o/ü", "/o/ü"), ("/o/\\", "/o/\\")])
def test_strange_uris(httpd, origin, mirror, uri, seen):
    h = httpd(logged(location("/o/", origin, to(mirror)), "HttpProtocolOptions Unsafe"))
    h.exchange(f"GET {uri} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert lines_of(h, 1)[0]["uri"] == seen


def test_what_is_not_utf8(httpd, origin, mirror):
    h = httpd(logged(location("/o/", origin, to(mirror)), "HttpProtocolOptions Unsafe"))
    h.exchange(b"GET /o/\xff\xc3 HTTP/1.1\r\nHost: a\r\nX-Request-Id: \xfe\r\n\r\n")
    (line,) = lines_of(h, 1)
    assert (line["uri"], line["request_id"]) == ("/o/\\xff\\xc3", "\\xfe")


def test_control_characters(httpd, origin, mirror):
    """Those beyond ASCII, too: the file has a line for each copy, whoever reads it."""
    h = httpd(logged(location("/o/", origin, to(mirror))))
    controls = "\x80\x85\x9b\u2028\u2029\u202e\u2066"
    h.exchange(f"GET /o/{controls} HTTP/1.1\r\nHost: a\r\nX-Request-Id: {controls}\r\n\r\n".encode())
    (line,) = lines_of(h, 1)
    assert (line["uri"], line["request_id"]) == (f"/o/{controls}", controls)
    with open(h.path(LOG), "rb") as file:
        assert file.read().isascii()


def test_long_lines(httpd, origin, mirror):
    """However long what a client sends is, and whatever has to be escaped: 4096 bytes."""
    h = httpd(logged(location("/o/", origin, to(mirror)), "HttpProtocolOptions Unsafe"))
    for character in (b"a", b'"', b"\xff"):
        h.exchange(b"GET /o/" + character * 8000 + b" HTTP/1.1\r\nHost: a\r\nX-Request-Id: " + character * 8000 + b"\r\n\r\n")
    assert h.ended(3) == {"mirrored": 3}
    lines = lines_of(h, 3)
    data = open(h.path(LOG), "rb").read().splitlines(keepends=True)
    assert all(4000 < len(line) <= 4096 for line in data)
    assert {line["uri"][:4] for line in lines} == {"/o/a", '/o/"', "/o/\\"}


# ---- where it goes ----

def test_virtual_hosts(httpd, origin, mirror):
    """A virtual host's own log, or that of the main server."""
    def conf(h: Httpd) -> str:
        own = location("/o/", origin, to(mirror, "", "own")) + f'ProxyMirrorLog "{h.path("logs/own")}"'
        return "\n".join([f'ProxyMirrorLog "{h.path(LOG)}"', to(mirror),
                          f"<VirtualHost *:{h.port}>\nServerName inherits\nProxyPass /o/ {origin.url}/\n</VirtualHost>",
                          f"<VirtualHost *:{h.port}>\nServerName own\n{own}\n</VirtualHost>"])
    h = httpd(conf)
    for n, host in enumerate(["inherits", "own", "own"]):
        h.exchange(f"GET /o/{n} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert [line["uri"] for line in lines_of(h, 1)] == ["/o/0"]
    assert {(line["mirror"], line["uri"]) for line in lines_of(h, 2, "logs/own")} == {("own", "/o/1"), ("own", "/o/2")}


def test_off_by_default(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror)))
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert sorted(os.listdir(h.path("logs"))) == ["error_log", "stderr"]


def test_a_relative_file_is_below_server_root(httpd, origin, mirror):
    h = httpd(f"ProxyMirrorLog {LOG}\n" + location("/o/", origin, to(mirror)))
    assert h.get("/o/a").status == 200
    lines_of(h, 1)


def processes(word: str) -> list[str]:
    """Those that have the word in their command."""
    out = subprocess.run(["ps", "-eo", "args="], capture_output=True, text=True, check=False).stdout
    return [line for line in out.splitlines() if word in line]


def test_rotatelogs(httpd, origin, mirror):
    """Lines come out whole, and again after graceful restarts; the program is not left behind."""
    def conf(h: Httpd) -> str:
        return (f'ProxyMirrorLog "|{ROTATELOGS} -L {h.path(LOG)} {h.path("logs/mirror.%s")} 86400"\n' +
                location("/o/", origin, to(mirror)))
    h = httpd(conf, expect=["long lost child came home"])     # httpd ends it at a restart, and then does not know it any more
    for n in range(3):
        assert h.get(f"/o/{n}").status == 200
        assert lines_of(h, n + 1)[-1]["uri"] == f"/o/{n}"
        h.graceful()
    wait_for("the program", lambda: any(ROTATELOGS in command for command in processes(h.root)))
    h.stop()
    wait_for("the program to end", lambda: not processes(h.root))


def test_a_graceful_restart_opens_files_anew(httpd, origin, mirror):
    h = httpd(logged(location("/o/", origin, to(mirror))))
    assert h.get("/o/a").status == 200
    lines_of(h, 1)
    os.rename(h.path(LOG), h.path("logs/old"))
    h.graceful()
    assert h.get("/o/b").status == 200
    assert lines_of(h, 1)[0]["uri"] == "/o/b"
    assert lines_of(h, 1, "logs/old")[0]["uri"] == "/o/a"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGWINCH])
def test_nothing_is_left_in_the_buffer_at_the_end(httpd, origin, mirror, number):
    h = httpd(logged(location("/o/", origin, to(mirror))))
    assert h.get_many(f"/o/{n}" for n in range(20)) == [200] * 20
    assert h.ended(20) == {"mirrored": 20}
    h.stop(number)
    assert {line["uri"] for line in parse(h.read(LOG))} == {f"/o/{n}" for n in range(20)}


def test_what_the_end_of_a_child_leaves_unsent(httpd, origin, mirror):
    mirror.hold()
    h = httpd(logged("ProxyMirrorDrainTimeout 100ms", location("/o/", origin, to(mirror))), children=1)
    assert h.get("/o/a").status == 200
    wait_for("the copy", lambda: mirror.requests)
    h.stop()
    assert outcomes_of(parse(h.read(LOG))) == {"shut_down": 1}


def test_many_children_share_a_pipe(httpd, origin, mirror):
    """No line is torn, and none is missing or double, over a graceful restart in the middle."""
    h = httpd(lambda h: f'ProxyMirrorLog "|/bin/dd of={h.path(LOG)} bs=4096 oflag=append conv=notrunc status=none"\n' +
              location("/o/", origin, to(mirror, "max_queue=100000")), children=4)
    long = "x" * 200
    run_together(8, lambda n: h.get_many(f"/o/{n}-{i}-{long}" for i in range(100)))
    assert h.ended(800) == {"mirrored": 800}
    lines = lines_of(h, 800)
    assert {line["uri"] for line in lines} == {f"/o/{n}-{i}-{long}" for n in range(8) for i in range(100)}


def test_a_file_has_every_line_over_a_graceful_restart(httpd, origin, mirror):
    h = httpd(logged(location("/o/", origin, to(mirror, "max_queue=100000"))), children=2)
    h.get_many(f"/o/a-{i}" for i in range(200))
    h.graceful()
    h.get_many(f"/o/b-{i}" for i in range(200))
    assert h.ended(400) == {"mirrored": 400}
    assert len({line["uri"] for line in lines_of(h, 400)}) == 400


# ---- what takes nothing, or is not there ----

def fifo(h: Httpd) -> str:
    os.mkfifo(h.path("logs/fifo"))
    return h.path("logs/fifo")


def read_all(fd: int) -> bytes:
    data = b""
    while True:
        try:
            data += os.read(fd, 1 << 20)
        except BlockingIOError:
            return data


def test_a_reader_that_stands_still(httpd, origin, mirror):
    """Neither clients nor copies notice; what there is no room for is counted in one line; then it goes on."""
    made: list[int] = []

    def conf(h: Httpd) -> str:
        made.append(os.open(fifo(h), os.O_RDWR | os.O_NONBLOCK))
        return f'ProxyMirrorLog "{h.path("logs/fifo")}"\n' + location("/o/", origin, to(mirror, "max_queue=100000"))
    h = httpd(conf, children=1, expect=["PM0800"])
    (fd,) = made
    long = "x" * 3500
    assert set(h.get_many(f"/o/{n}-{long}" for n in range(200))) == {200}
    assert h.ended(200) == {"mirrored": 200}
    wait_for("the line in the log", lambda: h.log_lines("PM0800"))
    assert h.mirror()["state"]["bytes"] == 0
    data = bytearray(read_all(fd))

    def has_more() -> bool:
        data.extend(read_all(fd))
        return data.count(b"\n") >= 60
    wait_for("what was in the buffer", has_more)
    assert h.get("/o/last").status == 200

    def has_last() -> bool:
        data.extend(read_all(fd))
        return b"/o/last" in data
    wait_for("the next line", has_last)
    lines = parse(data.decode())
    assert 60 < len(lines) < 200
    assert len({line["uri"] for line in lines}) == len(lines)
    assert len(h.log_lines("PM0800")) == 1
    os.close(fd)


def test_an_end_with_a_reader_that_stands_still(httpd, origin, mirror):
    made: list[int] = []

    def conf(h: Httpd) -> str:
        made.append(os.open(fifo(h), os.O_RDWR | os.O_NONBLOCK))
        return f'ProxyMirrorLog "{h.path("logs/fifo")}"\n' + location("/o/", origin, to(mirror, "max_queue=100000"))
    h = httpd(conf, children=1, expect=["PM0800"])
    assert set(h.get_many(f"/o/{n}-{'x' * 3500}" for n in range(40))) == {200}
    assert h.ended(40) == {"mirrored": 40}
    h.stop(seconds=10)
    (line,) = h.log_lines("PM0802")
    dropped = int(re.search(r"(\d+) lines were dropped", line)[1])
    assert len(parse(read_all(made[0]).decode())) == 40 - dropped and dropped > 0
    os.close(made[0])


def test_a_program_that_ends_is_started_again(httpd, origin, mirror):
    """httpd does so; a reader that is gone for a moment stops nothing."""
    def conf(h: Httpd) -> str:
        script = h.write("take-one", f"#!/bin/sh\nread line\necho \"$line\" >> {h.path(LOG)}\n", 0o755)
        # a sanitizer's runtime is for httpd alone
        return f'ProxyMirrorLog "|/usr/bin/env -u LD_PRELOAD {script}"\n' + location("/o/", origin, to(mirror))
    h = httpd(conf, children=1, expect=["AH00106"])
    assert h.get("/o/a").status == 200
    lines_of(h, 1)
    wait_for("httpd to notice", lambda: h.log_lines("AH00106"))
    assert h.get("/o/b").status == 200
    assert [line["uri"] for line in lines_of(h, 2)] == ["/o/a", "/o/b"]


def unopenable(h: Httpd) -> None:
    """Instead of the log there is something that cannot be opened, even by root."""
    if os.path.exists(h.path(LOG)):
        os.unlink(h.path(LOG))
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(h.path(LOG))
    assert stat.S_ISSOCK(os.stat(h.path(LOG)).st_mode)


def test_httpd_does_not_start_without_its_log(mirror):
    h = Httpd(logged(to(mirror)), expect=["PM0810"])
    try:
        unopenable(h)
        assert h.test_configuration().returncode == 0
        with pytest.raises(AssertionError, match="PM0810: ProxyMirrorLog"):
            h.start()
    finally:
        h.clean()


def test_a_reload_goes_on_without_a_log_that_cannot_be_opened(httpd, origin, mirror):
    h = httpd(logged(location("/o/", origin, to(mirror))), expect=["PM0810"])
    assert h.get("/o/a").status == 200
    lines_of(h, 1)
    unopenable(h)
    h.graceful()
    assert h.get("/o/b").status == 200
    assert h.ended(2) == {"mirrored": 2}
    assert h.log_lines("PM0810")
    os.unlink(h.path(LOG))
    h.graceful()
    assert h.get("/o/c").status == 200
    assert lines_of(h, 1)[0]["uri"] == "/o/c"


@pytest.mark.parametrize("line", ["ProxyMirrorLog gone/mirror_log", "ProxyMirrorSpool {root}/gone"])
def test_a_reload_goes_on_without_its_folder(httpd, origin, mirror, line):
    """-t says so; a server that is told to reload all the same does not end because of a folder."""
    h = httpd(location("/o/", origin, to(mirror)), expect=["PM0810: ProxyMirrorLog gone/", "PM0500"])
    os.mkdir(h.path("gone"))
    h.own("gone")
    h.conf = line.format(root=h.root) + "\n" + h.conf
    h.configure()
    h.graceful()
    shutil.rmtree(h.path("gone"))
    assert h.test_configuration().returncode != 0
    h.graceful()
    assert h.get("/o/b").status == 200
    assert h.ended(1) == {"mirrored": 1}
    wait_for("a line in the log", lambda: h.log_lines("PM0810|PM0500"))


def test_lines_are_charged_and_given_back(httpd, origin, mirror):
    """The memory of lines of copies is that of the copies; with none left there is room for copies without lines."""
    h = httpd(logged("ProxyMirrorMemory 1M", location("/o/", origin, to(mirror, "max_queue=100000"))), children=1)
    gate = mirror.hold()
    long = "x" * 3000
    assert set(h.get_many(f"/o/{n}-{long}" for n in range(60))) == {200}
    assert h.mirror()["state"]["bytes"] > 60 * 2 * len(long)        # once for the head, once for the line
    gate.set()
    mirror.answer = ok
    assert h.ended(60) == {"mirrored": 60}
    assert h.mirror()["state"]["bytes"] == 0
    lines_of(h, 60)
