"""Processes, their pipes and sockets, as the kernel has them."""
from __future__ import annotations

import glob
import os
import socket
import struct

LISTENING = 1 << 10                             # bits of states, as Linux numbers them
CONNECTED = 0xfff & ~(LISTENING | 1 << 6 | 1 << 7)      # not TIME_WAIT, not CLOSE


def children(pid: int) -> list[int]:
    """Of a process whose main thread alone makes some. While one of them goes, the kernel may leave out another, so it is
    asked until it says the same twice. (ps would look at every process of the machine.)"""
    def listed() -> list[int]:
        try:
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
                return [int(child) for child in f.read().split()]
        except (FileNotFoundError, ProcessLookupError):
            return []
    before, now = None, listed()
    while before != now:
        before, now = now, listed()
    return now


def state(file: str) -> str:
    """Of a process or a thread, as its `stat` in /proc has it; Z also if it has ended."""
    try:
        with open(file, encoding="utf-8", errors="replace") as f:
            return f.read().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


def thread_states(pid: int) -> dict[str, tuple[str, int]]:
    """The state of each thread of a process, and how often it has gone to sleep or lost its processor."""
    found = {}
    for file in glob.glob(f"/proc/{pid}/task/*/status"):
        try:
            with open(file, encoding="utf-8", errors="replace") as f:
                fields = dict(line.split(":", 1) for line in f if ":" in line)
        except (FileNotFoundError, ProcessLookupError):
            continue                            # just ended
        found[file] = (fields["State"].strip()[0],
                       int(fields["voluntary_ctxt_switches"]) + int(fields["nonvoluntary_ctxt_switches"]))
    return found


def open_pipes(pid: int) -> set[str]:
    """Those of a process; none if it has ended."""
    found = set()
    for link in glob.glob(f"/proc/{pid}/fd/*"):
        try:
            found.add(os.readlink(link))
        except FileNotFoundError:
            pass                                # just closed
    return {name for name in found if name.startswith("pipe:")}


def sockets(port: int, states: int) -> set[int]:
    """The inodes of the sockets of 127.0.0.1 that have this port and one of these states, and that a process has open.
    The kernel looks for them (sock_diag(7)); it would take long to write down all that it has, as /proc/net/tcp does."""
    match = struct.pack("=BBBxI2s46x", socket.AF_INET, socket.IPPROTO_TCP, 0, states, port.to_bytes(2, "big"))
    found = set()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as sock:          # NETLINK_SOCK_DIAG
        sock.send(struct.pack("=IHHII", 16 + len(match), 20, 0x301, 0, 0) + match)  # SOCK_DIAG_BY_FAMILY; dump
        while True:
            data = sock.recv(1 << 16)
            while data:
                length, kind = struct.unpack_from("=IH", data)
                if kind == 3:                   # NLMSG_DONE
                    return found - {0}
                if kind == 2:                   # NLMSG_ERROR
                    raise OSError(-struct.unpack_from("=i", data, 16)[0], "sock_diag")
                found.add(struct.unpack_from("=I", data, 84)[0])    # idiag_inode
                data = data[length + 3 & ~3:]
