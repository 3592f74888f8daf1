"""A mirror over TLS that accepts connections and never says a word of the handshake."""
from harness.compare import COLUMNS, TAKE_TURNS, outcomes, ratio, rows
from harness.faulty import Hang
from peers.base import Setup

ORDER = 55
KINDS = {"": "all attributes at their defaults", "retry=0": "retry=0, so that it stalls all the time"}


def run(bench):
    t = bench.table("Mirror that stalls in the handshake",
                    "GET, wrk -t1 -c32; the mirror accepts and says nothing; " + ", or with ".join(KINDS.values())
                    + ". CPU and throughput come from loads " + TAKE_TURNS + ".",
                    "proxy", *COLUMNS)
    if bench.lab.without_tls():
        t.note("skipped: " + bench.lab.without_tls())
        return
    for attributes, what in KINDS.items():
        mirror = bench.lab.keep(Hang())
        origin = bench.sinks()[0]
        peers = bench.start(Setup(origin.url(), [mirror.url().replace("http:", "https:")], attributes,
                                  "SSLProxyEngine on", modules=("ssl",)), "httpd_mirror", table=t)
        r = bench.rounds(peers, 3, 0.5, settle=0)
        turns = bench.turns(peers, 9, 1.5, settle=0)
        rows(t, r, peers, f"{attributes}: " if attributes else "", copies=False, turns=turns, rates=turns)
        for p in peers.values():
            t.figures[f"ratio {attributes}"] = ratio(turns, p)
            t.note(f"outcomes with {what}: " + outcomes(r, p))
        t.goal(f"throughput of the client, times unmirrored, with {what}: at least 0.97",
               t.figures.get(f"ratio {attributes}"), 0.97, at_most=False)
        bench.lab.stop()
