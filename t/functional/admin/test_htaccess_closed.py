"""No access file is read for a request of manager and status: so nothing else may be served for it, and what it leads to is served
with the access files of its own folder."""
from __future__ import annotations

import os

import pytest

from httpdlab import Httpd, to
from managerlab import MANAGER, USER_MODULES, patch

MODULES = [*USER_MODULES, "authz_host", "mime", "dir", "include", "negotiation", "cgid", "dav", "dav_fs", "access_compat", "speling"]
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
    (USER + "ErrorDocument 401 /{where}secret.html", "/st")])
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
    ('<Location "/app">\nSetHandler proxy-mirror-stat\n</Location>', "", "/app/secret.html")])
def test_no_other_handler_serves_it(httpd, mirror, conf, folder, path):
    h = start(httpd, mirror, conf, {"app/.htaccess": DENIED, "app/secret.html": SECRET}, folder)
    got = h.get(path, ["Host: localhost"])
    assert got.status == 403 and SECRET.encode() not in got.body, got.raw


@pytest.mark.parametrize("rule", ["^st/(.*)$ {origin}/$1 [P]", "^st/(.*)$ /other/$1 [L]", "^st/ - [H=default-handler]",
                                  "^(?!other/) /other/f"])
def test_rule_of_a_folder_is_not_in_force(httpd, recorder, mirror, rule):
    """Without the module, the access file keeps the client out before the rule is in force."""
    origin = recorder()
    h = start(httpd, mirror, STATUS, {"st/.htaccess": DENIED, "st/f": SECRET, "other/f": SECRET,
                                      "other/.htaccess": "Require expr \"%{ENV:REDIRECT_STATUS} == '200'\"\n"},
              "RewriteEngine On\nRewriteRule " + rule.replace("{origin}", origin.url))
    assert b": no such resource" in h.get("/st/f", ["Host: localhost"]).body
    assert h.get("/st/mirrors", ["Host: localhost"]).status == 200
    assert h.get("/other/f", ["Host: localhost"]).status == 403
    assert not origin.requests


def test_its_folder_is_hidden(httpd, mirror):
    """mod_dir, mod_speling and mod_include do not reveal what the folder has."""
    h = start(httpd, mirror, STATUS, {"st/.htaccess": DENIED, "st/sub/x": "", "st/index.html": SECRET, "st/hidden-words": "x" * 4321,
                                      "a.shtml": '<!--#fsize virtual="/st/hidden-words" -->'},
              "CheckSpelling On\nCheckBasenameMatch On\nAddOutputFilter INCLUDES .shtml")
    for path in ("/st/hidden-word", "/st/sub"):
        got = h.get(path, ["Host: localhost"])
        assert got.status == 404 and SECRET.encode() not in got.raw, got.raw
    for path in ("/st", "/st/"):
        got = h.get(path, ["Host: localhost"])
        assert got.status == 200 and b"<html" in got.body, got.raw
    assert b"4.2K" not in h.get("/a.shtml", ["Host: localhost"]).body


@pytest.mark.parametrize("status, access", [(401, USER), (403, STATUS.replace("SetH", "Require all denied\nSetH"))])
@pytest.mark.parametrize("page", ["/st/", "/st/mirrors", "/st/metrics"])
def test_page_of_an_error_is_none_of_ours(httpd, mirror, status, access, page):
    """httpd does not check Require again for it."""
    h = start(httpd, mirror, f"{access}ErrorDocument {status} {page}", {})
    got = h.get("/st", ["Host: localhost"])
    assert got.status == status and b"ErrorDocument: must be no page" in got.body, got.raw
    assert (status == 401) == bool(got.header("WWW-Authenticate"))


def test_mod_dav_does_not_serve_it(httpd, mirror):
    """It takes all methods but GET and POST, whatever SetHandler says; and looks up where a copy goes to. The manager has them back."""
    files = {".htaccess": "<LimitExcept GET POST>\nRequire all denied\n</LimitExcept>\n", "st/.htaccess": DENIED, "st/f": SECRET,
             "src": "x"}
    h = start(httpd, mirror, STATUS, files, "Dav On")
    host = f"Host: localhost:{h.port}"
    for method, path, headers in (("PUT", "/st/new", []), ("PROPFIND", "/st/", ["Depth: 1"]), ("DELETE", "/st/f", []),
                                  ("COPY", "/st/f", [f"Destination: http://localhost:{h.port}/pub"]),
                                  ("COPY", "/src", [f"Destination: http://localhost:{h.port}/st/f"])):
        got = h.request(method, path, [host, *headers], b"x" if method == "PUT" else b"")
        assert got.status == (405 if path.startswith("/st") else 403), (method, got.raw)
    with open(h.path("htdocs/st/f"), encoding="ascii") as f:
        assert f.read() == SECRET
    assert sorted(os.listdir(h.path("htdocs/st"))) == [".htaccess", "f"] and not os.path.exists(h.path("htdocs/pub"))
    assert h.get("/st/mirrors", [host]).status == 200


def test_dav_of_the_document_root_leaves_the_manager_its_methods(httpd, mirror):
    h = start(httpd, mirror, MANAGER.replace('ProxyPass "!"', ""), {}, "Dav On")
    patch(h, {"sample_ratio": 0.5})
    assert h.request("OPTIONS", "/manager/mirrors", ["Host: localhost"]).header("Allow") == ["GET, HEAD, PATCH, DELETE, POST"]
