"""Every example that the texts have is tried: each configuration of the manual, of README.md, of the pages in docs and of
the guides starts an httpd, and so does all of the sample configuration; the commands are run against one."""
from __future__ import annotations

import base64
import glob
import hashlib
import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from typing import Iterator

import pytest

from comparelab import compared, comparison
from httpdlab import MODULE, TOP, Httpd, free_port, location, to, wait_for
from managerlab import MANAGER

MANUAL, README, SAMPLE, SHEET = "docs/mod_proxy_mirror.xml", "README.md", "conf/proxy_mirror.conf", "docs/cheatsheet.md"
LISTEN, ITEMS = f"{TOP}/docs/guides/listen.py", f"{TOP}/docs/guides/items.py"
# (docs/reference.md has the examples of the manual)
PAGES = sorted({os.path.relpath(path, TOP) for folder in ("", "docs/", "docs/guides/") for path in glob.glob(f"{TOP}/{folder}*.md")}
               - {"docs/reference.md"})
# what an example may need beyond the modules that every test has
MODULES = ("ssl", "socache_shmcb", "proxy_balancer", "slotmem_shm", "lbmethod_byrequests", "auth_basic", "authn_core",
           "authn_file", "authz_user", "authz_host", "unique_id")
# what is there on the reader's machine and not here
BUILT = "/path/to/checkout/.libs"
USERS, PASSWORD = "conf/mirror-users", "{SHA}" + base64.b64encode(hashlib.sha1(b"secret").digest()).decode()
TRUSTED, PROGRAM, LOGS = "/etc/ssl/certs/ca-certificates.crt", r"exec:/etc/\w+/redis-password", "${APACHE_LOG_DIR}"
PORT = re.compile(r"^Listen .*\n", re.M)        # of tests, one at a time would get it


def read(path: str) -> str:
    with open(f"{TOP}/{path}", encoding="utf-8") as f:
        return f.read()


def of_manual() -> Iterator[str]:
    for element in ElementTree.fromstring(read(MANUAL)).iter("highlight"):
        if element.get("language") == "config":
            yield "".join(element.itertext())


def of_page(path: str, language: str = "apache") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", read(path), re.M | re.S)


def examples() -> Iterator[object]:
    for path, found in [(MANUAL, of_manual()), *((path, of_page(path)) for path in PAGES)]:
        for n, text in enumerate(found, 1):
            yield pytest.param(text, id=f"{os.path.relpath(path, 'docs').replace('../', '')}-{n}")


@pytest.mark.unstarted
@pytest.mark.parametrize("path", [path for path in PAGES if path.startswith("docs/guides/")])
def test_guide_has_only_what_can_be_followed(path):
    """As follow.py reads it: a block of a configuration names its file, output stands below a command."""
    spec = importlib.util.spec_from_file_location("follow", f"{TOP}/docs/guides/follow.py")
    follow = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(follow)
    assert list(follow.steps(f"{TOP}/{path}")), path


@pytest.fixture
def started(httpd, authority):
    """Starts an httpd with an example; the log has nothing that is worth a complaint."""
    def start(text: str) -> Httpd:
        def conf(h: Httpd) -> str:
            os.symlink(os.path.dirname(MODULE), h.path("modules"))
            # (a shell does not run under every sanitizer's preload)
            program = h.write("redis-password", f"#!{sys.executable}\nprint('secret')\n", 0o755)
            users = h.write("mirror-users", f"ann:{PASSWORD}\n")
            told = re.sub(PROGRAM, f"exec:{program}", PORT.sub("", text))
            told = told.replace(BUILT, os.path.dirname(MODULE))
            return told.replace(TRUSTED, authority.path).replace(LOGS, h.path("logs")).replace(USERS, users)
        # an example that loads a module is told that it is there already; a fleet's store is not there
        expect = [r"AH01574: "] * ("LoadModule" in text) + [r"PM0930: "] * ("ProxyMirrorFleet" in text)
        return httpd(conf, modules=MODULES, expect=expect)
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
    for path in PAGES:
        fenced = sum(len(re.findall(r"^\s*ProxyMirror ", text, re.M)) for text in of_page(path))
        assert fenced == len(re.findall(r"^\s*ProxyMirror ", read(path), re.M)), path
    assert {README, SHEET, "docs/limits.md", "docs/guides/fleet.md", "SECURITY.md"} <= set(PAGES)


# ---- commands

def run(command: str, folder: str) -> str:
    """What a command of a page prints; no proxy of this machine is asked."""
    return subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, timeout=60,
                          env={"PATH": os.environ["PATH"], "NO_PROXY": "*", "HOME": folder}, check=True).stdout


@pytest.fixture
def listeners(tmp_path):
    """Starts listen.py, or another program, on a free port, with its output in a file of `tmp_path`; returns the port."""
    running = []

    def start(name: str, program: str = LISTEN, *arguments: str) -> int:
        port = free_port()
        with open(tmp_path / name, "wb") as out:
            running.append(subprocess.Popen([sys.executable, program, str(port), *arguments], stdout=out))

        def listens() -> bool:
            with socket.socket() as sock:
                return sock.connect_ex(("127.0.0.1", port)) == 0
        wait_for(f"listen.py on {port}", listens)
        return port
    yield start
    for process in running:
        process.kill()
        process.wait()


def test_quick_start(listeners, httpd, tmp_path):
    """The configuration of README.md, and what its commands print."""
    start = read(README).partition("## Quick start")[2].partition("\n## ")[0]
    ports = {port: str(listeners(log)) for port, log in re.findall(r"listen\.py (\d+) > (\S+)", start)}
    conf = re.search(r"^```apache\n(.*?)^```$", start, re.M | re.S).group(1)
    for port, free in ports.items():
        conf = conf.replace(f":{port}", f":{free}")
    h = httpd(lambda h: conf.replace("*:80", f"*:{h.port}"), modules=MODULES)
    commands = re.findall(r"^\$ ((?:curl|head) .*)\n((?:(?!\$|```).*\n)*)", start, re.M)
    assert [c.split()[0] for c, _ in commands] == ["curl", "head"]
    for command, printed in commands:
        command = command.replace("localhost", f"localhost:{h.port}").replace("curl", "curl -4 -sS")
        for port, free in ports.items():
            printed = printed.replace(f"port {port}", f"port {free}")
        wait_for(command, lambda: run(command, tmp_path) == printed)    # noqa: B023 (it is called at once)
    status = json.loads(run(f"curl -4 -sS localhost:{h.port}/mirror-status/mirrors/hello", tmp_path))
    assert status["outcomes"]["mirrored"] >= 1


def test_commands_of_the_cheat_sheet(started, tmp_path):
    h = started("\n".join(of_page(SHEET)))
    commands = [c.replace("\\|", "|").replace("localhost", f"127.0.0.1:{h.port}").replace("curl", "curl -sS")
                for c in re.findall(r"`(curl [^`]*)`", read(SHEET))]
    assert len(commands) == 3
    assert json.loads(run(commands[0], tmp_path))["attributes"]["enabled"] is True
    assert json.loads(run(commands[1], tmp_path))["attributes"]["enabled"] is False
    assert json.loads(run(commands[2], tmp_path))["overridden"] is False


def test_command_of_the_manager(started, tmp_path):
    """Those of manager.md, with its configuration, and a mirror that another page has: stop all, resume, and change one."""
    page = "docs/manager.md"
    h = started(of_page(page)[0] + of_page("docs/limits.md")[0])
    stop, resume, command = [text for text in of_page(page, "text") if text.startswith("curl ")]

    def answer(text: str) -> dict:
        return json.loads(run(text.replace("ann", "ann:secret").replace("//localhost", f"//127.0.0.1:{h.port}"), tmp_path))
    assert {one["enabled"] for one in answer(stop)["mirrors"]} == {False}
    assert {one["enabled"] for one in answer(resume)["mirrors"]} == {True}
    assert answer(command)["attributes"]["enabled"] is False


def test_stop_of_all(started):
    """The paragraph for an emergency: mirrors that do not set `enabled` copy nothing."""
    emergency = of_page("docs/manager.md")[1]
    h = started(emergency + "\n".join(of_page(SHEET)))
    assert {m["attributes"]["enabled"] for m in h.mirrors().values()} == {False}


def test_lines_that_enable(tmp_path):
    """The grep of the emergency finds what overrules ProxyMirrorDefaults, in quotes and on a continued line too, and no comment."""
    command = re.search(r"^ *(grep .*) /etc/apache2$", read("docs/manager.md"), re.M).group(1)
    lines = ["#ProxyMirrorDefaults enabled=true", 'ProxyMirror "http://a" Enabled=On', 'ProxyMirror "http://b" \\',
             "    enabled=true", 'ProxyMirror "http://c" enabled=false', 'ProxyMirror "http://d" enabled="true"', "ProxyMirrorFleet web policy=redis",
             "# ProxyMirrorFleet web policy=redis", 'ProxyMirror "http://e" enable_limit_count=true']
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "a.conf").write_text("\n".join(lines) + "\n")
    assert [line.split(":")[1] for line in run(f"{command} .", tmp_path).splitlines()] == ["2", "4", "6", "7"]


def test_sample_of_the_status_is_complete(httpd, origin, mirror):
    """The JSON of a mirror in monitoring.md has the members that the module prints, in this order."""
    h = httpd(MANAGER + location("/o/", origin, to(mirror, "enable_limit_count=true count=2")))
    text = next(text for text in of_page("docs/monitoring.md", "text") if '"scope"' in text)
    sample = json.loads(text.replace(", ...", "").replace("...", "null"))
    status = h.mirrors()["m"]
    assert list(sample) == list(status)
    for member in ("state", "bounds", "responses", "latency_ms"):
        assert list(sample[member]) == list(status[member]), member
    assert list(sample["state"]["limit"]) == list(status["state"]["limit"])


def test_query_of_the_log(tmp_path):
    """The jq of monitoring.md, over the line that the manual shows, and one with another status."""
    line = re.search(r'^\{"time".*?\}$', read(MANUAL), re.M | re.S).group().replace("\n", "")
    (tmp_path / "mirror_log").write_text(line + "\n" + line.replace('"response": {"status": 200', '"response": {"status": 500') + "\n")
    command = re.search(r"`(jq [^`]*)`", read("docs/monitoring.md")).group(1)
    assert json.loads(run(command, tmp_path)) == ["/x", 200, 500]


def test_scrape_configuration(tmp_path):
    conf, = of_page("docs/monitoring.md", "yaml")
    (tmp_path / "prometheus.yml").write_text(conf)
    assert "SUCCESS" in run("promtool check config prometheus.yml", tmp_path)


# ---- the comparison

def test_guide_of_the_comparison(listeners, httpd):     # in this order, so that httpd ends first
    """The fault of the new version is found, the offer is noise by the guide's rule, and the fixed version is alike."""
    page = "docs/guides/is-it-safe.md"
    conf = of_page(page)[0].replace('sample_ratio=1% "sample_key=%{HTTP:X-User}"', "enabled=true")
    old, new, fixed = (listeners(f"{name}.log", ITEMS, name) for name in ("old", "new", "fixed"))
    rule, = re.findall(r"^ *(ProxyMirrorCompare .*)\n", of_page(page)[1], re.M)
    assert f'"{rule.removeprefix("ProxyMirrorCompare ")}"' in read(page)        # the manager is given the same
    conf = conf.replace(":8001", f":{old}").replace("        ProxyPass", f"        {rule}\n        ProxyPass")
    for port, found, verdict in ((new, [("GET /items/*", [("body/stock", "missing", 4)])], "differs"), (fixed, [], "alike")):
        h = httpd(lambda h: conf.replace(":8002", f":{port}").replace("*:80", f"*:{h.port}"), modules=MODULES)     # noqa: B023
        for n in range(1, 41):
            assert h.get(f"/items/{n}", ["Host: localhost"]).status == 200
        data = compared(h, 40, "items")
        assert [(f["group"], [(r["field"], r["kind"], r["count"]) for r in f["rows"]]) for f in data["findings"]] == found
        assert data["verdict"] == verdict and data["verdicts"]["ignored"] == 40 - 4 * (verdict == "differs")


def test_sample_of_the_comparison_is_complete(httpd, recorder):
    """The JSON in comparison.md has the members that the module prints."""
    mirror = recorder()
    h = httpd(MANAGER + location("/o/", recorder(), to(mirror, "compare=all")))
    sample, *rest = (json.loads(text) for text in of_page("docs/comparison.md", "text") if text.startswith("{"))
    data = comparison(h)
    assert list(sample) == list(data) and list(sample["verdicts"]) == list(data["verdicts"])
    assert set(sample["skipped"]) == set(data["skipped"]) and list(sample["latency_ms"]) == list(data["latency_ms"])
    verdict = h.get("/mirror-status/mirrors/m/comparison/verdict", ["Host: localhost"])
    assert list(rest[0]) == list(json.loads(verdict.body))
