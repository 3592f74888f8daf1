"""GET without a body at full speed: what does a copy cost?"""
from harness.compare import COLUMNS, IN_TURN, added, per_copy, quotient, ratio, rows
from peers.base import Setup

ORDER = 10


def run(bench):
    t = bench.table("GET at full speed",
                    "wrk -t1 -c32; event MPM, two children of 64 threads; max_queue=100000, ProxyMirrorMemory 4G. "
                    "Added CPU is that of all processes of the proxy for each copy, over the unmirrored location of "
                    "the same server in the same load, " + IN_TURN, "proxy", *COLUMNS)
    origin, mirror = bench.sinks()
    peers = bench.start(Setup(origin.url(), [mirror.url()], "max_queue=100000", "ProxyMirrorMemory 4G",
                              mirrors_without_body=[mirror.url("empty")]),
                        "httpd", "httpd_mirror", "httpd_pipeline", "nginx", "nginx_mirror", "nginx_mirror_empty", "ats_multiplexer", "floor",
                        table=t)
    bare = {key: peers.pop(key) for key in ("httpd", "nginx") if key in peers}     # to look at, and in no ratio
    rows(t, bench.rounds(bare, 7, 0.5), bare)
    r = bench.rounds(peers, 9, 0.5, mirror, settle=60)
    turns = bench.turns(peers, 7, 1.5, mirror, settle=60)
    rows(t, r, peers, turns=turns)
    for key, p in peers.items():
        if "mirrored" in p.sides:
            t.figures[key] = added(turns, p)
            t.figures[key + " ratio"] = ratio(r, p)
    floor = None
    if "floor" in peers:
        p = peers["floor"]
        floor = t.figures["floor"] = turns.figures(p, "floor", lambda s: s.load.cpu_us)
        t.row(p.name, r.figures(p, "floor", lambda s: s.load.rate).text(0), "-",
              f"{r.figures(p, 'floor', lambda s: s.load.p50_ms).median:.2f}",
              f"{r.figures(p, 'floor', lambda s: s.load.p99_ms).median:.2f}", f"{floor.text()} of wrk", "-", "-", "-")
    goals(t, r, turns, peers, floor)
    if "nginx_mirror_empty" in peers:
        t.note("nginx closes its connection to the mirror after every answer that has a body, whatever its keep-alive "
               "settings; the row with answers without body (204) is the one in which its keep-alive works")


def goals(t, r, turns, peers, floor):
    ours = peers.get("httpd_mirror")
    mine = t.figures.get("httpd_mirror")
    nginx = t.figures.get("nginx_mirror")
    for key, how, times_floor, times_nginx in (("httpd_mirror", "", 2.5, 1 / 3),
                                               ("httpd_pipeline", ", pipeline=16", 1.5, 1 / 5)):
        added_us = t.figures.get(key)
        t.goal(f"added CPU of a mirrored GET{how}, times the floor: at most {times_floor}",
               added_us and floor and quotient(added_us, floor), times_floor)
        t.goal(f"added CPU of a mirrored GET{how}, times what nginx's mirror adds: at most {times_nginx:.3f}",
               added_us and nginx and quotient(added_us, nginx), times_nginx, digits=3)
    if not ours:
        t.plain_goal("all copies arrive at the mirror (its own count)", "-", None)
        return
    samples = r.of(ours, "mirrored")
    seen = sum(s.outcomes["seen"] for s in samples)
    got = sum(s.arrived for s in samples)
    mirrored = sum(s.outcomes["mirrored"] for s in samples)
    t.plain_goal("all copies arrive at the mirror (its own count)", f"{got} of {seen}, {mirrored} counted as mirrored",
                 0 < seen == got == mirrored)
    if "nginx_mirror_empty" in peers:
        t.note("added CPU of a mirrored GET, times what nginx's mirror adds where its keep-alive works: "
               + quotient(mine, t.figures["nginx_mirror_empty"]).text(2))
    sender = t.figures["sender"] = senders(turns, ours)
    helper = r.figures(ours, "mirrored", lambda s: per_copy(s.helper_us, s))
    t.note(f"of the added CPU of httpd, the sender threads took {sender.text()} us for each copy, the helper threads "
           f"{helper.text(2)} us (the kernel's accounting of threads); with pipeline=16 the sender threads took "
           f"{senders(turns, peers['httpd_pipeline']).text()} us")


def senders(r, peer):
    return r.figures(peer, "mirrored", lambda s: per_copy(s.sender_us, s))
