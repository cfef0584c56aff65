"""A CSAF provider's metadata: where they lie, and what they say. Or an aggregator's list of providers.

CSAF 2.0 and 2.1 §7.1 by requirement: provider-metadata.json (7), its address by security.txt (8), well-known URL (9)
or DNS (10), keys (20), aggregator.json (21), mirrors (23).
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import msgspec
from msgspec import Struct

from clearway.records.errors import UpstreamError
from clearway.records.text import plain

from . import judge
from .place import MiB

if TYPE_CHECKING:
    from .layout import Ask
    from .place import Got

_METADATA_BYTES = 4 * MiB
_WELL_KNOWN = ".well-known/csaf/provider-metadata.json"
TLP = {"": 0, "UNLABELED": 0, "WHITE": 0, "CLEAR": 0, "GREEN": 1, "AMBER": 2, "AMBER+STRICT": 3, "RED": 4}
_STRICTEST = 4


class RolieFeed(Struct):
    url: str
    tlp_label: str = ""


class _Rolie(Struct):
    feeds: list[RolieFeed] = []
    services: list[str] = []


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
    maintained_until: str = ""  # CSAF 2.1
    distributions: list[_Distribution] = []
    public_openpgp_keys: list[Key] = []


class _PartyMetadata(Struct):
    publisher: _Publisher
    url: str = ""


class Party(Struct):
    """One issuing party in an aggregator's list."""

    metadata: _PartyMetadata
    mirrors: list[str] = []


class Aggregator(Struct):
    """What is used of aggregator.json. A publisher has no metadata of its own: it is read at its mirror alone."""

    csaf_providers: list[Party]
    csaf_publishers: list[Party] = []


class _Kind(Struct):
    csaf_providers: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def strictness(label: str) -> int:
    """TLP 1.0 and 2.0 labels in order; an unknown one is the strictest."""
    return TLP.get(label.upper().removeprefix("TLP:"), _STRICTEST)


def located(ask: Ask, notes: list[str]) -> tuple[Metadata | Aggregator, str]:
    """What the feed's address leads to, and where that lies: as given, or found by its domain (requirements 8 to 10).

    Raises:
        UpstreamError: nothing is found.
    """
    problems = []
    candidates = _candidates(ask)
    for at, ref in enumerate(candidates):
        try:
            found = _document(ask, ref)
        except UpstreamError as error:
            problems.append(error)
            continue
        if isinstance(found, Metadata) and not ask.feed.is_local:
            others = {c for c in candidates[at + 1 :] if c.endswith(".json") and not c.endswith(_WELL_KNOWN)}
            notes += [f"its security.txt names another, which would be a feed of its own: {plain(other, 200)}"
                      for other in sorted(others - {found.canonical_url})]  # fmt: skip
        return found, urljoin(ask.feed.url, ref) if ref else ask.feed.url
    if len(problems) == 1:
        raise problems[0]
    raise judge.UnsoundError(
        "no provider metadata is found: neither at the well-known address, nor by security.txt, nor by DNS",
        where=ask.feed.url,
        mend="name the address of provider-metadata.json, or of an aggregator.json",
    )


def metadata(ask: Ask, ref: str) -> Metadata:
    """The provider's metadata at an address; raises UpstreamError."""
    got = ask.fetch(ref, "provider-metadata.json", max_bytes=_METADATA_BYTES)
    return judge.json_of(got, Metadata, "provider metadata")


def _document(ask: Ask, ref: str) -> Metadata | Aggregator:
    got = ask.fetch(ref, "provider-metadata.json", max_bytes=_METADATA_BYTES)
    if judge.json_of(got, _Kind, "provider metadata").csaf_providers is not msgspec.UNSET:
        return judge.json_of(got, Aggregator, "list of providers")
    return judge.json_of(got, Metadata, "provider metadata")


def _candidates(ask: Ask) -> list[str]:
    path = urlsplit(ask.feed.url).path if not ask.feed.is_local else ask.feed.url
    if path.endswith(".json"):
        return [""]
    if ask.feed.is_local:
        return ["provider-metadata.json", _WELL_KNOWN, "aggregator.json"]
    found = [urljoin(ask.feed.url, "/" + _WELL_KNOWN)]
    for ref in ("/.well-known/security.txt", "/security.txt"):
        try:
            text = ask.fetch(urljoin(ask.feed.url, ref), "security.txt", max_bytes=MiB)
        except UpstreamError:
            continue
        found += _named_in(text)
        break
    domain = (urlsplit(ask.feed.url).hostname or "").removeprefix("www.")
    if any(c.isalpha() for c in domain) and ":" not in domain:
        found.append(f"https://csaf.data.security.{domain}")
    if path.strip("/"):
        found.insert(0, urljoin(ask.feed.url, "provider-metadata.json"))
    return list(dict.fromkeys(found))


def _named_in(text: Got) -> list[str]:
    """The `CSAF:` fields of a security.txt (RFC 9116 fields, of which IANA registers this one)."""
    lines = text.path.read_bytes()[:65536].decode("utf-8", "replace").splitlines()
    values = [line.partition(":")[2].strip() for line in lines if line[:5].lower() == "csaf:"]
    found = []
    for value in values[:5]:
        with suppress(ValueError):  # an address that is none
            found.append(urljoin(text.url, value))
    return found


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
    """The host of a publisher's namespace, without `www.`, lower case; all of it where it has none."""
    try:
        found = urlsplit(namespace).hostname
    except ValueError:
        found = None
    return (found or namespace).lower().removeprefix("www.")
