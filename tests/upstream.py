"""A web server on loopback for tests of what is fetched: it keeps the manners of HTTP, and breaks them on demand."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    """One answer. The faults: `cut` ends the connection after so many bytes, `drip_s` waits between bytes."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    validators: bool = True  # with ETag, conditional answers and ranges
    cut: int | None = None
    drip_s: float = 0.0
    chunked: bool = False
    packed: bool = False  # gzip as a content coding


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


class Upstream:
    """`pages` maps a path to its body, a `Reply`, or a function of the request; `asked` is what came in."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.pages: dict[str, bytes | Reply | Callable[[Asked], Reply]] = {}
        self.asked: list[Asked] = []
        self.connections = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def paths(self) -> list[str]:
        return [a.path for a in self.asked]

    def put(self, base: str, files: Mapping[str, bytes]) -> None:
        for name, body in files.items():
            self.pages[f"{base}{name}"] = body


@contextlib.contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Upstream]:
    """A running server; it is gone at the end."""
    server = _Server(("127.0.0.1", 0), _Handler)
    if tls is not None:  # who shakes hands does so in its own thread
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    world = Upstream(server.server_address[1])
    server.world = world
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield world
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    world: Upstream

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.closing = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what these tests are about."""

    def process_request(self, request: Any, client_address: Any) -> None:
        self.world.connections += 1
        super().process_request(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer of two writes takes 40 ms
    server: _Server

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        world = self.server.world
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        world.asked.append(asked)
        page = world.pages.get(self.path, Reply(b"not here", 404, validators=False))
        if callable(page):
            page = page(asked)
        self._answer(Reply(page) if isinstance(page, bytes) else page, asked)

    do_POST = do_GET  # noqa: N815 - the name that http.server calls

    def _answer(self, reply: Reply, asked: Asked) -> None:
        status, headers, body = reply.status, dict(reply.headers), reply.body
        if reply.validators and status == 200:
            tag = headers.setdefault("ETag", f'"{hashlib.sha256(body).hexdigest()[:16]}"')
            if asked.headers.get("if-none-match") == tag:
                status, body = 304, b""
            elif "range" in asked.headers and asked.headers.get("if-range") == tag:
                start = int(asked.headers["range"].removeprefix("bytes=").rstrip("-"))
                headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
                status, body = 206, body[start:]
        if reply.packed:
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body) if reply.packed is True else body
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if reply.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif status != 304 and "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self._body(body, reply)
        if reply.cut is not None:
            self.close_connection = True

    def _body(self, body: bytes, reply: Reply) -> None:
        body = body[: reply.cut] if reply.cut is not None else body
        step = 1 if reply.drip_s else 1 << 16
        for at in range(0, len(body), step):
            piece = body[at : at + step]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if reply.chunked else piece)
            self.wfile.flush()
            if reply.drip_s:
                time.sleep(reply.drip_s)
                if self.server.closing.is_set():
                    return
        if reply.chunked and reply.cut is None:
            self.wfile.write(b"0\r\n\r\n")
