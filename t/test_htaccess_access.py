"""Who may use manager and status is what the server configuration alone says: an .htaccess on the way to their <Location> lets
nobody in, in no way."""
from __future__ import annotations

import json

import pytest

from httpdlab import Httpd, to
from managerlab import ANN, JSON, USER_MODULES, changed, refused

MODULES = [*USER_MODULES, "authn_anon", "authz_host", "access_compat", "mime", "dir", "status"]
EVE = "Authorization: Basic ZXZlOnRlc3Q="       # eve:test
USER = 'AuthType Basic\nAuthName x\nAuthUserFile "{root}/users"\nRequire valid-user'
ELSEWHERE = "Require ip 192.0.2.1"
OWN_USERS = 'AuthType Basic\nAuthName x\nAuthBasicProvider file\nAuthUserFile "{root}/own"\nRequire valid-user'
HERE = '<If "%{REQUEST_URI} =~ m#^/(manager|server-status)#">'
SERVER = """TypesConfig /dev/null
<Directory "{root}/htdocs">
    Options All
    AllowOverride All
</Directory>
<Location "/manager">
    SetHandler proxy-mirror-manager
    {access}
</Location>
<Location "/server-status">
    SetHandler server-status
    {access}
</Location>
"""


def start(httpd, mirror, access: str, text: str) -> Httpd:
    """With an .htaccess in DocumentRoot."""
    def configure(h: Httpd) -> str:
        h.write("users", "ann:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=\n")
        h.write("own", "eve:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=\n")
        h.write("htdocs/.htaccess", text.replace("{root}", h.root) + "\n")
        return SERVER.replace("{access}", access).replace("{root}", h.root) + to(mirror)
    return httpd(configure, modules=MODULES, expect=[r"AH0161[78]|AH01797|AH01630"])


@pytest.mark.smoke
@pytest.mark.parametrize("access, text, status", [
    pytest.param(USER, f'{HERE}\n{OWN_USERS}\n</If>', 401, id="users in If"),
    pytest.param(USER, '<If "true">\nRequire all granted\n</If>', 401, id="granted in If"),
    pytest.param(USER, '<If "false">\n</If>\n<Else>\n<If "true">\nRequire all granted\n</If>\n</Else>', 401, id="If in Else"),
    pytest.param(ELSEWHERE, f'{HERE}\n{OWN_USERS}\n</If>', 403, id="users over addresses"),
    pytest.param(USER, "AuthBasicProvider anon\nAnonymous *\nAnonymous_MustGiveEmail Off", 401, id="another provider"),
    pytest.param(USER, "Satisfy Any\nAllow from all", 401, id="Satisfy"),
    pytest.param(USER, '<Files "*">\nSatisfy Any\nAllow from all\n</Files>', 401, id="Satisfy in Files")])
def test_access_file_lets_nobody_in(httpd, mirror, access, text, status):
    h = start(httpd, mirror, access, text)
    needed = "access: a request that the server configuration alone allows is needed"
    for path in ("/manager", "/manager/", "/manager/mirrors", "/manager/mirrors/m?a=1", "/manager/metrics", "/manager/page.js"):
        refused(h.get(path, [EVE, "Host: localhost"]), 403, needed, f"with {status} ")
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        refused(h.request(method, "/manager/mirrors/m", [JSON, EVE, "Host: localhost"], b'{"count": 2}'), 403, needed)
    assert len(h.log_lines("PM0920: .*access: ")) == 10 and not h.log_lines("PM0900")
    assert h.mirror()["overridden"] is False
    got = h.get("/server-status", [EVE, "Host: localhost"])
    assert got.status == 200 and b"Apache Server Status" in got.body and b"Proxy Mirror Status" not in got.body


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
    assert h.log_lines('PM0900: mirror m is changed by "ann"')
    assert b"<html" in h.get("/manager/", [ANN]).body
    assert [m["name"] for m in json.loads(h.get("/manager/mirrors", [ANN]).body)["mirrors"]] == ["m"]
    assert b"Proxy Mirror Status" in h.get("/server-status", [ANN]).body


def test_client_on_the_machine_beside_an_ordinary_access_file(httpd, mirror):
    h = start(httpd, mirror, "Require local", ORDINARY)
    got = h.request("PATCH", "/manager/mirrors/m", [JSON, "Host: localhost"], b'{"count": 2}')
    assert changed(got)["attributes"]["count"] == 2


def test_user_of_an_access_file_is_none(httpd, mirror):
    """It can keep out more, but whom it lets in is as anybody."""
    h = start(httpd, mirror, "", f"{HERE}\n{OWN_USERS}\n</If>")
    assert h.get("/manager/mirrors", ["Host: localhost"]).status == 401
    assert h.get("/manager/mirrors", [EVE, "Host: localhost"]).status == 200
    refused(h.get("/manager/mirrors", [EVE, "Host: evil.example.com"]), 403, "Host: ")
    refused(h.request("PATCH", "/manager/mirrors/m", [JSON, EVE, "Host: localhost", "Via: 1.1 x"], b'{"count": 2}'), 403,
            "change: an authenticated user")
