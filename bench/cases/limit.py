"""A limit in Redis: what does it cost, and does a client notice that Redis hangs?"""
from harness.measure import Figures, Rounds, wait_settled
from harness.redis import Redis
from peers.base import Setup

ORDER = 95
SIDES = {"plain": "no mirror", "free": "mirror, no limit", "limited": "limit in Redis, never reached",
         "closed": "limit in Redis, used up"}


def run(bench):
    t = bench.table("A limit in Redis", "GET, wrk -t1 -c32; event MPM, two children of 64 threads; max_queue=100000, "
                    "ProxyMirrorMemory 4G. What is compared was measured in a load in which the requests take turns between "
                    "two locations. Commands are those that Redis has counted (EVALSHA and EVAL).",
                    "location", "requests/s", "p50 ms", "p99 ms", "CPU us/request", "Redis commands/copy")
    if bench.lab.without_tool("redis-server"):
        t.note("skipped: " + bench.lab.without_tool("redis-server"))
        return
    redis = Redis(bench.lab)
    origin, mirror = bench.sinks()
    peers = bench.start(Setup(origin.url(), [mirror.url()], redis.attributes(), "ProxyMirrorMemory 4G"), "httpd_limit",
                        table=t)
    if not peers:
        return
    p = peers["httpd_limit"]
    commands = {side: [] for side in SIDES}

    def load(url):
        """wrk, and how many commands it was to Redis."""
        side = url.rsplit("/", 2)[1]
        before = redis.calls()
        result = bench.wrk(url, bench.seconds(0.5))
        commands[side].append((redis.calls() - before, result.all))
        return result
    r = Rounds(bench, [p], bench.count(7), load, mirror, settle=60)
    for side, name in SIDES.items():
        asked = Figures(calls / n for calls, n in commands[side])
        t.row(name, r.figures(p, side, lambda s: s.load.rate).text(0), r.figures(p, side, lambda s: s.load.p50_ms).text(2),
              r.figures(p, side, lambda s: s.load.p99_ms).text(2), r.figures(p, side, lambda s: s.cpu_us).text(),
              asked.text(3) if side in ("limited", "closed") else "-")
    goals(bench, t, p, commands)
    hang(bench, t, p, redis, mirror)


def goals(bench, t, p, commands):
    limited = bench.turns({p.key: p}, 7, 1.5, sides=("free", "limited"))
    closed = bench.turns({p.key: p}, 5, 1.5, sides=("plain", "closed"))
    t.figures["limit"] = limited.against(p, "limited", (p, "free"), lambda a, b: a.load.rate / b.load.rate)
    t.figures["commands"] = Figures(calls / n for calls, n in commands["limited"])
    t.goal("throughput of the client, times that of the same mirror without a limit: at least 0.97", t.figures["limit"],
           0.97, at_most=False)
    t.goal("Redis commands for each copy at full load: at most 0.5", t.figures["commands"], 0.5, digits=3)
    asked = sum(calls for calls, _ in commands["closed"])
    t.plain_goal("Redis commands of a window that is used up: at most one for each child, and one that brings the script",
                 f"{asked} while {sum(n for _, n in commands['closed'])} requests were refused", asked == 0)
    t.note("a refused request costs the proxy " + closed.against(
        p, "closed", (p, "plain"), lambda a, b: a.cpu_us - b.cpu_us).text(2) + " us more than one without a mirror; "
           "the case `decision` has the decision alone")


def hang(bench, t, p, redis, mirror):
    """Redis is stopped while it is asked, and is not, in turn."""
    loads = {False: [], True: []}
    for i in range(bench.count(6)):
        for stopped in (False, True) if i % 2 == 0 else (True, False):
            wait_settled(p, mirror, 30)
            if stopped:
                redis.pause()
            try:
                loads[stopped].append(bench.wrk(p.url("limited"), bench.seconds(1)))
            finally:
                redis.go_on()
    for stopped, name in ((False, "the same again"), (True, "the same, Redis stopped")):
        t.row(name, *(Figures(value(of) for of in loads[stopped]).text(digits) for value, digits in (
            (lambda of: of.rate, 0), (lambda of: of.p50_ms, 2), (lambda of: of.p99_ms, 2))), "-", "-")
    t.goal("p99 of the client with a Redis that is stopped, times that without, measured in turn: at most 1.2",
           Figures(a.p99_ms / b.p99_ms for a, b in zip(loads[True], loads[False])), 1.2)
