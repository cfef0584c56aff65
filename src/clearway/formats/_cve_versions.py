"""CVE `affected[].versions` to events (CVE Record Format 5.x, "Version and range").

A product's entries are read by their `status`; what is listed nowhere has `defaultStatus`. Where the default is
"affected" and every exception is a range with plain ends, the exceptions are cut out of "everything" as events
(Linux: `introduced 6.5, fixed 6.6.17, introduced 6.7, fixed 6.7.5, …`); otherwise they stand as `not_affected`
beside it, and win over it.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from clearway.records.advisory import Event, Range, RangeType, Status
from clearway.records.errors import InputError

from ._fields import objects, one_line, text
from ._version_text import NOTHING, after_wildcard, is_bound, read

_STATUS: dict[str, Status | None] = {"affected": "affected", "unaffected": "not_affected", "unknown": None}
_GIT_TYPES = ("git", "original_commit_for_fix")


class Said(Struct):
    """What one status holds for."""

    ranges: list[Range]
    versions: list[str]
    unread: list[str]

    def __bool__(self) -> bool:
        return bool(self.ranges or self.versions or self.unread)


def default_status(product: dict[str, Any]) -> str:
    """`defaultStatus` in this project's words; "" when the source gives none (the schema then means "unknown")."""
    stated = text(product, "defaultStatus")
    if stated and stated not in _STATUS:
        raise InputError(
            f"`defaultStatus` is {one_line(stated, 30)!r}", mend="use affected, unaffected or unknown"
        )
    return (_STATUS[stated] or "unknown") if stated else ""


def read_versions(product: dict[str, Any], default: str) -> dict[Status, Said]:
    """What each status holds for, without those of which nothing is said."""
    said: dict[Status, Said] = {
        "affected": Said([], [], []),
        "not_affected": Said([], [], []),
    }
    repo = text(product, "repo")
    entries = objects(product, "versions")
    if default == "affected" and (whole := _whole_without(entries, repo)) is not None:
        said["affected"].ranges.append(whole)
        entries = [entry for entry in entries if text(entry, "status") != "unaffected"]
    elif default == "affected":
        said["affected"].ranges.append(
            _range([Event("introduced", "0")], entries[0] if entries else {}, repo)
        )
    for entry in entries:
        status = text(entry, "status") or "affected"
        if status == "affected":
            _entry(entry, said["affected"], repo, affected=True)
        elif status == "unaffected":
            _entry(entry, said["not_affected"], repo, affected=False)
        elif status != "unknown":
            raise InputError(f"a version has the status {one_line(status, 30)!r}", mend="see the CVE schema")
    return {status: what for status, what in said.items() if what}


def _entry(entry: dict[str, Any], said: Said, repo: str, *, affected: bool) -> None:
    version = text(entry, "version").strip()
    before, last = text(entry, "lessThan").strip(), text(entry, "lessThanOrEqual").strip()
    if before and last:
        said.unread.append(one_line(f"{version}, lessThan {before}, lessThanOrEqual {last}", 200))
    elif before or last or "changes" in entry:
        events = _events(entry, version, before, last, affected)
        if events is None:
            end = f"< {before}" if before else f"<= {last}" if last else ""
            said.unread.append(one_line(f"{version} {end}".strip(), 200))
        elif events:
            said.ranges.append(found := _range(events, entry, repo))
            if all(event.kind != "introduced" for event in events):
                said.unread.append(f"up to {events[-1].version}; the lower end is not stated")
            ends = [event.version for event in events if event.kind == "fixed"]
            if (
                found.type != "GIT"
                and len(ends) > 1
                and len(ends) == len(events) - (events[0].kind == "introduced")
            ):
                # Fixed on several branches: an order of one line can't tell what lies between the fixes.
                said.unread.append(one_line(f"fixed on several branches: {', '.join(ends)}", 200))
    elif text(entry, "versionType").lower() in _GIT_TYPES:
        if version.lower() not in NOTHING:
            said.versions.append(version)
    else:
        reading = read(version)
        if not reading.understood:
            said.unread.append(one_line(version, 200))
        said.versions.extend(v for v in reading.versions if v not in said.versions)
        said.ranges.extend(_range(list(events), entry, repo) for events in reading.ranges)


def _events(
    entry: dict[str, Any], version: str, before: str, last: str, affected: bool
) -> list[Event] | None:
    """The events of a range entry; None when one of its ends can't be read. A lower end not stated is left out."""
    events: list[Event] = []
    if version == "*":
        events.append(Event("introduced", "0"))
    elif version.lower() not in NOTHING:
        if not is_bound(version):
            return None
        events.append(Event("introduced", version))
    for change in objects(entry, "changes"):
        at, status = text(change, "at").strip(), text(change, "status")
        if not is_bound(at):
            return None
        ends = (status != "affected") if affected else (status == "affected")
        events.append(Event("fixed" if ends else "introduced", at))
    if before and before != "*":
        if not is_bound(before):
            return None
        events.append(Event("fixed", before))
    elif last and last != "*":
        last = last.removeprefix("<=").strip()
        if beyond := after_wildcard(last):
            events.append(Event("limit", beyond))  # exclusive, and names no fix
        elif is_bound(last):
            events.append(Event("last_affected", last))
        else:
            return None
    return events


def _whole_without(entries: list[dict[str, Any]], repo: str) -> Range | None:
    """Everything but the `unaffected` entries as one event list; None where an end can't be written as an event."""
    events: list[Event] = []
    start = True
    for entry in entries:
        if text(entry, "status") != "unaffected":
            continue
        version, before = text(entry, "version").strip(), text(entry, "lessThan").strip()
        last = text(entry, "lessThanOrEqual").strip()
        beyond = before if before else after_wildcard(last)
        if entry.get("changes") or bool(before) == bool(last) or not (beyond or last == "*"):
            return None
        if not is_bound(version) or (beyond not in ("", "*") and not is_bound(beyond)):
            return None
        if version == "0":
            start = False
        else:
            events.append(Event("fixed", version))
        if beyond and beyond != "*":
            events.append(Event("introduced", beyond))
    if start:
        events.insert(0, Event("introduced", "0"))
    if len({_is_commit(event.version) for event in events if event.version != "0"}) > 1:
        return None  # commits and releases in one product have no common order
    return _range(events, entries[0] if entries else {}, repo)


def _range(events: list[Event], entry: dict[str, Any], repo: str) -> Range:
    scheme = text(entry, "versionType")
    kind: RangeType = "GIT" if scheme.lower() in _GIT_TYPES and _all_commits(events) else "VENDOR"
    return Range(type=kind, events=tuple(events), repo=repo if kind == "GIT" else "", scheme=scheme)


def _all_commits(events: list[Event]) -> bool:
    """Kernel records call the release range of a fix "original_commit_for_fix": look at the ends themselves."""
    return all(event.version == "0" or _is_commit(event.version) for event in events)


def _is_commit(version: str) -> bool:
    return len(version) >= 7 and _HEX.issuperset(version.lower())


_HEX = frozenset("0123456789abcdef")
