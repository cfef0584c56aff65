"""What tools in the field saw, of one document that may speak of many assets: SBOMs, scanners, agents, lists.

Which asset an observation is of is told by `whose`; what is none that is kept becomes a new one, and what the document
states of one that is kept is learned. A scanner's detection is a component of its own, known by flaw and package: it is
an exposure only while nothing that the asset holds explains it (`fleet_explained`), and it dates what does.
"""

from __future__ import annotations

import time
from datetime import date
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from clearway.advisories.table import Table
from clearway.records.asset_identity import identity_keys
from clearway.records.errors import BusyError, ConflictError, InputError
from clearway.records.fleet_input import SetAside
from clearway.store.connect import translated

from . import asset as assets
from . import follow, stated, take, united, whose
from .shown import details_of, inventory_of
from .version import storable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg

    from clearway.advisories.table import VexClaim
    from clearway.records.fleet_input import Observed
    from clearway.records.inventory import Inventory
    from clearway.store.principal import Pool

_AT_ONCE = 50  # mentions of assets in one transaction
_MOST_WAITING = 400_000  # components and detections that a call holds before it takes them
_TRIES = 3
# Until the table that was renewed meanwhile is read anew; the first time at once.
_AGAIN_S = (0.0, 0.2, 1.0)
# Tables that people keep of their assets: what stands in them is said, and not guessed.
_TABLES = frozenset(("asset-list", "scanner-csv"))


class Seen(Struct, frozen=True, kw_only=True):
    """One asset that a document speaks of, and what that changed."""

    asset: int
    name: str
    made: bool
    taken: take.Taken


class Document(Struct, frozen=True, kw_only=True):
    """What one document says. `place` is its name, `file` what its witness is known by (`take.file_of`), "" for none.

    Not `whole`: what it does not show may have been set aside. `asset` is whose it is where somebody said so.
    """

    observed: tuple[Observed, ...]
    raw: bytes
    place: str = ""
    file: str = ""
    whole: bool = True
    asset: int | None = None


def observe(
    pool: Pool,
    key: str,
    table: Table,
    org: int,
    observed: Iterable[Observed],
    raw: bytes,
    day: date,
    *,
    detected: date | None = None,
    given: Sequence[VexClaim] = (),
    whole: bool = True,
    place: str = "",
    file: str = "",
    asset: int | None = None,
    passed_over: list[SetAside] | None = None,
) -> list[Seen]:
    """Takes in everything that one document says: `Taking`, of one `Document`.

    Raises: as `Taking.add`.
    """
    taking = Taking(pool, key, table, org, day, detected=detected, given=given, passed_over=passed_over)
    one = Document(observed=tuple(observed), raw=raw, place=place, file=file, whole=whole, asset=asset)
    return [*taking.add(one), *taking.finish()]


class _Item(Struct, frozen=True):
    """One mention of an asset. `alone`: its document speaks of no other."""

    seen: Observed
    document: Document
    alone: bool

    @property
    def near(self) -> str:
        return united.near(self.seen.name) if self.document.asset is None else str(self.document.asset)

    @property
    def witness(self) -> str:
        return take.witness_of(self.seen.witness.tool, self.seen.format, self.document.file)

    @property
    def whole(self) -> bool:
        if not self.document.whole:
            return False
        if self.seen.format == "osquery":  # differences without their beginning say nothing of the rest
            return self.seen.complete
        # Rows of flaws that no file and no tool stands behind are some of them.
        return self.seen.format != "scanner-csv" or bool(self.document.file or self.seen.witness.tool)


class _Group(Struct, frozen=True):
    """All mentions of one asset by one witness."""

    asset: int
    items: tuple[int, ...]
    raw: bytes


class Taking:
    """One call that takes documents in: an upload, a command, one look into a folder.

    What its documents say of one asset is united before it is taken, whichever names they have for it, so that one call
    never ends what it brought: all that is at hand, some tens of mentions at a time, in one transaction. Mentions of
    one name are kept together; one that is told to be the same asset only later takes nothing away.

    `detected` is as in `take.take`, `given` are VEX statements that came with the documents (`stated`). With
    `passed_over`, assets that can't take what a document of several says go there, and the others land.
    """

    def __init__(
        self,
        pool: Pool,
        key: str,
        table: Table,
        org: int,
        day: date,
        *,
        detected: date | None = None,
        given: Sequence[VexClaim] = (),
        passed_over: list[SetAside] | None = None,
    ) -> None:
        self.pool, self.key, self.table, self.org, self.day = pool, key, table, org, day
        self.detected, self.given, self.passed_over = detected, given, passed_over
        self._waiting: list[_Item] = []
        self._public: set[int] = set()  # assets that this call has said to be public
        self._taken: set[tuple[int, str]] = set()  # (asset, witness) of what this call has taken already

    def add(self, document: Document) -> list[Seen]:
        """Takes a document; returns what was taken meanwhile, of it or of earlier ones.

        Raises: as `take.prepare`, `take.take` and `asset.add`; what was taken before stands.
        """
        alone = len(document.observed) == 1
        self._waiting += [_Item(seen, document, alone) for seen in document.observed]
        if len(self._waiting) <= _AT_ONCE and self._weight() <= _MOST_WAITING:
            return []
        self._waiting.sort(key=lambda item: item.near)  # stable: of one name, in the order of the documents
        found: list[Seen] = []
        while len(self._waiting) > _AT_ONCE:
            cut = _AT_ONCE
            while cut < len(self._waiting) and self._waiting[cut].near == self._waiting[cut - 1].near:
                cut += 1
            if cut == len(self._waiting):
                break
            found += self._flush(cut)
        if self._weight() > _MOST_WAITING:
            found += self._flush(len(self._waiting))
        return found

    def finish(self) -> list[Seen]:
        """Takes what is left. Raises: as `add`."""
        self._waiting.sort(key=lambda item: item.near)
        found: list[Seen] = []
        while self._waiting:
            found += self._flush(len(self._waiting))
        return found

    def _weight(self) -> int:
        return sum(len(i.seen.components) + len(i.seen.detections) for i in self._waiting)

    def _flush(self, count: int) -> list[Seen]:
        items, self._waiting = self._waiting[:count], self._waiting[count:]
        renewed, tries = iter(_AGAIN_S), 0
        while True:
            aside: list[SetAside] = []
            try:
                found, told = self._together(items, aside)
            except follow.RenewedError:
                # Every intake renews the table, and who sends an inventory can do nothing about that.
                wait_s = next(renewed, None)
                if wait_s is None:
                    raise
                time.sleep(wait_s)
                self.table = Table.open(self.table.path)
            except (BusyError, ConflictError):
                # Several assets at once meet others' work more often than one does.
                tries += 1
                if len(items) == 1 or tries == _TRIES:
                    raise
            else:
                if self.passed_over is not None:
                    self.passed_over += aside
                self._taken |= told
                return found

    def _together(
        self, items: Sequence[_Item], aside: list[SetAside]
    ) -> tuple[list[Seen], set[tuple[int, str]]]:
        made_of = [self._inventory(item.seen) for item in items]
        with self.pool.owner() as owner:
            prepared = take.prepare_all(owner, self.table, [plain for plain, _ in made_of], self.day)
        found: list[Seen] = []
        told: set[tuple[int, str]] = set()
        with self.pool.acting(self.key) as db:
            _turn(db, self.org, len(items) > 1)
            assets_of, made = self._resolved(db, items)
            asked = take.Known(db, self.day)
            touched: set[int] = set()
            for group in _groups(items, [one.asset for one in assets_of]):
                first = items[group.items[0]]
                dates: dict[take.Detected, date] = {}
                for n in group.items:
                    for at, when in made_of[n][1].items():
                        dates[at] = min(when, dates.get(at, when))
                ready = prepared[group.items[0]]
                if len(group.items) > 1:
                    whole, _ = self._inventory(united.united([items[n].seen for n in group.items]))
                    ready = take.together([prepared[n] for n in group.items], whole)
                known = (group.asset, first.witness)
                try:
                    with translated(), db.transaction():
                        taken = stated.take(
                            db, self.table, group.asset, ready, group.raw, day=self.day, given=self.given,
                            witness=first.seen.witness.tool, file=first.document.file, detected=self.detected,
                            whole=all(items[n].whole for n in group.items) and known not in self._taken,
                            known=asked, fresh=group.asset in made and group.asset not in touched,
                            first_detected=dates,
                        )  # fmt: skip
                except (ConflictError, InputError) as error:
                    if self.passed_over is None or len(items) == 1 or not _of_asset(error):
                        raise
                    aside.append(SetAside(first.seen.name, str(error)))
                    continue
                told.add(known)
                touched.add(group.asset)
                kept = assets_of[group.items[0]]
                found.append(Seen(asset=kept.asset, name=kept.name, made=kept.asset in made, taken=taken))
        return found, told

    def _inventory(self, seen: Observed) -> tuple[Inventory, dict[take.Detected, date]]:
        """As `inventory_of`, where a day of detection that is yet to come counts as today, and that is told."""
        plain, first = inventory_of(seen, self.table)
        if late := [at for at in first.values() if at > self.day]:
            told = f"{len(late):,} first detected on a day to come, such as {max(late)}: counted as of {self.day}"
            plain = replace(plain, problems=(*plain.problems, told))
        return plain, {flaw: min(at, self.day) for flaw, at in first.items()}

    def _resolved(
        self, db: psycopg.Connection[Any], items: Sequence[_Item]
    ) -> tuple[list[assets.Asset], set[int]]:
        """The asset that each mention is of, with what it says of it learned; and which of them are new."""
        first = [self._known(db, item) for item in items]
        groups = _groups(items, [None if one is None else one.asset for one in first])
        # The same bytes change nothing, whatever was said since.
        again = {n for g in groups if _again(db, g, items[g.items[0]].witness) for n in g.items}
        made: set[int] = set()
        found: list[assets.Asset] = []
        news = False  # what a mention before it made, or told of itself, may be this one
        for n, item in enumerate(items):
            kept = first[n]
            if kept is None or (n not in again and item.document.asset is None):
                if news or kept is None:
                    kept = self._known(db, item)
                if (
                    kept is None and len(items) == 1
                ):  # several have had the names for themselves since `_turn`
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

    def _known(self, db: psycopg.Connection[Any], item: _Item) -> assets.Asset | None:
        if item.document.asset is not None:
            return assets.one(db, item.document.asset)
        return _found(db, self.org, item.seen, whose.source_of(item.document.place))

    def _made(self, db: psycopg.Connection[Any], item: _Item) -> assets.Asset:
        seen = item.seen
        name = assets.free(db, self.org, whose.called(seen, storable(seen.name).strip()))
        return assets.add(
            db, self.org, name, exposure=seen.exposure or "unknown", since=seen.exposure_since or self.day,
            said_by=_by(seen), details=details_of(seen, whose.source_of(item.document.place)), day=self.day,
        )  # fmt: skip

    def _learned(self, db: psycopg.Connection[Any], item: _Item, kept: assets.Asset) -> assets.Asset:
        seen = item.seen
        details = details_of(seen, whose.source_of(item.document.place))
        if not _describes(seen):  # what a tool takes it for is no word against what is kept
            details = replace(
                details, owner="", environment="unknown", end_of_support=None,
                kind="" if kept.details.kind else details.kind,
            )  # fmt: skip
        kept = assets.learn(db, kept, details, _by(seen), edge=seen.edge)
        # Of two words of one call the one with the earlier due date stays.
        weaker = seen.exposure == "internal" and kept.asset in self._public
        if seen.exposure and seen.exposure != kept.exposure and not weaker:
            kept, _ = assets.say_exposure(
                db, kept.asset, seen.exposure, seen.exposure_since or self.day, _by(seen), day=self.day
            )
        return kept


def _by(seen: Observed) -> str:
    return seen.exposure_by or seen.witness.tool or seen.format


def _groups(items: Sequence[_Item], found: Sequence[int | None]) -> list[_Group]:
    """The mentions by asset and witness, by the number of the asset: all who take several lock them in that order."""
    by: dict[tuple[int, str], list[int]] = {}
    for n, (item, asset) in enumerate(zip(items, found, strict=True)):
        if asset is not None:
            by.setdefault((asset, item.witness), []).append(n)
    return [
        _Group(asset, tuple(several), _raw([items[n] for n in several]))
        for (asset, _), several in sorted(by.items())
    ]


def _raw(items: Sequence[_Item]) -> bytes:
    if len(items) == 1 and items[0].alone:
        return items[0].document.raw
    parts = [united.part_of(item.seen, item.document.raw) for item in items]
    return parts[0] if len(parts) == 1 else united.parts_of(parts)


def _turn(db: psycopg.Connection[Any], org: int, several: bool) -> None:
    """Until this transaction ends, who takes several assets of `org` in is alone: no two wait for each other."""
    shared = "" if several else "_shared"
    db.execute(
        f"select pg_advisory_xact_lock{shared}(hashtextextended('clearway inventories', %s))",
        (org,),
    )
    if several:
        assets.one_at_a_time(db, org)


def _of_asset(error: ConflictError | InputError) -> bool:
    """Whether it is about that asset alone."""
    return isinstance(error, InputError) or "decommissioned" in error.what


def _found(db: psycopg.Connection[Any], org: int, seen: Observed, file: str) -> assets.Asset | None:
    name = storable(seen.name).strip()
    # A host's or a file's name is shared by many, and decides only beside an asset's name.
    keys = [k[:300] for k in identity_keys(seen.ids, seen.witness.tool)[:200]]
    near = assets.alike(db, org, name, (*keys, *seen.ids.image_digests[:200], whose.alias_of(name)))
    return whose.choose(replace(seen, name=name), near, file)


def _describes(seen: Observed) -> bool:
    """Whether people wrote it, to say what their assets are."""
    return seen.format in _TABLES


def _again(db: psycopg.Connection[Any], group: _Group, witness: str) -> bool:
    row = db.execute(
        """select exists (select from clearway.inventory
            where asset = %s and witness = %s and current and sha256 = %s)""",
        (group.asset, witness, sha256(group.raw).digest()),
    ).fetchone()
    return bool(row and row[0])
