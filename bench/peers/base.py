"""What a peer is."""
from dataclasses import dataclass, field


@dataclass
class Setup:
    """What a case wants: every peer makes of it what it can."""
    origin: str                                     # URL of the origin
    mirrors: list = field(default_factory=list)     # URLs of the mirrors, each gets its own copy
    attributes: str = ""                            # of every ProxyMirror line
    directives: str = ""                            # more of httpd's configuration
    modules: tuple = ()                             # further ones of httpd
    mpm: str = "event"
    threads: int = 64                               # of each child of httpd
    children: int = 2                               # of httpd
    mirrors_http2: list = field(default_factory=list)           # the same, for a peer that uses HTTP/2
    mirrors_without_body: list = field(default_factory=list)    # the same, for a peer that wants 204


class Base:
    """A peer: a proxy with sides (`plain`, `mirrored`), or a client alone. key: how cases find it; name: for people."""

    key = name = ""
    sides = ()

    def __init__(self, lab):
        self.lab, self.server = lab, None

    def missing(self):
        """Why it cannot run here, or ""."""
        raise NotImplementedError

    def start(self, setup):
        raise NotImplementedError

    def url(self, side):
        raise NotImplementedError

    def pids(self):
        """The processes whose processor time counts; the parent first."""
        return self.server.pids()

    def counters(self):
        """What it counts itself, as measure.counters(); empty when it does not."""
        return {}
