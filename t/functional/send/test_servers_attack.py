"""Several servers behind one mirror, and what is hostile or broken about them: names of very many addresses, servers that all
hang, flap or are down, changes at run time under load, foreign data in shared memory."""
from __future__ import annotations

import glob
import os
import random
import threading
import time

import pytest

from httpdlab import location, scaled, to, wait_for
from serverslab import counts, gets, listed, named, one_by_one, servers, state, with_names  # noqa: F401

PRELOADS = ("names",)


@pytest.fixture
def httpd(names, preload, httpd):
    return with_names(httpd, preload, names)


def sender_time(h) -> float:
    """Seconds of a processor that the senders have had."""
    total = 0
    for pid in h.pids():
        for task in glob.glob(f"/proc/{pid}/task/*"):
            with open(f"{task}/comm", encoding="ascii") as comm, open(f"{task}/stat", encoding="ascii") as stat:
                if comm.read() == "mirror-sender\n":
                    total += sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:13]))
    return total / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("kind", ["in another order", "others"])
def test_name_of_very_many_addresses(httpd, origin, recorder, names, kind):
    """16 are used, those that there were stay, and a lookup takes the sender some milliseconds at most."""
    mirror = recorder(host="0.0.0.0")
    every = [[f"127.{a}.{b}.{c}" for b in range(100) for c in range(1, 101)] for a in (1, 2)]
    random.Random(1).shuffle(every[0])
    names.set(some=" ".join(every[0]))
    h = httpd(location("/o/", origin, named(mirror.port, "ttl=100ms")), expect=["PM0430"])
    one_by_one(h, 20)
    first, before, count = sorted(state(h)), sender_time(h), 20
    for n in range(1, 11):
        random.Random(n + 1).shuffle(every[n % 2])
        names.set(some=" ".join(every[n % 2 if kind == "others" else 0]))
        lookups = names.lookups("some")
        while names.lookups("some") == lookups:
            count += 1
            one_by_one(h, 1, count - 1)
    took = sender_time(h) - before
    assert took < max(0.3, scaled(0.1)), took
    assert h.outcomes() == {"mirrored": count}
    assert len(state(h)) == 16 and (sorted(state(h)) == first) == (kind != "others")
    assert len(h.log_lines("PM0430: mirror m: some.test has 10000 addresses, of which 16 are used")) == 1
