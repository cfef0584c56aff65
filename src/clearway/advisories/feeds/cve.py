"""The CVE Program's list (cvelistV5): a daily archive of everything, and `deltaLog.json` of the last 30 days.

Records lie under `cves/2024/1xxx/CVE-2024-1234.json`; that path follows from the id, and the addresses that
the log gives are not used.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from clearway.records.text import plain

from . import judge
from .layout import FORGET, Ask, Batch, Outcome, one_by_one
from .place import Got, MiB, MissingError

if TYPE_CHECKING:
    from pathlib import Path

    from .layout import Pull

_LOG_BYTES = 256 * MiB
_ALL_BYTES = 8192 * MiB
_RECORD_BYTES = 16 * MiB
_BATCH = 500
_LEAST = 0.98
_MARK_DIGITS = 12  # some thousand entries are remembered, of thirty days
_ID = re.compile(r"CVE-(\d{4})-(\d{4,19})", re.ASCII)


class _Change(Struct):
    cve: str = msgspec.field(name="cveId")


class _Delta(Struct):
    at: str = msgspec.field(name="fetchTime")
    new: list[_Change] = []
    updated: list[_Change] = []


class _Meta(Struct):
    cve: str = msgspec.field(name="cveId")


class _Record(Struct):
    meta: _Meta = msgspec.field(name="cveMetadata")


def pull(ask: Ask) -> Pull:
    """What the log lists since the last pull; everything first where the log does not reach back so far."""
    latest = ask.get("cves/delta.json", "delta.json", max_bytes=_LOG_BYTES)
    again = {name for name, item in ask.items.items() if item.problem}
    if latest is None and not again:
        return None
    log_file = ask.fetch("cves/deltaLog.json", "deltaLog.json", max_bytes=_LOG_BYTES)
    log = judge.json_of(log_file, list[_Delta], "log of CVE changes")
    if not log or any(judge.moment_of(delta.at) is None for delta in log):
        raise judge.UnsoundError("is no log of CVE changes: an entry has no time", where=log_file.url)
    newest = judge.latest(delta.at for delta in log)
    judge.not_ahead(newest, ask.now, log_file)
    judge.not_older(newest, ask.feed.dated, log_file)
    since = None if ask.afresh else judge.moment_of(ask.feed.dated)
    seen = set(ask.feed.state.get("deltas", []))
    entries = ask.feed.entries
    if since is None or since < min(judge.ordered(delta.at) for delta in log):
        whole, of = _baseline(ask)
        since, seen = judge.ordered(of), set()
        names = judge.zip_names(whole, "archive of CVE records")
        entries = sum(name.endswith(".json") and "CVE-" in name for name in names)
        judge.not_shrunk("records", entries, ask.feed.entries, whole, least=_LEAST, accept=ask.accept_smaller)
        yield Batch(paths=[whole.path])
    # An entry that was not seen before counts whatever its time is: what is listed late bears an older one.
    later = [d for d in log if (_mark(d) not in seen if seen else judge.ordered(d.at) > since)]
    changed = {c.cve for delta in later for c in (*delta.new, *delta.updated)} | again
    entries += len({c.cve for delta in later for c in delta.new})

    def take(name: str, batch: Batch) -> None:
        batch.paths.append(_record(ask, name, newest))
        if name in again:
            batch.items[name] = FORGET

    yield from one_by_one(sorted(changed), take, str, size=_BATCH)
    return Outcome(entries=entries, dated=newest, state={"deltas": [_mark(delta) for delta in log]})


def _mark(delta: _Delta) -> str:
    """By what an entry of the log is known again: its time and what it names."""
    names = sorted({change.cve for change in (*delta.new, *delta.updated)})
    return sha256("\n".join((delta.at, *names)).encode()).hexdigest()[:_MARK_DIGITS]


def _record(ask: Ask, name: str, stamp: str) -> Path:
    found = _ID.fullmatch(name)
    if found is None:
        raise judge.UnsoundError("no CVE id", where=plain(name, 60))
    staged = f"{name}@{stamp}.json"
    path = ask.staging.path(staged)
    if not path.exists():
        ref = f"cves/{found[1]}/{found[2][:-3]}xxx/{name}.json"
        ask.fetch(ref, staged, max_bytes=_RECORD_BYTES)
    try:
        record = msgspec.json.decode(path.read_bytes(), type=_Record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        what = judge.nature(path.read_bytes()[:4096]) or "no CVE record"
        path.unlink()
        raise judge.UnsoundError(f"{what} instead of the record", where=name) from None
    if record.meta.cve != name:
        path.unlink()
        raise judge.UnsoundError(f"holds {plain(record.meta.cve, 60)} instead", where=name)
    return path


def _baseline(ask: Ask) -> tuple[Got, str]:
    """The archive of everything and the moment of which it is; it may lie in another archive of that one member.

    Raises:
        UpstreamError: there is none, of today or the two days before.
    """
    pattern = ask.feed.option("baseline", "cves.zip")
    for days in (0, 1, 2):
        day = (ask.now - timedelta(days=days)).date().isoformat()
        try:
            got = ask.fetch(pattern.replace("{date}", day), "baseline.zip", max_bytes=_ALL_BYTES)
        except MissingError as error:
            missing = error
            if "{date}" in pattern:
                continue
            raise
        at = f"{day}T00:00:00.000Z" if "{date}" in pattern else ask.feed.option("baseline-of", "")
        return _unwrapped(ask, got), at
    raise missing


def _unwrapped(ask: Ask, got: Got) -> Got:
    names = judge.zip_names(got, "archive of CVE records")
    if len(names) != 1 or not names[0].lower().endswith(".zip"):
        return got
    path = ask.staging.path("cves.zip")
    try:
        with zipfile.ZipFile(got.path) as outer:
            if outer.infolist()[0].file_size > _ALL_BYTES:
                raise judge.UnsoundError("unpacks to more than is taken", where=got.url)
            with outer.open(names[0]) as read, path.open("wb") as write:
                shutil.copyfileobj(read, write, 1 << 20)
    except judge.BROKEN_ZIP as error:
        raise judge.UnsoundError(f"can't be unpacked: {plain(str(error), 120)}", where=got.url) from None
    got.path.unlink()
    return Got(path=path, url=got.url, size_bytes=path.stat().st_size, sha256=got.sha256)
