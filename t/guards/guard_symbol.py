"""The module exports one symbol: its module record."""
import os
import subprocess
import tree

WANTED = {"proxy_mirror_module"}

module = os.environ["MODULE"]
out = subprocess.run([*os.environ.get("NM", "nm").split(), "-D", "--defined-only", module], capture_output=True,
                     text=True)
names = {line.split()[-1] for line in out.stdout.splitlines() if line.strip()}
problems = []
if out.returncode:
    problems.append(out.stderr.strip())
elif names != WANTED:
    problems += [f"{module}: exports {name}; make it static, or keep it out of -export-symbols-regex"
                 for name in sorted(names - WANTED)]
    problems += [f"{module}: does not export {name}" for name in sorted(WANTED - names)]

tree.finish("symbol", problems, "one exported symbol")
