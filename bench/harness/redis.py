"""A Redis server without persistence, for limits."""
import os
import signal
import socket

from .process import Server, free_port


class Redis:
    def __init__(self, lab):
        self.port = free_port()
        root = lab.folder("redis")
        self.server = lab.keep(Server("redis", ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1",
                                                "--dir", root, "--save", "", "--appendonly", "no"], f"{root}/output"))
        self.server.wait_listening(self.port)

    def attributes(self):
        return f"policy=redis redis_host=127.0.0.1 redis_port={self.port}"

    def calls(self):
        """How many commands its clients have sent that ask for a limit; what a script calls is not among them."""
        stats = self._ask("INFO commandstats")
        return sum(int(line.split("calls=")[1].split(",")[0]) for line in stats.splitlines()
                   if line.startswith(("cmdstat_evalsha:", "cmdstat_eval:")))

    def _ask(self, command):
        with socket.create_connection(("127.0.0.1", self.port), 10) as s, s.makefile("rb") as stream:
            s.sendall(command.encode() + b"\r\n")
            return stream.read(int(stream.readline()[1:])).decode()

    def pause(self):
        os.kill(self.server.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.server.pid, signal.SIGCONT)
