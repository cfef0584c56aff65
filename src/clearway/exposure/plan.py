"""From findings to acts: one upgrade of one component usually ends many flaws."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from msgspec import Struct

from clearway.records.errors import ClearwayError
from clearway.records.inventory import Component
from clearway.versions import compare, scheme_of

from .fixes import early_version, offered

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clearway.records.finding import Finding


class Upgrade(Struct, frozen=True):
    """One component: what ends its flaws. `to` "" when no flaw has a known fix; `due` is the earliest.

    `prerelease`: `to` is one, because no source names a release that ends a flaw.
    """

    component: Component
    due: date | None
    tier: str
    flaws: int
    to: str
    without_fix: int
    prerelease: bool = False


def upgrades(findings: Iterable[Finding]) -> list[Upgrade]:
    """An upgrade for each affected component, in the order in which the components come."""
    grouped: dict[tuple[str, str, str, str, str], list[Finding]] = {}
    for finding in findings:
        c = finding.component
        grouped.setdefault((c.ecosystem, c.vendor, c.name, c.version, c.host), []).append(finding)
    return [_upgrade(group) for group in grouped.values()]


def _upgrade(group: Sequence[Finding]) -> Upgrade:
    first = group[0]
    ecosystem = first.component.ecosystem
    to = least_that_ends(ecosystem, (f.fixed for f in group))
    return Upgrade(
        component=first.component,
        due=first.due,
        tier=first.tier,
        flaws=len(group),
        to=to,
        without_fix=sum(not f.fixed for f in group),
        prerelease=early_version(ecosystem, to),
    )


def least_that_ends(ecosystem: str, fixes: Iterable[Sequence[str]]) -> str:
    """The greatest of the least fixes, one for each flaw; "" when none has any. Releases where there are some."""
    scheme = scheme_of(ecosystem)
    ends = (lowest(scheme, offered(ecosystem, fixed).versions) for fixed in fixes)
    return highest(scheme, [least for least in ends if least])


def highest(scheme: str, versions: Sequence[str]) -> str:
    """The greatest version; "" of none. One that can't be ordered is passed over for one that can."""
    return _extreme(scheme, versions, 1)


def lowest(scheme: str, versions: Sequence[str]) -> str:
    """The least version; "" of none."""
    return _extreme(scheme, versions, -1)


def _extreme(scheme: str, versions: Sequence[str], sign: int) -> str:
    best = ""
    for version in versions:
        if not best:
            best = version
            continue
        try:
            if compare(scheme, version, best) * sign > 0:
                best = version
        except ClearwayError:
            continue
    return best
