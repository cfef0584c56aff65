"""osquery's answers: what `osqueryi --json` prints, and the result logs of scheduled queries.

Three shapes are known (osquery documentation, "Aggregating logs"): rows of one table; an object of tables by name; and
log lines, each a snapshot, a differential event, or a batch of differences. Differences are replayed in their own
order: what was removed later is not there any more.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from msgspec import Struct

from clearway.records.errors import InputError
from clearway.records.fleet_input import FleetInput, Witness

from . import _when
from ._assets import Asset, Assets
from ._osquery_tables import TABLES, add_rows, table_of
from ._scan_json import entry, is_lines, items, line, load, obj, read_lines, row_problem

_PARTIAL = "(differences without their beginning)"
_MEND = 'give {"TABLE": [rows]}, such as {"deb_packages": [...]}, or log the query under its table\'s name'


class _Event(Struct):
    host: str
    name: str
    at: datetime | None
    order: tuple[float, float, float]
    place: str
    start: (
        tuple[float, float] | None
    )  # (epoch, time) of a first or full result, which replaces what was known before
    added: list[Any]
    removed: list[Any]
    decorations: dict[str, Any]


def read(data: bytes, place: str) -> FleetInput:
    """An asset for each host; its packages, with the operating system that `os_version` names.

    Raises:
        InputError: not JSON, or rows of which nothing tells the table; TooLargeError: over a bound of `_scan_json`.
    """
    found = Assets("osquery", Witness(tool="osquery"))
    head = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    whole = head == b"[" or not is_lines(data)
    value = load(data, place, by_row=True) if whole else list(read_lines(data, found.refuse))
    tables: dict[str, dict[str, list[tuple[str, dict[str, Any]]]]] = {}
    times: dict[str, datetime] = {}
    if isinstance(value, dict) and _is_tables(value):
        for name in value:
            if name in TABLES:
                tables.setdefault(place, {})[name] = _numbered(value[name], name, found)
    else:
        logged = _logged(value)
        if logged is None:
            rows = _numbered(value, "", found)
            name = next((t for _, row in rows if (t := table_of(row))), "")
            if rows and not name:
                raise InputError("is of no osquery table that is known", where=place, mend=_MEND)
            tables[place] = {name: rows} if rows else {}
        else:
            tables, times = _replayed(logged, found)
    for host, by_table in tables.items():
        asset = found.get(host)
        if host in times:
            asset.seen.add(times[host])
        if host != place:
            asset.named(host)
        _fill(asset, by_table, found)
        if host == place:  # rows without their host: `system_info` may name it
            asset.name = min(asset.fqdns, default="") or min(asset.hostnames, default="") or asset.name
    return found.finish()


def _fill(asset: Asset, tables: dict[str, list[tuple[str, dict[str, Any]]]], found: Assets) -> None:
    asset.complete = _PARTIAL not in tables
    for where, reason in add_rows(asset, tables):
        found.refuse(where, reason)


def _is_tables(value: dict[str, Any]) -> bool:
    return any(name in TABLES and isinstance(rows, list) for name, rows in value.items())


def _numbered(rows: Any, name: str, found: Assets) -> list[tuple[str, dict[str, Any]]]:
    kept = []
    for index, row in enumerate(items(rows)):
        if problem := row_problem(row, "is not a row (give one JSON object a row)"):
            found.refuse(f"{name}[{index}]", problem)
        else:
            kept.append((f"{name}[{index}]", row))
    return kept


def _logged(value: Any) -> list[tuple[str, Any]] | None:
    """(place, event) of a result log, None for what is none; a TLS logger's body carries the events in `data`."""
    if isinstance(value, dict):
        if isinstance(value.get("data"), list):
            return [(f"data[{i}]", event) for i, event in enumerate(value["data"])]
        return [("", value)] if "hostIdentifier" in value else None
    if isinstance(value, list) and value:
        if isinstance(value[0], tuple):
            return value
        if any("hostIdentifier" in obj(event) for event in value[:20]):
            return [(f"[{i}]", event) for i, event in enumerate(value)]
    return None


def _replayed(
    logged: list[tuple[str, Any]], found: Assets
) -> tuple[dict[str, dict[str, list[tuple[str, dict[str, Any]]]]], dict[str, datetime]]:
    events: list[_Event] = []
    for where, value in logged:
        try:
            events.append(_event(entry(value, "an event"), where))
        except InputError as e:
            found.refuse(where, e)
    events.sort(key=lambda e: e.order)
    standing: dict[tuple[str, str], dict[str, tuple[str, dict[str, Any]]]] = {}
    starts: dict[tuple[str, str], tuple[float, float]] = {}
    times: dict[str, datetime] = {}
    for event in events:
        rows = standing.setdefault((event.host, event.name), {})
        if event.start is not None and starts.get((event.host, event.name)) != event.start:
            starts[event.host, event.name] = event.start
            rows.clear()
        for row in event.removed:
            rows.pop(_row_key(row), None)
        for index, row in enumerate(event.added):
            place = f"{event.place} {event.name}[{index}]".strip()
            if problem := row_problem(row, "is not a row (give one JSON object a row)"):
                found.refuse(place, problem)
            else:
                rows[_row_key(row)] = (place, row)
        if event.at and event.at > times.get(event.host, event.at.min.replace(tzinfo=event.at.tzinfo)):
            times[event.host] = event.at
    tables: dict[str, dict[str, list[tuple[str, dict[str, Any]]]]] = {}
    for (host, name), rows in standing.items():
        by_table = tables.setdefault(host, {})
        of_rows = next((t for _, row in rows.values() if (t := table_of(row))), "")
        table = _named(name) or of_rows
        if table:
            if (host, name) not in starts:
                by_table.setdefault(_PARTIAL, [])
            by_table.setdefault(table, []).extend(rows.values())
        else:
            found.passed_over += len(rows)  # a query about something else: users, ports, mounts
    for event in events:
        for key in ("hostname", "host_uuid"):
            if line(event.decorations.get(key)):
                tables.setdefault(event.host, {}).setdefault("decorations", []).append(
                    ("decorations", event.decorations)
                )
                break
    return tables, times


def _named(query: str) -> str:
    """The table that a query's name ends with: "pack/inventory/deb_packages", "pack_it_deb_packages"."""
    plain = query.replace("/", "_").replace(":", "_").replace("-", "_").lower()
    return next((t for t in TABLES if plain == t or plain.endswith(f"_{t}")), "")


def _event(event: dict[str, Any], where: str) -> _Event:
    host = line(event.get("hostIdentifier"))
    if not host:
        raise InputError("names no host", mend="log with --host_identifier=hostname or uuid")
    at = _when.moment(line(event.get("unixTime")) or line(event.get("calendarTime")), "unixTime")
    counter, epoch = _number(event.get("counter")), _number(event.get("epoch"))
    added: list[Any]
    removed: list[Any] = []
    start = (epoch, at.timestamp() if at else 0.0) if counter == 0 and "counter" in event else None
    if isinstance(event.get("snapshot"), list):
        added, start = event["snapshot"], (epoch, at.timestamp() if at else 0.0)
    elif isinstance(event.get("diffResults"), dict):
        difference = event["diffResults"]
        added, removed = items(difference.get("added")), items(difference.get("removed"))
    elif isinstance(event.get("columns"), dict):
        gone = event.get("action") == "removed"
        added, removed = ([], [event["columns"]]) if gone else ([event["columns"]], [])
    else:
        raise InputError(
            "has neither `columns`, `snapshot` nor `diffResults`", mend="give osquery's result log"
        )
    return _Event(
        host=host,
        name=line(event.get("name")),
        at=at,
        order=(at.timestamp() if at else 0.0, epoch, counter + (0.5 if added else 0.0)),
        place=where,
        start=start,
        added=added,
        removed=removed,
        decorations=obj(event.get("decorations")),
    )


def _number(value: Any) -> float:
    try:
        return float(value) if isinstance(value, str | int | float) and len(str(value)) < 20 else 0.0
    except ValueError:
        return 0.0


def _row_key(row: Any) -> str:
    return json.dumps(row, sort_keys=True)
