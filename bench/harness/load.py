"""The clients: wrk at full speed, h2load at a fixed rate."""
import http.client
import json
import os
import subprocess
import threading
import time
import urllib.parse
from dataclasses import dataclass

from .process import Failed

HERE = os.path.dirname(os.path.abspath(__file__))


@dataclass
class Load:
    """What the client saw."""
    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: str             # "" when there were none
    cpu_us: float           # of the client itself, for each request
    all: int = 0            # requests with those of the client's own warm-up

    def __post_init__(self):
        self.all = self.all or self.requests

    @property
    def rate(self):
        return self.requests / self.seconds


def _run(command, env=None):
    """Runs a client; returns its output and the processor time it took, in microseconds, as the kernel counts it."""
    p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         env=dict(os.environ, **(env or {})))
    try:
        output = p.stdout.read().decode(errors="replace")
        _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
    finally:
        p.stdout.close()
        if p.returncode is None:
            p.kill()
            p.wait()
    if p.returncode != 0:
        raise Failed(f"{command[0]} ended with {p.returncode}: {output.strip()[-500:]}")
    return output, (usage.ru_utime + usage.ru_stime) * 1e6


def _errors(r):
    return ", ".join(f"{r[k]} {what}" for k, what in (("refused", "not 2xx or 3xx"), ("sockets", "socket errors"),
                                                      ("timeouts", "timeouts")) if r[k])


def wrk(url, seconds, connections=32, body=0, timeout="30s"):
    """body: bytes of a POST, or several sizes as "0,1024" that take turns; 0 is a GET."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", timeout,
               "-s", f"{HERE}/wrk.lua", url]
    output, cpu = _run(command, {"BENCH_BODY": str(body)})
    r = json.loads(output.strip().splitlines()[-1])
    return Load(r["requests"], r["us"] / 1e6, r["p50_us"] / 1e3, r["p99_us"] / 1e3, _errors(r),
                cpu / max(r["requests"], 1))


def wrk_turns(url, paths, seconds, began, turn_ms, connections=32):
    """wrk at the server of `url`, with paths in turn by the clock, see turns.lua; ({millisecond since began: requests sent},
    errors)."""
    output, _ = _run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", f"{HERE}/turns.lua", url],
                     {"BENCH_TURNS": " ".join([str(began), str(turn_ms), *paths])})
    r = json.loads(output.strip().splitlines()[-1])
    return {int(ms): n for ms, n in r["sent"].items()}, _errors(r)


def h2load(url, seconds, rate, log, connections=32, warm_up=1):
    """A fixed rate over HTTP/1.1, shared by the connections; percentiles from its log of each request."""
    if os.path.exists(log):
        os.unlink(log)
    command = ["h2load", "--h1", "-t1", f"-c{connections}", f"--rps={rate / connections:.3f}", "-D", str(seconds),
               f"--warm-up-time={warm_up}", f"--log-file={log}", url]
    cpu = _run(command)[1]
    with open(log) as f:
        rows = [tuple(map(int, line.split("\t")[:3])) for line in f]
    if not rows:
        raise Failed("h2load logged nothing")
    times = sorted(r[2] for r in rows)
    bad = sum(1 for r in rows if not 200 <= r[1] < 400)
    span = (max(r[0] for r in rows) - min(r[0] for r in rows)) / 1e6
    return Load(len(rows), max(span, 0.001), times[len(times) // 2] / 1e3, times[int(len(times) * 0.99)] / 1e3,
                f"{bad} failed" if bad else "", cpu / len(rows), round(len(rows) * (seconds + warm_up) / seconds))


def upload(url, size, piece=bytes(1 << 20)):
    """A POST of so many bytes; its status."""
    target = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(target.hostname, target.port, timeout=120)
    try:
        connection.request("POST", target.path, (piece[:size - sent] for sent in range(0, size, len(piece))),
                           {"Content-Length": str(size)})
        return connection.getresponse().status
    finally:
        connection.close()


class Background:
    """A load that runs while something else is looked at; result() waits for its end."""

    def __init__(self, load):
        self.value = self.error = None
        self.thread = threading.Thread(target=self._run, args=(load,), daemon=True)
        self.started = time.monotonic()
        self.thread.start()

    def _run(self, load):
        try:
            self.value = load()
        except Exception as e:                      # handed on to who asks for the result
            self.error = e

    def running(self):
        return self.thread.is_alive()

    def result(self):
        self.thread.join()
        if self.error:
            raise self.error
        return self.value
