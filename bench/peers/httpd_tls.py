"""httpd with mod_proxy_mirror: without a mirror, with a plain one, and with one over TLS."""
from harness.httpd import Httpd
from harness.measure import counters

from .base import Base
from .httpd import PROXY
from .httpd_mirror import STATUS


class Peer(Base):
    key, name, sides = "httpd_tls", "httpd + mod_proxy_mirror", ("plain", "mirrored", "tls")

    def missing(self):
        return self.lab.without_tls()

    def start(self, setup):
        """The mirrors of the setup are the plain one and that over TLS."""
        conf = setup.directives + "\n" + STATUS + PROXY.format(side="plain", origin=setup.origin, mirrors="")
        for side, url in zip(self.sides[1:], setup.mirrors):
            conf += PROXY.format(side=side, origin=setup.origin,
                                 mirrors=f'    ProxyMirror "{url}" name={side} {setup.attributes}')
        self.server = Httpd(self.lab, self.key, conf, module=self.lab.module, threads=setup.threads,
                            modules=("ssl",)).start()

    def url(self, side):
        return self.server.url(f"/{side}/x")

    def connections(self, side):
        """That are open to the mirror of a side, from all children."""
        return sum(m["state"]["connections"] for m in self.server.mirrors() if m["name"] == side)

    def counters(self):
        return counters(self.server.mirrors())
