"""Writing records to PostgreSQL: one batch, one transaction, and what became of each record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from .derived import FACTS, derivation
from .outcome import Known, Outcome, Stamp, fresh

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    import psycopg

    from .prepare import Aside, Row

# Held for a whole intake, so that two commands at once take turns and never interleave.
_INTAKE_LOCK = 0x636C7761_00000001
_RECORD_COLUMNS = {
    "rec": "int8",
    "source": "text",
    "id": "text",
    "format": "text",
    "kind": "text",
    "version": "text",
    "sha256": "bytea",
    "raw": "bytea",
    "derived": "bytea",
    "derived_by": "int4",
    "received": "timestamptz",
    "origin": "text",
    "tlp": "text",
    "current": "bool",
}
_COPY_RECORDS = f"copy clearway.record ({', '.join(_RECORD_COLUMNS)}) from stdin (format binary)"


TAKEN_BACK = "taken-back:"  # before the kind of a catalogue in whose place an older one was taken in
_PUBLIC = "CLEAR"  # TLP 2.0
_COMMUNITY = 1  # TLP:GREEN (migration 0002): numbers alone are told
_PLACE_CHARS = 600  # of a place in an index; a row of one holds 2,704 bytes. `origin` has it all


class Store:
    """The intake's hold on one database. `received` stamps everything that it writes.

    With `accept_older`, what is given takes the place of what stood before this intake though it is older; of what is
    given itself the newest stands.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        received: datetime,
        *,
        accept_smaller: bool = False,
        accept_older: bool = False,
    ) -> None:
        self._db = connection
        self.received = received
        self.run = 0
        self.accept_smaller = accept_smaller
        self.accept_older = accept_older
        self._given: set[tuple[str, str]] = set()  # records that stand by this intake, where that matters

    def try_lock(self) -> bool:
        """Takes the intake lock if nobody has it; it ends with the connection."""
        row = self._db.execute("select pg_try_advisory_lock(%s)", (_INTAKE_LOCK,)).fetchone()
        return bool(row and row[0])

    def lock(self) -> None:
        """Waits for the intake lock, however long the other command takes."""
        self._db.execute("set lock_timeout = 0")
        self._db.execute("select pg_advisory_lock(%s)", (_INTAKE_LOCK,))

    def known(self, hashes: Sequence[bytes]) -> dict[bytes, Known]:
        """The pieces that are already kept, by their sha256, as far as this version of the program derived them."""
        found: dict[bytes, Known] = {}
        with self._db.cursor(binary=True) as cursor:
            cursor.execute(
                """select sha256, source, 1, not current, '', '' from clearway.record
                where sha256 = any(%s) and derived_by = %s
                union all
                select c.sha256, c.source, c.entries, c.version < n.version, c.version, n.version
                from clearway.catalogue c
                cross join lateral (select max(version) as version from clearway.catalogue where kind = c.kind) n
                where c.sha256 = any(%s) and not starts_with(c.kind, %s)""",
                (list(hashes), derivation(), list(hashes), TAKEN_BACK),
            )
            for sha256, *row in cursor:
                one, before = Known(*row), found.get(bytes(sha256))
                # The same bytes may stand for one source and be older for another.
                if before is None or before.older:
                    found[bytes(sha256)] = one
        if self.accept_older:
            return {sha256: one for sha256, one in found.items() if not one.older}
        return found

    def write(self, rows: Sequence[Row], raws: Sequence[bytes], *, hold: bool = False) -> Outcome:
        """Stores records, `raws` beside them; of one id the newest by its own version stands.

        One transaction. A record that is older than the one that stands is kept and counts as unchanged. With `hold`,
        one that speaks of nothing of which the standing one speaks is not stored: the outcome has its position.
        """
        with self._db.transaction():
            outcome = self.write_within(rows, raws, hold=hold)
            self.log_accepted(outcome)
            if outcome.touched:
                self.advance()
        return outcome

    def log_accepted(self, outcome: Outcome) -> None:
        """Logs, with the transaction that runs, what somebody let an intake take back or put in a newer one's place."""
        told = {
            "left": len(outcome.left), "later": len(outcome.later), "earlier": len(outcome.earlier),
            "silent": len(outcome.silent), "older": outcome.past,
        }  # fmt: skip
        if not (self.accept_smaller or self.accept_older) or not any(told.values()):
            return
        from clearway.ledger import append  # for such an intake alone

        said = {"accept_smaller": self.accept_smaller, "accept_older": self.accept_older}
        append(self._db, "record.accepted", f"intake/{self.run}", {**told, **said}, aud=_COMMUNITY)

    def write_within(self, rows: Sequence[Row], raws: Sequence[bytes], *, hold: bool = False) -> Outcome:
        """As `write`, in the transaction that runs; the generation does not advance by it."""
        outcome = fresh()
        standing = self._standing(rows)
        silent = self._silent(rows, standing)
        insert: list[tuple[Row, bytes, bool]] = []
        retire: list[int] = []
        again: list[Row] = []
        pending: dict[tuple[str, str], int] = {}  # where in `insert` the standing row of this batch is
        at: dict[Stamp, int] = {}  # where in `insert` a version is: a batch may hold it twice
        for position, (row, raw) in enumerate(zip(rows, raws, strict=True)):
            before = standing.get((row.source, row.id))
            if before is None:
                outcome.new[row.source] += 1
            elif before.sha256 == row.sha256:
                outcome.unchanged[row.source] += 1
                if before.derived_by != derivation():
                    again.append(row)
                    outcome.touched.update(_ids(row))
                continue
            elif self._is_older(row, before):
                outcome.unchanged[row.source] += 1
                outcome.older += 1
                if at.setdefault((row.source, row.id, row.sha256), len(insert)) == len(insert):
                    insert.append((row, raw, False))
                continue
            elif hold and position in silent:
                outcome.held.append(position)
                continue
            else:
                outcome.changed[row.source] += 1
                outcome.past += row.version < before.version
                outcome.silent += [(row.source, row.id)] if position in silent else []
                earlier = pending.get((row.source, row.id))
                if earlier is None:
                    retire.append(before.rec)
                    if before.public:
                        outcome.replaced.append((row.source, row.id, before.sha256))
                else:  # twice in one batch: the first was never seen standing
                    insert[earlier] = (*insert[earlier][:2], False)
            where = at.setdefault((row.source, row.id, row.sha256), len(insert))
            insert[where : where + 1] = [(row, raw, True)]
            pending[row.source, row.id] = where
            public = row.tlp == _PUBLIC
            if before is not None and before.public and not public:
                outcome.whole = True  # its older version leaves the file too, not only its index
            standing[row.source, row.id] = _Standing(-1, row.version, row.sha256, derivation(), public)
            outcome.touched.update(_ids(row))
            if self.accept_older:
                self._given.add((row.source, row.id))
        outcome.whole |= self._speak_of_products(retire)
        outcome.touched |= self._retire(retire)
        outcome.stood += [
            (r.source, r.id, r.sha256) for r, _, current in insert if current and r.tlp == _PUBLIC
        ]
        self._insert(insert)
        self._derive_again(again)
        return outcome

    def _is_older(self, row: Row, standing: _Standing) -> bool:
        return row.version < standing.version and (
            not self.accept_older or (row.source, row.id) in self._given
        )

    def _standing(self, rows: Sequence[Row]) -> dict[tuple[str, str], _Standing]:
        with self._db.cursor(binary=True) as cursor:
            cursor.execute(
                """select r.source, r.id, r.rec, r.version, r.sha256, coalesce(r.derived_by, 0), r.tlp
                from unnest(%s::text[], %s::text[]) as w(source, id)
                join clearway.record r on r.source = w.source and r.id = w.id and r.current""",
                ([r.source for r in rows], [r.id for r in rows]),
            )
            return {
                (row[0], row[1]): _Standing(row[2], row[3], bytes(row[4]), row[5], row[6] == _PUBLIC)
                for row in cursor
            }

    def _silent(self, rows: Sequence[Row], standing: dict[tuple[str, str], _Standing]) -> set[int]:
        """Positions of the rows that are newer than what stands and speak of nothing of which that speaks.

        VEX is left out: what such a statement no longer takes back is due again.
        """
        newer = {
            at: before.rec
            for at, row in enumerate(rows)
            if (before := standing.get((row.source, row.id))) is not None
            and before.sha256 != row.sha256
            and not self._is_older(row, before)
        }
        if not newer:
            return set()
        spoke: dict[int, set[tuple[str, str]]] = {}
        found = self._db.execute(
            "select rec, ecosystem, name from clearway.claim where rec = any(%s) and ecosystem <> 'vex'",
            (list(newer.values()),),
        )
        for rec, ecosystem, name in found:
            spoke.setdefault(rec, set()).add((ecosystem, name))
        return {
            at
            for at, rec in newer.items()
            if rec in spoke and spoke[rec].isdisjoint((c.ecosystem, c.name) for c in rows[at].claims)
        }

    def records_of(self, source: str) -> int:
        """How many records of a source stand."""
        row = self._db.execute(
            "select count(*) from clearway.record where source = %s and current", (source,)
        ).fetchone()
        return int(row[0]) if row else 0

    def _speak_of_products(self, recs: list[int]) -> bool:
        """Whether any of these records is VEX, whose products are found by no id."""
        sql = "select exists (select from clearway.claim where rec = any(%s) and ecosystem = 'vex')"
        row = self._db.execute(sql, (recs,)).fetchone() if recs else None
        return bool(row and row[0])

    def _retire(self, recs: list[int]) -> set[str]:
        """Takes records down; returns the ids about which they spoke."""
        if not recs:
            return set()
        rows = self._db.execute(
            "update clearway.record set current = false where rec = any(%s) returning id, derived", (recs,)
        )
        spoken = {i for row in rows for i in (row[0], *_note_ids(row[1]))}
        self._db.execute("delete from clearway.edge where rec = any(%s)", (recs,))
        self._db.execute("delete from clearway.claim where rec = any(%s)", (recs,))
        return spoken

    def _insert(self, rows: Sequence[tuple[Row, bytes, bool]]) -> None:
        if not rows:
            return
        seen = self._versions_kept([r for r, _, _ in rows])
        fresh_rows = [entry for entry in rows if (entry[0].source, entry[0].id, entry[0].sha256) not in seen]
        back = [
            (seen[r.source, r.id, r.sha256], r)
            for r, _, current in rows
            if current and (r.source, r.id, r.sha256) in seen
        ]
        recs = self._numbers(len(fresh_rows))
        with (
            self._db.cursor() as cursor,
            cursor.copy(_COPY_RECORDS) as copy,
        ):
            copy.set_types(list(_RECORD_COLUMNS.values()))
            for rec, (r, raw, current) in zip(recs, fresh_rows, strict=True):
                copy.write_row(
                    (rec, r.source, r.id, r.kind.partition("-")[0], r.kind, r.version, r.sha256, raw, r.facts,
                     derivation(), self.received, r.place, r.tlp, current)
                )  # fmt: skip
        self._attach([(rec, r) for rec, (r, _, current) in zip(recs, fresh_rows, strict=True) if current])
        if back:  # an earlier version of the record stands again
            self._db.execute(
                "update clearway.record set current = true where rec = any(%s)", ([rec for rec, _ in back],)
            )
            self._attach(back)

    def _versions_kept(self, rows: Sequence[Row]) -> dict[tuple[str, str, bytes], int]:
        with self._db.cursor(binary=True) as cursor:
            cursor.execute(
                """select r.source, r.id, r.sha256, r.rec
                from unnest(%s::text[], %s::text[], %s::bytea[]) as w(source, id, sha256)
                join clearway.record r using (source, id, sha256)""",
                ([r.source for r in rows], [r.id for r in rows], [r.sha256 for r in rows]),
            )
            return {(row[0], row[1], bytes(row[2])): row[3] for row in cursor}

    def _numbers(self, count: int) -> list[int]:
        rows = self._db.execute(
            "select nextval(pg_get_serial_sequence('clearway.record', 'rec')) from generate_series(1, %s)",
            (count,),
        )
        return [row[0] for row in rows]

    def _attach(self, rows: Iterable[tuple[int, Row]]) -> None:
        rows = list(rows)
        if any(r.edges for _, r in rows):
            sql = "copy clearway.edge (rec, source, subject, kind, target) from stdin (format binary)"
            with self._db.cursor() as cursor, cursor.copy(sql) as copy:
                copy.set_types(["int8", "text", "text", "text", "text"])
                for rec, r in rows:
                    for e in r.edges:
                        copy.write_row((rec, e.source, e.subject, e.kind, e.target))
        if any(r.claims for _, r in rows):
            sql = "copy clearway.claim (rec, ecosystem, name, clear, body) from stdin (format binary)"
            with self._db.cursor() as cursor, cursor.copy(sql) as copy:
                copy.set_types(["int8", "text", "text", "bool", "bytea"])
                for rec, r in rows:
                    for c in r.claims:
                        copy.write_row((rec, c.ecosystem, c.name, r.tlp == "CLEAR", c.body))

    def _derive_again(self, rows: Sequence[Row]) -> None:
        """Replaces what an earlier version of the program drew from records that stand."""
        if not rows:
            return
        kept = self._versions_kept(rows)
        found = [(kept[r.source, r.id, r.sha256], r) for r in rows]
        recs = [rec for rec, _ in found]
        self._db.execute("delete from clearway.edge where rec = any(%s)", (recs,))
        self._db.execute("delete from clearway.claim where rec = any(%s)", (recs,))
        self._db.execute(
            """update clearway.record r set derived = w.facts, derived_by = %s, tlp = w.tlp
            from unnest(%s::int8[], %s::bytea[], %s::text[]) as w(rec, facts, tlp) where r.rec = w.rec""",
            (derivation(), recs, [r.facts for _, r in found], [r.tlp for _, r in found]),
        )
        self._attach(found)

    def stale(self, count: int) -> list[tuple[str, str, bytes]]:
        """(kind, origin, raw) of up to `count` standing records that other rules or another map derived."""
        rows = self._db.execute(
            """select kind, origin, raw from clearway.record
            where current and derived_by is distinct from %s and kind not like 'kev%%' limit %s""",
            (derivation(), count),
        )
        return [(kind, origin, bytes(raw)) for kind, origin, raw in rows]

    def keep_as_derived(self, raws: Sequence[bytes]) -> None:
        """Marks records that can no longer be read: what was drawn from them stands, until a rule reads them."""
        self._db.execute(
            """update clearway.record set derived_by = %s
            where current and sha256 in (select sha256(r) from unnest(%s::bytea[]) r)""",
            (derivation(), list(raws)),
        )

    def set_aside(self, rows: Sequence[Aside]) -> None:
        """Keeps what could not be used, with its place and reason; a repeat adds nothing."""
        with self._db.transaction(), self._db.cursor() as cursor:
            cursor.executemany(
                """insert into clearway.set_aside (sha256, origin, place, reason, received)
                values (%s, %s, %s, %s, %s) on conflict (sha256, place) do nothing""",
                [(a.sha256, a.place, a.place[:_PLACE_CHARS], a.reason, self.received) for a in rows],
            )

    def not_aside(self, hashes: Sequence[bytes]) -> None:
        """Forgets that these were set aside: they were taken in after all."""
        self._db.execute("delete from clearway.set_aside where sha256 = any(%s)", (list(hashes),))

    def begin_run(self) -> int:
        """Notes that an intake started; returns its number."""
        row = self._db.execute(
            "insert into clearway.intake_run (started) values (%s) returning id", (self.received,)
        ).fetchone()
        assert row is not None
        self.run = int(row[0])
        return self.run

    def end_run(self, run: int, counts: dict[str, object], ended: datetime) -> None:
        """Notes how it ended."""
        from psycopg.types.json import Jsonb

        self._db.execute(
            "update clearway.intake_run set ended = %s, counts = %s where id = %s",
            (ended, Jsonb(counts), run),
        )

    def advance(self) -> None:
        """Tells, with the transaction that runs, that the compiled table is behind."""
        self._db.execute("update clearway.generation set n = n + 1")


def _ids(row: Row) -> tuple[str, ...]:
    """A record's own id and those of the statements inside it (CSAF: one a vulnerability)."""
    return (row.id, *_note_ids(row.facts))


def _note_ids(facts: bytes | None) -> tuple[str, ...]:
    return () if facts is None else tuple(head.id for head in FACTS.decode(facts).heads)


class _Standing(Struct, frozen=True):
    rec: int
    version: str
    sha256: bytes
    derived_by: int
    public: bool  # only such a record is in the compiled table
