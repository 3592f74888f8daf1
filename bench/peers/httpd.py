"""httpd as it is, without the module."""
from harness.httpd import Httpd

from .base import Base

PROXY = """
<Location "/{side}/">
    ProxyPass "{origin}/"
{mirrors}
</Location>
"""


class Peer(Base):
    key, name, sides = "httpd", "httpd", ("plain",)

    def missing(self):
        return self.lab.without_httpd()

    def start(self, setup):
        conf = PROXY.format(side="plain", origin=setup.origin, mirrors="")
        self.server = Httpd(self.lab, self.key, conf, mpm=setup.mpm, threads=setup.threads).start()

    def url(self, side):
        return self.server.url(f"/{side}/x")
