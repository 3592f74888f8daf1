"""limit_count in Redis: shared by all nodes, and what happens while it does not answer."""
from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time

import pytest

from httpdlab import Httpd, get_until, location, scaled, to, wait_for
from marks import needs_threads
from recorder import Recorder
from redislab import LONG, needs_redis, patient, redis, wrk, wrk_until_limited  # noqa: F401, the fixture

pytestmark = needs_redis

KEY = "proxy-mirror:v1:m"
SILENT = r"PM0600: .*limit_fallback=\w+ applies"


def attributes(port: int, more: str = "") -> str:
    return patient(f"enable_limit_count=true policy=redis redis_host=127.0.0.1 redis_port={port} {more}")


def limit(h: Httpd, name: str = "m") -> dict:
    return h.mirror(name)["state"]["limit"]


@pytest.mark.smoke
def test_no_more_than_count_leave(httpd, origin, mirror, redis):
    server = redis()
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, "count=2"))))
    h.get_many(["/o/a"] * 7)
    assert h.ended(7) == {"mirrored": 2, "limited": 5}
    assert server.used(KEY) == 2
    assert 0 < server("PTTL", KEY) <= LONG * 1000
    assert limit(h)["used"] == 2 and limit(h)["closed_until"] and not limit(h)["fallback"]


def test_the_next_window_begins_when_the_key_is_gone(httpd, origin, mirror, redis):
    server = redis()
    seconds = int(scaled(2))
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, f"count=2 time_window={seconds}"))))
    h.get_many(["/o/a"] * 5)
    assert h.ended(5)["mirrored"] == 2
    get_until(h, "a second window", lambda: h.outcomes().get("mirrored", 0) == 4)
    assert server("PTTL", KEY) <= seconds * 1000


@pytest.mark.long
def test_exactly_count_over_two_httpds_with_four_children(httpd, origin, mirror, redis):
    server = redis()
    conf = location("/o/", origin, to(mirror, attributes(server.port, "count=3000 max_queue=100000")), conf="max=4")
    one, two = (httpd(conf, children=4) for _ in range(2))
    wrk_until_limited(one, two)
    assert sum(h.outcomes().get("mirrored", 0) for h in (one, two)) == 3000
    assert all(set(h.outcomes()) <= {"mirrored", "limited"} for h in (one, two))
    assert len(mirror.requests) == 3000
    assert server.used(KEY) == 3000


def test_a_window_that_is_used_up_is_not_asked_for_again(httpd, origin, mirror, redis):
    server = redis()
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, "count=1"))), children=4)
    while h.outcomes().get("limited", 0) <= 100:
        wrk(h)
        h.wait_idle()
    assert h.outcomes()["mirrored"] == 1
    assert server.calls("evalsha") + server.calls("eval") <= 2 * 4      # one for each child, and NOSCRIPT
    asked = server.calls("evalsha")
    wrk(h)
    assert server.calls("evalsha") == asked


@needs_threads
def test_copies_ask_together(httpd, origin, mirror, redis):
    server = redis()
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, "count=1000000 max_queue=100000"))))
    wrk(h)
    h.wait_idle()
    assert server.calls("evalsha") < h.outcomes()["mirrored"] / 2
    assert server.used(KEY) == h.outcomes()["mirrored"]


def test_a_copy_that_is_dropped_before_takes_nothing(httpd, origin, mirror, redis):
    server = redis()
    mirror.hold()
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, "count=100 max_connections=1 max_queue=1"))),
              expect=["PM0420: mirror m: "])
    h.get_many(["/o/a"] * 5)
    wait_for("the copies to be granted", lambda: server.used(KEY) == 2)
    assert h.outcomes() == {"queue_full": 3}
    mirror.release()
    assert h.ended(5) == {"mirrored": 2, "queue_full": 3}


def test_sampling_takes_nothing(httpd, origin, mirror, redis):
    server = redis()
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, "count=1000 sample_ratio=0.5"))))
    h.get_many(["/o/a"] * 200)
    outcomes = h.ended(200)
    assert outcomes["sampled_out"] + outcomes["mirrored"] == 200
    assert server.used(KEY) == outcomes["mirrored"]


# ---- the key ----

def test_a_key_without_expiry_is_healed(httpd, origin, mirror, redis):
    server = redis()
    server("SET", KEY, 5)
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, "count=2 time_window=60"))))
    h.get("/o/a")
    assert h.ended(1) == {"limited": 1}
    assert 0 < server("PTTL", KEY) <= 60000


def test_a_key_that_lives_longer_than_a_window_is_shortened(httpd, origin, mirror, redis):
    server = redis()
    server("SET", KEY, 5, "EX", 3600)
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, "count=2 time_window=60"))))
    h.get("/o/a")
    assert h.ended(1) == {"limited": 1}
    assert 0 < server("PTTL", KEY) <= 60000


def test_prefix_database_and_name_make_the_key(httpd, origin, mirror, redis):
    server = redis()
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, "redis_database=3 redis_key_prefix=x:"))))
    h.get("/o/a")
    assert h.ended(1) == {"mirrored": 1}
    assert server("DBSIZE") == 0
    assert "db3:keys=1" in server("INFO", "keyspace")
    assert server("MEMORY", "USAGE", "x:m") is None      # it is not in database 0


def test_a_script_that_was_flushed_is_sent_again(httpd, origin, mirror, redis):
    server = redis()
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, "count=100"))))
    for n in range(1, 4):
        h.get("/o/a")
        assert h.ended(n) == {"mirrored": n}
        server("SCRIPT", "FLUSH")
    assert server.calls("eval") == 3


def test_a_key_that_is_no_number_counts_as_no_answer(httpd, origin, mirror, redis):
    server = redis()
    server("RPUSH", KEY, "x")
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, "limit_fallback=drop"))),
              expect=[SILENT + "$"])
    h.get("/o/a")
    assert h.ended(1) == {"limit_failed": 1}
    assert h.log_lines("PM0600: .*WRONGTYPE")


# ---- logging in ----

USER = ["--user", "mirror", "on", ">hunter2", "~proxy-mirror:*", "+@all"]
# what the README says a user needs
LEAST = [*USER[:-1], "+evalsha", "+eval", "+get", "+incrby", "+pttl", "+pexpire"]


@pytest.mark.parametrize("options, more", [
    (["--requirepass", "hunter2"], "redis_password=hunter2"),
    (USER, "redis_username=mirror redis_password=hunter2"),
    (LEAST, "redis_username=mirror redis_password=hunter2"),
])
def test_password(httpd, origin, mirror, redis, options, more):
    server = redis(*options, password="hunter2" if "--requirepass" in options else "")
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, more))))
    h.get_many(["/o/a"] * 3)
    assert h.ended(3) == {"mirrored": 1, "limited": 2}
    assert server.used(KEY) == 1
    assert "hunter2" not in h.log()
    assert "hunter2" not in json.dumps(h.mirrors())
    assert h.mirror()["attributes"]["redis_password"] == "***"


@pytest.mark.parametrize("options, more, code", [
    (["--requirepass", "hunter2"], "redis_password=hunter3", "WRONGPASS"),
    (["--requirepass", "hunter2"], "", "NOAUTH"),
    ([], "redis_password=hunter2", "AUTH"),
    ([], "redis_database=99", "SELECT: ERR"),
    (["--user", "mirror", "on", ">hunter2", "~*", "+@all", "-@scripting"],
     "redis_username=mirror redis_password=hunter2", "NOPERM"),
    (["--user", "mirror", "on", ">hunter2", "~other:*", "+@all"],
     "redis_username=mirror redis_password=hunter2", "NOPERM|can't access|ACL"),
    (["--rename-command", "AUTH", ""], "redis_password=hunter2", "AUTH: ERR"),
])
def test_a_refused_login_is_no_answer(httpd, origin, mirror, redis, options, more, code):
    server = redis(*options, password="hunter2" if "--requirepass" in options else "")
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, more + " limit_fallback=drop"))),
              expect=[SILENT])
    h.get_many(["/o/a"] * 3)
    assert h.ended(3) == {"limit_failed": 3}
    lines = h.log_lines("PM0600")
    assert len(lines) == 1 and h.log_lines(f"PM0600: .*({code})")
    assert "hunter" not in h.log() + h.read("logs/stderr")


def test_mirrors_with_other_databases_share_no_connection(httpd, origin, mirror, redis):
    server = redis("--user", "a", "on", ">x", "~*", "+@all", "--user", "b", "on", ">y", "~*", "+@all")
    lines = [to(mirror, attributes(server.port, "redis_database=1"), "one"),
             to(mirror, attributes(server.port, "redis_database=2"), "two"),
             to(mirror, attributes(server.port, "redis_username=a redis_password=x"), "three"),
             to(mirror, attributes(server.port, "redis_username=b redis_password=y"), "four")]
    h = httpd(location("/o/", origin, *lines))
    h.get_many(["/o/a"] * 3)
    for name in ("one", "two", "three", "four"):
        assert h.ended(3, name) == {"mirrored": 1, "limited": 2}
    clients = sorted((line.split(" db=")[1].split()[0], line.split(" user=")[1].split()[0])
                     for line in server.clients())
    assert clients == [("0", "a"), ("0", "b"), ("1", "default"), ("2", "default")]


def write_program(h: Httpd, text: str) -> None:
    """A program for exec: (a shell does not run under every sanitizer's preload)."""
    h.write("tell", f"#!{sys.executable}\n{text}\n", 0o755)


def test_exec_prints_the_password_once_for_each_load(httpd, origin, mirror, redis):
    server = redis("--requirepass", "hunter2", password="hunter2")

    def conf(h: Httpd) -> str:
        write_program(h, f"print('x', file=open('{h.path('told')}', 'a'))\nprint('hunter2')\nprint('other')")
        return location("/o/", origin, to(mirror, attributes(
            server.port, f"count=100 redis_password=exec:{h.root}/tell")))
    h = httpd(conf)
    h.get("/o/a")
    assert h.ended(1) == {"mirrored": 1}
    assert h.read("told") == "x\n"
    write_program(h, "raise SystemExit(3)")
    h.expected.append("PM0610: redis_password: .*exited with status 3; the previous password remains in use")
    h.graceful()
    h.get("/o/a")
    assert h.ended(2) == {"mirrored": 2}
    assert "hunter2" not in h.log() + h.read("logs/stderr")


@pytest.mark.parametrize("script, why", [
    ("raise SystemExit(3)", "exited with status 3"), ("pass", "printed nothing"),
    ("import os; os.kill(os.getpid(), 9)", "was terminated by a signal"), (None, "cannot be run")])
def test_without_a_password_of_exec_there_is_no_start(origin, mirror, script, why):
    def conf(h: Httpd) -> str:
        if script:
            write_program(h, script)
        return location("/o/", origin, to(mirror, attributes(1, f"redis_password=exec:{h.root}/tell")))
    h = Httpd(conf)
    result = h.test_configuration()
    h.clean()
    assert result.returncode != 0
    assert "redis_password: must be a program that prints a password, got " in result.stderr
    assert why in result.stderr


def test_mod_info_does_not_show_the_password(httpd, origin, mirror, redis):
    server = redis("--requirepass", "hunter2", password="hunter2")
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, "redis_password=hunter2 count=7"))) +
              "ProxyMirrorDefaults redis_password=hunter2 count=8\n"
              "<Location /info>\nSetHandler server-info\n</Location>\n", modules=["info"])
    page = h.get("/info").body.decode()
    assert "count=7" in page and "count=8" in page and page.count("redis_password=***") >= 2
    assert "hunter2" not in page


# ---- no answer ----

@pytest.mark.parametrize("fallback, outcomes", [
    ("local", {"mirrored": 2, "limited": 5}), ("mirror", {"mirrored": 7}), ("drop", {"limit_failed": 7})])
def test_fallback(httpd, origin, mirror, redis, fallback, outcomes):
    server = redis()
    server.kill()
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, f"count=2 limit_fallback={fallback}"))),
              expect=[SILENT])
    h.get_many(["/o/a"] * 7)
    assert h.ended(7) == outcomes
    assert limit(h)["fallback"] is True
    assert limit(h)["used"] == (2 if fallback == "local" else 0)
    assert len(h.log_lines("PM0600")) == 1


@pytest.mark.parametrize("children", [1, 4])
def test_redis_is_killed_and_counts_again_when_it_is_back(httpd, origin, mirror, redis, children):
    server = redis()
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, "count=100000"))), children=children,
              expect=[SILENT])
    get_until(h, "counting", lambda: server.used(KEY) > 0)
    server.kill()
    get_until(h, "the fallback", lambda: limit(h)["fallback"])
    server.start()
    began = time.monotonic()
    get_until(h, "counting there again", lambda: server.used(KEY) > 0)
    assert time.monotonic() - began < scaled(2)
    get_until(h, "the end of the fallback", lambda: not limit(h)["fallback"])
    assert len(h.log_lines("PM0600")) == len(h.log_lines("PM0601")) == 1


def test_a_used_up_fallback_does_not_keep_from_asking(httpd, origin, mirror, redis):
    server = redis()
    server.kill()
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, "count=2"))), expect=[SILENT])
    get_until(h, "the fallback to be used up", lambda: h.outcomes().get("limited", 0) > 0)
    server.start()
    began = time.monotonic()
    get_until(h, "counting there", lambda: server.used(KEY) == 2)
    assert time.monotonic() - began < scaled(2)


def test_a_connection_that_redis_closed_is_made_anew_without_a_fallback(httpd, origin, mirror, redis):
    server = redis()
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, "count=100"))))
    for n in range(1, 4):
        h.get("/o/a")
        assert h.ended(n) == {"mirrored": n}
        server("CLIENT", "KILL", "TYPE", "normal")
    assert not h.log_lines("PM0600")


def test_a_connection_that_redis_closes_instead_of_an_answer_is_made_anew(httpd, origin, mirror):
    """It was open when the question was asked."""
    connections = []

    def serve(sock: socket.socket) -> None:
        connections.append(sock)
        while sock.recv(65536):
            if len(connections) == 1 and mirror.requests:
                return
            sock.sendall(b"*3\r\n:1\r\n:1\r\n:1000\r\n")
    server = Recorder(scaled(10), takeover=serve)
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, "count=100 limit_fallback=drop"))), children=1)
    for n in (1, 2):
        h.get("/o/a")
        assert h.ended(n) == {"mirrored": n}
    assert len(connections) == 2
    server.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_redis_by_name_and_by_address(httpd, origin, mirror, redis, host):
    server = redis()
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, "count=2").replace(
        "redis_host=127.0.0.1", f"redis_host={host}"))))
    h.get_many(["/o/a"] * 3)
    assert h.ended(3) == {"mirrored": 2, "limited": 1}
    assert server.used(KEY) == 2


def test_a_redis_whose_name_is_not_known_is_no_answer(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, attributes(1, "count=2").replace("127.0.0.1", "redis.invalid"))),
              expect=[SILENT], env={"RES_OPTIONS": "timeout:1 attempts:1"})
    h.get_many(["/o/a"] * 3)
    assert h.ended(3) == {"mirrored": 2, "limited": 1}
    assert h.log_lines("PM0600: .*redis.invalid:1: lookup")


@pytest.mark.parametrize("password", ["a b", 'a"b', "p'w", "p\u00e4ss", "x" * 500, "a=b,c", "100%{x}", "exec"])
def test_odd_passwords(httpd, origin, mirror, redis, password):
    server = redis("--requirepass", password, password=password)
    given = password.replace('"', '\\"')
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, f'count=2 "redis_password={given}"'))))
    h.get_many(["/o/a"] * 3)
    assert h.ended(3) == {"mirrored": 2, "limited": 1}
    assert server.used(KEY) == 2


def test_an_odd_prefix(httpd, origin, mirror, redis):
    server = redis()
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, 'count=2 "redis_key_prefix=a {b}\u00fc:"'))))
    h.get_many(["/o/a"] * 3)
    assert h.ended(3) == {"mirrored": 2, "limited": 1}
    assert server.used("a {b}\u00fc:m") == 2


def test_a_redis_that_hangs_is_given_up_and_clients_do_not_wait(httpd, origin, mirror, redis):
    server = redis()
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, "count=3 redis_timeout=1000"))),
              expect=[SILENT])
    h.get("/o/a")
    h.ended(1)
    server.pause()
    try:
        began = time.monotonic()
        h.get_many(["/o/a"] * 5)
        assert time.monotonic() - began < scaled(0.5)
        assert h.ended(6) == {"mirrored": 4, "limited": 2}
    finally:
        server.go_on()
    get_until(h, "Redis to answer again", lambda: not limit(h)["fallback"])


def drip(reply: bytes, pause: threading.Event, every: float):
    """A Redis that sends its replies one byte at a time."""
    def serve(sock: socket.socket) -> None:
        while sock.recv(65536):
            for i in range(len(reply)):
                sock.sendall(reply[i:i + 1])
                if pause.wait(every):
                    return
    return serve


def test_a_reply_that_drips_is_given_up_at_the_one_deadline(httpd, origin, mirror, recorder):
    stop = threading.Event()
    server = Recorder(scaled(10), takeover=drip(b"*3\r\n:1\r\n:1\r\n:" + b"0" * 400 + b"\r\n", stop, 0.05))
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, "redis_timeout=300 limit_fallback=drop"))),
              expect=[SILENT])
    began = time.monotonic()
    h.get("/o/a")
    assert h.ended(1) == {"limit_failed": 1}
    took = time.monotonic() - began
    assert 0.25 < took < scaled(0.6)
    stop.set()
    server.close()


@pytest.mark.parametrize("reply", [
    b"+OK\r\n", b":1\r\n", b"$-1\r\n", b"*-1\r\n", b"*2\r\n:1\r\n:1\r\n", b"*3\r\n:2\r\n:2\r\n:1000\r\n",
    b"*3\r\n:-1\r\n:1\r\n:1000\r\n", b"*3\r\n:1\r\n:1\r\n:-1\r\n", b"*3\r\n:1\r\n:1\r\n:99999999\r\n",
    b"*3\r\n$1\r\nx\r\n:1\r\n:1000\r\n", b"*3\r\n:0\r\n:0\r\n:1000\r\n", b"*17\r\n" + b":1\r\n" * 17,
    b"*1000000000\r\n", b"$70000\r\n" + b"x" * 70000 + b"\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"\r\n", b"",
    b"-LOADING Redis is loading the dataset in memory\r\n", b"-BUSY Redis is busy\r\n", b"-OOM command\r\n",
    b"-READONLY You can't write\r\n", b"*3\r\n:1\r\n:1\r\n:1000\r\n:7\r\n", b"*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"])
def test_a_wrong_reply_is_no_answer(httpd, origin, mirror, reply):
    def serve(sock: socket.socket) -> None:
        while sock.recv(65536) and reply:
            sock.sendall(reply)
    server = Recorder(scaled(10), takeover=serve)
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, "limit_fallback=drop redis_timeout=500"))),
              expect=[SILENT])
    h.get("/o/a")
    assert h.ended(1) == {"limit_failed": 1}
    server.close()


def test_numbers_may_be_strings(httpd, origin, mirror):
    def serve(sock: socket.socket) -> None:
        while sock.recv(65536):
            sock.sendall(b"*3\r\n$1\r\n1\r\n$1\r\n1\r\n$4\r\n1000\r\n")
    server = Recorder(scaled(10), takeover=serve)
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, "limit_fallback=drop"))))
    h.get("/o/a")
    assert h.ended(1) == {"mirrored": 1}
    server.close()


# ---- the rest of httpd ----

def test_a_cgi_program_has_no_connection_to_redis(httpd, origin, mirror, redis):
    server = redis()
    program = "#!/bin/sh\necho 'Content-Type: text/plain'\necho\nls -l /proc/self/fd\ncat /proc/net/tcp\n"

    def conf(h: Httpd) -> str:
        os.mkdir(h.path("cgi"))
        h.write("cgi/fds", program, 0o755)
        return (location("/o/", origin, to(mirror, attributes(server.port, "count=100"))) +
                f'ScriptAlias "/cgi/" "{h.root}/cgi/"\n<Directory "{h.root}/cgi">\nRequire all granted\n</Directory>\n')
    h = httpd(conf, modules=["cgi"], children=1)
    h.get("/o/a")
    assert h.ended(1) == {"mirrored": 1}
    assert len(server.clients()) == 1
    page = h.get("/cgi/fds").body.decode()
    remote = f"0100007F:{server.port:04X}"
    theirs = {line.split()[9] for line in page.splitlines() if f" {remote} 01 " in line}
    assert theirs, page
    assert not any(f"socket:[{inode}]" in page for inode in theirs)


def test_a_graceful_restart_goes_on_counting(httpd, origin, mirror, redis):
    server = redis()
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, "count=3"))))
    h.get_many(["/o/a"] * 2)
    h.ended(2)
    h.graceful()
    h.get_many(["/o/a"] * 4)
    assert h.ended(6) == {"mirrored": 3, "limited": 3}
    assert server.used(KEY) == 3


def test_copies_in_the_limit_are_ended_when_httpd_stops(httpd, origin, mirror, redis):
    server = redis()
    h = httpd(location("/o/", origin, to(mirror, attributes(server.port, "redis_timeout=60000"))) +
              "ProxyMirrorDrainTimeout 100ms\n")
    server.pause()
    try:
        h.get_many(["/o/a"] * 3)
        assert h.mirror()["state"]["queued"] == 3
        h.graceful()
        assert h.ended(3) == {"shut_down": 3}
    finally:
        server.go_on()
