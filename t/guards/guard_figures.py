"""The figures of README.md and of the pages in docs are those that the benchmark has printed into bench/results.md."""
import subprocess
import sys
import tree

out = subprocess.run([sys.executable, f"{tree.ROOT}/bench/readme", "--check", tree.ROOT], capture_output=True, text=True)
problems = (out.stdout + out.stderr).splitlines() if out.returncode else []
tables = out.stdout.strip() if not out.returncode else "some"
tree.finish("figures", problems, tables != "0" and f"{tables} tables of the pages are the benchmark's")
