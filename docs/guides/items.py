"""items.py PORT VERSION: a small server for the guide "Is my new version safe?", on the loopback interface. It has a thousand items,
/items/1 to /items/1000, as JSON. VERSION is `old`, `new` (which has a fault), or `fixed`."""
import http.server
import json
import sys
import uuid

PORT, VERSION = int(sys.argv[1]), sys.argv[2]


def item(number: int) -> dict:
    """What is known of an item. The offer is another one for each request, in all versions."""
    found = {"id": number, "name": f"Item {number}", "price": number * 5 / 100, "stock": number % 10, "offer": str(uuid.uuid4())}
    if VERSION == "new" and not found["stock"]:
        del found["stock"]                      # the fault: an item that is sold out has no stock
    return found


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1                               # head and body of a response leave together

    def do_GET(self):
        number = self.path.rpartition("/")[2]
        good = number.isdigit() and 1 <= int(number) <= 1000
        text = json.dumps(item(int(number)) if good else {"error": "no such item"},
                          sort_keys=VERSION != "old", separators=(",", ":") if VERSION != "old" else None)
        self.send_response(200 if good else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *arguments):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
