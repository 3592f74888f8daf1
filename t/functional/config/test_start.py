"""A start that is refused is a failed start: httpd, as apachectl starts it, detaches and would otherwise have ended with 0."""
from __future__ import annotations

import contextlib
import os
import re
import subprocess

import pytest

from httpdlab import location, scaled, to, wait_for

HTTPS = 'ProxyMirror "https://localhost:9" name=m'
REDIS = ('ProxyMirror "http://localhost:9" name=m enable_limit_count=true policy=redis redis_host=localhost '
         'redis_ssl=true')
ELSEWHERE = f"{HTTPS}\n<VirtualHost 127.0.0.9:1>\nServerName x\nSSLProxyEngine on\n</VirtualHost>\n"
SANITIZED = "san" in os.environ.get("HTTPD_PRELOAD", "")


def control(h, word: str) -> subprocess.CompletedProcess[str]:
    """What apachectl does."""
    return subprocess.run(h.command("-k", word), env=h.environment(), capture_output=True, text=True, timeout=scaled(30),
                          check=False)


def has_ended(h) -> bool:
    return not os.path.exists(h.path("run/httpd.pid"))


@contextlib.contextmanager
def started(h):
    """Starts it as a daemon; what came of that. It is stopped in the end, if it runs."""
    try:
        yield control(h, "start")
    finally:
        if not has_ended(h):
            control(h, "stop")
            wait_for("httpd to end", lambda: has_ended(h))


def dangling(h) -> str:
    os.symlink("/nowhere/at/all", h.path("logs/mirror"))
    return "ProxyMirrorLog logs/mirror"


# what only a start can see: the configuration, modules, a limit of memory, what is said; whether `httpd -t` sees it as well
REFUSED = {
    "no mod_ssl": (HTTPS, [], None, r"PM0700: mirror m \(.*httpd\.conf:\d+\): an https:// mirror requires mod_ssl; .*", True),
    "no mod_ssl for Redis": (REDIS, [], None, "PM0700: mirror m .* redis_ssl=true requires mod_ssl; .*", True),
    "the engine is off": (f"SSLProxyEngine off\n{HTTPS}", ["ssl"], None, "PM0700: mirror m .* requires SSLProxyEngine on", True),
    "no engine": (HTTPS, ["ssl"], None, "PM0700: mirror m .* requires SSLProxyEngine on", True),
    "no engine for Redis": (REDIS, ["ssl"], None, "PM0700: mirror m .* requires SSLProxyEngine on", True),
    "an engine elsewhere": (ELSEWHERE, ["ssl"], None, "PM0700: mirror m .* requires SSLProxyEngine on", False),
    "a log": (dangling, [], None, "PM0005: ProxyMirrorLog logs/mirror cannot be opened; httpd does not start: No such file",
              False),
    "no memory": ('ProxyMirrorSlots 65536\nProxyMirror "http://localhost:9"', [], 600,
                  "PM0001: shared memory for 65536 mirrors .ProxyMirrorSlots. cannot be created; httpd does not start: Cannot allocate memory", False),
}


@pytest.mark.parametrize("why", REFUSED)
def test_refused_start(lab, why):
    conf, modules, megabytes, said, tested = REFUSED[why]
    if megabytes and SANITIZED:
        pytest.skip("a sanitizer needs more address space than that")
    h = lab(conf, modules=modules, wrapper=["prlimit", f"--as={megabytes << 20}"] if megabytes else ())
    with started(h) as done:
        assert done.returncode != 0, h.log()
    assert_says(done.stderr, said)
    assert_says(h.log(), said.split(":")[0])
    assert not h.log_lines("resuming normal operations")
    test = h.test_configuration()
    assert (test.returncode != 0) == tested, test.stderr
    if tested:
        assert_says(test.stderr, r"PM0105: \S+httpd\.conf:\d+: ProxyMirror m: .* requires ")


@pytest.mark.parametrize("log", ["/dev/stderr", "/proc/self/fd/2", "logs/error_log", "syslog"])
def test_refusal_is_said_once(lab, log):
    h = lab(f"{HTTPS}\nErrorLog {log}\n")
    with started(h) as done:
        assert done.returncode != 0
    assert done.stderr.count("PM0700: ") == 1, done.stderr


def assert_says(text: str, pattern: str) -> None:
    assert re.search(pattern, text), text


def test_start_and_stop(lab, origin, mirror):
    """Nothing is said of a start that succeeds, and a configuration that is refused by now does not keep httpd from ending."""
    h = lab(location("/o/", origin, to(mirror)) + 'ProxyMirrorLog "|/bin/cat"\nProxyMirrorLog logs/mirror\n')
    with started(h) as done:
        assert (done.returncode, done.stderr) == (0, "")
        wait_for("httpd", lambda: h.log_lines("resuming normal operations"))
        assert h.get("/o/a").status == 200
        assert h.ended(1) == {"mirrored": 1}
        h.conf = HTTPS
        h.configure()
        assert control(h, "stop").returncode == 0
        wait_for("httpd to end", lambda: has_ended(h))


def test_reload_that_cannot_be(lab, origin, mirror):
    """A reload, which nobody has tested before, switches the mirror off; the server goes on."""
    h = lab(location("/o/", origin, to(mirror)))
    with started(h) as done:
        assert done.returncode == 0
        wait_for("httpd", lambda: h.log_lines("resuming normal operations"))
        h.conf = location("/o/", origin, HTTPS)
        h.configure()
        assert h.test_configuration().returncode != 0
        assert control(h, "graceful").returncode == 0
        wait_for("the reload", lambda: len(h.log_lines("resuming normal operations")) == 2)
        assert h.log_lines("PM0700: .* the mirror is off")
        assert h.get("/o/a").status == 200
