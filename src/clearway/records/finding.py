"""What matching answers: verdicts, each with its reasons."""

from __future__ import annotations

from datetime import date
from typing import Literal

from msgspec import Struct

from .advisory import Kev, Ssvc
from .inventory import Component

Verdict = Literal["affected", "not_affected", "unknown"]
# How the match was made, strongest first. "possible" bases never yield `affected`.
Basis = Literal[
    "range",  # inside a range that the source states for this package
    "listed",  # enumerated by the source
    "vendor_range",  # a commercial product, through the reviewed vendor map
    "commit",  # a git commit or tag that the source lists
    "vex",  # a VEX statement decided
    "possible_cpe",  # bare CPE only
    "possible_name",  # vendor and product agree by text, not reviewed
    "generic_order",  # compared with the generic fallback order
    "unstated",  # the source names other versions and does not speak of this one
    "none",
]


class Statement(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One source's word on one component and flaw."""

    record: str  # the source's record id
    source: str
    verdict: Verdict
    basis: Basis = "none"
    reason: str = ""  # "3.1.5 is in [3.1.0, 3.1.6)"
    fixed: tuple[str, ...] = ()  # versions that this source says end the range this version is in
    conditions: tuple[str, ...] = ()


class Finding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One flaw in one component: one line, whatever the number of aliases and sources."""

    component: Component
    flaw: str  # preferred id: CVE, then GHSA, then the source's own
    verdict: Verdict
    basis: Basis = "none"
    ids: tuple[str, ...] = ()  # records that affirm
    aliases: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    statements: tuple[Statement, ...] = ()
    reasons: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    kev: Kev | None = None
    ssvc: Ssvc | None = None
    epss: float | None = None
    score: float | None = None
    # Filled in by a directive:
    directive: str = ""
    due: date | None = None
    tier: str = ""  # "3DF", "3D", "14D", "60D", "FSU", "out_of_scope", …
    due_basis: str = ""  # "published", "defaulted", "assumed_exposed", joined by "+"
    due_reasons: tuple[str, ...] = ()


class Unjudged(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A component about which no verdict can be given, and why."""

    component: Component
    reason: str  # "no source loaded for Debian:12", "version '(devel)' is not a Go version", …
