"""GET at half of the unmirrored maximum: does the client notice?"""
from harness.compare import errors
from harness.measure import Rounds
from peers.base import Setup

ORDER = 20


def run(bench):
    t = bench.table("GET at a fixed rate",
                    "h2load --h1 -t1 -c32 --rps, half of what wrk reaches at the unmirrored location of the same "
                    "proxy. h2load sends all 32 connections' requests at the same moment, so these are the latencies "
                    "of bursts.",
                    "proxy", "requests/s", "p50 ms", "p99 ms", "p99 of unmirrored", "CPU us/request", "added us/copy")
    if bench.lab.without_tool("h2load"):
        t.note("skipped: " + bench.lab.without_tool("h2load"))
        return
    origin, mirror = bench.sinks()
    peers = bench.start(Setup(origin.url(), [mirror.url()], "max_queue=100000", "ProxyMirrorMemory 4G"),
                        "httpd_mirror", "nginx_mirror", table=t)
    seconds = bench.seconds(3)
    for key, p in peers.items():
        bench.wrk(p.url("plain"), 1)
        rate = bench.wrk(p.url("plain"), max(seconds, 2)).rate / 2
        rounds = bench.count(9 if key == "httpd_mirror" else 3)
        r = Rounds(bench, [p], rounds, lambda url: bench.h2load(url, seconds, rate), mirror)
        for side in p.sides:
            mirrored = side == "mirrored"
            p99 = r.against(p, side, (p, "plain"), lambda m, b: m.load.p99_ms / b.load.p99_ms)
            t.row(p.name if mirrored else f"{p.name}, unmirrored location",
                  r.figures(p, side, lambda s: s.load.rate).text(0),
                  r.figures(p, side, lambda s: s.load.p50_ms).text(2),
                  r.figures(p, side, lambda s: s.load.p99_ms).text(2), p99.text(2) if mirrored else "-",
                  r.figures(p, side, lambda s: s.cpu_us).text(),
                  r.against(p, side, (p, "plain"), lambda m, b: m.added_us(b)).text() if mirrored else "-")
            errors(t, r, p, side)
            reached = r.figures(p, side, lambda s: s.load.rate).median
            if reached < 0.97 * rate:
                t.note(f"{p.name}, {side}: only {reached:.0f} of the {rate:.0f} requests/s wanted were reached, so its "
                       "latencies are those of an overloaded proxy")
            if mirrored:
                t.figures[key] = p99
    t.goal("p99 of the client, times unmirrored: at most 1.2 (then 1.1)", t.figures.get("httpd_mirror"), 1.2)
