"""Whose certificates are believed where something outside is asked or written to."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path

_Stamp = tuple[str, int, int, int]


def context(ca_file: str = "") -> ssl.SSLContext:
    """`ca_file`'s certificate authorities alone; without it the system's, or SSL_CERT_FILE's.

    Where the system has none they are those that httpx brings. One context for all who ask, not to be changed, until
    the files change: to read the authorities takes longer than many an exchange.

    Raises:
        OSError: `ca_file` can't be read, or has no certificate (`ssl.SSLError`).
    """
    if ca_file:
        return _of_file(_stamp(ca_file))
    named = ssl.get_default_verify_paths()
    return _of_system(tuple(_stamp(path) for path in (named.cafile, named.capath) if path))


def _stamp(path: str) -> _Stamp:
    try:
        found = Path(path).stat()
    except OSError:
        return path, 0, 0, 0
    return path, found.st_ino, found.st_size, found.st_mtime_ns


@lru_cache(2)
def _of_file(stamp: _Stamp) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=stamp[0])


@lru_cache(2)
def _of_system(_: tuple[_Stamp, ...]) -> ssl.SSLContext:
    made = ssl.create_default_context()
    folder = ssl.get_default_verify_paths().capath
    if not made.cert_store_stats()["x509_ca"] and not (folder and any(Path(folder).iterdir())):
        import certifi

        made.load_verify_locations(certifi.where())
    return made
