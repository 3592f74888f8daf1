"""Responses of manager and status are never compressed: neither the nonce's length nor the ETag may depend on it."""
from __future__ import annotations

import pytest

from httpdlab import Httpd, to
from managerlab import FORM, JSON, MANAGER, call, changed, refused

TYPES = "text/html text/css text/plain text/javascript application/json image/svg+xml"
PATHS = ["", "/", "/mirrors", "/mirrors/m", "/metrics", "/page.css", "/page.js", "/page_chart.js", "/page.svg", "/none", "/mirrors/none"]
ACCEPT = "Accept-Encoding: gzip, deflate, br"


@pytest.mark.parametrize("directive", ["SetOutputFilter {0}", "AddOutputFilterByType {0} " + TYPES,
                                       "FilterDeclare F\nFilterProvider F {0} true\nFilterChain F", "SetEnv force-gzip 1\nSetOutputFilter {0}"])
@pytest.mark.parametrize("filter_, module, coding", [("DEFLATE", "deflate", "gzip"), ("BROTLI_COMPRESS", "brotli", "br")])
def test_never_compressed(httpd, mirror, directive, filter_, module, coding):
    def conf(h: Httpd) -> str:
        h.write("htdocs/long.html", "long " * 1000)
        return f'{MANAGER}<Location "/">\n{directive.format(filter_)}\nForceType text/html\n</Location>\n{to(mirror)}'
    h = httpd(conf, modules=["filter", module])
    assert h.get("/long.html", [ACCEPT]).header("Content-Encoding") == [coding]
    for path in PATHS:
        for location in ("/manager", "/mirror-status"):
            got = h.get(location + path, [ACCEPT])
            assert got.status in (200, 404) and not got.header("Content-Encoding"), (path, got)
    assert h.get("/manager", [ACCEPT, "Host: evil.example.com"]).header("Content-Encoding") == []
    etag = call(h, "GET", "m", None, [ACCEPT]).header("ETag")[0]
    got = call(h, "PATCH", "m", {"count": 2}, [JSON, ACCEPT, f"If-Match: {etag}"])
    assert changed(got)["attributes"]["count"] == 2
    refused(call(h, "PATCH", "m", {"count": 3}, [JSON, ACCEPT, f"If-Match: {etag}"]), 412)
    changed(call(h, "PATCH", "m", {"count": 3}, [JSON, ACCEPT, f"If-Match: {got.header('ETag')[0]}"]))
    got = call(h, "POST", "m", b"count=2", [FORM, "Accept: text/html", ACCEPT])
    assert got.status == 403 and b"<html" in got.body and not got.header("Content-Encoding")
