"""What one source says: an advisory, and the facts that sources publish about flaws.

A record here is one source's statement, as it was made. Nothing is merged and
nothing is filled in: what the clearinghouse believes is derived elsewhere.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from msgspec import Struct

EventKind = Literal["introduced", "fixed", "last_affected", "limit"]
RangeType = Literal["SEMVER", "ECOSYSTEM", "GIT", "VENDOR", "CPE"]
Status = Literal["affected", "not_affected", "under_investigation", "fixed"]


class Event(Struct, frozen=True):
    """One point of a version range (OSV schema, `affected[].ranges[].events`).

    `introduced` "0" means before every version, not the version 0.
    """

    kind: EventKind
    version: str


class Range(Struct, frozen=True, kw_only=True):
    """A list of events in the order in which the source gave them.

    `type` is OSV's SEMVER, ECOSYSTEM or GIT; VENDOR for a CVE `affected` entry
    or a CSAF product tree (the version order is the vendor's own); CPE for an
    NVD-style configuration. `scheme` is the source's own word for the version
    order ("semver", "custom", "rpm", …), "" when it gives none.
    """

    type: RangeType
    events: tuple[Event, ...]
    repo: str = ""
    scheme: str = ""


class Affected(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One product of an advisory, and which of its versions the source means.

    Exactly one identity is set: (`ecosystem`, `name`) for a package as its
    ecosystem spells it, (`vendor`, `product`) for a commercial product, or
    neither, for a repository named in a GIT range or for a bare CPE.
    """

    ecosystem: str = ""  # OSV spelling, with release suffix: "PyPI", "AlmaLinux:8"
    name: str = ""
    vendor: str = ""
    product: str = ""
    purl: str = ""
    status: Status = "affected"
    ranges: tuple[Range, ...] = ()
    versions: tuple[str, ...] = ()  # enumerated by the source, exact
    cpes: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()  # "os=windows", "informational=notice": narrows, never widens
    remediation: str = ""  # the source's own category: "vendor_fix", "none_available", …
    source: str = ""  # who says so, where a record carries several voices: "cve:cisa-adp"
    # What the source says of versions that it names nowhere (CVE `defaultStatus`, CSAF has none):
    # "affected", "not_affected", "unknown", "" when it says nothing. `ranges` already include "affected".
    default: str = ""
    # Version statements that `ranges` and `versions` can't carry in full, as text. While there is one, a version
    # outside them is unknown, not unaffected.
    unread: tuple[str, ...] = ()


class Score(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A severity as a source gave it. `system` is CVSS_V2, CVSS_V3, CVSS_V4 or the source's word."""

    system: str
    vector: str = ""
    score: float | None = None  # 0.0..10.0
    rating: str = ""  # "HIGH", or a distribution's own word
    source: str = ""
    dated: str = ""  # ISO date or timestamp, "" when the source gives none


class Ssvc(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """CISA's SSVC decision points for one CVE, lower-cased; "" when absent.

    exploitation: none, poc, active. automatable: no, yes. technical_impact: partial, total.
    """

    cve: str
    exploitation: str = ""
    automatable: str = ""
    technical_impact: str = ""
    dated: str = ""  # timestamp of the decision
    source: str = ""
    role: str = ""
    version: str = ""


class Kev(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of CISA's Known Exploited Vulnerabilities catalogue."""

    cve: str
    date_added: date
    due_date: date | None = None
    vendor: str = ""
    product: str = ""
    name: str = ""
    ransomware: str = ""  # "Known", "Unknown", as printed
    required_action: str = ""
    notes: str = ""
    cwes: tuple[str, ...] = ()
    catalogue: str = ""  # catalogVersion; "" when the entry came from a CVE record's ADP container
    source: str = ""


class Epss(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """FIRST's exploit prediction: probability of exploitation activity in the next 30 days."""

    cve: str
    probability: float
    percentile: float | None = None
    dated: str = ""  # ISO date of the score
    model: str = ""


class Advisory(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One record of one source.

    `source` names who speaks ("pypa", "almalinux", "cve:redhat", "csaf:cisa.gov");
    `id` is the source's own. Relations are kept by their kind, unread:
    `aliases` claim the same flaw, `related` and `upstream` do not.
    """

    id: str
    source: str
    format: str  # "osv", "cve", "csaf", "nvd-cpe"
    aliases: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    upstream: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()  # records this one says it repeats
    title: str = ""
    published: datetime | None = None
    modified: datetime | None = None
    withdrawn: datetime | None = None
    rejected: bool = False  # CVE state REJECTED
    disputes: tuple[tuple[str, str], ...] = ()  # (who disputes the record, and why: "" where it does not say)
    affected: tuple[Affected, ...] = ()
    scores: tuple[Score, ...] = ()
    ssvc: tuple[Ssvc, ...] = ()
    kev: tuple[Kev, ...] = ()
    references: tuple[str, ...] = ()
    tlp: str = "CLEAR"  # TLP 2.0 label; WHITE reads as CLEAR
    licence: str = ""
    notes: tuple[str, ...] = ()  # what of the record is not believed, and why
