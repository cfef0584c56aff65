"""OSV.dev's export of one ecosystem: `all.zip`, and `modified_id.csv` for what changed since.

https://google.github.io/osv.dev/data/: the CSV has "time,ID" a line, newest first; a record is `ID.json`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec
from msgspec import Struct

from clearway.formats.osv import source_of
from clearway.records.text import plain

from . import held, judge
from .layout import FORGET, Ask, Batch, Outcome, one_by_one
from .place import MiB

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from .layout import Pull
    from .place import Got

_INDEX_BYTES = 256 * MiB
_ALL_BYTES = 4096 * MiB
_RECORD_BYTES = 16 * MiB
_WHOLE_PAYS_AT = 400  # changed records from which the archive is less trouble for both sides
_KIND = "osv"
_SAMPLE = 50  # of what an archive lacks, to see whether it does
_BATCH = 200
_LEAST = 0.9
_ID = re.compile(r"[A-Za-z][A-Za-z0-9_.:+-]{2,199}", re.ASCII)
_BAD_LINES = 0.01


class _Record(Struct):
    id: str
    modified: str


def pull(ask: Ask) -> Pull:
    """What the index lists and is not here as new, record by record, or everything when that is much."""
    index = ask.get("modified_id.csv", "modified_id.csv", max_bytes=_INDEX_BYTES)
    again = {name for name, item in ask.items.items() if item.problem}
    if index is None and not again and not ask.feed.state.get("left"):
        return None
    if index is None:
        index = ask.fetch("modified_id.csv", "modified_id.csv", max_bytes=_INDEX_BYTES)
    listed = _listed(index)
    newest = judge.latest(listed.values())
    judge.not_shrunk("records", len(listed), ask.feed.entries, index, least=_LEAST, accept=ask.accept_smaller)
    judge.not_ahead(newest, ask.now, index)
    judge.not_older(newest, ask.feed.dated, index)
    since = None if ask.afresh else judge.moment_of(ask.feed.dated)
    late = set() if since is None else held.behind(ask, _KIND, listed, source_of)
    # Of the second that the last pull ended with, more may have come after it.
    changed = {name for name, at in listed.items() if since is None or judge.ordered(at) >= since}
    gone = sorted(again - listed.keys())
    late = ((late | again) & listed.keys()) - changed
    archived: set[str] = set()
    if since is None or len(changed | late) > max(_WHOLE_PAYS_AT, len(listed) // 5):
        whole = ask.fetch("all.zip", "all.zip", max_bytes=_ALL_BYTES)
        names = judge.zip_names(whole, "archive of OSV records")
        judge.not_shrunk("records", len(names), len(listed), whole, least=_LEAST, accept=ask.accept_smaller)
        yield Batch(paths=[whole.path], items=dict.fromkeys(again, FORGET))
        # The archive is made apart from the index, and may lack what that lists.
        archived = {name.rpartition("/")[2].removesuffix(".json") for name in names}
        changed, late = set(), held.behind(ask, _KIND, listed, source_of)
    singly = _Singly(ask, listed, again)
    yield from one_by_one(sorted(changed), singly.take, str, size=_BATCH)
    yield singly.remembered()
    left = yield from singly.late(late, archived)
    if gone:
        yield Batch(paths=[], items=dict.fromkeys(gone, FORGET))
    notes = [f"{plain(name, 60)} is no longer listed; what was taken in of it stands" for name in gone[:20]]
    if left:
        notes.append(f"{left:,} records that are listed are not here yet: the next pulls fetch them")
    return Outcome(entries=len(listed), dated=newest, state={"left": left}, notes=notes)


class _Singly:
    """Records fetched by name. `again` are those that could not be had or used the last time."""

    def __init__(self, ask: Ask, listed: Mapping[str, str], again: set[str]) -> None:
        self._ask, self._listed, self._again = ask, listed, again
        self._fetched: list[str] = []

    def take(self, name: str, batch: Batch) -> None:
        """One record into the batch; raises UpstreamError where it can't be had or used."""
        batch.paths.append(_record(self._ask, name, self._listed[name]))
        self._fetched.append(name)
        if name in self._again:
            batch.items[name] = FORGET

    def remembered(self) -> Batch:
        """What of those fetched since the last call did not become a record as new as it is listed."""
        fetched, self._fetched = self._fetched, []
        return held.remember(self._ask, _KIND, fetched, self._listed, source_of)

    def late(self, names: set[str], archived: set[str]) -> Generator[Batch, None, int]:
        """Fetches what is listed and not here, up to a bound; returns how many are left for the next pulls.

        Where an archive was taken in before and the first of them turn out to be as they are in it, the records bear
        other times than their index gives: those in it are here then.
        """
        untried = held.newest(names - self._again, self._listed)
        ordered = untried + held.newest(names & self._again, self._listed)
        sample, rest = ordered[:_SAMPLE], ordered[_SAMPLE:]
        yield from one_by_one(sample, self.take, str, size=_BATCH, all_may_fail=True)
        found = self.remembered()
        yield found
        if archived and len(found.items) == _SAMPLE:
            yield Batch(paths=[], items={name: self._listed[name] for name in rest if name in archived})
            rest = [name for name in rest if name not in archived]
        yield from one_by_one(rest[: held.MOST_LATE], self.take, str, size=_BATCH, all_may_fail=True)
        yield self.remembered()
        return len(rest[held.MOST_LATE :])


def _listed(index: Got) -> dict[str, str]:
    """ID -> time of its last change."""
    judge.refuse_page(index, "a list of changed records")
    found: dict[str, str] = {}
    bad = 0
    for line in index.path.read_bytes().decode("utf-8", "replace").splitlines():
        at, _, name = line.strip().partition(",")
        if _ID.fullmatch(name) and judge.moment_of(at) is not None:
            found[name] = judge.latest((found[name], at)) if name in found else at
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
