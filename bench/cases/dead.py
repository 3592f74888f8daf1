"""A mirror that is not there: nobody listens on its port."""
from harness.compare import COLUMNS, outcomes, ratio, rows
from harness.faulty import Dead
from peers.base import Setup

ORDER = 40
ABOUT = "GET, wrk -t1 -c32; {what}; all attributes at their defaults."


def run(bench):
    against(bench, "Dead mirror", "nobody listens on the mirror's port", Dead(), settle=5)


def against(bench, title, what, mirror, settle):
    """A mirror that never answers anything must cost the client nothing."""
    t = bench.table(title, ABOUT.format(what=what), "proxy", *COLUMNS)
    bench.lab.keep(mirror)
    origin = bench.sinks()[0]
    peers = bench.start(Setup(origin.url(), [mirror.url()]), "httpd_mirror", "nginx_mirror", table=t)
    for key, p in peers.items():
        # what is asked is a few per cent, and single rounds differ by more: many short ones
        r = bench.rounds({key: p}, 11 if key == "httpd_mirror" else 4, 1, settle=settle)
        rows(t, r, {key: p}, copies=False)
        t.figures[key + " ratio"] = ratio(r, p)
        if key == "httpd_mirror":
            t.note("outcomes: " + outcomes(r, p))
    t.goal("throughput of the client, times unmirrored: at least 0.95", t.figures.get("httpd_mirror ratio"), 0.95,
           at_most=False)
