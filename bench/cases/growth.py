"""How memory and processor time grow with the copies that are in flight, 1 to 10,000 in one child."""
from harness.measure import descriptors, status, threads_ns, wait_settled
from peers.base import Setup

ORDER = 98
COPIES = (1, 100, 1000, 2500, 5000, 10000)
LIMIT = 128                                         # MB, with the most of them
ROW = 4                                             # pipeline where there are not descriptors for a connection each


def run(bench):
    t = bench.table("Copies in flight", "GET, wrk -t1 -c32, one child of 64 threads; the mirror answers after one second; "
                    "max_queue=0 and max_connections as many as are to be in flight, each with a connection of its own; "
                    f"from 1000 on copies=10. Where so many connections cannot be had: pipeline={ROW}. "
                    "Resident size of the child: after unmirrored load, and the most under mirrored load.",
                    "in flight", "most seen", "before MB", "most MB", "KB/copy", "sender us/copy", "descriptors")
    for n in COPIES:
        if 4 * n > bench.lab.descriptors:
            t.note(f"{n}: connections to mirrors may take a quarter of {bench.lab.descriptors} descriptors, so these are on "
                   f"{n // ROW} connections, pipeline={ROW}")
            one(bench, t, n, ROW)
        else:
            one(bench, t, n)
        bench.lab.stop()
    goal(t)


def goal(t):
    points = [(n, f.median) for n, f in t.figures.get("memory", [])]
    most = COPIES[-1]
    for n, f in t.figures.get("memory in rows", []):
        if n >= 0.9 * most:
            t.plain_goal(f"{most} copies in flight in one child, {ROW} on each connection: under {LIMIT} MB",
                         f"{f.median:.0f} MB with {n}", f.median < LIMIT)
    if points and points[-1][0] == most:
        mb = points[-1][1]
        text = f"{mb:.0f} MB"
    elif len(points) > 2:                           # the line through the last two points
        (x0, y0), (x1, y1) = points[-2:]
        mb = y1 + (most - x1) * (y1 - y0) / (x1 - x0)
        text = f"{mb:.0f} MB, drawn out from {x0} and {x1}, as no more can be had here"
    else:
        mb, text = None, "-"
    t.plain_goal(f"{most} copies in flight in one child, with their connections: under {LIMIT} MB", text,
                 None if mb is None else mb < LIMIT)


def one(bench, t, n, row=1):
    """row: how many are to be on each connection."""
    origin, mirror = bench.sinks()
    connections = n // row
    attributes = f"max_queue={n - connections} max_connections={connections} pipeline={row} copies={10 if n >= 1000 else 1}"
    peers = bench.start(Setup(origin.url(), [mirror.url("slow")], attributes, children=1), "httpd_mirror", table=t)
    if not peers:
        return
    p = peers["httpd_mirror"]
    child = p.pids()[1]
    bench.wrk(p.url("plain"), bench.seconds(2))
    before, most, seen, open_files = status(child, "VmRSS"), 0, 0, 0
    copies, ns = p.counters().get("mirrored", 0), sum(threads_ns([child], "mirror-sender").values())

    def look(_):
        nonlocal most, seen, open_files
        most = max(most, status(child, "VmRSS"))
        seen = max(seen, p.counters().get("in_flight", 0))
        open_files = max(open_files, descriptors(child))
    bench.watch(p, "mirrored", max(bench.seconds(4), 4), look)
    wait_settled(p, None, 30)
    copies = p.counters().get("mirrored", 0) - copies
    ns = sum(threads_ns([child], "mirror-sender").values()) - ns
    add(t, n, row, before, most, seen, ns / 1e3 / max(copies, 1), open_files)


def add(t, n, row, before, most, seen, sender_us, open_files):
    t.row(n, seen, f"{before / 2**20:.1f}", f"{most / 2**20:.1f}", f"{(most - before) / 1024 / seen:.1f}" if seen >= 100 else "-",
          f"{sender_us:.1f}", open_files)
    t.point("memory" if row == 1 else "memory in rows", n if row == 1 and seen >= n * 0.9 else seen, most / 2**20)
