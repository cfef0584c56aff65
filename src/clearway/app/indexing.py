"""Documents of the search, kept in step: of public flaws by the compiled table, of what is kept by its events.

    flaws:  where the table is another one than was followed, all of it; else the rows that changed beside it
    kept:   events since the last one that was followed; all anew where events have been deleted by age meanwhile

A document that says what it said before is not written again. The owner writes them, in batches; a follower that dies
goes on from its last batch. Markings don't wait for this: a trigger follows them (migration 0010).
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from msgspec import Struct

from clearway.advisories.titles import title_of
from clearway.store.search import terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    import psycopg

    from clearway.advisories.table import Flaw, Table

    Connect = Callable[[], AbstractContextManager[psycopg.Connection[Any]]]

_T = TypeVar("_T")
BATCH = 5_000  # documents a transaction
_MOST_PACKAGES = 60  # of one flaw, as words of its document
_TITLE = 200
_APART = 20_000  # flaws, which are two seconds of an interpreter

_STAGE = """create temporary table if not exists new_doc (kind text, ref text, org int, aud int, title text, path text,
    terms text[]) on commit delete rows"""
_COPY = "copy new_doc (kind, ref, org, aud, title, path, terms) from stdin"
# Of twins in one batch any one; `terms` are sorted by the vector itself.
_PUT = """insert into clearway.search_doc as d (kind, ref, org, aud, title, path, terms)
select distinct on (kind, ref, org) kind, ref, org, aud, title, path, array_to_tsvector(terms) from new_doc
on conflict (kind, ref, org) do update set aud = excluded.aud, title = excluded.title, path = excluded.path,
    terms = excluded.terms
where (d.aud, d.title, d.path, d.terms) is distinct from
    (excluded.aud, excluded.title, excluded.path, excluded.terms)"""


class Doc(Struct, frozen=True, kw_only=True):
    """One thing that can be found."""

    kind: str
    ref: str
    org: int = 0
    aud: int = 0
    title: str
    path: str
    texts: tuple[str, ...] = ()


def put_all(db: psycopg.Connection[Any], docs: Iterable[Doc]) -> int:
    """Writes documents in place of those before, as the owner; how many were new or said something else."""
    db.execute(_STAGE)
    with db.cursor() as cursor, cursor.copy(_COPY) as copy:
        for doc in docs:
            words = terms(doc.ref, doc.title, *doc.texts)
            copy.write_row((doc.kind, doc.ref, doc.org, doc.aud, doc.title[:300], doc.path, words))
    return db.execute(_PUT).rowcount


def reached(db: psycopg.Connection[Any], follower: str) -> str:
    """How far a follower has come; "" when it has not begun."""
    row = db.execute("select reached from clearway.search_follower where name = %s", (follower,)).fetchone()
    return str(row[0]) if row else ""


def set_reached(db: psycopg.Connection[Any], follower: str, value: str) -> None:
    """Notes how far a follower has come."""
    db.execute(
        """insert into clearway.search_follower values (%s, %s)
        on conflict (name) do update set reached = excluded.reached""",
        (follower, value),
    )


def follow_flaws(connect: Connect, table: Table) -> int:
    """Brings the documents of public flaws up to `table`; how many were written or dropped.

    The table holds TLP:CLEAR alone, so their audience is everybody.
    """
    with connect() as db:
        before = reached(db, "flaws")
    now = _state(table)
    if before == now:
        return 0
    written = (_changed if _beside(before, table) else _whole)(connect, table)
    with connect() as db:
        set_reached(db, "flaws", now)
    return written


def waits_long(connect: Connect, table: Table) -> bool:
    """Whether `follow_flaws` would write so much that whoever is answered by this process meanwhile would notice."""
    if table.meta.flaws < _APART:
        return False
    with connect() as db:
        before = reached(db, "flaws")
    return before != _state(table) and not _beside(before, table)


def follow_flaws_of(home: Path, url: str) -> None:
    """`follow_flaws` with the table of a home and a session of its own."""
    from clearway.advisories.table import Table
    from clearway.store.connect import connect

    with connect(url, autocommit=True, application_name="clearway loop app.search_flaws") as db:

        @contextmanager
        def transaction() -> Iterator[psycopg.Connection[Any]]:
            with db.transaction():
                yield db

        table = Table.of_home(home)
        try:
            follow_flaws(transaction, table)
        finally:
            table.close()


def _state(table: Table) -> str:
    meta = table.meta
    return f"{meta.base} {meta.content} {meta.generation}"


def _beside(before: str, table: Table) -> bool:
    """Whether the table is the one followed before, with rows that changed beside it."""
    return before.partition(" ")[0] == table.meta.base and bool(table.changed)


def flaw_doc(table: Table, flaw: Flaw) -> Doc:
    """The document of one flaw: its ids, titles and packages."""
    notes = [n for _, record in (*flaw.records, *flaw.bundled_by)[:40] for n in table.records(record)]
    titles = list(dict.fromkeys(n.title for n in notes if n.title))
    packages = list(dict.fromkeys(name for n in notes for _, name in n.packages[:_MOST_PACKAGES]))
    named = ", ".join(packages[:3]) + (" …" if len(packages) > 3 else "")
    says = title_of(flaw, notes) or named
    return Doc(
        kind="flaw",
        ref=flaw.id,
        title=f"{flaw.id} · {says}"[:_TITLE] if says else flaw.id,
        path=f"/flaws/{_quoted(flaw.id)}",
        texts=(*flaw.ids, *titles[:6], *packages[:_MOST_PACKAGES]),
    )


def _whole(connect: Connect, table: Table) -> int:
    written = 0
    seen: list[str] = []
    for batch in _batches(table.all_facts(), BATCH):
        found = [flaw for facts in batch if (flaw := table.flaw(facts.id)) is not None]
        seen += (flaw.id for flaw in found)
        with connect() as db:
            written += put_all(db, (flaw_doc(table, flaw) for flaw in found))
    with connect() as db:
        db.execute(_STAGE)
        with db.cursor() as cursor, cursor.copy("copy new_doc (ref) from stdin") as copy:
            for identifier in seen:
                copy.write_row((identifier,))
        written += db.execute(
            """delete from clearway.search_doc d where d.kind = 'flaw' and d.aud = 0
            and not exists (select from new_doc n where n.ref = d.ref)"""
        ).rowcount
    return written


def _changed(connect: Connect, table: Table) -> int:
    """What the rows beside the table speak of: flaws that are there, and flaws that are gone."""
    wanted = {*table.changed.get("flaw", ())}
    for record in table.changed.get("record", ()):
        wanted.update(table.flaws_of(record))
    written = 0
    for batch in _batches(sorted(wanted), BATCH):
        found = {i: table.flaw(i) for i in batch}
        gone = [i for i, flaw in found.items() if flaw is None]
        with connect() as db:
            written += put_all(db, (flaw_doc(table, flaw) for flaw in found.values() if flaw is not None))
            written += db.execute(
                "delete from clearway.search_doc where kind = 'flaw' and aud = 0 and ref = any(%s)", (gone,)
            ).rowcount
    return written


def _batches(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch


def _quoted(text: str) -> str:
    return quote(text, safe="")


# Of what is kept: by the nouns of its events, everything there is to find of it. Columns: ref, org, aud, title, path,
# texts. `{}` takes the ids, or all of them where it is null.
KEPT: dict[str, tuple[str, str]] = {
    "asset": (
        "asset",
        """select a.asset::text, a.org, a.aud::int, a.name, '/assets/' || a.asset,
        array[a.owner, a.kind, a.sub_organisation] || a.identifiers || a.addresses || a.names
        from clearway.asset a where %(ids)s::text[] is null or a.asset = any(%(ids)s::text[]::bigint[])
        order by a.asset""",
    ),
    "triage": (
        "triage",
        """select t.triage::text, t.org, t.aud::int, 'Triage ' || t.triage || ' · ' || t.flaw || ' on ' || t.asset_name,
        '/directives/triages/' || t.triage, array[t.component, t.asset, t.directive]
        from clearway.triage t where %(ids)s::text[] is null or t.triage = any(%(ids)s::text[]::bigint[])
        order by t.triage""",
    ),
    "report": (
        "report",
        """select r.report::text, r.org, r.aud::int, initcap(replace(r.kind, '_', '-')) || ' report of ' || o.name
            || ' as of ' || r.as_of, '/directives/reports/' || r.report, array[r.directive, o.slug, r.by_name]
        from clearway.directive_report r join clearway.organisation o on o.org = r.org
        where %(ids)s::text[] is null or r.report = any(%(ids)s::text[]::bigint[])
        order by r.report""",
    ),
    "directive": (
        "directive",
        """select v.version_id::text, v.org, v.aud::int, upper(replace(v.directive, '-', ' ')) || ' version '
            || v.version || ' · issued by ' || o.name, '/directives/' || v.directive,
        array[v.directive, v.key_id, o.slug]
        from clearway.directive_version v join clearway.organisation o on o.org = v.org
        where %(ids)s::text[] is null or v.directive || '/' || v.version = any(%(ids)s::text[])
        order by v.version_id""",
    ),
    # What of them is kept in clear; a trial is deleted after a week, and nothing to be found.
    "finding": (
        "finding",
        """select f.handling, f.org, f.aud::int, f.handling || ' · ' || f.title, '/findings/' || f.handling,
        array[f.ecosystem, f.package, f.release, f.purl, f.place, f.cwe]
        from clearway.finding f where f.live and (%(ids)s::text[] is null or f.handling = any(%(ids)s::text[]))
        order by f.finding""",
    ),
    "case": (
        "case",
        """select c.handling, c.org, c.aud::int, c.handling || ' · ' || c.title, '/cases/' || c.handling,
        array[c.ecosystem, c.package, c.purl, c.cve]
        from clearway.desk_case c where %(ids)s::text[] is null or c.handling = any(%(ids)s::text[])
        order by c.case_id""",
    ),
}
_HANDLED = ("finding", "case")  # known by a handling id, not by a number


def follow_kept(connect: Connect) -> int:
    """Brings the documents of what is kept up to its events; how many were written."""
    from clearway.store import events

    with connect() as db:
        upto = events.horizon(db)
    with connect() as db:
        said = reached(db, "kept")
    if not said.isdecimal() or int(said) < upto.floor:
        written = sum(_kept(connect, noun, None) for noun in KEPT)
        with connect() as db:
            set_reached(db, "kept", str(upto.reached))
        return written
    after, written = int(said), 0
    while after < upto.reached:
        with connect() as db:
            found = events.read(db, after, upto.reached, kinds=[*KEPT, "directive"], most=events.BATCH)
        last = found[-1].seq if len(found) == events.BATCH else upto.reached
        ids: dict[str, dict[str, None]] = {}
        for event in found:
            noun, _, identifier = event.subject.partition("/")
            if noun in KEPT and identifier and _fits(noun, identifier):
                ids.setdefault(noun, {})[identifier] = None
        written += sum(_kept(connect, noun, [*wanted]) for noun, wanted in ids.items())
        with connect() as db:
            set_reached(db, "kept", str(last))
        after = last
    return written


def _fits(noun: str, identifier: str) -> bool:
    return noun in ("directive", *_HANDLED) or (identifier.isdecimal() and len(identifier) < 10)


def _kept(connect: Connect, noun: str, ids: list[str] | None) -> int:
    """Documents of one noun: of these ids, or of all, and those dropped that are there no more."""
    kind, query = KEPT[noun]
    with connect() as db:
        rows = db.execute(query, {"ids": ids}).fetchall()
        written = put_all(db, _docs(kind, rows))
        if kind != "directive":  # whose versions are never deleted, and are named otherwise in events
            there = [row[0] for row in rows]
            written += db.execute(
                """delete from clearway.search_doc where kind = %s and (%s::text[] is null or ref = any(%s))
                and ref <> all(%s)""",
                (kind, ids, ids, there),
            ).rowcount
    return written


def _docs(kind: str, rows: Iterable[Any]) -> Iterator[Doc]:
    for ref, org, aud, title, path, texts in rows:
        yield Doc(
            kind=kind, ref=ref, org=org, aud=aud, title=title, path=path, texts=tuple(t for t in texts if t)
        )
