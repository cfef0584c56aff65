"""Whether what somebody looks for is public already, from the compiled table of public records alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from clearway.exposure.judge import claims, judge
from clearway.formats import purl
from clearway.records.ecosystem import normal_ecosystem, normal_name
from clearway.records.errors import InputError

if TYPE_CHECKING:
    from clearway.advisories.table import Table

    from .scope import Target

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._-]{2,99}")


class Public(Struct, frozen=True, kw_only=True):
    """A flaw that public records know of a package. `release` is how the asked one stands, "" when none was named."""

    flaw: str
    package: str
    release: Literal["", "affected", "fixed", "not_affected", "unknown"]
    fixed: tuple[str, ...] = ()
    records: tuple[str, ...] = ()


def look(table: Table, targets: Sequence[Target], about: str) -> Public | None:
    """What is public of the flaw `about` in one of the packages; None when no record speaks of it there.

    Raises:
        InputError: `about` is no identifier.
    """
    if not _ID.fullmatch(about):
        raise InputError("is no identifier of a flaw", where="about", mend="such as CVE-2026-1234")
    wanted = set(table.flaws_of(about)) or set(table.flaws_of(about.upper()))
    if not wanted:
        return None
    for target in targets:
        if target.text.startswith("pkg:"):
            found = _of_package(table, target, wanted)
            if found is not None:
                return found
    return None


def _of_package(table: Table, target: Target, wanted: set[str]) -> Public | None:
    ecosystem, name, version = purl.identity(purl.parse(target.text))
    ecosystem = normal_ecosystem(ecosystem)
    name = normal_name(ecosystem, name)
    spoken = [
        (claim, flaw)
        for claim in claims(table, ecosystem, name)
        for flaw in table.flaws_of(claim.record) or (claim.record,)
        if flaw in wanted
    ]
    if not spoken:
        return None
    records = tuple(dict.fromkeys(claim.record for claim, _ in spoken))
    fixed = tuple(
        dict.fromkeys(i[3] for claim, _ in spoken for i in claim.intervals if i[4] == "fixed" and i[3])
    )
    release: Literal["", "affected", "fixed", "not_affected", "unknown"] = ""
    if version:
        said = {s.verdict for s in judge(table, ecosystem, name, version).statements if s.record in records}
        release = "affected" if "affected" in said else "unknown" if "unknown" in said else (
            "fixed" if fixed else "not_affected"
        )  # fmt: skip
    return Public(flaw=spoken[0][1], package=name, release=release, fixed=fixed[:10], records=records[:10])
