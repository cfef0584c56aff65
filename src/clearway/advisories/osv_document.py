"""OSV documents for what the table knows: a record's own bytes, or one derived where it is no OSV record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from clearway.records.ecosystem import OSV_ECOSYSTEMS, base, normal_ecosystem, normal_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .record_source import RecordSource, Ref
    from .table import RecordNote, Table

SCHEMA_VERSION = "1.7.0"  # of the OSV schema, for derived documents
_BOM = b"\xef\xbb\xbf"
_encode = msgspec.json.Encoder().encode


def chosen(notes: Sequence[RecordNote], preferred: str = "") -> RecordNote | None:
    """The one that speaks where several sources use an id: `preferred`, then OSV format, then by name."""
    return min(notes, key=lambda n: (n.source != preferred, n.format != "osv", n.source), default=None)


async def documents(table: Table, records: RecordSource, wanted: Mapping[str, str]) -> dict[str, bytes]:
    """The OSV document of each id in `wanted`, as JSON; its value is the source to prefer, or "".

    Ids without a record, or whose record may not be shown, are left out. A record in OSV format is
    given byte for byte. Any other (CVE, CSAF) is *derived* from the table and says so under
    `database_specific`.

    Raises:
        UpstreamError: the store does not answer.
    """
    refs: dict[str, Ref] = {}
    found: dict[str, bytes] = {}
    for identifier, preferred in wanted.items():
        notes = table.records(identifier)
        note = chosen(notes, preferred)
        if note is None:
            continue
        if note.format == "osv":
            refs[identifier] = (note.source, note.id)
        else:
            found[identifier] = _encode(derived(table, identifier, notes))
    raws = await records.osv(list(refs.values())) if refs else {}
    for identifier, ref in refs.items():
        if ref in raws:
            found[identifier] = raws[ref].removeprefix(_BOM).strip()
    return found


def derived(table: Table, identifier: str, notes: Sequence[RecordNote]) -> dict[str, Any]:
    """A minimal OSV document for records that were published in another format.

    Packages, ranges and versions are those of the compiled claims; commercial products and CPEs
    have no place in OSV and are left out. `modified` is the newest that a source states; without
    one it is `published`, else when the table was built.
    """
    flaws = table.flaws_of(identifier)
    names = {name for flaw in flaws if (known := table.flaw(flaw)) is not None for name in known.ids}
    stated = [n.modified for n in notes if n.modified] or [n.published for n in notes if n.published]
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "id": identifier,
        "modified": max(stated, default=table.meta.built),
    }
    if published := min((n.published for n in notes if n.published), default=""):
        document["published"] = published
    if all(n.withdrawn for n in notes):
        document["withdrawn"] = max(n.withdrawn for n in notes)
    if len(flaws) == 1 and (aliases := sorted(names - {identifier})):
        document["aliases"] = aliases
    elif len(flaws) > 1:  # it bundles several flaws and is the name of none
        document["related"] = sorted(names - {identifier})
    if title := next((n.title for n in notes if n.title), ""):
        document["summary"] = title
    packages = list(dict.fromkeys(pair for n in notes for pair in n.packages))
    if affected := [a for e, name in packages if (a := _affected(table, identifier, e, name)) is not None]:
        document["affected"] = affected
    document["database_specific"] = {
        "derived": True,
        "sources": [{"source": n.source, "format": n.format} for n in notes],
    }
    return document


def _affected(table: Table, identifier: str, ecosystem: str, name: str) -> dict[str, Any] | None:
    if base(ecosystem) not in OSV_ECOSYSTEMS:
        return None
    where = normal_ecosystem(ecosystem)
    events: list[dict[str, str]] = []
    versions: list[str] = []
    for claim in table.claims(where, normal_name(where, name)):
        if claim.record != identifier or claim.status != "affected":
            continue
        for _, _, introduced, end, kind in claim.intervals:
            events.append({"introduced": introduced or "0"})
            if kind:
                events.append({kind: end})
        versions += [text for _, text in claim.listed]
    entry: dict[str, Any] = {"package": {"ecosystem": ecosystem, "name": name}}
    if events:
        entry["ranges"] = [{"type": "ECOSYSTEM", "events": events}]
    if versions:
        entry["versions"] = versions
    return entry
