"""Apache Traffic Server as the proxy: one location without a mirror, one with its plugin `multiplexer`."""
from harness.process import free_port
from harness.trafficserver import TrafficServer, plugins

from .base import Base


class Peer(Base):
    key, name, sides = "ats_multiplexer", "Traffic Server + multiplexer", ("plain", "mirrored")

    def missing(self):
        return self.lab.without_tool("traffic_server") or ("" if plugins() else "multiplexer.so is not installed")

    def start(self, setup):
        """The plugin sends each copy through the server itself, to a host that another rule maps to the mirror."""
        self.port = free_port()
        hosts = [f"mirror{n}.example" for n, _ in enumerate(setup.mirrors, 1)]
        rules = [f"map http://{host}/ {url}/\n" for host, url in zip(hosts, setup.mirrors)]
        rules.append(f"map /plain/ {setup.origin}/\n")
        rules.append(f"map /mirrored/ {setup.origin}/ @plugin=multiplexer.so "
                     + " ".join(f"@pparam={host}" for host in hosts) + "\n")
        self.server = TrafficServer(self.lab, self.key, self.port, "".join(rules)).start()

    def url(self, side):
        return f"http://127.0.0.1:{self.port}/{side}/x"
