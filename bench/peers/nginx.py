"""nginx as the proxy, in whose configuration no `mirror` stands."""
from dataclasses import replace

from . import nginx_mirror


class Peer(nginx_mirror.Peer):
    key, name, sides = "nginx", "nginx", ("plain",)

    def start(self, setup):
        super().start(replace(setup, mirrors=[]))
