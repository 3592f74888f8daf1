"""A store that keeps its data on disk is restarted."""
from __future__ import annotations

import json

from fleetlab import DOWN, change, conf, document, fleet_call, in_force, state     # noqa: F401
from httpdlab import location, to, wait_for
from managerlab import MANAGER
from redislab import needs_redis, redis        # noqa: F401, the fixture

pytestmark = needs_redis


def test_a_store_with_appendonly_is_restarted(redis, httpd, origin, mirror):
    server = redis("--appendonly", "yes", "--appendfsync", "always")
    h = httpd(MANAGER + conf(server.port) + location("/o/", origin, to(mirror)), expect=[DOWN])
    for n in range(2, 5):
        change(h, {"count": n})
    fleet_call(h, "DELETE", headers=())
    change(h, {"count": 7})
    server.kill()
    wait_for("the line", lambda: h.log_lines("PM0930"), 5)
    server.start()
    assert document(h)["attributes"] == {"count": 7}
    assert change(h, {"count": 8}, headers=["Content-Type: application/json", "Prefer: wait=9"])["nodes"]["in_force"] == 1
    assert len(json.loads(fleet_call(h, "GET", "/log").body)["log"]) == 6
