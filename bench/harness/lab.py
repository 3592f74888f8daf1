"""What is on this machine, where the servers' folders are, and who has to be ended when all is done."""
import grp
import os
import platform
import pwd
import re
import resource
import shutil
import subprocess
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _first_line(command, pattern):
    try:
        p = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(pattern, p.stdout + p.stderr)
    return found.group(1) if found else None


def _raise_descriptors(wanted):
    """As many as are wanted, or as many as there may be: only root gets more than the hard limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY or hard >= wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
        return wanted
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return hard


class Lab:
    def __init__(self):
        self.module = os.environ.get("MODULE") or os.path.join(TOP, ".libs/mod_proxy_mirror.so")
        self.httpd = os.environ.get("HTTPD") or shutil.which("apache2") or shutil.which("httpd") or ""
        self.httpd_moddir = os.environ.get("HTTPD_MODDIR", "/usr/lib/apache2/modules")
        self.user = self.group = None
        if os.geteuid() == 0:                       # root: the children must not stay root
            nobody = pwd.getpwnam("nobody")
            self.user, self.group = nobody.pw_name, grp.getgrgid(nobody.pw_gid).gr_name
        self.descriptors = _raise_descriptors(65536)
        self.root = tempfile.mkdtemp(prefix="proxy-mirror-bench.")
        os.chmod(self.root, 0o755)
        self.kept, self.folders = [], 0

    def folder(self, name):
        self.folders += 1
        path = f"{self.root}/{self.folders}-{name}"
        os.mkdir(path, 0o755)
        return path

    def keep(self, server):
        """Remembers what has a stop(); returns it."""
        self.kept.append(server)
        return server

    def stop(self):
        """Ends what was kept so far, the newest first."""
        while self.kept:
            self.kept.pop().stop()

    def close(self):
        self.stop()
        if os.environ.get("KEEP"):
            print(f"kept: {self.root}")
        else:
            shutil.rmtree(self.root, ignore_errors=True)

    # --- what there is; each returns "" or why not

    def without_tool(self, tool):
        return "" if shutil.which(tool) else f"{tool} is not installed"

    def without_httpd(self):
        return "" if self.httpd and os.access(self.httpd, os.X_OK) else "httpd is not installed"

    def without_module(self):
        if self.without_httpd():
            return self.without_httpd()
        return "" if os.path.exists(self.module) else "mod_proxy_mirror.so is not built (MODULE says where it is)"

    def without_tls(self):
        if self.without_module() or self.without_tool("openssl"):
            return self.without_module() or self.without_tool("openssl")
        return "" if os.path.exists(f"{self.httpd_moddir}/mod_ssl.so") else "this httpd has no mod_ssl.so"

    def versions(self):
        return {k: v for k, v in {
            "httpd": self.httpd and _first_line([self.httpd, "-v"], r"Apache/([\d.]+)"),
            "nginx": _first_line(["nginx", "-v"], r"nginx/([\d.]+)"),
            "wrk": _first_line(["wrk", "-v"], r"wrk (?:debian/)?([\d.]+)"),
            "h2load": _first_line(["h2load", "--version"], r"nghttp2/([\d.]+)"),
            "Python": platform.python_version(),
        }.items() if v}

    def revision(self):
        here = os.path.dirname(os.path.abspath(__file__))
        found = _first_line(["git", "-C", here, "log", "-1", "--format=%h"], r"([0-9a-f]{7,})")
        changed = _first_line(["git", "-C", here, "status", "--porcelain", "-uno"], r"(\S)")
        return found and found + (" and what was changed since" if changed else "")

    def machine(self):
        cpu = "unknown CPU"
        with open("/proc/cpuinfo") as f:
            found = re.search(r"^model name\s*:\s*(.+)$", f.read(), re.M)
            cpu = found.group(1) if found else platform.machine()
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
        kernel = platform.release().split("-")[0]
        return f"{cpu}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GB, {platform.system()} {kernel}"
