"""The wall clock of the host, as a test sets it for an httpd (preload/clock.c)."""
from __future__ import annotations

import datetime
import mmap
import os
import struct
import time

import pytest

from httpdlab import scaled

HOUR, DAY = 3600, 86400
steps = pytest.mark.parametrize("step", [HOUR, -HOUR, DAY, -DAY])


class Clock:
    """The wall clock as httpd has it, ahead of the true one."""

    def __init__(self, folder: str) -> None:
        self.path = f"{folder}/clock"
        with open(self.path, "wb") as f:
            f.write(bytes(8))
        os.chmod(self.path, 0o644)
        with open(self.path, "r+b") as f:
            self._shift = mmap.mmap(f.fileno(), 8)
        self.ahead = 0

    def step(self, seconds: int) -> None:
        self.ahead += seconds
        self._shift[:] = struct.pack("=q", self.ahead * 1000000)

    def is_now(self, text: str, later: float = 0) -> bool:
        """Whether a printed time is now, or so many seconds later, give or take a minute."""
        printed = datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
        return abs(printed - time.time() - self.ahead - later) < scaled(60)


@pytest.fixture
def clock(control) -> Clock:
    return Clock(control)
