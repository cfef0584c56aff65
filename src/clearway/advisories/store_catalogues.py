"""Catalogues in PostgreSQL: which one is in force, and taking a newer one in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from .catalogue import fewer, loss, refusal
from .derived import FACTS
from .outcome import Outcome, fresh
from .prepare import CatalogueRow, prepare
from .store import TAKEN_BACK, Store

if TYPE_CHECKING:
    import psycopg

    from clearway.records.advisory import Kev


_YEAR = "within the last year"
# What was in force (`snapshot`) within a year and since somebody last took a smaller one: which lists most, and which
# is the oldest, whose entries and dates should all be left. Where many lose a little each, one of these shows it.
_YEARS = """with known as (
    select sha256, version, received, entries, smaller, max(version) over (
        order by received, version rows between unbounded preceding and 1 preceding) as before
    from clearway.catalogue where kind = %(kind)s),
stood as (
    select * from known where (before is null or version > before) and received > %(now)s - interval '1 year'
        and version >= coalesce((select max(version) from known where smaller), '') and version < %(version)s)
select sha256, entries from (select * from stood order by entries desc, version limit 1) most
union select sha256, entries from (select * from stood order by received, version limit 1) oldest order by 2 desc, 1"""


def _offered(catalogue: CatalogueRow) -> dict[str, Kev]:
    return {entry.cve: entry for row in catalogue.rows for entry in FACTS.decode(row.facts).kev}


class _Stood(Struct, frozen=True):
    """What a catalogue is compared with: how many entries, which ones where they have dates, and when they stood."""

    entries: int
    listed: dict[str, Kev]
    when: str = "stand"
    before: str = "before"


def _loosened(catalogue: CatalogueRow, stood: _Stood) -> str:
    if catalogue.kind == "epss":
        return fewer("epss", len(catalogue.scores), stood.entries, stood.before)
    lost = loss(stood.listed, _offered(catalogue))
    return refusal(lost, len(catalogue.rows), len(stood.listed), stood.when)


class Catalogues:
    """The catalogues of one database, within the intake of `store` that holds its lock."""

    def __init__(self, store: Store, connection: psycopg.Connection[Any]) -> None:
        self._store = store
        self._db = connection
        self._given: set[str] = set()  # kinds of which this intake has taken one in though it may be older
        # By kind, what stood when this intake began, or what it first took in: many files, each a little shorter than
        # the one before, take no more together than one may.
        self._start: dict[str, _Stood] = {}

    def in_force(self, kind: str) -> str | None:
        """The version of the newest catalogue of a kind, "" where it bears none; None where none was taken in."""
        row = self._db.execute(
            "select max(version) from clearway.catalogue where kind = %s", (kind,)
        ).fetchone()
        return row[0] if row else None

    def loosens(self, catalogue: CatalogueRow) -> str:
        """Why a catalogue is not taken in the place of the one in force: it takes back or postpones much; "" otherwise.

        One that is no newer takes nobody's place, unless the store accepts what is older.
        """
        before = self.in_force(catalogue.kind)
        if before is None or not self._takes_place(catalogue, before):
            return ""
        if catalogue.version <= before:
            return self._loosens_past(catalogue, before)
        standing = self._standing(catalogue, before)
        start = self._start.setdefault(
            catalogue.kind, structs.replace(standing, when="stood when this intake began")
        )
        return (
            _loosened(catalogue, standing) or _loosened(catalogue, start) or self._loosens_slowly(catalogue)
        )

    def _loosens_slowly(self, catalogue: CatalogueRow) -> str:
        """The same of what stood within a year: many that take back a little each take no more than one may."""
        rows = self._db.execute(
            _YEARS, {"kind": catalogue.kind, "version": catalogue.version, "now": self._store.received}
        ).fetchall()
        for sha256, entries in rows:
            listed = {} if catalogue.kind == "epss" else self._kept(sha256, catalogue.kind)
            stood = _Stood(entries, listed, f"stood {_YEAR}", _YEAR)
            if wrong := _loosened(catalogue, stood):
                return wrong
        return ""

    def _kept(self, sha256: bytes, kind: str) -> dict[str, Kev]:
        """What a catalogue that was taken in lists, by CVE."""
        for origin, raw in self._db.execute(
            "select origin, raw from clearway.catalogue where sha256 = %s", (sha256,)
        ).fetchall():
            for one in prepare([(origin, bytes(raw))], kind):
                if isinstance(one, CatalogueRow):
                    return _offered(one)
        return {}

    def _loosens_past(self, catalogue: CatalogueRow, before: str) -> str:
        """The same of one that is accepted though it is older, the cure for a wrong file.

        What the wrong one says is no measure of it: it is compared with the newest that was in force and stands behind
        it, which it may be itself. Where there is none, only its length is: it may be cut short.
        """
        rows = self._db.execute(
            """select c.entries, c.origin, c.raw from clearway.catalogue c
            where c.kind = %s and (c.version < %s or c.sha256 = %s) and not exists (
                select from clearway.catalogue o
                where o.kind in (c.kind, %s || c.kind) and o.version > c.version and o.received < c.received)
            order by c.version desc limit 1""",
            (catalogue.kind, catalogue.version, catalogue.sha256, TAKEN_BACK),
        ).fetchall()
        for entries, origin, raw in rows:
            if catalogue.kind == "epss":
                return _loosened(catalogue, _Stood(entries, {}))
            found = prepare([(origin, bytes(raw))], catalogue.kind)
            kept = next((one for one in found if isinstance(one, CatalogueRow)), None)
            if kept is not None:
                return _loosened(catalogue, _Stood(entries, _offered(kept), "stood before what is newer"))
        standing = self._standing(catalogue, before).entries
        return fewer(catalogue.kind, len(catalogue.rows) + len(catalogue.scores), standing)

    def _standing(self, catalogue: CatalogueRow, before: str) -> _Stood:
        if catalogue.kind == "epss":
            row = self._db.execute(
                "select max(entries) from clearway.catalogue where kind = 'epss' and version = %s", (before,)
            ).fetchone()
            return _Stood(row[0] if row else 0, {})
        listed = self._listed(catalogue.source)
        return _Stood(len(listed), listed)

    def _takes_place(self, catalogue: CatalogueRow, before: str | None) -> bool:
        if before is None or catalogue.version > before:
            return True
        return self._store.accept_older and catalogue.kind not in self._given

    def _take_back(self, catalogue: CatalogueRow) -> None:
        """Those no older than `catalogue` are of no force any more, and the scores that they brought are gone."""
        gone = self._db.execute(
            """update clearway.catalogue set kind = %s || kind
            where kind = %s and version >= %s and sha256 <> %s returning sha256""",
            (TAKEN_BACK, catalogue.kind, catalogue.version, catalogue.sha256),
        ).fetchall()
        self._db.execute("delete from clearway.epss where catalogue = any(%s)", ([row[0] for row in gone],))

    def _listed(self, source: str) -> dict[str, Kev]:
        """The standing entries of a catalogue of exploited flaws, by CVE."""
        with self._db.cursor(binary=True) as cursor:
            cursor.execute(
                "select derived from clearway.record where source = %s and kind like 'kev%%' and current",
                (source,),
            )
            return {entry.cve: entry for row in cursor for entry in FACTS.decode(row[0]).kev}

    def write(self, catalogue: CatalogueRow, raw: bytes) -> Outcome:
        """Stores a KEV or EPSS file whole, and its entries where it is the newest of its kind. One transaction."""
        with self._db.transaction():
            before = self.in_force(catalogue.kind)
            newer = self._takes_place(catalogue, before)
            if self._store.accept_older and newer:
                self._take_back(catalogue)
                self._given.add(catalogue.kind)
                if before is not None and catalogue.version <= before:
                    self._start.pop(catalogue.kind, None)  # what was wrong is no measure of what comes next
            self._db.execute(
                """insert into clearway.catalogue
                (sha256, source, kind, version, entries, raw, received, origin, smaller)
                values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
                on conflict (sha256) do update set kind = excluded.kind, smaller = excluded.smaller""",
                (catalogue.sha256, catalogue.source, catalogue.kind, catalogue.version,
                 len(catalogue.rows) + len(catalogue.scores), raw, self._store.received, catalogue.place,
                 self._store.accept_smaller and newer),
            )  # fmt: skip
            if catalogue.kind == "epss":
                outcome = self._scores(catalogue)
            elif newer:
                outcome = self._entries(catalogue)
            else:
                outcome = fresh()
                outcome.unchanged[catalogue.source] += len(catalogue.rows)
            if not newer:
                outcome.older = outcome.unchanged.total()
            elif before is not None and catalogue.version < before:
                outcome.past = len(catalogue.rows) + len(catalogue.scores)
            self._store.log_accepted(outcome)
            self._store.not_aside([catalogue.sha256])
            self._store.advance()
        return outcome

    def _entries(self, catalogue: CatalogueRow) -> Outcome:
        lost = loss(self._listed(catalogue.source), _offered(catalogue))
        outcome = self._store.write_within(catalogue.rows, [r.raw or b"" for r in catalogue.rows])
        listed = [r.id for r in catalogue.rows]
        gone = self._db.execute(
            """update clearway.record set current = false
            where source = %s and kind like 'kev%%' and current and not id = any(%s)
            returning source, id, sha256""",
            (catalogue.source, listed),
        ).fetchall()
        for source, identifier, sha256 in gone:
            outcome.replaced.append((source, identifier, bytes(sha256)))
            outcome.touched.add(identifier)
        outcome.left, outcome.later, outcome.earlier = lost.left, lost.later, lost.earlier
        from clearway.access import exploitation  # with the log and all that: for a catalogue alone

        exploitation.listed(self._db, listed, catalogue.source)
        return outcome

    def _scores(self, catalogue: CatalogueRow) -> Outcome:
        outcome = fresh()
        self._db.execute(
            """create temporary table if not exists incoming_epss
            (cve text, probability float8, percentile float8) on commit delete rows"""
        )
        sql = "copy incoming_epss (cve, probability, percentile) from stdin (format binary)"
        with self._db.cursor() as cursor, cursor.copy(sql) as copy:
            copy.set_types(["text", "float8", "float8"])
            for score in catalogue.scores:
                copy.write_row(score)
        row = self._db.execute(
            """with put as (
                insert into clearway.epss as e (cve, model, dated, probability, percentile, catalogue)
                select cve, %s, %s, probability, percentile, %s from incoming_epss
                on conflict (cve) do update set model = excluded.model, dated = excluded.dated,
                    probability = excluded.probability, percentile = excluded.percentile,
                    catalogue = excluded.catalogue
                where e.dated < excluded.dated
                returning (xmax = 0) as added)
            select count(*) filter (where added), count(*) filter (where not added) from put""",
            (catalogue.model, catalogue.version[:10], catalogue.sha256),
        ).fetchone()
        added, updated = row if row is not None else (0, 0)
        outcome.new[catalogue.source] += added
        outcome.changed[catalogue.source] += updated
        outcome.unchanged[catalogue.source] += len(catalogue.scores) - added - updated
        return outcome
