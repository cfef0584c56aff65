"""One flaw side by side: what each source says, where they disagree, and the dated facts. Reads the table alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from clearway.records.errors import NotFoundError
from clearway.records.text import plain

from .titles import title_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .table import Claim, Flaw, RecordNote, Table

_PIPED_WIDTH = 150  # columns, where no terminal says
_PACKAGES_SHOWN = 200  # of one record; a kernel erratum names hundreds


def view(table: Table, identifier: str) -> dict[str, Any]:
    """The flaw that `identifier` names, as plain values (schema: `schemas/vuln.schema.json`).

    A bundle's id answers with the flaws it bundles under `bundles`, and its own statements. A record that its source
    has withdrawn stands under `withdrawn` and says nothing else.

    Raises:
        NotFoundError: nothing loaded names it.
    """
    identifier = identifier.strip()
    spellings = (identifier, identifier.upper(), "GHSA-" + identifier[5:].lower())
    name, preferred = next(((s, found) for s in spellings if (found := table.flaws_of(s))), (identifier, ()))
    if not preferred:
        for spelled in spellings:
            if gone := table.withdrawn(spelled):
                return _gone(table, identifier, gone)
        raise NotFoundError(
            f"no loaded source names {plain(identifier, 80)!r}",
            mend="check the spelling, or take in a source that has it with `clearway ingest`",
        )
    if len(preferred) > 1:
        return _bundle(table, name, identifier, preferred)
    flaw = table.flaw(preferred[0])
    assert flaw is not None
    notes = [n for _, record in (*flaw.records, *flaw.bundled_by) for n in table.records(record)]
    spoken = {(n.source, n.id) for n in notes}
    wanted = {*flaw.records, *flaw.bundled_by}
    notes = list({(n.source, n.id): n for n in notes if (n.source, n.id) in wanted & spoken}.values())
    said = _statements(table, notes)
    return {
        "id": flaw.id,
        "asked": identifier,
        "title": title_of(flaw, notes),
        "aliases": _aliases(flaw),
        "sources": [
            _source(n, said[n.source, n.id], bundles=(n.source, n.id) in flaw.bundled_by) for n in notes
        ],
        "disagreements": _disagreements(said),
        "kev": None if flaw.kev is None else msgspec.to_builtins(flaw.kev),
        "kev_loaded": table.meta.kev or None,
        "ssvc": None if flaw.ssvc is None else msgspec.to_builtins(flaw.ssvc),
        "epss": None
        if flaw.epss is None
        else dict(zip(("probability", "percentile", "dated", "model"), flaw.epss, strict=True)),
        "cvss": [msgspec.structs.asdict(s) for s in flaw.scores],
        "timeline": _timeline(flaw, notes),
        "withdrawn": [_withdrawn(n) for i in flaw.ids for n in table.withdrawn(i)],
    }


def _gone(table: Table, identifier: str, notes: tuple[RecordNote, ...]) -> dict[str, Any]:
    """An id of which nothing stands but that it was withdrawn."""
    return {
        "id": notes[0].id,
        "asked": identifier,
        "title": next((n.title for n in notes if n.title), ""),
        "aliases": [],
        "sources": [],
        "disagreements": [],
        "kev": None,
        "kev_loaded": table.meta.kev or None,
        "ssvc": None,
        "epss": None,
        "cvss": [],
        "timeline": sorted(_record_dates(notes), key=lambda e: e["date"]),
        "withdrawn": [_withdrawn(n) for n in notes],
    }


def _withdrawn(note: RecordNote) -> dict[str, Any]:
    at = note.withdrawn if note.withdrawn[:1].isdigit() else ""  # a rejected CVE record bears no such time
    return {
        "source": note.source,
        "record": note.id,
        "title": note.title,
        "on": at or None,
        "text": f"{note.id} was withdrawn by {note.source} on {at[:10]}"
        if at
        else f"{note.id} was rejected by {note.source}",
    }


def _bundle(table: Table, name: str, asked: str, preferred: tuple[str, ...]) -> dict[str, Any]:
    notes = table.records(name)
    speakers = {n.source for n in notes}
    flaws = [flaw for p in preferred if (flaw := table.flaw(p)) is not None]
    scores = dict.fromkeys(s for flaw in flaws for s in flaw.scores if s.source in speakers)
    said = _statements(table, notes)
    return {
        "id": name,
        "asked": asked,
        "title": next((n.title for n in notes if n.title), ""),
        "aliases": [],
        "bundles": list(preferred),
        "sources": [_source(n, said[n.source, n.id], bundles=True) for n in notes],
        "disagreements": [],
        "kev": None,
        "kev_loaded": table.meta.kev or None,
        "ssvc": None,
        "epss": None,
        "cvss": [msgspec.structs.asdict(s) for s in scores],
        "timeline": sorted(_record_dates(notes), key=lambda e: e["date"]),
        "withdrawn": [_withdrawn(n) for n in table.withdrawn(name)],
    }


def _aliases(flaw: Flaw) -> list[dict[str, Any]]:
    """Every other name, with who asserts it and how."""
    found = []
    for name in flaw.ids:
        if name == flaw.id:
            continue
        by = dict.fromkeys(
            (source, subject)
            for subject, kind, target, source in flaw.asserted
            if name in (subject, target) and kind == "same"
        )
        asserted = [{"source": source, "record": subject, "kind": "same"} for source, subject in by]
        found.append({"id": name, "asserted_by": asserted})
    for subject, kind, target, source in flaw.asserted:
        if kind != "same":
            found.append({"id": subject if subject not in flaw.ids else target, "relation": kind,
                          "asserted_by": [{"source": source, "record": subject, "kind": kind}]})  # fmt: skip
    return found


def _statements(table: Table, notes: Iterable[RecordNote]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """What each record claims, by package: every statement once, beside the note of whoever says it.

    A CVE record has a container for each voice (CVE record format, `containers.cna` and `.adp`), and copies of it
    come from several places. A voice without a note of its own stands beside the first of that record's.
    """
    notes = list(notes)
    noted = {(n.source, n.id) for n in notes if n.format == "cve"}
    first: dict[str, RecordNote] = {}
    for note in notes:
        if note.format == "cve":
            first.setdefault(note.id, note)
    packages = {i: dict.fromkeys(p for n in notes if n.id == i for p in n.packages) for i in first}

    def speaks(claim: Claim, note: RecordNote) -> bool:
        if claim.source == note.source:
            return True
        others = note.format == "cve" and claim.source.startswith("cve:") and first[note.id] is note
        return others and (claim.source, note.id) not in noted

    found = {}
    for note in notes:
        entries: dict[bytes, dict[str, Any]] = {}
        for ecosystem, name in [*packages.get(note.id, note.packages)][:_PACKAGES_SHOWN]:
            for claim in table.claims(ecosystem, name):
                if claim.record == note.id and speaks(claim, note):
                    entry = _said(claim, ecosystem, name)
                    entries.setdefault(msgspec.json.encode(entry), entry)
        found[note.source, note.id] = [*entries.values()]
    return found


def _said(claim: Claim, ecosystem: str, name: str) -> dict[str, Any]:
    return {
        "ecosystem": ecosystem,
        "name": name,
        "says": claim.source,
        "status": claim.status,
        "module": claim.module or None,
        "ranges": [{"introduced": i[2], (i[4] or "end"): i[3] or None} for i in claim.intervals],
        "versions": [text for _, text in claim.listed],
        "fixed": _fixed(claim),
        "conditions": list(claim.conditions),
        "unread": claim.unread or None,
    }


def _fixed(claim: Claim) -> list[str]:
    return list(
        dict.fromkeys(i[3] for i in claim.intervals if i[4] == "fixed" and claim.status == "affected")
    )


def _source(note: RecordNote, said: list[dict[str, Any]], *, bundles: bool) -> dict[str, Any]:
    return {
        "source": note.source,
        "record": note.id,
        "format": note.format,
        "title": note.title,
        "published": note.published or None,
        "modified": note.modified or None,
        "bundles": bundles,
        "disputed": [{"by": by, "why": why} for by, why in note.disputed],
        "notes": list(note.notes),
        "affected": said,
    }


def _disagreements(said: dict[tuple[str, str], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Where two sources state another fix, or another start, for one package.

    Only what speaks of the same thing is held together: an ecosystem names the release, and builds of another rpm
    module stream are another package. What one source says in several records is its word as a whole.
    """
    found = []
    by_package: dict[tuple[str, str, str], dict[tuple[str, str], list[dict[str, Any]]]] = {}
    for (_, record), entries in said.items():
        for entry in entries:
            if entry["status"] == "affected" and entry["ecosystem"] != "cpe" and entry["ranges"]:
                at = entry["ecosystem"], entry["name"], entry["module"] or ""
                by_package.setdefault(at, {}).setdefault((entry["says"], record), []).append(entry)
    for (ecosystem, name, module), statements in sorted(by_package.items()):
        for what, words in (("fixed", "says fixed in"), ("introduced", "says introduced in")):
            values = {who: _stated(entries, what) for who, entries in sorted(statements.items())}
            whole: dict[str, set[str]] = {}
            for (source, _), stated in values.items():
                whole.setdefault(source, set()).update(stated)
            if len({frozenset(v) for v in whole.values()}) < 2:
                continue
            said_by = [
                f"{source} {words} {', '.join(v) if v else 'none'}" for (source, _), v in values.items()
            ]
            package = f"{name} ({module})" if module else name
            found.append(
                {
                    "ecosystem": ecosystem,
                    "name": name,
                    "module": module or None,
                    "about": what,
                    "says": {f"{source} {record}": list(v) for (source, record), v in values.items()},
                    "text": f"{package}: " + ", ".join(said_by),
                }
            )
    return found


def _stated(entries: list[dict[str, Any]], what: str) -> list[str]:
    if what == "fixed":
        return sorted({v for e in entries for v in e["fixed"]})
    return sorted({r["introduced"] for e in entries for r in e["ranges"]})


def _record_dates(notes: Iterable[RecordNote]) -> list[dict[str, str]]:
    return [
        {"date": moment, "what": f"{word} by {note.source}", "record": note.id}
        for note in notes
        for word, moment in (
            ("published", note.published),
            ("modified", note.modified),
            ("withdrawn", note.withdrawn),
        )
        if moment[:1].isdigit()
    ]


def _timeline(flaw: Flaw, notes: list[RecordNote]) -> list[dict[str, str]]:
    """Dated evidence, oldest first."""
    events = _record_dates(notes)
    if flaw.kev is not None:
        events.append(
            {"date": flaw.kev.date_added.isoformat(), "what": "added to KEV", "record": flaw.kev.cve}
        )
        if flaw.kev.due_date is not None:
            events.append(
                {"date": flaw.kev.due_date.isoformat(), "what": "due date in KEV", "record": flaw.kev.cve}
            )
    if flaw.ssvc is not None and flaw.ssvc.dated:
        events.append({"date": flaw.ssvc.dated, "what": "SSVC decided", "record": flaw.ssvc.cve})
    if flaw.epss is not None and flaw.epss[2]:
        events.append({"date": flaw.epss[2], "what": f"EPSS {flaw.epss[0]:.3f}", "record": flaw.id})
    return sorted(events, key=lambda e: (e["date"][:10], e["date"], e["what"]))


def show(found: dict[str, Any], out: TextIO) -> None:
    """Prints a view for a person."""
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    console = Console(file=out, highlight=False, width=None if out.isatty() else _PIPED_WIDTH)
    console.print(Text(plain(found["id"]), style="bold"))
    if found.get("bundles"):
        console.print(Text("an advisory about several flaws: " + plain(", ".join(found["bundles"]), 2000)))
    for alias in found["aliases"]:
        by = ", ".join(dict.fromkeys(a["source"] for a in alias["asserted_by"]))
        console.print(
            Text(f"  {alias.get('relation', 'same')}: {plain(alias['id'], 80)}, asserted by {plain(by)}")
        )
    for gone in found["withdrawn"]:
        console.print(Text(plain(gone["text"], 400) + ": it says nothing any more", style="bold"))
    if found["withdrawn"] and not found["sources"]:
        return
    console.print(Text(_facts(found)))
    grid = Grid(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for heading in ("source", "record", "package", "affected", "fixed in"):
        grid.add_column(heading, overflow="fold")
    for source in found["sources"]:
        for entry in source["affected"][:20] or [None]:
            grid.add_row(*(Text(t) for t in _line(source, entry)))
    console.print(grid)
    for source in found["sources"]:
        for said in source["disputed"]:
            words = f"{source['record']} is disputed by {said['by']}" + (
                f": {said['why']}" if said["why"] else ""
            )
            console.print(Text(plain(words, 1_300), style="bold"))
        for words in source["notes"]:
            console.print(Text(plain(f"{source['record']}: {words}", 400), style="bold"))
    for disagreement in found["disagreements"]:
        console.print(Text("disagreement: " + plain(disagreement["text"], 600), style="bold"))
    for event in found["timeline"]:
        console.print(Text(f"  {event['date'][:10]}  {plain(event['what'])}"))


def _line(source: dict[str, Any], entry: dict[str, Any] | None) -> tuple[str, ...]:
    if entry is None:
        return plain(source["source"], 40), plain(source["record"], 60), "", "names no package", ""
    who = (plain(entry["says"], 40), plain(source["record"], 60))
    ranges = ", ".join(_range(r) for r in entry["ranges"][:6])
    listed = f"{len(entry['versions'])} listed" if entry["versions"] else ""
    affected = "; ".join(t for t in (ranges, listed) if t) or entry["unread"] or ""
    if entry["status"] != "affected":
        affected = f"not affected: {affected}"
    return (
        *who,
        plain(f"{entry['ecosystem']} {entry['name']}", 80),
        plain(affected),
        plain(", ".join(entry["fixed"])),
    )


def _range(stated: dict[str, Any]) -> str:
    introduced = stated["introduced"]
    start = "" if introduced in ("0", "") else f">= {introduced} "
    if "fixed" in stated:
        return f"{start}< {stated['fixed']}"
    if "last_affected" in stated:
        return f"{start}<= {stated['last_affected']}"
    return f"{start}no fix known" if start else "all versions"


def _facts(found: dict[str, Any]) -> str:
    parts = []
    if found["kev"]:
        parts.append(f"in KEV since {found['kev']['date_added']}")
    else:
        parts.append("not in KEV" if found["kev_loaded"] else "KEV is not loaded")
    if found["ssvc"]:
        s = found["ssvc"]
        parts.append(
            f"SSVC exploitation {s.get('exploitation', '?')}, automatable {s.get('automatable', '?')}, "
            f"impact {s.get('technical_impact', '?')} ({s.get('dated', '')[:10]})"
        )
    if found["epss"]:
        parts.append(f"EPSS {found['epss']['probability']:.3f} ({found['epss']['dated'] or 'undated'})")
    scores = [f"{s['system']} {s['score']} ({s['source']})" for s in found["cvss"] if s["score"] is not None]
    return "; ".join([*parts, *dict.fromkeys(plain(s, 80) for s in scores)])
