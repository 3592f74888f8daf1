"""Uploads of 100 MB: how much the children grow, without and with a mirror."""
import os
from concurrent.futures import ThreadPoolExecutor

from harness.load import upload
from harness.measure import forget_peak, status, wait_settled
from harness.process import Failed
from peers.base import Setup

ORDER = 105
SIZE = 100 << 20
BOUND = 8                                           # MB


def run(bench):
    t = bench.table("Uploads", "POST of 100 MB; origin and mirror read the whole body before they answer; "
                    "max_body=200M, timeout=2min, ProxyMirrorSpool of 1G. The peak of the resident size of the child "
                    "that grew most, less what it had before; four uploads without a mirror came first.",
                    "at a time", "without a mirror MB", "with a mirror MB", "copied")
    origin, mirror = bench.sinks()
    spool = bench.lab.folder("spool")
    os.chmod(spool, 0o777)
    peers = bench.start(Setup(origin.url("whole"), [mirror.url("whole")], "max_body=200M timeout=2min",
                              f"ProxyMirrorSpool {spool} 1G"), "httpd_mirror", table=t)
    if not peers:
        return
    p = peers["httpd_mirror"]
    uploads(p, "plain", 4)
    worst = 0
    for together in (1, 4):
        grown = {}
        for side in p.sides:
            before = p.counters().get("mirrored", 0)
            grown[side] = uploads(p, side, together)
        copied = p.counters().get("mirrored", 0) - before
        worst = max(worst, grown["mirrored"])
        t.row(str(together), f"{grown['plain']:.1f}", f"{grown['mirrored']:.1f}", f"{copied} of {together}")
        if copied < together:
            t.note("outcomes: " + ", ".join(f"{v} {k}" for k, v in p.counters().items() if v))
            worst = None
            break
    t.plain_goal(f"resident size grows by less than {BOUND} MB for one upload or several",
                 "-" if worst is None else f"{worst:.1f} MB", None if worst is None else worst < BOUND)
    t.figures["grown"] = worst


def uploads(p, side, together):
    """So many uploads at a time, until their copies have ended; the growth of the child that grew most, in MB."""
    before = {}
    for pid in p.pids()[1:]:
        forget_peak(pid)
        before[pid] = status(pid, "VmRSS")
    with ThreadPoolExecutor(together) as threads:
        answers = list(threads.map(lambda _: upload(p.url(side), SIZE), range(together)))
    if answers != [200] * together:
        raise Failed(f"an upload was answered with {answers}")
    wait_settled(p, None, 60)
    return max(status(pid, "VmHWM") - rss for pid, rss in before.items()) / 2**20
