"""Measures: processor time, memory, counters; and rounds of measurements that take turns."""
import os
import resource
import statistics
import sys
import time
from dataclasses import dataclass, field

from .load import Background, Load
from .process import Failed

# --- the kernel's accounting


def process_ns(pid):
    """Processor time of a process, its ended threads included, in nanoseconds: clock_getcpuclockid(3) of the kernel."""
    try:
        return time.clock_gettime_ns(((~pid) << 3) | 2)
    except OSError as e:
        raise Failed(f"process {pid} is gone") from e


def processes_ns(pids):
    """The sum of process_ns() of several."""
    return sum(map(process_ns, pids))


def threads(pids, prefix):
    """Folders in /proc of the threads whose name begins so."""
    found = []
    for pid in pids:
        for tid in os.listdir(f"/proc/{pid}/task"):
            folder = f"/proc/{pid}/task/{tid}"
            try:
                with open(f"{folder}/comm") as f:
                    if f.read().startswith(prefix):
                        found.append(folder)
            except OSError:
                pass                                # ended meanwhile
    return found


def scheduled_ns(folders):
    """{folder of a thread: nanoseconds on a processor}"""
    found = {}
    for folder in folders:
        try:
            with open(f"{folder}/schedstat") as f:
                found[folder] = int(f.read().split()[0])
        except OSError:
            pass
    return found


def threads_ns(pids, prefix):
    """scheduled_ns() of the threads whose name begins so."""
    return scheduled_ns(threads(pids, prefix))


def status(pid, key):
    """A line of /proc/PID/status; memory in bytes."""
    with open(f"/proc/{pid}/status") as f:
        for line in f:
            if line.startswith(key + ":"):
                words = line.split()
                return int(words[1]) * (1024 if words[-1] == "kB" else 1)
    return 0


def forget_peak(pid):
    """Let the peak of its resident size, VmHWM, begin anew."""
    with open(f"/proc/{pid}/clear_refs", "w") as f:
        f.write("5")


def largest(pids):
    """Resident bytes of the largest of these processes."""
    return max((status(p, "VmRSS") for p in pids), default=0)


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def own_seconds():
    """Processor time of this program and of all that it has started and that has ended."""
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, (resource.RUSAGE_SELF,
                                                                         resource.RUSAGE_CHILDREN)))


def busy_seconds():
    """Processor time of everything on the machine, and what other machines on its host have taken of it (proc_stat(5))."""
    with open("/proc/stat") as f:
        user, nice, system, _, _, irq, softirq, steal = map(int, f.readline().split()[1:9])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK"), steal / os.sysconf("SC_CLK_TCK")


# --- one measurement


@dataclass
class Sample:
    """One side of one peer, in one round."""
    load: Load
    cpu_us: float                       # of all processes of the proxy, for each request of the client
    sender_us: float = 0.0              # of the sender threads, for each request of the client
    helper_us: float = 0.0
    arrived: int = 0                    # requests that the mirror has counted
    outcomes: dict = field(default_factory=dict)        # of this measurement, with `seen`
    resident: int = 0
    watched: list = field(default_factory=list)

    def added_us(self, plain, copies=None):
        """Added processor time of each copy over what `plain` took for as many requests."""
        copies = self.copies() if copies is None else copies
        return (self.cpu_us - plain.cpu_us) * self.load.all / copies if copies else float("nan")

    def copies(self):
        return self.outcomes.get("mirrored", 0) if self.outcomes else self.arrived


def _since(before, after):
    return sum(v - before.get(k, 0) for k, v in after.items())


def counters(mirrors):
    """Sum over the mirrors of what the status handler counts."""
    total = {}
    for m in mirrors:
        for k, v in [("seen", m["seen"]), ("queued", m["state"]["queued"]), ("in_flight", m["state"]["in_flight"]),
                     *m["outcomes"].items()]:
            total[k] = total.get(k, 0) + v
    return total


def measure(peer, side, load, sink=None, settle=15.0, watch=None):
    """Runs load(url) against one side of a peer. With settle, the time counts until all copies have ended, at most so
    many seconds. watch(peer) is called four times a second during the load; what it returns is kept with the time."""
    pids = peer.pids()
    arrived = sink.requests() if sink else 0
    counted = peer.counters()
    senders, helpers = threads_ns(pids, "mirror-sender"), threads_ns(pids, "mirror-helper")
    ns = processes_ns(pids)
    watched = []
    if watch:
        background = Background(lambda: load(peer.url(side)))
        while background.running():
            watched.append((time.monotonic() - background.started, watch(peer)))
            time.sleep(0.25)
        result = background.result()
    else:
        result = load(peer.url(side))
    if settle:
        wait_settled(peer, sink, settle)
    ns = processes_ns(pids) - ns
    n = max(result.all, 1) * 1e3
    sample = Sample(result, ns / n, _since(senders, threads_ns(pids, "mirror-sender")) / n,
                    _since(helpers, threads_ns(pids, "mirror-helper")) / n, watched=watched,
                    resident=largest(pids[1:] or pids))
    after = peer.counters()
    sample.outcomes = {k: v - counted.get(k, 0) for k, v in after.items() if k not in ("queued", "in_flight")}
    if sink:
        sample.arrived = sink.requests() - arrived
    if pids != peer.pids():
        raise Failed(f"{peer.name}: processes came or went during the measurement")
    return sample


def wait_settled(peer, sink, timeout):
    """Until nothing is queued or in flight and the mirror's count stands still."""
    end, last = time.monotonic() + timeout, None
    while time.monotonic() < end:
        c = peer.counters()
        now = (c.get("seen"), sink.requests() if sink else 0)
        if not c.get("queued") and not c.get("in_flight") and now == last:
            return
        last = now
        time.sleep(0.03)


# --- rounds


class Rounds:
    """Measurements in turn: every round has each side of each peer once, every other round in reverse order. `loads`: of
    sides that have another load than `load`."""

    def __init__(self, bench, peers, rounds, load, sink=None, settle=15.0, watch=None, sides=None, warm=1, loads=None):
        self.samples = {}
        turns = [(p, s) for p in peers for s in p.sides if sides is None or s in sides]
        for p, s in turns:
            if warm and p.pids():
                bench.wrk(p.url(s), warm)
                if settle:
                    wait_settled(p, sink, settle)
        for i in range(rounds):
            for p, s in turns if i % 2 == 0 else turns[::-1]:
                sample = measure(p, s, (loads or {}).get(s, load), sink, settle, watch)
                self.samples.setdefault((p.key, s), []).append(sample)
                errors = f"  ({sample.load.errors})" if sample.load.errors else ""
                print(f"  round {i + 1}/{rounds}  {p.name}, {s}: {sample.load.rate:.0f}/s{errors}", file=sys.stderr,
                      flush=True)

    def of(self, peer, side):
        return self.samples[(peer.key, side)]

    def has(self, peer, side="mirrored"):
        return (peer.key, side) in self.samples

    def figures(self, peer, side, value):
        return Figures(value(s) for s in self.of(peer, side))

    def against(self, peer, side, base, value):
        """value(sample, base sample of the same round), over all rounds; base is (peer, side)."""
        return Figures(value(a, b) for a, b in zip(self.of(peer, side), self.of(*base)))

    def errors(self, peer, side):
        return "; ".join(sorted({s.load.errors for s in self.of(peer, side) if s.load.errors}))


class Figures:
    """The same figure from several rounds."""

    def __init__(self, values):
        self.values = [v for v in values if v == v]

    @property
    def median(self):
        return statistics.median(self.values) if self.values else float("nan")

    @property
    def low(self):
        return min(self.values, default=float("nan"))

    @property
    def high(self):
        return max(self.values, default=float("nan"))

    def text(self, digits=1, unit=""):
        if not self.values:
            return "-"
        if len(self.values) == 1:
            return f"{self.median:.{digits}f}{unit}"
        return f"{self.median:.{digits}f}{unit} ({self.low:.{digits}f}-{self.high:.{digits}f})"
