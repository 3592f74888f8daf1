"""https:// mirrors: whom mod_ssl lets us talk to, by whose directives, and handshakes that go wrong."""
from __future__ import annotations

import pytest

from copies import assert_copy, assert_next_is_intact
from httpdlab import location, scaled, to, wait_for
from marks import needs_threads
from recorder import answer, ok
from tlslab import Authority, TlsRecorder, server, stalling_handshake, strict
from wire import request

DOWN = r"PM\d+: mirror m is down: TLS"
SHORT = f"connect_timeout={int(scaled(500))}ms"


@pytest.fixture
def mirror(https) -> TlsRecorder:
    return https()


@pytest.fixture(scope="module")
def stranger(tmp_path_factory) -> Authority:
    made = Authority(str(tmp_path_factory.mktemp("tls") / "other"))
    made.server = made.issue("server")
    made.client = made.issue("client")
    return made


@pytest.fixture
def proxy(httpd, origin, authority):
    """An httpd whose /o/ is mirrored to a recorder, and that trusts the authority."""
    def make(mirror, attributes="", ssl_lines=None, **options):
        options.setdefault("children", 1)
        conf = strict(authority) if ssl_lines is None else ssl_lines
        return httpd(conf + location("/o/", origin, to(mirror, attributes)), modules=("ssl",), **options)
    return make


def assert_tls_failed(h, mirror, count=1):
    """The first copies end so, and nothing of them gets to the mirror."""
    assert h.get_many(["/o/a"] * count) == [200] * count
    outcomes = h.ended(count)
    assert outcomes["tls_failed"] >= 1
    assert outcomes["tls_failed"] + outcomes.get("unreachable", 0) == count
    assert not mirror.requests
    assert len(h.log_lines(DOWN)) == 1
    assert h.mirror()["state"]["connections"] == 0


# ---- who is who ----

@pytest.mark.smoke
@pytest.mark.valgrind
def test_copy_arrives(proxy, mirror):
    h = proxy(mirror)
    assert h.request("POST", "/o/a?b=c", ["X-A: 1"], b"body").status == 200
    assert_copy(mirror.one(), "POST /o/a?b=c", "X-A: 1", "Content-Length: 4", body=b"body")
    assert h.ended(1) == {"mirrored": 1}
    assert mirror.names == ["localhost"]
    assert h.mirror()["attributes"]["host"] == mirror.url


def test_tls_12(proxy, https, authority):
    mirror = https(server(authority.server, tls12=True))
    h = proxy(mirror)
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert_next_is_intact(h, mirror, mirrored=1)
    assert mirror.shaken == 1


@pytest.mark.smoke
def test_authority_that_is_not_trusted(proxy, https, stranger):
    mirror = https(server(stranger.server))
    h = proxy(mirror, expect=[DOWN])
    assert_tls_failed(h, mirror, 5)
    assert h.mirror()["state"]["down_until"]


def test_verification_is_the_administrators_choice(proxy, https, stranger):
    mirror = https(server(stranger.server))
    h = proxy(mirror, ssl_lines="SSLProxyEngine on\n")
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}


def test_certificate_of_another_name(proxy, https, authority):
    mirror = https(server(authority.issue("elsewhere", "DNS:elsewhere.example")))
    h = proxy(mirror, expect=[DOWN])
    assert_tls_failed(h, mirror)


def test_certificate_of_another_name_is_let_in(proxy, https, authority):
    mirror = https(server(authority.issue("anywhere", "DNS:elsewhere.example")))
    h = proxy(mirror, ssl_lines=strict(authority, "SSLProxyCheckPeerName off"))
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}


def test_certificate_that_has_expired(proxy, https, authority):
    mirror = https(server(authority.issue("expired", expired=True)))
    h = proxy(mirror, expect=[DOWN])
    assert_tls_failed(h, mirror)


def test_protocol_that_the_mirror_does_not_speak(proxy, https, authority):
    mirror = https(server(authority.server, tls12=True))
    h = proxy(mirror, ssl_lines=strict(authority, "SSLProxyProtocol TLSv1.3"), expect=[DOWN])
    assert_tls_failed(h, mirror)


def test_cipher_suite(proxy, https, authority):
    mirror = https(server(authority.server, tls12=True))
    seen = []
    mirror.answer = lambda sock, message: seen.append(sock.cipher()[0]) or ok(sock, message)
    h = proxy(mirror, ssl_lines=strict(authority, "SSLProxyCipherSuite ECDHE-ECDSA-CHACHA20-POLY1305"))
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert seen == ["ECDHE-ECDSA-CHACHA20-POLY1305"]


@pytest.mark.parametrize("tls12", [False, True])
def test_client_certificate_is_given(proxy, https, authority, tls12):
    mirror = https(server(authority.server, clients=authority.path, tls12=tls12))
    seen = []
    mirror.answer = lambda sock, message: seen.append(sock.getpeercert()["subject"]) or ok(sock, message)
    h = proxy(mirror, ssl_lines=strict(authority, f"SSLProxyMachineCertificateFile {authority.client}"))
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert seen == [((("commonName", "client"),),)]


@pytest.mark.parametrize("tls12", [False, True])
@pytest.mark.parametrize("given", [False, True])
def test_client_certificate_that_is_missing_or_wrong(proxy, https, authority, stranger, tls12, given):
    """With TLS 1.3 the handshake is over for us before the mirror says so."""
    mirror = https(server(authority.server, clients=authority.path, tls12=tls12))
    line = f"SSLProxyMachineCertificateFile {stranger.client}" if given else ""
    h = proxy(mirror, ssl_lines=strict(authority, line), expect=[DOWN, "AH02268: .* none are configured"])
    assert_tls_failed(h, mirror, 3)


@pytest.mark.parametrize("tls12", [False, True])
def test_client_certificate_that_is_refused_later(proxy, https, authority, stranger, tls12):
    """The mirror has answered before; so one refusal may be a mischance, but not all of them."""
    mirror = https(server(authority.server, clients=authority.path, tls12=tls12))
    h = proxy(mirror, "keepalive=0 retry=1h",
              ssl_lines=strict(authority, f"SSLProxyMachineCertificateFile {authority.client}"),
              expect=[DOWN, "AH02268: .* none are configured"])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    mirror.context = server(authority.server, clients=stranger.path, tls12=tls12)
    for n in range(2, 5):
        assert h.get("/o/a").status == 200
        h.ended(n)
    wait_for("a line in the log", lambda: h.log_lines(DOWN))
    assert h.outcomes()["mirrored"] == 1 and h.outcomes()["tls_failed"] > 0
    shaken = mirror.connections
    for n in range(5, 10):
        assert h.get("/o/a").status == 200
        h.ended(n)
    assert mirror.connections == shaken                 # no handshake for each
    assert len(h.log_lines(DOWN)) == 1


def test_mirror_that_speaks_no_tls(proxy, recorder):
    mirror = recorder()
    plain = mirror.url
    h = proxy(mirror, expect=[DOWN])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}                # http:// beside SSLProxyEngine is plain
    h.conf = h.conf.replace(plain, f"https://localhost:{mirror.port}")
    h.configure()
    h.graceful()
    mirror.requests.clear()
    assert h.get("/o/a").status == 200
    assert h.ended(2) == {"mirrored": 1, "tls_failed": 1}
    assert not any(message.complete for message in mirror.requests)


def test_up_again(proxy, https, authority, stranger):
    mirror = https(server(stranger.server))
    h = proxy(mirror, f"retry={int(scaled(300))}ms", expect=[DOWN])
    assert_tls_failed(h, mirror)
    mirror.context = server(authority.server)
    wait_for("the end of the pause", lambda: h.mirror()["state"]["down_until"] is None)
    assert_next_is_intact(h, mirror, tls_failed=1)
    assert len(h.log_lines(r"PM\d+: mirror m is up")) == 1


@needs_threads
def test_copies_from_before_do_not_take_the_connection_of_the_probe(proxy, https, origin, authority, stranger):
    """One was let in before the mirror was down, and comes late: a connection is opened for it, which the mirror closes with
    the answer. It has to be the probe's, as while the mirror counts as down none other is opened."""
    mirror = https(server(stranger.server), answer(close=True))
    response, handshake = origin.gate(), mirror.gate()
    origin.answer = lambda sock, message: (message.target != "/early" or response.wait()) and ok(sock, message)
    h = proxy(mirror, f"max_connections=1 retry=0 connect_timeout={int(scaled(5000))}ms", expect=[DOWN])
    with h.client() as client:
        client.send(request("GET", "/o/early", close=False))
        origin.wait(1)
        assert h.get("/o/first").status == 200
        wait_for("a copy that ended", lambda: h.outcomes() == {"tls_failed": 1})
        mirror.context = server(authority.server)
        mirror.context.sni_callback = lambda *_: not handshake.wait() or None
        response.set()
        assert client.answer().status == 200
    mirror.wait_until("a second connection", lambda: mirror.connections == 2)
    assert h.get("/o/probe").status == 200
    wait_for("copies in the queue", lambda: h.mirror()["state"]["queued"] == 2)
    handshake.set()
    assert h.ended(3) == {"tls_failed": 1, "mirrored": 2}
    assert [copy.target for copy in mirror.requests] == ["/o/probe", "/o/early"]
    assert len(h.log_lines(DOWN)) == len(h.log_lines(r"PM\d+: mirror m is up")) == 1


# ---- whose directives ----

def section(url: str, *lines: str, parameters: str = "") -> str:
    return "\n".join([f'<Proxy "{url}"{parameters}>', *lines, "</Proxy>", ""])


@pytest.mark.parametrize("parameters", ["", " timeout=5"])
def test_section_for_the_mirror_wins(proxy, https, authority, stranger, parameters):
    mirror = https(server(stranger.server))
    lines = section(mirror.url, f"SSLProxyCACertificateFile {stranger.path}", parameters=parameters)
    h = proxy(mirror, ssl_lines=strict(authority) + lines + section("https://other.example", "SSLProxyVerify none"))
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}


def test_section_for_another_mirror_does_not(proxy, https, authority, stranger):
    mirror = https(server(stranger.server))
    lines = section("https://other.example", "SSLProxyVerify none") + section(mirror.url, "ProxyAddHeaders off")
    h = proxy(mirror, ssl_lines=strict(authority) + lines, expect=[DOWN])
    assert_tls_failed(h, mirror)


def test_section_alone_switches_it_on(proxy, mirror, authority):
    h = proxy(mirror, ssl_lines=section(mirror.url, *strict(authority).splitlines()))
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}


def test_virtual_hosts_have_their_own(httpd, origin, https, authority, stranger):
    mirrors = [https(), https(server(stranger.server))]
    conf = strict(authority) + "\n".join(
        f"<VirtualHost *>\nServerName {name}\n{lines}\n{location('/o/', origin, to(one, name=name))}</VirtualHost>"
        for name, lines, one in (("one", "", mirrors[0]),
                                 ("two", f"SSLProxyEngine on\nSSLProxyCACertificateFile {stranger.path}", mirrors[1])))
    h = httpd(conf, modules=("ssl",), children=1)
    for name, one in zip(("one", "two"), mirrors):
        assert h.exchange(f"GET /o/a HTTP/1.0\r\nHost: {name}\r\n\r\n".encode()).status == 200
        assert h.ended(1, name) == {"mirrored": 1}
        assert len(one.requests) == 1


REFUSED = r"AH00016: Configuration Failed"
MISSING = r"PM\d+: mirror m \(.*httpd\.conf:\d+\): an https:// mirror requires "


def test_without_the_engine_httpd_does_not_start(proxy, mirror):
    with pytest.raises(AssertionError, match=f"{MISSING}SSLProxyEngine on, in its server or in a <Proxy "
                                             f'"{mirror.url}"> section; httpd does not start'):
        proxy(mirror, ssl_lines="", expect=[MISSING, REFUSED])


def test_without_mod_ssl_httpd_does_not_start(httpd, origin, mirror):
    with pytest.raises(AssertionError, match=f"{MISSING}mod_ssl; LoadModule ssl_module is missing"):
        httpd(location("/o/", origin, to(mirror)), expect=[MISSING, REFUSED])


def test_without_the_engine_a_reload_switches_the_mirror_off(proxy, origin, recorder, mirror):
    plain = recorder()
    h = proxy(plain, ssl_lines="", expect=[MISSING])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    h.conf = location("/o/", origin, to(plain, name="other"), to(mirror))
    h.configure()
    h.graceful()
    assert h.get("/o/a").status == 200
    assert h.ended(1, "other") == {"mirrored": 1}
    assert mirror.connections == 0
    assert "the mirror is off" in h.log_lines(MISSING)[0]


# ---- handshakes that take their time ----

@pytest.mark.smoke
@pytest.mark.parametrize("drip", [False, True])
def test_stall_in_the_handshake(httpd, origin, recorder, mirror, authority, drip):
    """It is given up at connect_timeout, though a byte comes now and then; the other mirror does not notice."""
    stalling, gate = stalling_handshake(recorder, drip)
    h = httpd(strict(authority) + location(
        "/o/", origin, f'ProxyMirror "https://localhost:{stalling.port}" name=stalling {SHORT}', to(mirror)),
        modules=("ssl",), children=1, expect=[r"mirror stalling is down: TLS handshake"])
    assert h.get_many(f"/o/{n}" for n in range(20)) == [200] * 20
    assert h.ended(20) == {"mirrored": 20}
    outcomes = h.ended(20, "stalling")
    assert outcomes.pop("tls_failed") >= 1 and set(outcomes) <= {"unreachable"}
    stalling.wait_until("closed connections", lambda: stalling.open == 0 or gate.set())


def test_stop_during_a_handshake(proxy, recorder, origin):
    """A child that ends waits for it no longer than it drains."""
    gate = None
    stalling = recorder(takeover=lambda sock: gate.wait())
    gate = stalling.gate()
    h = proxy(stalling, "connect_timeout=1h", ssl_lines="SSLProxyEngine on\nProxyMirrorDrainTimeout 300ms\n")
    h.conf = h.conf.replace(stalling.url, f"https://localhost:{stalling.port}")
    h.configure()
    h.graceful()
    assert h.get("/o/a").status == 200
    stalling.wait_until("a connection", lambda: stalling.connections >= 1)
    h.graceful()
    assert h.ended(1) == {"shut_down": 1}
