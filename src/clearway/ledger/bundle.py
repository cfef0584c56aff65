"""The exported log: one zip file with all that its verification needs, in the paths of C2SP tlog-tiles.

    log.json              origin, keys with their endorsements, witnesses, epochs
    checkpoint            the newest, with its co-signatures
    checkpoints/N         the older ones that are kept
    tile/L/N, tile/entries/N
    opened/N              what opens the leaves of bundle N; only where the export was made with it

Unpacked on any web server it is a tiled log that other tools read.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from clearway.records.errors import InputError, TooLargeError, UpstreamError
from clearway.store.private_file import PrivateFile, writing

from . import tiles as t
from .checkpoint import Epoch, of_note
from .leaf import STRIDE, Opening
from .merkle import HASH_BYTES
from .note import parse
from .tiles import ENTRIES, WIDTH, Tile
from .tree_store import LogKey
from .verify_report import Chunk

FORMAT = "clearway-ledger-1"
_EXPORTED = "give a file of `clearway ledger export`"
_SMALL = 8 << 20
_PIECE = 1 << 20
_OPENED = 64 << 20  # 256 entries at their largest, with room for escapes
_WRONG = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError, KeyError,
)  # fmt: skip


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`log.json`. What says more is of another format than this."""

    format: str
    origin: str
    size: int
    keys: tuple[LogKey, ...]
    witnesses: tuple[str, ...] = ()
    epochs: tuple[Epoch, ...] = ()
    opened: bool = False  # whether headers and contents are in it: then it is as sensitive as they are


_decode_manifest = msgspec.json.Decoder(Manifest).decode
_decode_opened = msgspec.json.Decoder(list[tuple[int, Opening]]).decode
_encode = msgspec.json.Encoder().encode


class BundleWriter:
    """Writes a bundle beside its place, for its owner alone; `publish` puts it there whole, where nothing was."""

    def __init__(self, path: Path) -> None:
        self._new = PrivateFile(path, what="export")
        self._zip: zipfile.ZipFile

    def __enter__(self) -> BundleWriter:
        """Begins it; raises as `PrivateFile`."""
        self._zip = zipfile.ZipFile(self._new.__enter__().file, "w", zipfile.ZIP_STORED, allowZip64=True)
        return self

    def __exit__(self, *why: object) -> None:
        try:
            with suppress(OSError, ValueError):
                self._zip.close()
        finally:
            self._new.__exit__(*why)

    def whole(
        self, manifest: Manifest, notes: list[str], chunks: Iterable[Chunk], above: Callable[[Tile], bytes]
    ) -> str:
        """Writes all of it; the parts are those of a `verify.Source`. The SHA-256 of the file, hexadecimal.

        Raises:
            UpstreamError, ConfigError: the file can't be written.
        """
        self.manifest(manifest)
        self.checkpoints(notes)
        for index, chunk in enumerate(chunks):
            self.chunk(index, chunk)
        for tile in t.at_size(manifest.size):
            if tile.level:
                self.tile(tile, above(tile))
        with writing(self._new.path):
            self._zip.close()
            self._new.file.seek(0)
            made = hashlib.sha256()
            while piece := self._new.file.read(_PIECE):
                made.update(piece)
        self._new.sync()
        return made.hexdigest()

    def publish(self) -> None:
        """Gives the file its name; raises as `PrivateFile`."""
        self._new.publish()

    def manifest(self, manifest: Manifest) -> None:
        self._put("log.json", msgspec.json.format(_encode(manifest), indent=1))

    def checkpoints(self, notes: list[str]) -> None:
        """`notes` oldest first."""
        for number, note in enumerate(notes[:-1]):
            self._put(f"checkpoints/{number}", note.encode())
        if notes:
            self._put("checkpoint", notes[-1].encode())

    def chunk(self, index: int, chunk: Chunk) -> None:
        """One bundle, its tile and, where there are any, its openings."""
        wide = len(chunk.tile) // HASH_BYTES
        self._put(t.path(Tile(ENTRIES, index), wide), chunk.bundle)
        self._put(t.path(Tile(0, index), wide), chunk.tile)
        if chunk.openings:
            self._put(_opened(index), _encode(chunk.openings), zipfile.ZIP_DEFLATED)

    def tile(self, tile: Tile, body: bytes) -> None:
        self._put(t.path(tile, len(body) // HASH_BYTES), body)

    def _put(self, name: str, body: bytes, how: int = zipfile.ZIP_STORED) -> None:
        # The same log makes the same bytes: no time of writing.
        info = zipfile.ZipInfo(name)
        info.compress_type = how
        info.external_attr = 0o644 << 16
        with writing(self._new.path):
            self._zip.writestr(info, body, compresslevel=1)


class Bundle:
    """A bundle that is read; a `verify.Source`. Everything in it is another's word."""

    def __init__(self, path: Path) -> None:
        """Opens it.

        Raises:
            InputError: it is no bundle.
            UpstreamError: it can't be read.
        """
        self._place = str(path)
        with self._translated("the file"):
            try:
                self._zip = zipfile.ZipFile(path)
            except zipfile.BadZipFile:
                what = "it is no whole ZIP archive" if path.stat().st_size else "it is empty"
                raise InputError(
                    f"this is no exported log: {what}", where=self._place, mend=_EXPORTED
                ) from None
            self._names = {info.filename: info for info in self._zip.infolist()}
            if len(self._names) != len(self._zip.infolist()):
                raise InputError(
                    "this is no exported log: a name is in it twice", where=self._place, mend=_EXPORTED
                )
        self.manifest = self._manifest()

    def close(self) -> None:
        self._zip.close()

    def __enter__(self) -> Bundle:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def notes(self) -> list[str]:
        names = [n for n in self._names if n.startswith("checkpoints/")][:100_000]
        return [
            self._read(n, _SMALL).decode("utf-8", "replace")
            for n in (*names, "checkpoint")
            if n in self._names
        ]

    @property
    def whole(self) -> bool:
        """It may hold as little as whoever made it likes: whether all is wanted is the reader's to say."""
        return False

    def waiting(self) -> Iterator[tuple[Opening, bytes]]:
        return iter(())

    def keys(self) -> list[LogKey]:
        return list(self.manifest.keys)

    def epochs(self) -> list[Epoch]:
        return list(self.manifest.epochs)

    def elsewhere(self) -> list[str]:
        """What the file says of itself must be what its checkpoints say.

        Where these end before its leaves, it has lost the newest: nobody vouches for what is beyond.
        """
        reached = 0
        said = self.manifest.origin
        found: list[str] = []
        for text in self.notes():
            with suppress(InputError):
                checkpoint = of_note(parse(text))
                reached = max(reached, checkpoint.size)
                if checkpoint.origin != said and not found:
                    found.append("the file says that it is of another log than its checkpoints")
        if reached < self.manifest.size:
            found.append(
                f"the file says that it has {self.manifest.size:,} entries, and its newest checkpoint is of {reached:,}"
            )
        return found

    def chunks(self, size: int) -> Iterator[Chunk]:
        for index in range(-(-size // WIDTH)):
            # A tree that is smaller than the one exported, when its checkpoint is gone: of the leaves that are here.
            wide = min(WIDTH, max(size, self.manifest.size) - index * WIDTH)
            bundle = self._tile(Tile(ENTRIES, index), wide, STRIDE)
            tile = self._tile(Tile(0, index), wide, HASH_BYTES)
            if not bundle and not tile:
                return
            problems: list[tuple[int, str]] = []
            yield Chunk(
                bundle=bundle, tile=tile, openings=self._openings(index, wide, problems), problems=problems
            )

    def tile(self, tile: Tile) -> bytes:
        across = self.manifest.size >> (t.HEIGHT * tile.level)
        wide = max(0, min(WIDTH, across - tile.index * WIDTH))
        return self._tile(tile, wide, HASH_BYTES) if wide else b""

    def _tile(self, tile: Tile, wide: int, each: int) -> bytes:
        """The tile at this width, or the full one; it has no more than its name says, `each` bytes an entry."""
        for width in (wide, WIDTH):
            name = t.path(tile, width)
            if name in self._names:
                return self._read(name, width * each)
        return b""

    def _openings(self, index: int, wide: int, problems: list[tuple[int, str]]) -> list[tuple[int, Opening]]:
        name = _opened(index)
        if name not in self._names:
            return []
        try:
            found = _decode_opened(self._read(name, _OPENED))
        except (msgspec.MsgspecError, RecursionError, ValueError):
            problems.append((0, f"{name} can't be read"))
            return []
        if any(not 0 <= at < wide for at, _ in found):
            problems.append((0, f"{name} opens a leaf that is not there"))
            return []
        return found

    def _manifest(self) -> Manifest:
        try:
            found = _decode_manifest(self._read("log.json", _SMALL))
        except (msgspec.MsgspecError, RecursionError, ValueError):
            found = None
        if found is None or found.format != FORMAT or not 0 <= found.size <= t.MAX_SIZE:
            raise InputError("this is no exported log", where=self._place, mend=_EXPORTED)
        return found

    def _read(self, name: str, most: int) -> bytes:
        with self._translated(name):
            with self._zip.open(self._names[name]) as member:
                data = member.read(most + 1)
            if len(data) > most:
                raise TooLargeError(f"{name} is over {most:,} bytes", where=self._place)
            return data

    @contextmanager
    def _translated(self, name: str) -> Iterator[None]:
        try:
            yield
        except _WRONG as error:
            raise InputError(
                f"no bundle of the log: it has no {name}"
                if isinstance(error, KeyError)
                else f"{name} can't be read",
                where=self._place,
                mend="export it again, and send it as it is",
            ) from None
        except OSError as error:
            raise UpstreamError(
                f"can't be read: {error.strerror or type(error).__name__}", where=self._place
            ) from None


def _opened(index: int) -> str:
    return t.path(Tile(0, index)).replace("tile/0/", "opened/")
