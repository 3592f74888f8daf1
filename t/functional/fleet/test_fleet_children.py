"""A node with many children: whichever are killed or old, one follows the fleet; and what nodes ask their store."""
from __future__ import annotations

import os
import signal
import socket
import statistics
import threading
import time

import pytest

import httpdlab
from fleetlab import INDEX, change, holds, in_force, node, state    # noqa: F401, the fixture
from httpdlab import MODDIR, TIMESCALE, Httpd, wait_for
from redislab import Redis, needs_redis, redis        # noqa: F401, the fixture

pytestmark = needs_redis


@pytest.fixture(params=["event", "worker", "prefork"])
def mpm(request, monkeypatch) -> str:
    if not os.path.exists(f"{MODDIR}/mod_mpm_{request.param}.so"):
        pytest.skip(f"this httpd has no {request.param}")
    if request.param == "prefork" and "tsan" in os.environ.get("HTTPD_PRELOAD", ""):
        pytest.skip("ThreadSanitizer reports each handler of a signal that allocates, as prefork's own does")
    monkeypatch.setattr(httpdlab, "MPM", request.param)
    monkeypatch.setattr(httpdlab, "THREADED", request.param != "prefork")
    return request.param


def inodes(pid: int) -> set[str]:
    """The sockets of a process."""
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except OSError:
            pass
    return {target[8:-1] for target in found if target.startswith("socket:[")}


def leader(h: Httpd, server: Redis) -> int | None:
    """The child with the connection that CLIENT LIST names."""
    ports = {int(line.split(" addr=127.0.0.1:")[1].split()[0]) for line in server.clients() if "cmd=h" in line}
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.read().splitlines()[1:]]
    ours = {row[9] for row in rows if int(row[1].split(":")[1], 16) in ports}
    for pid in h.pids():
        try:
            if inodes(pid) & ours:
                return pid
        except OSError:
            pass
    return None


class Watch:
    """Looks at the connections of nodes until the test ends. Two that overlap for over three seconds are both older than that."""

    def __init__(self, server: Redis, nodes: int) -> None:
        self.server, self.nodes = server, nodes
        self.over, self.looks, self.wrong = threading.Event(), 0, []
        self.thread = threading.Thread(target=self._look)
        self.thread.start()

    def _look(self) -> None:
        while not self.over.wait(0.05):
            old = [line for line in self.server.clients() if int(line.split(" age=")[1].split()[0]) > 3 * TIMESCALE]
            self.looks += 1
            if len(old) > self.nodes:
                self.wrong.append(old)

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_) -> None:
        self.over.set()
        self.thread.join()


def followed(h: Httpd, what: dict) -> bool:
    """Whether it is in force on a node of which children end, and connections with them."""
    try:
        return holds(h, what)
    except (ConnectionError, EOFError):
        return False


SPARE = "MinSpareThreads 1000\nMaxSpareThreads 2000\n"      # a child that was killed is replaced


@pytest.mark.long
def test_half_of_the_children_are_killed_while_changes_go_on(node, mpm):
    """Each time the leader among them; the next change is in force within three seconds."""
    spare = {} if mpm == "prefork" else {"more": SPARE, "expect": ["AH00287", "AH1039[23]"]}
    one, two = node(children=1), node(children=8, **spare)
    with Watch(node.server, 2) as watch:
        for n in range(2, 8):
            pid = wait_for("a leader", lambda: leader(two, node.server))
            children = two.pids()
            victims = [pid, *[child for child in children if child != pid][:len(children) // 2 - 1]]
            for victim in victims:
                os.kill(victim, signal.SIGKILL)
            wanted = {"count": n, "max_queue": n}
            change(one, wanted)
            wait_for("the change", lambda: followed(two, wanted), 3)
            assert len(victims) == 4
            wait_for("all children", lambda: len(two.listeners()) == 8, 20)
        two.graceful()
        change(one, {"count": 9})
        in_force(two, {"count": 9}, 1)
        wait_for("one connection of each node", lambda: len(node.server.clients()) == 2, 3)
    assert watch.looks > 10 and not watch.wrong


@pytest.mark.long
@pytest.mark.parametrize("mpm", ["prefork"], indirect=True)
def test_only_the_last_of_many_children_are_left(node, mpm):
    """No child is made in place of the others, as there are spare ones. A child of any number follows the fleet."""
    one = node(children=1)
    two = node(more="MinSpareServers 1\nMaxSpareServers 40\n", children=24)
    for child in sorted(two.pids())[:-3]:
        os.kill(child, signal.SIGKILL)
    wait_for("three children", lambda: len(two.pids()) == 3)
    change(one, {"count": 2})
    in_force(two, {"count": 2}, 6)
    assert len(two.pids()) <= 4


class Monitor:
    """What a server is asked: (seconds, address of the client, words)."""

    def __init__(self, server: Redis) -> None:
        self.sock = socket.create_connection(("127.0.0.1", server.port), 30)
        self.sock.sendall(b"MONITOR\r\n")
        self.lines: list[tuple[float, str, list[str]]] = []
        stream = self.sock.makefile("r", encoding="utf-8", errors="replace")
        assert stream.readline() == "+OK\n"
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream) -> None:
        try:
            for line in stream:
                when, _, rest = line[1:].partition(" ")
                client, _, words = rest.partition("] ")
                self.lines.append((float(when), client.split()[-1], [word.strip('"') for word in words.split()]))
        except (OSError, ValueError):
            pass

    def close(self) -> None:
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


@pytest.mark.long
def test_what_an_idle_node_asks(node):
    """In ten seconds 23 small commands, and two others."""
    node(children=4)
    wait_for("polls", lambda: node.server.calls("hmget") >= 3)
    monitor = Monitor(node.server)
    start = time.monotonic()
    wait_for("ten seconds of polls", lambda: time.monotonic() > start + 10, 20)
    monitor.close()
    commands = [words[0].upper() for _, client, words in list(monitor.lines) if client != "lua"]
    assert 5 <= commands.count("HMGET") <= 23 and len(commands) - commands.count("HMGET") <= 2, commands


@pytest.mark.long
def test_twenty_nodes_do_not_read_a_change_at_once(node):
    nodes = [node(children=1) for _ in range(20)]
    change(nodes[0], {"count": 2})
    wait_for("all nodes", lambda: state(nodes[0])["nodes"]["in_force"] == 20, 10)
    monitor = Monitor(node.server)
    change(nodes[0], {"count": 3})
    for h in nodes:
        in_force(h, {"count": 3}, 2)
    wait_for("all nodes", lambda: state(nodes[0])["nodes"]["in_force"] == 20, 10)
    wait_for("the monitor to tell of them", lambda: len({client for _, client, words in list(monitor.lines)
                                                         if words[0].upper() == "HSCAN" and words[1] == INDEX}) >= 20)
    monitor.close()
    polled, reads = {}, {}
    for when, client, words in list(monitor.lines):
        if words[0].upper() == "HMGET":
            polled[client] = when
        elif words[0].upper() == "HSCAN" and words[1] == INDEX and client not in reads:
            reads[client] = (when, when - polled[client])
    assert len(reads) == 20, reads
    times = [when for when, _ in reads.values()]
    assert max(times) - min(times) >= 0.1
    assert statistics.median(delay for _, delay in reads.values()) >= 0.02
