"""POST of 1 KiB, 64 KiB and 1 MiB."""
from harness.compare import COLUMNS, outcomes, rows
from peers.base import Setup

ORDER = 60
SIZES = (("1 KiB", 1024, 0.5), ("64 KiB", 65536, 0.5), ("1 MiB", 1048576, 1))    # and seconds of a load


def run(bench):
    t = bench.table("POST", "wrk -t1 -c32; origin and mirror read the whole body before they answer; max_body=4M, "
                    "max_queue=100000, ProxyMirrorMemory 4G.", "body, proxy", *COLUMNS)
    for name, size, seconds in SIZES:
        origin, mirror = bench.sinks()
        peers = bench.start(Setup(origin.url("whole"), [mirror.url("whole")], "max_body=4M max_queue=100000",
                                  "ProxyMirrorMemory 4G"), "httpd_mirror", "nginx_mirror", table=t)
        r = bench.rounds(peers, 7, seconds, mirror, settle=60, body=size)
        rows(t, r, peers, prefix=f"{name}, ")
        if "httpd_mirror" in peers:
            t.note(f"outcomes with {name}: " + outcomes(r, peers["httpd_mirror"]))
        bench.lab.stop()
