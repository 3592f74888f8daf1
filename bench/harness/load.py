"""The clients: wrk at full speed, h2load at a fixed rate."""
import http.client
import json
import math
import os
import re
import signal
import statistics
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


def _run(command, env=None, interrupt_after=None):
    """Runs a client; returns its output and the processor time it took, in microseconds, as the kernel counts it."""
    p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         env=dict(os.environ, **(env or {})))
    if interrupt_after is not None:
        timer = threading.Timer(interrupt_after, p.send_signal, [signal.SIGINT])
        timer.start()
    try:
        output = p.stdout.read().decode(errors="replace")
        _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
    finally:
        if interrupt_after is not None:
            timer.cancel()
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


def _wrk(script, url, seconds, connections, timeout, env):
    """What the script has written last, and the processor time. wrk knows whole seconds alone; an interrupt ends it sooner, in
    good order."""
    whole = math.ceil(seconds)
    output, cpu = _run(["wrk", "-t1", f"-c{connections}", f"-d{whole}s", "--latency", "--timeout", timeout, "-s",
                        f"{HERE}/{script}", url], env, seconds if seconds < whole else None)
    return json.loads(output.strip().splitlines()[-1]), cpu


def wrk(url, seconds, connections=32, body=0, timeout="30s"):
    """body: bytes of a POST, or several sizes as "0,1024" that take turns; 0 is a GET."""
    r, cpu = _wrk("wrk.lua", url, seconds, connections, timeout, {"BENCH_BODY": str(body)})
    return Load(r["requests"], r["us"] / 1e6, r["p50_us"] / 1e3, r["p99_us"] / 1e3, _errors(r),
                cpu / max(r["requests"], 1))


def wrk_turns(url, paths, seconds, began, turn_ms, connections=32):
    """wrk at the server of `url`, with paths in turn by the clock, see turns.lua; ({millisecond since began: requests sent},
    errors)."""
    r, _ = _wrk("turns.lua", url, seconds, connections, "30s", {"BENCH_TURNS": " ".join([str(began), str(turn_ms), *paths])})
    return {int(ms): n for ms, n in r["sent"].items()}, _errors(r)


def _h2load(where, seconds, rate, log, connections, warm_up):
    """[(start in us, status, us)] of each request, and the processor time of each."""
    if os.path.exists(log):
        os.unlink(log)
    cpu = _run(["h2load", "--h1", "-t1", f"-c{connections}", f"--rps={rate / connections:.3f}", "-D", str(seconds),
                f"--warm-up-time={warm_up}", f"--log-file={log}", *where])[1]
    with open(log) as f:
        rows = [tuple(map(int, line.split("\t")[:3])) for line in f]
    if not rows:
        raise Failed("h2load logged nothing")
    return rows, cpu / len(rows)


def h2load_floor(url, seconds, connections, streams):
    """HTTP/2 as fast as it goes; the processor time of each request, in microseconds."""
    output, cpu = _run(["h2load", "-t1", f"-c{connections}", f"-m{streams}", "-D", str(math.ceil(seconds)), url])
    done = re.search(r"requests: \d+ total, \d+ started, (\d+) done", output)
    if not done or int(done.group(1)) == 0:
        raise Failed("h2load has no count of requests")
    return cpu / int(done.group(1))


def _percentiles(rows):
    times = sorted(r[2] for r in rows)
    return times[len(times) // 2] / 1e3, times[int(len(times) * 0.99)] / 1e3


def _failed(rows):
    bad = sum(1 for r in rows if not 200 <= r[1] < 400)
    return f"{bad} failed" if bad else ""


def h2load(url, seconds, rate, log, connections=32, warm_up=1):
    """A fixed rate over HTTP/1.1, shared by the connections; percentiles from its log of each request."""
    rows, cpu = _h2load([url], seconds, rate, log, connections, warm_up)
    span = (max(r[0] for r in rows) - min(r[0] for r in rows)) / 1e6
    return Load(len(rows), max(span, 0.001), *_percentiles(rows), _failed(rows), cpu,
                round(len(rows) * (seconds + warm_up) / seconds))


def h2load_turns(urls, seconds, rate, log, turn=0.1, settle=0.02, connections=32, warm_up=1):
    """A fixed rate that changes between locations every `turn` seconds; {status: Load}. `urls` is {status: URL}: the
    statuses of the answers tell the locations apart. All connections send at the same moments, one request each. What was
    sent in the first `settle` seconds of a turn is not counted."""
    step = connections / rate
    each = max(round(turn / step), 1)
    with open(log + ".urls", "w") as f:
        f.write("".join((url + "\n") * each for url in urls.values()))
    rows, cpu = _h2load(["-i", f.name], seconds, rate, log, connections, warm_up)
    began = min(r[0] for r in rows)
    steps = {}
    for row in rows:
        steps.setdefault(int((row[0] - began) / 1e6 / step), []).append(row)
    turns = {n: statistics.mode(r[1] for r in of) for n, of in steps.items()}
    settling, loads = math.ceil(settle / step), {}
    for status in urls:
        counted = [n for n in steps if all(turns.get(n - back) == status for back in range(settling + 1))]
        mine = [r for n in counted for r in steps[n] if r[1] == status]
        if not mine:
            raise Failed(f"h2load: no turn of {urls[status]} was answered with {status}")
        loads[status] = Load(len(mine), len(counted) * step, *_percentiles(mine), _failed(rows), cpu)
    return loads


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
