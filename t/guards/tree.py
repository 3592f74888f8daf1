"""What the guards share: the files of the source tree, C without its comments, and how a guard ends."""
import os
import re
import subprocess
import sys

ROOT = os.path.abspath(os.environ.get("srcdir") or ".")

# What a build in the source folder leaves there, for a tree that is not a git checkout.
BUILT_FOLDERS = re.compile(r"\.git|\.libs|\.deps|m4|autom4te\.cache|__pycache__|\.pytest_cache|build-.*|"
                           r"\.debhelper|libapache2-mod-proxy-mirror|"
                           r"mod_proxy_mirror-\d.*")
BUILT_FILES = re.compile(r"Makefile(\.in)?|configure~?|config\..*|aclocal\.m4|libtool|\.dirstamp|"
                         r".*\.(o|lo|la|a|so|inc|log|trs|tar\.xz)")


def paths():
    """All files of the project, relative to its top: what git knows or would add, else what was not built."""
    try:
        out = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                             capture_output=True, check=True) if os.path.exists(f"{ROOT}/.git") else None
    except (OSError, subprocess.CalledProcessError):
        out = None
    if out:
        names = out.stdout.decode().split("\0")
        return sorted({n for n in names if n and os.path.isfile(f"{ROOT}/{n}")})
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [f for f in folders if not BUILT_FOLDERS.fullmatch(f)]
        found += [os.path.relpath(os.path.join(folder, n), ROOT) for n in names if not BUILT_FILES.fullmatch(n)]
    return sorted(found)


def matching(pattern):
    """The files whose path matches all of a regular expression."""
    return [p for p in paths() if re.fullmatch(pattern, p)]


def read(path):
    """A file's text; "" for one that is not text (a program, an input of a fuzz target)."""
    with open(f"{ROOT}/{path}", "rb") as f:
        data = f.read()
    try:
        return "" if b"\0" in data else data.decode()
    except UnicodeDecodeError:
        return ""


TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code(text, strings=False):
    """C with its comments blanked, and its strings too unless they are asked for; every offset stays."""
    def blank(m):
        keep = strings and m.group()[0] in "\"'"
        return m.group() if keep else re.sub(r"[^\n]", " ", m.group())
    return TOKEN.sub(blank, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def finish(guard, problems, checked):
    """Ends the guard: one line if all is well, else what is wrong and where."""
    if not checked:
        problems = [f"nothing to check was found below {ROOT}: the guard does not know this tree"]
    if problems:
        print(f"guard {guard}: FAILED\n" + "\n".join(f"  {p}" for p in problems))
        sys.exit(1)
    print(f"guard {guard}: {checked}")
