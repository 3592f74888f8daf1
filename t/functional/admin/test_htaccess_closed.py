"""No access file is read for a request of manager and status: so nothing else may be served for it, and what it leads to is served
with the access files of its own folder."""
from __future__ import annotations

import os

import pytest

from httpdlab import Httpd, to
from managerlab import USER_MODULES

MODULES = [*USER_MODULES, "authz_host", "mime", "dir", "include", "negotiation", "cgid", "dav", "dav_fs", "access_compat"]
NOTES = ["AH0161[78]", "AH01630", "AH01797", "PM0920", "AH0058[0-9]"]
SECRET = "hidden-words"
SCRIPT = f"#!/bin/sh\n# {SECRET}\nprintf 'Content-Type: text/plain\\n\\nrun\\n'\n"
OWN = 'AddHandler cgi-script .sh\n<Files "secret.html">\nRequire all denied\n</Files>\n'
DENIED = "Require all denied\n"
STATUS = '<Location "/st">\nSetHandler proxy-mirror-status\n</Location>\n'
USER = ('<Location "/st">\nSetHandler proxy-mirror-status\nAuthType Basic\nAuthName x\nAuthUserFile "{root}/users"\n'
        "Require valid-user\n</Location>\n")


def start(httpd, mirror, conf: str, files: dict[str, str], folder: str = "") -> Httpd:
    """With these files in DocumentRoot, where access files hold; `folder` are further lines for it."""
    def configure(h: Httpd) -> str:
        h.write("users", "ann:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=\n")
        for name, text in files.items():
            os.makedirs(os.path.dirname(h.path(f"htdocs/{name}")), exist_ok=True)
            h.write(f"htdocs/{name}", text)
            if name.endswith(".sh"):
                os.chmod(h.path(f"htdocs/{name}"), 0o755)
        for path in ("htdocs", "htdocs/st"):
            if os.path.isdir(h.path(path)):
                os.chmod(h.path(path), 0o777)
        return (f'TypesConfig /dev/null\nAddType text/plain .sh\nDavLockDB "{h.root}/run/lock"\n<Directory "{h.root}/htdocs">\n'
                f"Options All MultiViews\nAllowOverride All\n{folder}\n</Directory>\n"
                f"{conf.replace('{root}', h.root)}\n{to(mirror)}")
    return httpd(configure, modules=MODULES, expect=NOTES)


# ---- what a request of manager and status leads to ----


@pytest.mark.parametrize("where", ["", "deep/"])
@pytest.mark.parametrize("conf, path", [
    (USER + "ErrorDocument 401 /{where}run.sh", "/st"),
    (STATUS.replace("SetH", "Require all denied\nSetH") + "ErrorDocument 403 /{where}run.sh", "/st"),
    (STATUS + "DirectoryIndex /{where}run.sh", "/st/"),
    (USER + "ErrorDocument 401 /{where}secret.html", "/st"),
    (STATUS + "DirectoryIndex /{where}secret.html", "/st/")])
def test_target_has_its_access_file(httpd, mirror, conf, path, where):
    files = {f"{where}.htaccess": OWN, f"{where}secret.html": SECRET, f"{where}run.sh": SCRIPT, "st/x": ""}
    h = start(httpd, mirror, conf.replace("{where}", where), files)
    got = h.get(path, ["Host: localhost"])
    assert SECRET.encode() not in got.body and (b"run" in got.body or "secret" in conf), got.raw
    assert SECRET.encode() not in h.get(f"/{where}secret.html").body


def test_variant_has_its_access_file(httpd, mirror):
    h = start(httpd, mirror, STATUS, {".htaccess": OWN, "st.sh": SCRIPT})
    assert SECRET.encode() not in h.get("/st", ["Host: localhost"]).body


@pytest.mark.parametrize("page", ["err.sh", "secret.html"])
def test_target_after_two_steps_has_its_access_file(httpd, mirror, page):
    """The first one ends before its folders are searched."""
    h = start(httpd, mirror, STATUS + f"RedirectMatch 404 ^/m$\nErrorDocument 404 /{page}",
              {".htaccess": OWN, "err.sh": SCRIPT, "secret.html": SECRET}, "RewriteEngine On\nRewriteRule ^st/old$ /m [L]")
    for path in ("/st/old", "/m"):
        assert SECRET.encode() not in h.get(path, ["Host: localhost"]).body


# ---- what else might serve it ----


@pytest.mark.parametrize("conf, folder, path", [
    ('SetHandler proxy-mirror-status\n<Directory "{root}/htdocs/app">\nSetHandler None\n</Directory>', "", "/app/secret.html"),
    ('SetHandler proxy-mirror-status\n<FilesMatch "[.]html$">\nSetHandler None\n</FilesMatch>', "", "/app/secret.html"),
    ('<If "! -f %{REQUEST_FILENAME}">\nSetHandler proxy-mirror-status\n</If>', "", "/app/secret.html"),
    ('<Location "/app">\nSetHandler proxy-mirror-stat\n</Location>', "", "/app/secret.html"),
    ('<Location "/app">\nSetHandler proxy-mirror-status\n</Location>', "RewriteEngine On\nRewriteRule ^app/ - [H=default-handler]",
     "/app/secret.html")])
def test_no_other_handler_serves_it(httpd, mirror, conf, folder, path):
    h = start(httpd, mirror, conf, {"app/.htaccess": DENIED, "app/secret.html": SECRET}, folder)
    got = h.get(path, ["Host: localhost"])
    assert got.status == 403 and SECRET.encode() not in got.body, got.raw


def test_mod_dav_does_not_serve_it(httpd, mirror):
    """It takes all methods but GET and POST, whatever SetHandler says; and looks up where a copy goes to."""
    files = {".htaccess": "<LimitExcept GET POST>\nRequire all denied\n</LimitExcept>\n", "st/.htaccess": DENIED, "st/f": SECRET,
             "src": "x"}
    h = start(httpd, mirror, STATUS, files, "Dav On")
    host = f"Host: localhost:{h.port}"
    for method, path, headers in (("PUT", "/st/new", []), ("PROPFIND", "/st/", ["Depth: 1"]), ("DELETE", "/st/f", []),
                                  ("COPY", "/st/f", [f"Destination: http://localhost:{h.port}/pub"]),
                                  ("COPY", "/src", [f"Destination: http://localhost:{h.port}/st/f"])):
        got = h.request(method, path, [host, *headers], b"x" if method == "PUT" else b"")
        assert got.status in (403, 502), (method, got.raw)
    with open(h.path("htdocs/st/f"), encoding="ascii") as f:
        assert f.read() == SECRET
    assert sorted(os.listdir(h.path("htdocs/st"))) == [".htaccess", "f"] and not os.path.exists(h.path("htdocs/pub"))
    assert h.get("/st/mirrors", [host]).status == 200
    assert h.log_lines("PM0920: .*SetHandler: must be proxy-mirror-manager or proxy-mirror-status for all requests")
