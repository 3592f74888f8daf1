"""What a case is given: servers, peers, rounds, and where its tables go."""
import os

import peers

from . import load
from .measure import Rounds, measure
from .nginx import Sink
from .report import Table
from .turns import RateTurns, Turns


class Bench:
    """rounds and seconds are what a case asks for, unless BENCH_ROUNDS or BENCH_SECONDS say otherwise."""

    def __init__(self, lab):
        self.lab, self.tables = lab, []

    def table(self, title, about, *columns):
        t = Table(title, about, list(columns))
        self.tables.append(t)
        return t

    @staticmethod
    def seconds(wanted):
        return int(os.environ["BENCH_SECONDS"]) if os.environ.get("BENCH_SECONDS") else wanted

    @staticmethod
    def count(wanted):
        return int(os.environ.get("BENCH_ROUNDS") or wanted)

    def sinks(self, further=0, certificate=None):
        """An origin and a mirror."""
        origin = Sink(self.lab, "origin")
        return origin, Sink(self.lab, "mirror", discard=origin.ports["discard"], further=further, certificate=certificate)

    def start(self, setup, *names, table=None):
        """Starts the peers that can run here; {key: peer}. What was skipped is noted in the table."""
        ready, skipped = peers.load(self.lab, *names)
        if table:
            table.skipped(skipped)
        for p in ready:
            p.start(setup)
        return {p.key: p for p in ready}

    @staticmethod
    def wrk(url, seconds, **more):
        return load.wrk(url, seconds, **more)

    def h2load(self, url, seconds, rate, **more):
        return load.h2load(url, seconds, rate, f"{self.lab.root}/h2load.log", **more)

    def h2load_turns(self, urls, seconds, rate):
        return load.h2load_turns(urls, seconds, rate, f"{self.lab.root}/h2load.log")

    def h2load_beside(self, other, url, seconds, rate):
        """h2load() while another one loads `other` alike; what the one at `url` saw."""
        background = load.Background(lambda: load.h2load(other, seconds, rate, f"{self.lab.root}/h2load-other.log"))
        try:
            return self.h2load(url, seconds, rate)
        finally:
            background.result()

    def watch(self, peer, side, seconds, look, **of_wrk):
        """Load while look(peer) is called four times a second; a measure.Sample."""
        return measure(peer, side, lambda url: self.wrk(url, seconds, **of_wrk), settle=0, watch=look)

    def rounds(self, peers_of, rounds, seconds, sink=None, **more):
        """Rounds of wrk, see measure.Rounds; connections and body are wrk's."""
        of_wrk = {k: more.pop(k) for k in ("connections", "body") if k in more}
        seconds = self.seconds(seconds)
        return Rounds(self, list(peers_of.values()), self.count(rounds),
                      lambda url: self.wrk(url, seconds, **of_wrk), sink, **more)

    def turns(self, peers_of, rounds, seconds, sink=None, **more):
        """Rounds in which the sides take turns within one load, see turns.Turns."""
        return Turns(self, list(peers_of.values()), rounds, seconds, sink, **more)

    def rate_turns(self, peer, rounds, seconds, rate):
        """Rounds at a fixed rate in which the sides take turns, see turns.RateTurns."""
        return RateTurns(self, peer, rounds, seconds, rate)
