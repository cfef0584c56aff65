"""VEX: a party's statement whether a flaw in a component affects a product."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

VexStatus = Literal["not_affected", "affected", "fixed", "under_investigation"]


class VexProduct(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a statement is about: a product, and optionally parts inside it.

    Identifiers are purls, CPEs, IRIs or hashes, as written. Without `subcomponents`
    the statement is about the product itself.
    """

    identifiers: tuple[str, ...]
    subcomponents: tuple[str, ...] = ()
    version_range: str = ""  # a `vers:` range, where the source gives one


class VexStatement(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One statement. `products` empty means that the statement names nothing and suppresses nothing."""

    flaws: tuple[str, ...]  # the id and its aliases
    products: tuple[VexProduct, ...]
    status: VexStatus
    justification: str = ""
    impact: str = ""
    action: str = ""
    timestamp: datetime | None = None
    expires: datetime | None = None


class VexDocument(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A document of statements by one author."""

    id: str
    source: str
    format: str  # "openvex", "csaf-vex", "cyclonedx-vex"
    author: str = ""
    version: str = ""
    timestamp: datetime | None = None
    updated: datetime | None = None
    statements: tuple[VexStatement, ...] = ()
    tlp: str = "CLEAR"
