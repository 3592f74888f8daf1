"""What a decision not to copy costs the thread that serves the client."""
import os
import subprocess

from harness.process import Failed

ORDER = 5
LIMIT = 1000            # nanoseconds


def run(bench):
    t = bench.table("Decisions not to copy", "bench/decision: one mirror, a GET with twelve headers; choosing and counting, "
                    "without an expression or a sample_key. Processor time of one thread, the fastest of sixty rounds.",
                    "decision", "ns")
    program = os.environ.get("DECISION", "")
    if not os.access(program, os.X_OK):
        t.plain_goal(f"a decision not to copy: under {LIMIT} ns", "-", None)
        t.note("skipped: bench/decision is not built (DECISION says where it is; `make bench` builds it)")
        return
    p = subprocess.run([program], capture_output=True, text=True, timeout=120, check=False)
    lines = [line.split("\t") for line in p.stdout.splitlines()]
    for name, ns in lines:
        t.row(name, ns)
    if p.returncode or not lines:
        raise Failed(f"{program} ended with {p.returncode}: {p.stderr.strip()[-500:] or 'a decision was another one'}")
    worst = max(float(ns) for _, ns in lines)
    t.plain_goal(f"a decision not to copy: under {LIMIT} ns", f"{worst:.0f} ns", worst < LIMIT)
