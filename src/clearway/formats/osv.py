"""OSV records (schema 1.x) to `Advisory`. https://ossf.github.io/osv-schema/"""

from __future__ import annotations

import re
from typing import Any

from clearway.records.advisory import Advisory, Affected, Event, Range, RangeType, Score
from clearway.records.errors import InputError

from ._fields import an_id, an_object, moment, number, objects, one_line, strings, text

# Home databases by id prefix (OSV schema, "id, modified fields"); another prefix is its own source.
SOURCES = {
    "A": "android", "ALBA": "almalinux", "ALEA": "almalinux", "ALPINE": "alpine", "ALSA": "almalinux",
    "ASB": "android", "BELL": "bellsoft", "BIT": "bitnami", "CGA": "chainguard", "CLEANSTART": "cleanstart",
    "CURL": "curl", "CVE": "osv-cve", "DEBIAN": "debian", "DHI": "docker-hardened", "DLA": "debian",
    "DRUPAL": "drupal", "DSA": "debian", "DTSA": "debian", "ECHO": "echo", "EEF": "eef", "ELA": "freexian",
    "GHSA": "github", "GO": "go-vulndb", "GSD": "gsd", "HSEC": "haskell", "JLSEC": "julia", "KUBE": "kubernetes",
    "LBSEC": "loopback", "LSN": "ubuntu", "MAL": "ossf-malicious", "MGASA": "mageia", "MINI": "minimos",
    "OESA": "openeuler", "OSEC": "ocaml", "OSV": "oss-fuzz", "OPENSUSE": "suse", "PHSA": "photon", "PSF": "psf",
    "PUB": "android", "PYSEC": "pypa", "RHBA": "redhat", "RHEA": "redhat", "RHSA": "redhat", "RLSA": "rocky",
    "RXSA": "rocky", "ROOT": "root", "RSEC": "r-consortium", "RUSTSEC": "rustsec", "SUSE": "suse",
    "UBUNTU": "ubuntu", "USN": "ubuntu", "V8": "v8",
}  # fmt: skip
MOST_DISPUTES = 20  # of one record
_EVENTS = ("introduced", "fixed", "last_affected", "limit")
_TYPES: dict[str, RangeType] = {"SEMVER": "SEMVER", "ECOSYSTEM": "ECOSYSTEM", "GIT": "GIT"}
_DUPLICATE = re.compile(r"duplicate of (?:\[)?((?:GHSA|CVE|PYSEC|GO|RUSTSEC|OSV)-[\w-]{4,40})")


def source_of(record_id: str) -> str:
    """Who publishes the database that ids of this kind come from."""
    prefix = record_id.partition("-")[0].upper()
    return SOURCES.get(prefix) or f"osv:{prefix}"


def advisory(record: dict[str, Any]) -> Advisory:
    """What the record says. Events keep their order, relations their kind.

    Raises:
        InputError: no usable id, or a field of the wrong type.
    """
    record_id = an_id(record, "id")
    source = source_of(record_id)
    specific = _specific(record, "database_specific")
    affected = objects(record, "affected")
    withdrawn = moment(record, "withdrawn")
    return Advisory(
        id=record_id,
        source=source,
        format="osv",
        aliases=strings(record, "aliases"),
        related=strings(record, "related"),
        upstream=strings(record, "upstream"),
        duplicates=_duplicates(record, specific) if withdrawn or specific else (),
        title=one_line(text(record, "summary")),
        published=moment(record, "published"),
        modified=moment(record, "modified"),
        withdrawn=withdrawn,
        disputes=_disputes(specific),
        affected=tuple(_affected(item) for item in affected),
        scores=_scores(record, specific, affected, source),
        references=tuple(
            dict.fromkeys(text(r, "url") for r in objects(record, "references") if r.get("url"))
        ),
        licence=text(specific, "license") if isinstance(specific.get("license"), str) else "",
    )


def _disputes(specific: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Who disputes the record, where its database says so under `disputed_by`; anything else there says nothing."""
    found = specific.get("disputed_by")
    said = found if isinstance(found, list) else []
    return tuple(
        (one_line(who, 200), one_line(why if isinstance(why, str) else "", 1_000))
        for item in said[:MOST_DISPUTES]
        if isinstance(item, dict) and isinstance(who := item.get("party"), str) and who
        for why in (item.get("why"),)
    )


def _affected(item: dict[str, Any]) -> Affected:
    package = an_object(item.get("package"), "affected[].package")
    return Affected(
        ecosystem=text(package, "ecosystem"),
        name=text(package, "name"),
        purl=text(package, "purl"),
        ranges=tuple(read_range(r) for r in objects(item, "ranges")),
        versions=strings(item, "versions"),
        conditions=(
            *_conditions(_specific(item, "ecosystem_specific")),
            *_informational(_specific(item, "database_specific")),
        ),
    )


def read_range(item: dict[str, Any]) -> Range:
    """One OSV range. An event of two kinds becomes two, in the order introduced, fixed, last_affected, limit."""
    kind = _TYPES.get(text(item, "type"))
    if kind is None:
        raise InputError(
            f"a range has the type {one_line(text(item, 'type'), 30)!r}", mend="use SEMVER, ECOSYSTEM or GIT"
        )
    events = []
    for event in objects(item, "events"):
        for name in _EVENTS:
            version = event.get(name)
            if version is None:
                continue
            if not isinstance(version, str) or not version:
                raise InputError(f"an event's `{name}` is not a version text", mend='write it as "1.2.3"')
            events.append(Event(name, version))  # type: ignore[arg-type]
    return Range(type=kind, events=tuple(events), repo=text(item, "repo"))


def _conditions(specific: dict[str, Any]) -> tuple[str, ...]:
    """What narrows the match: Go packages and symbols, Rust targets and functions."""
    found: list[str] = []
    for item in _loose_objects(specific.get("imports")):  # Go
        parts = [f"package={item['path']}"] if isinstance(item.get("path"), str) else []
        for key in ("symbols", "goos", "goarch"):
            if values := _loose_strings(item.get(key)):
                parts.append(f"{key}={','.join(values)}")
        found.extend([" ".join(parts)] if parts else [])
    affects = specific.get("affects")
    if isinstance(affects, dict):  # crates.io
        for key in ("os", "arch", "functions"):
            if values := _loose_strings(affects.get(key)):
                found.append(f"{key}={','.join(values)}")
    for item in _loose_objects(specific.get("custom_ranges")):  # Go modules whose tags are no Go versions
        events = [
            f"{name} {event[name]}"
            for event in _loose_objects(item.get("events"))
            for name in _EVENTS
            if name in event
        ]
        found.append(f"in the project's own versions: {', '.join(events)}")
    return tuple(found)


def _informational(specific: dict[str, Any]) -> tuple[str, ...]:
    """What kind of advisory it is where it is about no vulnerability: RustSec's unmaintained, notice, unsound."""
    kind = specific.get("informational")
    return (f"informational={one_line(kind, 40)}",) if isinstance(kind, str) and kind.strip() else ()


def _scores(
    record: dict[str, Any], specific: dict[str, Any], affected: list[dict[str, Any]], source: str
) -> tuple[Score, ...]:
    found: dict[tuple[str, str], Score] = {}
    for holder in (record, *affected):
        for item in objects(holder, "severity"):
            system, vector = text(item, "type"), text(item, "score")
            score = (
                Score(system=system, vector=vector, source=source)
                if system.startswith("CVSS")
                else Score(system=system, rating=vector, source=source)
            )
            found.setdefault((system, vector), score)
    ratings = [specific.get("severity")]
    ratings += [_specific(item, "ecosystem_specific").get("severity") for item in affected]
    for rating in ratings:
        if isinstance(rating, str) and rating.lower() not in ("", "none", "unknown", "n/a"):
            found.setdefault(
                (source, rating), Score(system=source, rating=one_line(rating, 40), source=source)
            )
    if (cvss := specific.get("cvss")) and isinstance(cvss, dict) and (value := number(cvss, "score")):
        written = cvss.get("vectorString")
        if isinstance(written, str) and written:
            found.setdefault(
                ("", written), Score(system="CVSS_V3", vector=written, score=value, source=source)
            )
    return tuple(found.values())


def _duplicates(record: dict[str, Any], specific: dict[str, Any]) -> tuple[str, ...]:
    named = _loose_strings(specific.get("duplicates")) + _loose_strings(specific.get("duplicate_of"))
    details = record.get("details")
    if record.get("withdrawn") and isinstance(details, str) and (found := _DUPLICATE.search(details[:2000])):
        named.append(found[1].rstrip("-"))
    return tuple(dict.fromkeys(named))


def _specific(holder: dict[str, Any], name: str) -> dict[str, Any]:
    """A free-form object; databases put other types there too, which then say nothing."""
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def _loose_objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _loose_strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
