"""What a CSAF provider's indexes list: ROLIE feeds, page by page, and directories.

CSAF 2.0 and 2.1 §7.1 by requirement: index.txt (12), changes.csv (13), ROLIE feeds (15) and service documents (16).
A ROLIE feed may go on in further pages (RFC 8322 §6.2.2, RFC 5005 §3: `rel="next"`), which may lead in a circle or
never end: pages and documents are counted, and a page that adds nothing ends it with a reason.
"""

from __future__ import annotations

import csv
import hashlib
import io
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urldefrag, urljoin, urlsplit

import msgspec
from msgspec import Struct

from clearway.records.errors import UpstreamError
from clearway.records.text import plain

from . import judge
from .place import MiB, MissingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .layout import Ask
    from .place import Got

PAGE_BYTES = 128 * MiB
LIST_BYTES = 64 * MiB
MOST_DOCUMENTS = 500_000  # of one provider; the largest ones list some tens of thousands
MOST_PAGES = 2_000
PAGES_BYTES = 1024 * MiB  # of one feed's pages together
PAGES_S = 3600.0
_MOST_UNREADABLE = 0.02  # entries or lines of one index
_ONLY_IN_INDEX = "index.txt"  # the stamp of a document that changes.csv does not name: fetched once
_TLP_SCHEME = "https://www.first.org/tlp/"


class Listed(Struct, frozen=True, kw_only=True):
    """One document in an index. `stamp` changes when it does; "" where the index does not tell."""

    url: str
    label: str  # of its feed or directory
    stamp: str = ""
    hashes: tuple[str, ...] = ()  # addresses that the index names; else the usual ones are tried
    signature: str = ""
    stated: bool = False  # whether the index names hashes and signature


class Index(Struct, kw_only=True):
    """One index as it was read. `dated` is its newest time, "" where it tells none."""

    documents: list[Listed]
    dated: str
    first: Got
    pages: list[str]
    notes: list[str] = []


class _Link(Struct):
    href: str = ""
    rel: str = ""


class _Entry(Struct):
    link: list[_Link] = []
    updated: str = ""
    content: dict[str, Any] | None = None


class _FeedBody(Struct):
    # Read one by one: a million entries at once would take gigabytes.
    entry: list[msgspec.Raw] = []
    link: list[_Link] = []
    updated: str = ""


class _FeedDocument(Struct):
    feed: _FeedBody


_ENTRY = msgspec.json.Decoder(_Entry)


def rolie(ask: Ask, url: str, label: str, known_pages: Mapping[str, list[str]]) -> Index | None:
    """The documents of a ROLIE feed and all its pages; None when none of the pages has changed.

    `known_pages` are those of the last good pull, by the feed's address: a page can change behind a first one that
    stays the same.

    Raises:
        UnsoundError: a page is no feed, the pages lead in a circle, or there are too many of them or of documents.
        UpstreamError: a page can't be had. What is listed is then not known, so that nothing of it is used.
    """
    got = ask.get(url, _name(url), max_bytes=PAGE_BYTES)
    if got is None:
        if all(ask.get(p, _name(p), max_bytes=PAGE_BYTES) is None for p in known_pages.get(url, [])[1:]):
            return None
        got = ask.read(url, _name(url), max_bytes=PAGE_BYTES)
    found = Index(documents=[], dated="", first=got, pages=[])
    listed: set[str] = set()
    at, taken, ends = url, 0, time.monotonic() + PAGES_S
    while True:
        taken += got.size_bytes
        onward = _page(found, got, label, listed)
        found.pages.append(at)
        if not onward:
            return found
        if onward in (*found.pages, found.first.url):
            raise judge.UnsoundError(f"its pages lead in a circle: {plain(onward, 200)}", where=url)
        if len(found.pages) >= MOST_PAGES or taken > PAGES_BYTES or time.monotonic() > ends:
            raise judge.UnsoundError(
                f"does not end: {len(found.pages):,} pages, {taken:,} bytes", where=url,
                mend="if it really is so large, name its indexes' folder or a mirror of it",
            )  # fmt: skip
        at = onward
        got = ask.read(at, _name(at), max_bytes=PAGE_BYTES)


def _page(found: Index, got: Got, label: str, listed: set[str]) -> str:
    """Adds what one page lists; the next page's address, or ""."""
    feed = judge.json_of(got, _FeedDocument, "ROLIE feed").feed
    got.path.unlink(missing_ok=True)  # of a thousand pages no two need lie here at once
    before, unread = len(listed), 0
    for raw in feed.entry:
        try:
            document = _entry(got, _ENTRY.decode(raw), label)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError):
            unread += 1
            continue
        if document is None or document.url in listed:
            continue
        if len(listed) >= MOST_DOCUMENTS:
            raise judge.UnsoundError(f"lists more than {MOST_DOCUMENTS:,} documents", where=got.url)
        listed.add(document.url)
        found.documents.append(document)
    if unread > _MOST_UNREADABLE * len(feed.entry):
        raise judge.UnsoundError(
            f"{unread:,} of its {len(feed.entry):,} entries can't be read", where=got.url
        )
    if unread:
        found.notes.append(f"{unread:,} entries can't be read: {plain(got.url, 200)}")
    found.dated = judge.latest((found.dated, feed.updated))
    onward = next((link.href for link in feed.link if link.rel == "next" and link.href), "")
    if onward and len(listed) == before:
        raise judge.UnsoundError("its pages go on and list nothing more", where=got.url)
    return urldefrag(_joined(got.url, onward)).url if onward else ""


def _entry(got: Got, entry: _Entry, label: str) -> Listed | None:
    links = [(link.rel, urljoin(got.url, link.href)) for link in entry.link]
    own = [href for rel, href in links if rel == "self"]
    url = own[0] if own else urljoin(got.url, str((entry.content or {}).get("src", "")))
    if not url.endswith(".json"):
        return None  # an entry may be of another kind; only JSON documents are CSAF
    hashes = tuple(href for rel, href in links if rel == "hash")
    signature = next((href for rel, href in links if rel == "signature"), "")
    return Listed(
        url=url, label=label, stamp=entry.updated, hashes=hashes, signature=signature,
        stated=bool(hashes or signature),
    )  # fmt: skip


class _Category(Struct):
    scheme: str = ""
    term: str = ""


class _Categories(Struct):
    category: list[_Category] = []


class _Collection(Struct):
    href: str = ""
    categories: _Categories = msgspec.field(default_factory=_Categories)


class _Workspace(Struct):
    collection: list[_Collection] = []


class _Service(Struct):
    workspace: list[_Workspace] = []


class _ServiceDocument(Struct):
    service: _Service


def service(ask: Ask, url: str) -> list[tuple[str, str]]:
    """The feeds that a ROLIE service document names, each with its TLP label ("" where it has none).

    Raises:
        UpstreamError: it can't be had, or is none.
    """
    got = ask.fetch(url, _name(url), max_bytes=MiB)
    found = judge.json_of(got, _ServiceDocument, "ROLIE service document")
    return [
        (_joined(got.url, collection.href), next((c.term for c in collection.categories.category
                                                  if c.scheme == _TLP_SCHEME), ""))
        for workspace in found.service.workspace
        for collection in workspace.collection
        if collection.href
    ]  # fmt: skip


def directory(ask: Ask, base: str, label: str) -> Index | None:
    """The documents of a directory by changes.csv and index.txt; None when neither has changed.

    Raises:
        UnsoundError: one of them is no such list. UpstreamError: there is neither, or it can't be had.
    """
    base = base if base.endswith("/") else base + "/"
    changes, names = urljoin(base, "changes.csv"), urljoin(base, "index.txt")
    try:
        got = ask.get(changes, _name(changes), max_bytes=LIST_BYTES)
    except MissingError:
        # It bears no times, so that it stays the same while its documents change: each is looked at by its hash.
        got = ask.fetch(names, _name(names), max_bytes=LIST_BYTES)
        found = [_in(base, name, label, "") for name in _names(got)]
        return Index(documents=found, dated="", first=got, pages=[base])
    notes: list[str] = []
    try:
        beside = ask.get(names, _name(names), max_bytes=LIST_BYTES)
        if got is None and beside is None:
            return None
        beside = beside or ask.read(names, _name(names), max_bytes=LIST_BYTES)
        listed = list(_names(beside))
    except MissingError:
        if got is None:
            return None
        listed = []
    except UpstreamError as error:
        if got is None:
            return None
        notes.append(f"its index.txt is not used: {error.what}")
        listed = []
    got = got or ask.read(changes, _name(changes), max_bytes=LIST_BYTES)
    stamps = _stamps(got)
    documents = {d.url: d for d in (_in(base, name, label, at) for name, at in stamps.items())}
    more = [d for d in (_in(base, name, label, _ONLY_IN_INDEX) for name in listed) if d.url not in documents]
    documents |= {d.url: d for d in more}
    if len(documents) > MOST_DOCUMENTS:
        raise judge.UnsoundError(f"lists more than {MOST_DOCUMENTS:,} documents", where=base)
    if more:
        notes.append(f"{len(more):,} documents stand in index.txt and not in changes.csv: {plain(base, 200)}")
    return Index(
        documents=list(documents.values()),
        dated=judge.latest(stamps.values()),
        first=got,
        pages=[base],
        notes=notes,
    )


def _names(got: Got) -> Iterator[str]:
    """The lines of index.txt."""
    judge.refuse_page(got, "an index of documents")
    count = 0
    with got.path.open(encoding="utf-8-sig", errors="replace", newline=None) as file:
        for line in file:
            if not line.strip():
                continue
            count += 1
            if count > MOST_DOCUMENTS:
                raise judge.UnsoundError(f"lists more than {MOST_DOCUMENTS:,} documents", where=got.url)
            yield line


def _stamps(got: Got) -> dict[str, str]:
    """Name -> newest time, of changes.csv."""
    judge.refuse_page(got, "a list of changes")
    stamps: dict[str, str] = {}
    good = rows = 0
    with got.path.open("rb") as binary, io.TextIOWrapper(binary, "utf-8-sig", "replace", newline="") as file:
        try:
            for row in csv.reader(file):
                rows += bool(row)
                if len(row) != 2 or judge.moment_of(row[1]) is None:
                    continue
                good += 1
                stamps[row[0]] = judge.latest((stamps.get(row[0], ""), row[1]))
                if len(stamps) > MOST_DOCUMENTS:
                    raise judge.UnsoundError(f"lists more than {MOST_DOCUMENTS:,} documents", where=got.url)
        except csv.Error:  # such as a field without end
            stamps = {}
    if not stamps or good < (1 - _MOST_UNREADABLE) * rows:
        raise judge.UnsoundError("is no list of changes (path, time)", where=got.url)
    return stamps


def _in(base: str, name: str, label: str, stamp: str) -> Listed:
    """A document of a directory. Some publishers write its path from their root and so repeat the directory's end."""
    name = name.strip().lstrip("/")
    if ".." in name.split("/") or "\\" in name or _scheme(name):
        raise judge.UnsoundError(f"lists a path that leads out of it: {plain(name, 80)}", where=base)
    folder = urlsplit(base).path.strip("/").split("/")
    parts = name.split("/")
    for length in range(min(len(folder), len(parts) - 1), 0, -1):
        if folder[-length:] == parts[:length]:
            parts = parts[length:]
            break
    return Listed(url=urljoin(base, quote("/".join(parts), safe="/%")), label=label, stamp=stamp)


def _scheme(name: str) -> bool:
    try:
        return bool(urlsplit(name).scheme)
    except ValueError:
        return True


def _joined(base: str, href: str) -> str:
    try:
        return urljoin(base, href)
    except ValueError:
        raise judge.UnsoundError(f"names what is no address: {plain(href, 80)}", where=base) from None


def _name(url: str) -> str:
    """A file name for an index in the staging folder."""
    return f"{hashlib.sha256(url.encode()).hexdigest()[:16]}-index"
