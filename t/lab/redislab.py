"""Redis servers of the tests' own, on loopback: one, a cluster of six nodes, or a master with Sentinels."""
from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
from typing import Callable, Iterator

import pytest

from httpdlab import Httpd, scaled, wait_for
from ports import free_port, release_port

LONG = 3600         # seconds: a window that does not end within a test

Reply = object      # str, int, None or a list of these


class RedisError(Exception):
    """What Redis says, beginning with a code."""


def _connect(port: int, tls: ssl.SSLContext | None) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), scaled(5))
    return tls.wrap_socket(sock) if tls else sock


def ask(port: int, *words: object, password: str = "", tls: ssl.SSLContext | None = None) -> Reply:
    """The reply to one command, on a connection of its own."""
    with _connect(port, tls) as sock, sock.makefile("rb") as stream:
        if password:
            _send(sock, "AUTH", password)
            _read(stream)
        _send(sock, *words)
        return _read(stream)


def _send(sock: socket.socket, *words: object) -> None:
    data = [str(word).encode() for word in words]
    sock.sendall(b"*%d\r\n" % len(data) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in data))


def _read(stream) -> Reply:
    line = stream.readline()
    if not line:
        raise EOFError
    kind, text = line[:1], line[1:-2].decode()
    if kind == b"-":
        raise RedisError(text)
    if kind == b"+":
        return text
    if kind == b":":
        return int(text)
    if kind == b"$":
        return None if text == "-1" else stream.read(int(text) + 2)[:-2].decode()
    return [_read(stream) for _ in range(int(text))]


def _anybody(client: str | None) -> ssl.SSLContext:
    """Of a client that trusts whoever answers, as the tests' own have no doubts; `client`: its certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if client:
        context.load_cert_chain(client)
    return context


class Redis:
    """One redis-server."""

    def __init__(self, *options: str, password: str = "", port: int = 0, tls: bool = False, client: str | None = None,
                 plain: bool = False) -> None:
        """`tls`: `options` say with which certificates; it then has no other port, but with `plain` that one. `client`:
        the certificate that the tests show it."""
        self.root = tempfile.mkdtemp(prefix="redislab.")
        self.port = port or free_port()
        self.tls = _anybody(client) if tls else None
        self.plain_port = free_port() if plain else 0
        self.options = options
        self.password = password
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        ports = ["--tls-port", str(self.port), "--port", str(self.plain_port)] if self.tls else ["--port", str(self.port)]
        with open(f"{self.root}/log", "ab") as out:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "redis-server", *ports, "--bind", "127.0.0.1", "--dir", self.root,
                 "--save", "", "--appendonly", "no", "--protected-mode", "no", *self.options],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        wait_for("Redis to answer", self.answers)

    def answers(self) -> bool:
        try:
            return self("PING") == "PONG"
        except (OSError, EOFError):
            return False
        except RedisError as error:
            return "LOADING" not in str(error)

    def __call__(self, *words: object) -> Reply:
        return ask(self.port, *words, password=self.password, tls=self.tls)

    def used(self, key: str) -> int:
        return int(self("GET", key) or 0)

    def calls(self, command: str) -> int:
        """How often a command was called."""
        for line in self("INFO", "commandstats").splitlines():
            if line.startswith(f"cmdstat_{command}:"):
                return int(line.split("calls=")[1].split(",")[0])
        return 0

    def clients(self) -> list[str]:
        """The connections of others."""
        return [line for line in self("CLIENT", "LIST").splitlines() if "cmd=client" not in line]

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.kill()
        for port in (self.port, self.plain_port):
            release_port(port)
        shutil.rmtree(self.root, ignore_errors=True)


class Cluster:
    """Six nodes, of which three are replicas."""

    NODES = 6
    BUS = 10000         # how far above its port a node listens to the others

    def __init__(self, *options: str, tls: str | None = None) -> None:
        """`tls`: nodes and tests talk TLS, as `options` say; this is whom to trust."""
        self.options = options
        self.tls = tls
        self.nodes: list[Redis] = []
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        for _ in range(self.NODES):
            self.nodes.append(Redis("--cluster-enabled", "yes", "--cluster-node-timeout", "1000",
                                    "--cluster-require-full-coverage", "no", "--repl-diskless-sync-delay", "0",
                                    *self.options, port=free_port(beside=self.BUS), tls=bool(self.tls)))
        self._join()
        for node in self.nodes:
            wait_for("the cluster to be ready", lambda n=node: "cluster_state:ok" in n("CLUSTER", "INFO"), 20)
            wait_for("replicas to be in step", lambda n=node: any(
                word in n("INFO", "replication") for word in ("role:master", "master_link_status:up")), 20)

    def _join(self) -> None:
        """As redis-cli --cluster create does, which waits for ever if a meeting of two nodes times out on a busy machine."""
        masters, replicas = self.nodes[:self.NODES // 2], self.nodes[self.NODES // 2:]
        for n, node in enumerate(self.nodes, 1):
            node("CLUSTER", "SET-CONFIG-EPOCH", str(n))
        for n, node in enumerate(masters):
            slots = [16384 * each // len(masters) for each in (n, n + 1)]
            node("CLUSTER", "ADDSLOTSRANGE", str(slots[0]), str(slots[1] - 1))
        wait_for("the nodes to know each other", self._have_met, 30)
        for master, replica in zip(masters, replicas):
            replica("CLUSTER", "REPLICATE", self.id_of(master))

    def _have_met(self) -> bool:
        known = [{word.partition("@")[0] for line in node("CLUSTER", "NODES").splitlines() if "handshake" not in line
                  for word in line.split()[1:2]} for node in self.nodes]
        # one whose handshake timed out does not know the other, which knows it: so each meets it again
        for node, one in zip(self.nodes, known):
            for other in self.nodes:
                if f"127.0.0.1:{other.port}" not in one:
                    node("CLUSTER", "MEET", "127.0.0.1", str(other.port))
        return all(len(one) == self.NODES for one in known)

    def addresses(self) -> str:
        return ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def alive(self) -> Iterator[Redis]:
        return (node for node in self.nodes if node.process.poll() is None)

    def id_of(self, node: Redis) -> str:
        return node("CLUSTER", "MYID")

    def owner(self, key: str) -> Redis | None:
        """The node that has the key's slot, as the nodes that are alive see it; None while they do not agree."""
        ports = set()
        for node in self.alive():
            slot = node("CLUSTER", "KEYSLOT", key)
            for first, last, master, *_ in node("CLUSTER", "SLOTS"):
                if first <= slot <= last:
                    ports.add(master[1])
        found = [node for node in self.alive() if {node.port} == ports]
        return found[0] if found and "role:master" in found[0]("INFO", "replication") else None

    def masters(self) -> list[Redis]:
        return [node for node in self.alive() if "role:master" in node("INFO", "replication")]

    def close(self) -> None:
        for node in self.nodes:
            node.close()


class Sentinels:
    """A master, a replica, and three Sentinels that watch them."""

    NAME = "mymaster"

    def __init__(self, *options: str, password: str = "") -> None:
        """`options`: of master and replica. `password`: of the Sentinels."""
        self.password = password
        self.servers: list[Redis] = []
        self.sentinels: list[Redis] = []
        try:
            self._start(options)
        except BaseException:
            self.close()
            raise

    def _start(self, options: tuple[str, ...]) -> None:
        self.servers.append(Redis(*options))
        self.servers.append(Redis("--replicaof", "127.0.0.1", str(self.master.port), "--repl-diskless-sync-delay", "0", *options))
        wait_for("the replica to be in step", lambda: "master_link_status:up" in self.servers[1]("INFO", "replication"), 20)
        for _ in range(3):
            self.sentinels.append(Sentinel(self.master.port, self.NAME, self.password))
        for one in self.sentinels:
            wait_for("the Sentinels to know each other and the replica", lambda s=one: self._knows_all(s), 20)

    @staticmethod
    def _knows_all(sentinel: Redis) -> bool:
        fields = sentinel("SENTINEL", "MASTERS")[0]
        known = dict(zip(fields[::2], fields[1::2]))
        return (known["num-other-sentinels"], known["num-slaves"]) == ("2", "1")

    @property
    def master(self) -> Redis:
        return self.servers[0]

    @property
    def replica(self) -> Redis:
        return self.servers[1]

    def named(self) -> set[int]:
        """The port of the master, as each Sentinel says."""
        return {int(one("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.NAME)[1]) for one in self.sentinels}

    def addresses(self) -> str:
        return ",".join(f"127.0.0.1:{one.port}" for one in self.sentinels)

    def close(self) -> None:
        for one in self.sentinels + self.servers:
            one.close()


class Sentinel(Redis):
    """One Sentinel: redis-server with a file of its own, which it rewrites."""

    def __init__(self, master: int, name: str, password: str = "") -> None:
        self.master, self.name = master, name
        super().__init__(password=password)

    def start(self) -> None:
        file = f"{self.root}/sentinel.conf"
        with open(file, "w", encoding="utf-8") as f:
            f.write(f"port {self.port}\nbind 127.0.0.1\ndir {self.root}\nprotected-mode no\n"
                    f"sentinel monitor {self.name} 127.0.0.1 {self.master} 2\n"
                    f"sentinel down-after-milliseconds {self.name} 500\nsentinel failover-timeout {self.name} 3000\n")
            if self.password:
                f.write(f"requirepass {self.password}\n")
        with open(f"{self.root}/log", "ab") as out:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "redis-server", file, "--sentinel"],
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        wait_for("the Sentinel to answer", self.answers)


class Liar:
    """A Sentinel that names what it likes, as often as it is asked."""

    def __init__(self, reply: bytes) -> None:
        self.reply = reply
        self.asked = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with sock:
                try:
                    if sock.recv(4096):
                        self.asked += 1
                        sock.sendall(self.reply)
                except OSError:
                    pass

    def close(self) -> None:
        self.listener.close()


def address(host: str, port: object) -> bytes:
    return b"*2\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in (host.encode(), str(port).encode()))


def patient(attributes: str) -> str:
    """For tests that count exactly: that holds while Redis answers in time, and within one window. On a machine that is
    busy with other things both may take long, so what `attributes` does not set is long."""
    given = {word.partition("=")[0] for word in attributes.split()}
    return " ".join([attributes, *(f"{name}={value}" for name, value in (("redis_timeout", 60000), ("time_window", LONG))
                                   if name not in given)])


def wrk(*servers: Httpd, path: str = "/o/a", seconds: int = 1, connections: int = 12) -> None:
    """Load on all of them at once."""
    commands = [["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"http://127.0.0.1:{h.port}{path}"]
                for h in servers]
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
    for one in running:
        assert one.wait(scaled(seconds + 20)) == 0


def wrk_until_limited(*servers: Httpd) -> None:
    """Load on all of them until each has refused something; then nothing is under way any more."""
    def step() -> bool:
        wrk(*servers)
        return all(h.outcomes().get("limited") for h in servers)
    wait_for("the limit to be reached", step, 30)
    for h in servers:
        h.wait_idle()


@pytest.fixture
def redis() -> Iterator[Callable[..., Redis]]:
    """Makes Redis servers."""
    with contextlib.ExitStack() as stack:
        def make(*options: str, **named) -> Redis:
            server = Redis(*options, **named)
            stack.callback(server.close)
            return server
        yield make


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    one = Cluster()
    yield one
    one.close()


@pytest.fixture
def sentinels() -> Iterator[Callable[..., Sentinels]]:
    """Makes masters with Sentinels."""
    with contextlib.ExitStack() as stack:
        def make(*options: str, **named) -> Sentinels:
            one = Sentinels(*options, **named)
            stack.callback(one.close)
            return one
        yield make


def has_redis() -> bool:
    return all(shutil.which(name) for name in ("redis-server", "redis-cli"))


needs_redis = pytest.mark.skipif(not has_redis() and "CI" not in os.environ, reason="no redis-server")
