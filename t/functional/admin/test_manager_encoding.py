"""What is in the configuration in another encoding: JSON is UTF-8 always."""
from __future__ import annotations

import json

import pytest

from httpdlab import Httpd, to
from managerlab import MANAGER, patch


def latin(h: Httpd, text: bytes) -> str:
    """A part of the configuration with these bytes."""
    with open(h.path("latin.conf"), "wb") as f:
        f.write(text + b"\n")
    return f'Include "{h.root}/latin.conf"\n'


def check(h: Httpd) -> list[dict]:
    """All that is JSON can be read as such; the mirrors."""
    for path in ("/manager/mirrors/m", "/manager/mirrors/none%ff", "/manager/%c0%af", "/manager/mirrors/%ed%a0%80"):
        json.loads(h.get(path).body.decode())
    h.get("/manager").body.decode("latin-1")
    return json.loads(h.get("/manager/mirrors").body.decode())["mirrors"]


@pytest.mark.parametrize("attribute", [
    b"path=/caf\xe9", b"path=/\xc0\xaf", b"path=/\xed\xa0\x80", b"path=/\xf4\x90\x80\x80", b"path=/\xe2\x82",
    b'"expr=%{REQUEST_URI} =~ m#caf\xe9#"', b'"sample_key=\xe9"', b"host_header=\xe9.example.com", b"redis_username=\xe9",
    b"redis_key_prefix=\xe9", b"redis_cluster_name=\xe9", b"redis_host=\xe9"])
@pytest.mark.unstarted
def test_attributes_are_utf8(attribute):
    for line in (b'ProxyMirror "http://127.0.0.1:1" name=m ' + attribute, b"ProxyMirrorDefaults " + attribute):
        server = Httpd(lambda h, line=line: latin(h, line))
        try:
            said = server.test_configuration()
        finally:
            server.clean()
        assert said.returncode == 1
        name = attribute.strip(b'"').split(b"=")[0].decode()
        assert f" {name}: " in said.stderr and "(it is not UTF-8; write other bytes as %XX in a path, or as escape sequences in" in said.stderr
        assert "\\xe" in said.stderr or "\\xc0" in said.stderr or "\\xf4" in said.stderr


def test_other_ways_to_write_them(httpd, origin, mirror):
    """As the message says; and UTF-8 itself is all right."""
    h = httpd(f'{MANAGER}<Location "/o">\nProxyPass "{origin.url}/o"\n'
              + to(mirror, 'path=/caf%e9 "expr=%{REQUEST_URI} =~ m#/caf\\xe9$#"') + "\n" + to(mirror, "path=/café", "n") + "\n</Location>")
    assert h.get("/o/caf%E9").status == h.get("/o/cafe").status == 200
    assert h.ended(2) == {"mirrored": 1, "filtered": 1}
    assert h.ended(2, "n") == {"mirrored": 2}
    mirror.wait(3)
    assert {copy.target for copy in mirror.requests} >= {"/caf%e9"}
    one, other = check(h)
    assert one["attributes"]["path"] == "/caf%e9" and other["attributes"]["path"] == "/café"
    assert patch(h, {"path": "/naïve"}, "n")["attributes"]["path"] == "/naïve"


def test_what_is_no_attribute_is_shown_without_other_bytes(httpd, mirror):
    """A section's path cannot be set, so that nothing is lost; a password is never shown."""
    h = httpd(lambda h: MANAGER + latin(h, b'<Location "/caf\xe9">\n' + to(
        mirror, "enable_limit_count=false policy=redis redis_host=127.0.0.1").encode() + b" redis_password=s\xe9cret\n</Location>"))
    (one,) = check(h)
    assert one["scope"] == "/caf?" and one["attributes"]["redis_password"] == "***"
    assert patch(h, {"count": 2})["attributes"]["redis_password"] == "***"
