"""Fixtures: recorders, and httpds that are checked when the test is over."""
from __future__ import annotations

import contextlib
import os
from typing import Callable, Iterator

import pytest

pytest.register_assert_rewrite("httpdlab", "recorder", "tlslab", "wire", "copies", "comparelab", "http2lab")

from http2lab import Http2Recorder, Http2TlsRecorder    # noqa: E402
from httpdlab import MODULE, Httpd, location, scaled, to    # noqa: E402
from comparelab import hold, pairs, three      # noqa: E402, F401, fixtures
from preloads import control, faults, names, preload    # noqa: E402, F401, fixtures
from recorder import Recorder                   # noqa: E402
from tlslab import Authority, TlsRecorder, server, strict   # noqa: E402

FAILED = pytest.StashKey[bool]()
FAILURES, AGAIN = os.environ.get("TEST_FAILURES"), os.environ.get("TEST_AGAIN")     # files; see lanes/functional


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "smoke: a quick choice that shows whether it works at all")
    config.addinivalue_line("markers", "valgrind: worth to be run under memcheck")
    config.addinivalue_line("markers", "unstarted: only what httpd says of its configuration; no server is started, no thread")
    config.addinivalue_line("markers", "browser: looks at a page with a browser; each that asks for one is marked so")
    config.addinivalue_line("markers", "long: takes seconds, or the processors; begun first, and not beside others in the end")
    config.addinivalue_line("markers", "xdist_group(name): run one after the other; begun first of all")
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    if not MODULE:
        pytest.exit("MODULE, the path of mod_proxy_mirror.so, is needed in the environment", 2)
    _try_module()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note what failed, and in which phase: what is checked after a test is no matter of who gets the processor."""
    if report.failed and FAILURES and "PYTEST_XDIST_WORKER" not in os.environ:
        with open(FAILURES, "a", encoding="utf-8") as f:
            f.write(f"{report.when} {_without_group(report.nodeid)!r}\n")


def _without_group(nodeid: str) -> str:
    """pytest-xdist appends @GROUP."""
    return nodeid[:nodeid.rfind("@")] if nodeid.rfind("@") > nodeid.rfind("]") else nodeid


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first; and only what is noted there."""
    for item in items:
        if item.get_closest_marker("unstarted") and "httpd" in item.fixturenames:
            raise pytest.UsageError(f"{item.nodeid} is marked as one that starts no httpd, and asks for one")
        if "cluster" in item.fixturenames:      # six servers each: one cluster at a time
            item.add_marker(pytest.mark.xdist_group("cluster"))
        if "browser" in item.fixturenames:      # they share one, as it takes long to start
            item.add_marker(pytest.mark.browser)
            if not item.get_closest_marker("xdist_group"):
                item.add_marker(pytest.mark.xdist_group("browser"))
    items.sort(key=lambda item: 0 if item.get_closest_marker("xdist_group") else 1 if item.get_closest_marker("long") else 2)
    if AGAIN:
        with open(AGAIN, encoding="utf-8") as f:
            noted = f.read().splitlines()
        items[:] = [item for item in items if f"call {item.nodeid!r}" in noted]


def _try_module() -> None:
    """One message is enough for a module that cannot be loaded."""
    server = Httpd("")
    said = server.test_configuration()
    server.clean()
    if said.returncode:
        pytest.exit(f"httpd does not start with {MODULE}:\n{said.stderr}", 2)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    """Remember whether the test itself failed: then its httpd need not be checked."""
    outcome = yield
    if outcome.get_result().when == "call":
        item.stash[FAILED] = outcome.get_result().failed


@pytest.fixture
def recorder() -> Iterator[Callable[..., Recorder]]:
    """Makes recorders; `recorder.made` has them."""
    made: list[Recorder] = []

    def make(*arguments, **options) -> Recorder:
        made.append(Recorder(scaled(10), *arguments, **options))
        return made[-1]
    make.made = made
    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> Authority:
    """Whom the tests' httpds trust."""
    made = Authority(str(tmp_path_factory.mktemp("tls") / "ca"))
    made.server = made.issue("server")
    made.client = made.issue("client")
    return made


@pytest.fixture
def https(recorder, authority) -> Callable[..., TlsRecorder]:
    """Makes recorders that speak TLS."""
    def make(context=None, *arguments, **options) -> TlsRecorder:
        recorder.made.append(TlsRecorder(scaled(10), context or server(authority.server), *arguments, **options))
        return recorder.made[-1]
    return make


@pytest.fixture
def http2(recorder) -> Callable[..., Http2Recorder]:
    """Makes mirrors that speak HTTP/2."""
    def make(*arguments, **options) -> Http2Recorder:
        recorder.made.append(Http2Recorder(scaled(10), *arguments, **options))
        return recorder.made[-1]
    return make


@pytest.fixture
def http2_tls(recorder, authority) -> Callable[..., Http2TlsRecorder]:
    """The same with TLS; `alpn`: what they offer."""
    def make(context=None, alpn=("h2",), **options) -> Http2TlsRecorder:
        context = context or server(authority.server)
        context.set_alpn_protocols(list(alpn))
        recorder.made.append(Http2TlsRecorder(scaled(10), context, **options))
        return recorder.made[-1]
    return make


@pytest.fixture(params=["plain", "tls"])
def either(request, recorder, https):
    """Makes recorders, of the one and of the other kind."""
    return recorder if request.param == "plain" else https


@pytest.fixture
def origin(recorder) -> Recorder:
    return recorder()


@pytest.fixture
def mirror(recorder) -> Recorder:
    return recorder()


@pytest.fixture
def httpd(request: pytest.FixtureRequest, recorder) -> Iterator[Callable[..., Httpd]]:
    """Makes and starts httpds. It uses `recorder`, so recorders are still there while httpds are stopped."""
    made: list[Httpd] = []

    def make(*arguments, **options) -> Httpd:
        made.append(Httpd(*arguments, **options))
        return made[-1].start()
    yield make
    failed = request.node.stash.get(FAILED, True)
    for one in recorder.made:
        one.release()
    with contextlib.ExitStack() as stack:
        for server in made:
            stack.callback(server.clean)
            stack.callback(_finish, request.node, server, failed)


@pytest.fixture
def lab() -> Iterator[Callable[..., Httpd]]:
    """Makes httpds that are not started."""
    made: list[Httpd] = []

    def make(conf, **options) -> Httpd:
        made.append(Httpd(conf, **options, mirror_id=None))
        return made[-1]
    yield make
    for one in made:
        one.clean()


@pytest.fixture
def proxy(httpd, origin, authority) -> Callable[..., Httpd]:
    """Makes httpds whose /o/ is mirrored to a recorder, of either kind."""
    def make(mirror, attributes="", conf="", **options) -> Httpd:
        lines = conf + location("/o/", origin, to(mirror, attributes))
        if isinstance(mirror, (TlsRecorder, Http2TlsRecorder)):
            return httpd(strict(authority) + lines, modules=("ssl",), **options)
        return httpd(lines, **options)
    return make


def _finish(node: pytest.Item, server: Httpd, failed: bool) -> None:
    """Check and stop it; its log is shown if anything failed."""
    try:
        server.finish(failed)
    except BaseException:
        failed = True
        raise
    finally:
        if failed:
            node.add_report_section("teardown", "httpd", server.logs())
