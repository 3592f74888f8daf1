"""A mirror whose mood changes: healthy, slow, resetting, dripping, dead; plain or over TLS.

As a program, moody.py PORT [CERTIFICATE KEY], it reads moods from its standard input, a line each, until that ends; so it
takes no time from whoever measures. Moody is its handle."""
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading

MOODS = ("healthy", "slow", "resetting", "dripping", "dead")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n" + b"x" * 63 + b"\n"
SLOW = 0.4                                          # seconds until an answer
DRIP = 0.03                                         # seconds between two bytes of one
PATIENCE = 30                                       # seconds without a byte after which a connection is given up


class Moody:
    """The process; it ends with us."""

    def __init__(self, port, certificate=None):
        self.port, self.certificate = port, certificate
        files = [certificate.path, certificate.key] if certificate else []
        self.process = subprocess.Popen([sys.executable, __file__, str(port), *files], stdin=subprocess.PIPE, text=True)

    def url(self):
        return f"http{'s' if self.certificate else ''}://127.0.0.1:{self.port}"

    def set(self, mood):
        self.process.stdin.write(mood + "\n")
        self.process.stdin.flush()

    def stop(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(20)


def _reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Server:
    def __init__(self, port, context):
        self.port, self.context, self.mood = port, context, "dead"
        self.changed = threading.Event()            # set while moods change: nobody waits any more
        self.lock, self.open = threading.Lock(), set()
        self.listener = None
        self.accepted = 0

    def set(self, mood):
        self.changed.set()
        self.changed = threading.Event()
        self.mood = mood
        if mood == "dead" and self.listener:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
            with self.lock:
                for connection in self.open:
                    try:
                        connection.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass
        elif mood != "dead" and not self.listener:
            self.listener = socket.create_server(("127.0.0.1", self.port), backlog=1024)
            threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            self.accepted += 1
            if self.mood == "resetting" and self.accepted % 2:
                _reset(connection)                  # with TLS: in the handshake
                continue
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            connection.settimeout(PATIENCE)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            with self.lock:
                self.open.add(connection)
            while self._take(connection):
                if not self._answer(connection):
                    return
        except (OSError, ValueError):
            pass
        finally:
            with self.lock:
                self.open.discard(connection)
            connection.close()

    @staticmethod
    def _take(connection):
        """Reads one request with a Content-Length; False at the end. Nobody pipelines."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return False
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        left = -len(body)
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                left += int(value)
        while left > 0:
            more = connection.recv(min(left, 65536))
            if not more:
                return False
            left -= len(more)
        return True

    def _answer(self, connection):
        """False: the connection is not used again."""
        mood, changed = self.mood, self.changed
        if mood == "resetting":
            _reset(connection)
            return False
        if mood == "dripping":
            for i in range(len(ANSWER)):
                connection.sendall(ANSWER[i:i + 1])
                if changed.wait(DRIP):
                    return False
            return True
        if mood == "slow":
            changed.wait(SLOW)
        connection.sendall(ANSWER)
        return True


def main():
    context = None
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
    server = Server(int(sys.argv[1]), context)
    for line in sys.stdin:
        server.set(line.strip())
    os._exit(0)


if __name__ == "__main__":
    main()
