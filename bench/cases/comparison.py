"""What does comparing the responses cost, and does it keep its share of a processor and its memory?"""
import time

from harness.compare import quotient
from harness.measure import Figures, status, threads_ns, wait_settled
from harness.process import wait_for
from peers.base import Setup

ORDER = 30
COPIES = "max_queue=100000"
COLUMNS = ("requests/s", "of mirrored", "p50 ms", "p99 ms", "CPU us/request", "added us/copy")
SHARE = 12                                          # per cent of a processor, of 10
MEMORY = 32                                         # MB, ProxyMirrorCompareMemory
MORE = 8                                            # MB


def run(bench):
    equal(bench)
    bench.lab.stop()
    unequal(bench)
    bench.lab.stop()
    memory(bench)


def start(bench, table, document, attributes, directives="ProxyMirrorMemory 4G", children=2):
    """Origin and mirror with this document, and httpd; (mirror, peer or None)."""
    origin, mirror = bench.sinks()
    peers = bench.start(Setup(origin.url("json") + f"/{document.replace('slow', 'big')}", [mirror.url("json")],
                              f"path=/{document}/x {attributes}", directives, children=children), "httpd_compare",
                        table=table)
    return mirror, peers.get("httpd_compare")


def settled(peer):
    """The results, once no pair is pending."""
    wait_for("all comparisons", lambda: peer.comparison()["pending"] == 0, 60)
    return peer.comparison()


def counted(data):
    """"1000 same, 20 unexamined"."""
    parts = {**data["verdicts"], **data["skipped"]}
    return ", ".join(f"{n} {word}" for word, n in sorted(parts.items(), key=lambda part: -part[1]) if n)


def rate(sample):
    return sample.load.rate


def rows(t, r, turns, p):
    for side in p.sides:
        base = {"compared": "mirrored", "mirrored": "plain"}.get(side)
        t.row({"plain": "no mirror", "mirrored": "mirrored", "compared": "compared"}[side], r.figures(p, side, rate).text(0),
              against(r, p).text(2) if side == "compared" else "-",
              f"{r.figures(p, side, lambda s: s.load.p50_ms).median:.2f}",
              f"{r.figures(p, side, lambda s: s.load.p99_ms).median:.2f}",
              turns.figures(p, side, lambda s: s.cpu_us).text(), added(turns, p, side, base).text() if base else "-")


def against(r, p):
    """Throughput of the compared location, of the mirrored one."""
    return r.against(p, "compared", (p, "mirrored"), lambda c, m: rate(c) / rate(m))


def added(turns, p, side, base):
    """Microseconds of all processes for each request, over those of another side: each request has one copy."""
    return turns.against(p, side, (p, base), lambda s, b: s.cpu_us - b.cpu_us)


def equal(bench):
    t = bench.table("Comparison of equal responses", "GET of 1 KiB of JSON, wrk -t1 -c32; event MPM, two children of 64 threads; "
                    "origin and mirror send the same bytes; compare=all. CPU is that of all processes of httpd for each request; added "
                    "is that over the line above, of loads in which the requests take turns between the three locations.", "location", *COLUMNS)
    mirror, p = start(bench, t, "small", COPIES)
    if not p:
        return
    r = bench.rounds({p.key: p}, 7, 0.5, mirror, settle=60)
    turns = bench.turns({p.key: p}, 7, 1.5, mirror, settle=60)
    rows(t, r, turns, p)
    data = settled(p)
    t.goal("throughput of the compared location, of the mirrored one: at least 0.95", against(r, p), 0.95, at_most=False)
    t.goal("p99 of the compared location, times that of the mirrored one: at most 1.1",
           r.against(p, "compared", (p, "mirrored"), lambda c, m: c.load.p99_ms / m.load.p99_ms), 1.1)
    t.goal("added CPU of a compared copy, over a copy: at most 15 us", added(turns, p, "compared", "mirrored"), 15, digits=1,
           unit=" us")
    same = data["verdicts"]["same"]
    t.plain_goal("all responses are the same", counted(data), 0 < same == data["compared"] + sum(data["skipped"].values()))
    t.figures["added"] = added(turns, p, "compared", "mirrored")
    t.note("what a copy costs with compare=off is the case get; bench/overlap compares it with another revision")


def unequal(bench):
    t = bench.table("Comparison of unequal responses", "GET of 10 KiB of JSON, wrk -t1 -c32; event MPM, one child of 64 threads, so one "
                    "thread that compares; one member differs in each response; compare=all. Share: of one processor, by "
                    "that thread, while the load runs.",
                    "location", "requests/s", "of mirrored", "p99 ms", "share of a processor")
    mirror, p = start(bench, t, "large", COPIES, children=1)
    if not p:
        return
    shares = []
    seconds, children = bench.seconds(4), p.pids()[1:]
    bench.wrk(p.url("compared"), 1)                 # what may be saved is used up
    wait_settled(p, mirror, 60)
    rates = {"mirrored": [], "compared": []}
    late = {"mirrored": [], "compared": []}
    for i in range(bench.count(5)):
        for side in ("mirrored", "compared") if i % 2 == 0 else ("compared", "mirrored"):
            before, began = threads_ns(children, "mirror-compar"), time.monotonic()
            load = bench.wrk(p.url(side), seconds)
            took, after = time.monotonic() - began, threads_ns(children, "mirror-compar")
            rates[side].append(load.rate)
            late[side].append(load.p99_ms)
            if side == "compared":
                shares += [100 * (ns - before.get(thread, 0)) / 1e9 / took for thread, ns in after.items()]
            wait_settled(p, mirror, 60)
    data = settled(p)
    ratio = quotient(Figures(rates["compared"]), Figures(rates["mirrored"]))
    for side in rates:
        t.row(side, Figures(rates[side]).text(0), ratio.text(2) if side == "compared" else "-",
              f"{Figures(late[side]).median:.2f}", Figures(shares).text(1, " %") if side == "compared" else "-")
    t.goal(f"share of a processor: at most {SHARE} %", Figures(shares), SHARE, digits=1, unit=" %")
    t.goal("throughput of the compared location, of the mirrored one: at least 0.95", ratio, 0.95, at_most=False)
    t.plain_goal("differences are found, and the rest is unexamined", counted(data),
                 data["verdicts"]["different"] > 0 and data["verdicts"]["unexamined"] > 0 and data["verdicts"]["same"] == 0)
    t.figures["share"] = Figures(shares)


def memory(bench):
    t = bench.table("Memory of comparison", f"GET of 200 KiB of JSON, wrk -t1 -c32, against a mirror that responds after one second: "
                    f"the primary's responses wait. ProxyMirrorCompareMemory {MEMORY}M. Resident size of each child: the most "
                    "under load of the mirrored location, then of the compared one.",
                    "child", "mirrored MB", "compared MB", "grown MB", "shared memory MB")
    _, p = start(bench, t, "slow", "max_queue=2000 max_connections=500",
                 f"ProxyMirrorMemory 4G\nProxyMirrorCompareMemory {MEMORY}M")
    if not p:
        return
    children = p.pids()[1:]
    most = {side: dict.fromkeys(children, 0) for side in ("mirrored", "compared")}
    shared = dict.fromkeys(children, 0)
    for side in most:
        def look(_):
            for c in children:
                most[side][c] = max(most[side][c], private(c))
                shared[c] = status(c, "RssShmem")
        for _ in range(bench.count(4)):             # wrk does not spread its connections evenly
            bench.watch(p, side, bench.seconds(4), look)
            wait_settled(p, None, 60)
    data = settled(p)
    for i, c in enumerate(children, 1):
        grown = most["compared"][c] - most["mirrored"][c]
        t.row(f"{i}", mb(most["mirrored"][c]), mb(most["compared"][c]), mb(grown), f"{shared[c] / 2**20:.2f}")
    grown = max(most["compared"][c] - most["mirrored"][c] for c in children) / 2**20
    full = data["skipped"]["memory"]
    t.plain_goal(f"a child grows by at most ProxyMirrorCompareMemory and {MORE} MB ({MEMORY + MORE} MB)",
                 f"{grown:.1f} MB" + ("" if full else "; but the bound was never reached"),
                 grown <= MEMORY + MORE if full else None)
    t.note("compared: " + counted(data))
    t.figures["grown"] = grown


def private(pid):
    return status(pid, "RssAnon")


def mb(size):
    return f"{size / 2**20:.1f}"
