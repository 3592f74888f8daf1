"""needs.py MODULE...: whether this Python has these modules, of the versions that the tests work with; says what it has not."""
import importlib
import re
import sys

# pytest.StashKey came with 7.0, --dist loadgroup with 2.5. No newer syntax than that of Python 3.6 here.
PYTHON = (3, 9)
VERSIONS = {"pytest": ("pytest", (7, 0)), "xdist": ("pytest-xdist", (2, 5))}


def dotted(version):
    return ".".join(map(str, version))


def missing(module):
    """What there is to say against it, if anything."""
    name, wanted = VERSIONS.get(module, (module, ()))
    least = "%s %s or later is required" % (name, dotted(wanted)) if wanted else "%s is required" % name
    try:
        found = getattr(importlib.import_module(module), "__version__", "0")
    except ImportError:
        return "%s; there is none" % least
    numbers = tuple(int(n) for n in re.findall(r"\d+", found)[:3])
    return "%s; found %s" % (least, found) if numbers < wanted else None


def main():
    said = [one for one in map(missing, sys.argv[1:]) if one]
    if "pytest" in sys.argv[1:] and sys.version_info < PYTHON:
        said.insert(0, "Python %s or later is required; found %s" % (dotted(PYTHON), dotted(sys.version_info[:3])))
    for one in said:
        print("%s: %s" % (sys.executable, one), file=sys.stderr)
    return 1 if said else 0


sys.exit(main())
