"""Copies over HTTP/2 (h2c://): what do they cost beside HTTP/1.1, many at a time and one at a time?"""
from harness import load
from harness.compare import COLUMNS, IN_TURN, added, per_copy, quotient, rows
from harness.measure import Figures
from peers.base import Setup

ORDER = 16
WAYS = ("httpd_mirror", "httpd_pipeline", "httpd_http2")


def run(bench):
    t = bench.table("HTTP/2 to the mirror",
                    "GET, wrk -t1 -c32; event MPM, two children of 64 threads; max_queue=100000, ProxyMirrorMemory 4G, streams=100. "
                    "Added CPU as in the case `get`, " + IN_TURN + " The floor is h2load -t1 -c4 -m8 alone against the mirror.",
                    "proxy", *COLUMNS)
    origin, mirror = bench.sinks()
    peers = bench.start(Setup(origin.url(), [mirror.url()], "max_queue=100000", "ProxyMirrorMemory 4G",
                              mirrors_http2=[mirror.url("h2")]), *WAYS, table=t)
    r = bench.rounds(peers, 7, 0.5, mirror, settle=60)
    turns = bench.turns(peers, 7, 1.5, mirror, settle=60)
    rows(t, r, peers, turns=turns)
    floors(bench, t, mirror)
    senders = {key: turns.figures(p, "mirrored", lambda s: per_copy(s.sender_us, s)) for key, p in peers.items()}
    singles = one_at_a_time(bench, peers, mirror)
    t.note("the sender threads took for each copy " + "; ".join(
        f"{p.name}: {senders[key].text()} us, one request at a time {singles[key].text()} us" for key, p in peers.items()))
    goals(t, turns, peers, senders, singles)


def floors(bench, t, mirror):
    if bench.lab.without_tool("h2load"):
        return
    url = mirror.url("h2").replace("h2c:", "http:") + "/mirrored/x"
    t.figures["floor"] = Figures([load.h2load_floor(url, bench.seconds(2), 4, 8) for _ in range(bench.count(5))])
    t.row("h2load alone against the mirror", "-", "-", "-", "-", f"{t.figures['floor'].text()} of h2load", "-", "-", "-")


def one_at_a_time(bench, peers, mirror):
    """One connection of the client, so that a copy has its round of the sender for itself."""
    r = bench.rounds(peers, 5, 0.5, mirror, settle=60, connections=1)
    return {key: r.figures(p, "mirrored", lambda s: per_copy(s.sender_us, s)) for key, p in peers.items()}


def goals(t, turns, peers, senders, singles):
    if len(peers) < len(WAYS):
        return
    t.figures["http2"] = added(turns, peers["httpd_http2"])
    t.goal("sender's time of a copy over HTTP/2, times that of pipeline=16: at most 1.2",
           quotient(senders["httpd_http2"], senders["httpd_pipeline"]), 1.2)
    t.goal("sender's time of a copy over HTTP/2, one at a time, times that of HTTP/1.1: at most 1.4",
           quotient(singles["httpd_http2"], singles["httpd_mirror"]), 1.4)
    if "floor" in t.figures:
        t.goal("sender's time of a copy over HTTP/2, times the floor: at most 1.5",
               quotient(senders["httpd_http2"], t.figures["floor"]), 1.5)
