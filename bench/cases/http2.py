"""Copies over HTTP/2 (h2c://): what do they cost beside HTTP/1.1, many at a time and one at a time?"""
from harness import load
from harness.compare import COLUMNS, IN_TURN, added, per_copy, quotient, rows
from harness.measure import Figures, status, wait_settled
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
    bench.lab.stop()
    growth(bench)


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


def growth(bench):
    """10,000 copies in flight in one child."""
    n, connections = 10000, 100
    t = bench.table("Copies in flight over HTTP/2", "GET, wrk -t1 -c32, one child of 64 threads; the mirror answers after one second; "
                    f"copies=10, streams={n // connections}, max_connections={connections}. Resident size of the child: after "
                    "unmirrored load, and the most under mirrored load.",
                    "in flight", "before MB", "most MB", "KB/copy", "connections")
    origin, mirror = bench.sinks()
    attributes = f"max_queue={n - connections} max_connections={connections} streams={n // connections} copies=10"
    peers = bench.start(Setup(origin.url(), [], attributes, mirrors_http2=[mirror.url("slow_h2")], children=1), "httpd_http2", table=t)
    if not peers:
        return
    p = peers["httpd_http2"]
    child = p.pids()[1]
    bench.wrk(p.url("plain"), bench.seconds(2))
    before, most, seen, open_to_mirror = status(child, "VmRSS"), 0, 0, 0

    def look(_):
        nonlocal most, seen, open_to_mirror
        most = max(most, status(child, "VmRSS"))
        seen = max(seen, p.counters().get("in_flight", 0))
        open_to_mirror = max(open_to_mirror, sum(m["state"]["connections"] for m in p.server.mirrors()))
    bench.watch(p, "mirrored", max(bench.seconds(4), 4), look)
    wait_settled(p, None, 30)
    t.row(seen, f"{before / 2**20:.1f}", f"{most / 2**20:.1f}", f"{(most - before) / 1024 / max(seen, 1):.1f}", open_to_mirror)
    t.plain_goal(f"{n} copies in flight in one child, on at most {connections} connections: under 48 MB",
                 f"{most / 2**20:.0f} MB with {seen} on {open_to_mirror}", most < 48 * 2**20 and open_to_mirror <= connections)


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
