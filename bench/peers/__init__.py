"""What is measured beside one another. A peer is one file here with a class `Peer`; see base.py and ../README.md."""
import importlib


def load(lab, *names):
    """The peers of these names that can run here, and {name of one that cannot: why}."""
    ready, skipped = [], {}
    for name in names:
        peer = importlib.import_module(f"peers.{name}").Peer(lab)
        why = peer.missing()
        if why:
            skipped[peer.name] = why
        else:
            ready.append(peer)
    return ready, skipped
