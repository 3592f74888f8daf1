"""What a copy looks like where a mirror wants it otherwise: path, Host, URI of the backend, changed headers."""
from __future__ import annotations

import re

import pytest

from copies import ADDED, assert_copy
from httpdlab import Httpd, location, to
from wire import request

CLIENT = ["X-Test: one, two", "X-Quoted: \"a,b\", c", "x-case: Mixed", "X-Twice: 1", "X-Twice: 2", "X-Empty:"]


# ---- path ----

PATHS = [
    # attributes, what the client asks for, what the mirror is asked for
    ("path=/p", "/o/a", "/p"),
    ("path=/p", "/o/a?x=1&y=%20", "/p?x=1&y=%20"),
    ("path=/p", "/o/a?", "/p?"),
    ("path=/p?", "/o/a", None),
    ("path=/p/%C3%A4", "/o/%2f", "/p/%C3%A4"),
    ("path=/", "/o/a?b?c", "/?b?c"),
    ("path=/p path_concat_mode=replace", "/o/a", "/p"),
    ("path=/p path_concat_mode=prefix", "/o/a%2Fb//c?x", "/p/o/a%2Fb//c?x"),
    ("path=/p/ path_concat_mode=prefix", "/o/a", "/p//o/a"),
    ("'path=/a b'", "/o/a?x", "/a%20b?x"),
    ("path=/ä", "/o/a", "/ä"),
]


@pytest.mark.parametrize("words, asked, target", [case for case in PATHS if case[2]])
def test_path(httpd, origin, mirror, words, asked, target):
    h = httpd("AllowEncodedSlashes NoDecode\n" + location("/o/", origin, to(mirror, words)))
    assert h.request("POST", asked, [], b"body").status == 200
    assert h.ended(1) == {"mirrored": 1}
    target = target.encode().decode("latin-1")
    assert_copy(mirror.one(), f"POST {target}", "Content-Length: 4", body=b"body")
    assert origin.one().body == b"body" and origin.one().target.partition("?")[2] == asked.partition("?")[2]


@pytest.mark.parametrize("mode", ["replace", "prefix"])
def test_asterisk_has_no_path(httpd, mirror, mode):
    h = httpd(to(mirror, f"path=/p path_concat_mode={mode}"))
    assert h.exchange(b"OPTIONS * HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n").status == 200
    h.wait_idle()
    assert all(copy.start == "OPTIONS * HTTP/1.1" for copy in mirror.requests)


def test_path_of_an_absolute_uri(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, "path=/p path_concat_mode=prefix")))
    assert h.exchange(b"GET http://t/o/a?x HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n").status == 200
    assert_copy(mirror.one(), "GET /p/o/a?x")


# ---- Host ----

def test_host_header(httpd, origin, recorder):
    mirrors = {words: recorder() for words in ("preserve", "target", "other.example:8080", "[::1]", "UPPER")}
    h = httpd(location("/o/", origin, *(to(m, f"host_header={words}", f"m{n}")
                                        for n, (words, m) in enumerate(mirrors.items()))))
    assert h.get("/o/a", ["X-Forwarded-Host: first"]).status == 200
    for n, (words, mirror) in enumerate(mirrors.items()):
        host = {"preserve": "t", "target": f"127.0.0.1:{mirror.port}"}.get(words, words)
        assert h.ended(1, f"m{n}") == {"mirrored": 1}
        assert_copy(mirror.one(), "GET /o/a", f"Host: {host}", "X-Forwarded-Host: first, t",
                    added=tuple(line for line in ADDED if "Forwarded-Host" not in line))


def test_host_header_of_a_request_without_one(httpd, origin, recorder):
    kept, target = recorder(), recorder()
    h = httpd(location("/o/", origin, to(kept, "", "kept"), to(target, "host_header=target", "target")))
    assert h.exchange(b"GET /o/a HTTP/1.0\r\n\r\n").status == 200
    assert kept.one().header("Host") == ["localhost"]
    assert target.one().header("Host") == [f"127.0.0.1:{target.port}"]


# ---- uri=backend ----

def both(mirror) -> str:
    return f"{to(mirror, '', 'client')}\n{to(mirror, 'uri=backend', 'backend')}"


def targets(h: Httpd, mirror) -> dict[str, str]:
    """What the two mirrors were asked for, by the order of their lines: their copies differ in nothing else."""
    h.wait_idle()
    assert len(mirror.requests) == 2
    return [copy.target for copy in mirror.requests]


@pytest.mark.parametrize("asked", ["/o/a", "/o/a?x=1&y", "/o/%41%20b/ü?q=%20", "/o//x//y/", "/o/a/../b?z", "/o/", "/o/a;p=1?"])
def test_uri_of_a_reverse_proxy(httpd, origin, mirror, asked):
    h = httpd(location("/o/", origin, to(mirror, "uri=backend")).replace(f"{origin.url}/", f"{origin.url}/app/"))
    assert h.get(asked).status == 200
    assert mirror.one().target == origin.one().target
    assert origin.one().target.startswith("/app/")


@pytest.mark.parametrize("conf", [
    'ProxyPass "/o/" "{url}/new/" nocanon',
    'ProxyPass "/o/" "{url}/new/" mapping=encoded',
    'ProxyPassMatch "^/o/(.*)$" "{url}/new/$1/tail"',
    "RewriteEngine on\nRewriteRule ^/o/(.*)$ {url}/new/$1?more=1 [P,QSA]",
    '<Location "/o/">\nRewriteEngine on\nRewriteRule (.*) {url}/new/here [P]\n</Location>',
    'RewriteEngine on\nRewriteRule ^/o/(.*)$ /p/$1 [PT]\nProxyPass "/p/" "{url}/new/"',
    '<Proxy "balancer://b">\nBalancerMember "{url}"\n</Proxy>\nProxyPass "/o/" "balancer://b/new/"',
    '<Proxy "balancer://b">\nBalancerMember "{url}"\n</Proxy>\nProxyPass "/o/" "balancer://b/new/" nocanon',
    '<Location "/o/">\nSetHandler "proxy:{url}"\n</Location>',
    '<Proxy "balancer://b">\nBalancerMember "{url}"\n</Proxy>\n<Location "/o/">\nSetHandler "proxy:balancer://b"\n</Location>',
])
@pytest.mark.parametrize("asked", ["/o/a%20b?x=1", "/o/%41%7e%C3%A4%2Fb;c"])
def test_uri_of_what_else_is_proxied(httpd, origin, mirror, conf, asked):
    h = httpd("AllowEncodedSlashes NoDecode\n" + to(mirror, "uri=backend") + "\n" + conf.format(url=origin.url),
              modules=["proxy_balancer", "lbmethod_byrequests", "slotmem_shm"])
    assert h.get(asked).status == 200
    assert mirror.one().target == origin.one().target
    assert_copy(mirror.one(), f"GET {origin.one().target}")


def test_uri_of_a_rewritten_file(httpd, mirror):
    h = httpd(f"{to(mirror, 'uri=backend')}\nRewriteEngine on\nRewriteRule ^/old /index.html?was=%{{REQUEST_URI}} [PT]")
    assert h.get("/old?x=1").body == b"hi\n"
    assert_copy(mirror.one(), "GET /index.html?was=/old")


def test_client_uri_stays_when_rewritten(httpd, origin, mirror):
    h = httpd(f"{both(mirror)}\nRewriteEngine on\nRewriteRule ^/o/(.*)$ {origin.url}/new/$1 [P]")
    assert h.get("/o/%61?x").status == 200
    assert sorted(targets(h, mirror)) == ["/new/a?x", "/o/%61?x"]


def test_path_in_front_of_the_backend_uri(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, "uri=backend path=/p path_concat_mode=prefix", "a"),
                       to(mirror, "uri=backend path=/p", "b")))
    assert h.get("/o/a?x").status == 200
    assert sorted(targets(h, mirror)) == ["/p/a?x", "/p?x"]


# ---- ProxyMirrorHeader ----

# what follows RequestHeader and ProxyMirrorHeader alike
EDITS = [
    "set X-New value", "set X-Test other", "set X-Twice one", 'set X-New "with blanks"', 'set X-New ""', "set X-New: colon",
    "set X-CASE changed", "set User-Agent x",
    "append X-Test three", "append X-New value", "append X-Twice 3", "append X-Empty full",
    "merge X-Test two", "merge X-Test tw", "merge X-Test three", "merge X-New value", 'merge X-Quoted "\\"a,b\\""',
    "merge X-Quoted a", "merge X-Quoted c", "merge X-Twice 2", "merge X-Empty x",
    "add X-Test three", "add X-New value", "add X-Twice 3",
    "unset X-Test", "unset x-twice", "unset X-None", "UNSET X-Test",
    "edit X-Test o 0", "edit X-Test (o)(.) $2$1", "edit X-Twice ^ a", "edit X-None a b", 'edit X-Test "one, " ""',
    "edit X-Test nomatch y", 'edit X-Case "(?i)MIXED" $0$0', "edit X-Test one$ y", 'edit X-Test "," "; "',
    "edit* X-Test o 0", "edit* X-Test ^. -", 'edit* X-Test "[a-z]+" <$0>', "edit* X-Twice [12] n", 'edit* X-Test "e|o" ""',
    "edit* X-Quoted . x", "edit* X-Test (t)(w)o $2-$1",
]


def theirs(message) -> dict[str, list[str]]:
    """The headers by name, without those that a proxy adds to what it forwards, or the module to copies."""
    lines: dict[str, list[str]] = {}
    for name, value in message.headers:
        if not name.lower().startswith(("x-forwarded-", "connection", "host", "x-proxy-mirror")):
            lines.setdefault(name.lower(), []).append(value)
    return lines


@pytest.mark.parametrize("edit", EDITS)
def test_actions_are_those_of_request_header(httpd, origin, mirror, edit):
    h = httpd(location("/changed/", origin, f"RequestHeader {edit}") +
              location("/o/", origin, to(mirror), f"ProxyMirrorHeader {edit}"))
    assert h.get("/changed/a", CLIENT).status == 200
    assert h.get("/o/a", CLIENT).status == 200
    assert h.ended(1) == {"mirrored": 1}
    changed, kept = origin.wait(2)
    assert theirs(mirror.one()) == theirs(changed)
    assert theirs(kept) == {"x-test": ["one, two"], "x-quoted": ['"a,b", c'], "x-case": ["Mixed"], "x-twice": ["1, 2"],
                            "x-empty": [""]}            # httpd itself makes one line of several


def test_primary_sees_nothing_of_it(httpd, origin, mirror, recorder):
    """The same bytes go to the origin, and the same come back, with and without the directives."""
    lines = [to(mirror, "path=/p host_header=target expr=true sample_key=%{REMOTE_ADDR} sample_ratio=0.999999999"),
             "ProxyMirrorHeader set X-Test changed", "ProxyMirrorHeader unset X-Case",
             "ProxyMirrorHeader edit* X-Quoted . x", 'ProxyMirrorHeader add X-New "%{REQUEST_URI}"']
    other = recorder()
    answers = []
    for server, conf in ((origin, lines), (other, [])):
        h = httpd(location("/o/", server, *conf))
        got = h.request("POST", "/o/a?x", CLIENT, b"body")
        answers.append(re.sub(rb"Date: [^\r]*", b"", got.raw))
    assert answers[0] == answers[1]
    assert origin.one().raw.replace(b":%d" % origin.port, b"") == other.one().raw.replace(b":%d" % other.port, b"")
    assert mirror.one().header("X-Test") == ["changed"]


def test_values_are_expressions(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror),
                       'ProxyMirrorHeader set X-Canary "canary %{REQUEST_SCHEME} %{REQUEST_METHOD}"',
                       'ProxyMirrorHeader set X-Hash "%{md5:%{REQUEST_URI}}"',
                       'ProxyMirrorHeader set X-Client "%{HTTP:X-Test}!"',
                       'ProxyMirrorHeader edit X-Test "^(\\w+), (\\w+)$" "$2 %{REQUEST_METHOD} $1 $0"',
                       'ProxyMirrorHeader set X-Plain "100% $ 5 } {"'))
    assert h.get("/o/a", CLIENT).status == 200
    copy = mirror.one()
    assert copy.header("X-Canary") == ["canary http GET"]
    assert re.fullmatch("[0-9a-f]{32}", copy.header("X-Hash")[0])
    assert copy.header("X-Client") == ["one, two!"]
    assert copy.header("X-Test") == ["two GET one one, two"]
    assert copy.header("X-Plain") == ["100% $ 5 } {"]


def test_scopes_add_up(httpd, origin, recorder):
    """The server's changes first, then those of the sections from the outside in; mirrors are replaced, changes are
    not."""
    outer, inner = recorder(), recorder()
    h = httpd("\n".join([
        "ProxyMirrorHeader set X-A server", "ProxyMirrorHeader set X-B server",
        location("/o/", origin, to(outer, name="outer"), "ProxyMirrorHeader append X-A outer"),
        f'<Location "/o/in/">\n{to(inner, name="inner")}\nProxyMirrorHeader append X-A inner\n'
        "ProxyMirrorHeader unset X-B\n</Location>",
        '<Location "/o/in/more/">\nProxyMirrorHeader append X-A more\n</Location>']))
    for path in ("/o/a", "/o/in/a", "/o/in/more/a"):
        assert h.get(path).status == 200
    h.wait_idle()
    assert (outer.one().header("X-A"), outer.one().header("X-B")) == (["server, outer"], ["server"])
    assert {copy.target: (copy.header("X-A"), copy.header("X-B")) for copy in inner.wait(2)} == {
        "/o/in/a": (["server, outer, inner"], []), "/o/in/more/a": (["server, outer, inner, more"], [])}
    assert all(not message.header("X-A") for message in origin.requests)


def test_virtual_host_adds_to_the_main_server(httpd, origin, mirror):
    h = httpd(lambda h: f"""
        ProxyMirrorHeader set X-A main
        {to(mirror)}
        <VirtualHost *:{h.port}>
            ServerName v
            ProxyMirrorHeader append X-A vhost
            ProxyPass "/o/" "{origin.url}/"
        </VirtualHost>""")
    assert h.get("/o/a").status == 200
    assert mirror.one().header("X-A") == ["main, vhost"]


def test_in_an_if(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror), "<If \"-n %{HTTP:X-Test}\">\nProxyMirrorHeader set X-If 1\n</If>"))
    assert h.get("/o/a", CLIENT).status == 200
    assert h.get("/o/a").status == 200
    h.wait_idle()
    assert sorted(copy.header("X-If") for copy in mirror.requests) == [[], ["1"]]


def test_forwarded_headers_can_be_taken_off(httpd, origin, mirror):
    """A mirror need not know who the client is."""
    h = httpd(location("/o/", origin, to(mirror), "ProxyMirrorHeader unset X-Forwarded-For",
                       'ProxyMirrorHeader edit X-Forwarded-Host "^.*$" hidden', "ProxyMirrorHeader append X-Forwarded-Server x"))
    assert h.request("POST", "/o/a", ["X-Forwarded-For: 10.0.0.1"], b"body").status == 200
    assert_copy(mirror.one(), "POST /o/a", "Content-Length: 4", body=b"body",
                added=("X-Forwarded-Host: hidden", "X-Forwarded-Server: localhost, x", "X-Proxy-Mirror: lab"))
    assert origin.one().header("X-Forwarded-For") == ["10.0.0.1, 127.0.0.1"]


def test_several_mirrors_get_the_same_changes(httpd, origin, recorder):
    mirrors = [recorder() for _ in range(3)]
    h = httpd(location("/o/", origin, *(to(m, f"host_header=h{n} copies=2", f"m{n}") for n, m in enumerate(mirrors)),
                       "ProxyMirrorHeader add X-New 1"))
    assert h.get("/o/a").status == 200
    for n, mirror in enumerate(mirrors):
        assert h.ended(2, f"m{n}") == {"mirrored": 2}
        for copy in mirror.requests:
            assert_copy(copy, "GET /o/a", f"Host: h{n}", "X-New: 1")


def test_what_is_put_in_cannot_end_a_line(httpd, origin, mirror):
    """A client that has its bytes decoded into a header gets no header of its own."""
    h = httpd(location("/o/", origin, to(mirror), 'ProxyMirrorHeader set X-New "%{unescape:%{QUERY_STRING}}"'))
    assert h.get("/o/a?a%0d%0aX-Evil:%201%01%7f%09b").status == 200
    copy = mirror.one()
    assert not copy.header("X-Evil")
    assert copy.header("X-New")[0].startswith("a  X-Evil: 1")
    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", copy.header("X-New")[0])


def test_value_that_fails(httpd, origin, mirror):
    """That one change is left out, and told once."""
    h = httpd(location("/o/", origin, to(mirror), 'ProxyMirrorHeader set X-Test "%{file:/no/such/file}"',
                       'ProxyMirrorHeader edit* X-Case . "%{file:/no/such/file}"', "ProxyMirrorHeader set X-New 1"),
              expect=["PM0310"], children=1)
    for _ in range(3):
        assert h.get("/o/a", CLIENT).status == 200
    assert h.ended(3) == {"mirrored": 3}
    for copy in mirror.requests:
        assert (copy.header("X-Test"), copy.header("X-Case"), copy.header("X-New")) == (["one, two"], ["Mixed"], ["1"])
    assert len(h.log_lines("no/such/file")) == len(h.log_lines("PM0310: mirror m: ProxyMirrorHeader: ")) == 1


def test_long_headers(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror), 'ProxyMirrorHeader edit* X-Long . "<$0>"',
                       'ProxyMirrorHeader append X-Long "%{HTTP:X-Long}"'))
    assert h.get("/o/a", ["X-Long: " + "ab" * 3000]).status == 200
    assert mirror.one().header("X-Long") == ["<a><b>" * 3000 + ", " + "ab" * 3000]


def test_request_ids_are_kept(httpd, origin, mirror):
    """Whatever the client, or a module before the handler, has put into the headers."""
    h = httpd(location("/o/", origin, to(mirror), 'RequestHeader set X-Unique-Id "expr=%{reqenv:UNIQUE_ID}"'),
              modules=["unique_id"])
    assert h.get("/o/a", ["X-Request-Id: abc", "traceparent: 00-1-2-01"]).status == 200
    copy, primary = mirror.one(), origin.one()
    for name in ("X-Request-Id", "traceparent", "X-Unique-Id"):
        assert copy.header(name) == primary.header(name) and len(copy.header(name)[0]) > 2


def test_forwarded_headers_are_those_of_the_primary(httpd, origin, mirror):
    for add in ("On", "Off"):
        h = httpd(location("/o/", origin, to(mirror), f"ProxyAddHeaders {add}", "ProxyPreserveHost On"))
        assert h.get("/o/a", ["X-Forwarded-For: 10.0.0.1", "X-Forwarded-Host: x"]).status == 200
        h.wait_idle()
        copy, primary = mirror.requests[-1], origin.requests[-1]
        for name in ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Server", "Host"):
            assert copy.header(name) == primary.header(name)


@pytest.mark.unstarted
@pytest.mark.parametrize("line, message", [
    ("", "action: must be one of set, append, merge, add, unset, edit, edit\\*, got \"\""),
    ("setifempty X-A b", 'action: must be one of .*, got "setifempty"'), ("echo X-A", 'got "echo"'),
    ("set", "set: must have a header name and a value, got 0 of 2"), ("set X-A", "got 1 of 2"),
    ("unset", "unset: must have a header name, got 0 of 1"), ("edit X-A b", "edit: must have .* a replacement, got 2 of 3"),
    ("set X-A b c", 'set: must have a header name and a value, got "c" in addition \\(quote'), ("set X-A b early", 'got "early"'), ("unset X-A b", 'got "b"'),
    ("edit* X-A b c d", r'edit\*: must have .*, got "d" in addition'),
    ('set "X A" b', 'name: must be a header name, got "X A"'), ('set "" b', 'name: .* got ""'), ("set : b", 'got ":"'),
    ('set "X\x01A" b', r'name: .* got "X\\+x01A"'), ('set X-Ä b', "name: must be a header name"),
    *((f"set {name} b", rf"name: must be a header that can be changed .*, got \"{name}\"") for name in (
        "Host", "Content-Length", "transfer-encoding", "Connection", "X-Proxy-Mirror", "Upgrade", "Expect", "TE")),
    ('set X-A "b\x01"', r"value: must be a string expression without control characters, got .* \(it has a control character\)"),
    ('set X-A "b\tc"', "value: .*control character"), ('edit X-A a "b\\nc"', "value: .*an escaped control character"),
    ('set X-A "a\\r\\nEvil: 1"', "value: .*an escaped control character"), ('set X-A "a\\012"', "an escaped control"),
    ('set X-A "%{HTTP:X"', "value: .*Unterminated"), ('set X-A "%{nosuch:x}"', "value: .*nosuch"),
    ('set X-A "a\\\\"', r"value: .*\(it ends with a backslash"), ("set X-A \"%{HTTP:a'b}\"", "value: .*a quote in %{...:...} must"),
    ("edit X-A ( b", r'edit: must be a valid regular expression, got "\("'),
    ("edit* X-A [ b", r'edit: must be a valid regular expression, got "\["'),
])
def test_bad_header(line, message):
    h = Httpd(f"ProxyMirrorHeader {line}")
    try:
        result = h.test_configuration()
        assert result.returncode != 0, result.stderr
        assert re.search(f"ProxyMirrorHeader {message}" if message[0] not in "ga" else message, result.stderr) or \
            re.search(message, result.stderr), result.stderr
        assert "httpd.conf" in result.stderr
    finally:
        h.clean()


def test_several_requests_on_one_connection(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, "path=/p path_concat_mode=prefix"),
                       'ProxyMirrorHeader set X-Uri "%{REQUEST_URI}"'))
    with h.client() as client:
        client.send(b"".join(request("GET", f"/o/{n}", close=False) for n in range(20)))
        assert {client.answer().status for n in range(20)} == {200}
    assert h.ended(20) == {"mirrored": 20}
    assert {copy.target: copy.header("X-Uri") for copy in mirror.requests} == {
        f"/p/o/{n}": [f"/o/{n}"] for n in range(20)}
