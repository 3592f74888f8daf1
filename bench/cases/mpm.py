"""GET under event, worker and prefork."""
from harness.compare import COLUMNS, IN_TURN, rows
from harness.process import Missing
from peers.base import Setup

ORDER = 70


def run(bench):
    t = bench.table("MPMs", "GET, wrk -t1 -c32; event and worker with two children of 64 threads, prefork with 64 "
                    "children; max_queue=100000, ProxyMirrorMemory 4G. Added CPU as in the case `get`, in a load "
                    + IN_TURN, "MPM, proxy", *COLUMNS)
    for mpm in ("event", "worker", "prefork"):
        origin, mirror = bench.sinks()
        try:
            peers = bench.start(Setup(origin.url(), [mirror.url()], "max_queue=100000", "ProxyMirrorMemory 4G", mpm),
                                "httpd_mirror", table=t)
        except Missing as e:
            t.note(f"skipped: {mpm}: {e}")
        else:
            r = bench.rounds(peers, 6, 0.5, mirror, settle=60)
            rows(t, r, peers, prefix=f"{mpm}, ", turns=bench.turns(peers, 7, 1.5, mirror, settle=60))
        bench.lab.stop()
