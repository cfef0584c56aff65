"""What was learnt of terms, in the database: counts in hashed buckets, made anew from public records alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import records
from .learnt import VERSION, Learnt
from .words import Terms

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    import psycopg

    Connection = psycopg.Connection[Any]

MOST = 100_000  # records; the newest
_PAGE = 1_000


def learn(owner: Callable[[], AbstractContextManager[Connection]], most: int = MOST) -> int:
    """Counts the terms of current public records and keeps the counts; how many records had a text."""
    learnt = Learnt()
    after: tuple[str, str] = ("", "")
    looked = 0
    while looked < most:
        with owner() as db:
            rows = db.execute(
                """select source, id, raw from clearway.record where current and tlp = 'CLEAR'
                    and (source, id) > (%s, %s) order by source, id limit %s""",
                (*after, _PAGE),
            ).fetchall()
        if not rows:
            break
        looked += len(rows)
        after = (rows[-1][0], rows[-1][1])
        for source, _, raw in rows:
            told = records.told(bytes(raw), source)
            if told is not None:
                learnt.add(Terms(told.text).terms)
    with owner() as db:
        db.execute(
            """insert into clearway.hint_words (version, documents, counts) values (%s, %s, %s)
            on conflict (version) do update set documents = excluded.documents, counts = excluded.counts,
                at = clock_timestamp()""",
            (VERSION, learnt.documents, learnt.dump()),
        )
    return learnt.documents


def read(owner: Connection) -> Learnt | None:
    """What was learnt; None before the first time: then the hint is off, and says so."""
    row = owner.execute("select counts from clearway.hint_words where version = %s", (VERSION,)).fetchone()
    return Learnt.load(bytes(row[0])) if row is not None else None
