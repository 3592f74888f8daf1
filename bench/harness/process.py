"""Processes of our own: started in the foreground, watched, and ended by their id. Nothing else is ever signalled."""
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "t", "lab"))

from ports import free_port                         # noqa: E402,F401


class Failed(Exception):
    """A server did not come up, or a measurement is not valid; the message says why."""


class Missing(Failed):
    """Something is not installed."""


def wait_for(what, condition, timeout=15.0, every=0.02):
    """Polls until condition() is true and returns its value."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"timed out waiting for {what}")
        time.sleep(every)


def listening(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def children(pid):
    """The ids of the direct children of a process."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as f:
                    if int(f.read().rsplit(")", 1)[1].split()[1]) == pid:
                        found.append(int(name))
            except OSError:
                pass
    return sorted(found)


class Server:
    """A server that runs as our child, in a session of its own, and ends with us whatever happens."""

    def __init__(self, name, command, output):
        wrap = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        self.name, self.output = name, output
        with open(output, "ab") as out:
            self.process = subprocess.Popen(wrap + command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            start_new_session=True)

    @property
    def pid(self):
        return self.process.pid

    def wait_listening(self, port):
        def up():
            if self.process.poll() is not None:
                with open(self.output, errors="replace") as f:
                    raise Failed(f"{self.name} ended with {self.process.returncode}: {f.read()[-2000:].strip()}")
            return listening(port)
        wait_for(f"{self.name} to listen", up)

    def stop(self, timeout=20):
        if self.process.poll() is None:
            family = children(self.pid)
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                for pid in family + [self.pid]:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                self.process.wait()
