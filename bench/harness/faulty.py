"""Mirrors that do no good: a closed port, and one that accepts and never answers."""
import select
import socket
import threading


class Dead:
    """A port on which nobody listens; it is held, so nobody else ever will."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))

    def url(self):
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def stop(self):
        self.socket.close()


class Hang:
    """Accepts every connection, never reads and never answers; closes when the other side has closed."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.address = self.listener.getsockname()
        self.open, self.stopping = {}, False
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def url(self):
        return f"http://127.0.0.1:{self.address[1]}"

    def _serve(self):
        poll = select.epoll()
        poll.register(self.listener, select.EPOLLIN)
        while not self.stopping:
            for fd, _ in poll.poll(1):
                if fd == self.listener.fileno():
                    connection = self.listener.accept()[0]
                    self.open[connection.fileno()] = connection
                    poll.register(connection, select.EPOLLRDHUP)
                else:
                    # close() alone does not, while a process that is just being started has the descriptor, too
                    poll.unregister(fd)
                    self.open.pop(fd).close()
        for connection in self.open.values():
            connection.close()
        self.listener.close()

    def stop(self):
        self.stopping = True
        self.thread.join()
