"""nginx as the proxy with its `mirror`, whose answers have no body: only then nginx keeps the connection to it."""
from dataclasses import replace

from . import nginx_mirror


class Peer(nginx_mirror.Peer):
    key, name, sides = "nginx_mirror_empty", "nginx + mirror that answers without body", ("plain", "mirrored")

    def start(self, setup):
        super().start(replace(setup, mirrors=setup.mirrors_without_body))
