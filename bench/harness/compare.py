"""Figures that several cases need: a peer's mirrored side against its unmirrored one, and the rows of a table."""
from .measure import Figures

COLUMNS = ("requests/s", "of unmirrored", "p50 ms", "p99 ms", "CPU us/request", "added us/copy", "arrived",
           "resident MB")
TAKE_TURNS = "in which the requests take turns between the two locations"
IN_TURN = TAKE_TURNS + "; so is CPU."
ALL_IN_TURN = TAKE_TURNS + "; so are CPU and throughput."


def ratio(r, peer):
    """Throughput of the mirrored side over that of the unmirrored one in the same round."""
    return r.against(peer, "mirrored", (peer, "plain"), lambda m, p: m.load.rate / p.load.rate)


def added(r, peer, each=1):
    """Added microseconds of processor time for each copy; with each=n, for n copies."""
    return r.against(peer, "mirrored", (peer, "plain"), lambda m, p: each * m.added_us(p))


def per_copy(us, sample):
    """Microseconds for each request as microseconds for each copy."""
    return us * sample.load.all / sample.copies() if sample.copies() else float("nan")


def arrived(sample, each=1):
    """The share of copies that the mirror has counted, of each=n for a request."""
    of = sample.outcomes.get("seen") or sample.load.all * each
    return min(sample.arrived / of, 1.0) if of else float("nan")


def rows(t, r, peers, prefix="", **more):
    """A row with COLUMNS for each side of each peer but the floor. more: see row()."""
    for p in peers.values():
        for side in p.sides:
            if side in ("plain", "mirrored"):
                row(t, r, p, side, prefix, **more)


def row(t, r, p, side, prefix="", copies=True, each=1, turns=None, rates=None):
    """copies: whether added time for each copy and what arrived make sense here; each: copies of a request; turns: where
    processor time is taken from, if the two sides were measured in turns as well; rates: where throughput is taken from, if
    not from `r`."""
    costs, rates = turns or r, rates or r
    mirrored = side == "mirrored"
    copied = mirrored and copies
    t.row(prefix + (p.name if mirrored or len(p.sides) == 1 else f"{p.name}, unmirrored location"),
          rates.figures(p, side, lambda s: s.load.rate).text(0), ratio(rates, p).text(2) if mirrored else "-",
          f"{r.figures(p, side, lambda s: s.load.p50_ms).median:.2f}",
          f"{r.figures(p, side, lambda s: s.load.p99_ms).median:.2f}",
          costs.figures(p, side, lambda s: s.cpu_us).text(), added(costs, p, each).text() if copied else "-",
          percent(r.figures(p, side, lambda s: arrived(s, each))) if copied else "-",
          f"{r.figures(p, side, lambda s: s.resident / 2**20).high:.0f}")
    errors(t, r, p, side)
    if turns:
        errors(t, turns, p, side)


def percent(figures):
    return "-" if not figures.values else f"{100 * figures.median:.1f} %"


def errors(t, r, p, side):
    if r.errors(p, side):
        t.note(f"errors of the client with {p.name}, {side}: {r.errors(p, side)}")


def quotient(a, b):
    """Round by round."""
    return Figures(x / y for x, y in zip(a.values, b.values) if y)


def outcomes(r, peer):
    """Sum of the outcomes over all rounds, as text, the most frequent first."""
    total = {}
    for s in r.of(peer, "mirrored"):
        for k, v in s.outcomes.items():
            total[k] = total.get(k, 0) + v
    seen = total.pop("seen", 0)
    return f"{seen} seen: " + ", ".join(f"{v} {k}" for k, v in sorted(total.items(), key=lambda i: -i[1]) if v)
