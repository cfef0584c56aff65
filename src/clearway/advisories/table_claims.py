"""What the table holds of packages and products: each source's claims on their versions, and VEX statements."""

from __future__ import annotations

from zlib import crc32

from msgspec import Struct

IntervalTuple = tuple[bytes, bytes, str, str, str]  # lo, hi, introduced, end, kind of end


class Claim(Struct, frozen=True, array_like=True):
    """One record's word on one package: `lo <= key < hi` is inside an interval.

    `status` is "affected" or "not_affected": the second is a source clearing versions.
    `listed` are enumerated versions outside the intervals, as (key, text); the key is empty for a
    text without order. `unread` says what of the statement could not be ordered or read; it makes
    a version that nothing else settles *unknown*. `silent` when the source does not speak of the
    versions it does not name (CVE `defaultStatus` unknown): those below its lowest range are then
    unknown, those past a stated end are what it calls fixed. For a scheme without keys lo and hi
    are empty and the texts rule.
    """

    record: str
    source: str
    status: str
    scheme: str
    intervals: tuple[IntervalTuple, ...] = ()
    listed: tuple[tuple[bytes, str], ...] = ()
    unread: str = ""
    conditions: tuple[str, ...] = ()
    module: str = ""  # rpm, built in a module: its stream ("nodejs:18"), or ".module_el8" when none is told
    silent: bool = False


class VexClaim(Struct, frozen=True, array_like=True):
    """One VEX statement, indexed by the product it names."""

    flaws: tuple[str, ...]
    status: str
    product: str  # purl as written
    subcomponents: tuple[str, ...]
    justification: str
    document: str
    source: str
    timestamp: str
    expires: str
    impact: str = ""


def place_of(key: str) -> int:
    """Where a package's row stands in order: the crc32 of its key."""
    return crc32(key.encode("utf-8", "surrogatepass"))


def package_key(ecosystem: str, name: str) -> str:
    """The key of a package row."""
    return f"{ecosystem}\0{name}"


def product_key(purl: str) -> str:
    """`type/namespace/name` of a purl, without version and qualifiers; "" for anything else."""
    if not purl.startswith("pkg:"):
        return ""
    rest = purl[4:].lstrip("/").partition("#")[0].partition("?")[0]
    at = rest.rfind("@")
    return (rest[:at] if at > rest.rfind("/") else rest).lower()
