"""Programs of the benchmark's own that print their figures: in each line a name, a tab and a figure."""
import os
import subprocess

from .process import Failed


def figures(table, variable, *arguments, seconds=120):
    """{name: figure} as text; None, with a note in the table, if the environment names no such program."""
    program = os.environ.get(variable, "")
    if not os.access(program, os.X_OK):
        table.note(f"skipped: {variable} names no program (`make bench` builds it)")
        return None
    p = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=seconds, check=False)
    found = dict(line.split("\t") for line in p.stdout.splitlines())
    if p.returncode or not found:
        raise Failed(f"{program} ended with {p.returncode}: {p.stderr.strip()[-500:] or 'it printed no figure'}")
    for name, figure in found.items():
        table.row(name, figure)
    return found
