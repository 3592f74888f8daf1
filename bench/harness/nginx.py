"""nginx with a configuration of its own in a private folder: as origin, as mirror, and as a proxy to compare with."""
import json
import os
import re
import shutil
import signal
import urllib.request

from .process import Server, children, free_port

CONF = """
daemon off;
pid {root}/nginx.pid;
error_log {root}/error.log warn;
{user}
worker_processes {workers};
worker_rlimit_nofile {files};
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    client_body_temp_path {root}/body;
    proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi;
    scgi_temp_path {root}/scgi;
    default_type text/plain;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
    client_max_body_size 0;
    client_body_buffer_size 2m;
{http}
}}
"""

ANSWER = "x" * 63 + "\\n"


class Nginx:
    """One nginx: a master and its workers."""

    def __init__(self, lab, name, workers, http):
        self.root = lab.folder(name)
        files = lab.descriptors
        for sub in ("body", "proxy", "fastcgi", "uwsgi", "scgi"):
            os.mkdir(f"{self.root}/{sub}")
            os.chmod(f"{self.root}/{sub}", 0o777)
        with open(f"{self.root}/nginx.conf", "w") as f:
            f.write(CONF.format(root=self.root, workers=workers, files=files, connections=min(files, 32768),
                                user=f"user {lab.user} {lab.group};" if lab.user else "", http=http))
        self.lab, self.name, self.server = lab, name, None

    def start(self, port):
        command = [shutil.which("nginx"), "-p", self.root, "-c", f"{self.root}/nginx.conf", "-e",
                   f"{self.root}/error.log"]
        self.server = self.lab.keep(Server(self.name, command, f"{self.root}/output"))
        self.server.wait_listening(port)
        return self

    def pids(self):
        return [self.server.pid] + children(self.server.pid)

    def stop(self):
        self.server.stop()


def write_json(path, size, server):
    """A document of about this size; all have one time, so that nginx sends the same headers with them."""
    item = {"id": 17, "name": "a name of some length", "price": 12.5, "tags": ["one", "two"], "is_new": False}
    items = [dict(item, id=n) for n in range(size // len(json.dumps(item)))]
    with open(path, "w", encoding="ascii") as f:
        json.dump({"items": items, "server": server.ljust(10)}, f)
    os.utime(path, (10**9, 10**9))


class Sink:
    """Origin or mirror: answers 200 with 64 bytes. Several ports of one nginx, as a case needs it:

    at_once     answers as soon as the head is there and discards the body; /202 with that status;
    whole       reads the whole body first (a location that proxies without it, to `discard` of another nginx);
    empty       answers 204, without a body;
    slow        answers after one second (auth_delay, made a 200 again);
    further     more of at_once, for several mirrors;
    json        /small/, /large/, /big/ and /slow/ are JSON of 1, 10, 200 and, after one second, 200 KiB; only in /large/ is
                there a difference between two sinks of different names;
    h2, slow_h2 at_once and slow over HTTP/2 with prior knowledge;
    tls         at_once over TLS, with a certificate (harness.tls.Certificate).
    """

    def __init__(self, lab, name, discard=None, further=0, certificate=None):
        ports = {k: free_port() for k in ("at_once", "whole", "slow", "empty", "status", "discard", "json", "tls", "h2", "slow_h2")}
        self.further = [free_port() for _ in range(further)]
        self.ports, root = ports, lab.folder(name + "-files")
        passwords = f"{root}/nobody-is-in-here"
        open(passwords, "w").close()
        for document, size in (("small", 1), ("large", 10), ("big", 200)):
            write_json(f"{root}/{document}.json", size * 1024, name if document == "large" else "any")
        http = [f"""
    upstream discard {{ server 127.0.0.1:{discard or ports["discard"]}; keepalive 256; keepalive_requests 1000000000; }}
    server {{ listen 127.0.0.1:{ports["status"]}; location / {{ stub_status; }} }}
    server {{ listen 127.0.0.1:{ports["discard"]} backlog=4096; location / {{ return 200 "{ANSWER}"; }} }}
    server {{ listen 127.0.0.1:{ports["empty"]} backlog=4096; location / {{ return 204; }} }}
    server {{
        listen 127.0.0.1:{ports["whole"]} backlog=4096;
        location / {{
            proxy_pass http://discard;
            proxy_http_version 1.1;
            proxy_method GET;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_set_header Connection "";
        }}
    }}
    server {{
        listen 127.0.0.1:{ports["slow"]} backlog=4096;
        listen 127.0.0.1:{ports["slow_h2"]} http2 backlog=4096;
        error_page 401 =200 @answer;
        location / {{ auth_basic slow; auth_basic_user_file {passwords}; auth_delay 1s; }}
        location @answer {{ return 200 "{ANSWER}"; }}
    }}
    server {{
        listen 127.0.0.1:{ports["json"]} backlog=4096;
        root {root};
        default_type application/json;
        types {{ }}
        location /small/ {{ try_files /small.json =404; }}
        location /large/ {{ try_files /large.json =404; }}
        location /big/ {{ try_files /big.json =404; }}
        location /slow/ {{
            auth_basic slow;
            auth_basic_user_file {passwords};
            auth_delay 1s;
            error_page 401 =200 @big;
        }}
        location @big {{ try_files /big.json =404; }}
    }}
"""]
        http.append(f"    server {{ listen 127.0.0.1:{ports['h2']} http2 backlog=4096; location / {{ return 200 \"{ANSWER}\"; }} }}\n")
        for port in [ports["at_once"]] + self.further:
            http.append(f"    server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 \"{ANSWER}\"; }} "
                        f"location = /202 {{ return 202 \"{ANSWER}\"; }} }}\n")
        if certificate:
            http.append(f"""
    server {{
        listen 127.0.0.1:{ports["tls"]} ssl backlog=4096;
        ssl_certificate {certificate.path};
        ssl_certificate_key {certificate.key};
        location / {{ return 200 "{ANSWER}"; }}
    }}
""")
        self.nginx = Nginx(lab, name, 1, "".join(http)).start(ports["at_once"])

    def url(self, kind="at_once"):
        scheme = {"tls": "https", "h2": "h2c", "slow_h2": "h2c"}.get(kind, "http")
        return f"{scheme}://127.0.0.1:{self.ports[kind]}"

    def urls(self, count):
        """As many mirrors that answer at once."""
        return [f"http://127.0.0.1:{p}" for p in ([self.ports["at_once"]] + self.further)[:count]]

    def _count(self, which):
        """Of accepted connections, handled ones, requests: without the questions for it, each of which is one of all."""
        with urllib.request.urlopen(self.url("status"), timeout=10) as answer:
            text = answer.read().decode()
        self.asked = getattr(self, "asked", 0) + 1
        return int(re.search(r"^\s*(\d+) (\d+) (\d+)", text, re.M).group(which)) - self.asked

    def requests(self):
        """How many requests this nginx has ever read."""
        return self._count(3)

    def connections(self):
        """How many connections this nginx has ever accepted."""
        return self._count(1)

    def pause(self):
        for pid in self.nginx.pids()[1:]:
            os.kill(pid, signal.SIGSTOP)

    def resume(self):
        for pid in self.nginx.pids()[1:]:
            os.kill(pid, signal.SIGCONT)

    def stop(self):
        self.nginx.stop()

    def start(self):
        self.nginx.start(self.ports["at_once"])
