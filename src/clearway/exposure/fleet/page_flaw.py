"""One flaw for a page and the API: what the sources say, and where the reader's own fleet has it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway.access.reading import audiences as rows_of
from clearway.advisories import view as views
from clearway.http.pages.plot import Happened
from clearway.records.errors import NotFoundError

from . import flawview, listing

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

    from clearway.advisories.table import Table

_Package = tuple[str, str, str | None]  # ecosystem, name, module stream
MOST_EVENTS = 24
_ROWS = 80
_SHOWN = 6  # ranges, versions, fixes of one statement


class Row(Struct, frozen=True, kw_only=True):
    """One source's statement about one package, beside the others. `disagrees`: another says otherwise of it.

    `severity` and `rating` are that source's own; None and "" where it gives none.
    """

    source: str
    record: str
    package: str
    ecosystem: str
    module: str
    affected: str
    fixed: tuple[str, ...]
    severity: float | None
    rating: str
    published: str
    modified: str
    bundles: bool
    disagrees: tuple[str, ...]


class FlawPage(Struct, frozen=True, kw_only=True):
    """One flaw. `said` is what the compiled table has (`advisories.view`), None where only marked records know it.

    `bundle`: the ids of the flaws that an advisory is about, where the id asked for is one of several.
    """

    id: str
    said: dict[str, Any] | None
    title: str
    rows: tuple[Row, ...]
    more_rows: int
    affected: flawview.Affected
    events: tuple[Happened, ...]
    more_events: int
    bundle: tuple[str, ...]


def read(db: psycopg.Connection[Any], table: Table | None, identifier: str, day: date) -> FlawPage:
    """What is known of the flaw that `identifier` names, now or formerly.

    Raises:
        NotFoundError: nothing loaded names it, and nothing of it may be seen.
    """
    ids = flawview.now(db, identifier)
    asked = ids[0] if len(ids) == 1 else identifier
    said = _said(table, asked) or (_said(table, identifier) if asked != identifier else None)
    name = str(said["id"]) if said is not None else asked
    bundle = tuple(said.get("bundles", ())) if said is not None else ids if len(ids) > 1 else ()
    found = flawview.affected(db, name, also=bundle)
    if said is None and not found.lines and not bundle and not _kept(db, name):
        raise NotFoundError("no such flaw", where="flaw", mend="check the spelling; aliases lead to it too")
    rows = _rows(said) if said is not None else []
    events = _events(said, found.lines, day)
    return FlawPage(
        id=name,
        said=said,
        title=str(said["title"]) if said is not None else "",
        rows=tuple(rows[:_ROWS]),
        more_rows=max(len(rows) - _ROWS, 0),
        affected=found,
        events=tuple(events[-MOST_EVENTS:]),
        more_events=max(len(events) - MOST_EVENTS, 0),
        bundle=bundle,
    )


def audiences(db: psycopg.Connection[Any], found: FlawPage) -> set[int]:
    """The audiences of what the page shows of the fleet, and of the flaw itself where only marked records know it."""
    auds = {line.aud for line in found.affected.lines}
    if found.said is None:
        auds |= {*rows_of(db, "flaw", "id", [found.id, *found.bundle])}
    return auds


def _kept(db: psycopg.Connection[Any], name: str) -> bool:
    """Whether the fleet's dictionary has a flaw of that id that the reader may see."""
    return db.execute("select from clearway.flaw where id = %s limit 1", (name,)).fetchone() is not None


def _said(table: Table | None, identifier: str) -> dict[str, Any] | None:
    if table is None:
        return None
    try:
        return views.view(table, identifier)
    except NotFoundError:
        return None


def _rows(said: dict[str, Any]) -> list[Row]:
    """One row a statement, and one for each voice that rates the flaw and says nothing else."""
    contested: dict[_Package, list[str]] = {}
    for one in said["disagreements"]:
        contested.setdefault(_package(one), []).append(one["about"])
    rows = [
        _row(source, entry, entry["says"] if entry else source["source"], said["cvss"], contested)
        for source in said["sources"]
        for entry in source["affected"] or [None]
    ]
    heard = {row.source for row in rows}
    records = [s for s in said["sources"] if s["format"] == "cve"]
    for voice in dict.fromkeys(s["source"] for s in said["cvss"]):
        if voice.startswith("cve:") and voice not in heard and records:
            rows.append(_row(records[0], None, voice, said["cvss"], contested))
    return sorted(rows, key=lambda r: (not r.disagrees, r.bundles, r.ecosystem == "cpe", r.source, r.record))


def _row(
    source: dict[str, Any],
    entry: dict[str, Any] | None,
    voice: str,
    scores: list[dict[str, Any]],
    contested: dict[_Package, list[str]],
) -> Row:
    own = [s for s in scores if s["source"] == voice]  # nobody's score is put into another's mouth
    return Row(
        source=voice,
        record=source["record"],
        package=entry["name"] if entry else "",
        ecosystem=entry["ecosystem"] if entry else "",
        module=(entry["module"] or "") if entry else "",
        affected=_affected(entry) if entry else "names no package",
        fixed=tuple(entry["fixed"][:_SHOWN]) if entry else (),
        severity=max((s["score"] for s in own if s["score"] is not None), default=None),
        rating=next((s["rating"] for s in own if s["rating"]), ""),
        published=(source["published"] or "")[:10],
        modified=(source["modified"] or "")[:10],
        bundles=source["bundles"],
        disagrees=tuple(contested.get(_package(entry), ())) if entry else (),
    )


def _package(said: dict[str, Any]) -> _Package:
    return said["ecosystem"], said["name"], said["module"]


def _affected(entry: dict[str, Any]) -> str:
    parts = [_range(one) for one in entry["ranges"][:_SHOWN]]
    if len(entry["ranges"]) > _SHOWN:
        parts.append(f"and {len(entry['ranges']) - _SHOWN} more ranges")
    if entry["versions"]:
        listed = entry["versions"]
        parts.append(
            ", ".join(listed[:_SHOWN]) + (f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else "")
        )
    text = "; ".join(parts) or entry["unread"] or "all versions"
    return text if entry["status"] == "affected" else f"not affected: {text}"


def _range(one: dict[str, Any]) -> str:
    """ ">= 4.0.0, < 4.2.1"; a start of 0 is from the beginning."""
    starts = one["introduced"]
    end = next(((kind, value) for kind, value in one.items() if kind != "introduced" and value), None)
    words = [] if starts in ("0", "") else [f">= {starts}"]
    if end is not None:
        words.append(f"{'<=' if end[0] == 'last_affected' else '<'} {end[1]}")
    return ", ".join(words) or "all versions"


def _events(said: dict[str, Any] | None, lines: Iterable[listing.ExposureLine], day: date) -> list[Happened]:
    events: dict[tuple[date, str], Happened] = {}

    def add(on: date | None, what: str, kind: str = "") -> None:
        if on is not None:
            events.setdefault((on, what), Happened(on, what, kind))

    for one in (said or {}).get("timeline", ()):
        what = str(one["what"])
        if what.startswith("modified"):
            continue  # a change of a record's text; the table of sources has its date
        kind = "overdue" if "KEV" in what else ""
        add(_day(str(one["date"])), what, kind)
    own = list(lines)
    if own:
        add(min(line.detected for line in own), "you: found", "soon")
        standing = [line.due for line in own if line.due is not None and line.status == "open"]
        if standing:
            add(min(standing), "you: due", "overdue" if min(standing) < day else "soon")
    return sorted(events.values(), key=lambda e: _day(e.on) or day)


def _day(text: str | date) -> date | None:
    if isinstance(text, datetime):
        return text.astimezone(UTC).date()
    if isinstance(text, date):
        return text
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None
