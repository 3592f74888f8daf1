"""A child of prefork ends within the handler of SIGTERM, on top of whatever its only thread does just then."""
from __future__ import annotations

import contextlib
import os
import time

import pytest

from httpdlab import location, to, wait_for
from preforklab import PREFORK, strikes, wait_for_another      # noqa: F401, a fixture
from wire import chunked, request

PRELOADS = ("sigterm",)         # SIGTERM comes at that moment
pytestmark = PREFORK


@pytest.fixture
def struck(httpd, origin, mirror, strikes):
    """Makes an httpd with one child of prefork; and the file that has it struck while that is there."""
    def make(attributes="", line=""):
        def conf(h):
            h.env["TEST_SIGTERM"] = h.path("run/strike")
            return line + location("/o/", origin, to(mirror, attributes))
        h = httpd(conf, children=1, env=strikes)
        assert h.get("/o/first").status == 200
        assert h.ended(1) == {"mirrored": 1}
        return h, h.write("run/strike", "")
    return make


def until_struck(h, file, request):
    """Send the request until the child was struck; it has ended then, and another one serves."""
    before = h.pids()

    def is_struck():
        with contextlib.suppress(EOFError, OSError):
            request()
        return not os.path.exists(file)
    wait_for("the child to be struck", is_struck)
    wait_for_another(h, before, file)


@pytest.mark.smoke
@pytest.mark.parametrize("when", ["response", "request"])
def test_end_within_the_push_of_a_copy(struck, mirror, when):
    """The sender is woken, and sends and frees the copy while the handler waits for it."""
    h, file = struck(f"when={when}")
    until_struck(h, file, lambda: h.request("POST", "/o/a", [], b"x" * 100))
    assert all(copy.complete for copy in mirror.requests)
    assert h.outcomes() == {"mirrored": len(mirror.requests)}


def test_end_within_the_end_of_a_copy(struck, mirror):
    """The sender is woken for the line of the log, and prints and frees it while the handler waits for it."""
    h, file = struck("max_body=1000", "ProxyMirrorLog logs/mirror\n")
    too_long = request("POST", "/o/a", ["Transfer-Encoding: chunked"]) + chunked(b"x" * 600, b"x" * 600)

    def ask():
        """Lines wake the sender once a second at most, so requests that come one after the other never would."""
        start = time.monotonic()
        wait_for("the timer of the log to be over", lambda: time.monotonic() > start + 1.5)
        h.exchange(too_long)
    until_struck(h, file, ask)
    outcomes = h.outcomes()
    assert outcomes.pop("mirrored") == len(mirror.requests) == 1
    assert outcomes.keys() == {"too_large"}
