"""A mirror that answers after one second."""
from harness.compare import COLUMNS, outcomes, per_copy, ratio, rows
from harness.measure import processes_ns
from peers.base import Setup

ORDER = 30


def run(bench):
    t = bench.table("Slow mirror",
                    "GET, wrk -t1 -c32; every answer of the mirror takes one second; max_connections=1000, for each of "
                    "the two children.", "proxy", *COLUMNS)
    origin, mirror = bench.sinks()
    peers = bench.start(Setup(origin.url(), [mirror.url("slow")], "max_connections=1000"),
                        "httpd_mirror", "nginx_mirror", table=t)
    speed = None
    for key, p in peers.items():
        answered, ns = mirror.requests(), processes_ns(mirror.nginx.pids())
        r = bench.rounds({key: p}, 8 if key == "httpd_mirror" else 3, 2, mirror)
        rows(t, r, {key: p})
        t.figures[key + " ratio"] = ratio(r, p)
        if key == "httpd_mirror":
            speed = r.figures(p, "mirrored", per_second)
            t.note("outcomes: " + outcomes(r, p))
            t.note(f"of the processors that all share, the sender threads took "
                   f"{r.figures(p, 'mirrored', lambda s: per_copy(s.sender_us, s)).text()} us for each copy, and the mirror itself "
                   f"{(processes_ns(mirror.nginx.pids()) - ns) / 1e3 / max(mirror.requests() - answered, 1):.1f} us")
    t.goal("throughput of the client, times unmirrored: at least 0.95", t.figures.get("httpd_mirror ratio"), 0.95,
           at_most=False)
    t.goal("copies mirrored each second: over 1000", speed, 1000, at_most=False, digits=0)


def per_second(sample):
    """All copies, over the load and the second that the last answers took."""
    return sample.copies() / (sample.load.seconds + 1)
