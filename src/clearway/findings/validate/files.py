"""The files that a recipe names, by their SHA-256: a folder on the command line, sealed artefacts at the desk."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Protocol

from clearway.records.errors import InputError, IntegrityError, NotFoundError

MOST_BYTES = 64 << 20


class Files(Protocol):
    """Gives the bytes of a file by its SHA-256."""

    def read(self, digest: str) -> bytes:
        """The bytes whose SHA-256 is `digest` (hexadecimal). Raises NotFoundError, IntegrityError."""
        ...


class Given:
    """Files that are at hand already."""

    def __init__(self, *blobs: bytes) -> None:
        self._by_digest = {sha256(b).hexdigest(): b for b in blobs}

    def read(self, digest: str) -> bytes:
        """See `Files`."""
        if digest not in self._by_digest:
            raise NotFoundError("a file of the recipe is not there", where=digest)
        return self._by_digest[digest]


class Folders:
    """Files in folders, whatever their names: read once, known by their bytes; the first folder wins."""

    def __init__(self, *folders: Path) -> None:
        self._folders = folders
        self._known: dict[str, Path] | None = None

    def read(self, digest: str) -> bytes:
        """See `Files`; the bytes are checked again as they are read."""
        if self._known is None:
            self._known = self._looked()
        path = self._known.get(digest)
        if path is None:
            raise NotFoundError(
                "a file of the recipe is not there",
                where=digest,
                mend="put it beside the recipe, or name its folder with --files",
            )
        data = path.read_bytes()
        if sha256(data).hexdigest() != digest:
            raise IntegrityError("the file has changed meanwhile", where=str(path))
        return data

    def digests(self) -> frozenset[str]:
        """The SHA-256 of every file there is."""
        if self._known is None:
            self._known = self._looked()
        return frozenset(self._known)

    def _looked(self) -> dict[str, Path]:
        known: dict[str, Path] = {}
        for folder in self._folders:
            for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
                if path.is_symlink() or not path.is_file():
                    continue
                if path.stat().st_size > MOST_BYTES:
                    continue
                with path.open("rb") as file:
                    digest = sha256()
                    while block := file.read(1 << 20):
                        digest.update(block)
                known.setdefault(digest.hexdigest(), path)
        return known


def digest_of(data: bytes, where: str = "") -> str:
    """SHA-256 in hexadecimal. Raises InputError for more than `MOST_BYTES`."""
    if len(data) > MOST_BYTES:
        raise InputError(f"more than {MOST_BYTES >> 20} MiB", where=where)
    return sha256(data).hexdigest()
