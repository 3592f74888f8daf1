"""The nodes of a fleet, as the responses and the page report them."""
from __future__ import annotations

import json
import time

import pytest

import pagelab
from fleetlab import change, fleet_call, node, state     # noqa: F401, the fixture
from httpdlab import Httpd, wait_for
from managerlab import patch
from redislab import needs_redis, redis        # noqa: F401, the fixture
from test_fleet import NODES

pytestmark = needs_redis


def report(server, name: str, **more) -> None:
    """As a node does."""
    server("HSET", NODES, name, json.dumps({"at": int(time.time()), "revision": 1, "id": "0" * 15 + "1", "module": "0.1.0", **more}))


@pytest.mark.parametrize("module, warned", [
    ("0.0.9", True), ("0.0.10-dev", True), ("9.0.0", False), ("", False), ("x", False), ("0.0", False), ("99999999999999999999.0.0", False),
    (7, False)])
def test_an_older_module(node, module, warned):
    h = node()
    report(node.server, "old.example.com:80-1", module=module)
    warnings = change(h, {"count": 2}).get("warnings", [])
    assert len(warnings) == warned
    if warned:
        assert warnings[0].startswith(f"1 node runs an older module, such as old.example.com:80-1 with {module};")
        report(node.server, "old.example.com:80-2", module="0.0.7")
        assert "2 nodes run an older module, such as old.example.com:80-2 with 0.0.7;" in state(h)["warnings"][0]
        report(node.server, "old.example.com:80-2", module="0.0.7", at=int(time.time()) - 100)      # it is silent
        assert "1 node runs" in state(h)["warnings"][0]
