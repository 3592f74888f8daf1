"""Who may use manager and status is what the server configuration alone says: an .htaccess on the way to their <Location> lets
nobody in, in no way."""
from __future__ import annotations

import json
import os

import pytest

from httpdlab import Httpd, to
from managerlab import ANN, JSON, USER_MODULES, changed, refused

MODULES = [*USER_MODULES, "authn_anon", "authz_host", "access_compat", "mime", "dir", "status", "include", "setenvif"]
EVE = "Authorization: Basic ZXZlOnRlc3Q="       # eve:test
USER = 'AuthType Basic\nAuthName x\nAuthUserFile "{root}/users"\nRequire valid-user'
ELSEWHERE = "Require ip 192.0.2.1"
OWN_USERS = 'AuthType Basic\nAuthName x\nAuthBasicProvider file\nAuthUserFile "{root}/own"\nRequire valid-user'
HERE = '<If "%{REQUEST_URI} =~ m#^/(manager|server-status)#">'
LOCATION, FOLDER = '<Location "/manager">', '<Directory "{root}/htdocs/manager">'
SERVER = """TypesConfig /dev/null
<Directory "{root}/htdocs">
    Options All
    AllowOverride All
</Directory>
{section}
    SetHandler proxy-mirror-manager
    {access}
</{end}>
<Location "/server-status">
    SetHandler server-status
    {access}
</Location>
"""


def start(httpd, mirror, access: str, text: str, section: str = LOCATION) -> Httpd:
    """With an .htaccess in DocumentRoot."""
    def configure(h: Httpd) -> str:
        h.write("users", "ann:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=\n")
        h.write("own", "eve:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=\n")
        h.write("htdocs/.htaccess", text.replace("{root}", h.root) + "\n")
        os.makedirs(h.path("htdocs/manager"), exist_ok=True)
        for name in ("page", "mirrors"):        # mod_dir looks for a file
            h.write(f"htdocs/manager/{name}", "")
        conf = SERVER.replace("{section}", section).replace("{end}", section[1:].split()[0])
        return conf.replace("{access}", access).replace("{root}", h.root) + to(mirror)
    return httpd(configure, modules=MODULES, expect=[r"AH0161[78]|AH01797|AH01630|unable to include"])


TRICKS = [
    pytest.param(USER, f'{HERE}\n{OWN_USERS}\n</If>', 401, id="users in If"),
    pytest.param(USER, '<If "true">\nRequire all granted\n</If>', 401, id="granted in If"),
    pytest.param(USER, '<If "false">\n</If>\n<Else>\n<If "true">\nRequire all granted\n</If>\n</Else>', 401, id="If in Else"),
    pytest.param(ELSEWHERE, f'{HERE}\n{OWN_USERS}\n</If>', 403, id="users over addresses"),
    pytest.param(USER, "AuthBasicProvider anon\nAnonymous *\nAnonymous_MustGiveEmail Off", 401, id="another provider"),
    pytest.param(USER, "Satisfy Any\nAllow from all", 401, id="Satisfy"),
    pytest.param(USER, '<Files "*">\nSatisfy Any\nAllow from all\n</Files>', 401, id="Satisfy in Files")]


@pytest.mark.smoke
@pytest.mark.parametrize("access, text, status", TRICKS)
def test_access_file_lets_nobody_in(httpd, mirror, access, text, status):
    """None is read for the manager. mod_status is not ours."""
    h = start(httpd, mirror, access, text)
    for path in ("/manager", "/manager/", "/manager/mirrors", "/manager/mirrors/m?a=1", "/manager/metrics", "/manager/page.js"):
        assert h.get(path, [EVE, "Host: localhost"]).status == status
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        assert h.request(method, "/manager/mirrors/m", [JSON, EVE, "Host: localhost"], b'{"count": 2}').status == status
    assert not h.log_lines("PM0900") and h.mirror()["overridden"] is False


ENVIRONMENT = [
    pytest.param("Require env IN", "SetEnvIf Request_URI . IN=1", 403, id="environment"),
    pytest.param('Require expr "%{HTTP:X-In} == \'1\'"', "RequestHeader set X-In 1 early", 403, id="a header"),
    pytest.param("Require env IN", "DirectoryIndex page\nSetEnvIf Request_URI . IN=1", 403, id="an index"),
    pytest.param("Require all granted", "", 403, id="an empty file")]


@pytest.mark.parametrize("access, text, status", TRICKS + ENVIRONMENT)
def test_access_file_lets_nobody_into_a_folder(httpd, mirror, access, text, status):
    """Whatever it says: that httpd found it is sufficient."""
    h = start(httpd, mirror, access, text, FOLDER)
    for path in ("/manager/", "/manager/page", "/manager"):
        got = h.get(path, [EVE, "Host: localhost"])
        assert got.status in (301, 401, 403, 500) and b"mirrors" not in got.body.lower()
        if got.status == 403 and b'"error"' in got.body:
            refused(got, 403, "SetHandler: must be in a <Location> for the requested path",
                    f"httpd found {h.root}/htdocs/.htaccess")
            assert h.log_lines(f'PM0920: "GET" of "{path}.* was rejected: SetHandler: must be in a <Location>')
    if "granted" in access + text and status == 403:
        assert h.log_lines("PM0920")
    assert not h.log_lines("PM0900") and h.mirror()["overridden"] is False


@pytest.mark.parametrize("text, path", [
    ("RewriteEngine On\nRewriteRule ^r$ /manager/mirrors [L]", "/r"),
    ("ErrorDocument 404 /manager/mirrors", "/none"),
    ("FallbackResource /manager/mirrors", "/none"),
    ("DirectoryIndex /manager/mirrors", "/"),
    ("Options +Includes\nAddOutputFilter INCLUDES .shtml", "/a.shtml")])
@pytest.mark.parametrize("access", ["Require env REDIRECT_IN", "Require env IN", "Require all granted"])
def test_access_file_that_leads_to_the_manager(httpd, mirror, access, text, path):
    """With an environment of its own."""
    h = start(httpd, mirror, access, text + "\nSetEnvIf Request_URI . IN=1")
    h.write("htdocs/a.shtml", '[<!--#include virtual="/manager/mirrors" -->]')
    got = h.get(path, ["Host: localhost"])
    assert b'"mirrors"' not in got.body and (got.status in (403, 404) or got.body.startswith(b"["))
    if "granted" in access:
        reached = not text.startswith(("FallbackResource", "DirectoryIndex"))   # they look for a file, and find none
        assert bool(h.log_lines("PM0920: .*SetHandler: must be in a <Location> for the requested path")) == reached
        assert h.get("/manager/mirrors", ["Host: localhost"]).status == 200


@pytest.mark.parametrize("rule, status", [("", 200), ("RewriteEngine On\nRewriteRule ^/manager/secret$ /secret [PT]\n", 403)])
def test_access_file_of_a_path_that_is_rewritten(httpd, mirror, rule, status):
    """What it keeps out, stays out."""
    def configure(h: Httpd) -> str:
        h.write("htdocs/.htaccess", '<Files "secret">\nRequire all denied\n</Files>\n')
        h.write("htdocs/secret", "secret")
        return (f'TypesConfig /dev/null\n{rule}<Directory "{h.root}/htdocs">\nAllowOverride All\n</Directory>\n{LOCATION}\n'
                f"SetHandler proxy-mirror-manager\n</Location>\n{to(mirror)}")
    h = httpd(configure, modules=MODULES, expect=["AH01630"])
    got = h.get("/manager/secret" if rule else "/manager/mirrors", ["Host: localhost"])
    assert got.status == status and b"secret" not in got.body.replace(b"/manager/secret", b"")


ORDINARY = """RewriteEngine On
RewriteRule ^old$ /new [R]
Header set X-A b
Options -Indexes
<Files "secret">
Require all denied
</Files>
<If "%{REQUEST_URI} == '/none'">
Require all denied
</If>
"""


def test_ordinary_access_file_keeps_nobody_out(httpd, mirror):
    h = start(httpd, mirror, USER, ORDINARY)
    assert h.get("/manager/mirrors").status == 401
    got = h.request("PATCH", "/manager/mirrors/m", [JSON, ANN, "Host: other.example.com"], b'{"count": 2}')
    assert changed(got)["attributes"]["count"] == 2
    assert h.log_lines('PM0900: mirror m was changed by "ann"')
    assert b"<html" in h.get("/manager/", [ANN]).body
    assert [m["name"] for m in json.loads(h.get("/manager/mirrors", [ANN]).body)["mirrors"]] == ["m"]
    assert b"Proxy Mirror Status" in h.get("/server-status", [ANN]).body


def test_client_on_the_machine_beside_an_ordinary_access_file(httpd, mirror):
    h = start(httpd, mirror, "Require local", ORDINARY)
    got = h.request("PATCH", "/manager/mirrors/m", [JSON, "Host: localhost"], b'{"count": 2}')
    assert changed(got)["attributes"]["count"] == 2


def test_user_of_an_access_file_is_none(httpd, mirror):
    """Who is let in without a user stays without one."""
    h = start(httpd, mirror, "", f"{HERE}\n{OWN_USERS}\n</If>")
    assert h.get("/manager/mirrors", [EVE, "Host: localhost"]).status == 200
    refused(h.get("/manager/mirrors", [EVE, "Host: evil.example.com"]), 403, "Host: ")
    refused(h.request("PATCH", "/manager/mirrors/m", [JSON, EVE, "Host: localhost", "Via: 1.1 x"], b'{"count": 2}'), 403,
            "change: must come from an authenticated user")
