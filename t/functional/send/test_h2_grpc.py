"""gRPC to a mirror that is a server of grpcio: its handler gets the same bytes."""
from __future__ import annotations

import json
import threading
from concurrent import futures
from types import SimpleNamespace

import grpc
import pytest

from comparelab import compared
from httpdlab import location, scaled, to, wait_for
from marks import needs_http2, needs_mod_http2

pytestmark = [needs_mod_http2, needs_http2]


class Service(grpc.GenericRpcHandler):
    """Methods of /o.S/: Unary, Fail, ClientStream, ServerStream, Bidi; messages are bytes."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[bytes]]] = []
        self.metadata: list[dict] = []
        self.changed = threading.Condition()

    def note(self, method: str, messages: list[bytes], context) -> None:
        with self.changed:
            self.calls.append((method, messages))
            self.metadata.append(dict(context.invocation_metadata()))
            self.changed.notify_all()

    def wait(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.calls) >= count, scaled(10)), self.calls

    def service(self, details):
        method = details.method
        if method == "/o.S/Unary":
            return grpc.unary_unary_rpc_method_handler(self.unary(method))
        if method == "/o.S/Fail":
            return grpc.unary_unary_rpc_method_handler(self.fail(method))
        if method == "/o.S/ClientStream":
            return grpc.stream_unary_rpc_method_handler(self.client_stream(method))
        if method == "/o.S/ServerStream":
            return grpc.unary_stream_rpc_method_handler(self.server_stream(method))
        if method == "/o.S/Bidi":
            return grpc.stream_stream_rpc_method_handler(self.bidi(method))
        return None

    def unary(self, method):
        def handle(request, context):
            self.note(method, [request], context)
            return b"r" + request
        return handle

    def fail(self, method):
        def handle(request, context):
            self.note(method, [request], context)
            context.abort(grpc.StatusCode.NOT_FOUND, "no")
        return handle

    def client_stream(self, method):
        def handle(requests, context):
            messages = list(requests)
            self.note(method, messages, context)
            return str(len(messages)).encode()
        return handle

    def server_stream(self, method):
        def handle(request, context):
            self.note(method, [request], context)
            for n in range(int(request)):
                yield b"x" * 1000 + str(n).encode()
        return handle

    def bidi(self, method):
        def handle(requests, context):
            messages = []
            for request in requests:
                messages.append(request)
                yield b"r" + request
            self.note(method, messages, context)
        return handle


@pytest.fixture
def backends():
    """A primary and a mirror, each a server of grpcio; their ports."""
    made = []
    for _ in range(2):
        service = Service()
        server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[service])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        made.append(SimpleNamespace(service=service, server=server, port=port, url=f"grpc://127.0.0.1:{port}"))
    yield made
    for one in made:
        one.server.stop(None)


@pytest.fixture
def proxy(httpd, backends):
    def make(attributes="", mirror=None, conf="", **options):
        primary, second = backends
        lines = (f'Protocols h2c http/1.1\nH2Direct on\n{conf}ProxyMirrorLog logs/copies\n'
                 + location("/o.S/", SimpleNamespace(url=f"h2c://127.0.0.1:{primary.port}/o.S"), to(mirror or second, attributes)))
        return httpd(lines, modules=("http2", "proxy_http2"), children=1, **options)
    return make


@pytest.fixture
def channel():
    made = []

    def make(h):
        made.append(grpc.insecure_channel(f"127.0.0.1:{h.port}"))
        return made[-1]
    yield make
    for one in made:
        one.close()


def calls(h) -> dict:
    """The outcomes of the copies that went to gRPC."""
    return {outcome: n for outcome, n in h.mirror()["outcomes"].items() if n}


def copies(h) -> list[dict]:
    try:
        return [json.loads(line) for line in h.read("logs/copies").splitlines()]
    except FileNotFoundError:
        return []


def wait_line(h, method: str) -> dict:
    def found():
        return next((line for line in copies(h) if line["uri"] == method), None)
    return wait_for(f"a line of {method}", found)


@pytest.mark.valgrind
@pytest.mark.smoke
def test_unary(proxy, backends, channel):
    h = proxy()
    primary, mirror = backends
    call = channel(h).unary_unary("/o.S/Unary")
    assert call(b"hello", timeout=scaled(10)) == b"rhello"
    mirror.service.wait(1)
    assert mirror.service.calls == primary.service.calls == [("/o.S/Unary", [b"hello"])]
    line = wait_line(h, "/o.S/Unary")
    assert line["outcome"] == "mirrored"
    assert line["response"]["status"] == 200 and line["response"]["grpc_status"] == 0


def test_statuses(proxy, backends, channel):
    """NOT_FOUND of the handler is trailers only; a method that is not there is 12."""
    h = proxy()
    for method, code in (("Fail", grpc.StatusCode.NOT_FOUND), ("None", grpc.StatusCode.UNIMPLEMENTED)):
        with pytest.raises(grpc.RpcError) as error:
            channel(h).unary_unary(f"/o.S/{method}")(b"x", timeout=scaled(10))
        assert error.value.code() == code
    assert wait_line(h, "/o.S/Fail")["response"]["grpc_status"] == 5
    assert wait_line(h, "/o.S/None")["response"]["grpc_status"] == 12


def test_path(proxy, backends, channel):
    h = proxy("path=/o.S/Unary")
    _, mirror = backends
    with pytest.raises(grpc.RpcError):
        channel(h).unary_unary("/o.S/None")(b"x", timeout=scaled(10))
    mirror.service.wait(1)
    assert mirror.service.calls == [("/o.S/Unary", [b"x"])]
    assert wait_line(h, "/o.S/None")["response"]["grpc_status"] == 0


def test_client_stream(proxy, backends, channel):
    h = proxy()
    primary, mirror = backends
    messages = [b"m" * n for n in range(100)]
    assert channel(h).stream_unary("/o.S/ClientStream")(iter(messages), timeout=scaled(20)) == b"100"
    mirror.service.wait(1)
    assert mirror.service.calls == [("/o.S/ClientStream", messages)]
    assert wait_line(h, "/o.S/ClientStream")["response"]["grpc_status"] == 0


def test_server_stream(proxy, backends, channel):
    h = proxy()
    _, mirror = backends
    assert len(list(channel(h).unary_stream("/o.S/ServerStream")(b"1000", timeout=scaled(20)))) == 1000
    mirror.service.wait(1)
    assert wait_line(h, "/o.S/ServerStream")["response"]["grpc_status"] == 0


@pytest.mark.parametrize("attributes", ["compare=all", "compare=status,headers"])
def test_status_behind_the_same_messages_is_compared(proxy, backends, channel, attributes):
    """In trailers, as a failure behind messages is. Of a primary's response that is too long they are not known."""
    h = proxy(f"{attributes} compare_max_body=4K")
    primary, mirror = backends

    def fails_late(request, context):
        mirror.service.note("/o.S/ServerStream", [request], context)
        for n in range(int(request)):
            yield b"x" * 1000 + str(n).encode()
        context.abort(grpc.StatusCode.INTERNAL, "late")

    def call(count: int) -> None:
        assert len(list(channel(h).unary_stream("/o.S/ServerStream")(str(count).encode(), timeout=scaled(20)))) == count
    call(2)
    assert compared(h, 1)["verdicts"]["same"] == 1
    mirror.service.server_stream = lambda method: fails_late
    call(2)
    data = compared(h, 2)
    assert data["verdicts"]["different"] == 1
    assert {(row["field"], row["kind"]) for row in data["findings"][0]["rows"]} == {
        ("header/grpc-status", "value"), ("header/grpc-message", "extra")}
    call(10)
    assert compared(h, 3)["verdicts"]["different"] == 1


def test_bidi_arrives_at_the_half_close(proxy, backends, channel):
    h = proxy()
    _, mirror = backends
    go = threading.Event()

    def requests():
        yield b"1"
        go.wait(scaled(10))
        yield b"2"
    responses = channel(h).stream_stream("/o.S/Bidi")(requests(), timeout=scaled(20))
    assert next(responses) == b"r1"         # the client is not delayed
    assert not mirror.service.calls
    go.set()
    assert list(responses) == [b"r2"]
    mirror.service.wait(1)
    assert mirror.service.calls == [("/o.S/Bidi", [b"1", b"2"])]


def test_endless_and_cancelled(proxy, backends, channel):
    h = proxy("max_body=64K")
    h.expected.append("AH03382: ")      # mod_proxy_http2, if it reads the body as the call is cancelled
    _, mirror = backends
    stop = threading.Event()

    def requests():
        while not stop.is_set():
            yield b"x" * 1000
    responses = channel(h).stream_stream("/o.S/Bidi")(requests(), timeout=scaled(20))
    for _ in range(200):
        assert next(responses)
    assert wait_for("too_large", lambda: calls(h).get("too_large"))
    responses.cancel()
    stop.set()
    begun = threading.Event()

    def few():
        yield b"y"
        begun.wait(scaled(10))
    responses = channel(h).stream_stream("/o.S/Bidi")(few(), timeout=scaled(20))
    assert next(responses) == b"ry"
    responses.cancel()
    begun.set()
    assert wait_for("incomplete", lambda: calls(h).get("incomplete"))
    assert not mirror.service.calls


def test_metrics(proxy, backends, channel):
    h = proxy()
    channel(h).unary_unary("/o.S/Unary")(b"x", timeout=scaled(10))
    with pytest.raises(grpc.RpcError):
        channel(h).unary_unary("/o.S/Fail")(b"x", timeout=scaled(10))
    wait_line(h, "/o.S/Fail")
    metrics = h.get("/mirror-status/metrics").body.decode()
    assert metrics.count("# TYPE proxy_mirror_grpc_total counter") == 1
    assert 'proxy_mirror_grpc_total{mirror="m",code="0"} 1' in metrics
    assert 'proxy_mirror_grpc_total{mirror="m",code="5"} 1' in metrics


def test_server_that_is_silent(proxy, channel, http2):
    """A call that the mirror never ends: a stream that times out."""
    mirror = http2(lambda peer, request: peer.send(request.stream, [(":status", "200")]))
    mirror.scheme = "grpc"
    h = proxy(f"timeout={scaled(1)}s", mirror)
    assert channel(h).unary_unary("/o.S/Unary")(b"x", timeout=scaled(10)) == b"rx"
    assert wait_line(h, "/o.S/Unary")["outcome"] == "timed_out"
    mirror.wait_until("a reset", lambda: list(mirror.peers[0].resets.values()) == [8])
    (copy,) = mirror.requests
    assert copy.header("te") == ["trailers"]
    assert copy.header("content-type") == ["application/grpc"]
    assert not copy.header("content-length")
