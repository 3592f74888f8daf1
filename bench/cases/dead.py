"""A mirror that is not there: nobody listens on its port."""
from harness.compare import COLUMNS, TAKE_TURNS, outcomes, ratio, rows
from harness.faulty import Dead
from peers.base import Setup

ORDER = 40
ABOUT = "GET, wrk -t1 -c32; {what}; all attributes at their defaults. CPU and throughput of httpd come from loads " + TAKE_TURNS + "."


def run(bench):
    against(bench, "Dead mirror", "nobody listens on the mirror's port", Dead(), settle=5)


def against(bench, title, what, mirror, settle, others_in_turn=True):
    """A mirror that never answers anything must cost the client nothing. Copies are refused at once, so what they cost can be
    measured in turns; not so with the others, where `others_in_turn` is not set: there each of them may hold a connection of the
    client."""
    t = bench.table(title, ABOUT.format(what=what), "proxy", *COLUMNS)
    bench.lab.keep(mirror)
    origin = bench.sinks()[0]
    peers = bench.start(Setup(origin.url(), [mirror.url()]), "httpd_mirror", "nginx_mirror",
                        *(["ats_multiplexer"] if others_in_turn else []), table=t)
    for key, p in peers.items():
        in_turn = others_in_turn or key == "httpd_mirror"
        r = bench.rounds({key: p}, 3, 0.5 if in_turn else 1, settle=settle)
        turns = bench.turns({key: p}, 9 if key == "httpd_mirror" else 5, 1.5, settle=settle) if in_turn else r
        rows(t, r, {key: p}, copies=False, turns=turns, rates=turns)
        t.figures[key + " ratio"] = ratio(turns, p)
        if key == "httpd_mirror":
            t.note("outcomes: " + outcomes(r, p))
    t.goal("throughput of the client, times unmirrored: at least 0.95", t.figures.get("httpd_mirror ratio"), 0.95,
           at_most=False)
