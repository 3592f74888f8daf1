"""limit_count in Redis over TLS: by whose directives, whom it lets in, one deadline, and what must not be left open."""
from __future__ import annotations

import os
import time

import pytest

from httpdlab import Httpd, get_until, location, scaled, to, wait_for
from recorder import Recorder
from redislab import Cluster, needs_redis, redis, wrk_until_limited  # noqa: F401, the fixture
from tlslab import Authority, stalling_handshake, strict

pytestmark = needs_redis

KEY = "proxy-mirror:v1:m"
DOWN = r"PM0600: mirror m: "
SHAKE = DOWN + r"the limit cannot be checked: Redis localhost:\d+: TLS handshake"


def attributes(port: int, more: str = "", host: str = "localhost") -> str:
    return f"enable_limit_count=true policy=redis redis_ssl=true redis_host={host} redis_port={port} {more}"


@pytest.fixture
def server(redis, authority):
    """Makes Redis servers that speak TLS, and by default want no certificate of ours."""
    def make(*options: str, pem: str | None = None, clients: str = "no", **named):
        pem = pem or authority.server
        return redis("--tls-cert-file", pem, "--tls-key-file", pem, "--tls-ca-cert-file", authority.path,
                     "--tls-auth-clients", clients, *options, tls=True, **named)
    return make


@pytest.fixture(scope="module")
def stranger(tmp_path_factory) -> Authority:
    made = Authority(str(tmp_path_factory.mktemp("tls") / "other"))
    made.server = made.issue("server")
    return made


@pytest.fixture
def proxy(httpd, origin, mirror, authority):
    """An httpd whose /o/ is mirrored with a limit, and that trusts the authority."""
    def make(line: str, ssl_lines: str | None = None, modules: tuple[str, ...] = ("ssl",), **options) -> Httpd:
        options.setdefault("children", 1)
        conf = strict(authority) if ssl_lines is None else ssl_lines
        return httpd(conf + location("/o/", origin, to(mirror, line)), modules=modules, **options)
    return make


def limit(h: Httpd) -> dict:
    return h.mirror()["state"]["limit"]


def assert_not_asked(h: Httpd, mirror: Recorder, pattern: str = SHAKE) -> None:
    """Redis is not asked, nothing leaves, and the log says it once."""
    assert h.get_many(["/o/a"] * 3) == [200] * 3
    assert h.ended(3) == {"limit_failed": 3}
    assert not mirror.requests
    assert len(h.log_lines(DOWN)) == len(h.log_lines(pattern)) == 1


# ---- counting ----

@pytest.mark.smoke
@pytest.mark.valgrind
def test_no_more_than_count_leave(proxy, mirror, server):
    redis = server()
    h = proxy(attributes(redis.port, "count=2 limit_fallback=drop redis_timeout=60000"))
    h.get_many(["/o/a"] * 7)
    assert h.ended(7) == {"mirrored": 2, "limited": 5}
    assert redis.used(KEY) == 2
    assert 0 < redis("PTTL", KEY) <= 60000
    assert limit(h)["used"] == 2 and limit(h)["closed_until"] and not limit(h)["fallback"]
    assert h.mirror()["attributes"]["redis_ssl"] is True


def test_one_handshake_for_many_questions(proxy, mirror, server):
    redis = server()
    h = proxy(attributes(redis.port, "count=100000 limit_fallback=drop redis_timeout=60000"))
    for n in range(1, 31):
        h.get("/o/a")
        assert h.ended(n) == {"mirrored": n}
    assert redis.calls("evalsha") >= 30
    assert len(redis.clients()) == 1
    assert redis.used(KEY) == 30


@pytest.mark.long
def test_exactly_count_over_two_httpds_with_four_children(proxy, mirror, server):
    redis = server()
    both = [proxy(attributes(redis.port, "count=2000 max_queue=100000 limit_fallback=drop redis_timeout=10000"),
                  children=4) for _ in range(2)]
    wrk_until_limited(*both)
    assert sum(h.outcomes().get("mirrored", 0) for h in both) == 2000
    assert all(set(h.outcomes()) <= {"mirrored", "limited"} for h in both)
    assert len(mirror.requests) == redis.used(KEY) == 2000


@pytest.mark.parametrize("tls12", [False, True])
def test_logging_in(proxy, server, tls12):
    redis = server("--user", "mirror", "on", ">hunter2", "~*", "+@all",
                   *(["--tls-protocols", "TLSv1.2"] if tls12 else []))
    h = proxy(attributes(redis.port, "redis_username=mirror redis_password=hunter2 redis_database=3 "
                                     "limit_fallback=drop"))
    h.get_many(["/o/a"] * 3)
    assert h.ended(3) == {"mirrored": 1, "limited": 2}
    assert [" user=mirror " in line and " db=3 " in line for line in redis.clients()] == [True]
    assert "hunter2" not in h.log()


def test_another_limit_with_and_without_tls(httpd, origin, mirror, authority, server):
    """They differ in redis_ssl alone, and the key is the same: each has its connection, and both count in it."""
    redis = server(plain=True)
    lines = "redis_host=localhost enable_limit_count=true policy=redis count=4 limit_fallback=drop"
    conf = strict(authority) + location("/o/", origin, to(mirror, f"{lines} redis_ssl=true redis_port={redis.port}"))
    h = httpd(conf, modules=("ssl",), children=1)
    h.get("/o/a")
    assert h.ended(1) == {"mirrored": 1}
    h.conf = conf.replace("redis_ssl=true", "redis_ssl=false").replace(f"={redis.port}", f"={redis.plain_port}")
    h.configure()
    h.graceful()
    h.get_many(["/o/a"] * 5)
    assert h.ended(6) == {"mirrored": 4, "limited": 2}
    assert redis.used(KEY) == 4


def test_a_connection_that_redis_closed_is_made_anew_without_a_fallback(proxy, server):
    redis = server()
    h = proxy(attributes(redis.port, "count=100 limit_fallback=drop"))
    for n in range(1, 4):
        h.get("/o/a")
        assert h.ended(n) == {"mirrored": n}
        redis("CLIENT", "KILL", "TYPE", "normal")
    assert not h.log_lines("PM0600")
    assert redis.used(KEY) == 3


def test_redis_is_killed_and_counts_again_when_it_is_back(proxy, server):
    redis = server()
    h = proxy(attributes(redis.port, "count=100000"), expect=[DOWN])

    get_until(h, "counting", lambda: redis.used(KEY) > 0)
    redis.kill()
    get_until(h, "the fallback", lambda: limit(h)["fallback"])
    redis.start()
    get_until(h, "counting there again", lambda: redis.used(KEY) > 0)
    get_until(h, "the end of the fallback", lambda: not limit(h)["fallback"])
    assert len(h.log_lines("PM0600")) == len(h.log_lines("PM0601")) == 1


# ---- who is who ----

def test_client_certificate_is_given(proxy, authority, server):
    redis = server(clients="yes", pem=authority.server, client=authority.client)
    h = proxy(attributes(redis.port, "limit_fallback=drop"),
              ssl_lines=strict(authority, f"SSLProxyMachineCertificateFile {authority.client}"))
    h.get_many(["/o/a"] * 2)
    assert h.ended(2) == {"mirrored": 1, "limited": 1}


def test_client_certificate_that_is_missing(proxy, mirror, authority, server):
    """With TLS 1.3 Redis says so after the handshake."""
    redis = server(clients="yes", client=authority.client)
    h = proxy(attributes(redis.port, "limit_fallback=drop"), expect=[DOWN, "AH02268: .* none are configured"])
    assert_not_asked(h, mirror, DOWN)


@pytest.mark.smoke
def test_authority_that_is_not_trusted(proxy, mirror, stranger, server):
    redis = server(pem=stranger.server)
    h = proxy(attributes(redis.port, "limit_fallback=drop redis_password=hunter2"), expect=[DOWN])
    assert_not_asked(h, mirror)
    assert redis.calls("auth") == 0


def test_verification_is_the_administrators_choice(proxy, stranger, server):
    redis = server(pem=stranger.server)
    h = proxy(attributes(redis.port, "limit_fallback=drop"), ssl_lines="SSLProxyEngine on\n")
    h.get_many(["/o/a"] * 2)
    assert h.ended(2) == {"mirrored": 1, "limited": 1}


def test_certificate_of_another_name(proxy, mirror, authority, server):
    redis = server(pem=authority.issue("another", "DNS:elsewhere.example"))
    h = proxy(attributes(redis.port, "limit_fallback=drop"), expect=[DOWN])
    assert_not_asked(h, mirror)


def test_certificate_that_has_expired(proxy, mirror, authority, server):
    redis = server(pem=authority.issue("old", expired=True))
    h = proxy(attributes(redis.port, "limit_fallback=drop"), expect=[DOWN])
    assert_not_asked(h, mirror)


def test_name_that_is_asked_for(proxy, mirror, https):
    """The node's host is in the handshake (SNI)."""
    node = https(takeover=lambda sock: sock.recv(65536) and sock.sendall(b"*3\r\n:1\r\n:1\r\n:1000\r\n"))
    h = proxy(attributes(node.port, "limit_fallback=drop"))
    h.get("/o/a")
    assert h.ended(1) == {"mirrored": 1}
    assert node.names == ["localhost"]


def test_plain_port(proxy, mirror, redis):
    """TLS to a Redis that speaks none, and none to one that does."""
    plain = redis()
    h = proxy(attributes(plain.port, "limit_fallback=drop"), expect=[DOWN])
    assert_not_asked(h, mirror)
    assert plain.used(KEY) == 0


def test_no_tls_to_a_port_that_speaks_it(proxy, mirror, server):
    redis = server()
    h = proxy(attributes(redis.port, "limit_fallback=drop").replace("redis_ssl=true", "redis_ssl=false"),
              expect=[DOWN])
    assert_not_asked(h, mirror, DOWN)
    assert redis.used(KEY) == 0


# ---- whose directives ----

def section(url: str, *lines: str) -> str:
    return "\n".join([f'<Proxy "{url}">', *lines, "</Proxy>", ""])


def test_section_for_the_server_wins(proxy, authority, stranger, server):
    redis = server(pem=stranger.server)
    lines = section(f"rediss://localhost:{redis.port}", f"SSLProxyCACertificateFile {stranger.path}")
    h = proxy(attributes(redis.port, "limit_fallback=drop"), ssl_lines=strict(authority) + lines)
    h.get_many(["/o/a"] * 2)
    assert h.ended(2) == {"mirrored": 1, "limited": 1}


def test_section_alone_switches_it_on(proxy, authority, server):
    redis = server()
    lines = section("rediss://*", *strict(authority).splitlines())
    h = proxy(attributes(redis.port, "limit_fallback=drop"), ssl_lines=lines)
    h.get_many(["/o/a"] * 2)
    assert h.ended(2) == {"mirrored": 1, "limited": 1}


REFUSED = r"AH00016: Configuration Failed"
MISSING = r"PM0700: mirror m \(.*httpd\.conf:\d+\): redis_ssl=true requires "
CLUSTER = ("enable_limit_count=true policy=redis-cluster redis_ssl=true redis_cluster_name=c "
           "redis_cluster_nodes=localhost:6379,localhost:6380")


@pytest.mark.parametrize("line", [attributes(6379), CLUSTER])
def test_without_the_engine_httpd_does_not_start(proxy, line):
    with pytest.raises(AssertionError, match=f"{MISSING}SSLProxyEngine on, in its server or in a <Proxy "
                                             '"rediss://localhost:6379"> section; httpd does not start'):
        proxy(line, ssl_lines="", expect=[MISSING, REFUSED])


@pytest.mark.parametrize("line", [attributes(6379), CLUSTER])
def test_without_mod_ssl_httpd_does_not_start(proxy, line):
    with pytest.raises(AssertionError, match=f"{MISSING}mod_ssl; LoadModule ssl_module is missing"):
        proxy(line, ssl_lines="", modules=(), expect=[MISSING, REFUSED])


def test_without_the_engine_a_reload_switches_the_mirror_off(proxy, origin, mirror):
    h = proxy("", ssl_lines="", expect=[MISSING])
    h.get("/o/a")
    assert h.ended(1) == {"mirrored": 1}
    h.conf = location("/o/", origin, to(mirror, name="other"), to(mirror, attributes(6379)))
    h.configure()
    h.graceful()
    h.get("/o/a")
    assert h.ended(1, "other") == {"mirrored": 1}
    assert "the mirror is off" in h.log_lines(MISSING)[0]
    assert len(mirror.requests) == 2


def test_without_a_limit_nothing_is_needed(proxy):
    h = proxy("redis_ssl=true", ssl_lines="", modules=(), expect=["redis_ssl: has no effect without "])
    h.get("/o/a")
    assert h.ended(1) == {"mirrored": 1}
    assert h.log_lines("redis_ssl: has no effect without policy=redis")


# ---- time ----

@pytest.mark.smoke
@pytest.mark.parametrize("drip", [False, True])
def test_stall_in_the_handshake(proxy, mirror, recorder, drip):
    """One deadline for all, though a byte comes now and then; clients do not wait."""
    stalling, gate = stalling_handshake(recorder, drip)
    patience = scaled(1.5)
    h = proxy(attributes(stalling.port, f"limit_fallback=drop redis_timeout={int(patience * 1000)}"), expect=[DOWN])
    began = time.monotonic()
    assert h.get("/o/a").status == 200
    assert time.monotonic() - began < patience
    assert h.ended(1) == {"limit_failed": 1}
    assert patience * 0.9 < time.monotonic() - began < patience + scaled(1.5)
    assert h.log_lines(SHAKE)
    stalling.wait_until("a closed connection", lambda: drip or stalling.open == 0 or gate.set())


def test_handshake_and_reply_share_the_deadline(proxy, mirror, https):
    """Each takes most of it; together they take too long."""
    patience = scaled(1.0)
    node = https(takeover=lambda sock: gate.wait(patience * 0.7) or (
        sock.recv(65536) and sock.sendall(b"*3\r\n:1\r\n:1\r\n:1000\r\n")))
    gate = node.gate()
    shake = node.context.sni_callback
    node.context.sni_callback = lambda *arguments: gate.wait(patience * 0.7) or shake(*arguments)
    h = proxy(attributes(node.port, f"limit_fallback=drop redis_timeout={int(patience * 1000)}"), expect=[DOWN])
    began = time.monotonic()
    h.get("/o/a")
    assert h.ended(1) == {"limit_failed": 1}
    assert patience * 0.9 < time.monotonic() - began < patience * 1.35


def test_a_stall_holds_up_no_other_limit(httpd, origin, recorder, mirror, authority, server):
    stalling = recorder(takeover=lambda sock: gate.wait())
    gate = stalling.gate()
    redis = server()
    h = httpd(strict(authority) + location(
        "/o/", origin, to(recorder(), attributes(stalling.port, "limit_fallback=drop redis_timeout=3600000"), "stalls"),
        to(mirror, attributes(redis.port, "count=1000 limit_fallback=drop"))), modules=("ssl",), children=1, expect=["PM0600: mirror stalls: "])
    for n in range(1, 21):
        h.get("/o/a")
        wait_for("a copy", lambda: h.outcomes() == {"mirrored": n})
    assert h.outcomes("stalls") == {}
    gate.set()
    assert h.ended(20, "stalls") == {"limit_failed": 20}


@pytest.mark.parametrize("shaken", [False, True])
def test_stop_while_redis_says_nothing(proxy, recorder, https, shaken):
    """A child that ends waits for handshake or answer no longer than it drains, and nobody is left in mod_ssl."""
    stalling = (https if shaken else recorder)(takeover=lambda sock: gate.wait())
    gate = stalling.gate()
    h = proxy(attributes(stalling.port, "redis_timeout=3600000"),
              ssl_lines="SSLProxyEngine on\nProxyMirrorDrainTimeout 300ms\n")
    h.get("/o/a")
    stalling.wait_until("a connection", lambda: (stalling.shaken if shaken else stalling.connections) >= 1)
    h.graceful()
    assert h.ended(1) == {"shut_down": 1}
    stalling.wait_until("a closed connection", lambda: stalling.open == 0 or gate.set())


# ---- the rest of httpd ----

def test_a_cgi_program_has_no_connection_to_redis(httpd, origin, mirror, authority, server):
    redis = server()
    program = "#!/bin/sh\necho 'Content-Type: text/plain'\necho\nls -l /proc/self/fd\ncat /proc/net/tcp\n"

    def conf(h: Httpd) -> str:
        os.mkdir(h.path("cgi"))
        h.write("cgi/fds", program, 0o755)
        return (strict(authority) + location("/o/", origin, to(mirror, attributes(redis.port, "count=100"))) +
                f'ScriptAlias "/cgi/" "{h.root}/cgi/"\n<Directory "{h.root}/cgi">\nRequire all granted\n</Directory>\n')
    h = httpd(conf, modules=["cgi", "ssl"], children=1)
    h.get("/o/a")
    assert h.ended(1) == {"mirrored": 1}
    assert len(redis.clients()) == 1
    page = h.get("/cgi/fds").body.decode()
    theirs = {line.split()[9] for line in page.splitlines() if f" 0100007F:{redis.port:04X} 01 " in line}
    assert theirs, page
    assert not any(f"socket:[{inode}]" in page for inode in theirs)


def test_a_graceful_restart_goes_on_counting(proxy, server):
    redis = server()
    h = proxy(attributes(redis.port, "count=3 limit_fallback=drop"))
    h.get_many(["/o/a"] * 2)
    h.ended(2)
    h.graceful()
    h.get_many(["/o/a"] * 4)
    assert h.ended(6) == {"mirrored": 3, "limited": 3}
    assert redis.used(KEY) == 3
    wait_for("the old child's connection to be closed", lambda: len(redis.clients()) == 1)


# ---- Redis Cluster ----

@pytest.fixture
def cluster(authority):
    """Nodes that send to each other by name, as a certificate has one."""
    pem = authority.server
    one = Cluster("--tls-cluster", "yes", "--tls-replication", "yes", "--tls-cert-file", pem, "--tls-key-file", pem,
                  "--tls-ca-cert-file", authority.path, "--tls-auth-clients", "no",
                  "--cluster-announce-hostname", "localhost", "--cluster-preferred-endpoint-type", "hostname",
                  tls=authority.path)
    yield one
    one.close()


CLUSTER_KEY = "proxy-mirror:v1:c:m"


@pytest.mark.long
@pytest.mark.parametrize("reverse", [False, True])
def test_cluster(proxy, mirror, cluster, reverse):
    """The first node that is asked is the owner, or sends there; all of it over TLS."""
    owner = wait_for("an owner", lambda: cluster.owner(CLUSTER_KEY))
    nodes = sorted(cluster.nodes, key=lambda node: (node is owner) != reverse)
    h = proxy("enable_limit_count=true policy=redis-cluster redis_ssl=true redis_cluster_name=c count=5 "
              "limit_fallback=drop redis_cluster_nodes=" + ",".join(f"localhost:{node.port}" for node in nodes))
    h.get_many(["/o/a"] * 3)
    assert h.ended(3) == {"mirrored": 3}
    h.get_many(["/o/a"] * 6)
    assert h.ended(9) == {"mirrored": 5, "limited": 4}
    assert owner.used(CLUSTER_KEY) == len(mirror.requests) == 5
    assert not h.log_lines("PM0600")


@pytest.mark.long
def test_cluster_over_two_httpds_with_four_children(proxy, mirror, cluster):
    line = ("enable_limit_count=true policy=redis-cluster redis_ssl=true redis_cluster_name=c count=1000 "
            "max_queue=100000 limit_fallback=drop redis_timeout=10000 redis_cluster_nodes=" +
            ",".join(f"localhost:{node.port}" for node in cluster.nodes))
    both = [proxy(line, children=4) for _ in range(2)]
    wrk_until_limited(*both)
    assert sum(h.outcomes().get("mirrored", 0) for h in both) == 1000
    assert cluster.owner(CLUSTER_KEY).used(CLUSTER_KEY) == 1000


def test_cluster_that_sends_to_an_address_which_its_certificate_has_not(proxy, mirror, authority, https, redis):
    """The name of each node is checked, those that one is sent to as well."""
    nodes = [https(takeover=lambda sock: sock.recv(65536) and sock.sendall(b"-MOVED 1 127.0.0.1:%d\r\n" % nodes[0].port))]
    h = proxy("enable_limit_count=true policy=redis-cluster redis_ssl=true redis_cluster_name=c limit_fallback=drop "
              f"redis_cluster_nodes=localhost:{nodes[0].port},localhost:{nodes[0].port}", expect=[DOWN])
    h.get("/o/a")
    assert h.ended(1) == {"limit_failed": 1}
    assert h.log_lines(DOWN + r".*Redis 127\.0\.0\.1:\d+: TLS handshake")
    assert not mirror.requests
