"""Reading a backup: nothing of the file is believed before every hash in it holds."""

from __future__ import annotations

import hashlib
import re
import tarfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import msgspec

from clearway.ledger.note import MAX_BYTES, VerifierKey, parse, verified
from clearway.records.errors import ConfigError, InputError, IntegrityError, NotFoundError, UsageError
from clearway.store.failures import at

from .backup_file import (
    BLOCK,
    DUMP,
    HOME,
    LAYOUT,
    MAGIC,
    MANIFEST,
    NOTE,
    PIECE,
    READABLE,
    Layout,
    Manifest,
    statement,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAX_MANIFEST = 1 << 20
_MAX_PARTS = 200
# What a backup may put into a home, and nothing else: the names are from a file that anybody may have made.
_HOME_FILE = re.compile(
    r"home/(table/advisories\.(sqlite|changes)|feeds/status\.json|sign-in\.toml"
    r"|ledger/(signed|log(-pq)?\.key(\.\d{1,4})?))"
)
ANOTHER = "take another backup; this one can't be relied on"


class Backup:
    """A backup that was read and whose every hash holds."""

    def __init__(self, path: Path, file: IO[bytes], manifest: Manifest, data: bytes, note: str) -> None:
        self.path = path
        self.manifest = manifest
        self.digest = hashlib.sha256(data).hexdigest()
        self.places: dict[str, tuple[int, int]] = {}
        self._file = file
        self._note = note

    @property
    def is_signed(self) -> bool:
        """Whether anybody has signed the manifest."""
        return "\n\n" in self._note

    def signed_by(self, keys: list[VerifierKey]) -> VerifierKey | None:
        """Which of `keys` has signed the manifest; None when none has.

        Raises:
            IntegrityError: a signature in the name of one does not hold.
        """
        if not self.is_signed:
            return None
        try:
            note = parse(self._note)
        except InputError as error:
            raise _damaged(self.path, NOTE, error.what) from error
        return next((key for key in keys if verified(note, key) is not None), None)

    def pieces(self, name: str) -> Iterator[bytes]:
        """The bytes of a part, piece by piece."""
        start, left = self.places[name]
        with at(self.path):
            self._file.seek(start)
            while left and (piece := self._file.read(min(PIECE, left))):
                left -= len(piece)
                yield piece

    @property
    def home_files(self) -> list[str]:
        """Names of the parts that belong into a home."""
        return [name for name in self.places if name.startswith(HOME)]


@contextmanager
def opened(path: Path) -> Iterator[Backup]:
    """The backup in `path`, after every byte of it was held against the manifest.

    Raises:
        NotFoundError: there is none.
        UsageError: it is no backup.
        ConfigError: a newer release made it.
        IntegrityError: it is damaged; the part is named.
    """
    with at(path):
        try:
            file = path.open("rb")
        except FileNotFoundError:
            raise NotFoundError("there is no such file", where=str(path), mend="name a backup") from None
        except IsADirectoryError:
            raise UsageError("is a folder", where=str(path), mend="name the file of a backup") from None
    with file:
        yield _checked(path, file)


def _checked(path: Path, file: IO[bytes]) -> Backup:
    head = file.read(BLOCK + 16)
    if not head.startswith(MAGIC.encode() + b"\0"):
        raise UsageError(
            "this is no backup of Clearway",
            where=str(path),
            mend="name a file that `clearway backup` has written",
        )
    layout = head[BLOCK:].split(b"\n")[0]
    if layout.isdigit() and int(layout) > LAYOUT:
        raise _newer(path, "layout " + layout.decode("ascii"))
    if layout not in [str(one).encode() for one in READABLE]:
        raise _damaged(path, MAGIC, "it does not say what it is")
    file.seek(0)
    places: dict[str, tuple[int, int]] = {}
    hashes: dict[str, str] = {}
    try:
        with tarfile.open(fileobj=file, mode="r:", errorlevel=2) as tar:
            for member in tar:
                if (
                    not member.isreg()
                    or member.name in places
                    or len(places) > _MAX_PARTS
                    or member.issparse()
                ):
                    raise _damaged(path, member.name, "there is something in it that does not belong there")
                places[member.name] = (member.offset_data, member.size)
    except (tarfile.TarError, EOFError, ValueError, OverflowError, UnicodeError) as error:
        raise _damaged(path, "", "it is cut, or not readable from there on") from error
    for name in (MANIFEST, NOTE):
        if name not in places:
            raise _damaged(path, name, "it is missing: the file was cut")
    for name, (start, size) in places.items():
        hashes[name] = _hash(path, file, name, start, size)
    data = _read(path, file, MANIFEST, places)
    note = _read(path, file, NOTE, places, MAX_BYTES).decode("utf-8", "replace")
    if not note.startswith(statement(data)):
        raise _damaged(path, MANIFEST, "its hash is not the one that was written down")
    manifest = _manifest(path, data)
    backup = Backup(path, file, manifest, data, note)
    expected = {part.name: part for part in manifest.parts}
    for name, part in expected.items():
        if name not in places:
            raise _damaged(path, name, "it is missing")
        if places[name][1] != part.size or hashes[name] != part.sha256:
            raise _damaged(path, name, "its hash is not the one in the manifest")
        if name != DUMP and not _HOME_FILE.fullmatch(name):
            raise _damaged(path, name, "no such part belongs into a backup")
    if places.keys() - expected.keys() - {MAGIC, MANIFEST, NOTE} or DUMP not in expected:
        raise _damaged(path, MANIFEST, "it does not tell of every part")
    backup.places = {name: places[name] for name in expected}
    return backup


def _manifest(path: Path, data: bytes) -> Manifest:
    try:
        # The layout first: what a newer one holds besides is not damage.
        layout = msgspec.json.decode(data, type=Layout).layout
        if layout > LAYOUT:
            raise _newer(path, f"layout {layout}")
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise _damaged(path, MANIFEST, "it is not a manifest") from error


def _hash(path: Path, file: IO[bytes], name: str, start: int, size: int) -> str:
    digest = hashlib.sha256()
    file.seek(start)
    left = size
    while left:
        piece = file.read(min(PIECE, left))
        if not piece:
            raise _damaged(path, name, "it is cut")
        digest.update(piece)
        left -= len(piece)
    return digest.hexdigest()


def _read(
    path: Path, file: IO[bytes], name: str, places: dict[str, tuple[int, int]], most: int = _MAX_MANIFEST
) -> bytes:
    start, size = places[name]
    if size > most:
        raise _damaged(path, name, "it is too large")
    file.seek(start)
    return file.read(size)


def _newer(path: Path, what: str) -> ConfigError:
    return ConfigError(f"a newer release made this backup ({what})", where=str(path), mend="upgrade Clearway")


def _damaged(path: Path, part: str, what: str) -> IntegrityError:
    where = f"{path}: {part}" if part else str(path)
    return IntegrityError(f"the backup is damaged: {what}", where=where, mend=ANOTHER)
