"""From one source's advisory to claims: which version intervals of which package it speaks of. Pure.

A claim is keyed by the package as matching looks it up: the ecosystem and its normal name, or
("vendor", "vendor/product") for a commercial product in the reviewed map, or ("cpe",
"vendor:product"). What can't be ordered is kept as the claim's `unread` reason, so that a
version it might concern becomes *unknown* and never silently clear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import Struct

from clearway.formats.purl import identity, parse
from clearway.records.ecosystem import normal_ecosystem, normal_name
from clearway.records.errors import VersionUnreadableError
from clearway.versions import has_keys, intervals, key, scheme_of

from .streams import module_of, stream_of
from .table_claims import Claim, IntervalTuple
from .vendors import VendorMap

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clearway.records.advisory import Advisory, Affected, Range
    from clearway.versions.ranges import Interval

_ENCODER = msgspec.msgpack.Encoder()
# A CPE-only or vendor statement is one of thousands of products; a package has at most a few names.
_GIT = "git"
# Go modules with capitals, by their names in lower case: a purl is often written so (purl specification, golang).
GO_FOLDED = "go-folded"
_COMMIT = "commit"  # each affected commit that a git range names is a package of its own
# Where a source names versions one by one and may be silent about the rest (CVE record schema, defaultStatus).
_SILENT_PLACES = frozenset({"vendor", "vendor-unreviewed", "cpe"})
_SILENT = frozenset({"", "unknown"})


class ClaimRow(Struct, frozen=True):
    """A claim and the package it is about. `body` is its msgpack, ready for the table."""

    ecosystem: str
    name: str
    body: bytes


class _About(NamedTuple):
    """What makes two statements one claim."""

    ecosystem: str
    name: str
    source: str
    status: str
    conditions: tuple[str, ...]
    scheme: str
    module: str
    silent: bool


def claims_of(advisory: Advisory, vendors: VendorMap) -> tuple[ClaimRow, ...]:
    """The claims of one advisory, in its order; () for a withdrawn or rejected one.

    A CVE record has several voices (its CNA, CISA's container): each makes claims of its own.
    """
    if advisory.withdrawn is not None or advisory.rejected:
        return ()
    merged: dict[_About, _Draft] = {}
    stream = stream_of(advisory.title)
    for affected in advisory.affected:
        status = _STATUS.get(affected.status)
        if status is None:
            continue
        source = affected.source or advisory.source
        for ecosystem, name, scheme in _packages(affected, vendors):
            draft = _Draft(scheme)
            draft.add(affected)
            silent = ecosystem in _SILENT_PLACES and affected.default in _SILENT
            for module, part in draft.by_module().items():
                built_in = (stream or module) if module else ""
                at = _About(ecosystem, name, source, status, affected.conditions, scheme, built_in, silent)
                known = merged.get(at)
                if known is None:
                    merged[at] = part
                else:
                    known.join(part)
        for commit in _commits(affected) if status == "affected" else ():
            at = _About(_COMMIT, commit, source, status, affected.conditions, "generic", "", False)
            merged.setdefault(at, _Draft("generic")).list_version(commit)
    return tuple(
        ClaimRow(ecosystem, _name_in(ecosystem, about.name), _ENCODER.encode(draft.claim(advisory.id, about)))
        for about, draft in merged.items()
        for ecosystem in _indexed(about)
    )


def _name_in(ecosystem: str, name: str) -> str:
    return name.lower() if ecosystem == GO_FOLDED else name


def _indexed(about: _About) -> Iterable[str]:
    yield about.ecosystem
    if about.ecosystem == "Go" and about.name != about.name.lower():
        yield GO_FOLDED


# A fixed version is one that the source clears; what is still under investigation is no claim.
_STATUS = {"affected": "affected", "not_affected": "not_affected", "fixed": "not_affected"}


def _packages(affected: Affected, vendors: VendorMap) -> Iterable[tuple[str, str, str]]:
    """(ecosystem, name, scheme) of every package that this entry is about."""
    if affected.ecosystem and affected.name:
        ecosystem = normal_ecosystem(affected.ecosystem)
        yield ecosystem, normal_name(ecosystem, affected.name), scheme_of(ecosystem)
    elif affected.vendor and affected.product and not _by_cpe(affected):
        product = vendors.find(affected.vendor, affected.product)
        scheme = _vendor_scheme(affected.ranges, product.scheme)
        yield ("vendor" if product.reviewed else "vendor-unreviewed"), product.key, scheme
    elif affected.purl:
        ecosystem, name, _ = identity(parse(affected.purl))
        if ecosystem:
            yield ecosystem, name, scheme_of(ecosystem)
    else:
        repos = {r.repo for r in affected.ranges if r.repo}
        for repo in sorted(repos):
            yield _GIT, repo.removesuffix(".git").rstrip("/"), "generic"
    for name in sorted({n for cpe in affected.cpes if (n := _cpe_name(cpe))}):
        yield "cpe", name, "generic"


def _by_cpe(affected: Affected) -> bool:
    """Whether somebody else than the vendor states this, by CPE: that is never more than possible."""
    return bool(affected.ranges) and all(r.type == "CPE" for r in affected.ranges)


def _commits(affected: Affected) -> Iterable[str]:
    """The commits that a git range names as affected: where it starts, and the last it still holds for."""
    for given in affected.ranges:
        if given.type == "GIT":
            for event in given.events:
                if event.kind in ("introduced", "last_affected") and event.version != "0":
                    yield event.version.lower()


def _vendor_scheme(ranges: Sequence[Range], default: str) -> str:
    """The order that the vendor states, where it is one we have; else `default`."""
    stated = {r.scheme for r in ranges if r.scheme}
    if len(stated) == 1:
        return _STATED_SCHEMES.get(stated.pop().lower(), default)
    return default


_STATED_SCHEMES = {
    "semver": "semver",
    "rpm": "rpm",
    "deb": "dpkg",
    "maven": "maven",
    "python": "pypi",
    "npm": "semver",
    "gem": "rubygems",
}


def _cpe_name(cpe: str) -> str:
    parts = cpe.split(":")
    if len(parts) < 5 or parts[3] in ("", "*", "-") or parts[4] in ("", "*", "-"):
        return ""
    return f"{parts[3]}:{parts[4]}".lower()


# Ranges that are one start and one end as a person wrote them, and no list of events to be sorted.
_PAIRED = frozenset({"VENDOR", "CPE"})


def _reversed(given: Range, found: Sequence[Interval]) -> bool:
    """Whether a pair's end sorts below its start, as where it is in the numbers of another product."""
    kinds = [e.kind for e in given.events]
    paired = len(kinds) == 2 and kinds.count("introduced") == 1 and "limit" not in kinds
    return paired and any(not i.end_kind for i in found)


def _as_text(given: Range) -> str:
    return ", ".join(f"{e.kind} {e.version}" for e in given.events)


class _Draft:
    """The intervals of one package under one record while they are collected."""

    def __init__(self, scheme: str) -> None:
        self.scheme = scheme
        self.intervals: list[IntervalTuple] = []
        self.listed: dict[bytes, str] = {}
        self.exact: dict[str, None] = {}  # listed texts without order
        self.unread: list[str] = []

    def add(self, affected: Affected) -> None:
        scheme = self.scheme
        git_only = False
        for given in affected.ranges:
            if given.type == "GIT":
                git_only = True
                continue
            if given.events and all(e.kind != "introduced" for e in given.events):
                self.unread.append(f"the source's range states no start: {_as_text(given)}")
                continue
            try:
                if scheme == "pypi":
                    # An end from before PEP 440 sorts below every version (`range_key`), so a range that
                    # has one would clear or condemn them all; what it means can't be told.
                    for event in given.events:
                        if event.version not in ("0", "*"):
                            key(scheme, event.version)
                found = intervals(scheme, given.events)
            except VersionUnreadableError as error:
                self.unread.append(f"a range of the source can't be ordered: {error.what}")
                continue
            if given.type in _PAIRED and _reversed(given, found):
                self.unread.append(f"the source's range ends before it starts: {_as_text(given)}")
                continue
            self.intervals += [(i.lo, i.hi, i.introduced, i.end, i.end_kind) for i in found]
        for text in affected.versions:
            self.list_version(text)
        self.unread += affected.unread
        if not self.intervals and not self.listed and not self.exact and not self.unread:
            if git_only:
                self.unread.append("the source states only git commits, which a version does not tell")
            elif not affected.ranges:
                self.unread.append("the source names the product and no versions that can be read")

    def list_version(self, text: str) -> None:
        """Adds one enumerated version, unless an interval covers it."""
        if not has_keys(self.scheme):
            if not any(i[2] == text for i in self.intervals):
                self.listed.setdefault(text.encode(), text)
            return
        try:
            at = key(self.scheme, text)
        except VersionUnreadableError:
            # It has no order, but an installed version may be spelled just so.
            self.exact.setdefault(text)
            return
        for lo, hi, *_ in self.intervals:
            if lo <= at < hi:
                return
        self.listed.setdefault(at, text)

    def by_module(self) -> dict[str, _Draft]:
        """This draft split by the rpm module stream in the end of each interval; mostly just itself."""
        if self.scheme != "rpm" or not any(".module" in i[3] for i in self.intervals):
            return {"": self}
        parts: dict[str, _Draft] = {}
        for interval in self.intervals:
            part = parts.setdefault(module_of(interval[3]), _Draft(self.scheme))
            part.intervals.append(interval)
        first = next(iter(parts.values()))
        first.listed, first.exact, first.unread = self.listed, self.exact, self.unread
        return parts

    def join(self, other: _Draft) -> None:
        self.intervals += other.intervals
        for at, text in other.listed.items():
            self.listed.setdefault(at, text)
        self.exact.update(other.exact)
        self.unread += other.unread

    def claim(self, record: str, about: _About) -> Claim:
        return Claim(
            record=record,
            source=about.source,
            status=about.status,
            scheme=self.scheme,
            intervals=tuple(sorted(dict.fromkeys(self.intervals))),
            listed=(*sorted(self.listed.items()), *((b"", text) for text in self.exact)),
            unread="; ".join(dict.fromkeys(self.unread[:3])),
            conditions=about.conditions,
            module=about.module,
            silent=about.silent,
        )
