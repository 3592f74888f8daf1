"""A private httpd with the module: configured, started, asked for its counters, stopped, and its log checked.

The environment says which: MODULE (the built .so), MPM, HTTPD, HTTPD_MODDIR; TIMESCALE multiplies every limit of time;
and for httpd alone there are HTTPD_PRELOAD, HTTPD_LIBRARY_PATH, HTTPD_WRAPPER (sanitizers, memcheck)."""
from __future__ import annotations

import glob
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from typing import Callable, Iterable, TypeVar

import wire
from ports import free_port, release_port
from processes import CONNECTED, LISTENING, children, open_pipes, sockets, state, thread_states
from recorder import Recorder

LAB = os.path.dirname(os.path.abspath(__file__))        # the helpers of the tests
TOP = LAB                                               # the project
while not os.path.exists(f"{TOP}/configure.ac"):
    TOP = os.path.dirname(TOP)

MODULE = os.environ.get("MODULE", "")
MPM = os.environ.get("MPM", "event")
HTTPD = os.environ.get("HTTPD", "/usr/sbin/apache2")
MODDIR = os.environ.get("HTTPD_MODDIR", "/usr/lib/apache2/modules")
TIMESCALE = float(os.environ.get("TIMESCALE", "1"))
INSTRUMENTED = bool(os.environ.get("HTTPD_PRELOAD") or os.environ.get("HTTPD_WRAPPER"))      # memory and times are not its own

THREADED = MPM != "prefork"


def _has(symbol: bytes) -> bool:
    """Whether the module refers to a function."""
    if not os.path.exists(MODULE):
        return False
    with open(MODULE, "rb") as f:
        return symbol in f.read()


HTTP2 = _has(b"nghttp2_submit_request")    # copies may be HTTP/2
MODULES = ("unixd", "authz_core", "log_config", "env", "headers", "rewrite", "alias", "proxy", "proxy_http")

CONF = """\
ServerRoot "{root}"
ServerName localhost
DefaultRuntimeDir "{root}/run"
PidFile "{root}/run/httpd.pid"
{user}
{modules}
Listen 127.0.0.1:{port}
ErrorLog "{root}/logs/error_log"
LogLevel info
DocumentRoot "{root}/htdocs"
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 30
GracefulShutdownTimeout {patience}
StartServers {children}
<IfModule mpm_prefork_module>
    ServerLimit {children}
    MaxRequestWorkers {children}
    MinSpareServers {children}
    MaxSpareServers {children}
</IfModule>
<IfModule !mpm_prefork_module>
    ServerLimit {limit}
    ThreadsPerChild {threads}
    MaxRequestWorkers {workers}
    MinSpareThreads 1
    MaxSpareThreads {workers}
</IfModule>
<Directory "{root}/htdocs">
    Require all granted
</Directory>
<IfModule cgid_module>
    ScriptSock "{root}/run/cgi"
</IfModule>
<IfModule proxy_mirror_module>
    LogLevel proxy_mirror:trace4
    {mirror_id}
    <Location "/mirror-status">
        SetHandler proxy-mirror-status
        <IfModule proxy_module>
            ProxyPass "!"
        </IfModule>
    </Location>
</IfModule>
{conf}
"""

# Lines of httpd's own that say nothing about the module: all its workers are busy; a child takes its time to stop;
# mod_ssl has no session cache.
NOISE = re.compile(r"AH(00161|00484|10159|03490|00288|01873|01882)\b" + (r"|AH00045\b" if TIMESCALE > 1 else ""))
CRASH = re.compile(r"AH0005[012]|exit signal|\[\w*:(?:emerg|alert|crit)\]|"
                   r"ERROR: (?:Address|Leak|Thread)Sanitizer|WARNING: ThreadSanitizer|runtime error:")
COMPLAINT = re.compile(r"^\[[^]]*\] \[\w*:(?:warn|error)\]")
OURS = re.compile(r"^\[[^]]*\] \[proxy_mirror:")
TAG = re.compile(r"(^|[ :])PM\d{4}: \S")
SANITIZER_RULE = "=" * 18
OUR_FRAME = re.compile(r"^ +#\d+ .*mirror_", re.M)     # log lines, ours too, may be in between

T = TypeVar("T")
_never = threading.Event()


def scaled(seconds: float) -> float:
    return seconds * TIMESCALE


def wait_for(what: str, condition: Callable[[], T], seconds: float = 10) -> T:
    """What `condition` returns, when that is true; asked every few milliseconds."""
    end = time.monotonic() + scaled(seconds)
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"{seconds} s (times {TIMESCALE}) were not enough for {what}")
        _never.wait(0.004)
    return value


def get_until(h: Httpd, what: str, condition: Callable[[], object], seconds: float = 10) -> int:
    """One request after the other until `condition` holds, without a wait for their copies: how many."""
    count = 0

    def step() -> object:
        nonlocal count
        count += 1
        assert h.get("/o/a").status == 200
        return condition()
    wait_for(what, step, seconds)
    return count


def location(path: str, origin: Recorder, *lines: str, conf: str = "") -> str:
    """A <Location> that is proxied to `origin`, with these lines in it; `conf` is what follows ProxyPass's URL."""
    return "\n".join([f'<Location "{path}">', f'    ProxyPass "{origin.url}/" {conf}',
                      *(f"    {line}" for line in lines), "</Location>", ""])


def to(mirror: Recorder, attributes: str = "", name: str = "m") -> str:
    """A ProxyMirror line."""
    return f'ProxyMirror "{mirror.url}" name={name} {attributes}'


class Httpd:
    """An httpd of its own, in a folder of its own."""

    def __init__(self, conf: str | Callable[[Httpd], str], modules: Iterable[str] = (), children: int | None = None,
                 threads: int = 16, expect: Iterable[str] = (), module: str | None = MODULE,
                 mirror_id: str | None = "lab", env: dict[str, str] | None = None,
                 wrapper: Iterable[str] = ()) -> None:
        """`conf` may be a function of this object, to use its port and root. `children`: exactly so many (default: 1,
        and 8 under prefork, which serves one request in each). `expect`: regular expressions of the complaints that
        its log may have. `module`: None leaves it out. `wrapper`: a command that runs httpd.
        Set `hanging` if copies are still under way at the end."""
        self.root = tempfile.mkdtemp(prefix="httpdlab.")
        os.chmod(self.root, 0o755)
        for name in ("run", "logs", "htdocs"):
            os.mkdir(self.path(name))
        self.own("run")
        self.write("htdocs/index.html", "hi\n")
        self.port = free_port()
        self.conf = conf
        self.modules = (*MODULES, *modules)
        self.children = children or (1 if THREADED else 8)
        self.threads = threads if THREADED else 0
        self.expected = list(expect)
        self.module = module
        self.mirror_id = mirror_id
        self.env = env or {}
        self.wrapper = tuple(wrapper)
        self.hanging = False
        self.process: subprocess.Popen[bytes] | None = None
        self.configure()

    # ---- files ----

    def path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def write(self, name: str, text: str, mode: int = 0o644) -> str:
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def read(self, name: str) -> str:
        try:
            with open(self.path(name), encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def own(self, name: str) -> None:
        """Let httpd's children write there."""
        if os.geteuid() == 0:
            os.chown(self.path(name), pwd.getpwnam("nobody").pw_uid, -1)

    def folder(self, name: str) -> str:
        """A new folder that httpd's children may write to."""
        os.mkdir(self.path(name))
        self.own(name)
        return self.path(name)

    def _load_modules(self) -> str:
        lines = []
        for name in (f"mpm_{MPM}", *self.modules):
            file = f"{MODDIR}/mod_{name}.so"
            if os.path.exists(file):            # else it is compiled in
                lines.append(f'LoadModule {name}_module "{file}"')
        if self.module:
            lines.append(f'LoadModule proxy_mirror_module "{self.module}"')
        return "\n".join(lines)

    def configure(self) -> None:
        """Write the configuration file."""
        conf = self.conf(self) if callable(self.conf) else self.conf
        workers = self.children * self.threads
        self.write("httpd.conf", CONF.format(
            root=self.root, port=self.port, modules=self._load_modules(), conf=conf, children=self.children,
            threads=self.threads, workers=workers, limit=4 * self.children, patience=int(scaled(30)),
            user="User nobody\nGroup nogroup" if os.geteuid() == 0 else "",
            mirror_id=f"ProxyMirrorId {self.mirror_id}" if self.mirror_id else ""))

    # ---- start and stop ----

    def command(self, *arguments: str) -> list[str]:
        wrapper = os.environ.get("HTTPD_WRAPPER", "").split()
        return [*self.wrapper, *wrapper, HTTPD, "-d", self.root, "-f", self.path("httpd.conf"), *arguments]

    def environment(self) -> dict[str, str]:
        env = {**os.environ, **self.env}
        env.pop("PYTHONPYCACHEPREFIX", None)    # programs that httpd runs may not write there
        if preload := env.get("HTTPD_PRELOAD"):
            env["LD_PRELOAD"] = preload
        if path := env.get("HTTPD_LIBRARY_PATH"):
            env["LD_LIBRARY_PATH"] = path
        env["TSAN_OPTIONS"] = f"{env.get('TSAN_OPTIONS', '')} exitcode=0"     # which reports count, check_log() says
        return env

    def test_configuration(self) -> subprocess.CompletedProcess[str]:
        """httpd -t."""
        return subprocess.run(self.command("-t"), env=self.environment(), capture_output=True, text=True,
                              timeout=scaled(30), check=False)

    def start(self) -> Httpd:
        """Start it, as a child that does not outlive a test run that is killed."""
        with open(self.path("logs/stderr"), "ab") as out:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *self.command("-DFOREGROUND")], env=self.environment(),
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        wait_for("httpd to start", self._has_started, 15)
        # A child that has not yet all its threads closes connections that are kept alive, as those it has are busy.
        wait_for("httpd's children", lambda: sum(self._rests(thread_states(pid)) for pid in self.listeners()) >= self.children)
        return self

    def _has_started(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"httpd ended with {self.process.returncode}\n{self.logs()}")
        return "resuming normal operations" in self.log() and self._has_cgi()

    def _has_cgi(self) -> bool:
        """Whether the children may connect to mod_cgid's daemon, if there is one: it gives them its socket when it already listens."""
        try:
            owner = os.stat(self.path(f"run/cgi.{self.process.pid}")).st_uid
        except FileNotFoundError:
            return "cgid" not in self.modules
        return os.geteuid() != 0 or owner != 0

    def pids(self) -> list[int]:
        """The children."""
        return [pid for pid in children(self.process.pid) if state(f"/proc/{pid}/stat") != "Z"]

    def tell(self, number: int) -> None:
        self.process.send_signal(number)

    def graceful(self) -> None:
        """A graceful restart; returns when the new configuration is in force."""
        before, pipes = self.log().count("resuming normal operations"), open_pipes(self.process.pid)
        self.tell(signal.SIGUSR1)
        wait_for("the graceful restart", lambda: self.log().count("resuming normal operations") > before, 20)
        # Children that are made until then are old ones; the new ones share a pipe with the parent that it makes at each restart.
        new = open_pipes(self.process.pid) - pipes
        # Under prefork there may be none for a second: the old ones have ended, and the parent has not made new ones yet.
        wait_for("the new children alone to accept",
                 lambda: (pids := self.listeners()) and all(new & open_pipes(pid) for pid in pids), 20)

    def wait_end(self, seconds: float = 20) -> None:
        """Until all of httpd has ended; it has to end well."""
        try:
            self.process.wait(scaled(seconds))
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)     # its own group only
            self.process.wait()
            raise AssertionError(f"httpd did not stop in {seconds} s (times {TIMESCALE})") from None
        assert self.process.returncode == 0, f"httpd ended with {self.process.returncode}"

    def stop(self, number: int = signal.SIGTERM, seconds: float = 20) -> None:
        if number == signal.SIGTERM:
            self.wait_rest()
        self.tell(number)
        self.wait_end(seconds)

    def wait_rest(self) -> None:
        """Until no worker is just closing a connection: on SIGTERM, event of 2.4.71 looks at the sockets of its workers
        without asking whether they are still there, and crashes now and then. And until no child is just starting: one that
        may have been, seen once, did not end until it was killed (AH00046)."""
        try:
            wait_for("the clients' connections to end", lambda: not self._has_connections(), 2)
        except AssertionError:
            return                              # a client is still connected, and so its worker is not closing
        wait_for("httpd to rest", self._rested)

    def _rested(self) -> bool:
        """Whether all children rest: no thread of one ran between two looks at it. ThreadSanitizer has a thread in each that
        wakes up ten times a second, so a look at all of them would hardly ever find that none ran."""
        return all(self._rests(found := thread_states(pid)) and thread_states(pid) == found for pid in self.listeners())

    def _rests(self, found: dict[str, tuple[str, int]]) -> bool:
        """Whether a child has all its threads, and all of them wait for something."""
        return len(found) > self.threads and all(state in "SZ" for state, _ in found.values())

    def _has_connections(self) -> bool:
        """Whether there are some that httpd has not yet closed."""
        return bool(sockets(self.port, CONNECTED))

    def listeners(self) -> list[int]:
        """The children that serve requests: neither old ones nor programs that httpd runs."""
        return [pid for pid in self.pids() if self._listens(pid)]

    def _listens(self, pid: int) -> bool:
        """Whether a child still has the socket that listens."""
        listening = {f"socket:[{inode}]" for inode in sockets(self.port, LISTENING)}
        try:
            return any(os.readlink(link) in listening for link in glob.glob(f"/proc/{pid}/fd/*"))
        except (FileNotFoundError, PermissionError):
            return True                         # one of its files was just closed, or it is just ending: look again

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    # ---- requests ----

    def client(self) -> wire.Client:
        return wire.Client(self.port, scaled(20))

    def exchange(self, data: bytes, method: str = "GET") -> wire.Message:
        """Send these bytes on a connection of their own, and read one answer."""
        with self.client() as client:
            client.send(data)
            return client.answer(method)

    def request(self, method: str, path: str, headers: list[str] | tuple[str, ...] = (),
                body: bytes | None = None) -> wire.Message:
        return self.exchange(wire.request(method, path, headers, body), method)

    def get(self, path: str, headers: list[str] | tuple[str, ...] = ()) -> wire.Message:
        return self.request("GET", path, headers)

    def get_many(self, paths: Iterable[str]) -> list[int]:
        """GETs one after the other on one connection; their statuses."""
        with self.client() as client:
            return [client.get(path).status for path in paths]

    # ---- counters ----

    def mirrors(self) -> dict[str, dict]:
        """What the status handler says, by name of the mirror."""
        answer = self.get("/mirror-status/mirrors")
        assert answer.status == 200, answer.raw
        return {mirror["name"]: mirror for mirror in json.loads(answer.body)["mirrors"]}

    def mirror(self, name: str = "m") -> dict:
        return self.mirrors()[name]

    def outcomes(self, name: str = "m") -> dict[str, int]:
        """Those that are not 0."""
        return {outcome: n for outcome, n in self.mirror(name)["outcomes"].items() if n}

    def ended(self, count: int, name: str = "m") -> dict[str, int]:
        """The outcomes, when `count` requests were seen and none is under way any more."""
        latest: dict = {}

        def is_over() -> bool:
            latest.update(self.mirror(name))
            return latest["seen"] >= count and is_idle(latest)
        try:
            wait_for(f"the end of {count} copies", is_over)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{json.dumps(latest)}") from None
        assert latest["seen"] == count, latest
        assert_sums(latest)
        return {outcome: n for outcome, n in latest["outcomes"].items() if n}

    def wait_idle(self) -> None:
        """Until no copy of any mirror is under way; then the counters have to add up."""
        latest: dict[str, dict] = {}

        def all_idle() -> bool:
            latest.update(self.mirrors())
            return all(is_idle(mirror) for mirror in latest.values())
        try:
            wait_for("all copies to end", all_idle, 15)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{json.dumps(latest)}") from None
        for mirror in latest.values():
            assert_sums(mirror)

    # ---- the log ----

    def log(self) -> str:
        return self.read("logs/error_log")

    def logs(self, last: int = 6000) -> str:
        return f"--- error_log\n{self.log()[-last:]}\n--- stderr\n{self.read('logs/stderr')[-last:]}"

    def log_lines(self, pattern: str) -> list[str]:
        return [line for line in self.log().splitlines() if re.search(pattern, line)]

    def check_log(self, is_bad: Callable[[str], object]) -> None:
        """No crash, no sanitizer's report, no complaint that was not announced, a tag on each line of ours: whatever is bad.
        httpd and mod_proxy have races of their own: ThreadSanitizer's report counts if a frame of it is in our sources."""
        parts = f"{self.log()}\n{self.read('logs/stderr')}".split(SANITIZER_RULE)
        text = "".join(part for part in parts if "WARNING: ThreadSanitizer" not in part or OUR_FRAME.search(part))
        expected = [re.compile(pattern) for pattern in self.expected]
        bad = [line for line in text.splitlines() if is_bad(line) and not any(e.search(line) for e in expected)]
        assert not bad, "in httpd's log:\n" + "\n".join(bad)

    def finish(self, test_failed: bool) -> None:
        """The end of each test: what was captured ends, the counters add up, httpd stops and has nothing to say."""
        try:
            if self.running():
                try:
                    if self.module and not self.hanging and not test_failed:
                        self.wait_idle()
                finally:
                    self.stop()
            self.check_log(CRASH.search if test_failed else is_bad)
        finally:
            if self.running():
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def clean(self) -> None:
        release_port(self.port)
        shutil.rmtree(self.root, ignore_errors=True)


def is_bad(line: str) -> bool:
    """Whether a line of httpd's log is one that a test would have to announce."""
    if CRASH.search(line) or (COMPLAINT.search(line) and not NOISE.search(line)):
        return True
    return bool(OURS.search(line)) and not TAG.search(line)


def is_idle(mirror: dict) -> bool:
    return mirror["state"]["queued"] == 0 and mirror["state"]["in_flight"] == 0


def assert_sums(mirror: dict) -> None:
    assert mirror["seen"] == sum(mirror["outcomes"].values()), mirror
