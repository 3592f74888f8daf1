"""What is measured. A case is one file here with `ORDER` and `run(bench)`; see ../README.md."""
import importlib
import os


def names():
    """All cases, in the order in which they run."""
    here = os.path.dirname(os.path.abspath(__file__))
    found = [f[:-3] for f in os.listdir(here) if f.endswith(".py") and not f.startswith("_")]
    return sorted(found, key=lambda n: (module(n).ORDER, n))


def module(name):
    return importlib.import_module(f"cases.{name}")
