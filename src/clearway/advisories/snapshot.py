"""One consistent reading of the database, for compiling the table from it."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from psycopg import sql

from clearway.store.connect import connect

from .groups import Edge
from .sources import Loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from contextlib import AbstractContextManager

    import psycopg


# In force was what no catalogue taken in before it was newer than. In one intake the older of two is the earlier.
_CATALOGUE = """with known as (
    select version, received, entries, max(version) over (
        order by received, version rows between unbounded preceding and 1 preceding) as before
    from clearway.catalogue where kind = %s
), stood as (select * from known where before is null or version > before)
select split_part(version, 'T', 1), to_char(received at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), entries,
    (select max(p.entries) from stood p where p.received > s.received - interval '1 year')
from stood s order by version desc limit 1"""


class Catalogue(Struct, frozen=True):
    """A catalogue's own version, when it was taken in and how much it lists; "" and 0 when none is loaded.

    `most` is the most that one listed which was in force in the year before it was taken in.
    """

    version: str = ""
    received: str = ""
    entries: int = 0
    most: int = 0


class Snapshot:
    """Reads through `connection`, whose transaction is REPEATABLE READ, READ ONLY.

    With `url`, `shared` opens second connections that see the same.
    """

    def __init__(self, connection: psycopg.Connection[Any], url: str = "") -> None:
        self._db = connection
        self._url = url
        self.generation, self.home = self._rows("select n, home::text from clearway.generation")[0]

    def shared(self) -> Callable[[], AbstractContextManager[Snapshot]] | None:
        """Opens this snapshot on a connection of its own (pg_export_snapshot); None when there is no URL."""
        if not self._url:
            return None
        exported = self._rows("select pg_export_snapshot()")[0][0]
        return partial(_imported, self._url, exported)

    def _rows(self, sql: str, args: tuple[Any, ...] = ()) -> list[Any]:
        with self._db.cursor(binary=True) as cursor:
            return cursor.execute(sql, args).fetchall()

    def _stream(self, sql: str, args: tuple[Any, ...] = ()) -> Iterator[Any]:
        """Rows in batches through a cursor on the server, so that memory stays bounded."""
        with self._db.cursor("compile", binary=True) as cursor:
            cursor.execute(sql, args)
            while rows := cursor.fetchmany(20_000):
                yield from rows

    def records(self) -> Iterator[tuple[str, str, bytes, bytes]]:
        """(source, id, sha256, facts) of every standing record, by source and id."""
        return self._stream("select source, id, sha256, derived from clearway.standing order by source, id")

    def records_with_ids(self, ids: Collection[str]) -> list[tuple[str, str, bytes, bytes]]:
        """As `records`, for these ids. A statement inside a record ("ICSA-1#CVE-2") is found by the record's."""
        return self._rows(
            """select source, id, sha256, derived from clearway.standing
            where id = any(%s) order by source, id""",
            (list({i.partition("#")[0] for i in ids}.union(ids)),),
        )

    def edges(self) -> Iterator[Edge]:
        """Every assertion of a standing record."""
        sql = """select e.subject, e.kind, e.target, e.source
            from clearway.edge e join clearway.standing r using (rec)"""
        return (Edge(*row) for row in self._stream(sql))

    def edges_at(self, ids: Collection[str]) -> list[Edge]:
        """The assertions of standing records in which one of these ids is named on either side."""
        return [
            Edge(*row)
            for row in self._rows(
                """select e.subject, e.kind, e.target, e.source
                from clearway.edge e join clearway.standing r using (rec)
                where e.subject = any(%s) or e.target = any(%s)""",
                (list(ids), list(ids)),
            )
        ]

    def speaks_of(self, source: str, ecosystem: str) -> bool:
        """Whether a standing record of this source makes a claim in this ecosystem."""
        sql = """select exists (select from clearway.claim c join clearway.standing r using (rec)
            where c.ecosystem = %s and r.source = %s)"""
        return bool(self._rows(sql, (ecosystem, source))[0][0])

    def claims(self) -> Iterator[tuple[str, str, bytes]]:
        """(ecosystem, name, claim) of every standing record, in no order: sorting is cheaper elsewhere."""
        return self._stream("select ecosystem, name, body from clearway.claim where clear")

    def claims_of(self, packages: Collection[tuple[str, str]]) -> list[tuple[str, str, bytes]]:
        """As `claims`, for these packages."""
        if not packages:
            return []
        return self._rows(
            """select c.ecosystem, c.name, c.body
            from unnest(%s::text[], %s::text[]) as p(ecosystem, name)
            join clearway.claim c on c.ecosystem = p.ecosystem and c.name = p.name and c.clear""",
            ([p[0] for p in packages], [p[1] for p in packages]),
        )

    def vex_products(self, record: str) -> list[str]:
        """The products about which a VEX document speaks, or spoke in a version that is kept."""
        rows = self._rows(
            """select distinct c.name from clearway.claim c join clearway.record r using (rec)
            where c.ecosystem = 'vex' and r.id = %s""",
            (record,),
        )
        return [row[0] for row in rows]

    def epss(self, cves: Collection[str]) -> dict[str, tuple[float, float | None, str, str]]:
        """CVE -> (probability, percentile, date, model), the newest score loaded."""
        if not cves:
            return {}
        rows = self._rows(
            """select e.cve, e.probability, e.percentile, e.dated, e.model
            from unnest(%s::text[]) as w(cve) join clearway.epss e using (cve)""",
            (list(cves),),
        )
        return {row[0]: tuple(row[1:]) for row in rows}

    def loaded(self, only: Collection[str] | None = None) -> list[Loaded]:
        """Each source, or those of `only` that have records, with its count, newest own date, and last intake."""
        return [
            Loaded(*row)
            for row in self._rows(
                """select r.source, count(*), max(split_part(r.version, '/', 1)),
                to_char(max(r.received) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                count(*) filter (where split_part(r.version, '/', 1) = '')
                from clearway.standing r
                where %s::text[] is null or r.source = any(%s) group by r.source order by r.source""",
                (None if only is None else list(only),) * 2,
            )
        ]

    def catalogue(self, kind: str) -> Catalogue:
        """The newest catalogue of a kind ("kev", "epss")."""
        rows = self._rows(_CATALOGUE, (kind,))
        return Catalogue(*rows[0]) if rows else Catalogue()


@contextmanager
def _imported(url: str, exported: str) -> Iterator[Snapshot]:
    with connect(url) as second:
        second.execute("set transaction isolation level repeatable read, read only")
        second.execute(sql.SQL("set transaction snapshot {}").format(exported))
        yield Snapshot(second, url)
