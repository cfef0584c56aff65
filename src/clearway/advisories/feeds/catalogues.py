"""The layouts of one file: KEV, EPSS, and any file that intake reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearway.formats import archive, detect, kev
from clearway.records.errors import InputError
from clearway.records.text import plain

from . import judge
from .layout import Ask, Batch, Outcome
from .place import MiB

if TYPE_CHECKING:
    from .layout import Pull

_KEV_BYTES = 64 * MiB
_EPSS_BYTES = 64 * MiB
_EPSS_UNPACKED_BYTES = 256 * MiB
_FILE_BYTES = 2048 * MiB
_MOST_BAD = 0.02  # of a catalogue's entries: an entry that can't be read would count as taken off
KEV_LEAST = 0.98
_LEAST = 0.9


def pull_kev(ask: Ask) -> Pull:
    """CISA's catalogue, JSON. An entry that it no longer lists is taken down by intake, so it is judged first."""
    got = ask.get("", "known_exploited_vulnerabilities.json", max_bytes=_KEV_BYTES)
    if got is None:
        return None
    judge.refuse_page(got, "the KEV catalogue")
    try:
        version, entries = kev.read_json(got.path.read_bytes(), got.url)
        read = list(entries)
    except InputError as error:
        raise judge.UnsoundError(f"is no KEV catalogue: {error.what}", where=got.url) from None
    good = {entry.kev.cve for entry in read if entry.kev is not None}
    bad = [entry for entry in read if entry.kev is None]
    if len(bad) > max(2, _MOST_BAD * len(read)):
        raise judge.UnsoundError(
            f"{len(bad):,} of its {len(read):,} entries can't be read: {plain(bad[0].problem, 120)}",
            where=got.url,
        )
    dated = version[:10].replace(".", "-")
    before = max(ask.kept("kev"), ask.feed.entries)
    judge.not_shrunk("entries", len(good), before, got, least=KEV_LEAST, accept=ask.accept_smaller)
    judge.taken_by(version, ask.now, got)
    judge.not_older(dated, ask.feed.dated, got)
    yield Batch(paths=[got.path])
    return Outcome(entries=len(good), dated=dated)


def pull_epss(ask: Ask) -> Pull:
    """FIRST's daily scores, csv.gz; an address that ends with "/" is the folder of the daily files."""
    ref = "epss_scores-current.csv.gz" if ask.feed.url.endswith("/") else ""
    got = ask.get(ref, "epss_scores-current.csv.gz", max_bytes=_EPSS_BYTES)
    if got is None:
        return None
    head = b""
    rows = 0
    for piece in judge.gunzipped(got, "gzip file of EPSS scores", _EPSS_UNPACKED_BYTES):
        if len(head) < 4096:
            head += piece[:4096]
        rows += piece.count(b"\n")
    first = head.split(b"\n", 1)[0].decode("ascii", "replace").strip()
    stated = dict(part.partition(":")[::2] for part in first.removeprefix("#").split(","))
    if not first.startswith("#") or detect.detect(head, "epss.csv").kind != "epss-csv":
        raise judge.UnsoundError("is no table of EPSS scores", where=got.url)
    dated = stated.get("score_date", "")[:10]
    if judge.moment_of(dated) is None:
        raise judge.UnsoundError("its table of EPSS scores bears no date", where=got.url)
    judge.not_shrunk("scores", rows - 2, ask.feed.entries, got, least=_LEAST, accept=ask.accept_smaller)
    judge.taken_by(dated, ask.now, got)
    judge.not_older(dated, ask.feed.dated, got)
    yield Batch(paths=[got.path])
    return Outcome(entries=rows - 2, dated=dated)


def pull_file(ask: Ask) -> Pull:
    """One file of any format that intake reads: a record, JSON lines, or an archive of records."""
    name = ask.feed.url.rstrip("/").rpartition("/")[2].partition("?")[0] or "file"
    got = ask.get("", name, max_bytes=_FILE_BYTES)
    if got is None:
        return None
    judge.refuse_page(got, "advisories")
    records = 0
    reason = ""
    for piece in archive.walk([got.path]):
        if isinstance(piece, archive.Refused):
            if "!" not in piece.place:  # the file itself, not one of its members
                raise judge.UnsoundError(
                    plain(piece.reason, 160), where=got.url, mend="what was taken in before stands"
                )
        elif (found := detect.detect(piece.data, piece.place)).is_record:
            records += 1
        else:
            reason = reason or found.reason
    if not records:
        raise judge.UnsoundError(f"holds no record of a known format: {plain(reason, 120)}", where=got.url)
    judge.not_shrunk("records", records, ask.feed.entries, got, least=_LEAST, accept=ask.accept_smaller)
    yield Batch(paths=[got.path])
    return Outcome(entries=records)
