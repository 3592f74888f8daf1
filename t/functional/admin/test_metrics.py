"""The metrics for Prometheus, and the dashboard that is drawn from them."""
from __future__ import annotations

import json
import re
import subprocess
import time

import pytest

from comparelab import both, compared
from httpdlab import TOP, location, scaled, to, wait_for
from managerlab import OUTCOMES
from recorder import answer

BOUNDS = ["0.001", "0.005", "0.01", "0.05", "0.1", "0.5", "1", "5", "10", "+Inf"]
GAUGES = ["proxy_mirror_queued", "proxy_mirror_in_flight", "proxy_mirror_connections", "proxy_mirror_memory_bytes",
          "proxy_mirror_up"]
SERVERS = ["proxy_mirror_server_up", "proxy_mirror_server_connections"]    # with a label for each of several servers
TYPES = {"proxy_mirror_requests_total": "counter", "proxy_mirror_responses_total": "counter",
         "proxy_mirror_grpc_total": "counter",
         **dict.fromkeys(GAUGES + SERVERS, "gauge"), "proxy_mirror_duration_seconds": "histogram",
         "proxy_mirror_comparisons_total": "counter", "proxy_mirror_comparisons_skipped_total": "counter",
         "proxy_mirror_differences_total": "counter", "proxy_mirror_primary_duration_seconds": "histogram",
         **dict.fromkeys((f"proxy_mirror_fleet_{name}" for name in ("up", "revision", "age_seconds", "refused", "leader")), "gauge")}
DASHBOARD = f"{TOP}/docs/grafana.json"
SAMPLE = re.compile(r'(\w+)\{((?:\w+="(?:[^"\\]|\\.)*",?)+)\} (\d+(?:\.\d+)?)')


def text_of(h, path: str = "/mirror-status/metrics") -> str:
    got = h.get(path, ["Host: localhost"])
    assert got.status == 200
    assert got.header("Content-Type") == ["text/plain; version=0.0.4; charset=utf-8"]
    return got.body.decode()


def samples_of(text: str) -> dict[tuple[str, ...], float]:
    """By name and the values of the labels in their order; each line is understood, and none is there twice."""
    samples: dict[tuple[str, ...], float] = {}
    for line in text.splitlines():
        if not line.startswith("# "):
            found = SAMPLE.fullmatch(line)
            assert found, line
            key = (found[1], *re.findall(r'="((?:[^"\\]|\\.)*)"', found[2]))
            assert key not in samples
            samples[key] = float(found[3])
    return samples


def check(text: str) -> None:
    """Prometheus's own tool has nothing to say against it."""
    said = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True,
                          timeout=scaled(30), check=False)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


@pytest.mark.smoke
@pytest.mark.valgrind
def test_all_metrics(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, "max_body=10 max_connections=1")) +
              location("/p/", origin, to(mirror, "", "a.b-c_1")))
    assert h.get_many(f"/o/{n}" for n in range(3)) == [200] * 3
    assert h.request("POST", "/o/b", [], b"x" * 11).status == 200
    assert h.ended(4) == {"mirrored": 3, "too_large": 1}
    text = text_of(h)
    check(text)
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))
    assert types == TYPES
    assert re.findall(r"^# HELP (\w+) \S.*\.$", text, re.M) == list(TYPES)
    got = samples_of(text)
    one = h.mirror()
    for outcome in OUTCOMES:
        assert got.pop(("proxy_mirror_requests_total", "m", outcome)) == one["outcomes"][outcome]
        assert got.pop(("proxy_mirror_requests_total", "a.b-c_1", outcome)) == 0
    for name, n in one["responses"].items():
        assert got.pop(("proxy_mirror_responses_total", "m", name)) == n == (3 if name == "2xx" else 0)
        assert got.pop(("proxy_mirror_responses_total", "a.b-c_1", name)) == 0
    assert [got.pop((name, "m")) for name in GAUGES] == [0, 0, one["state"]["connections"], 0, 1]
    assert [got.pop((name, "a.b-c_1")) for name in GAUGES] == [0, 0, 0, 0, 1]
    counts = [got.pop(("proxy_mirror_duration_seconds_bucket", "m", bound)) for bound in BOUNDS]
    assert counts == sorted(counts) and counts[-1] == 3
    assert got.pop(("proxy_mirror_duration_seconds_count", "m")) == 3
    assert 0 < got.pop(("proxy_mirror_duration_seconds_sum", "m")) < scaled(30)
    assert [key for key in got if key[1] == "m"] == []
    assert {key[0] for key in got} == {f"proxy_mirror_duration_seconds_{part}" for part in ("bucket", "sum", "count")}
    assert set(got.values()) == {0}


def test_a_slow_answer_is_in_the_right_buckets(httpd, origin, mirror):
    """One that takes longer than 100 ms as far as this process can see it is in no bucket below that."""
    gate = mirror.hold()
    h = httpd(location("/o/", origin, to(mirror)))
    assert h.get("/o/a").status == 200
    wait_for("the copy", lambda: mirror.requests)
    begun = time.monotonic()
    wait_for("the answer to be late", lambda: time.monotonic() > begun + 0.12)
    gate.set()
    assert h.ended(1) == {"mirrored": 1}
    got = samples_of(text_of(h))
    assert [got["proxy_mirror_duration_seconds_bucket", "m", bound] for bound in BOUNDS[:5]] == [0] * 5
    assert got["proxy_mirror_duration_seconds_bucket", "m", "+Inf"] == 1
    assert got["proxy_mirror_duration_seconds_sum", "m"] >= 0.1


def test_what_is_under_way(httpd, origin, mirror):
    mirror.hold()
    h = httpd(location("/o/", origin, to(mirror, "max_connections=2")), children=1)
    assert h.get_many(f"/o/{n}" for n in range(5)) == [200] * 5
    wait_for("two copies in flight", lambda: h.mirror()["state"]["in_flight"] == 2)
    wait_for("two connections", lambda: h.mirror()["state"]["connections"] == 2)
    got = samples_of(text_of(h))
    assert [got[name, "m"] for name in GAUGES[:3]] == [3, 2, 2]
    assert got["proxy_mirror_memory_bytes", "m"] == h.mirror()["state"]["bytes"] > 0


def test_down_and_answers_by_class(httpd, recorder, origin):
    answers, dead = recorder(answer("503 Service Unavailable")), recorder(listen=False)
    h = httpd(location("/o/", origin, to(dead, "retry=1h")) + location("/p/", origin, to(answers, "", "n")),
              expect=["PM0400"])
    assert h.get("/o/a").status == 200
    assert h.get("/p/a").status == 200
    assert h.ended(1) == {"unreachable": 1}
    assert h.ended(1, "n") == {"mirrored": 1}
    text = text_of(h)
    check(text)
    got = samples_of(text)
    assert (got["proxy_mirror_up", "m"], got["proxy_mirror_up", "n"]) == (0, 1)
    assert got["proxy_mirror_requests_total", "m", "unreachable"] == 1
    assert got["proxy_mirror_responses_total", "n", "5xx"] == 1


def test_without_mirrors(httpd):
    text = text_of(httpd(""))
    check(text)
    assert samples_of(text) == {}


def test_in_any_section(httpd, mirror):
    h = httpd(f'{to(mirror)}\n<LocationMatch "^/ms">\nSetHandler proxy-mirror-status\n</LocationMatch>')
    assert samples_of(text_of(h, "/ms/metrics")) == samples_of(text_of(h))
    assert b"proxy_mirror_" not in h.get("/ms/metricsx").body
    assert h.get("/mirror-status/metrics/x").status == 404


def test_head_and_other_methods(httpd, mirror):
    h = httpd(to(mirror))
    got = h.request("HEAD", "/mirror-status/metrics")
    assert got.status == 200 and got.body == b""
    for method in ("POST", "PUT", "DELETE"):
        assert h.request(method, "/mirror-status/metrics", [], b"x").status == 405


def test_counters_stay_over_a_graceful_restart(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror)))
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    h.graceful()
    assert h.get("/o/b").status == 200
    assert h.ended(2) == {"mirrored": 2}
    got = samples_of(text_of(h))
    assert got["proxy_mirror_requests_total", "m", "mirrored"] == 2
    assert got["proxy_mirror_duration_seconds_count", "m"] == 2


# ---- the dashboard ----

def expressions() -> list[str]:
    """Of all panels and variables."""
    with open(DASHBOARD, encoding="utf-8") as f:
        board = json.load(f)
    queries = [v["query"]["query"] for v in board["templating"]["list"] if v["type"] == "query"]
    return queries + [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def test_dashboard_has_only_metrics_that_there_are(pairs):
    h, primary, mirror = pairs()
    both(primary, mirror, b"x", b"y")
    h.get("/o/x")
    compared(h, 1)
    text = text_of(h)
    printed = {key[0] for key in samples_of(text)} | {"proxy_mirror_grpc_total"}     # which only has codes that have occurred
    used = {name for expression in expressions() for name in re.findall(r"\bproxy_mirror_\w+", expression)}
    assert used - printed == {name for name in TYPES if "_fleet_" in name} | set(SERVERS)      # of a node of a fleet, of several servers
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in used} == set(TYPES)      # and shows all of them
    labels = {label for expression in expressions() for braces in re.findall(r"\{([^}]*)\}", expression)
              for label in re.findall(r"(\w+)[=!]", braces)}
    assert labels <= {"instance", "mirror", "outcome", "class", "code", "le", "verdict", "reason", "part", "kind", "fleet"}


def test_dashboards_expressions_are_prometheus_s(tmp_path):
    """As rules they are read by Prometheus's own tool, variables of Grafana's replaced."""
    rules = [{"record": f"a:{n}", "expr": expression.replace("$__rate_interval", "5m").replace("$", "")}
             for n, expression in enumerate(expressions()) if not expression.startswith("label_values")]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "a", "rules": rules}]}))
    said = subprocess.run(["promtool", "check", "rules", str(tmp_path / "rules.yml")], capture_output=True, text=True,
                          timeout=scaled(30), check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    assert f"{len(rules)} rules found" in said.stdout
