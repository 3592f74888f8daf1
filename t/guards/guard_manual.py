"""Every attribute, directive, outcome and metric of the module is described once, and no generated
page is stale."""
import os
import subprocess
import sys
import tree

generate = [sys.executable, f"{tree.ROOT}/docs/generate.py", os.environ["TABLES"], "--check"]
out = subprocess.run(generate, capture_output=True, text=True, env={**os.environ, "srcdir": tree.ROOT})
problems = (out.stdout + out.stderr).splitlines() if out.returncode else []

tree.finish("manual", problems, "the module is described, and the generated pages are fresh")
