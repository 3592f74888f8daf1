"""httpd with mod_proxy_mirror: without a mirror, with one, with a limit in Redis that is never reached, and with one that
is used up."""
from harness.httpd import Httpd
from harness.measure import counters

from .base import Base
from .httpd import PROXY
from .httpd_mirror import STATUS


class Peer(Base):
    key, name, sides = "httpd_limit", "httpd + mod_proxy_mirror", ("plain", "free", "limited", "closed")

    def missing(self):
        return self.lab.without_module() or self.lab.without_tool("redis-server")

    def start(self, setup):
        """The attributes of the setup are those that say where the count is kept."""
        url, more = setup.mirrors[0], "max_queue=100000"
        limit = f"enable_limit_count=true {setup.attributes}"
        lines = {"plain": "",
                 "free": f'ProxyMirror "{url}" name=free {more}',
                 "limited": f'ProxyMirror "{url}" name=limited {more} {limit} count=1000000000 time_window=3600',
                 "closed": f'ProxyMirror "{url}" name=closed {more} {limit} count=1 time_window=3600'}
        conf = setup.directives + "\n" + STATUS + "".join(
            PROXY.format(side=side, origin=setup.origin, mirrors="    " + line) for side, line in lines.items())
        self.server = Httpd(self.lab, self.key, conf, module=self.lab.module, threads=setup.threads).start()

    def url(self, side):
        return self.server.url(f"/{side}/x")

    def counters(self):
        return counters(self.server.mirrors())
