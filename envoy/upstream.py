"""The sample service behind the demonstration: tells what it was sent, as JSON.

/boom answers 500 the way a careless service does, with a stack trace and the names of
what it runs on. Usage: upstream.py [PORT]
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STACK_TRACE = """\
Traceback (most recent call last):
  File "/srv/app/documents.py", line 214, in load
    row = db.execute("SELECT * FROM documents WHERE id = 7")
OperationalError: could not connect to db-7.internal:5432 as app
"""


class Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body_bytes = self.read_body()
        path = self.path.partition("?")[0]
        if path == "/boom":
            self.reply(500, "text/plain", STACK_TRACE.encode())
        elif path == "/healthz":
            self.reply(200, "application/json", b'{"status":"ok"}\n')
        else:
            seen = {
                "method": self.command,
                "path": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body_bytes": body_bytes,
            }
            self.reply(200, "application/json", json.dumps(seen, indent=2).encode() + b"\n")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def reply(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.send_header("x-powered-by", "sample-framework/3.1")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def read_body(self) -> int:
        """Read the body to its end, so that the connection can be used again; its size."""
        if "chunked" not in self.headers.get("transfer-encoding", "").lower():
            return len(self.rfile.read(int(self.headers.get("content-length", "0"))))
        total = 0
        while size := int(self.rfile.readline().split(b";")[0], 16):
            total += len(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return total

    def log_message(self, *_: object) -> None:
        """Nothing: Envoy's access log is the one to read."""


class Server(ThreadingHTTPServer):
    daemon_threads = True


if __name__ == "__main__":
    with Server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 10001), Upstream) as server:
        server.serve_forever()
