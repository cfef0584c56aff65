"""OSV.dev's export of one ecosystem: `all.zip`, and `modified_id.csv` for what changed since.

https://google.github.io/osv.dev/data/: the CSV has "time,ID" a line, newest first; a record is `ID.json`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec
from msgspec import Struct

from clearway.records.text import plain

from . import judge
from .layout import FORGET, Ask, Batch, Outcome, one_by_one
from .place import MiB

if TYPE_CHECKING:
    from pathlib import Path

    from .layout import Pull
    from .place import Got

_INDEX_BYTES = 256 * MiB
_ALL_BYTES = 4096 * MiB
_RECORD_BYTES = 16 * MiB
_WHOLE_PAYS_AT = 400  # changed records from which the archive is less trouble for both sides
_BATCH = 200
_LEAST = 0.9
_ID = re.compile(r"[A-Za-z][A-Za-z0-9_.:+-]{2,199}", re.ASCII)
_BAD_LINES = 0.01


class _Record(Struct):
    id: str
    modified: str


def pull(ask: Ask) -> Pull:
    """What changed by the index, record by record, or everything when that is the first time or much."""
    index = ask.get("modified_id.csv", "modified_id.csv", max_bytes=_INDEX_BYTES)
    again = {name for name, item in ask.items.items() if item.problem}
    if index is None and not again:
        return None
    if index is None:
        index = ask.fetch("modified_id.csv", "modified_id.csv", max_bytes=_INDEX_BYTES)
    listed = _listed(index)
    newest = max(listed.values())
    judge.not_shrunk("records", len(listed), ask.feed.entries, index, least=_LEAST, accept=ask.accept_smaller)
    judge.not_ahead(newest, ask.now, index)
    judge.not_older(newest, ask.feed.dated, index)
    since = "" if ask.afresh else ask.feed.dated
    # Of the second that the last pull ended with, more may have come after it.
    changed = sorted(name for name, at in listed.items() if at >= since or name in again)
    gone = sorted(again - listed.keys())
    if not since or len(changed) > max(_WHOLE_PAYS_AT, len(listed) // 5):
        whole = ask.fetch("all.zip", "all.zip", max_bytes=_ALL_BYTES)
        names = judge.zip_names(whole, "archive of OSV records")
        judge.not_shrunk("records", len(names), len(listed), whole, least=_LEAST, accept=ask.accept_smaller)
        yield Batch(paths=[whole.path], items=dict.fromkeys(again, FORGET))
    else:

        def take(name: str, batch: Batch) -> None:
            batch.paths.append(_record(ask, name, listed[name]))
            if name in again:
                batch.items[name] = FORGET

        yield from one_by_one((n for n in changed if n in listed), take, str, size=_BATCH)
    if gone:
        yield Batch(paths=[], items=dict.fromkeys(gone, FORGET))
    notes = [f"{plain(name, 60)} is no longer listed; what was taken in of it stands" for name in gone[:20]]
    return Outcome(entries=len(listed), dated=newest, notes=notes)


def _listed(index: Got) -> dict[str, str]:
    """ID -> time of its last change."""
    judge.refuse_page(index, "a list of changed records")
    found: dict[str, str] = {}
    bad = 0
    for line in index.path.read_bytes().decode("utf-8", "replace").splitlines():
        at, _, name = line.strip().partition(",")
        if _ID.fullmatch(name) and judge.moment_of(at) is not None:
            found[name] = max(found.get(name, ""), at)
        else:
            bad += bool(line.strip())
    if not found or bad > max(1, _BAD_LINES * len(found)):
        raise judge.UnsoundError(
            f"is no list of changed records: {bad:,} lines of another shape", where=index.url,
            mend="what was taken in before stands",
        )  # fmt: skip
    return found


def _record(ask: Ask, name: str, at: str) -> Path:
    """One record; one that an interrupted pull fetched already is not fetched again."""
    staged = f"{name}@{at}.json"
    path = ask.staging.path(staged)
    if not path.exists():
        ask.fetch(f"{quote(name)}.json", staged, max_bytes=_RECORD_BYTES)
    try:
        judged = msgspec.json.decode(path.read_bytes(), type=_Record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = judge.nature(path.read_bytes()[:4096]) or "no OSV record"
        path.unlink()
        raise judge.UnsoundError(f"{found} instead of the record", where=name) from None
    ahead = judge.is_ahead(judged.modified, ask.now)
    if judged.id != name or ahead:
        path.unlink()
    if ahead:
        raise judge.UnsoundError(f"is dated {plain(judged.modified, 40)}, which is yet to come", where=name)
    if judged.id != name:
        raise judge.UnsoundError(f"holds {plain(judged.id, 60)} instead", where=name)
    return path
