"""A change of all mirrors at once: PATCH and DELETE of /mirrors, and "Stop all" of the page."""
from __future__ import annotations

import json
import re
import subprocess
from urllib.parse import urlencode

import pytest

import pagelab
from httpdlab import TOP, location, to
from managerlab import ANN, FORM, JSON, MANAGER, USER_MODULES, overwrite_shared, patch, refused, user
from stoplab import HTML, call, enabled, form_of, page_of, post

NAMES = ["a", "b", "c"]


def three(origin, mirror, more: str = "") -> str:
    """Two on, one off in the file."""
    return MANAGER + "".join(location(f"/{name}/", origin, to(mirror, extra, name))
                             for name, extra in zip(NAMES, (more, "sample_ratio=50%", "enabled=false")))


def results(answer) -> dict[str, tuple[str, bool]]:
    assert answer.status == 200, answer.raw
    data = json.loads(answer.body)
    assert list(data) == ["mirrors"]
    return {one["name"]: (one["result"], one["enabled"]) for one in data["mirrors"]}


# ---- JSON ----

@pytest.mark.smoke
def test_stop_start_and_back(httpd, origin, mirror):
    h = httpd(three(origin, mirror))
    assert h.get("/a/1").status == 200
    h.ended(1, "a")
    assert results(call(h, "PATCH", {"enabled": False})) == {
        "a": ("changed", False), "b": ("changed", False), "c": ("unchanged", False)}
    assert enabled(h) == {"a": False, "b": False, "c": False}
    assert h.get_many(f"/a/{n}" for n in range(20)) == [200] * 20
    assert h.ended(21, "a") == {"mirrored": 1, "disabled": 20}
    assert results(call(h, "PATCH", {"enabled": False}))["a"] == ("unchanged", False)
    assert results(call(h, "PATCH", {"enabled": True})) == {
        "a": ("changed", True), "b": ("changed", True), "c": ("changed", True)}
    assert enabled(h) == {"a": True, "b": True, "c": True}
    assert results(call(h, "DELETE", None, ())) == {
        "a": ("unchanged", True), "b": ("unchanged", True), "c": ("changed", False)}
    assert enabled(h) == {"a": True, "b": True, "c": False}
    assert not [one for one in h.mirrors().values() if one["overridden"]]
    assert len(h.log_lines("PM0900: mirror [abc] was changed")) == 6
    assert h.log_lines("PM0901: stop of all mirrors: 2 of 3 changed, 0 failed")


def test_other_changes_stay(httpd, origin, mirror):
    h = httpd(three(origin, mirror))
    patch(h, {"sample_ratio": 0.25}, "a")
    results(call(h, "PATCH", {"enabled": False}))
    results(call(h, "PATCH", {"enabled": True}))
    assert h.mirror("a")["attributes"]["sample_ratio"] == 0.25
    results(call(h, "DELETE", None, ()))
    assert h.mirror("a")["attributes"]["sample_ratio"] == 1


@pytest.mark.parametrize("data, headers, status, word", [
    ({}, (JSON,), 400, "attributes: must be "),
    ({"enabled": None}, (JSON,), 400, "attributes: must be "),
    ({"enabled": "false"}, (JSON,), 400, "attributes: must be "),
    ({"enabled": False, "host": "http://x"}, (JSON,), 400, "attributes: must be "),
    ({"sample_ratio": 0}, (JSON,), 400, "attributes: must be "),
    ([], (JSON,), 400, "object"),
    (b"{", (JSON,), 400, "JSON"),
    (b'{"enabled": false}', ("Content-Type: text/plain",), 415, "Content-Type: "),
    (b'{"enabled": false}', (), 415, "Content-Type: "),
    pytest.param(b" " * 70000, (JSON,), 413, "65536", id="long"),
    ({"enabled": False}, (JSON, 'If-Match: "x"'), 412, "If-Match: "),
    ({"enabled": False}, (JSON, "Origin: http://elsewhere.example"), 403, "Origin: "),
    ({"enabled": False}, (JSON, "X-Forwarded-For: 10.0.0.1"), 403, "forwarded"),
])
def test_refused(httpd, origin, mirror, data, headers, status, word):
    h = httpd(three(origin, mirror))
    refused(call(h, "PATCH", data, headers), status, word)
    assert enabled(h) == {"a": True, "b": True, "c": False}
    assert bool(h.log_lines("PM0920: ")) == (status == 403)


def test_methods(httpd, origin, mirror):
    h = httpd(three(origin, mirror))
    got = call(h, "PUT", {"enabled": False})
    refused(got, 405, "method: ")
    assert got.header("Allow") == ["GET, HEAD, PATCH, DELETE, POST"]
    read_only = h.request("PATCH", "/mirror-status/mirrors", [JSON], b'{"enabled": false}')
    refused(read_only, 405, "method: ")
    assert read_only.header("Allow") == ["GET, HEAD"]
    assert results(call(h, "PATCH", {"enabled": False}, (JSON, "If-Match: *")))["a"] == ("changed", False)


def test_without_a_user_from_elsewhere(httpd, origin, mirror):
    h = httpd(lambda h: three(origin, mirror) + user(h), modules=USER_MODULES)
    assert call(h, "PATCH", {"enabled": False}).status == 401
    assert enabled(h)["a"] is True
    assert results(call(h, "PATCH", {"enabled": False}, (JSON, ANN)))["a"] == ("changed", False)
    assert h.log_lines('PM0900: mirror a was changed by "ann" from ')


# ---- failures ----

def test_one_that_fails_is_told_and_the_others_are_changed(httpd, origin, mirror):
    """A mirror that is off since a reload cannot be changed."""
    h = httpd(three(origin, mirror), expect=["PM0901: ", "PM0700: "])
    h.conf = MANAGER + to(mirror, "", "a") + '\nProxyMirror "https://localhost:9" name=b\n' + to(mirror, "enabled=false", "c")
    h.configure()
    h.graceful()
    got = call(h, "PATCH", {"enabled": False})
    assert got.status == 503, got.raw
    data = json.loads(got.body)
    assert [(one["name"], one["result"], one["enabled"]) for one in data["mirrors"]] == [
        ("a", "changed", False), ("b", "failed", True), ("c", "unchanged", False)]
    (reason,) = [one["error"] for one in data["mirrors"] if "error" in one]
    assert reason == "mirror: cannot be changed while it is off (see the error log)"
    assert data["error"] == f"1 of 3 mirrors could not be changed: b: {reason}"
    assert h.log_lines("PM0901: stop of all mirrors: 1 of 3 changed, 1 failed: b: ")
    got = post(h, form_of(page_of(h), "Stop all"), confirm="yes")
    assert got.status == 503
    assert "Nothing was changed. 1 of 3 mirrors could not be changed: b: " in page_of(h, got).one("p", class_="refusal").text
    got = post(h, form_of(page_of(h), "Resume all"))
    assert got.status == 503 and enabled(h)["a"] is True
    assert "Only a part was changed. 1 of 3 mirrors" in page_of(h, got).one("p", class_="refusal").text


def test_a_mirror_that_a_reload_adds_is_not_forgotten(httpd, origin, mirror):
    """The request began before the reload, so a child answers that does not know the new mirror."""
    h = httpd(MANAGER + location("/a/", origin, to(mirror, "", "a")))
    with h.client() as client:
        client.send(b"PATCH /manager/mirrors HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    b"Expect: 100-continue\r\nContent-Length: 18\r\n\r\n")
        assert client.stream.line() == b"HTTP/1.1 100 Continue"
        assert client.stream.line() == b""
        h.conf = MANAGER + location("/a/", origin, to(mirror, "", "a")) + location("/b/", origin, to(mirror, "", "b"))
        h.configure()
        h.graceful()
        client.send(b'{"enabled": false}')
        got = client.answer("PATCH")
    assert got.status == 409 and "httpd has just reloaded its configuration" in json.loads(got.body)["error"]
    assert enabled(h) == {"a": False, "b": True}
    assert results(call(h, "PATCH", {"enabled": False})) == {"a": ("unchanged", False), "b": ("changed", False)}


def test_an_invalid_override_does_not_keep_a_mirror_on(httpd, origin, mirror):
    h = httpd(three(origin, mirror), children=1, expect=["PM0911: "])
    patch(h, {"path": "/remarkable"}, "b")
    overwrite_shared(h.pids()[0], b'"path":"/remarkable"', b'"pxth":"/remarkable"')
    assert results(call(h, "PATCH", {"enabled": False}))["b"] == ("changed", False)


def test_the_line_of_the_emergency_is_over_the_manager(httpd, origin, mirror):
    """A mirror that is off in the file, and on by the manager, is off with another default of `enabled`."""
    h = httpd(three(origin, mirror))
    results(call(h, "PATCH", {"enabled": True}))
    h.graceful()
    assert enabled(h) == {"a": True, "b": True, "c": True}
    h.conf = "ProxyMirrorDefaults enabled=false\n" + h.conf
    h.configure()
    h.graceful()
    assert enabled(h) == {"a": False, "b": False, "c": False}
    patch(h, {"enabled": True}, "c")
    h.graceful()
    assert enabled(h) == {"a": False, "b": False, "c": True}            # the default is the same


def test_a_further_line_of_the_emergency_is_over_the_manager(httpd, origin, mirror):
    """The manager has enabled mirrors whose default is off; one has the defaults of a virtual host too."""
    line = "ProxyMirrorDefaults enabled=false\n"
    inner = f'<VirtualHost *:80>\nProxyMirrorDefaults timeout=3s\n{to(mirror, "", "inner")}\n</VirtualHost>\n'
    h = httpd(line + three(origin, mirror) + inner)
    results(call(h, "PATCH", {"enabled": True}))
    h.graceful()
    assert set(enabled(h).values()) == {True}
    for lines in (2, 1):                                                # added in the emergency, and removed after it
        results(call(h, "PATCH", {"enabled": True}))
        h.conf = line * lines + three(origin, mirror) + inner
        h.configure()
        h.graceful()
        assert enabled(h) == {"a": False, "b": False, "c": False, "inner": False}


@pytest.mark.parametrize("slots", ["", "ProxyMirrorSlots 300\n"])
def test_a_stop_that_is_left_with_another_name_is_said(httpd, origin, mirror, slots):
    """Changes belong to a name, which can change without the line of the mirror: with ServerName or the section."""
    h = httpd(MANAGER + "\n".join(location(f"/{name}/", origin, f'ProxyMirror "{mirror.url}"') for name in "op"),
              expect=["PM0200: .* ProxyMirrorSlots was increased"])
    first, second = list(h.mirrors())
    assert call(h, "PATCH", {"enabled": False}).status == 200
    h.conf = slots + h.conf.replace('"/o/"', '"/other/"')
    h.configure()
    h.graceful()
    third, = set(h.mirrors()) - {second}
    assert enabled(h) == {second: False, third: True}
    (said,) = h.log_lines("PM0913")
    assert f"mirror {first} is no longer in the configuration" in said
    h.graceful()
    assert len(h.log_lines("PM0913")) == 1


def test_the_emergency_finds_what_enables(tmp_path):
    """The command of the manual lists the lines that are over that of the emergency, and no others."""
    (command,) = re.findall(r"^ *(grep -RniE '.*) /etc/apache2$", open(f"{TOP}/docs/manager.md", encoding="utf-8").read(), re.M)
    found = ["ProxyMirror http://a enabled=true", 'ProxyMirror http://a "expr=%{REQUEST_URI} =~ m#^/api/#" enabled=on',
             '\tproxymirror http://a "ENABLED=True"', "ProxyMirror http://a enabled=${MIRROR}", "    enabled='on'", "\tProxyMirrorFleet web",
             "ProxyMirrorDefaults enabled=true", "ProxyMirrorFleet web policy=redis"]
    others = ["#ProxyMirror http://a enabled=true", "  # enabled=true", "\t#ProxyMirrorFleet web", "ProxyMirror http://a enabled=false", ""]
    (tmp_path / "elsewhere.conf").write_text("\n".join(found + others), encoding="utf-8")
    (tmp_path / "apache2").mkdir()
    (tmp_path / "apache2" / "site.conf").symlink_to("../elsewhere.conf")
    said = subprocess.run(f"{command} {tmp_path}/apache2", shell=True, check=True, capture_output=True, text=True).stdout
    assert [line.split(":", 2)[2] for line in said.splitlines()] == found


# ---- the page ----

@pytest.mark.smoke
def test_stop_all_of_the_page(httpd, origin, mirror):
    h = httpd(three(origin, mirror))
    page = page_of(h)
    assert page.one("body").all("form")[0] is form_of(page, "Stop all")     # first on the page
    asked = post(h, form_of(page, "Stop all"))
    assert asked.status == 200 and enabled(h)["a"] is True
    page = page_of(h, asked)
    assert "Stop copying to all 3 mirrors?" in page.one("section", class_="question").text
    done = post(h, form_of(page, "Stop all mirrors"))
    assert done.status == 303 and done.header("Location") == [f"http://localhost:{h.port}/manager/"] or \
        done.header("Location")[0].endswith("/manager/")
    assert enabled(h) == {"a": False, "b": False, "c": False}
    patch(h, {"sample_ratio": 0.25}, "a")
    assert post(h, form_of(page_of(h), "Resume all")).status == 303
    assert enabled(h) == {"a": True, "b": True, "c": False}
    assert h.mirror("a")["attributes"]["sample_ratio"] == 0.25      # what else was changed stays
    assert not [form for form in page_of(h).all("form", id="resume") if "hidden" not in form.attributes]


def test_form_of_programs(httpd, origin, mirror):
    h = httpd(three(origin, mirror))
    nonce = form_of(page_of(h), "Stop all").one("input", name="nonce").get("value")

    def send(**fields: str):
        return h.request("POST", "/manager/mirrors", [FORM], urlencode(fields).encode())
    refused(send(nonce=nonce, action="stop"), 400, "confirm: ")
    refused(send(nonce=nonce, action="stop", confirm="no"), 400, "confirm: ")
    refused(send(nonce="x" * len(nonce), action="stop", confirm="yes"), 403, "nonce: ")
    refused(send(action="stop", confirm="yes"), 403, "nonce: ")
    refused(send(nonce=nonce, confirm="yes"), 400, "action: ")
    refused(send(nonce=nonce, action="delete", confirm="yes"), 400, "action: ")
    assert enabled(h)["a"] is True
    assert results(send(nonce=nonce, action="stop", confirm="yes"))["a"] == ("changed", False)
    assert results(send(nonce=nonce, action="start"))["c"] == ("changed", True)
    assert results(send(nonce=nonce, action="reset"))["c"] == ("changed", False)


def test_no_form_for_who_may_not(httpd, origin, mirror):
    h = httpd(three(origin, mirror))
    assert not pagelab.parse(h.get("/mirror-status", ["Host: localhost"]).body).all("button")
    assert not pagelab.parse(h.get("/manager", ["Host: localhost", "Via: 1.1 x"]).body).all("button")


# ---- the line that keeps a change ----

SETTINGS = {"sample_ratio": 0.5, "expr": '%{REQUEST_URI} =~ m#^/a/x\\.y "z"\'#', "sample_key": "%{REMOTE_ADDR} \\\\",
            "methods": ["GET", "PUT"], "timeout": "1500ms", "status": ["2xx", "404"], "path": "/\u00e9 \"x\\",
            "compare": ["status", "body"], "compare_rules": ['body/a match "\\d x"', "status ignore"],
            "host_header": "target", "enabled": False, "copies": 2, "enable_limit_count": True, "count": 5, "max_body": "3K"}


def line_of(h, name: str) -> str:
    got = h.get(f"/manager/mirrors/{name}?as=directive")
    assert got.status == 200 and got.header("Content-Type") == ["text/plain; charset=utf-8"]
    assert got.body.decode() == h.mirror(name)["directive"] + "\n"
    return got.body.decode()


@pytest.mark.smoke
def test_a_pasted_line_makes_the_same_settings(httpd, origin, mirror):
    h = httpd("ProxyMirrorDefaults timeout=7s compare_arrays=unordered\n" + three(origin, mirror, "path=/q max_queue=7"))
    before = line_of(h, "a")
    assert before == f'ProxyMirror "{mirror.url}" name=a path=/q max_queue=7\n'
    patch(h, SETTINGS, "a")
    wanted = h.mirror("a")["attributes"]
    assert {name: wanted[name] for name in SETTINGS} == SETTINGS
    line = line_of(h, "a")
    assert line.startswith("ProxyMirror ") and line.count("\n") == 1
    pasted = httpd("ProxyMirrorDefaults timeout=7s compare_arrays=unordered\n" + MANAGER +
                   f'<Location "/a/">\n{line}</Location>\n')
    assert pasted.test_configuration().stderr == "Syntax OK\n"
    assert pasted.mirror("a")["attributes"] == wanted
    assert pasted.mirror("a")["overridden"] is False and line_of(pasted, "a") == line


def test_a_password_is_not_in_the_line(httpd, mirror):
    h = httpd(MANAGER + to(mirror, "redis_password=s3cret"), expect=["PM0101: "])
    line = line_of(h, "m")
    assert "s3cret" not in line and "redis_password=PASSWORD-NOT-SHOWN" in line
    assert line.splitlines()[0].startswith("# redis_password is not shown: replace PASSWORD-NOT-SHOWN ")
    pasted = httpd(line, expect=["PM0101: "])
    assert pasted.test_configuration().returncode == 0


def test_as_something_else(httpd, mirror):
    h = httpd(MANAGER + to(mirror))
    refused(h.get("/manager/mirrors/m?as=yaml"), 400, 'as: must be directive, got "yaml"')
    assert h.request("HEAD", "/manager/mirrors/m?as=directive").body == b""
    assert h.get("/mirror-status/mirrors/m?as=directive").body.startswith(b"ProxyMirror ")


def test_the_line_is_on_the_page(httpd, mirror):
    h = httpd(MANAGER + to(mirror))
    kept = page_of(h).one("details", class_="keep")
    assert "hidden" in kept.attributes
    patch(h, {"expr": "'<b>' != '&'"})
    kept = page_of(h).one("details", class_="keep")
    assert "hidden" not in kept.attributes and "ends when httpd stops" in kept.text
    assert kept.one("code", data_field="directive").text == h.mirror()["directive"]
