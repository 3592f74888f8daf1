"""GET to 1, 2 and 4 mirrors at once."""
from harness.compare import COLUMNS, added, rows
from peers.base import Setup

ORDER = 90


def run(bench):
    t = bench.table("Several mirrors", "GET, wrk -t1 -c32; max_queue=100000, ProxyMirrorMemory 4G. Added CPU is for "
                    "each request of the client, so for all its copies together; arrived is the share of copies.",
                    "mirrors, proxy", *("added us/request" if c == "added us/copy" else c for c in COLUMNS))
    for n in (1, 2, 4):
        origin, mirror = bench.sinks(further=3)
        peers = bench.start(Setup(origin.url(), mirror.urls(n), "max_queue=100000", "ProxyMirrorMemory 4G"),
                            "httpd_mirror", "nginx_mirror", table=t)
        r = bench.rounds(peers, 7, 0.5, mirror, settle=60)
        rows(t, r, peers, prefix=f"{n}, ", each=n)
        for key, p in peers.items():
            t.figures.setdefault(key, []).append((n, added(r, p, n)))
        bench.lab.stop()
