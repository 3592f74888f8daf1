"""httpd with mod_proxy_mirror, and a third side: the location without a mirror, for a load that brings the mirror its requests
from elsewhere."""
from . import httpd_mirror


class Peer(httpd_mirror.Peer):
    key, sides = "httpd_beside", ("plain", "mirrored", "beside")

    def url(self, side):
        return super().url("plain" if side == "beside" else side)
