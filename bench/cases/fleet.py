"""A fleet of many nodes: what they ask of the store, what that costs a node, and how soon a change is in force on all."""
from harness.program import figures
from harness.redis import Redis

ORDER = 97
NODES, CHANGES = 200, 20


def run(bench):
    t = bench.table("A fleet of 200 nodes", f"bench/fleet_nodes: the real pollers of {NODES} nodes, a process each, and one "
                    f"Redis, all on this machine; ten idle seconds, then {CHANGES} changes, one after the other.",
                    "of a node", "figure")
    if bench.lab.without_tool("redis-server"):
        t.note("skipped: " + bench.lab.without_tool("redis-server"))
        return
    found = figures(t, "FLEET_NODES", str(Redis(bench.lab).port), str(NODES), str(CHANGES), seconds=300)

    def goal(text, name, limit, unit):
        value = found and found[name]
        t.plain_goal(text, f"{value} {unit}" if found else "-", float(value) <= limit if found else None)
    goal("commands of an idle node: at most 2.2 a second", "commands/s of an idle node", 2.2, "commands/s")
    goal("processor time of an idle node: under 0.1 % of a core", "% of a core of an idle node", 0.1, "%")
    goal("time until a change is in force, p99: under 1.2 s", "ms until a change is in force, p99", 1200, "ms")
