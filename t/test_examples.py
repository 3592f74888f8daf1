"""Every example of configuration that the texts have starts an httpd: those of the manual, of README.md, of the guides, and
all of the sample configuration."""
from __future__ import annotations

import glob
import os
import re
import sys
import xml.etree.ElementTree as ElementTree
from typing import Iterator

import pytest

from httpdlab import MODULE, Httpd

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
MANUAL, README, SAMPLE = "docs/mod_proxy_mirror.xml", "README.md", "conf/proxy_mirror.conf"
GUIDES = sorted(os.path.relpath(path, TOP) for path in [*glob.glob(f"{TOP}/docs/guides/*.md"), f"{TOP}/SECURITY.md"])
# what an example may need beyond the modules that every test has
MODULES = ("ssl", "socache_shmcb", "proxy_balancer", "slotmem_shm", "lbmethod_byrequests", "auth_basic", "authn_core",
           "authn_file", "authz_user", "authz_host", "unique_id")
# what begins an example of README.md, where code of all kinds is indented
CONFIGURATION = re.compile(r"(LoadModule|LogFormat|ProxyMirror\w*|<(Location|Proxy|VirtualHost|If)\b)")
# what is there on the reader's machine and not here
TRUSTED, PROGRAM, LOGS = "/etc/ssl/certs/ca-certificates.crt", r"exec:/etc/\w+/redis-password", "${APACHE_LOG_DIR}"
PORT = re.compile(r"^Listen .*\n", re.M)        # of tests, one at a time would get it


def read(path: str) -> str:
    with open(f"{TOP}/{path}", encoding="utf-8") as f:
        return f.read()


def of_manual() -> Iterator[str]:
    for element in ElementTree.fromstring(read(MANUAL)).iter("highlight"):
        if element.get("language") == "config":
            yield "".join(element.itertext())


def of_readme() -> Iterator[str]:
    for block in re.findall(r"^(?:(?: {4}.*|[ \t]*)\n)+", read(README), re.M):
        lines = [line[4:] for line in block.strip("\n").split("\n")]
        starts = [n for n, line in enumerate(lines) if CONFIGURATION.match(line)]
        if starts:
            yield "\n".join(lines[starts[0]:])


def of_guide(path: str) -> Iterator[str]:
    yield from re.findall(r"^```apache\n(.*?)^```$", read(path), re.M | re.S)


def examples() -> Iterator[object]:
    for path, found in [(MANUAL, of_manual()), (README, of_readme()), *((path, of_guide(path)) for path in GUIDES)]:
        for n, text in enumerate(found, 1):
            yield pytest.param(text, id=f"{os.path.basename(path)}-{n}")


@pytest.fixture
def started(httpd, authority):
    """Starts an httpd with an example; the log has nothing that is worth a complaint."""
    def start(text: str) -> Httpd:
        def conf(h: Httpd) -> str:
            os.symlink(os.path.dirname(MODULE), h.path("modules"))
            # (a shell does not run under every sanitizer's preload)
            program = h.write("redis-password", f"#!{sys.executable}\nprint('secret')\n", 0o755)
            told = re.sub(PROGRAM, f"exec:{program}", PORT.sub("", text))
            return told.replace(TRUSTED, authority.path).replace(LOGS, h.path("logs"))
        # an example that loads a module is told that it is there already
        return httpd(conf, modules=MODULES, expect=[r"AH01574: "] if "LoadModule" in text else [])
    return start


@pytest.mark.parametrize("text", examples())
def test_example_starts(started, text):
    h = started(text)
    assert h.running()
    if re.search(r'^\s*ProxyMirror "', text, re.M):
        assert h.mirrors()


def test_sample_configuration_starts(started):
    """All of it at once: text has one blank behind its number sign, directives have none, or are indented."""
    text = re.sub(r"^#(?=\S|  )", "", read(SAMPLE), flags=re.M)
    h = started(text)
    names = set(h.mirrors())
    assert names >= set(re.findall(r"\bname=(\S+)", text))


def test_examples_are_found():
    """One that is written in a form that is not looked for would not be tried."""
    assert len(list(of_manual())) == read(MANUAL).count('language="config"') > 5
    assert sum(text.count("ProxyMirror ") for text in of_readme()) == len(re.findall(r"^    +ProxyMirror ", read(README), re.M))
    for path in GUIDES:
        fenced = sum(text.count('ProxyMirror "') for text in of_guide(path))
        assert fenced == len(re.findall(r'^\s*ProxyMirror "', read(path), re.M)), path
