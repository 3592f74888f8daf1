"""ProxyMirrorMemory holds: bodies of 60 KB against a mirror that hangs."""
from harness.faulty import Hang
from harness.measure import largest
from peers.base import Setup

ORDER = 100
BOUND = 64                                          # MB
BODY = 60 * 1024


def run(bench):
    t = bench.table("Memory", f"POST of 60 KB, wrk -t1 -c32, against a mirror that accepts and never reads; "
                    f"ProxyMirrorMemory {BOUND}M, max_queue=100000, timeout=10min. Resident size of each child: after "
                    "unmirrored load, and the most under mirrored load.",
                    "child", "before MB", "most MB", "grown MB", "of the bound")
    hang = bench.lab.keep(Hang())
    origin = bench.sinks()[0]
    peers = bench.start(Setup(origin.url("whole"), [hang.url()], "max_queue=100000 timeout=10min",
                              f"ProxyMirrorMemory {BOUND}M"), "httpd_mirror", table=t)
    if not peers:
        return
    p = peers["httpd_mirror"]
    children = p.pids()[1:]
    bench.wrk(p.url("plain"), bench.seconds(5), body=BODY)      # httpd's own buffers are there from here on
    before = {c: largest([c]) for c in children}
    most = dict(before)

    def look(_):
        for c in children:
            most[c] = max(most[c], largest([c]))

    # wrk does not spread its connections evenly: several runs, so that each child comes to its bound
    for _ in range(bench.count(4)):
        bench.watch(p, "mirrored", bench.seconds(4), look, body=BODY)
    state = p.counters()
    for i, c in enumerate(children, 1):
        grown = most[c] - before[c]
        t.row(f"{i}", mb(before[c]), mb(most[c]), mb(grown), f"{grown / 2**20 / BOUND:.2f}")
    grown = max(most[c] - before[c] for c in children) / 2**20
    full = state.get("memory_full", 0)
    t.plain_goal(f"resident size grows by at most 1.2 times the bound ({BOUND * 1.2:.0f} MB)",
                 f"{grown:.1f} MB, {grown / BOUND:.2f} times" + ("" if full else "; but the bound was never reached"),
                 grown <= BOUND * 1.2 if full else None)
    t.note("counted: " + ", ".join(f"{v} {k}" for k, v in state.items() if v))
    t.figures["grown"] = grown


def mb(size):
    return f"{size / 2**20:.1f}"
