"""Which requests are copied: samples, methods, expressions, statuses; and how often: copies."""
from __future__ import annotations

import math
import re

import pytest

from copies import assert_copy
from httpdlab import Httpd, location, to, wait_for
from recorder import Recorder, answer
from wire import chunked, request

N = 10000
ROOMY = "max_queue=100000"


def here(*lines: str) -> str:
    """A <Location> that serves the document root."""
    return "\n".join(['<Location "/index.html">', *(f"    {line}" for line in lines), "</Location>", ""])


def pipelined(h: Httpd, requests: list[bytes], status: int = 200, at_once: int = 100) -> None:
    """Send all of them on one connection, and see that each is answered so."""
    with h.client() as client:
        for start in range(0, len(requests), at_once):
            batch = requests[start:start + at_once]
            client.send(b"".join(batch))
            assert {client.answer().status for _ in batch} == {status}


def gets(count: int, headers=lambda n: ()) -> list[bytes]:
    return [request("GET", f"/index.html?{n}", headers(n), close=False) for n in range(count)]


def assert_share(count: int, total: int, ratio: float) -> None:
    """Four standard deviations of the binomial distribution."""
    assert abs(count - total * ratio) <= 4 * math.sqrt(total * ratio * (1 - ratio)), count


# ---- samples ----

@pytest.mark.parametrize("ratio", ["0.25", "2.5%"])
def test_sampled_share(httpd, mirror, ratio):
    share = float(ratio.rstrip("%")) / (100 if "%" in ratio else 1)
    h = httpd(here(to(mirror, f"sample_ratio={ratio} {ROOMY}")))
    pipelined(h, gets(N))
    outcomes = h.ended(N)
    assert set(outcomes) == {"mirrored", "sampled_out"}
    assert_share(outcomes["mirrored"], N, share)
    copied = [int(copy.target.partition("?")[2]) for copy in mirror.wait(outcomes["mirrored"])]
    assert_share(sum(n < N // 2 for n in copied), N // 2, share)
    assert_share(sum(n % 2 == 0 for n in copied), N // 2, share)


def test_all_and_none(httpd, recorder):
    all_, none = recorder(), recorder()
    h = httpd(here(to(all_, "sample_ratio=100%", "all"), to(none, "sample_ratio=0", "none"),
                   to(none, "sample_ratio=0%", "none2")))
    pipelined(h, gets(100))
    assert h.ended(100, "all") == {"mirrored": 100}
    assert h.ended(100, "none") == h.ended(100, "none2") == {"sampled_out": 100}
    assert none.connections == 0


def test_mirrors_are_sampled_by_themselves(httpd, recorder):
    """What one mirror gets says nothing of what another gets."""
    one, two = recorder(), recorder()
    h = httpd(here(to(one, f"sample_ratio=0.5 {ROOMY}", "one"), to(two, f"sample_ratio=0.5 {ROOMY}", "two")))
    pipelined(h, gets(2000))
    copied = [{copy.target for copy in m.wait(h.ended(2000, name)["mirrored"])}
              for m, name in ((one, "one"), (two, "two"))]
    assert_share(len(copied[0] & copied[1]), 2000, 0.25)


def key_number(key: str) -> int:
    """What the manual says of a key: FNV-1a, then the steps that end splitmix64."""
    n = 0xcbf29ce484222325
    for byte in key.encode():
        n = (n ^ byte) * 0x100000001b3 % 2**64
    n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9 % 2**64
    n = (n ^ n >> 27) * 0x94d049bb133111eb % 2**64
    return n ^ n >> 31


@pytest.mark.long
def test_sticky_share_is_the_same_on_every_node(httpd, recorder):
    """Each of 5000 users comes twice, to two nodes; the users that are in are those that the manual says."""
    keys = [f"user-{n}" for n in range(N // 2)]
    expected = {key for key in keys if key_number(key) < 0.3 * 2**64}
    assert_share(len(expected), len(keys), 0.3)
    for _ in range(2):
        mirror = recorder()
        h = httpd(here(to(mirror, f'sample_ratio=30% sample_key="%{{HTTP:X-User}}" {ROOMY}')))
        pipelined(h, gets(N, lambda n: [f"X-User: {keys[n % len(keys)]}"]))
        assert h.ended(N) == {"mirrored": 2 * len(expected), "sampled_out": N - 2 * len(expected)}
        got = [copy.header("X-User")[0] for copy in mirror.wait(2 * len(expected))]
        assert set(got) == expected


def test_higher_ratio_has_all_of_the_lower_one(httpd, recorder):
    low, high = recorder(), recorder()
    key = 'sample_key="%{HTTP:X-A}/%{HTTP:X-B}"'
    h = httpd(here(to(low, f"sample_ratio=0.2 {key} {ROOMY}", "low"), to(high, f"sample_ratio=0.4 {key} {ROOMY}", "high")))
    pipelined(h, gets(1000, lambda n: [f"X-A: {n}", "X-B: b"]))
    copied = [{copy.target for copy in m.wait(h.ended(1000, name)["mirrored"])}
              for m, name in ((low, "low"), (high, "high"))]
    assert copied[0] < copied[1]


def test_key_that_fails(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, "sample_ratio=0.99999 sample_key=\"%{file:/no/such/file}\"")),
              expect=["PM0310"], children=1)
    assert {h.get("/o/a").status for _ in range(5)} == {200}
    assert h.ended(5) == {"sampled_out": 5}
    assert len(h.log_lines("PM0310: mirror m: sample_key: .*/no/such/file")) == 1
    assert mirror.connections == 0


# ---- methods, expressions ----

def test_methods(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, "methods=GET,PURGE"), f"{to(mirror, name='all')}"))
    for method in ("GET", "POST", "PURGE", "HEAD", "GETS", "GE"):
        assert h.request(method, f"/o/{method}", body=b"" if method == "POST" else None).status == 200
    assert h.ended(6) == {"mirrored": 2, "filtered": 4}
    assert h.ended(6, "all") == {"mirrored": 6}
    assert h.mirror()["attributes"]["methods"] == ["GET", "PURGE"]


def test_method_is_the_clients_after_a_redirect(httpd, mirror):
    """An error document is always got; what the client did was a POST."""
    h = httpd(f"{to(mirror, 'methods=POST')}\nErrorDocument 404 /index.html", expect=["AH00128"])
    assert h.request("POST", "/none", [], b"x").status == 404
    assert h.get("/none").status == 404
    assert h.ended(2) == {"mirrored": 1, "filtered": 1}
    assert_copy(mirror.one(), "POST /none", "Content-Length: 1", body=b"x")


@pytest.mark.parametrize("words", ['"expr=%{HTTP:X-Copy} =~ /^y(es)?$/ && %{REQUEST_URI} =~ m#/a#"',
                                   "expr=\"%{HTTP:X-Copy} -in {'y','yes'} && req('X-Copy') != '' "
                                   "&& %{QUERY_STRING} != \\\"no\\\"\" timeout=5s"])
def test_expression(httpd, origin, mirror, words):
    h = httpd(location("/o/", origin, to(mirror, words)))
    answers = [h.get("/o/a", [f"X-Copy: {value}"]) for value in ("y", "yes", "no", "yess")]
    assert h.ended(4) == {"mirrored": 2, "filtered": 2}
    assert h.get("/o/a").status == 200
    assert h.ended(5) == {"mirrored": 2, "filtered": 3}
    for got in answers:                                     # what is asked of a request is not told to caches
        assert got.status == 200 and not got.header("Vary")


def test_expression_sees_what_request_header_made(httpd, origin, mirror):
    h = httpd(location("/o/", origin, "RequestHeader set X-Copy 1", to(mirror, "\"expr=-n %{HTTP:X-Copy}\"")))
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}


def test_expression_that_fails(httpd, origin, mirror):
    """It counts as not matching, and is told once for each mirror, in the log of one child."""
    h = httpd(location("/o/", origin, to(mirror, "\"expr=file('/no/such/file') == ''\"", "a"),
                       to(mirror, "\"expr=file('/no/such/file') == ''\"", "b"), to(mirror, name="c")),
              expect=["PM0310"], children=1)
    assert {h.get("/o/a").status for _ in range(5)} == {200}
    assert h.ended(5, "a") == h.ended(5, "b") == {"filtered": 5}
    assert h.ended(5, "c") == {"mirrored": 5}
    for name in "ab":
        assert len(h.log_lines(f"PM0310: mirror {name}: expr: .*/no/such/file")) == 1
    assert len(h.log_lines("no/such/file")) == 2


def test_expression_of_the_defaults(httpd, origin, mirror):
    h = httpd('ProxyMirrorDefaults "expr=%{QUERY_STRING} == \'1\'" methods=GET\n' +
              location("/o/", origin, to(mirror), to(mirror, '"expr=%{QUERY_STRING} == \'2\'"', "own")))
    for query in "123":
        assert h.get(f"/o/a?{query}").status == 200
    assert h.ended(3) == h.ended(3, "own") == {"mirrored": 1, "filtered": 2}
    assert sorted(copy.target for copy in mirror.requests) == ["/o/a?1", "/o/a?2"]


def test_first_no_is_the_outcome(httpd, origin, recorder):
    """Disabled, method, expression, sample; and only then whether it would be looped."""
    mirror = recorder()
    lines = [to(mirror, words, name) for name, words in (
        ("disabled", "enabled=off methods=POST sample_ratio=0"), ("method", "methods=POST sample_ratio=0"),
        ("expr", "sample_ratio=0 expr=false"), ("sample", "sample_ratio=0"), ("looped", "expr=true"))]
    h = httpd(location("/o/", origin, *lines))
    assert h.get("/o/a", ["X-Proxy-Mirror: lab"]).status == 200
    assert [h.ended(1, name) for name in ("disabled", "method", "expr", "sample", "looped")] == \
        [{"disabled": 1}, {"filtered": 1}, {"filtered": 1}, {"sampled_out": 1}, {"looped": 1}]
    assert mirror.connections == 0


def test_foreign_id_changes_nothing(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror)))
    assert h.get("/o/a", ["X-Proxy-Mirror: someone, else"]).status == 200
    assert mirror.one().header("X-Proxy-Mirror") == ["someone, else, lab"]
    assert origin.one().header("X-Proxy-Mirror") == ["someone, else"]


# ---- what the client was answered with ----

def test_status(httpd, origin, mirror):
    origin.answer = lambda sock, message: answer(f"{message.target[1:]} Why")(sock, message)
    h = httpd(location("/o/", origin, to(mirror, "status=2xx,404"), to(mirror, name="all")))
    for status in (200, 201, 299, 302, 404, 403, 405, 500, 503):
        assert h.request("POST", f"/o/{status}", [], b"body").status == status
    assert h.ended(9) == {"mirrored": 4, "filtered": 5}
    assert h.ended(9, "all") == {"mirrored": 9}
    assert h.mirror()["attributes"]["status"] == ["2xx", "404"]
    assert h.mirror()["state"]["bytes"] == 0


def test_status_is_what_the_client_got(httpd, origin, mirror):
    """After ErrorDocument and ProxyErrorOverride, whatever some request in between had."""
    h = httpd(f"{to(mirror, 'status=404,502', 'bad')}\n{to(mirror, 'status=2xx', 'good')}\n"
              f"{location('/o/', origin)}\nErrorDocument 404 /index.html\n"
              f'<Location "/new/">\nErrorDocument 404 /o/sorry\n</Location>\n'
              f'<Location "/down/">\nProxyPass "http://127.0.0.1:{mirror.port}/"\n</Location>',
              expect=["AH00128", r"\[proxy\w*:error\]"])
    assert h.get("/none").status == 404                     # a local document keeps the status
    assert h.get("/new/none").status == 200                 # mod_proxy takes over that of the document
    assert h.get("/index.html").status == 200
    assert h.ended(3, "bad") == {"mirrored": 1, "filtered": 2}
    assert h.ended(3, "good") == {"mirrored": 2, "filtered": 1}


def test_status_is_known_before_the_body_is(httpd, origin, mirror):
    """An answer that comes before the body: what is unwanted then is dropped at once."""
    origin.answer = answer("403 No")
    h = httpd(location("/o/", origin, to(mirror, "status=2xx")))
    body = chunked(b"x" * 1000, b"y" * 1000)
    got = h.exchange(b"POST /o/a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + body)
    assert got.status == 403
    assert h.ended(1) == {"filtered": 1}
    assert mirror.connections == 0


# ---- copies ----

def test_copies(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, "copies=5"), to(mirror, name="one")) +
              'LogFormat "%{PROXY_MIRROR}e" mirrored\nCustomLog logs/mirrored mirrored\n')
    assert h.request("POST", "/o/a", [], b"body").status == 200
    assert h.ended(5) == {"mirrored": 5}
    assert h.ended(1, "one") == {"mirrored": 1}
    for copy in mirror.wait(6):
        assert_copy(copy, "POST /o/a", "Content-Length: 4", body=b"body")
    assert len(origin.requests) == 1
    wait_for("the log", lambda: "captured,captured" in h.read("logs/mirrored").splitlines())


def test_copies_end_each_by_itself(httpd, origin, mirror):
    """Room for two of three: one is refused, and the request counts as captured."""
    gate = mirror.hold()
    h = httpd(location("/o/", origin, to(mirror, "copies=3 max_connections=1 max_queue=1")) +
              'LogFormat "%{PROXY_MIRROR}e" mirrored\nCustomLog logs/mirrored mirrored\n', expect=["PM0420"])
    assert h.get("/o/a").status == 200
    mirror.wait(1)
    assert h.outcomes() == {"queue_full": 1}
    gate.set()
    assert h.ended(3) == {"mirrored": 2, "queue_full": 1}
    wait_for("the log", lambda: "captured" in h.read("logs/mirrored").splitlines())


def test_copies_of_what_is_not_copied(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, "copies=100 methods=POST")))
    assert h.get("/o/a").status == 200
    assert h.ended(100) == {"filtered": 100}


def test_copies_have_their_own_places_in_the_limit(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, "copies=3 enable_limit_count=true count=4 time_window=3600")))
    for _ in range(2):
        assert h.get("/o/a").status == 200
    assert h.ended(6) == {"mirrored": 4, "limited": 2}


def test_copies_are_sampled_together(httpd, mirror):
    h = httpd(here(to(mirror, f"copies=2 sample_ratio=0.5 {ROOMY}")))
    pipelined(h, gets(200))
    outcomes = h.ended(400)
    assert outcomes["mirrored"] % 2 == 0
    targets = [copy.target for copy in mirror.wait(outcomes["mirrored"])]
    assert all(targets.count(target) == 2 for target in targets)


# ---- the configuration ----

def test_attributes_as_json(httpd, mirror: Recorder):
    h = httpd(here(to(mirror, "sample_ratio=12.5% 'sample_key=%{REMOTE_ADDR}' methods=GET,POST status=2xx,404 copies=2 "
                              "path=/p path_concat_mode=prefix host_header=target uri=backend expr=true")))
    assert h.mirror()["attributes"].items() >= {
        "sample_ratio": 0.125, "sample_key": "%{REMOTE_ADDR}", "methods": ["GET", "POST"], "status": ["2xx", "404"],
        "copies": 2, "path": "/p", "path_concat_mode": "prefix", "host_header": "target", "uri": "backend",
        "expr": "true"}.items()


def message_of(line: str) -> str:
    """What `httpd -t` says of a configuration with this line, which it has to refuse."""
    h = Httpd(line)
    try:
        result = h.test_configuration()
        assert result.returncode != 0, f"{line}: accepted\n{result.stderr}"
        return result.stderr + result.stdout
    finally:
        h.clean()


URL = 'ProxyMirror "http://127.0.0.1:9"'


@pytest.mark.unstarted
@pytest.mark.parametrize("line, message", [
    *((f"{URL} sample_ratio={value}", rf"sample_ratio: must be a number from 0 to 1 .*, got {shown}") for value, shown in (
        ("-0.1", "-0.1"), ("1.1", "1.1"), ("101%", '"101%"'), ("1.0000001", "1.0000001"), ("x", '"x"'), ("%", '"%"'),
        ("50%%", '"50%%"'), ("1e-1", "1e-1"), ("0x1", '"0x1"'), ("", '""'), (".", '"."'), ("nan", '"nan"'),
        ("0.00000000001", r"0.00000000001 \(it is not 0 but rounds to 0\)"))),
    (URL + ' "expr=%{HTTP:X} =="', r"expr: must be an expression, got \"%{HTTP:X} ==\" \(syntax error"),
    (f'{URL} expr=', r'expr: must be an expression of 1 to 4096 characters, got ""'),
    (f'ProxyMirrorDefaults "expr=nosuch(1)"', r"ProxyMirrorDefaults expr: must be an expression"),
    (f'{URL} sample_ratio=.5 "sample_key=%{{nosuch:x}}"', r"sample_key: must be a string expression, got .*nosuch"),
    (f"{URL} methods=", r'methods: must be a list of methods in upper case, such as GET,POST, got ""'),
    (f"{URL} methods=GET,,POST", r'methods: .*, got "GET,,POST" \(an item is empty'),
    (f"{URL} methods=get", r'methods: .*, got "get" \(methods are case-sensitive'),
    (f"{URL} methods=TRACE", r"methods: .*never copied"),
    (f"{URL} 'methods=GET /'", r"methods: must be .*, got"),
    (f"{URL} path=x", r'path: must be a path that starts with /, got "x"'),
    (f"{URL} path=", r'path: must be a path that starts with /, got ""'),
    (f"{URL} path=/a?b", r"path: .* got \"/a\?b\" \(it has a query"),
    (f"{URL} path=/a#b", r"path: .* \(it has a fragment"),
    (f"{URL} path=/a path_concat_mode=suffix", r'path_concat_mode: must be replace or prefix, got "suffix"'),
    (f"{URL} 'host_header=a b'", r"host_header: must be preserve, target, or a host .* got \"a b\""),
    (f"{URL} host_header=a:0", r"host_header: .*the port is out of range"),
    (f"{URL} host_header=a/b", r"host_header: .*it has a path"),
    (f"{URL} uri=both", r'uri: must be client or backend, got "both"'),
    (f"{URL} status=", r'status: must be a list of statuses from 200 to 599, such as 2xx,404, got ""'),
    *((f"{URL} status={value}", rf'status: must be .*, got "{value}"')
      for value in ("2XX", "1xx", "600", "99", "2x", "2x4", "200,6xx", "20", "2000")),
    (f"{URL} status=200 when=request", r"status: must be used with when=response, got when=request"),
    *((f"{URL} copies={value}", rf"copies: must be an integer from 1 to 100, got {value}") for value in (0, 101, 1.5)),
])
def test_bad_configuration(line, message):
    said = message_of(line)
    assert re.search(message, said), said
    assert "httpd.conf" in said


@pytest.mark.unstarted
@pytest.mark.parametrize("words, warning", [
    ("path_concat_mode=prefix", "path_concat_mode: has no effect without path"),
    ("sample_key=%{REMOTE_ADDR}", "sample_key: has no effect without sample_ratio"),
])
def test_attribute_without_effect(words, warning):
    h = Httpd(f"{URL} {words}")
    try:
        result = h.test_configuration()
        assert result.returncode == 0 and f"ProxyMirror {warning}" in result.stderr, result.stderr
    finally:
        h.clean()
