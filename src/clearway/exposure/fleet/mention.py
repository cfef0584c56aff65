"""Which asset each mention of a document is of, and what a mention says of its asset.

A mention is one asset as one document speaks of it. `whose` weighs identifiers and names; here they are looked up among
the assets that are kept. What is none of these becomes a new one, and what is said of one that is kept is learned.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from clearway.records.asset_identity import identity_keys, telling_name

from . import asset as assets
from . import older, united, whose, witness
from .shown import details_of
from .version import storable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import psycopg

    from clearway.records.fleet_input import Observed

# Tables that people keep of their assets: what stands in them is said, and not guessed.
_TABLES = frozenset(("asset-list", "scanner-csv"))


class Document(Struct, frozen=True, kw_only=True):
    """What one document says. `place` is its name, `file` what its witness is known by (`file_of`), "" for none.

    Not `whole`: what it does not show may have been set aside. `asset` is whose it is where somebody said so. `called`:
    somebody said what its asset is called.
    """

    observed: tuple[Observed, ...]
    raw: bytes
    place: str = ""
    file: str = ""
    whole: bool = True
    asset: int | None = None
    called: bool = False


class Mention(Struct, frozen=True):
    """One mention of an asset. `alone`: its document speaks of no other."""

    seen: Observed
    document: Document
    alone: bool

    @property
    def near(self) -> str:
        """What mentions of one asset mostly share: they are taken together."""
        return united.near(self.seen.name) if self.document.asset is None else str(self.document.asset)

    @property
    def witness(self) -> str:
        """By what its inventory is told from others of the asset."""
        return witness.witness_of(self.seen.witness.tool, self.seen.format, self.document.file)

    @property
    def whole(self) -> bool:
        """Whether what it does not show is not there."""
        return self.document.whole and not self.partial

    @property
    def partial(self) -> bool:
        """Whether its document is of a kind that says nothing of what it does not show."""
        if self.seen.format == "osquery":  # differences without their beginning say nothing of the rest
            return not self.seen.complete
        # Rows of flaws that no file and no tool stands behind are some of them.
        return self.seen.format == "scanner-csv" and not (self.document.file or self.seen.witness.tool)


class Own(Struct, frozen=True):
    """What one mention of an asset is kept as: alone by these digests, and beside others as one of these parts."""

    digests: tuple[bytes, ...]
    seen: Observed
    marks: tuple[str, str]

    def in_any(self, raws: Sequence[bytes]) -> bool:
        """Whether one of these, as they are kept, was made of it and others."""
        return bool(raws) and any(p in raw for p in united.part_of(self.seen, *self.marks) for raw in raws)


class Group(Struct, frozen=True):
    """All mentions of one asset by one witness. `items` are their places among those that were grouped.

    `raw` is what is kept, and `digests` are the SHA-256 by which it is the same again: its own, and of a part also that
    of the part with the document's plain hash, as parts were kept before. `each` is the same of each of the items.
    """

    asset: int
    items: tuple[int, ...]
    raw: bytes
    digests: tuple[bytes, ...]
    each: tuple[Own, ...]


class Identities:
    """Tells the assets of `org` that mentions are of, over one call that takes documents in on `day`."""

    def __init__(self, org: int, day: date, *, again: bool = False) -> None:
        self.org, self.day, self.taking_again = org, day, again
        self._public: set[int] = set()  # assets that this call has said to be public

    def resolved(
        self, db: psycopg.Connection[Any], items: Sequence[Mention], key: bytes
    ) -> tuple[list[assets.Asset], set[int]]:
        """The asset that each mention is of, with what it says of it learned; and which of them are new.

        `key` is as in `grouped`.

        Raises: as `asset.add`, `asset.learn` and `asset.say_exposure`.
        """
        first = [self._known(db, item) for item in items]
        groups = grouped(items, [None if one is None else one.asset for one in first], key)
        # The same bytes change nothing, whatever was said since.
        again = {n for g in groups if _again(db, g, items[g.items[0]].witness) for n in g.items}
        if not self.taking_again:  # and so does what is older
            fresh = [g for g in groups if again.isdisjoint(g.items)]
            again |= {n for g in fresh for passed in older.of_group(db, items, g)[:2] for n in passed}
        made: set[int] = set()
        found: list[assets.Asset] = []
        news = False  # what a mention before it made, or told of itself, may be this one
        for n, item in enumerate(items):
            kept = first[n]
            if kept is None or (n not in again and item.document.asset is None):
                if news or kept is None:
                    kept = self._known(db, item)
                # Several have had the names for themselves since their transaction began (`observe`).
                if kept is None and len(items) == 1:
                    assets.one_at_a_time(db, self.org)
                    kept = self._known(db, item)  # somebody else may have made it meanwhile
                before = kept
                kept = self._made(db, item) if before is None else self._learned(db, item, before)
                if before is None:
                    made.add(kept.asset)
                news = news or before is None or kept.version != before.version
                if item.seen.exposure == "public":
                    self._public.add(kept.asset)
            found.append(kept)
        return found, made

    def _known(self, db: psycopg.Connection[Any], item: Mention) -> assets.Asset | None:
        if item.document.asset is not None:
            return assets.one(db, item.document.asset)
        return _found(db, self.org, item.seen, whose.source_of(item.document.place))

    def _made(self, db: psycopg.Connection[Any], item: Mention) -> assets.Asset:
        seen = item.seen
        said = storable(seen.name).strip()
        details = details_of(seen, whose.source_of(item.document.place))
        telling = "" if item.document.called or _describes(seen) else _telling(seen, said)
        if telling:  # and it is found by what the document called it, too
            details = replace(details, identifiers=(whose.alias_of(said), *details.identifiers))
        name = assets.free(db, self.org, whose.called(seen, telling or said))
        return assets.add(
            db, self.org, name, exposure=seen.exposure or "unknown", since=seen.exposure_since or self.day,
            said_by=_by(seen), details=details, day=self.day,
            called=item.document.called,
        )  # fmt: skip

    def _learned(self, db: psycopg.Connection[Any], item: Mention, kept: assets.Asset) -> assets.Asset:
        seen = item.seen
        details = details_of(seen, whose.source_of(item.document.place))
        if not _describes(seen):  # what a tool takes it for is no word against what is kept
            details = replace(
                details, owner="", environment="unknown", end_of_support=None,
                kind="" if kept.details.kind else details.kind,
            )  # fmt: skip
        kept = assets.learn(db, kept, details, _by(seen), edge=seen.edge, name=self._name(db, seen, kept))
        # Of two words of one call the one with the earlier due date stays.
        weaker = seen.exposure == "internal" and kept.asset in self._public
        if weaker:
            return kept
        return assets.hear_exposure(db, kept, seen.exposure, seen.exposure_since, _by(seen), day=self.day)

    def _name(self, db: psycopg.Connection[Any], seen: Observed, kept: assets.Asset) -> str:
        """What `kept` is called from now on where a tool called it by its address, and `seen` has one name for that."""
        name = _telling(seen, kept.name)
        if not name or not _by_tool(db, kept):
            return ""
        assets.one_at_a_time(db, self.org)
        return "" if assets.taken(db, self.org, [name]) else name


def _telling(seen: Observed, name: str) -> str:
    """The one full name that `seen` has for what is called `name`, which is its address; "" where it has none."""
    return telling_name(seen.ids.fqdns, seen.ids.ips) if name in seen.ids.ips else ""


def _by_tool(db: psycopg.Connection[Any], kept: assets.Asset) -> bool:
    """Whether it was a tool, and nobody who knows the asset, that gave it the name that it has."""
    row = db.execute(
        """select exists (select from clearway.inventory i where i.asset = %(asset)s and i.format <> all (%(tables)s)
            and said.said_by in (i.witness, i.format))
        from (select distinct on (name) name, said_by from clearway.asset_said where asset = %(asset)s
            order by name, statement) said where said.name = %(name)s""",
        {"asset": kept.asset, "name": kept.name, "tables": [*_TABLES]},
    ).fetchone()
    return bool(row and row[0])


def grouped(items: Sequence[Mention], found: Sequence[int | None], key: bytes) -> list[Group]:
    """The mentions by asset and witness, by the number of the asset: all who take several lock them in that order.

    `key` is what documents of several assets are marked with in each one's part (`key_of`).
    """
    by: dict[tuple[int, str], list[int]] = {}
    for n, (item, asset) in enumerate(zip(items, found, strict=True)):
        if asset is not None:
            by.setdefault((asset, item.witness), []).append(n)
    hashes: dict[int, bytes] = {}  # by the document's place in memory: many mentions are of one
    return [
        _group(asset, tuple(several), [items[n] for n in several], hashes, key)
        for (asset, _), several in sorted(by.items())
    ]


def _group(
    asset: int, places: tuple[int, ...], items: Sequence[Mention], hashes: dict[int, bytes], key: bytes
) -> Group:
    parts, each = [], []
    for item in items:
        at = id(item.document)
        if at not in hashes:
            hashes[at] = sha256(item.document.raw).digest()
        mark = united.Whole(sha256=hashes[at], key=key).mark(asset)
        marks = mark, hashes[at].hex()
        if item.alone:
            each.append(Own((hashes[at],), item.seen, marks))
            if len(items) == 1:
                break
        parts.append(united.part_of(item.seen, *marks))
        if not item.alone:
            each.append(Own(tuple(sha256(part).digest() for part in parts[-1]), item.seen, marks))
    if not parts:
        return Group(asset, places, items[0].document.raw, each[0].digests, tuple(each))
    raw, formerly = (one[0] if len(one) == 1 else united.parts_of(one) for one in zip(*parts, strict=True))
    return Group(asset, places, raw, (sha256(raw).digest(), sha256(formerly).digest()), tuple(each))


def key_of(owner: psycopg.Connection[Any], org: int) -> bytes:
    """The key of an organisation's marks: secret, and the same for as long as the database is kept."""
    row = owner.execute(
        "select clearway.question_of(0, %s)", (f"documents of several assets of org/{org}",)
    ).fetchone()
    assert row is not None
    return str(row[0]).encode()


def _by(seen: Observed) -> str:
    return seen.exposure_by or seen.witness.tool or seen.format


def _found(db: psycopg.Connection[Any], org: int, seen: Observed, file: str) -> assets.Asset | None:
    name = storable(seen.name).strip()
    # A host's or a file's name is shared by many, and decides only beside an asset's name.
    keys = [k[:300] for k in identity_keys(seen.ids, seen.witness.tool)[:200]]
    near = assets.alike(db, org, name, (*keys, *seen.ids.image_digests[:200], whose.alias_of(name)))
    return whose.choose(replace(seen, name=name), near, file)


def _describes(seen: Observed) -> bool:
    """Whether people wrote it, to say what their assets are."""
    return seen.format in _TABLES


def _again(db: psycopg.Connection[Any], group: Group, witness: str) -> bool:
    row = db.execute(
        """select exists (select from clearway.inventory
            where asset = %s and witness = %s and current and sha256 = any(%s))""",
        (group.asset, witness, [*group.digests]),
    ).fetchone()
    return bool(row and row[0])
