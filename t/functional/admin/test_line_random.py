"""A line of GET ?as=directive, pasted, makes the same settings, whatever texts they have."""
from __future__ import annotations

import json
import random

import pytest

from httpdlab import location, to
from managerlab import MANAGER, call

COUNT = 60
PIECES = ['"', "'", "\\", "\\\\", '\\"', " ", "  ", "#", "$", "{", "}", "%", "%%", "${TERM}", "${NO_SUCH}", "%{a}", "<", ">", "</Location>",
          "=", ",", ";", "&", "\u00e9", "\u2028", "\u0085", "\ufeff", "\U0001f600", "a", "b=c", "/", "..", "[", "]", "0", "exec:", "^", "|", "*"]
DEFAULTS = ("ProxyMirrorDefaults expr=\"true || 'd\\\"\\\\\\\\' == 'x'\" redis_key_prefix=\"de \\\"f\\\\\" path=/d sample_ratio=0.3 "
            "compare_rules='[\"body/a ignore\"]' compare=all timeout=3s methods=PUT status=2xx host_header=target\n")
CHOICES = {
    "sample_ratio": [0, 1, 1e-6, 0.1, 1e-9, 0.999999999, 0.123456789],
    "timeout": ["1ms", "99999ms", "61s", "1.5min"],
    "retry": ["0", "1ms", "0.5s", "1234567ms", "2h", "168h", 0, 7],
    "max_body": [0, 1023, 1025, "1M", "1024G", "1025K", 10 ** 12],
    "methods": [["GET"], ["M-SEARCH", "X!#$%&'*+-.^_`|~"], ["GET", "PUT"]],
    "status": [["2xx"], ["200", "4xx"]],
    "host_header": ["preserve", "target", "a.example:81", "[::1]:8", "a_b"],
    "until": ["2099-12-24T18:00:00Z", "2099-12-24T18:00:00+05:30", "2099-12-24T18:00:00.5Z"],
    "count": [1, 2 ** 31 - 1], "max_queue": [0, 1, 2 ** 31 - 1], "copies": [1, 100],
    "enabled": [True, False], "body": [True, False],
    "compare": [["status"], ["body", "headers"], ["status", "headers", "body"]],
    "servers": [["127.0.0.1:1*100", "[::1]:81", "h"], ["a", "b*3"]],
    "host": ["http://127.0.0.1:9", "http://[::1]:9", "http://h", "h2c://h:81"],
}


def text(dice: random.Random, most: int = 12) -> str:
    return "".join(dice.choice(PIECES) for _ in range(dice.randint(1, most)))


def texts(dice: random.Random) -> dict:
    """A value of each attribute that is free text."""
    return {
        "expr": dice.choice([f"%{{REQUEST_URI}} =~ m#{text(dice).replace('#', '')}#", f"'{text(dice)}' == '{text(dice)}'",
                             f"true || \"{text(dice)}\" == 'x'", "true"]),
        "sample_key": dice.choice([text(dice), "%{REMOTE_ADDR}" + text(dice), text(dice, 300)]),
        "compare_group": "%{REMOTE_ADDR}" + text(dice),
        "path": "/" + text(dice),
        "compare_rules": dice.choice([[], [f"body/{text(dice)} ignore" for _ in range(3)], [f"header/x match ^{text(dice)}$"],
                                      ["body/a match (?i)\\d+ \\\"x", "status ignore"]]),
        "redis_key_prefix": dice.choice(["", text(dice)]),
        "redis_cluster_name": text(dice),
    }


@pytest.mark.parametrize("seed", range(2))
def test_random_settings_come_back(httpd, origin, mirror, seed):
    dice = random.Random(seed)
    names = [f"m{n}" for n in range(COUNT)]
    rest = DEFAULTS + "ProxyMirrorAllowHost *\n" + MANAGER
    h = httpd(rest + "".join(location(f"/{name}/", origin, to(mirror, dice.choice(["", "expr=false max_queue=7"]), name)) for name in names),
              expect=["PM0101: "])
    taken: dict[str, int] = {}
    for name in names:
        values = {**{one: dice.choice(values) for one, values in CHOICES.items()}, **texts(dice)}
        for one in dice.sample(list(values), 10):
            got = call(h, "PATCH", name, {one: values[one]})
            assert got.status in (200, 400), got.raw        # not each text is an expression, or a rule
            taken[one] = taken.get(one, 0) + (got.status == 200)
    assert len(taken) == len(CHOICES) + len(texts(dice)) and not [one for one, count in taken.items() if not count]
    wanted = h.mirrors()
    lines = {name: h.get(f"/manager/mirrors/{name}?as=directive").body.decode() for name in names}
    assert sum("${TERM}" in json.dumps(one["attributes"]) for one in wanted.values()) > 3
    pasted = httpd(rest + "".join(location(f"/{name}/", origin, lines[name]) for name in names), expect=["PM0101: "],
                   env={"TERM": "what httpd would put there"})
    said = pasted.test_configuration()
    assert said.returncode == 0, said.stderr
    for name, one in pasted.mirrors().items():
        assert one["attributes"] == wanted[name]["attributes"], lines[name]
