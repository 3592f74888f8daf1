"""What comparing has found, as text on the page: the sentence, findings, noise, rules, forms, escapes."""
from __future__ import annotations

import json
import uuid
from typing import Callable

import pytest

import pagelab
from comparelab import JSON, both, compared, comparison, start_anew
from httpdlab import location, to
from managerlab import MANAGER
from recorder import answer

FORM = ["Content-Type: application/x-www-form-urlencoded"]
BROWSER = "Accept: text/html"
LINE = "ProxyMirrorCompare "


def section_of(h, path: str = "/manager", name: str = "m", query: str = "") -> pagelab.Element:
    got = h.get(path + query, ["Host: localhost"])
    assert got.status == 200, got.raw
    return pagelab.parse(got.body).one("article", data_mirror=name).one("section", class_="comparison")


def sentence(section: pagelab.Element) -> str:
    return " ".join(section.one("p", class_="sentence").text.split())


def state(section: pagelab.Element) -> str:
    return section.one("h3").text.split(maxsplit=2)[2]


def findings(section: pagelab.Element) -> list[pagelab.Element]:
    """Those that no rule ignores, as the first list has them."""
    folded = {id(one) for part in section.all("details", data_key="ignored") for one in part}
    return [one for one in section.all("li") if (one.get("data-key") or "").startswith("f-") and id(one) not in folded]


def noise(section: pagelab.Element) -> list[pagelab.Element]:
    return [one for part in section.all("ul", class_="noise") for one in part.all("li")]


def lines(element: pagelab.Element) -> list[str]:
    """What can be copied to the configuration."""
    return [one.text for one in element.all("code", class_="line")]


def post(h, form: pagelab.Element, *headers: str):
    """A form on the page, as without JavaScript."""
    return h.request("POST", form.get("action"), [*FORM, "Host: localhost", *(headers or (BROWSER,))], pagelab.posted(form))


def form_of(section: pagelab.Element, label: str) -> pagelab.Element:
    (found,) = [form for form in section.all("form") if form.one("button").text == label]
    return found


def press(h, label: str):
    """Press a button of the section; the rules that are in force then."""
    got = post(h, form_of(section_of(h), label))
    assert (got.status, got.header("Location")[0].endswith("/manager/#c-m")) == (303, True), got.raw
    return rules(h)


def patch(h, **attributes) -> None:
    got = h.request("PATCH", "/manager/mirrors/m", ["Content-Type: application/json", "Host: localhost"],
                    json.dumps(attributes).encode())
    assert got.status == 200, got.raw


def rules(h) -> list[str]:
    return h.mirror()["attributes"].get("compare_rules", [])


def ask(h, count: int, path: str = "/o/items", before: int = 0) -> None:
    assert h.get_many([path] * count) == [200] * count
    compared(h, before + count)


@pytest.fixture
def prices(pairs) -> Callable:
    """Makes an httpd whose mirror has another price in its items; it is asked so often."""
    def make(count: int = 40, **options):
        h, primary, mirror = pairs(**options)
        both(primary, mirror, b'{"items": [{"price": 1}]}', b'{"items": [{"price": 2}]}', JSON)
        ask(h, count)
        return h, primary, mirror
    return make


# ---- the sentence ----

def test_nothing_of_it_without_comparing(httpd, mirror):
    h = httpd(to(mirror))
    for query in ("", "?comparison"):
        page = pagelab.parse(h.get("/mirror-status" + query, ["Host: localhost"]).body)
        assert page.one("article", data_mirror="m") and not page.all("section", class_="comparison")


@pytest.mark.smoke
def test_states(pairs):
    h, primary, mirror = pairs()
    section = section_of(h, "/mirror-status")
    assert (state(section), sentence(section)) == ("Nothing compared", "No response was compared yet.")
    both(primary, mirror, b"x", b"x")
    ask(h, 1)
    section = section_of(h)
    assert state(section) == "Collecting"
    assert sentence(section) == "The one compared response is the same. A verdict needs 30 responses; these are 1."
    ask(h, 29, before=1)
    section = section_of(h)
    assert (state(section), sentence(section)) == ("Alike", "All 30 compared responses are the same.")
    both(primary, mirror, b"x", b"y")
    ask(h, 10, before=30)
    section = section_of(h)
    assert state(section) == "Differs"
    assert sentence(section) == "75% of 40 compared responses are the same. 1 finding explains the 10 that differ."
    patch(h, compare=[])
    assert "Comparing is off; this is what it found before." in section_of(h).text


def test_what_was_not_compared_is_told(pairs):
    h, primary, mirror = pairs("compare_max_body=100")
    both(primary, mirror, b"x", b"x")
    ask(h, 2)
    both(primary, mirror, b"x" * 200, b"y" * 200)
    ask(h, 3, before=2)
    assert sentence(section_of(h)).endswith(" 3 were not compared (3 too large).")


def test_share_is_rounded_down(pairs):
    h, primary, mirror = pairs()
    both(primary, mirror, b"x", b"x")
    ask(h, 1999)
    both(primary, mirror, b"x", b"y")
    ask(h, 1, before=1999)
    assert sentence(section_of(h)).startswith("99.9% of 2,000 compared responses are the same.")


# ---- findings ----

@pytest.mark.valgrind
@pytest.mark.smoke
def test_finding(prices):
    h, primary, mirror = prices()
    primary.answer, mirror.answer = answer("200 OK", b"x"), answer("500 No", b"x")
    assert h.get("/o/cart", ["X-Request-Id: r-1"]).status == 200
    compared(h, 41)
    section = section_of(h, "/mirror-status")
    price, cart = findings(section)
    text = " ".join(price.text.split())
    assert "GET /o/items 40 of 40 responses (100%) differ in this field: body/items/*/price: another value" in text
    data = comparison(h)["findings"][0]
    assert [one.get("datetime") for one in price.one("p", class_="when").all("time")] == [data["first"], data["last"]]
    assert lines(price) == [f"{LINE}body/items/*/price ignore", f"{LINE}body/items/*/price compare"]
    assert "status: another status, such as 200 → 500" in cart.text
    assert lines(cart) == [f"{LINE}status ignore"]
    (example,) = cart.one("table", class_="examples").one("tbody").all("tr")
    time, *others = [one.text.strip() for one in example.all("td")]
    assert time == comparison(h)["findings"][1]["examples"][0]["time"] and others[0] == "GET /o/cart"
    assert others[1] == "200 → 500" and others[2]
    assert [one.text for one in section.one("table", class_="statuses").one("tbody").all("td")] == ["200", "500", "1"]
    latencies = section.one("table", class_="latencies")
    assert [one.one("th").text for one in latencies.one("tbody").all("tr")] == ["Primary", "Mirror", "Difference"]
    assert len(latencies.all("td")) == 10 and all(one.text.endswith("s") for one in latencies.one("tbody").all("td"))


def test_differences_are_told_from_noise(pairs):
    """Three of each."""
    h, primary, mirror = pairs()

    def response(side: str, extra: dict, status: str = "200 OK"):
        def send(sock, message):
            body = {"id": str(uuid.uuid4()), **extra}
            date = f"Date: Fri, 27 Nov 2026 00:00:0{1 if side == 'm' else 0} GMT"
            return answer(status, json.dumps(body).encode(), (JSON, date, f"X-Token: {uuid.uuid4()}"))(sock, message)
        return send
    count = 0
    for path, a, b, status in (("/o/price", {"price": 1}, {"price": 2}, "200 OK"), ("/o/mail", {"mail": "x"}, {}, "200 OK"),
                               ("/o/cart", {}, {}, "503 No"), ("/o/same", {}, {}, "200 OK")):
        primary.answer, mirror.answer = response("p", a), response("m", b, status)
        ask(h, 60, path, count)
        count += 60
    section = section_of(h)
    assert [one.one("h4").text for one in findings(section)] == ["GET /o/price", "GET /o/mail", "GET /o/cart"]
    told = [[row.one("b").text for row in one.one("ul", class_="fields").all("li")] for one in findings(section)]
    assert told == [["another value"], ["missing in the mirror's response"], ["another status"]]
    assert sorted(one.all("code")[0].text for one in noise(section)) == ["body/id", "header/date", "header/x-token"]
    assert "Together with noise: " in findings(section)[0].text
    assert section.one("details", data_key="noise").get("open") is None


# ---- noise ----

@pytest.mark.smoke
@pytest.mark.parametrize("name, field", [("id", "body/id"), ('i"d,', '"body/i\\"d,"')])
def test_guess_is_corrected(pairs, name, field):
    h, primary, mirror = pairs()

    def token(sock, message):
        return answer("200 OK", json.dumps({name: str(uuid.uuid4())}).encode(), (JSON,))(sock, message)
    primary.answer = mirror.answer = token
    ask(h, 60)
    (guess,) = noise(section_of(h))
    assert f"body/{name}: another value; in 60 responses" in guess.text and "a guess" in guess.text
    assert "No reference took part" in section_of(h).text
    assert findings(section_of(h)) == []
    assert press(h, f"It matters: {field} compare") == [f"{field} compare"]
    ask(h, 1, before=60)
    (found,) = findings(section_of(h))
    assert f"body/{name}" in found.text and noise(section_of(h)) == []
    assert press(h, f"Ignore: {field} ignore") == [f"{field} ignore"]             # instead of the contrary
    assert findings(section_of(h)) == []
    assert "Rules ignore all of that now." in sentence(section_of(h))


def test_header_is_taken_off_the_list(pairs):
    h, primary, mirror = pairs()
    primary.answer, mirror.answer = answer("200 OK", b"x", ("ETag: \"a\"",)), answer("200 OK", b"x", ("ETag: \"b\"",))
    ask(h, 40)
    assert sentence(section_of(h)) == "All 40 compared responses are the same."
    (row,) = [one for one in noise(section_of(h)) if "etag" in one.text]
    assert "differs by nature" in row.text
    assert [form.one("button").text for form in row.all("form")] == ["It matters: header/etag compare"]
    press(h, "It matters: header/etag compare")
    ask(h, 1, before=40)
    (found,) = findings(section_of(h))
    assert "header/etag" in found.text


def test_evidence_beside_a_reference(httpd, recorder):
    primary, mirror, reference = recorder(), recorder(), recorder()
    h = httpd(MANAGER + location("/o/", primary, to(mirror, "compare=all"), to(reference, "role=reference", "old")))

    def say(price: int):
        return lambda sock, message: answer("200 OK", json.dumps({"id": str(uuid.uuid4()), "price": price}).encode(),
                                            (JSON,))(sock, message)
    primary.answer, mirror.answer, reference.answer = say(1), say(2), say(1)
    ask(h, 40)
    section = section_of(h)
    (found,) = findings(section)
    assert "Evidence: the mirror alone differed from the primary in 40, the reference alone in 0" in found.text
    assert "Together with noise: body/id" in found.text
    (row,) = noise(section)
    assert "body/id" in row.text and "in the reference it differs as often" in row.text
    assert [form.one("button").text for form in row.all("form")] == ["Ignore: body/id ignore"]
    assert "Reference: old." in section.text and "No reference" not in section.text
    page = pagelab.parse(h.get("/manager", ["Host: localhost"]).body)
    assert not page.one("article", data_mirror="old").all("section", class_="comparison")
    assert "so noise of others, such as POST, is guessed" not in section.text
    assert h.request("POST", "/o/x", [], b"x").status == 200
    compared(h, 41)
    section = section_of(h)
    (found,) = [one for one in findings(section) if "POST /o/*" in one.text or "POST /o/x" in one.text]
    assert "Evidence: none; the reference did not take part" in found.text
    assert "so noise of others, such as POST, is guessed" in section.text


# ---- rules ----

@pytest.mark.smoke
def test_ignore_and_remove(prices):
    h, *_ = prices(extra="ProxyMirrorCompare header/x-file ignore")
    patch(h, compare_rules=["body/a mask [0-9],?"])
    assert press(h, "Ignore: body/items/*/price ignore") == ["body/a mask [0-9],?", "body/items/*/price ignore"]
    section = section_of(h)
    listed = section.one("ul", class_="rules").all("li")
    assert [lines(one) for one in listed] == [[f"{LINE}header/x-file ignore"], [f"{LINE}body/a mask [0-9],?"],
                                              [f"{LINE}body/items/*/price ignore"]]
    assert ["from the configuration file" in one.text for one in listed] == [True, False, False]
    assert not listed[0].all("form")
    assert findings(section) == [] and "1 finding that a rule ignores now" in section.one("details", data_key="ignored").text
    ask(h, 1, before=40)
    assert comparison(h)["verdicts"]["ignored"] == 1
    assert press(h, "Remove: body/a mask [0-9],?") == ["body/items/*/price ignore"]
    assert press(h, "Remove: body/items/*/price ignore") == []
    assert not h.mirror()["overridden"]
    assert len(findings(section_of(h))) == 1


def test_rule_that_covers_a_field(prices):
    h, *_ = prices()
    patch(h, compare_rules=["body/items/** ignore"])
    section = section_of(h)
    assert findings(section) == []
    assert "Ignored now, by body/items/** ignore" in section.one("details", data_key="ignored").text


def test_effect_of_rules(prices):
    """A rule without an effect stands out, so that a typo is noticed."""
    h, _, _ = prices(40, extra="ProxyMirrorCompare body/item/*/price ignore")
    assert "from the configuration file; no effect yet" in section_of(h).one("details", data_key="rules").text
    patch(h, compare_rules=["body/items/*/price ignore"])
    start_anew(h)
    ask(h, 5)
    section = section_of(h)
    listed = section.one("details", data_key="rules")
    assert "set by the manager; had an effect in 5 of 5 responses" in listed.text
    assert not listed.all("b", class_="nothing")
    (one,) = [one for one in noise(section) if "a rule allows it" in one.text]
    assert "body/items/*/price" in one.text and "in 5 responses" in one.text and not one.all("form")
    counted = 5
    while comparison(h)["rules"][0]["compared"] < 1000:     # those without budget do not count
        ask(h, 200, before=counted)
        counted += 200
    (nothing,) = section_of(h).all("b", class_="nothing")
    assert nothing.text == "matches nothing"


def test_refused_rules(prices):
    h, *_ = prices()
    form = form_of(section_of(h), "Ignore: body/items/*/price ignore")
    for rule, told in (("", "rule: "), ("nowhere ignore", "rule: FIELD"), ("body/a match (", "rule: VALUE")):
        got = h.request("POST", form.get("action"), [*FORM, "Host: localhost", BROWSER], pagelab.posted(form, rule=rule))
        assert got.status == 400
        assert pagelab.parse(got.body).one(role="alert").text.startswith(f"Nothing was changed. {told}")
    for headers, body, told in (([], pagelab.posted(form, nonce="0"), "nonce: "),
                                (["Origin: http://evil.example"], pagelab.posted(form), "Origin: ")):
        got = h.request("POST", form.get("action"), [*FORM, "Host: localhost", *headers], body)
        assert got.status == 403 and json.loads(got.body)["error"].startswith(told)
    assert rules(h) == []


# ---- starting anew ----

@pytest.mark.smoke
def test_start_anew(prices):
    h, primary, mirror = prices()
    form = form_of(section_of(h), "Start anew")
    got = h.request("POST", form.get("action"), [*FORM, "Host: localhost"], pagelab.posted(form, nonce="0"))
    assert got.status == 403 and comparison(h)["compared"] == 40
    got = post(h, form)
    assert got.status == 303
    assert h.log_lines("PM0902: mirror m: the comparison is started anew by a client without a user from 127.0.0.1")
    assert sentence(section_of(h)) == "No response was compared yet."
    both(primary, mirror, b"x", b"x")
    ask(h, 1)
    got = post(h, form_of(section_of(h), "Start anew"), "Accept: application/json")
    assert got.status == 200 and json.loads(got.body)["name"] == "m"
    assert len(h.log_lines("PM0902")) == 2


# ---- who sees what ----

def test_read_only_page_has_no_buttons(prices):
    h, *_ = prices()
    section = section_of(h, "/mirror-status")
    assert not section.all("form") and not section.all("button") and not section.all("input")
    assert lines(section)
    assert section_of(h).all("form")


def test_sections_alone(prices):
    h, *_ = prices()
    for path in ("/manager", "/mirror-status"):
        got = h.get(f"{path}/?comparison", ["Host: localhost"])
        page = pagelab.parse(got.body)
        whole = h.get(path, ["Host: localhost"])
        assert got.header("Content-Security-Policy") == whole.header("Content-Security-Policy")
        assert page.one("body").get("data-location") == path and not page.all("h1") and not page.all("script")
        start = whole.body.index(b'<section class="comparison"')
        assert whole.body[start:whole.body.index(b"</section>", start)] in got.body


# ---- escaping ----

EVIL = ['<b>&"x', "a,b", "it's", "~|{}", "${HOME}x", "\u202eevil", "\u200bx", "new\nline", "\x1b[31m", "</p>", "\u05d0\u05d1"]


@pytest.mark.smoke
def test_hostile_names_are_inert(pairs):
    h, primary, mirror = pairs(conf="HttpProtocolOptions Unsafe\n")
    evil_id = "<i>\u202e&\"'"
    for n, name in enumerate(EVIL):
        both(primary, mirror, json.dumps({name: 1}).encode(), json.dumps({name: 2}).encode(), JSON)
        got = h.exchange(f"GET /o/<u>{n}\"'\u202e HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {evil_id}\r\n"
                         "Connection: close\r\n\r\n".encode())
        assert got.status == 200
        compared(h, n + 1)
    body = h.get("/manager", ["Host: localhost"]).body
    for bad in (b"<b>&", b"<i>", b"<u>", b"\x1b", "\u202e".encode(), "\u200b".encode()):
        assert bad not in body, bad
    assert b"\\u202e" in body                   # told, and does nothing
    assert b"covers every name and element" in body
    assert b"httpd replaces ${NAME} in this line" in body
    section = section_of(h)
    fields = {row.all("code")[0].text for one in findings(section) for row in one.one("ul", class_="fields").all("li")}
    assert {'body/<b>&"x', "body/a,b", "body/it's", "body/~0|{}", "body/${HOME}x", "body/\u05d0\u05d1"} <= fields
    for field in fields:
        quoted = '"{}"'.format(field.replace('"', '\\"')) if '"' in field else field
        got = post(h, form_of(section, f"Ignore: {quoted} ignore"))
        assert got.status == 303, got.raw
    assert findings(section_of(h)) == []
