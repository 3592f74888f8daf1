"""nginx as the proxy: one location without a mirror, one with its `mirror`; keep-alive to origin and mirrors."""
from harness.nginx import Nginx
from harness.process import free_port

from .base import Base

UPSTREAM = "    upstream {name} {{ server {address}; keepalive 256; keepalive_requests 1000000000; }}\n"

PASS = """proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_read_timeout 10s;"""


class Peer(Base):
    key, name, sides = "nginx_mirror", "nginx + mirror", ("plain", "mirrored")

    def missing(self):
        return self.lab.without_tool("nginx")

    def start(self, setup):
        self.port = free_port()
        mirrors = [(f"mirror{n}", url) for n, url in enumerate(setup.mirrors, 1)]
        http = [UPSTREAM.format(name=name, address=url.split("//")[1])
                for name, url in [("origin", setup.origin)] + mirrors]
        http.append(f"    server {{\n        listen 127.0.0.1:{self.port} backlog=4096;\n"
                    f"        location /plain/ {{ proxy_pass http://origin/; {PASS} }}\n"
                    "        location /mirrored/ {\n")
        http += [f"            mirror /-{name};\n" for name, _ in mirrors]
        http.append(f"            mirror_request_body on;\n            proxy_pass http://origin/; {PASS} }}\n")
        http += [f"        location = /-{name} {{ internal; proxy_pass http://{name}$request_uri; {PASS} }}\n"
                 for name, _ in mirrors]
        http.append("    }\n")
        self.server = Nginx(self.lab, self.key, 2, "".join(http)).start(self.port)

    def url(self, side):
        return f"http://127.0.0.1:{self.port}/{side}/x"
