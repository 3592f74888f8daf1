"""httpd with mod_proxy_mirror: one location without a mirror, one with."""
from harness.httpd import Httpd
from harness.measure import counters

from .base import Base
from .httpd import PROXY

STATUS = """
<Location "/mirror-status">
    SetHandler proxy-mirror-status
</Location>
"""


class Peer(Base):
    key, name, sides = "httpd_mirror", "httpd + mod_proxy_mirror", ("plain", "mirrored")

    def missing(self):
        return self.lab.without_module()

    def start(self, setup):
        lines = [f'    ProxyMirror "{url}" name=m{n} {self.attributes(setup)}' for n, url in enumerate(setup.mirrors, 1)]
        conf = (setup.directives + "\n" + STATUS + PROXY.format(side="plain", origin=setup.origin, mirrors="")
                + PROXY.format(side="mirrored", origin=setup.origin, mirrors="\n".join(lines)))
        self.server = Httpd(self.lab, self.key, conf, module=self.lab.module, mpm=setup.mpm,
                            servers=setup.children, threads=setup.threads, modules=setup.modules).start()

    def attributes(self, setup):
        """Of each ProxyMirror line."""
        return setup.attributes

    def url(self, side):
        return self.server.url(f"/{side}/x")

    def counters(self):
        return counters(self.server.mirrors())
