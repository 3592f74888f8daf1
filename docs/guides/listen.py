"""listen.py [ADDRESS:]PORT [SECONDS]: a small server for the guides, on the loopback interface. It prints each request that it gets and
answers, after SECONDS, with a line of text; paths with `fail` in them get a 500."""
import http.server
import sys
import threading

HOST, _, PORT = sys.argv[1].rpartition(":")
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1                               # head and body of an answer leave together

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        lines = [self.requestline, *(f"    {name}: {value}" for name, value in self.headers.items())]
        print("\n".join(lines + ([f"    ({body.decode(errors='replace')})"] if body else [])), flush=True)
        threading.Event().wait(SECONDS)
        answer = f"This is port {PORT}.\n".encode()
        self.send_response(500 if "fail" in self.path else 200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = serve

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass                                    # a connection that ends is not worth a word


Server((HOST or "127.0.0.1", int(PORT)), Handler).serve_forever()
