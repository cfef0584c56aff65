"""A log in memory, for tests: a `verify.Source` whose every byte can be spoilt, and a bundle made of it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from clearway.ledger import tiles as t
from clearway.ledger.bundle import FORMAT, BundleWriter, Manifest
from clearway.ledger.checkpoint import Checkpoint, Epoch
from clearway.ledger.leaf import STRIDE, Opening, bundled, content_hash, header_hash, leaf_hashes, leaf_of
from clearway.ledger.merkle import EMPTY_ROOT
from clearway.ledger.note import Note, SigningKey
from clearway.ledger.tiles import ENTRIES, WIDTH, Tile
from clearway.ledger.tree_store import LogKey
from clearway.ledger.verify_report import Chunk

ORIGIN = "clearway/test"
KEY = SigningKey(ORIGIN, "ed25519", b"k" * 32)


class MemoryLog:
    """Entries, the tree over them and checkpoints, each in the open."""

    def __init__(self, key: SigningKey = KEY, origin: str = ORIGIN) -> None:
        self.key = key
        self.origin = origin
        self.opened: list[Opening] = []
        self.shown: list[tuple[int, Opening]] | None = None  # what is shown of them, where not all
        self.leaves: list[bytes] = []  # as they stand in bundles
        self.tiles: dict[Tile, bytes] = {}
        self.checkpoints: list[Note] = []
        self.chain: list[Epoch] = []
        self.log_keys = [
            LogKey(number=1, vkey=key.public.text(), endorsement="", retired=False),
        ]

    @classmethod
    def of(
        cls,
        count: int,
        *,
        salt: bytes = b"",
        batches: Sequence[int] = (),
        headers: Mapping[int, str] | None = None,
    ) -> MemoryLog:
        """A log of `count` entries in `batches`, with a checkpoint after each. `salt` makes another log of it, and
        `headers` are what some leaves have in the place of their own."""
        log = cls()
        for size in batches or (count,):
            log.add(size, salt=salt, headers=headers or {})
        return log

    @property
    def epoch(self) -> Epoch | None:
        return self.chain[-1] if self.chain else None

    @epoch.setter
    def epoch(self, one: Epoch) -> None:
        self.chain = [e for e in self.chain if e.number < one.number] + [one]

    def restart(
        self, kept: int, *, forged: Sequence[int] = (), old_root: bytes = b"", told: bool = True
    ) -> Epoch:
        """Goes on from the first `kept` entries as a new epoch, as whoever holds the key can: with `forged` ones."""
        number = self.chain[-1].number + 1 if self.chain else 2
        epoch = Epoch(number=number, old_size=self.size, old_root=old_root or self.root(self.size), kept=kept)
        del self.leaves[kept:], self.opened[kept:]
        for at in forged:
            self.put(at, self.opened[at].header or "{}", '{"n":"forged"}')
        self.checkpoints = [c for c in self.checkpoints if int(c.text.split("\n")[1]) <= kept]
        if forged:
            self.rebuild()
        self.tiles = t.grow(0, leaf_hashes(b"".join(self.leaves)), {})
        self.chain.append(epoch)
        header = f'{{"act":"ledger.epoch_opened","subject":"epoch/{number}"}}'
        content = f'{{"epoch":{number},"kept":{kept},"old_root":"{epoch.old_root.hex()}","old_size":{epoch.old_size}}}'
        self.append(header if told else '{"act":"asset.added"}', content)
        self.sign()
        return epoch

    def put(self, at: int, header: str, content: str) -> None:
        """Another entry in the place of one; the tree is not changed."""
        salts = [secrets.token_bytes(32) for _ in range(2)]
        self.opened[at] = Opening(self.opened[at].entry, header, salts[0], content, salts[1])
        self.leaves[at] = bundled([leaf_of(header_hash(salts[0], header), content_hash(salts[1], content))])

    def erase(self, at: int, *parts: str, hashes: bool = True) -> int:
        """One more entry, which says that parts of the one at leaf `at` were erased, and the parts gone; its leaf."""
        one = self.opened[at]
        assert one.header is not None
        assert one.content is not None
        assert one.header_salt is not None
        assert one.content_salt is not None
        digests = {
            "header": header_hash(one.header_salt, one.header).hex(),
            "content": content_hash(one.content_salt, one.content).hex(),
        }
        said: dict[str, object] = {"entry": one.entry, "parts": list(parts), "reason": "asked for"}
        if hashes:
            said["hashes"] = {part: digests[part] for part in parts}
        self.append(f'{{"act":"ledger.erased","subject":"entry/{one.entry}"}}', json.dumps(said))
        self.sign()
        self.hide(at, *parts)
        return self.size - 1

    def hide(self, at: int, *parts: str) -> None:
        """Shows these parts of the entry at leaf `at` no more."""
        one = self.opened[at]
        gone = {name: None for part in parts for name in (part, f"{part}_salt")}
        self.opened[at] = Opening(**({name: getattr(one, name) for name in one.__struct_fields__} | gone))

    def append(self, header: str, content: str) -> None:
        """One more entry, with its place in the tree, not signed yet."""
        salts = [secrets.token_bytes(32) for _ in range(2)]
        leaf = leaf_of(header_hash(salts[0], header), content_hash(salts[1], content))
        self.opened.append(Opening(self.size + 1, header, salts[0], content, salts[1]))
        self.tiles.update(t.grow(self.size, leaf_hashes(bundled([leaf])), self.tiles))
        self.leaves.append(bundled([leaf]))

    @property
    def size(self) -> int:
        return len(self.leaves)

    def add(self, count: int, *, salt: bytes = b"", headers: Mapping[int, str] | None = None) -> None:
        new = []
        for number in range(self.size, self.size + count):
            header = (headers or {}).get(number, f'{{"act":"asset.added","subject":"asset/{number}"}}')
            content = f'{{"n":{number}}}'
            salts = [secrets.token_bytes(32) if not salt else (salt * 32)[:32] for _ in range(2)]
            self.opened.append(Opening(number + 1, header, salts[0], content, salts[1]))
            new.append(leaf_of(header_hash(salts[0], header), content_hash(salts[1], content)))
        self.tiles.update(t.grow(self.size, leaf_hashes(bundled(new)), self.tiles))
        self.leaves += [bundled([leaf]) for leaf in new]
        self.sign()

    def root(self, size: int) -> bytes:
        return t.hashes(t.root_ranges(size), self.tiles)[0] if size else EMPTY_ROOT

    def note(self, size: int, key: SigningKey | None = None) -> Note:
        text = Checkpoint.of(self.origin, size, self.root(size), self.chain).text()
        return Note(text, ((key or self.key).sign(text),))

    def sign(self) -> Note:
        self.checkpoints.append(self.note(self.size))
        return self.checkpoints[-1]

    def rebuild(self) -> None:
        """The tree anew from the leaves, as somebody does who holds the key: everything is consistent again."""
        sizes = [int(note.text.split("\n")[1]) for note in self.checkpoints]
        self.tiles = t.grow(0, leaf_hashes(b"".join(self.leaves)), {})
        self.checkpoints = [self.note(min(size, self.size)) for size in sizes]

    # verify.Source

    whole = False

    def waiting(self) -> Iterator[tuple[Opening, bytes]]:
        return iter(())

    def notes(self) -> list[str]:
        return [note.render() for note in self.checkpoints]

    def keys(self) -> list[LogKey]:
        return self.log_keys

    def epochs(self) -> list[Epoch]:
        return self.chain

    def elsewhere(self) -> list[str]:
        return []

    def tile(self, tile: Tile) -> bytes:
        return self.tiles.get(tile, b"")

    def chunks(self, size: int) -> Iterator[Chunk]:
        for index in range(-(-size // WIDTH)):
            part = slice(index * WIDTH, min(size, (index + 1) * WIDTH))
            bundle = b"".join(self.leaves[part])
            tile = self.tiles.get(Tile(0, index), b"")
            shown = enumerate(self.opened) if self.shown is None else self.shown
            openings = [(at - part.start, one) for at, one in shown if part.start <= at < part.stop]
            if bundle or tile:
                yield Chunk(bundle=bundle, tile=tile, openings=openings)

    def prove(self, old: int, size: int) -> list[bytes]:
        return t.hashes(t.consistency_ranges(old, size), self.tiles)

    def write(self, path: Path, *, opened: bool = True) -> Path:
        """The log as an exported bundle."""
        manifest = Manifest(
            format=FORMAT, origin=self.origin, size=self.size, keys=tuple(self.log_keys),
            epochs=tuple(self.epochs()), opened=opened,
        )  # fmt: skip
        chunks = (
            chunk if opened else Chunk(bundle=chunk.bundle, tile=chunk.tile)
            for chunk in self.chunks(self.size)
        )
        path.unlink(missing_ok=True)
        with BundleWriter(path) as writer:
            writer.whole(manifest, self.notes(), chunks, self.tile)
            writer.publish()
        return path


def flipped(data: bytes, at: int) -> bytes:
    """`data` with one bit of the byte at `at` turned."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


__all__ = ["ENTRIES", "KEY", "ORIGIN", "STRIDE", "MemoryLog", "flipped"]
