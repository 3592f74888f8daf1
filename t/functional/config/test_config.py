"""Whatever is wrong in the configuration stops `httpd -t` and the start, with a message that says where and why."""
from __future__ import annotations

import os
import re
import subprocess

import pytest

from httpdlab import HTTP2, MPM, Httpd, scaled
from marks import needs_http2

URL = "http://127.0.0.1:9"
HOST = "http://, https://, h2c://, h2://, grpc:// or grpcs://"


def mirror(words: str) -> str:
    return f'ProxyMirror "{URL}" {words}'


# the line; what the message has to say of it
BAD = [
    # URLs: what is allowed, what was given
    ("ProxyMirror", ["ProxyMirror", "off", "nothing"]),
    ('ProxyMirror ""', [HOST, '""']),
    *((f'ProxyMirror "{url}"', [HOST, url[:60]]) for url in (
        "127.0.0.1:9797", "mirror", "ftp://h", "ws://h", "http:/h", "http:h", "http//h", "://h", "//h",
        "http://h/", "http://h/path", "http://h:1/path", "http://h?q", "http://h#f",
        "http://h:0", "http://h:65536", "http://h:99999999999999999999", "http://h:-1", "http://h:+1", "http://h:8x",
        "http://h:", "http://:80", "http://", "http://[::1", "http://::1", "http://::1]", "http://[::1]x",
        "http://[::1]:", "http://[1.2.3.4]", "http://[::g]", "http://[]", "http://[::1%lo]", "http://1.2.3",
        "http://256.1.1.1", "http://1.2.3.4.5", "http://0x7f.1", "http://a b", "http://-a", "http://a-",
        "http://a..b", "http://.a", "http://a_b!", "http://" + "a" * 64, "unix:/path",
        "http://" + "a." * 127 + "a")),
    # what is given is not repeated as it is
    *((f'ProxyMirror "{url}"', [HOST, why]) for url, why in (
        ("http://u@h", "user info"), ("http://user:secret@h", "user info"), ("http://h\\x", "path"),
        ("http://a\tb", "malformed"))),
    # times
    *((mirror(f"{name}={value}"), [name, "time", value]) for name in ("connect_timeout", "timeout")
      for value in ("0", "0ms", "-1", "1.5", "1x", "s", "1 s", "1S", "1m", "1,5s", "1e3", "2s2", "999999999999999999h")
      if not (value == "1.5" or " " in value)),
    *((mirror(f"{name}={value}"), [name, "time", value]) for name in ("keepalive", "retry")
      for value in ("-1", "-1s", "x", "1d", "10ss", "0.1ms")),
    (mirror("timeout="), ["timeout", "time", '""']),
    # numbers
    *((mirror(f"max_connections={value}"), ["max_connections", "1 to 65535", value])
      for value in ("0", "65536", "-1", "1.5", "x", "1k", "0x10", "99999999999999999999")),
    *((mirror(f"pipeline={value}"), ["pipeline", "1 to 100", value]) for value in ("0", "101", "-1", "1.5", "x")),
    *((mirror(f"streams={value}"), ["streams", "1 to 1000", value]) for value in ("0", "1001", "-1", "x")),
    *((mirror(f"max_queue={value}"), ["max_queue", "integer from", value])
      for value in ("-1", "1.5", "x", "10K", "99999999999999999999")),
    *((mirror(f"'until={value}'"), ["until", "RFC 3339", value])
      for value in ("", "now", "1h", "2026-12-24", "2026-12-24T18:00", "2026-12-24T18:00:00", "2026-13-01T00:00:00Z")),
    *((mirror(f"'servers={value}'"), ["servers", "2 to 16 servers", value])
      for value in ("", "a", "a,b:0", "a,b*0", "a,b*101", "a,b/path", "a,http://b")),
    (mirror("servers=a,b,a:9"), ["servers", "different servers", "a:9", "twice"]),
    ('ProxyMirror "unix:/s|http://h" servers=a,b', ["servers", "Unix socket"]),
    (mirror("resolve=both"), ["resolve", "first or all", "both"]),
    # sizes
    *((mirror(f"max_body={value}"), ["max_body", "size", value])
      for value in ("-1", "1.5M", "1MB", "1m", "x", "K", "99999999999999999999", "99999999999G")),
    # booleans, words
    *((mirror(f"{name}={value}"), [name, "true or false", value])
      for name in ("enabled", "body") for value in ("1", "yes", "0", "tru", "onoff")),
    (mirror("enabled="), ["enabled", "true or false", '""']),
    *((mirror(f"when={value}"), ["when", "response or request", value]) for value in ("never", "Response", "", "1")),
    # names
    *((mirror(f'"name={value}"'), ["name", "letters, digits", value[:60]])
      for value in ("a b", "a/b", "a:b", "a" * 65, "<a>")),
    (mirror("name=ü"), ["name", "letters, digits", "xc3", "xbc"]),
    ("ProxyMirrorId é", ["ProxyMirrorId", "letters, digits", "xc3", "xa9"]),
    (mirror("name="), ["name", "letters, digits", '""']),
    # the shape of the line
    (mirror("nonsense=1"), ["max_queue", "nonsense"]),
    (mirror("Timeout=1"), ["timeout", "Timeout"]),
    (mirror("timeout"), ["timeout", "attribute=value"]),
    (mirror("=1"), ["attribute", "max_queue"]),
    (mirror("host=http://h"), ["host", "URL"]),
    (mirror("timeout=1 timeout=2"), ["timeout", "once"]),
    (mirror("timeout=1 timeout=1"), ["timeout", "once"]),
    (mirror('"name=x'), ["quote"]),
    ("ProxyMirror off now", ["off", "now"]),
    (f'ProxyMirror "{URL}"\nProxyMirror off', ["off", "scope"]),
    (f'ProxyMirror off\nProxyMirror "{URL}"', ["off", "scope"]),
    (mirror("name=same") + "\n" + mirror("name=same"), ["name", "same", "unique"]),
    (mirror("name=same") + f'\n<Location "/x">\n{mirror("name=same")}\n</Location>', ["name", "same"]),
    # ProxyMirrorDefaults
    ("ProxyMirrorDefaults", ["ProxyMirrorDefaults", "attribute=value", "nothing"]),
    ("ProxyMirrorDefaults name=x", ["name", "default"]),
    ("ProxyMirrorDefaults host=http://h", ["host", "default"]),
    ("ProxyMirrorDefaults nonsense=1", ["timeout", "nonsense"]),
    ("ProxyMirrorDefaults timeout=0", ["timeout", "time", "0"]),
    (f'ProxyMirrorDefaults "{URL}"', ["attribute=value", URL]),
    # directives of the whole server
    *((f"ProxyMirrorMemory {value}", ["ProxyMirrorMemory", "size", value])
      for value in ("0", "x", "-1M", "1.5M", "64MB", "1023K")),
    *((f"ProxyMirrorSpool /tmp {value}", ["ProxyMirrorSpool", "size", value]) for value in ("0", "x", "-1M", "1023K")),
    *((f"ProxyMirrorSpool {value}", ["ProxyMirrorSpool", "must be the absolute path of a writable folder", value.strip('"'), why])
      for value, why in (("tmp", "not an absolute path"), ("/dev/null", "not a folder"),
                         ("/no/such/folder", "No such file"), ("/proc", "files cannot be created"))),
    ("ProxyMirrorSpool", ["ProxyMirrorSpool", "arguments"]),
    ("ProxyMirrorSpool /tmp 1M 1M", ["ProxyMirrorSpool", "arguments"]),
    *((f"ProxyMirrorThreads {value}", ["ProxyMirrorThreads", "4 to", value]) for value in ("3", "0", "-1", "x", "4.5")),
    *((f"ProxyMirrorSlots {value}", ["ProxyMirrorSlots", "integer from", value]) for value in ("0", "-1", "x", "1.5")),
    *((f"ProxyMirrorDrainTimeout {value}", ["ProxyMirrorDrainTimeout", "time", value])
      for value in ("-1", "x", "5y", "2h")),
    *((f"ProxyMirrorId {value}", ["ProxyMirrorId", "letters, digits", value.strip('"')[:60]])
      for value in ('"a b"', '"a,b"', '"a;b"', "x@", "a" * 65)),
    ('ProxyMirrorId ""', ["ProxyMirrorId"]),
    ("ProxyMirrorMemory", ["ProxyMirrorMemory", "one argument"]),
    ("ProxyMirrorThreads 4 5", ["ProxyMirrorThreads", "one argument"]),
    ("ProxyMirrorSlots 1\n" + mirror("") + "\n" + mirror(""), ["ProxyMirrorSlots", "at most 1", "got 2"]),
    # ProxyMirrorLog
    *((f'ProxyMirrorLog "{file}"', ["ProxyMirrorLog file", "|program", file, why]) for file, why in (
        ("|", "|"), ("|| ", "|"), ("/nowhere/at/all", "its folder does not exist"), ("/tmp", "a folder"))),
    ("ProxyMirrorLog", ["ProxyMirrorLog", "one argument"]),
    ('ProxyMirrorLog ""', ["ProxyMirrorLog", "one argument"]),
    ("ProxyMirrorLog logs/a logs/b", ["ProxyMirrorLog", "one argument"]),
    ('<Location "/">\nProxyMirrorLog logs/a\n</Location>', ["ProxyMirrorLog", "not allowed", "Location"]),
    # contexts
    *((f"<VirtualHost *:1>\n{line}\n</VirtualHost>", [line.split()[0], "VirtualHost"])
      for line in ("ProxyMirrorMemory 64M", "ProxyMirrorThreads 8", "ProxyMirrorSlots 9", "ProxyMirrorId x",
                   "ProxyMirrorDrainTimeout 5s", "ProxyMirrorSpool /tmp", "ProxyMirrorSpool /tmp 1G")),
    *((f'<Location "/">\n{line}\n</Location>', [line.split()[0], "Location"])
      for line in ("ProxyMirrorMemory 64M", "ProxyMirrorDefaults timeout=1", "ProxyMirrorId x")),
    (f'<Location "/">\n<Limit GET>\n{mirror("")}\n</Limit>\n</Location>', ["ProxyMirror", "Limit"]),
]


def start(h: Httpd) -> subprocess.CompletedProcess[str]:
    """Start one that is expected to refuse."""
    return subprocess.run(h.command("-DFOREGROUND"), env=h.environment(), capture_output=True, text=True,
                          timeout=scaled(30), check=False)


def assert_place(message: str, h: Httpd, line: str) -> None:
    """It names the file, and a line of it on which our directive is."""
    file = re.escape(h.path("httpd.conf"))
    found = re.search(f"{file}:(\\d+)", message) or re.search(f"on line (\\d+) of {file}", message)
    assert found, message
    text = h.read("httpd.conf").splitlines()[int(found[1]) - 1]
    assert text.strip() and text.strip() in [part.strip() for part in line.splitlines()], message


@pytest.mark.unstarted
@pytest.mark.parametrize("line, words", BAD, ids=[re.sub(r"\W+", "-", line)[:60] for line, _ in BAD])
def test_refused(lab, line, words):
    h = lab(line)
    test = h.test_configuration()
    assert test.returncode != 0, test.stderr
    assert_place(test.stderr, h, line)
    for word in words:
        assert word in test.stderr, test.stderr
    begun = start(h)
    assert begun.returncode != 0
    assert not h.log_lines("resuming normal operations")
    reason = [part for part in test.stderr.splitlines() if part.startswith(("ProxyMirror", "PM"))]
    for part in reason:
        assert part in begun.stderr + h.log()


GOOD = [
    *(f'ProxyMirror "{url}"' for url in (
        "http://h", "HTTP://H.example.:80", "http://h:1", "http://h:65535", "http://1.2.3.4", "http://[::1]",
        "http://[2001:db8::1]:8080", "http://a_b-c.d", "http://" + "a" * 63, "http://xn--bcher-kva.example")),
    'ProxyMirror "http://h" resolve=all',
    f"ProxyMirror {URL}", "ProxyMirror off", "proxymirror OFF", "ProxyMirror off\nProxyMirror off",
    *(mirror(words) for words in (
        "enabled=TRUE", "enabled=off body=Off", "max_body=0", "max_body=1024G", "max_body=4K", "timeout=1ms",
        "timeout=0.5s", "timeout=1.5min connect_timeout=1h", "keepalive=0", "retry=0", "max_connections=1 max_queue=0",
        "max_connections=65535 max_queue=2147483647", "pipeline=1", "pipeline=100", "when=request", "when='response'", "until=2026-12-24T18:00:00+01:00",
        "servers=a,b:80*2,[::1]:9*100", "resolve=first", '"name=A.b_c-9"',
        'name="quoted"', "name=" + "a" * 64)),
    "\n".join([mirror("name=a"), mirror("name=b"), '<Location "/x">', mirror(""), "</Location>"]),
    f"ProxyMirrorDefaults timeout=1\n<VirtualHost *:1>\nProxyMirrorDefaults timeout=2\n{mirror('')}\n</VirtualHost>",
    "ProxyMirrorMemory 1M", "ProxyMirrorThreads 4", "ProxyMirrorSlots 1\n" + mirror(""), "ProxyMirrorDrainTimeout 0",
    "ProxyMirrorSpool /tmp", "ProxyMirrorSpool /tmp 1M", 'ProxyMirrorSpool "/tmp/" 1024G',
    "ProxyMirrorId a!#$%&'*+-.^_`|~9", "ProxyMirrorLog logs/a", 'ProxyMirrorLog "|/bin/cat -u"',
    "<VirtualHost *:1>\nProxyMirrorLog logs/a\n</VirtualHost>",
    f'<Proxy "http://h/">\n{mirror("")}\n</Proxy>', f'<LocationMatch "^/a">\n{mirror("")}\n</LocationMatch>',
    f'<Directory "/">\n{mirror("")}\n</Directory>', f'<Files "a">\n{mirror("")}\n</Files>',
    f'<If "true">\n{mirror("")}\n</If>\n<ElseIf "true">\n{mirror("")}\n</ElseIf>\n<Else>\nProxyMirror off\n</Else>',
]


@pytest.mark.unstarted
@pytest.mark.parametrize("line", GOOD, ids=[re.sub(r"\W+", "-", line)[:60] for line in GOOD])
def test_accepted(lab, line):
    h = lab(line)
    test = h.test_configuration()
    assert test.returncode == 0, test.stderr
    assert "PM" not in test.stderr


@pytest.mark.smoke
def test_good_values_start(httpd):
    h = httpd("\n".join(line for line in GOOD if line.startswith("ProxyMirror ") and "name=" not in line
                        and "off" not in line.lower()))
    assert len(h.mirrors()) > 20


@pytest.mark.unstarted
@pytest.mark.parametrize("line", [
    f"ProxyMirror {URL} redis_password=my secret", f"ProxyMirror {URL} redis_password=my secret=x", f'ProxyMirror {URL} redis_password=my "secret',
    f"ProxyMirror {URL} timeout=1s 'sentinel_password=my' 'secret'", "ProxyMirrorDefaults redis_password= secret", "ProxyMirror redis_password=secret",
    "ProxyMirrorDefaults redis_password=my secret", "ProxyMirrorFleet web policy=redis redis_host=h redis_password=my secret"])
def test_password_with_a_space_is_not_repeated(lab, line):
    said = lab(line).test_configuration()
    assert said.returncode == 1 and "secret" not in said.stderr.replace(" PM", "")
    assert "_password: must be " in said.stderr or "URL: must be the first argument, got the attribute redis_password" in said.stderr


def test_what_follows_a_password_is_named(lab):
    for line, word in ((f"ProxyMirror {URL} redis_password=x redis_usrname=y", 'did you mean "redis_username"'),
                       (f"ProxyMirror {URL} redis_password=x timeout=y", "timeout: must be a time"),
                       (f'ProxyMirror {URL} redis_password=x expr="y', 'quotes: must be closed, got "expr"'),
                       (f"ProxyMirror {URL} timeout=1s x", 'attributes: must be attribute=value, got "x"')):
        assert word in lab(line).test_configuration().stderr


@pytest.mark.unstarted
def test_fleet_proposes_only_attributes_that_it_allows(lab):
    for word, meant in (("redis_hots", "redis_host"), ("redis_usrname", "redis_username"), ("sentinel_pasword", "sentinel_password")):
        text = lab(f"ProxyMirrorFleet web policy=redis redis_host=h {word}=x").test_configuration().stderr
        assert f'unknown attribute "{word}"; did you mean "{meant}"? Allowed attributes: policy, redis_host, ' in text
        for name in re.search("Allowed attributes: (.*)", text)[1].split(", "):
            assert re.fullmatch(r"policy|(redis|sentinel)_\w+", name)


def test_password_in_a_url_is_not_repeated(lab):
    h = lab('ProxyMirror "http://user:secret@h"')
    assert "secret" not in h.test_configuration().stderr


@pytest.mark.unstarted
def test_all_faults_are_said_at_once(lab):
    h = lab("\n".join([mirror("name=a")] * 3))
    said = h.test_configuration().stderr
    assert len(re.findall(r"PM\d{4}: \S+:\d+: ProxyMirror name", said)) == 2


def test_attribute_without_effect_is_a_warning(httpd):
    h = httpd(mirror("body=off max_body=2M"), expect=[r"PM\d+: .*max_body"])
    said = [line for line in h.logs().splitlines() if re.search(r"PM\d{4}: .*max_body", line)]
    assert said and re.search(f"{re.escape(h.path('httpd.conf'))}:\\d+", said[0])


@pytest.mark.skipif(HTTP2, reason="the module was built with libnghttp2")
@pytest.mark.parametrize("scheme", ["h2c", "h2", "grpc", "grpcs"])
def test_http2_without_its_library(lab, scheme):
    """The line and the scheme are named."""
    said = lab(f'ProxyMirror "{scheme}://127.0.0.1:9"').test_configuration()
    assert said.returncode
    assert re.search(r"httpd\.conf:\d+:|line \d+ of", said.stderr), said.stderr
    assert f'"{scheme}://127.0.0.1:9"' in said.stderr and "libnghttp2" in said.stderr


@needs_http2
@pytest.mark.parametrize("words, warned", [("h2c streams=5", ""), ("h2c pipeline=5", "pipeline"), ("http streams=5", "streams"),
                                           ("http pipeline=5", "")])
def test_attributes_of_a_protocol(httpd, words, warned):
    scheme, attribute = words.split()
    httpd(f'ProxyMirror "{scheme}://127.0.0.1:9" {attribute}', expect=[rf"PM\d+: .*{warned}: has no effect"] if warned else [])


def test_not_in_htaccess(httpd, recorder):
    h = httpd(lambda h: f'<Directory "{h.root}/htdocs">\nAllowOverride All\n</Directory>',
              expect=[r"ProxyMirror.* not allowed here", "AH01276"])
    h.write("htdocs/.htaccess", f'ProxyMirror "{URL}"\n')
    assert h.get("/index.html").status == 500
    assert h.log_lines("ProxyMirror.* not allowed here")
    os.unlink(h.path("htdocs/.htaccess"))


@pytest.mark.unstarted
def test_mod_proxy_is_needed(lab):
    h = lab(mirror(""))
    h.modules = tuple(name for name in h.modules if not name.startswith("proxy"))
    h.configure()
    assert h.test_configuration().returncode != 0


def test_a_bad_reload_changes_nothing(httpd, origin, mirror):
    """httpd tests the file itself; a reload with a bad one ends a server that runs, as for any directive. So it is
    asked first."""
    h = httpd(f'<Location "/o/">\nProxyPass "{origin.url}/"\nProxyMirror "{mirror.url}" name=m\n</Location>')
    good = h.read("httpd.conf")
    h.write("httpd.conf", good.replace("name=m", "name=m timeout=0"))
    assert h.test_configuration().returncode != 0
    h.write("httpd.conf", good)
    h.graceful()
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}


def test_a_reload_adds_and_drops_mirrors(httpd, origin, recorder):
    first, second = recorder(), recorder()
    h = httpd(f'ProxyPass "/o/" "{origin.url}/"\nProxyMirror "{first.url}" name=first')
    assert h.get("/o/a").status == 200
    assert h.ended(1, "first") == {"mirrored": 1}
    h.conf = f'ProxyPass "/o/" "{origin.url}/"\nProxyMirror "{second.url}" name=second'
    h.configure()
    h.graceful()
    assert list(h.mirrors()) == ["second"]
    assert h.get("/o/b").status == 200
    assert h.ended(1, "second") == {"mirrored": 1}
    h.conf = f'ProxyPass "/o/" "{origin.url}/"\nProxyMirror "{first.url}" name=first'
    h.configure()
    h.graceful()
    assert h.get("/o/c").status == 200
    assert h.ended(2, "first") == {"mirrored": 2}
    assert [copy.target for copy in first.requests] == ["/o/a", "/o/c"]


def test_more_mirrors_than_slots_on_a_reload(httpd, origin, mirror):
    """-t says so; a server that is told to reload all the same is not ours to save."""
    h = httpd("ProxyMirrorSlots 1\n" + mirror_line(mirror, "one"))
    h.conf = "ProxyMirrorSlots 1\n" + mirror_line(mirror, "one") + "\n" + mirror_line(mirror, "two")
    h.configure()
    said = h.test_configuration()
    assert said.returncode != 0 and "ProxyMirrorSlots" in said.stderr
    h.conf = "ProxyMirrorSlots 9\n" + mirror_line(mirror, "one") + "\n" + mirror_line(mirror, "two")
    h.configure()
    h.expected.append(r"PM\d+: .*created again")
    h.graceful()
    assert list(h.mirrors()) == ["one", "two"]
    assert h.get("/index.html").status == 200
    assert h.ended(1, "one") == h.ended(1, "two") == {"mirrored": 1}


def mirror_line(recorder, name: str) -> str:
    return f'ProxyMirror "{recorder.url}" name={name}'


def test_mpm_is_the_one_that_was_asked_for(lab):
    h = lab("")
    out = subprocess.run(h.command("-M"), env=h.environment(), capture_output=True, text=True, timeout=scaled(30),
                         check=False).stdout
    assert f"mpm_{MPM}_module" in out and "proxy_mirror_module" in out
