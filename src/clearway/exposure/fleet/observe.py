"""What tools in the field saw, of one document that may speak of many assets: SBOMs, scanners, agents, lists.

Which asset each mention is of is told by `mention`; here they are taken, those of one asset together. A scanner's
detection is a component of its own, known by flaw and package: it is an exposure only while nothing that the asset
holds explains it (`fleet_explained`), and it dates what does.
"""

from __future__ import annotations

import time
from datetime import date
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway.advisories.table import Table
from clearway.records.errors import BusyError, ConflictError, InputError
from clearway.records.fleet_input import MAX_NAME_CHARS, SetAside
from clearway.store.connect import translated

from . import absent, follow, older, prepare, stated, take, united
from . import asset as assets
from .mention import Document, Group, Identities, Mention, grouped, key_of
from .shown import inventory_of
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


class Seen(Struct, frozen=True, kw_only=True):
    """One asset that a document speaks of, and what that changed."""

    asset: int
    name: str
    made: bool
    taken: take.Taken
    older: tuple[str, ...] = ()  # the places of documents that were passed over for what is kept is newer


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
    called: bool = False,
    passed_over: list[SetAside] | None = None,
    again: bool = False,
    missing: list[absent.Absent] | None = None,
) -> list[Seen]:
    """Takes in everything that one document says: `Taking`, of one `Document`; `missing` gets what it has no more.

    Raises: as `Taking.add`.
    """
    taking = Taking(
        pool, key, table, org, day, detected=detected, given=given, passed_over=passed_over, again=again
    )
    one = Document(
        observed=tuple(observed), raw=raw, place=place, file=file, whole=whole, asset=asset, called=called
    )
    found = [*taking.add(one), *taking.finish()]
    if missing is not None:
        missing += taking.missing()
    return found


class Taking:
    """One call that takes documents in: an upload, a command, one look into a folder.

    What its documents say of one asset is united before it is taken, whichever names they have for it, so that one call
    never ends what it brought: all that is at hand, some tens of mentions at a time, in one transaction. Mentions of
    one name are kept together; one that is told to be the same asset only later takes nothing away.

    `detected` is as in `take.take`, `given` are VEX statements that came with the documents (`stated`). With
    `passed_over`, assets that can't take what a document of several says go there, and the others land. What is older
    than what is kept (`older`) is passed over, unless `again`.
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
        again: bool = False,
    ) -> None:
        self.pool, self.key, self.table, self.org, self.day = pool, key, table, org, day
        self.detected, self.given, self.passed_over = detected, given, passed_over
        self._waiting: list[Mention] = []
        self._mentions = 0  # so far, in all documents
        self.again = again
        self._identities = Identities(org, day, again=again)
        self._lists = absent.Lists()
        self._key = b""  # of the marks of documents of several assets
        self._taken: set[tuple[int, str]] = set()  # (asset, witness) of what this call has taken already

    def add(self, document: Document) -> list[Seen]:
        """Takes a document; returns what was taken meanwhile, of it or of earlier ones.

        Raises: as `prepare.one`, `take.take` and `asset.add`; what was taken before stands.
        """
        alone = len(document.observed) == 1
        mentions = [Mention(seen, document, alone) for seen in document.observed if self._named(seen)]
        self._mentions += len(document.observed)
        self._waiting += mentions
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

    def missing(self) -> list[absent.Absent]:
        """Which assets of earlier files the lists of this call have not, after `finish`."""
        with self.pool.acting(self.key) as db:
            return self._lists.absent(db, self.org, self.day)

    def _named(self, seen: Observed) -> bool:
        """Whether its asset can be called so. One that can't is passed over: no other mention is lost by it."""
        name = storable(seen.name).strip()
        if 0 < len(name) <= MAX_NAME_CHARS or self.passed_over is None:
            return True
        reason = f"an asset's name has 1 to {MAX_NAME_CHARS} characters, this one {len(name):,} (give it a short name)"
        self.passed_over.append(SetAside(f"{name[:60]}…" if name else "(no name)", reason))
        return False

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
        self, items: Sequence[Mention], aside: list[SetAside]
    ) -> tuple[list[Seen], set[tuple[int, str]]]:
        made_of = [self._inventory(item.seen) for item in items]
        with self.pool.owner() as owner:
            prepared = prepare.every(owner, self.table, [plain for plain, _ in made_of], self.day)
            self._key = self._key or key_of(owner, self.org)
        found: list[Seen] = []
        told: set[tuple[int, str]] = set()
        with self.pool.acting(self.key) as db:
            _turn(db, self.org, len(items) > 1)
            assets_of, made = self._identities.resolved(db, items, self._key)
            asked = take.Known(db, self.day)
            touched: set[int] = set()
            for every in grouped(items, [one.asset for one in assets_of], self._key):
                for n in every.items:
                    self._lists.add(items[n], every.asset)
                group, reasons, complete, older_at = self._left(db, items, every, made)
                first = items[group.items[0]]
                dates: dict[take.Detected, date] = {}
                for n in every.items:  # what is passed over is older, and has seen it then
                    for at, when in made_of[n][1].items():
                        dates[at] = min(when, dates.get(at, when))
                ready = prepared[group.items[0]]
                if len(group.items) > 1:
                    whole, _ = self._inventory(united.united([items[n].seen for n in group.items]))
                    ready = prepare.together([prepared[n] for n in group.items], whole)
                known = (group.asset, first.witness)
                try:
                    with translated(), db.transaction():
                        taken = stated.take(
                            db, self.table, group.asset, ready, group.raw, passed_over=reasons,
                            older=bool(reasons) and group is every, day=self.day, given=self.given,
                            witness=first.seen.witness.tool, file=first.document.file, detected=self.detected,
                            whole=complete and all(items[n].whole for n in group.items) and known not in self._taken,
                            known=asked, fresh=group.asset in made and group.asset not in touched,
                            first_detected=dates, digests=group.digests,
                        )  # fmt: skip
                except (ConflictError, InputError) as error:
                    if self.passed_over is None or self._mentions == 1 or not _of_asset(error):
                        raise
                    aside.append(SetAside(first.seen.name, str(error)))
                    continue
                told.add(known)
                touched.add(group.asset)
                kept = assets_of[group.items[0]]
                found.append(
                    Seen(
                        asset=kept.asset, name=kept.name, made=kept.asset in made, taken=taken, older=older_at
                    )
                )
        return found, told

    def _left(
        self, db: psycopg.Connection[Any], items: Sequence[Mention], group: Group, made: set[int]
    ) -> tuple[Group, tuple[str, ...], bool, tuple[str, ...]]:
        """What of a group is not older than what is kept, all of it where that is nothing; why the rest is passed over;
        whether what is left is whole; and where is what was passed over for what is kept, and not for what came too."""
        known = (group.asset, items[group.items[0]].witness)
        if self.again or known in self._taken:
            return group, (), True, ()
        if group.asset in made:
            passed, found, whole = older.issues(items, group), dict[int, str](), True
        else:
            passed, found, whole = older.of_group(db, items, group)
        passed |= found
        at = tuple(items[n].document.place for n in found)
        reasons = tuple(dict.fromkeys(passed.values()))
        if len(passed) in (0, len(group.items)):
            return group, reasons, whole, at
        mask = [group.asset if n in group.items and n not in passed else None for n in range(len(items))]
        (left,) = grouped(items, mask, self._key)
        return left, reasons, whole, at

    def _inventory(self, seen: Observed) -> tuple[Inventory, dict[take.Detected, date]]:
        return inventory_of(seen, self.table, self.day, self.detected)


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
