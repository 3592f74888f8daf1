"""C files are as clang-format leaves them (.clang-format): 100 columns. Without clang-format nothing is checked, which is said."""
import os
import shutil
import subprocess
import tree

FORMAT = os.environ.get("CLANG_FORMAT", "clang-format")
# The format of another major version differs in details.
VERSION = " version 14."

files = tree.matching(r"(mod_proxy_mirror|(modules|t|bench|docs)/.*)\.[ch]")
files = [path for path in files if not path.startswith("t/lab/preload/")]
if not shutil.which(FORMAT):
    tree.finish("format", [], f"no {FORMAT} here; {len(files)} files were not looked at")
elif VERSION not in subprocess.run([FORMAT, "--version"], capture_output=True, text=True, check=True).stdout:
    tree.finish("format", [], f"{FORMAT} is not{VERSION}x; {len(files)} files were not looked at")
else:
    out = subprocess.run([FORMAT, "--dry-run", "-ferror-limit=1", *[f"{tree.ROOT}/{p}" for p in files]],
                         capture_output=True, text=True, check=False)
    wrong = sorted({line.split(":")[0].removeprefix(f"{tree.ROOT}/") for line in out.stderr.splitlines()
                    if "clang-format-violations" in line})
    tree.finish("format", [f"{path}: is not as clang-format leaves it; run make format" for path in wrong],
                f"{len(files)} files are as clang-format leaves them" if files else "")
