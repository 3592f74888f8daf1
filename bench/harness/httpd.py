"""httpd with a configuration of its own in a private folder."""
import json
import os
import signal
import urllib.error
import urllib.request

from .process import Failed, Missing, Server, children, free_port, wait_for

CONF = """
ServerRoot {root}
ServerName localhost
DefaultRuntimeDir {root}/run
PidFile {root}/run/httpd.pid
{user}
{modules}
Listen 127.0.0.1:{port}
ListenBacklog 4096
ErrorLog {root}/error_log
LogLevel warn
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 600
StartServers {servers}
ServerLimit {limit}
<IfModule mpm_prefork_module>
    MaxRequestWorkers {servers}
    MinSpareServers {servers}
    MaxSpareServers {servers}
</IfModule>
<IfModule !mpm_prefork_module>
    ThreadsPerChild {threads}
    ThreadLimit {threads}
    MaxRequestWorkers {workers}
    MinSpareThreads {workers}
    MaxSpareThreads {workers}
</IfModule>
{conf}
"""


class Httpd:
    """One httpd: a parent and its children, which are there from the start to the end."""

    def __init__(self, lab, name, conf, module=None, mpm="event", servers=2, threads=64, modules=(), limit=None):
        """`limit`: so many children at most, with those that old ones of a graceful restart are."""
        self.lab, self.name, self.root, self.port = lab, name, lab.folder(name), free_port()
        os.mkdir(f"{self.root}/run")
        os.chmod(f"{self.root}/run", 0o777)
        if mpm == "prefork":
            servers, threads = servers * 32, 1
        lines = []
        for m in [f"mpm_{mpm}", "unixd", "authz_core", "proxy", "proxy_http", *modules]:
            so = f"{lab.httpd_moddir}/mod_{m}.so"
            if os.path.exists(so):                  # absent: compiled in
                lines.append(f"LoadModule {m}_module {so}")
            elif m.startswith("mpm_"):
                raise Missing(f"this httpd has no mod_{m}.so")
        if module:
            lines.append(f"LoadModule proxy_mirror_module {module}")
        self.servers = servers
        with open(f"{self.root}/httpd.conf", "w") as f:
            f.write(CONF.format(root=self.root, modules="\n".join(lines), port=self.port, servers=servers,
                                limit=limit or servers,
                                threads=threads, workers=servers * threads, conf=conf,
                                user=f"User {lab.user}\nGroup {lab.group}" if lab.user else ""))
        self.server = None

    def start(self):
        command = [self.lab.httpd, "-d", self.root, "-f", f"{self.root}/httpd.conf", "-DFOREGROUND"]
        self.server = self.lab.keep(Server(self.name, command, f"{self.root}/output"))
        self.server.wait_listening(self.port)
        wait_for("all children of httpd", lambda: len(children(self.server.pid)) == self.servers)
        return self

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def children(self):
        return children(self.server.pid)

    def pids(self):
        return [self.server.pid] + self.children()

    def log(self):
        text = ""
        for name in ("output", "error_log"):
            try:
                with open(f"{self.root}/{name}", errors="replace") as f:
                    text += f.read()
            except OSError:
                pass
        return text

    def mirrors(self):
        """What the status handler says of each mirror; a list of the objects of `GET .../mirrors`."""
        try:
            with urllib.request.urlopen(self.url("/mirror-status/mirrors"), timeout=10) as answer:
                return json.load(answer)["mirrors"]
        except (urllib.error.URLError, ValueError, KeyError) as e:
            raise Failed(f"status of {self.name}: {e}") from e

    def graceful(self):
        """Restarts it, and waits until only new children are there that serve."""
        old = set(self.children())
        self.server.process.send_signal(signal.SIGUSR1)
        wait_for("new children of httpd", lambda: len(set(self.children()) - old) == self.servers, 30)

    def stop(self):
        self.server.stop()
