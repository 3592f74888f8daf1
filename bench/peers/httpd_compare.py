"""httpd with mod_proxy_mirror: without a mirror, with one, and with one whose responses are compared."""
import json
import urllib.error
import urllib.request

from harness.httpd import Httpd
from harness.measure import counters
from harness.process import Failed

from .base import Base
from .httpd import PROXY
from .httpd_mirror import STATUS


class Peer(Base):
    key, name, sides = "httpd_compare", "httpd + mod_proxy_mirror, compared", ("plain", "mirrored", "compared")

    def missing(self):
        return self.lab.without_module()

    def start(self, setup):
        url, more = setup.mirrors[0], setup.attributes
        lines = {"plain": "",
                 "mirrored": f'ProxyMirror "{url}" name=mirrored {more}',
                 "compared": f'ProxyMirror "{url}" name=compared {more} compare=all'}
        conf = setup.directives + "\n" + STATUS + "".join(
            PROXY.format(side=side, origin=setup.origin, mirrors="    " + line) for side, line in lines.items())
        self.server = Httpd(self.lab, self.key, conf, module=self.lab.module, servers=setup.children,
                            threads=setup.threads).start()

    def url(self, side):
        return self.server.url(f"/{side}/x")

    def counters(self):
        return counters(self.server.mirrors())

    def comparison(self):
        """The results of comparing."""
        try:
            with urllib.request.urlopen(self.server.url("/mirror-status/mirrors/compared/comparison"), timeout=10) as answer:
                return json.load(answer)
        except (urllib.error.URLError, ValueError) as e:
            raise Failed(f"comparison of {self.name}: {e}") from e
