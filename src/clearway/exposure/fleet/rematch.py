"""Everything matched anew: all versions of all fleets against the whole table.

    1. versions, where they are looked up, and the answers as they stand go from PostgreSQL to Parquet files,
       and the table's intervals beside them
    2. the engine joins intervals and says which versions are answered otherwise than they stand
    3. what takes more than intervals is asked of the judge, and compared too
    4. only the difference is written, and carried to the exposures (`answer.put`)

Each distinct version is matched once, whoever holds it: ten million components are some hundred thousand versions.
"""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from . import answer, dictionary, follow, told
from .engine import FILES, SEPARATOR, DuckDb, private_folder, to_parquet
from .pieces import pieces

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    import psycopg

    from clearway.advisories.table import Table

    from .answer import Answer
    from .engine import Engine

_BATCH = 20_000
_NULL = "\\N"
# Lines of CSV, thousands in one row of the answer: a row at a time would cost more than all the rest.
_LINES = """select string_agg(line, E'\\n' order by nth) || E'\\n' from (
    select {line} as line, row_number() over () as nth from {source}) x group by nth / 4000"""
_TEXT = """'"' || replace({}, '"', '""') || '"'"""
_FIXED = _TEXT.format("array_to_string(fixed, E'\\x1f')")
_RECORDS = _TEXT.format("array_to_string(records, E'\\x1f')")
_COPY = {
    "version": ("pv || ',' || plain", "clearway.package_version"),
    "lookup": (
        f"package || ',' || pv || ',' || nth || ',' || coalesce(unless::text, '{_NULL}') || ',' || "
        "encode(key, 'hex')",
        "clearway.lookup where plain",
    ),
    "stored": (
        f"pv || ',' || flaw || ',' || verdict || ',' || basis || ',' || {_FIXED} || ',' || {_RECORDS}",
        "clearway.answer",
    ),
}


class Rematched(Struct, frozen=True, kw_only=True):
    """What a whole re-match found. `judged` versions took more than intervals."""

    versions: int
    judged: int
    changed: int  # versions answered otherwise than before
    appeared: int
    ended: int


def rematch(
    db: psycopg.Connection[Any], table: Table, home: Path, day: date, *, engine: Engine | None = None
) -> Rematched:
    """Matches everything anew and applies the difference: the owner's transaction. The flaws' facts are the table's
    already (`follow`)."""
    follow.alone(db)
    with told.gathering(db, "advisories"):
        return _rematch(db, table, home, day, engine)


def _rematch(
    db: psycopg.Connection[Any], table: Table, home: Path, day: date, engine: Engine | None
) -> Rematched:
    new: dict[int, list[Answer]] = {}
    with private_folder(home) as folder, ThreadPoolExecutor(1) as beside:
        ids = export(db, table, folder)
        joined = beside.submit(lambda: list((engine or DuckDb()).rows(folder)))
        # What takes the judge in any case is asked while the engine, which needs no Python for it, joins.
        odd = {row[0] for row in db.execute("select pv from clearway.package_version where not plain")}
        if table.has_vex():
            odd |= follow.of_products(db, table.vex_products())
        new.update(_judged(db, table, sorted(odd), day))
        rows = joined.result()
    judge = sorted({row[0] for row in rows if row[-1]} - odd)
    for pv, flaw, verdict, basis, fixed, records, to_judge in rows:
        if to_judge or pv in odd:
            continue
        answers = new.setdefault(pv, [])
        if flaw is not None:
            answers.append(
                answer.Answer(pv, ids[flaw], verdict or 0, basis or "", _split(fixed), _split(records))
            )
    new.update(_judged(db, table, judge, day))
    appeared = ended = 0
    pvs = sorted(new)
    for start in range(0, len(pvs), _BATCH):
        part = pvs[start : start + _BATCH]
        put = answer.put(db, part, [a for pv in part for a in new[pv]], day)
        appeared, ended = appeared + put.appeared, ended + put.ended
    row = db.execute("select count(*) from clearway.package_version").fetchone()
    return Rematched(
        versions=row[0] if row else 0,
        judged=len(odd) + len(judge),
        changed=len(pvs),
        appeared=appeared,
        ended=ended,
    )


def _split(text: str | None) -> tuple[str, ...]:
    return tuple(text.split(SEPARATOR)) if text else ()


def _judged(
    db: psycopg.Connection[Any], table: Table, pvs: Sequence[int], day: date
) -> dict[int, list[Answer]]:
    """The answers of versions that the judge answers otherwise than they stand."""
    asker = answer.Asker(table, day)
    new: dict[int, list[Answer]] = {}
    for start in range(0, len(pvs), _BATCH):
        part = pvs[start : start + _BATCH]
        stands = answer.stored(db, part)
        for pv, component in dictionary.components(db, part).items():
            answers = asker.ask(pv, component)
            if {a.flaw: a for a in answers} != stands.get(pv, {}):
                new[pv] = answers
    return new


def export(db: psycopg.Connection[Any], table: Table, folder: Path) -> dict[int, str]:
    """Writes the Parquet files of `engine.FILES` to `folder`; returns the ids of the flaws by number."""
    sources = {name: folder / f"{name}.csv" for name in FILES}
    packages = {(e, n): p for e, n, p in db.execute("select ecosystem, name, package from clearway.package")}
    flaws = dict(db.execute("select id, flaw from clearway.flaw where aud = 0").fetchall())
    # PostgreSQL tells what it has while the table is read, which asks nothing of it.
    with ThreadPoolExecutor(1) as beside:
        written = beside.submit(_tell, db, folder, sources)
        records = _intervals(table, packages, sources)
        written.result()
    pairs = [(r, f) for r in sorted(records) for f in table.flaws_of(r) or (r,)]
    missing = {f for _, f in pairs if f not in flaws}
    if missing:
        flaws |= dictionary.flaws(db, missing)
    with _writer(sources["record_flaw"]) as record_flaw:
        record_flaw.writerows((r, flaws[f]) for r, f in pairs)
    to_parquet(folder, {name: path for name, path in sources.items() if name not in _COPY})
    return {number: flaw for flaw, number in flaws.items()}


def _tell(db: psycopg.Connection[Any], folder: Path, sources: Mapping[str, Path]) -> None:
    for name, (line, source) in _COPY.items():
        _copy_out(db, _LINES.format(line=line, source=source), sources[name])
    to_parquet(folder, {name: sources[name] for name in _COPY})


def _intervals(
    table: Table, packages: Mapping[tuple[str, str], int], sources: Mapping[str, Path]
) -> set[str]:
    """Writes what the table says of `packages`; returns the records whose intervals these are."""
    records: set[str] = set()
    with (
        _writer(sources["piece"]) as piece,
        _writer(sources["special"]) as special,
        _writer(sources["spoken"]) as spoken,
    ):
        for ecosystem, name, claims in table.all_packages():
            package = packages.get((ecosystem, name))
            if package is None:
                continue
            spoken.writerow((package,))
            found = pieces(ecosystem, claims)
            if found is None:
                special.writerow((package,))
                continue
            for p in found:
                records.add(p.record)
                piece.writerow(
                    (package, p.claim, p.lo.hex(), p.hi.hex(), p.record, p.fixed, p.basis, p.verdict)
                )
    return records


def _copy_out(db: psycopg.Connection[Any], query: str, path: Path) -> None:
    with path.open("wb") as file, db.cursor(f"export_{path.stem}", binary=True) as cursor:
        cursor.itersize = 50
        cursor.execute(query)
        for (block,) in cursor:
            file.write(block.encode())


@contextmanager
def _writer(path: Path) -> Iterator[Any]:
    with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
        yield csv.writer(file, lineterminator="\n")
