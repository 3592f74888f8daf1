"""Sides of a peer that take turns many times a second within one load, so that what comes and goes on the machine hits all
alike. For what each request costs, where a copy ends soon: what is left of one turn when the next one begins is mostly gone
SETTLE_MS later, and not counted until then."""
import sys
import time
import urllib.parse

from .load import Background, Load, wrk_turns
from .measure import Rounds, Sample, measure, processes_ns, scheduled_ns, threads, wait_settled
from .process import Failed

TURN_MS = 60
SETTLE_MS = 20
ATTEMPTS = 3
EDGE_MS = 3                             # before the end of a turn, for this program to be on time


class Turns(Rounds):
    """As measure.Rounds, but that a round is one load of all sides of a peer; without latencies. A peer that has one side
    is measured by itself."""

    def __init__(self, bench, peers, rounds, seconds, sink=None, settle=15.0, sides=None):
        self.samples = {}
        for i in range(bench.count(rounds)):
            for p in peers if i % 2 == 0 else peers[::-1]:
                taking_part = [s for s in p.sides if sides is None or s in sides]
                if len(taking_part) > 1:
                    got = alternate_patiently(p, taking_part, bench.seconds(seconds), sink, settle)
                else:
                    got = {s: measure(p, s, lambda url: bench.wrk(url, 1), sink, settle) for s in taking_part}
                for side, sample in got.items():
                    self.samples.setdefault((p.key, side), []).append(sample)
                print(f"  round {i + 1}/{rounds}  {p.name}, in turn: "
                      + ", ".join(f"{side} {s.load.rate:.0f}/s" for side, s in got.items()), file=sys.stderr, flush=True)


class RateTurns(Rounds):
    """Rounds at a fixed rate, each one load of the locations without a mirror and with one in turn; latencies alone."""

    def __init__(self, bench, peer, rounds, seconds, rate):
        self.samples = {}
        urls = {200: peer.url("plain"), 202: urllib.parse.urljoin(peer.url("mirrored"), "202")}
        nothing = float("nan")
        for i in range(bench.count(rounds)):
            loads = bench.h2load_turns(urls, bench.seconds(seconds), rate)
            for side, status in (("plain", 200), ("mirrored", 202)):
                self.samples.setdefault((peer.key, side), []).append(Sample(loads[status], nothing))
            print(f"  round {i + 1}/{rounds}  {peer.name}, in turn, p99: plain {loads[200].p99_ms:.1f} ms, "
                  f"mirrored {loads[202].p99_ms:.1f} ms", file=sys.stderr, flush=True)


class NoTurn(Failed):
    """This program was never on time: the machine has stood still."""


def alternate_patiently(peer, sides, *of_load):
    """alternate(), and once more where the machine has stood still."""
    for _ in range(ATTEMPTS - 1):
        try:
            return alternate(peer, sides, *of_load)
        except NoTurn as e:
            print(f"  {e}; once more", file=sys.stderr, flush=True)
    return alternate(peer, sides, *of_load)


def alternate(peer, sides, seconds, sink=None, settle=15.0):
    """{side: Sample} of one load."""
    pids, arrived = peer.pids(), sink.requests() if sink else 0
    senders = threads(pids, "mirror-sender")

    def sending():
        return sum(scheduled_ns(senders).values())
    sent_before = sending()
    began = int(time.monotonic())
    urls = [peer.url(s) for s in sides]
    background = Background(lambda: wrk_turns(urls[0], [urllib.parse.urlsplit(u).path for u in urls], seconds, began, TURN_MS))
    windows = look(background, lambda: (processes_ns(pids), sending()), began, len(sides))
    sent, errors = background.result()
    if settle:
        wait_settled(peer, sink, settle)
    copied = sum(n for ms, n in sent.items() if sides[ms // TURN_MS % len(sides)] != "plain")
    share = min((sink.requests() - arrived) / max(copied, 1), 1) if sink else 1
    if pids != peer.pids():
        raise Failed(f"{peer.name}: processes came or went during the measurement")
    # a sender may be late, so its time belongs to the one side that has copies, whenever it was
    exact = settle and [s == "plain" for s in sides].count(False) == 1
    each_ns = (sending() - sent_before) / max(copied, 1)
    samples = {}
    for i, side in enumerate(sides):
        mine = [(between(sent, a[0], z[0]), z[0] - a[0], z[1] - a[1], z[2] - a[2]) for turn, a, z in windows
                if turn % len(sides) == i]
        n, ms, ns, sender_ns = map(sum, zip(*mine)) if mine else (0, 0, 0, 0)
        if not n:
            raise NoTurn(f"{peer.name}: no turn of {side} could be measured")
        if exact:
            ns -= sender_ns
            sender_ns = 0 if side == "plain" else n * each_ns
            ns += sender_ns
        nothing = float("nan")
        samples[side] = Sample(Load(n, ms / 1e3, nothing, nothing, errors, nothing), ns / n / 1e3, sender_ns / n / 1e3,
                               arrived=0 if side == "plain" else n * share)
    return samples


def look(background, read, began, sides):
    """[(number of the turn, (ms, *read()) when what was before it has settled, the same at its end)], as many of each side."""
    def at():
        """With the time in the middle of reading."""
        before = time.monotonic()
        values = read()
        return ((before + time.monotonic()) / 2 - began) * 1e3, *values

    def sleep_until(ms):
        time.sleep(max(0, began + ms / 1e3 - time.monotonic()))

    windows, turn = [], int((time.monotonic() - began + 0.25) * 1e3 / TURN_MS)
    while background.running():
        end = (turn + 1) * TURN_MS
        sleep_until(end - TURN_MS + SETTLE_MS)
        a = at()
        sleep_until(end - EDGE_MS)
        z = at()
        if background.running() and a[0] < end - TURN_MS / 3 and z[0] < end + EDGE_MS:
            windows.append((turn, a, z))
        turn = max(turn + 1, int((time.monotonic() - began) * 1e3 / TURN_MS))
    whole = {}                          # rows of turns, one of each side
    for window in windows:
        whole.setdefault(window[0] // sides, []).append(window)
    return [window for row in whole.values() if len(row) == sides for window in row]


def between(sent, low, high):
    """How many were sent between two times in ms, parts of a millisecond as their part."""
    return sum(sent.get(ms, 0) * (min(ms + 1, high) - max(ms, low)) for ms in range(int(low), int(high) + 1))
