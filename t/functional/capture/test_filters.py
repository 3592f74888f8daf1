"""The filters of the module cannot be named in a configuration: whoever writes an .htaccess file may name any filter that
httpd knows of, and httpd then calls it without what the module gives it."""
from __future__ import annotations

import pytest

from httpdlab import location, to

NAMES = ("BODY", "REPLAY", "RESPONSE", "PRIMARY", "TLS_IN", "TLS_OUT")
UNKNOWN = ["AH00082"]       # an unknown filter was not added

WAYS = {
    "SetInputFilter {name}": 200,
    "SetOutputFilter {name}": 200,
    "SetInputFilter {name};{name}\nSetOutputFilter {name};{name}": 200,
    "AddInputFilter {name} html": 200,
    "AddOutputFilter {name} html": 200,
    "AddOutputFilterByType {name} text/html": 500,          # mod_filter refuses the file: there is no such provider
    "FilterProvider own {name} \"true\"\nFilterChain own": 500,
    "FilterDeclare {name}\nFilterProvider {name} {name} \"true\"\nFilterChain {name}": 500,
    "FilterChain {name}": 200,
}


@pytest.mark.parametrize("way", WAYS)
def test_filters_cannot_be_named(httpd, mirror, way):
    """No request for the files of an author of .htaccess files ends a child."""
    h = httpd(lambda h: f'''
        {to(mirror)}
        TypesConfig /dev/null
        AddType text/html html
        <Directory "{h.root}/htdocs">
            AllowOverride All
        </Directory>''', modules=["mime", "filter"], expect=[*UNKNOWN, r"Unknown filter|filter provider"])
    pids = set(h.pids())
    for name in [f"PROXY_MIRROR_{name}" for name in NAMES] + [f"proxy_mirror_{name.lower()}" for name in NAMES]:
        h.folder(f"htdocs/{name}")
        h.write(f"htdocs/{name}/index.html", "hi\n")
        h.write(f"htdocs/{name}/.htaccess", way.format(name=name) + "\n")
        for method, body in (("GET", None), ("POST", b"x" * 100), ("HEAD", None), ("POST", b"y" * 70000)):
            got = h.request(method, f"/{name}/index.html", [], body)
            assert got.status == WAYS[way], (name, method, got.raw)
    assert set(h.pids()) == pids
    h.wait_idle()
    assert set(h.outcomes()) <= {"mirrored"}


@pytest.mark.parametrize("name", NAMES)
def test_filters_cannot_be_named_for_a_proxied_path(httpd, origin, mirror, name):
    """Nor by the server's own configuration."""
    h = httpd(location("/o/", origin, to(mirror), f"SetInputFilter PROXY_MIRROR_{name}",
                       f"SetOutputFilter PROXY_MIRROR_{name}"), expect=UNKNOWN)
    assert h.request("POST", "/o/a", [], b"x" * 100).status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert origin.one().body == mirror.one().body == b"x" * 100
