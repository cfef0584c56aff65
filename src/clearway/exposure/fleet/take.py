"""One inventory of one asset: what it holds, which exposures that makes, and due when.

`prepare` makes it ready first, in a transaction of the owner's. `take`, in the caller's, writes what the asset holds,
the difference, exposures with their dates, rules, the entry in the log, the event. Nothing is kept before all of it is.
"""

from __future__ import annotations

from datetime import date
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import zstandard
from msgspec import Struct

from clearway.records.errors import InputError
from clearway.records.fleet_input import FIRST_DETECTED, begins
from clearway.store.arrays import Blobs, Days, Ints

from . import dictionary, due
from .acts import record
from .due import SET_RIGHT, Dater, FlawDates, loaded, said, settings
from .silent import pairs
from .version import storable
from .witness import witness_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psycopg

    from clearway.records.inventory import Inventory

    from .prepare import Prepared
    from .rule import Rule

_PROBLEMS = 100
_PROBLEM_CHARS = 400
_NAMED = 5  # VEX documents
_COMPRESSOR = zstandard.ZstdCompressor(level=1)


# A flaw, and the package in which a tool says it is: "" for any.
Detected = tuple[str, str]


class Silenced(Struct, frozen=True, kw_only=True):
    """How many exposures of an asset are not affected by the word of one VEX document (`stated`).

    It came with `inventory`: inside it (`source` is `inventory`), beside it, or as what was taken in of its product.
    """

    inventory: int
    source: str
    document: str
    exposures: int


def not_affected(silenced: Sequence[Silenced], inventory: int) -> str:
    """The same in words, after an `inventory` was taken; "" for none."""
    if not silenced:
        return ""
    by: dict[str, int] = {}
    for s in silenced:
        own = "this inventory" if s.inventory == inventory else f"inventory {s.inventory}"
        name = own if s.source == "inventory" else f"{s.source}, {s.document}"
        by[name] = by.get(name, 0) + s.exposures
    some = [f"{n:,} by {name}" if len(by) > 1 else name for name, n in [*by.items()][:_NAMED]]
    more = f", and {len(by) - _NAMED:,} more" if len(by) > _NAMED else ""
    return f"{sum(by.values()):,} not affected by VEX ({'; '.join(some)}{more})"


class Taken(Struct, frozen=True, kw_only=True):
    """What one inventory changed. `inventory` is the one that stood already when `unchanged`.

    `silenced` is what VEX says of what stands on its asset now.
    """

    inventory: int
    components: int  # distinct
    added: int = 0
    removed: int = 0
    appeared: tuple[int, ...] = ()  # exposures
    ended: int = 0
    dated: int = 0  # exposures that stood already and have an earlier day of detection now
    unchanged: bool = False
    problems: tuple[str, ...] = ()  # what of it could not be read
    passed_over: tuple[str, ...] = ()  # documents that are older than what is kept, and why
    older: bool = False  # this itself is one of them, and nothing of it but its days was taken
    silenced: tuple[Silenced, ...] = ()


class Known:
    """What is the same for every asset that one transaction takes in, asked once: facts, settings and rules."""

    def __init__(self, db: psycopg.Connection[Any], day: date) -> None:
        self._db, self.day = db, day
        self.dater = Dater(db, day, loaded(db))
        self._settings: dict[int, Any] = {}
        self._rules: dict[int, Sequence[Rule]] = {}

    def setting(self, org: int) -> Any:
        """How an organisation dates its exposures."""
        if org not in self._settings:
            self._settings[org] = settings(self._db, [org])[org]
        return self._settings[org]

    def rules(self, org: int) -> Sequence[Rule]:
        """Its standing rules."""
        if org not in self._rules:
            from .rule import every

            self._rules[org] = every(self._db, [org])
        return self._rules[org]


def take(
    db: psycopg.Connection[Any],
    asset: int,
    prepared: Prepared,
    raw: bytes,
    *,
    day: date,
    witness: str = "",
    file: str = "",
    detected: date | None = None,
    first_detected: Mapping[Detected, date] | None = None,
    whole: bool = True,
    digests: Sequence[bytes] = (),
    known: Known | None = None,
    fresh: bool = False,
    passed_over: Sequence[str] = (),
    older: bool = False,
) -> Taken:
    """Takes a prepared inventory of `asset` in, in the caller's transaction.

    `witness` is the tool that saw it ("" for the document's format and its `file`: `witness_of`): each witness's newest
    inventory counts, and what several show is kept as the word of each. `detected` is when a scan first saw its flaws,
    and `first_detected` the same by flaw and package ("" for any); today where neither says, and no flaw before its
    id's year (`begins`). An earlier day than the
    one that is kept counts for what stands already, too. Not `whole`: what the document does not show may be what was
    set aside, and is not taken to be gone. `digests` are those by which `raw` is the same again, its own where none is
    given. `known` is what this transaction has asked already; `fresh` an asset that it has made, on which nothing
    stands. `passed_over` says which documents of the call are older; where this itself is (`older`), it gives earlier
    days and nothing else.

    Raises:
        NotFoundError: no such asset, or it may not be seen.
        ForbiddenError: the caller may not operate for its organisation.
        InputError: a detection lies in the future, or before there were CVEs.
        ConflictError: the asset was decommissioned.
    """
    inventory = prepared.inventory
    given = {(storable(flaw), storable(name)): d for (flaw, name), d in (first_detected or {}).items()}
    days = [d for d in (detected, *given.values()) if d is not None]
    if days and not FIRST_DETECTED <= min(days) <= max(days) <= day:
        wrong, mend = (
            ("in the future", "an earlier") if max(days) > day else (f"before {FIRST_DETECTED}", "a later")
        )
        raise InputError(f"a detection lies {wrong}", where=inventory.name, mend=f"give {mend} day")
    told = witness_of(witness, inventory.format, file)
    digest = sha256(raw).digest()
    same, stood, others = db.execute(
        """select (select inventory from clearway.inventory
                where asset = %(asset)s and witness = %(told)s and current
                    and (%(older)s or sha256 = any(%(digests)s))),
            exists (select from clearway.inventory where asset = %(asset)s and current),
            exists (select from clearway.inventory where asset = %(asset)s and witness <> %(told)s and current)""",
        {"asset": asset, "told": told, "digests": [*digests] or [digest], "older": older},
    ).fetchone() or (None, False, False)
    if same is not None:
        dated = _detected(db, asset, day, prepared.digests, detected, given)
        if dated:
            org, aud = _owner(db, asset)
            content = {"asset": asset, "witness": told, "sha256": digest.hex(), "dated": dated}
            record(db, "inventory.taken", f"inventory/{same}", content, org=org, aud=aud)
        return Taken(
            inventory=same, components=len(prepared.digests), dated=dated, unchanged=not dated,
            passed_over=tuple(passed_over), older=older,
        )  # fmt: skip
    problems = problems_of(inventory)
    unread = sorted({storable(c.name)[:1_000] for c in inventory.components if c.problem and c.name})
    before = _apart(db, asset) if stood else []
    row = db.execute(
        """select inventory, added, removed, of_org, of_aud from clearway.fleet_take(
            %s, %b, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %b, %b)""",
        (asset, Blobs(() if prepared.seal else prepared.digests), told, storable(inventory.format),
         storable(inventory.name)[:300], storable(inventory.created)[:100], digest, _COMPRESSOR.compress(raw),
         len(inventory.components), problems, whole, unread,
         any(c.ecosystem == "reported" for c in inventory.components), Ints(prepared.pvs), prepared.seal),
    ).fetchone()  # fmt: skip
    assert row is not None
    document, added, removed, org, aud = row
    if not stood:
        if prepared.alike and (means := pairs(dictionary.components(db, prepared.alike))):
            added, removed = _united(db, asset, document, before, means, prepared.pvs, day)
    elif others or prepared.alike or _rewritten(db, asset, removed):
        added, removed = _united(db, asset, document, before, _means(db, asset), prepared.pvs, day)
    known = known or Known(db, day)
    appeared, ended = _expose(db, asset, org, document, known, detected, given)
    dated = 0 if fresh else _detected(db, asset, day, prepared.digests, detected, given)
    if appeared and (rules := known.rules(org)):
        from .rule import decided_by

        decided_by(db, appeared, rules)
    record(
        db,
        "inventory.taken",
        f"inventory/{document}",
        {"asset": asset, "witness": told, "sha256": digest.hex(), "components": len(prepared.digests),
         "added": len(added), "removed": len(removed), "appeared": len(appeared), "ended": ended,
         **({"dated": dated} if dated else {})},
        org=org,
        aud=aud,
    )  # fmt: skip
    return Taken(
        inventory=document,
        components=len(prepared.digests),
        added=len(added),
        removed=len(removed),
        appeared=tuple(appeared),
        ended=ended,
        dated=dated,
        problems=tuple(problems),
        passed_over=tuple(passed_over),
    )


def _apart(db: psycopg.Connection[Any], asset: int) -> list[int]:
    """Has each witness show what it wrote, in place of what that means; returns what the asset held as it was shown."""
    row = db.execute("select clearway.fleet_apart(%s)", (asset,)).fetchone()
    assert row is not None
    return list(row[0])


def _rewritten(db: psycopg.Connection[Any], asset: int, removed: list[int]) -> bool:
    """Whether something was put together until now, or something that went is still shown by the same name."""
    row = db.execute("select clearway.fleet_rewritten(%s, %b)", (asset, Ints(removed))).fetchone()
    return row is not None and bool(row[0])


def _means(db: psycopg.Connection[Any], asset: int) -> dict[int, int]:
    """Which of the versions that an asset holds mean others, by number (`silent`)."""
    rows = db.execute(
        """select pv from (
            select v.pv, count(*) over (partition by v.ecosystem, v.name, v.version) as alike
            from clearway.held h join clearway.package_version v on v.pv = h.pv
            where h.asset = %s and v.ecosystem <> 'reported') x where alike > 1""",
        (asset,),
    ).fetchall()
    return pairs(dictionary.components(db, (pv for (pv,) in rows))) if rows else {}


def _united(
    db: psycopg.Connection[Any],
    asset: int,
    document: int,
    before: list[int],
    means: Mapping[int, int],
    pvs: Sequence[int],
    day: date,
) -> tuple[list[int], list[int]]:
    """Has what is silent stand for what says more of the same package, and what was written anew be what it was.

    Returns what came and what went.
    """
    row = db.execute(
        "select added, removed, dated from clearway.fleet_unite(%s, %s, %s, %s, %s, %s)",
        (asset, document, before, list(means), list(means.values()), list(pvs)),
    ).fetchone()
    assert row is not None
    if row[2]:
        due.date_again(db, day, assets=[asset])
    return row[0], row[1]


def problems_of(inventory: Inventory) -> list[str]:
    """What could not be read of it, as it is kept: the document's own, and components that can't be judged."""
    said = [*inventory.problems]
    if len(said) < _PROBLEMS:
        said += [f"{c.place or c.name}: {c.problem}" for c in inventory.components if c.problem]
    return [storable(p)[:_PROBLEM_CHARS] for p in dict.fromkeys(said[: 10 * _PROBLEMS])][:_PROBLEMS]


def again(db: psycopg.Connection[Any], asset: int, day: date) -> None:
    """Records what an asset holds and has no exposure of, and dates all of it: in the caller's transaction."""
    org, _ = _owner(db, asset)
    _expose(db, asset, org, 0, Known(db, day), None, {})
    due.date_again(db, day, assets=[asset])


def _detected(
    db: psycopg.Connection[Any],
    asset: int,
    day: date,
    digests: Sequence[bytes],
    detected: date | None,
    given: Mapping[Detected, date],
) -> int:
    """Counts what stood already from an earlier day, where one is given; returns how many exposures."""
    if detected is None and not given:
        return 0
    row = db.execute(
        "select clearway.fleet_detect(%s, %s, %s, %s, %b, %s)",
        (asset, *_columns(given), Blobs(digests), detected),
    ).fetchone()
    dated = int(row[0]) if row is not None else 0
    if dated:
        due.date_again(db, day, assets=[asset])
    return dated


def _columns(given: Mapping[Detected, date]) -> tuple[list[str], list[str], list[date]]:
    return [flaw for flaw, _ in given], [name for _, name in given], [*given.values()]


def _owner(db: psycopg.Connection[Any], asset: int) -> tuple[int, int]:
    row = db.execute("select org, aud from clearway.asset where asset = %s", (asset,)).fetchone()
    assert row is not None  # `fleet_take` has seen it in this transaction
    return row[0], row[1]


def _expose(
    db: psycopg.Connection[Any],
    asset: int,
    org: int,
    document: int,
    asked: Known,
    detected: date | None,
    given: Mapping[Detected, date],
) -> tuple[list[int], int]:
    with db.cursor(binary=True) as cursor:
        rows = cursor.execute(
            "select * from clearway.fleet_missing(%s, %s, %s, %s)", (asset, *_columns(given))
        ).fetchall()
    dater, setting, day = asked.dater, asked.setting(org), asked.day
    told = said(db, [asset])[asset]
    pvs: list[int] = []
    flaws: list[int] = []
    verdicts: list[int] = []
    firsts: list[date] = []
    hows: list[int] = []
    dues: list[date | None] = []
    clocks: list[int] = []
    # Each row is all that have the same facts; a thousand exposures are some hundred of them.
    for of_pvs, of_flaws, of_verdicts, _, year, *facts, was, seen, kept in rows:
        stated = detected if seen is None else seen
        if stated is not None:
            stated = max(stated, begins(year))  # the flaw's id; no scan has seen it before
        first = min((d for d in (stated, was) if d is not None), default=day)
        how = 1 if stated is not None and first == stated else 0
        if kept:  # somebody has set right the day that stood
            first, how = was, SET_RIGHT
        found = dater.due(setting, FlawDates(year, *facts), told, first, how)
        pvs += of_pvs
        flaws += of_flaws
        verdicts += of_verdicts
        firsts.append(first)
        hows.append(how)
        dues.append(found.due)
        clocks.append(found.clock)
    sizes = [len(row[0]) for row in rows]
    row = db.execute(
        """select appeared, ended from clearway.fleet_expose(
            %s, %s, %b, %b, %b::smallint[], %b, %b::smallint[], %b, %b, %b, %b)""",
        (
            asset,
            document,
            Ints(pvs),
            Ints(flaws),
            Ints(verdicts),
            Days(firsts, sizes),
            Ints(hows, sizes),
            Days(dues, sizes),
            Ints(clocks, sizes),
            Ints(sizes),
            Blobs([bytes(row[3]) for row in rows]),
        ),
    ).fetchone()
    assert row is not None
    return row[0], row[1]
