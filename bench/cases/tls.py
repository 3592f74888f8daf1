"""A mirror over TLS: what does a copy cost, and how many handshakes does it take?"""
from harness.compare import arrived, percent, quotient
from harness.measure import Figures, Rounds
from harness.tls import Certificate
from peers.base import Setup

ORDER = 15
SIDES = {"plain": "no mirror", "mirrored": "plain mirror", "tls": "mirror over TLS"}


def run(bench):
    t = bench.table("A mirror over TLS",
                    "GET, wrk -t1 -c32; event MPM, two children of 64 threads; max_queue=100000, ProxyMirrorMemory 4G; "
                    "the certificate is verified. Added CPU as in the case `get`, in loads in which the requests take "
                    "turns between the one without a mirror and another one; so is CPU. Handshakes are the connections that the mirror has "
                    "accepted, after the warm-up.",
                    "location", "requests/s", "p99 ms", "CPU us/request", "added us/copy", "handshakes/10,000 copies",
                    "arrived")
    if bench.lab.without_tls():
        t.note("skipped: " + bench.lab.without_tls())
        return
    certificate = Certificate(bench.lab)
    origin, mirror = bench.sinks(certificate=certificate)
    p = bench.start(Setup(origin.url(), [mirror.url(), mirror.url("tls")], "max_queue=100000",
                          certificate.directives() + "ProxyMirrorMemory 4G"), "httpd_tls", table=t)["httpd_tls"]
    made = {side: [] for side in SIDES}

    def load(url):
        """wrk, and how many connections the mirror got meanwhile."""
        before = mirror.connections()
        result = bench.wrk(url, bench.seconds(0.5))
        made[url.rsplit("/", 2)[1]].append(mirror.connections() - before)
        return result
    r = Rounds(bench, [p], bench.count(7), load, mirror, settle=60)
    turns = {side: bench.turns({p.key: p}, 7, 1.5, mirror, settle=60, sides=("plain", side)) for side in ("mirrored", "tls")}
    turns["plain"] = turns["mirrored"]
    connections = p.connections("tls")
    added, shakes = {}, {}
    for side, name in SIDES.items():
        added[side] = turns[side].against(p, side, (p, "plain"), lambda m, q: m.added_us(q))
        shakes[side] = Figures(1e4 * n / s.copies() for n, s in zip(made[side], r.of(p, side)) if s.copies())
        copied = side != "plain"
        t.row(name, r.figures(p, side, lambda s: s.load.rate).text(0), r.figures(p, side, lambda s: s.load.p99_ms).text(2),
              turns[side].figures(p, side, lambda s: s.cpu_us).text(), added[side].text() if copied else "-",
              shakes[side].text(2) if copied else "-", percent(r.figures(p, side, arrived)) if copied else "-")
    t.figures["tls"], t.figures["plain"] = added["tls"], added["mirrored"]
    t.goal("added CPU of a GET mirrored over TLS, times that of one mirrored plainly: at most 2.5",
           quotient(added["tls"], added["mirrored"]), 2.5)
    t.goal(f"handshakes for 10,000 copies under steady load: at most the {connections} connections", shakes["tls"],
           connections)
