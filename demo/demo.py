"""make demo: a client, a proxy, the origin behind it, and a mirror; what each of them sees.

A private httpd with conf/demo.conf, on free ports of the loopback interface and in a temporary folder; origin and mirror
are small servers in this process. KEEP=1 leaves them running until Ctrl-C. MODULE, HTTPD and HTTPD_MODDIR come from
make. Ends with 1 if a copy did not arrive as it should, or the difference between the responses was not found."""
import http.server
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time

MODULE, HTTPD, MODDIR = os.environ["MODULE"], os.environ["HTTPD"], os.environ["HTTPD_MODDIR"]
CONF = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "conf", "demo.conf")
NEEDED = ["unixd", "authz_core", "log_config", "proxy", "proxy_http"]
MIRROR_TAKES = 0.5                              # seconds in which the mirror answers

# title, arguments of curl, what curl reads from its standard input, path and query, body that is to arrive
REQUESTS = [
    ("GET", [], None, "/hello?name=world", b""),
    ("POST with a body", ["-H", "Content-Type: application/json", "-d", '{"color": "green", "count": 3}'], None,
     "/hello/form", b'{"color": "green", "count": 3}'),
    ("PUT, chunked, of unknown length", ["-T", "-", "-H", "Content-Type: text/plain"],
     b"one line\nand another\n", "/hello/stream", b"one line\nand another\n"),
]

COLOR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
WIDTH = max(80, min(150, shutil.get_terminal_size((120, 40)).columns))


def style(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOR else text


def heading(text):
    print(style("1", f"\n{text}"))


class Server(http.server.ThreadingHTTPServer):
    """Origin or mirror: remembers what it received, head and body."""
    daemon_threads = True

    def __init__(self, name, answer, takes=0.0):
        super().__init__(("127.0.0.1", 0), Handler)
        self.name, self.answer, self.takes, self.received, self.watch = name, answer, takes, [], None
        self.arrived = threading.Condition()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass                                    # a connection that ends is not worth a word

    def wait(self, count):
        """The request number `count`, None if it does not come."""
        with self.arrived:
            self.arrived.wait_for(lambda: len(self.received) >= count, 10)
            return self.received[count - 1] if len(self.received) >= count else None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def serve(self):
        request = {"line": self.requestline, "headers": self.headers.items(), "body": self.body()}
        with self.server.arrived:
            self.server.received.append(request)
            self.server.arrived.notify_all()
        if self.server.watch:
            self.server.watch(request)
        threading.Event().wait(self.server.takes)
        answer = self.server.answer.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = serve

    def version_string(self):
        return self.server.name

    def log_message(self, *args):
        pass


class Proxy:
    """The httpd: started with conf/demo.conf in a temporary folder."""

    def __init__(self, origin, mirror):
        self.folder = tempfile.mkdtemp(prefix="proxy-mirror-demo.")
        os.chmod(self.folder, 0o755)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        mpm = os.environ.get("MPM", "event")
        with open(f"{self.folder}/modules.conf", "w") as f:
            for name in [f"mpm_{mpm}", *NEEDED]:
                if os.path.exists(f"{MODDIR}/mod_{name}.so"):           # else it is compiled in
                    f.write(f'LoadModule {name}_module "{MODDIR}/mod_{name}.so"\n')
            f.write(f'LoadModule proxy_mirror_module "{MODULE}"\n')
        environment = {**os.environ, "DEMO": self.folder, "DEMO_PORT": str(self.port),
                       "DEMO_ORIGIN": str(origin.server_port), "DEMO_MIRROR": str(mirror.server_port)}
        command = [HTTPD, "-f", os.path.abspath(CONF), "-DFOREGROUND"]
        if os.geteuid() == 0:
            environment["DEMO_GROUP"] = f"#{pwd.getpwnam('nobody').pw_gid}"
            command.append("-DAsRoot")
        # a session of its own: a terminal's Ctrl-C is for this program, which then stops httpd
        self.process = subprocess.Popen(command, env=environment, start_new_session=True)

    def listens(self):
        """Waits until it answers; False if it ended instead."""
        end = time.monotonic() + 15
        while self.process.poll() is None and time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                threading.Event().wait(0.02)
        return False

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        try:
            return open(f"{self.folder}/error_log", errors="replace").read()
        except OSError:
            return ""


def side_by_side(left, right):
    """Two titled columns of text."""
    width = (WIDTH - 9) // 2
    columns = []
    for title, lines in (left, right):
        wrapped = [part for line in lines for part in textwrap.wrap(line, width, subsequent_indent="  ") or [""]]
        columns.append([title, "-" * width, *wrapped])
    rows = max(map(len, columns))
    for n, (a, b) in enumerate(zip(*(c + [""] * (rows - len(c)) for c in columns))):
        a, b = f"{a:{width}}", f"{b:{width}}"
        if n == 0:
            a, b = style("1;36", a), style("1;33", b)
        print(f"    {a}   {b}".rstrip())


def curl(arguments, data=None):
    """What curl printed, and how long it took in ms."""
    out = subprocess.run(["curl", "-sS", "-i", "-m", "20", *arguments], input=data, capture_output=True)
    if out.returncode:
        sys.exit(f"demo: curl: {out.stderr.decode(errors='replace')}")
    return out.stdout.decode(errors="replace").replace("\r", "")


def shell(arguments, data):
    """The command as one would type it."""
    words = [a if a and all(c.isalnum() or c in "-./:" for c in a) else f"'{a}'" for a in arguments]
    line = "curl -i " + " ".join(words)
    return line if data is None else f"printf '{data.decode().encode('unicode_escape').decode()}' | {line}"


def show(number, request, proxy, mirror):
    """Sends one request and prints what came of it; whether the copy is the client's request."""
    title, arguments, data, uri, body = request
    command = [*arguments, f"http://127.0.0.1:{proxy.port}{uri}"]
    heading(f"{number}. {title}")
    print(style("2", f"    $ {shell(command, data)}\n"))
    start = time.monotonic()
    answer = curl(["-H", "Expect:", *command], data)
    took = (time.monotonic() - start) * 1000
    copy = mirror.wait(number)
    lines = ["nothing"]
    if copy:
        lines = [copy["line"], *(f"{k}: {v}" for k, v in copy["headers"])]
        if copy["body"]:
            lines += ["", *copy["body"].decode().splitlines()]
    side_by_side((f"the client received, in {took:.0f} ms", answer.splitlines()), ("the mirror received", lines))
    return bool(copy) and copy["line"] == f"{title.split()[0].rstrip(',')} {uri} HTTP/1.1" and copy["body"] == body


def status(proxy):
    """The JSON of the status handler, once no copy is under way."""
    url = f"http://127.0.0.1:{proxy.port}/mirror-status/mirrors"
    end = time.monotonic() + 10
    while True:
        head, _, text = curl([url]).partition("\n\n")
        if " 200 " not in head.splitlines()[0]:
            sys.exit(f"demo: unexpected response of {url}\n{head}\n\n{text}")
        answer = json.loads(text)
        if time.monotonic() > end or answer["mirrors"][0]["outcomes"]["mirrored"] >= len(REQUESTS):
            return url, answer
        threading.Event().wait(0.05)


def comparison(proxy):
    """What differs between the responses of origin and mirror, once all are compared; whether it is what is to be found."""
    url = f"http://127.0.0.1:{proxy.port}/mirror-status/mirrors/demo/comparison"
    end = time.monotonic() + 10
    while (answer := json.loads(curl([url]).partition("\n\n")[2]))["compared"] < len(REQUESTS) and time.monotonic() < end:
        threading.Event().wait(0.05)
    heading("Comparison of the responses")
    print(style("2", f"    $ curl {url}\n"))
    print(f"    {answer['verdicts']['different']} of {answer['compared']} responses differ:")
    for found in answer["findings"]:
        print(f"    {found['group']:20} {', '.join(row['field'] + ' ' + row['kind'] for row in found['rows'])}")
    print("\n    The price is a number at the origin, and a string at the mirror. The order of the members does not count.")
    return all([row["field"] for row in found["rows"]] == ["body/item/price"] for found in answer["findings"]) and (
        answer["verdicts"]["different"] == len(REQUESTS))


def compact(value, indent):
    """JSON for reading: what has no part with parts of its own fills lines, the rest has a line for each part."""
    nested = isinstance(value, (dict, list)) and any(
        isinstance(v, (dict, list)) for v in (value.values() if isinstance(value, dict) else value))
    if not nested:
        # a space that must not be broken stands as a no-break space while the lines are filled
        text = json.dumps(value, separators=(", ", ":\u00a0"), ensure_ascii=True)
        return textwrap.fill(text, WIDTH - indent, initial_indent=" " * 12, subsequent_indent=" " * (indent + 2),
                             break_long_words=False, break_on_hyphens=False).strip().replace("\u00a0", " ")
    parts = [f"{json.dumps(k)}: {compact(v, indent + 2)}" for k, v in value.items()] if isinstance(value, dict) else [
        compact(v, indent + 2) for v in value]
    first, last = json.dumps(type(value)())
    line = "\n" + " " * indent
    return first + ",".join(f"{line}  {part}" for part in parts) + line + last


def keep(proxy, origin, mirror):
    heading("Running until Ctrl-C (KEEP=1)")
    print(f"    mirrored   http://127.0.0.1:{proxy.port}/hello\n"
          f"    page       http://127.0.0.1:{proxy.port}/mirrors\n"
          f"    status     http://127.0.0.1:{proxy.port}/mirror-status/mirrors\n"
          f"    origin     http://127.0.0.1:{origin.server_port}/\n"
          f"    mirror     http://127.0.0.1:{mirror.server_port}/\n"
          f"    logs       {proxy.folder}/access_log, error_log\n\n"
          f"    What the mirror receives:", flush=True)
    mirror.watch = lambda r: print(f"    {r['line']}  ({len(r['body'])} bytes of body)", flush=True)
    try:
        proxy.process.wait()
    except KeyboardInterrupt:
        print()


def run(proxy, origin, mirror):
    if not proxy.listens():
        print(f"demo: {HTTPD} did not start\n{proxy.log()}", file=sys.stderr)
        return False
    print("Three requests go through a proxy, which sends a copy of each to a mirror:\n\n"
          f"    client ──► httpd :{proxy.port} ──► origin :{origin.server_port}\n"
          f"                 └── copy ──► mirror :{mirror.server_port}"
          f"   (takes {MIRROR_TAKES * 1000:.0f} ms to respond; no client waits for it)")
    good = [show(n, request, proxy, mirror) for n, request in enumerate(REQUESTS, 1)]
    url, answer = status(proxy)
    heading("Counters of the module")
    print(style("2", f"    $ curl {url}\n"))
    print("    " + compact(answer, 4))
    found = comparison(proxy)
    if found and all(good) and answer["mirrors"][0]["outcomes"]["mirrored"] == len(REQUESTS):
        heading(f"All {len(REQUESTS)} requests reached the mirror: same method, same URI, same body.")
        if os.environ.get("KEEP", "0") not in ("", "0"):
            keep(proxy, origin, mirror)
        else:
            print("KEEP=1 ./bootstrap demo keeps it running for your own requests.")
        return True
    print(f"\ndemo: a copy is missing or differs, or the comparison did not find the difference\n{proxy.log()}", file=sys.stderr)
    return False


def main():
    sys.stdout.reconfigure(errors="replace")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))               # as Ctrl-C: by way of `finally`
    if not shutil.which("curl"):
        sys.exit("demo: curl is required")
    origin = Server("origin", '{"item": {"name": "cup", "price": 12.5}}\n')
    mirror = Server("mirror", '{"item":{"price":"12.50","name":"cup"}}\n', MIRROR_TAKES)
    proxy = Proxy(origin, mirror)
    try:
        return 0 if run(proxy, origin, mirror) else 1
    except KeyboardInterrupt:
        print()
        return 1
    finally:
        proxy.stop()


if __name__ == "__main__":
    sys.exit(main())
