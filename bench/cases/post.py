"""POST of 1 KiB, 64 KiB and 1 MiB, to one mirror and to two."""
from harness.compare import COLUMNS, added, outcomes, quotient, ratio, rows
from peers.base import Setup

ORDER = 60
SIZES = (("1 KiB", 1024, 0.5, (1,)), ("64 KiB", 65536, 0.5, (1, 2)), ("1 MiB", 1048576, 1, (1, 2)))   # and seconds of a load, mirrors
GOALS = {"64 KiB": 0.8, "1 MiB": 1.5}       # added CPU over that of nginx, one mirror


def run(bench):
    t = bench.table("POST", "wrk -t1 -c32; origin and mirrors read the whole body before they answer; max_body=4M, "
                    "max_queue=100000, ProxyMirrorMemory 4G. Added CPU is for each request of the client, so for all its copies "
                    "together; arrived is the share of copies.", "body, proxy",
                    *("added us/request" if c == "added us/copy" else c for c in COLUMNS))
    for name, size, seconds, counts in SIZES:
        cost = {}
        for n in counts:
            cost[n] = measure(bench, t, name, size, seconds, n)
        if 2 in cost and "httpd_mirror" in cost[2]:
            t.goal(f"added CPU of a request mirrored to two, {name}, times that to one: at most 1.6",
                   quotient(cost[2]["httpd_mirror"], cost[1]["httpd_mirror"]), 1.6)


def measure(bench, t, name, size, seconds, n):
    """The rows of one size and number of mirrors. Returns {key of a peer: added CPU for a request}."""
    origin, mirror = bench.sinks()
    peers = bench.start(Setup(origin.url("whole"), [mirror.url("whole")] * n, "max_body=4M max_queue=100000",
                              "ProxyMirrorMemory 4G"), "httpd_mirror", "nginx_mirror",
                        *(["ats_multiplexer"] if size < 65536 else []), table=t)      # see the README
    r = bench.rounds(peers, 7, seconds, mirror, settle=60, body=size)
    rows(t, r, peers, prefix=f"{name} to {n} mirror{'s' * (n > 1)}, ", each=n)
    cost = {key: added(r, p, n) for key, p in peers.items()}
    ours, theirs = peers.get("httpd_mirror"), peers.get("nginx_mirror")
    if ours:
        t.note(f"outcomes with {name} to {n}: " + outcomes(r, ours))
    if n == 1 and ours and theirs and name in GOALS:
        t.goal(f"added CPU of a mirrored request of {name}, times what nginx's mirror adds: at most {GOALS[name]}",
               quotient(cost["httpd_mirror"], cost["nginx_mirror"]), GOALS[name])
    if n == 1 and ours and theirs and name == "1 MiB":
        t.goal("throughput with mirrored 1 MiB of unmirrored, times that of nginx: at least 1.0",
               quotient(ratio(r, ours), ratio(r, theirs)), 1.0, at_most=False)
    bench.lab.stop()
    return cost
