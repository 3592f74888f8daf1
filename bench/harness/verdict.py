"""What the soaks look at: a child of httpd over time, and checks that are printed as they are made."""
import re
import statistics

from . import measure


class Child:
    """What one process of httpd takes, over time."""

    def __init__(self, pid):
        self.pid, self.resident, self.threads, self.descriptors = pid, [], [], []
        self.look()
        self.before = (self.resident.pop(), self.threads.pop(), self.descriptors.pop())

    def look(self):
        self.resident.append(measure.status(self.pid, "VmRSS") / 2**20)
        self.threads.append(measure.status(self.pid, "Threads"))
        self.descriptors.append(measure.descriptors(self.pid))

    def quarters(self):
        """Median resident size in the second quarter of the time and in the last."""
        n = len(self.resident)
        return (statistics.median(self.resident[n // 4:n // 2] or self.resident),
                statistics.median(self.resident[-(n // 4 or 1):]))


class Verdict:
    def __init__(self):
        self.good = True

    def check(self, what, holds, value):
        self.good = self.good and holds
        print(f"   {'ok' if holds else 'FAILED':8}{what}: {value}", flush=True)

    def check_flat(self, name, process):
        early, late = process.quarters()
        self.check(f"{name}: resident size is flat", late <= early * 1.05 + 2,
                   f"{early:.1f} MB in the second quarter, {late:.1f} MB in the last")

    def check_sums(self, mirrors):
        for m in mirrors:
            total = m["state"]["queued"] + m["state"]["in_flight"] + sum(m["outcomes"].values())
            self.check(f"mirror {m['name']}: outcomes make up what was seen", total == m["seen"],
                       f"{m['seen']} seen: " + ", ".join(f"{n} {k}" for k, n in m["outcomes"].items() if n))

    def check_log(self, log, most):
        crashes = re.findall(r"^.*(?:AH0005[012]|exit signal|\[(?:emerg|alert|crit)\]).*$", log, re.M)
        self.check("no crash in the log", not crashes, crashes[0] if crashes else "none")
        lines = log.count("\n")
        self.check("the log is not flooded", lines <= most, f"{lines} lines, {most} allowed")
