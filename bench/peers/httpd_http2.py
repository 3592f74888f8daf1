"""httpd with mod_proxy_mirror that sends its copies over HTTP/2, without TLS."""
import dataclasses

from . import httpd_mirror


class Peer(httpd_mirror.Peer):
    key, name = "httpd_http2", "httpd + mod_proxy_mirror, HTTP/2"

    def start(self, setup):
        super().start(dataclasses.replace(setup, mirrors=setup.mirrors_http2))
