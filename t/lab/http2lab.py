"""Mirrors that speak HTTP/2: python3-h2's state machine in the threads of a recorder, or bytes as a test writes them."""
from __future__ import annotations

import os
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from typing import Callable

import h2.config
import h2.connection
import h2.events
import h2.settings
from h2.exceptions import ProtocolError

from recorder import Recorder
from tlslab import TlsRecorder

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 5, 6, 7, 8, 9
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1
BOUNDS = {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1000, h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: 1 << 20}


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


class Request:
    """A request of a stream, complete or not."""

    def __init__(self, peer: Peer, stream: int, fields: list[tuple[str, str]]) -> None:
        self.peer = peer
        self.stream = stream
        self.fields = fields
        self.body = b""
        self.complete = False

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key == name]

    @property
    def start(self) -> str:
        return f"{self.header(':method')[0]} {self.header(':path')[0]}"

    @property
    def path(self) -> str:
        return self.header(":path")[0]


Respond = Callable[["Peer", Request], object]


def respond(status: int = 200, body: bytes = b"ok\n", fields: tuple[tuple[str, str], ...] = (),
            trailers: tuple[tuple[str, str], ...] = ()) -> Respond:
    def send(peer: Peer, request: Request) -> None:
        head = [(":status", str(status)), *fields]
        if request.header(":method") == ["HEAD"]:
            peer.send(request.stream, head, end=True)
            return
        peer.send(request.stream, head, body, trailers, end=True)
    return send


class Peer:
    """One connection. Its lock is held while its state machine is used."""

    def __init__(self, mirror: Http2Recorder, sock: socket.socket) -> None:
        self.mirror = mirror
        self.sock = sock
        self.lock = threading.RLock()
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.requests: dict[int, Request] = {}
        self.open = 0           # streams, as the mirror counts them
        self.most = 0
        self.resets: dict[int, int] = {}
        self.left = False       # GOAWAY has come
        self.settings_acked = 0
        self.mirror_last = 0    # a stream, for responders

    def flush(self) -> None:
        data = self.h2.data_to_send()
        if data:
            self.sock.sendall(data)

    def send(self, stream: int, fields: list[tuple[str, str]] | None = None, body: bytes = b"",
             trailers: tuple[tuple[str, str], ...] = (), end: bool = False) -> None:
        """On another thread than the connection's it may have to wait for room in a window."""
        with self.lock:
            if fields is not None:
                self._send_headers(stream, fields, end and not body and not trailers)
        while body:
            body = body[self._send_piece(stream, body, end and not trailers):]
        if trailers:
            with self.lock:
                self._send_headers(stream, list(trailers), True)

    def _send_headers(self, stream: int, fields: list[tuple[str, str]], end: bool) -> None:
        self.h2.send_headers(stream, fields, end_stream=end)
        self.open -= end            # before the client knows and begins another
        self.flush()

    def _send_piece(self, stream: int, body: bytes, end: bool) -> int:
        """As much as there is room for; the number of bytes."""
        limit = time.monotonic() + self.mirror.limit
        while time.monotonic() < limit:
            with self.lock:
                size = min(self.h2.local_flow_control_window(stream), 16384, len(body))
                if size > 0:
                    last = end and len(body) == size
                    self.h2.send_data(stream, body[:size], end_stream=last)
                    self.open -= last
                    self.flush()
                    return size
            with self.mirror.changed:
                self.mirror.changed.wait(0.001)
        raise AssertionError(f"no window for stream {stream}")

    def reset(self, stream: int, code: int) -> None:
        with self.lock:
            self.h2.reset_stream(stream, code)
            self.open -= 1
            self.flush()

    def raw(self, data: bytes) -> None:
        with self.lock:
            self.sock.sendall(data)

    def goaway(self, last: int, code: int = 0) -> None:
        """The state machine goes on afterwards."""
        self.raw(frame(GOAWAY, 0, 0, struct.pack(">II", last, code)))

    def settings(self, streams: int) -> None:
        """Say so, and do not watch it."""
        self.raw(frame(SETTINGS, 0, 0, struct.pack(">HI", 3, streams)))

    def update(self, **values: int) -> None:
        names = {"streams": h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS,
                 "window": h2.settings.SettingCodes.INITIAL_WINDOW_SIZE}
        with self.lock:
            self.h2.update_settings({names[name]: value for name, value in values.items()})
            self.flush()

    def serve(self) -> None:
        with self.lock:
            # before the connection begins, update() would be taken for a change that is not acknowledged
            self.h2.local_settings = h2.settings.Settings(client=False, initial_values={**BOUNDS, **self.mirror.settings})
            self.h2.initiate_connection()
            self.flush()
        while data := self.sock.recv(65536):
            finished = []
            with self.lock:
                for event in self.h2.receive_data(data):
                    self._take(event, finished)
                self.flush()
            for request in finished:
                self.mirror.respond(self, request)

    def _take(self, event: h2.events.Event, finished: list[Request]) -> None:
        mirror = self.mirror
        if isinstance(event, h2.events.RequestReceived):
            request = self.requests[event.stream_id] = Request(self, event.stream_id, list(event.headers))
            self.open += 1
            self.most = max(self.most, self.open)
            mirror.note(request)
        elif isinstance(event, h2.events.DataReceived):
            self.requests[event.stream_id].body += event.data
            if event.flow_controlled_length and mirror.updates:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            request = self.requests[event.stream_id]
            with mirror.changed:
                request.complete = True
                mirror.changed.notify_all()
            finished.append(request)
        elif isinstance(event, h2.events.StreamReset):
            with mirror.changed:
                self.open -= 1
                self.resets[event.stream_id] = event.error_code
                mirror.changed.notify_all()
        elif isinstance(event, h2.events.SettingsAcknowledged):
            with mirror.changed:
                self.settings_acked += 1
                mirror.changed.notify_all()
        elif isinstance(event, h2.events.ConnectionTerminated):
            with mirror.changed:
                self.left = True
                mirror.changed.notify_all()


class Http2Recorder(Recorder):
    """A mirror at h2c://. `respond` gets each complete request, `settings` are its own."""
    scheme = "h2c"

    def __init__(self, limit: float, respond: Respond = respond(), settings: dict[str, int] | None = None,
                 raw: Callable[[socket.socket], object] | None = None, **options) -> None:
        names = {"streams": h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS,
                 "window": h2.settings.SettingCodes.INITIAL_WINDOW_SIZE}
        self.respond = respond
        self.settings = {names[name]: value for name, value in (settings or {}).items()}
        self.updates = True         # WINDOW_UPDATE for each DATA
        self.raw = raw
        self.peers: list[Peer] = []
        self.errors: list[ProtocolError] = []       # what the state machine did not let pass
        super().__init__(limit, takeover=self._serve_h2, **options)

    @property
    def url(self) -> str:
        if self.path:
            return f"unix:{self.path}|{self.scheme}://mirror.local"
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def _serve_h2(self, sock: socket.socket) -> None:
        if self.raw:
            self.raw(sock)
            return
        peer = Peer(self, sock)
        with self.changed:
            self.peers.append(peer)
            self.changed.notify_all()
        try:
            peer.serve()
        except ProtocolError as error:
            with self.changed:
                self.errors.append(error)
            try:
                peer.flush()
            except OSError:
                pass

    def note(self, request: Request) -> None:
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()

    def wait_complete(self, count: int) -> list[Request]:
        self.wait_until(f"{count} complete requests", lambda: sum(r.complete for r in self.requests) >= count)
        return self.requests[:]

    def one(self) -> Request:
        (request,) = self.wait_complete(1)
        return request

    def hold(self, then: Respond = respond()) -> Callable[[], None]:
        """From now on, no request is responded to until the returned function is called."""
        held: list[tuple[Peer, Request]] | None = []
        lock = threading.Lock()

        def keep(peer: Peer, request: Request) -> None:
            with lock:
                if held is not None:
                    held.append((peer, request))
                    return
            then(peer, request)

        def go() -> None:
            nonlocal held
            with lock:              # a later request of a connection is not responded to before those that were held
                for peer, request in held or ():
                    try:
                        then(peer, request)
                    except (OSError, ProtocolError):
                        pass        # it is gone
                held = None
                self.respond = then
        self.respond = keep
        return go

    def times(self) -> Counter:
        """How often each path has come."""
        with self.changed:
            return Counter(request.path for request in self.requests)


class Http2TlsRecorder(TlsRecorder):
    """A mirror at h2:// that counts handshakes, and serves as an Http2Recorder does."""
    scheme = "h2"

    def __init__(self, limit: float, context: ssl.SSLContext, **options) -> None:
        self.inner = Http2Recorder(limit, listen=False, **options)
        super().__init__(limit, context, takeover=self._serve_h2)

    def _serve_h2(self, sock: ssl.SSLSocket) -> None:
        self.alpn = sock.selected_alpn_protocol()
        self.inner._serve_h2(sock)

    alpn: str | None = None

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}"

    def close(self) -> None:
        self.inner.close()
        super().close()


# a sanitizer keeps what was freed, and has data of its own
OF_A_SANITIZER = 64 << 20 if "san" in os.environ.get("HTTPD_PRELOAD", "") else 0


def memory(h) -> int:
    """Resident bytes of the children of an httpd, once one has served: a child that has just been forked has hardly any."""
    assert h.get("/nothing").status == 404
    total = 0
    for pid in h.pids():
        with open(f"/proc/{pid}/statm", encoding="ascii") as f:
            total += int(f.read().split()[1])
    return total * os.sysconf("SC_PAGE_SIZE")
