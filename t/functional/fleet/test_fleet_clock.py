"""The wall clock of a node is set: it follows all the same, and only its state is doubtful."""
from __future__ import annotations

import pytest

from clocklab import DAY, HOUR, clock     # noqa: F401, a fixture
from fleetlab import change, conf, in_force, state     # noqa: F401
from httpdlab import location, to, wait_for
from managerlab import MANAGER
from redislab import needs_redis, redis        # noqa: F401, the fixture

PRELOADS = "clock", "connect"
pytestmark = needs_redis


@pytest.mark.parametrize("step", [2 * HOUR, -HOUR, DAY, -DAY])     # up to an hour ahead is allowed
def test_the_clock_of_a_node_steps(redis, httpd, origin, mirror, clock, preload, step):
    server = redis()
    text = MANAGER + conf(server.port) + location("/o/", origin, to(mirror))
    right, wrong = httpd(text), httpd(text, children=1, env={"HTTPD_PRELOAD": preload, "TEST_CLOCK": clock.path})
    change(right, {"count": 2})
    in_force(wrong, {"count": 2})
    wait_for("both in force", lambda: state(right)["nodes"]["in_force"] == 2, 3)
    clock.step(step)
    change(right, {"count": 3})
    in_force(wrong, {"count": 3})
    assert change(wrong, {"count": 4})["revision"] == 3
    in_force(right, {"count": 4})
    wait_for("the doubtful state", lambda: state(right)["nodes"]["in_force"] == 1, 3)
    assert server("HLEN", "proxy-mirror:v1:{web}:nodes") == 2
    clock.step(-step)
    change(wrong, {"count": 5})
    wait_for("both in force", lambda: state(right)["nodes"]["in_force"] == 2, 3)
    assert not wrong.log_lines("PM093[0367]")
