"""Mirrors that copy few requests: sampled, limited, switched off."""
from harness.compare import ALL_IN_TURN, COLUMNS, ratio
from peers.base import Setup

ORDER = 60
CHOICES = (("sample_ratio=1%", "sampled at 1 %"), ("enabled=false", "switched off"),
           ("enable_limit_count=true count=100 time_window=3600", "local limit, used up"),
           ("enable_limit_count=true count=2000000000 time_window=3600", "local limit, never reached"))


def run(bench):
    t = bench.table("Mirrors that copy few requests", "GET, wrk -t1 -c32; event MPM, two children of 64 threads; "
                    "max_queue=100000, ProxyMirrorMemory 4G. Added CPU here is for each request of the client, over "
                    "the unmirrored location of the same server in the same load, " + ALL_IN_TURN,
                    "mirror", *("added us/request" if c == "added us/copy" else c for c in COLUMNS if c != "arrived"))
    for attributes, name in CHOICES:
        origin, mirror = bench.sinks()
        peers = bench.start(Setup(origin.url(), [mirror.url()], f"max_queue=100000 {attributes}", "ProxyMirrorMemory 4G"),
                            "httpd_mirror", table=t)
        if peers:
            p = peers["httpd_mirror"]
            r = bench.rounds(peers, 3, 0.5, mirror, settle=60)
            turns = bench.turns(peers, 7, 1.5, mirror, settle=60)
            for side in p.sides:
                few(t, r, turns, p, side, name)
        bench.lab.stop()


def few(t, r, turns, p, side, name):
    """Most requests are no copies, so it is requests that time is told for."""
    mirrored = side == "mirrored"
    added = turns.against(p, "mirrored", (p, "plain"), lambda m, b: m.cpu_us - b.cpu_us)
    t.row(name if mirrored else "unmirrored location", turns.figures(p, side, lambda s: s.load.rate).text(0),
          ratio(turns, p).text(2) if mirrored else "-", f"{r.figures(p, side, lambda s: s.load.p50_ms).median:.2f}",
          f"{r.figures(p, side, lambda s: s.load.p99_ms).median:.2f}", turns.figures(p, side, lambda s: s.cpu_us).text(),
          added.text() if mirrored else "-", f"{r.figures(p, side, lambda s: s.resident / 2**20).high:.0f}")
