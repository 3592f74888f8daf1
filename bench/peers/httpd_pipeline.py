"""httpd with mod_proxy_mirror that sends several copies in a row on one connection."""
from . import httpd_mirror


class Peer(httpd_mirror.Peer):
    key, name = "httpd_pipeline", "httpd + mod_proxy_mirror, pipeline=16"

    def attributes(self, setup):
        return f"{setup.attributes} pipeline=16"
