"""A forward proxy on loopback for tests: it tunnels by CONNECT, forwards plain requests, and misbehaves on demand."""

from __future__ import annotations

import base64
import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit


class Proxy:
    """`routes` maps a host name to the port on loopback that it leads to; `asked` are the first lines that came in.

    `login` is what it wants, "" for nothing; `says` is what it answers in place of doing its work.
    """

    def __init__(self) -> None:
        self.routes: dict[str, int] = {}
        self.asked: list[str] = []
        self.logins: list[str] = []
        self.seen = b""  # all bytes that it could read
        self.login = ""
        self.says = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(client,), daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _one(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError, ValueError, KeyError):
            head = b""
            while b"\r\n\r\n" not in head:
                if not (piece := client.recv(65536)):
                    return
                head += piece
            lines = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
            self.asked.append(lines[0])
            login = next(
                (x.partition(": ")[2] for x in lines if x.lower().startswith("proxy-authorization")), ""
            )
            self.logins.append(login)
            self.seen += head
            if self.login and login != "Basic " + base64.b64encode(self.login.encode()).decode():
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            elif self.says:
                client.sendall(self.says)
            elif lines[0].startswith("CONNECT "):
                host = lines[0].split()[1].rpartition(":")[0]
                with socket.create_connection(("127.0.0.1", self.routes[host])) as onward:
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    self._both(client, onward)
            else:
                url = urlsplit(lines[0].split()[1])
                with socket.create_connection(("127.0.0.1", self.routes[url.hostname or ""])) as onward:
                    # One request a connection: what follows on it would have to be rewritten too.
                    once = head.replace(lines[0].split()[1].encode(), url.path.encode(), 1)
                    onward.sendall(once.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
                    self._both(client, onward)

    def _both(self, client: socket.socket, onward: socket.socket) -> None:
        def back() -> None:
            with contextlib.suppress(OSError):
                while piece := onward.recv(65536):
                    self.seen += piece
                    client.sendall(piece)
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=back, daemon=True)
        thread.start()
        with contextlib.suppress(OSError):
            while piece := client.recv(65536):
                self.seen += piece
                onward.sendall(piece)
            onward.shutdown(socket.SHUT_WR)
        thread.join(2)


@contextlib.contextmanager
def proxying() -> Iterator[Proxy]:
    """A running proxy; it is gone at the end."""
    made = Proxy()
    thread = threading.Thread(target=made.serve, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.close()
        thread.join()


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for a name, signed by itself, and its key."""
    key, cert = folder / "k.pem", folder / "c.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
         "-keyout", key, "-out", cert, "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key
