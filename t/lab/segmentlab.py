"""The shared memory of mirrors as a test reads and writes it from outside, and its layout."""
from __future__ import annotations

import os
import random
import struct

from httpdlab import THREADED

MAGIC = b"VrorriM"              # the end of the header's first word
SLOTS = 4
SLOT_SIZE = 128
SLOT, PLACES = 64, 64 + SLOTS * SLOT_SIZE     # where the first slot and the places are, from the header
PLACES_MAX = 1 + (8 if THREADED else 2) + 16            # a shared one, one for each child that there may be, and some more
CELL = 640
STORE = 131136                  # two texts of 64 KiB, with config and size before each
FINDINGS = 610496
LOST = 5440                     # 32 losses
SERVERS, COUNTS = 2816, 1024    # places of 32 servers, and one child's counters of them
FLEET = 192                     # what the node knows of its fleet
SLOTS_USED, LOAD, PLACES_USED, LOCK, VERSION = 8, 12, 16, 24, SLOT + 8
U32, U64 = struct.Struct("<I").pack, struct.Struct("<Q").pack
FOR_EVER = 0xffffffffffffffff


class Segment:
    """The shared memory of mirrors, as a process has it."""

    def __init__(self, pid: int) -> None:
        self.mem = os.open(f"/proc/{pid}/mem", os.O_RDWR)
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as f:
            shared = [line.split()[0].split("-") for line in f if line.split()[1] == "rw-s"]
        found = [(int(start, 16) + 64, int(end, 16)) for start, end in shared
                 if os.pread(self.mem, 8, int(start, 16) + 64)[1:] == MAGIC]
        assert len(found) == 1, shared
        (self.start, self.end), = found

    def write(self, offset: int, data: bytes) -> None:
        assert 0 <= offset <= offset + len(data) <= self.end - self.start
        assert os.pwrite(self.mem, data, self.start + offset) == len(data)

    def fill(self, kind: str) -> None:
        seed = random.Random(kind)
        for offset in range(0, self.end - self.start, 1 << 20):
            size = min(1 << 20, self.end - self.start - offset)
            self.write(offset, {"ones": b"\xff" * size, "zeros": bytes(size)}.get(kind) or seed.randbytes(size))

    def close(self) -> None:
        os.close(self.mem)
