"""A child of prefork ends within the handler of SIGTERM, on top of its only thread: while it keeps a response, and while it
gives a pair away."""
from __future__ import annotations

import contextlib
import os

import pytest

from comparelab import both, compared, comparison, decided, skipped
from httpdlab import location, to, wait_for
from managerlab import MANAGER
from preforklab import PREFORK, strikes, wait_for_another      # noqa: F401, a fixture

PRELOADS = "sigterm", "grow"
pytestmark = PREFORK


@pytest.fixture
def struck(httpd, recorder, strikes):
    """Makes an httpd with one child of prefork; and the file that has it struck while that is there."""
    def make(variable):
        primary, mirror = recorder(), recorder()
        both(primary, mirror, b"x", b"x")

        def conf(h):
            h.env[variable] = h.path("run/strike")
            h.write("htdocs/f", "x" * 100000)
            return (f'{MANAGER}{to(mirror, "compare=all")}\nEnableMMAP off\n' + location("/o/", primary)
                    + '<Location "/mirror-status">\nProxyMirror off\n</Location>\n'
                    + '<Location "/manager">\nProxyMirror off\n</Location>\n')
        h = httpd(conf, children=1, env=strikes)
        assert h.get("/o/first").status == 200
        assert compared(h, 1)["verdicts"]["same"] == 1
        return h, h.write("run/strike", "")
    return make


@pytest.mark.skipif("san" in os.environ.get("HTTPD_PRELOAD", ""), reason="a sanitizer has a realloc(3) of its own")
def test_end_while_a_response_is_kept(struck):
    """Of a file, as mod_proxy's own brigade does not outlive this. It is read in pieces, so memory grows."""
    h, file = struck("TEST_GROW")
    before = h.pids()
    with contextlib.suppress(EOFError, OSError):
        h.get("/f")
    wait_for_another(h, before, file)
    data = compared(h, h.mirror()["seen"])
    assert skipped(data).keys() <= {"shut_down", "primary_incomplete", "no_answer"}
    assert data["verdicts"]["same"] == data["compared"] == 1


def test_end_while_a_pair_is_given_away(struck):
    h, file = struck("TEST_SIGTERM")
    before, sent = h.pids(), 1

    def is_struck() -> bool:
        nonlocal sent
        sent += 1
        with contextlib.suppress(EOFError, OSError):
            h.get("/o/a")
        return not os.path.exists(file)
    wait_for("the child to be struck", is_struck)
    wait_for_another(h, before, file)
    wait_for("the comparisons", lambda: decided(comparison(h)) == h.mirror()["seen"])
    data = compared(h, h.mirror()["seen"])
    assert skipped(data).keys() <= {"shut_down", "primary_incomplete", "no_answer"}
    assert data["verdicts"]["same"] == data["compared"] <= sent
