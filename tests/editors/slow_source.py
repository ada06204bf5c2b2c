"""A web server on this machine from which a model comes slowly: a part of it, and then nothing."""

import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from fimble.models.catalogue import load_catalogue

SHARE = 0.052
"""Where each download stops, of the whole file."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        span = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "bytes=0-"))
        start, size = int(span[1]), self.server.size
        self.server.starts.append(start)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(size - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.end_headers()
        self.wfile.write(bytes(max(0, int(size * SHARE) - start)))
        self.wfile.flush()
        self.server.over.wait()

    def log_message(self, *_):
        pass


class Source(ThreadingHTTPServer):
    """``starts`` lists the first byte of each download."""

    daemon_threads = True

    def __init__(self, size):
        super().__init__(("127.0.0.1", 0), Handler)
        self.size = size
        self.starts = []
        self.over = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """A client that leaves is what this is about."""


@contextmanager
def slow_source():
    """Serve the default model's size in zeros."""
    catalogue = load_catalogue()
    [model] = [one for one in catalogue.models if one.name == catalogue.default]
    with Source(model.size) as source:
        thread = threading.Thread(target=source.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield source
        finally:
            source.over.set()
            source.shutdown()
            thread.join()
