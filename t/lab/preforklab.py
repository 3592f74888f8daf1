"""A child of prefork that ends within the handler of SIGTERM, on top of whatever its only thread does just then."""
from __future__ import annotations

import os

import pytest

import httpdlab
from httpdlab import MODDIR, Httpd, wait_for

# for `pytestmark`
PREFORK = [
    pytest.mark.skipif(not os.path.exists(f"{MODDIR}/mod_mpm_prefork.so"), reason="this httpd has another MPM built in"),
    pytest.mark.skipif("tsan" in os.environ.get("HTTPD_PRELOAD", ""),
                       reason="ThreadSanitizer reports each handler of a signal that allocates, as prefork's own does")]


@pytest.fixture
def strikes(monkeypatch, preload) -> dict[str, str]:
    """Lets httpd be a prefork one; returns its environment. What is freed is overwritten at once, so that whoever uses it does
    not get away with it."""
    monkeypatch.setattr(httpdlab, "MPM", "prefork")
    monkeypatch.setattr(httpdlab, "THREADED", False)
    return {"HTTPD_PRELOAD": preload, "MALLOC_PERTURB_": "165"}


def wait_for_another(h: Httpd, before: list[int], file: str) -> None:
    """Wait until the child was struck; it has ended then, and another one serves."""
    wait_for("the child to be struck", lambda: not os.path.exists(file))
    wait_for("another child", lambda: h.pids() and h.pids() != before)
    h.wait_idle()
