"""Which of the versions that sources call fixed are offered as the fix. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from clearway.versions import scheme_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clearway.advisories.table import IntervalTuple


class Offer(Struct, frozen=True):
    """Versions that are offered, in the order of the sources. `prerelease`: all are, for want of a release."""

    versions: tuple[str, ...] = ()
    prerelease: bool = False


def offered(ecosystem: str, fixed: Iterable[str]) -> Offer:
    """The releases among `fixed`; where there is none, its pre-releases, and the offer says so.

    What a source says is not changed by this: its own words stand in its statement.
    """
    versions = tuple(dict.fromkeys(fixed))
    early = [early_version(ecosystem, version) for version in versions]
    if not any(early):
        return Offer(versions)
    releases = tuple(v for v, is_early in zip(versions, early, strict=True) if not is_early)
    return Offer(releases) if releases else Offer(versions, True)


def release_after(
    ecosystem: str, holding: IntervalTuple, intervals: Iterable[IntervalTuple]
) -> tuple[str, ...]:
    """What a record says ends a flaw in the range `holding`: its end, and the next end that is a release.

    A record may tell of the pre-releases of a fix as ranges of their own: 0 to 2.0b1, then 2.0b2 to 2.0.1. Who runs
    1.0 is not sent to 2.0b1 where the same record names 2.0.1. Only an end that none of its ranges holds counts.
    """
    _, hi, _, end, kind = holding
    if kind != "fixed":
        return ()
    if not early_version(ecosystem, end):
        return (end,)
    ranges = [*intervals]
    later = [
        (at, text)
        for lo, at, _, text, what in ranges
        if what == "fixed"
        and lo >= hi
        and not early_version(ecosystem, text)
        and not any(below <= at < above for below, above, *_ in ranges)
    ]
    return (end, min(later)[1]) if later else (end,)


def early_version(ecosystem: str, version: str) -> bool:
    """Whether a version is a pre-release by the rules of its ecosystem."""
    if version.replace(".", "").isdecimal():  # by far the most
        return False
    from clearway.versions.prerelease import is_prerelease

    return is_prerelease(scheme_of(ecosystem), version)
