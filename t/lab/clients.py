"""Clients at the same time: some that do one thing each, and some that go on until they are told to end."""
from __future__ import annotations

import threading

from httpdlab import scaled, wait_for
from wire import Client, request


def run_together(count: int, work) -> None:
    """work(n) in so many threads; what one of them raises is raised here."""
    errors: list[BaseException] = []

    def guarded(n: int) -> None:
        try:
            work(n)
        except BaseException as error:
            errors.append(error)
    threads = [threading.Thread(target=guarded, args=(n,), daemon=True) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(scaled(60))
        assert not thread.is_alive()
    if errors:
        raise errors[0]


class Load:
    """Clients that send one request after the other, each on a connection of its own, until they are told to end."""

    def __init__(self, h, clients: int = 4) -> None:
        self.h = h
        self.stop = threading.Event()
        self.answered: list[str] = []           # targets that were answered with 200
        self.sent = 0                           # a lower bound
        self.threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(clients)]
        for thread in self.threads:
            thread.start()

    def _run(self, n: int) -> None:
        count = 0
        while not self.stop.is_set():
            count += 1
            target = f"/o/{n}-{count}"
            body = b"x" * (count % 50)
            try:
                with Client(self.h.port, scaled(20)) as client:
                    client.send(request("POST", target, [], body))
                    if client.answer().status == 200:
                        self.answered.append(target)
            except (OSError, EOFError):
                pass                            # httpd is just restarting
            self.sent += 1

    def wait_more(self, count: int) -> None:
        wanted = len(self.answered) + count
        wait_for("the load to go on", lambda: len(self.answered) >= wanted, 30)

    def end(self) -> list[str]:
        self.stop.set()
        for thread in self.threads:
            thread.join(scaled(30))
            assert not thread.is_alive()
        return self.answered
