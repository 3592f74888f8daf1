"""GET over 1, 32 and 256 connections of the client."""
from harness.compare import COLUMNS, added, rows
from peers.base import Setup

ORDER = 80


def run(bench):
    t = bench.table("Connections of the client",
                    "GET, wrk -t1; event MPM, two children of 256 threads (with fewer threads than connections httpd "
                    "closes idle ones); max_queue=100000, ProxyMirrorMemory 4G.",
                    "connections, proxy", *COLUMNS)
    origin, mirror = bench.sinks()
    peers = bench.start(Setup(origin.url(), [mirror.url()], "max_queue=100000", "ProxyMirrorMemory 4G",
                              threads=256), "httpd_mirror", "nginx_mirror", table=t)
    for n in (1, 32, 256):
        r = bench.rounds(peers, 7, 0.5, mirror, settle=60, connections=n, warm=int(n == 1))
        rows(t, r, peers, prefix=f"{n}, ")
        for key, p in peers.items():
            t.figures.setdefault(key, []).append((n, added(r, p)))
