"""Apache Traffic Server with a configuration of its own in a private folder, as a proxy to compare with."""
import os
import shutil

from .process import Server, children

PLUGINS = ("/usr/lib/trafficserver/modules", "/usr/libexec/trafficserver")
RUNROOT = """prefix: /usr
exec_prefix: /usr
bindir: /usr/bin
sbindir: /usr/bin
includedir: /usr/include
libdir: /usr/lib
libexecdir: {plugins}
sysconfdir: {root}/etc
datadir: {root}/cache
cachedir: {root}/cache
localstatedir: {root}/var
runtimedir: {root}/run
logdir: {root}/log
"""
RECORDS = """CONFIG proxy.config.http.server_ports STRING {port}:ip-in=127.0.0.1
CONFIG proxy.config.admin.user_id STRING {user}
CONFIG proxy.config.http.cache.http INT 0
CONFIG proxy.config.reverse_proxy.enabled INT 1
CONFIG proxy.config.url_remap.remap_required INT 1
CONFIG proxy.config.url_remap.pristine_host_hdr INT 0
CONFIG proxy.config.log.logging_enabled INT 0
CONFIG proxy.config.exec_thread.autoconfig INT 0
CONFIG proxy.config.exec_thread.limit INT 2
CONFIG proxy.config.http.transaction_no_activity_timeout_out INT 10
"""


def plugins():
    """The folder of its plugins, or None."""
    return next((p for p in PLUGINS if os.path.exists(f"{p}/multiplexer.so")), None)


class TrafficServer:
    """One traffic_server: a process with two threads that serve."""

    def __init__(self, lab, name, port, remap):
        self.root, self.lab, self.name, self.port = lab.folder(name), lab, name, port
        for sub in ("etc", "cache", "var", "run", "log"):
            os.mkdir(f"{self.root}/{sub}")
            os.chmod(f"{self.root}/{sub}", 0o777)
        files = {"runroot.yaml": RUNROOT.format(root=self.root, plugins=plugins()),
                 "etc/records.config": RECORDS.format(port=port, user=lab.user or "#-1"),
                 "etc/remap.config": remap, "etc/storage.config": f"{self.root}/cache 16M\n"}
        for path, text in files.items():
            with open(f"{self.root}/{path}", "w") as f:
                f.write(text)
        if os.path.exists("/etc/trafficserver/ip_allow.yaml"):
            shutil.copy("/etc/trafficserver/ip_allow.yaml", f"{self.root}/etc")
        self.server = None

    def start(self):
        self.server = self.lab.keep(Server(self.name, [shutil.which("traffic_server"), f"--run-root={self.root}"],
                                           f"{self.root}/output"))
        self.server.wait_listening(self.port)
        return self

    def pids(self):
        return [self.server.pid] + children(self.server.pid)

    def stop(self):
        self.server.stop()
