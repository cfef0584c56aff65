"""A CSAF provider's own documents: where its metadata lie, and which documents its indexes list.

CSAF 2.0 §7.1 by requirement: provider-metadata.json (7), its address by security.txt (8), well-known URL (9) or
DNS (10), index.txt (12), changes.csv (13), ROLIE feeds (15 to 17), hashes (18), signatures (19), keys (20).
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

import msgspec
from msgspec import Struct

from clearway.records.errors import UpstreamError
from clearway.records.text import plain

from . import judge
from .place import MiB, MissingError

if TYPE_CHECKING:
    from .layout import Ask
    from .place import Got

_METADATA_BYTES = 4 * MiB
INDEX_BYTES = 256 * MiB
_WELL_KNOWN = ".well-known/csaf/provider-metadata.json"
TLP = {"": 0, "UNLABELED": 0, "WHITE": 0, "CLEAR": 0, "GREEN": 1, "AMBER": 2, "AMBER+STRICT": 3, "RED": 4}
_STRICTEST = 4


class RolieFeed(Struct):
    url: str
    tlp_label: str = ""


class _Rolie(Struct):
    feeds: list[RolieFeed] = []


class _Directory(Struct):  # CSAF 2.1
    url: str
    tlp_label: str = ""


class _Distribution(Struct):
    rolie: _Rolie | None = None
    directory_url: str = ""
    directory: _Directory | None = None


class Key(Struct):
    url: str
    fingerprint: str = ""


class _Publisher(Struct):
    namespace: str = ""
    name: str = ""


class Metadata(Struct):
    """What is used of provider-metadata.json."""

    canonical_url: str
    publisher: _Publisher
    last_updated: str = ""
    role: str = "csaf_provider"
    distributions: list[_Distribution] = []
    public_openpgp_keys: list[Key] = []


class Listed(Struct, frozen=True, kw_only=True):
    """One document in an index. `stamp` changes when it does; "" where the index does not tell."""

    url: str
    label: str  # of its feed or directory
    stamp: str = ""
    hashes: tuple[str, ...] = ()  # addresses that the index names; else the usual ones are tried
    signature: str = ""
    stated: bool = False  # whether the index names hashes and signature


def strictness(label: str) -> int:
    """TLP 1.0 and 2.0 labels in order; an unknown one is the strictest."""
    return TLP.get(label.upper().removeprefix("TLP:"), _STRICTEST)


def metadata(ask: Ask) -> tuple[Metadata, str]:
    """The provider's metadata and its address, as given or found by its domain (requirements 8 to 10)."""
    problems = []
    for ref in _candidates(ask):
        try:
            got = ask.fetch(ref, "provider-metadata.json", max_bytes=_METADATA_BYTES)
            found = judge.json_of(got, Metadata, "provider metadata")
        except UpstreamError as error:
            problems.append(error)
            continue
        return found, urljoin(ask.feed.url, ref) if ref else ask.feed.url
    if len(problems) == 1:
        raise problems[0]
    raise judge.UnsoundError(
        "no provider metadata is found: neither at the well-known address, nor by security.txt, nor by DNS",
        where=ask.feed.url,
        mend="name the address of provider-metadata.json",
    )


def _candidates(ask: Ask) -> list[str]:
    path = urlsplit(ask.feed.url).path if not ask.feed.is_local else ask.feed.url
    if path.endswith(".json"):
        return [""]
    if ask.feed.is_local:
        return ["provider-metadata.json", _WELL_KNOWN]
    found = [urljoin(ask.feed.url, "/" + _WELL_KNOWN)]
    for ref in ("/.well-known/security.txt", "/security.txt"):
        try:
            text = ask.fetch(urljoin(ask.feed.url, ref), "security.txt", max_bytes=MiB)
        except UpstreamError:
            continue
        found += _named_in(text)
        break
    host = urlsplit(ask.feed.url).hostname or ""
    if any(c.isalpha() for c in host) and ":" not in host:
        found.append(f"https://csaf.data.security.{host}")
    if path.strip("/"):
        found.insert(0, urljoin(ask.feed.url, "provider-metadata.json"))
    return list(dict.fromkeys(found))


def _named_in(text: Got) -> list[str]:
    """The `CSAF:` fields of a security.txt (RFC 9116 fields, of which IANA registers this one)."""
    lines = text.path.read_bytes()[:65536].decode("utf-8", "replace").splitlines()
    values = [line.partition(":")[2].strip() for line in lines if line[:5].lower() == "csaf:"]
    return [urljoin(text.url, value) for value in values[:5] if value]


def rolie(got: Got, label: str) -> tuple[list[Listed], str]:
    """The documents of a ROLIE feed and the time that it says of itself."""
    feed = judge.json_of(got, _RolieDocument, "ROLIE feed").feed
    found = []
    for entry in feed.entry:
        links = [(link.rel, urljoin(got.url, link.href)) for link in entry.link]
        own = [href for rel, href in links if rel == "self"]
        url = own[0] if own else urljoin(got.url, entry.content.get("src", "") if entry.content else "")
        if not url.endswith(".json"):
            continue  # an entry may be of another kind; only JSON documents are CSAF
        hashes = tuple(href for rel, href in links if rel == "hash")
        signature = next((href for rel, href in links if rel == "signature"), "")
        found.append(
            Listed(
                url=url, label=label, stamp=entry.updated, hashes=hashes, signature=signature,
                stated=bool(hashes or signature),
            )
        )  # fmt: skip
    return found, feed.updated


class _Link(Struct):
    href: str = ""
    rel: str = ""


class _Entry(Struct):
    link: list[_Link] = []
    updated: str = ""
    content: dict[str, Any] | None = None


class _RolieFeedBody(Struct):
    entry: list[_Entry] = []
    updated: str = ""


class _RolieDocument(Struct):
    feed: _RolieFeedBody


def directory(ask: Ask, base: str, label: str) -> tuple[list[Listed], str, Got] | None:
    """The documents of a directory by changes.csv, else by index.txt, its newest time, and the index; None when
    it has not changed."""
    base = base if base.endswith("/") else base + "/"
    try:
        got = ask.get(urljoin(base, "changes.csv"), "changes.csv", max_bytes=INDEX_BYTES)
    except MissingError:
        # It bears no times, so that it stays the same while its documents change: each is looked at by its hash.
        got = ask.fetch(urljoin(base, "index.txt"), "index.txt", max_bytes=INDEX_BYTES)
        judge.refuse_page(got, "an index of documents")
        names = got.path.read_bytes().decode("utf-8", "replace").splitlines()
        return [_in(base, name, label, "") for name in names if name.strip()], "", got
    if got is None:
        return None
    judge.refuse_page(got, "a list of changes")
    rows = list(csv.reader(got.path.read_bytes().decode("utf-8-sig", "replace").splitlines()))
    good = [row for row in rows if len(row) == 2 and judge.moment_of(row[1]) is not None]
    if len(good) < 0.98 * len([row for row in rows if row]) or not good:
        raise judge.UnsoundError("is no list of changes (path, time)", where=got.url)
    stamps: dict[str, str] = {}
    for name, at in good:
        stamps[name] = max(stamps.get(name, ""), at)
    return [_in(base, name, label, at) for name, at in stamps.items()], max(stamps.values()), got


def _in(base: str, name: str, label: str, stamp: str) -> Listed:
    """A document of a directory. Some publishers write its path from their root and so repeat the directory's end."""
    name = name.strip().lstrip("/")
    if ".." in name.split("/") or urlsplit(name).scheme:
        raise judge.UnsoundError(f"lists a path that leads out of it: {plain(name, 80)}", where=base)
    folder = urlsplit(base).path.strip("/").split("/")
    parts = name.split("/")
    for length in range(min(len(folder), len(parts) - 1), 0, -1):
        if folder[-length:] == parts[:length]:
            parts = parts[length:]
            break
    return Listed(url=urljoin(base, quote("/".join(parts), safe="/%")), label=label, stamp=stamp)


class _Tracking(Struct):
    id: str = ""
    current_release_date: str = ""


class _Tlp(Struct):
    label: str = ""


class _Sharing(Struct):
    tlp: _Tlp = msgspec.field(default_factory=_Tlp)


class _Head(Struct):
    tracking: _Tracking
    publisher: _Publisher
    csaf_version: str = ""
    distribution: _Sharing = msgspec.field(default_factory=_Sharing)


class Document(Struct):
    """What is looked at of a document before intake reads it."""

    document: _Head


def host(namespace: str) -> str:
    """The host of a publisher's namespace, without `www.`, lower case."""
    return (urlsplit(namespace).hostname or namespace).lower().removeprefix("www.")
