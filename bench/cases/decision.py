"""What a decision not to copy costs the thread that serves the client."""
from harness.program import figures

ORDER = 5
LIMIT = 1000            # nanoseconds


def run(bench):
    t = bench.table("Decisions not to copy", "bench/decision: one mirror, a GET with twelve headers; choosing and counting, "
                    "without an expression or a sample_key. Processor time of one thread, the fastest of sixty rounds.",
                    "decision", "ns")
    found = figures(t, "DECISION")
    worst = max(map(float, found.values())) if found else None
    t.plain_goal(f"a decision not to copy: under {LIMIT} ns", f"{worst:.0f} ns" if found else "-",
                 worst < LIMIT if found else None)
