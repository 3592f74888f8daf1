"""GET at half of the unmirrored maximum: does the client notice?"""
from harness.compare import errors
from harness.measure import Rounds
from peers.base import Setup

ORDER = 20
WORDS = {"plain": ", unmirrored location", "mirrored": "",
         "beside": ", unmirrored location, while h2load sends the mirror as many requests"}


def run(bench):
    t = bench.table("GET at a fixed rate",
                    "h2load --h1 -t1 -c32 --rps, half of what wrk reaches at the unmirrored location of the same "
                    "proxy. h2load sends all 32 connections' requests at the same moment, so these are the latencies "
                    "of bursts. Those of the first two rows of a proxy are of one load, whose requests change between the two "
                    "locations ten times a second. The third row of httpd is what they are when nothing is mirrored, "
                    "and a second h2load sends the mirror on this machine as many requests: that is the mirror's part; it was "
                    "measured in rounds that take turns with unmirrored ones, and so was CPU.",
                    "proxy", "requests/s", "p50 ms", "p99 ms", "p99 of unmirrored", "CPU us/request", "added us/copy")
    if bench.lab.without_tool("h2load"):
        t.note("skipped: " + bench.lab.without_tool("h2load"))
        return
    origin, mirror = bench.sinks()
    peers = bench.start(Setup(origin.url(), [mirror.url()], "max_queue=100000", "ProxyMirrorMemory 4G"),
                        "httpd_beside", "nginx_mirror", table=t)
    for key, p in peers.items():
        bench.wrk(p.url("plain"), 1)
        rate = bench.wrk(p.url("plain"), 2).rate / 2
        rounds, turns = (4, 12) if key == "httpd_beside" else (2, 3)
        measure(bench, t, p, mirror, rate, rounds, bench.rate_turns(p, turns, 2, rate))
    t.goal("p99 of the client, times unmirrored: at most 1.2 (then 1.1)", t.figures.get("httpd_beside"), 1.2)


def measure(bench, t, p, mirror, rate, rounds, turns):
    """Short rounds, as what else the machine does comes and goes within seconds."""
    seconds = bench.seconds(1)
    r = Rounds(bench, [p], bench.count(rounds), lambda url: bench.h2load(url, seconds, rate), mirror,
               loads={"beside": lambda url: bench.h2load_beside(mirror.url(), url, seconds, rate)})
    for side in p.sides:
        seen = r if side == "beside" else turns
        p99 = seen.against(p, side, (p, "plain"), lambda m, b: m.load.p99_ms / b.load.p99_ms)
        reached = r.figures(p, side, lambda s: s.load.rate)
        t.row(p.name + WORDS[side], reached.text(0),
              seen.figures(p, side, lambda s: s.load.p50_ms).text(2),
              seen.figures(p, side, lambda s: s.load.p99_ms).text(2), p99.text(2) if side != "plain" else "-",
              r.figures(p, side, lambda s: s.cpu_us).text(),
              r.against(p, side, (p, "plain"), lambda m, b: m.added_us(b)).text() if side == "mirrored" else "-")
        errors(t, r, p, side)
        if seen is turns:
            errors(t, turns, p, side)
        if reached.median < 0.97 * rate:
            t.note(f"{p.name}{WORDS[side]}: only {reached.median:.0f} of the {rate:.0f} requests/s wanted were reached, so its "
                   "latencies are those of an overloaded proxy")
        if side == "mirrored":
            t.figures[p.key] = p99
