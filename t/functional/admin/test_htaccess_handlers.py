"""Manager and status answer only where SetHandler in the server configuration says so: whoever may write an .htaccess gets
neither, in no way."""
from __future__ import annotations

import os

import pytest

from httpdlab import Httpd, to
from managerlab import JSON, MANAGER, changed, refused

HANDLERS = ["proxy-mirror-manager", "proxy-mirror-status"]
MODULES = ["mime", "dir", "actions", "negotiation", "macro", "setenvif"]
REFUSED = r"PM0921: |AH01599: Cannot get media type"
ACCESS = """TypesConfig /dev/null
<Directory "{h.root}/htdocs">
    Options All
    AllowOverride All
    AcceptPathInfo On
</Directory>
"""
NO_ACCESS = ACCESS.replace("AllowOverride All", "AllowOverride None")


def access_file(h: Httpd, text: str, folder: str = "user") -> None:
    """An access file, beside files for it."""
    os.makedirs(h.path(f"htdocs/{folder}"), exist_ok=True)
    for name in ("a.x", "index.html"):
        h.write(f"htdocs/{folder}/{name}", "a file\n")
    h.write(f"htdocs/{folder}/.htaccess", text + "\n")


def start(httpd, mirror, text: str, conf: str = "", expect: tuple[str, ...] = (REFUSED,)) -> Httpd:
    def configure(h: Httpd) -> str:
        access_file(h, text)
        return ACCESS.format(h=h) + conf.replace("{root}", h.root) + to(mirror)
    return httpd(configure, modules=MODULES, expect=expect)


WAYS = {
    "SetHandler": "SetHandler {handler}",
    "SetHandler with an expression": 'SetHandler "%{{tolower:{handler}}}"',
    "SetHandler in capitals": "SetHandler PROXY-Mirror-{handler}",
    "AddHandler": "AddHandler {handler} .x",
    "AddType": "AddType {handler} .x",
    "ForceType": "ForceType {handler}",
    "Files": '<Files "a.x">\nSetHandler {handler}\n</Files>',
    "FilesMatch": '<FilesMatch "x$">\nForceType {handler}\n</FilesMatch>',
    "If": '<If "true">\nSetHandler {handler}\n</If>',
    "Else in If": '<If "true">\n<If "false">\n</If>\n<Else>\nSetHandler {handler}\n</Else>\n</If>',
    "RewriteRule H": "RewriteEngine On\nRewriteRule . - [H={handler}]",
    "RewriteRule T": "RewriteEngine On\nRewriteRule . - [T={handler}]",
    "Macro": "Use M {handler}",                 # which the server configuration has
    "environment": 'SetEnvIf Request_URI . H={handler}\nSetHandler "%{{reqenv:H}}"',
}


@pytest.mark.smoke
@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("way", WAYS)
def test_access_file(httpd, mirror, way, handler):
    text = WAYS[way].format(handler=handler)
    if way == "SetHandler in capitals":
        text = f"SetHandler {handler.upper()}"
    h = start(httpd, mirror, text, "<Macro M $h>\nSetHandler $h\n</Macro>\n")
    paths = ["/user/a.x", "/user/a.x/", "/user/a.x/mirrors", "/user/a.x/mirrors/m", "/user/a.x/metrics", "/user/a.x/page.js"]
    for path in paths:
        for host in ("localhost", "evil.example.com"):
            refused(h.get(path, [f"Host: {host}"]), 403, "SetHandler: must be in the server configuration for this handler")
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        refused(h.request(method, paths[3], [JSON, "Host: localhost"], b'{"count": 2}'), 403)
    assert h.mirror()["overridden"] is False
    assert len(h.log_lines(f"PM0921: .*handler {handler} was set .* must be set by SetHandler in the server configuration")) == 16
    assert not h.log_lines("PM0900")


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("text, path", [
    ("AddHandler other .x\nAction other /deep/a.x virtual", "/user/a.x"),                       # mod_actions
    ("Action {handler} /user/index.html\nSetHandler {handler}", "/user/none"),
    ("RewriteEngine On\nRewriteRule ^r$ /deep/a.x [L]", "/user/r"),                             # an internal redirect
    ("ErrorDocument 404 /deep/a.x", "/user/none"),
    ("DirectoryIndex a.x\nAddHandler {handler} .x", "/user/"),                                  # fast ones
    ("FallbackResource /deep/a.x", "/user/none"),
    ("Options +MultiViews\nAddType text/plain .x\nAddHandler {handler} .x", "/user/a"),
])
def test_access_file_that_leads_to_another(httpd, mirror, text, path, handler):
    def configure(h: Httpd) -> str:
        access_file(h, text.format(handler=handler))
        access_file(h, f"SetHandler {handler}", "deep")
        return ACCESS.format(h=h) + to(mirror)
    h = httpd(configure, modules=MODULES, expect=[REFUSED])
    got = h.get(path, ["Host: localhost"])
    assert b"mirrors" not in got.body.lower(), got
    if not text.startswith("Action"):           # which replaces the handler
        assert got.status in (403, 404)
        assert h.log_lines(f"PM0921: .*handler {handler} was set")
    got = h.request("PATCH", path, [JSON, "Host: localhost"], b'{"count": 2}')
    assert h.mirror()["overridden"] is False and not h.log_lines("PM0900")


def test_access_file_that_proxies_to_the_manager(httpd, mirror):
    """RewriteRule's P connects from loopback."""
    h = start(httpd, mirror, "", MANAGER)
    access_file(h, f"RewriteEngine On\nRewriteRule ^p(.*)$ http://127.0.0.1:{h.port}/manager/mirrors/m$1 [P]")
    assert h.get("/user/p").status == 200
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        refused(h.request(method, "/user/p", [JSON], b'{"count": 2}'), 403, "change: ")


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Via", "X-Proxy-Mirror"])
@pytest.mark.parametrize("way", ["directly", "a redirect", "a proxy"])
def test_access_file_that_takes_out_what_a_proxy_says(httpd, mirror, way, header):
    """Of the folder that the manager's URL leads to: the header is gone when the manager looks, but was there."""
    h = start(httpd, mirror, "", MANAGER)
    h.write("htdocs/.htaccess", f"""RequestHeader unset {header}
RequestHeader unset X-Forwarded-For
RewriteEngine On
RewriteRule ^r$ /manager/mirrors/m [L]
RewriteRule ^p$ http://127.0.0.1:{h.port}/manager/mirrors/m [P]
""")
    path = {"directly": "/manager/mirrors/m", "a redirect": "/r", "a proxy": "/p"}[way]
    for method in ("PATCH", "PUT", "DELETE"):
        got = h.request(method, path, [JSON, "Host: localhost", f"{header}: 192.0.2.1"], b'{"count": 2}')
        if way == "a redirect":
            refused(got, 403, "SetHandler: must be in a <Location>")
        else:
            refused(got, 403, "change: ", header if way == "directly" else "header ")
    assert h.mirror()["overridden"] is False and not h.log_lines("PM0900")
    if way == "directly":
        assert changed(h.request("PATCH", path, [JSON, "Host: localhost"], b'{"count": 2}'))["attributes"]["count"] == 2


def test_log_names_the_file_and_the_line(httpd, mirror):
    h = start(httpd, mirror, "#\nSetHandler proxy-mirror-manager")
    refused(h.get("/user/a.x", ["Host: localhost"]), 403)
    assert h.log_lines(f"PM0921: .*by SetHandler in {h.root}/htdocs/user/.htaccess, line 2; it must be set by SetHandler")
    access_file(h, "AddHandler proxy-mirror-manager .x")
    refused(h.get("/user/a.x", ["Host: localhost"]), 403)
    assert h.log_lines("PM0921: .*was set by AddHandler, AddType, ForceType, RewriteRule or a similar directive; it must")


# ---- the server configuration ----

SERVER = {
    "Location": '<Location "/user/a.x">\nSetHandler proxy-mirror-manager\n</Location>\n',
    "LocationMatch": '<LocationMatch "^/user/a.x">\nSetHandler proxy-mirror-manager\n</LocationMatch>\n',
    "Directory": '<Directory "{root}/htdocs/user">\nSetHandler proxy-mirror-manager\n</Directory>\n',
    "DirectoryMatch": '<DirectoryMatch "/user/">\nSetHandler proxy-mirror-manager\n</DirectoryMatch>\n',
    "Files": '<Files "a.x">\nSetHandler proxy-mirror-manager\n</Files>\n',
    "Files in Directory": '<Directory "{root}/htdocs/user">\n<Files "a.x">\nSetHandler proxy-mirror-manager\n</Files>\n</Directory>\n',
    "If": '<If "%{REQUEST_URI} =~ m#^/user/#">\nSetHandler proxy-mirror-manager\n</If>\n',
    "Else in If in Location": '<Location "/user">\n<If "true">\n<If "false">\n</If>\n<Else>\nSetHandler proxy-mirror-manager\n'
                              "</Else>\n</If>\n</Location>\n",
    "If in Files": '<Files "a.x">\n<If "true">\nSetHandler proxy-mirror-manager\n</If>\n</Files>\n',
    "capitals": '<Location "/user/a.x">\nSetHandler Proxy-Mirror-Manager\n</Location>\n',
    "expression": '<Location "/user/a.x">\nSetHandler "proxy-mirror-%{tolower:MANAGER}"\n</Location>\n',
    "Macro": '<Macro M $h>\n<Location "/user/a.x">\nSetHandler $h\n</Location>\n</Macro>\nUse M proxy-mirror-manager\n',
    "Limit": '<Location "/user/a.x">\n<Limit GET PATCH>\nSetHandler proxy-mirror-manager\n</Limit>\n</Location>\n',
}


def check(h: Httpd) -> None:
    path = "/user/a.x/mirrors/m"
    assert changed(h.get(path, ["Host: localhost"]))["name"] == "m"
    assert changed(h.request("PATCH", path, [JSON, "Host: localhost"], b'{"count": 2}'))["attributes"]["count"] == 2
    assert h.get("/user/a.x", ["Host: localhost"]).header("Content-Type") == ["text/html; charset=utf-8"]


@pytest.mark.parametrize("virtual", [False, True], ids=["", "VirtualHost"])
@pytest.mark.parametrize("way", SERVER)
def test_server_configuration(httpd, mirror, way, virtual):
    def configure(h: Httpd) -> str:
        access_file(h, "")
        conf = SERVER[way].replace("{root}", h.root) + to(mirror)
        access = (ACCESS if is_location(way) else NO_ACCESS).format(h=h)
        return access + (f"<VirtualHost *:{h.port}>\n{conf}\n</VirtualHost>" if virtual else conf)
    check(httpd(configure, modules=MODULES))


def is_location(way: str) -> bool:
    """Whether httpd knows before it searches for access files that the request is the manager's."""
    return "<Location" in SERVER[way] or SERVER[way].startswith("<If")


@pytest.mark.parametrize("override", ["AllowOverride All", "AllowOverride None\nAllowOverrideList RequestHeader"])
@pytest.mark.parametrize("way", [way for way in SERVER if not is_location(way)])
def test_sections_that_need_a_path_without_access_files(httpd, mirror, way, override):
    """Even one that says nothing."""
    def configure(h: Httpd) -> str:
        access_file(h, "")
        return ACCESS.replace("AllowOverride All", override).format(h=h) + SERVER[way].replace("{root}", h.root) + to(mirror)
    h = httpd(configure, modules=MODULES)
    found = f"httpd found {h.root}/htdocs/user/.htaccess"
    refused(h.get("/user/a.x/mirrors/m", ["Host: localhost"]), 403, "AllowOverride must be None", found)
    refused(h.request("PATCH", "/user/a.x/mirrors/m", [JSON, "Host: localhost"], b'{"count": 2}'), 403)
    assert h.mirror()["overridden"] is False and h.log_lines(f"PM0920: .*{found}")
    os.remove(h.path("htdocs/user/.htaccess"))
    check(h)


def test_sections_of_the_main_server_hold_in_a_virtual_host(httpd, mirror):
    def configure(h: Httpd) -> str:
        access_file(h, "")
        return ACCESS.format(h=h) + SERVER["Location"] + f"<VirtualHost *:{h.port}>\n{to(mirror)}\n</VirtualHost>"
    check(httpd(configure, modules=MODULES))


def test_a_virtual_host_as_a_whole(httpd, mirror):
    def configure(h: Httpd) -> str:
        access_file(h, "")
        return f"TypesConfig /dev/null\n<VirtualHost *:{h.port}>\nSetHandler proxy-mirror-manager\n{to(mirror)}\n</VirtualHost>"
    check(httpd(configure, modules=MODULES))


@pytest.mark.parametrize("section, status", [("Location", 200), ("Directory", 403)])
def test_both_say_the_same(httpd, mirror, section, status):
    """The one that is in force decides, as httpd merges them."""
    h = start(httpd, mirror, "SetHandler proxy-mirror-manager", SERVER[section])
    assert h.get("/user/a.x/mirrors/m", ["Host: localhost"]).status == status


def test_access_file_makes_no_manager_of_a_status(httpd, mirror):
    h = start(httpd, mirror, "RewriteEngine On\nRewriteRule . - [H=proxy-mirror-manager]",
              SERVER["Location"].replace("manager", "status"))
    refused(h.request("PATCH", "/user/a.x/mirrors/m", [JSON, "Host: localhost"], b'{"count": 2}'), 405)
    assert h.mirror()["overridden"] is False


@pytest.mark.parametrize("conf", ["AddHandler proxy-mirror-status .x\n", "AddType proxy-mirror-status .x\n",
                                  "RewriteEngine On\nRewriteRule ^/user/ - [H=proxy-mirror-status]\n"])
def test_other_ways_in_the_server_configuration(httpd, mirror, conf):
    """None but SetHandler; the log says so."""
    h = start(httpd, mirror, "", conf)
    refused(h.get("/user/a.x/mirrors", ["Host: localhost"]), 403, "SetHandler: ")
    assert h.log_lines("PM0921: .* was set by AddHandler, .*; it must be set by SetHandler in the server configuration, in <Location>")


def test_no_mirrors_on_a_page_of_mod_status_that_an_access_file_has_made(httpd, mirror):
    def configure(h: Httpd) -> str:
        access_file(h, "SetHandler server-status")
        return (f'{ACCESS.format(h=h)}<Location "/server-status">\nSetHandler server-status\n</Location>\n{to(mirror)}\n'
                f"<VirtualHost *:{h.port}>\n</VirtualHost>")
    h = httpd(configure, modules=[*MODULES, "status"])
    for query, words in (("?auto", b"ProxyMirror[0]Name: m"), ("", b"Proxy Mirror Status")):
        assert words in h.get(f"/server-status{query}").body
        got = h.get(f"/user/a.x{query}")
        assert b"Scoreboard" in got.body or b"Server Version" in got.body
        assert b"Mirror" not in got.body
