"""Which of the versions that sources call fixed are offered as the fix. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from clearway.versions import scheme_of

if TYPE_CHECKING:
    from collections.abc import Iterable


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


def early_version(ecosystem: str, version: str) -> bool:
    """Whether a version is a pre-release by the rules of its ecosystem."""
    if version.replace(".", "").isdecimal():  # by far the most
        return False
    from clearway.versions.prerelease import is_prerelease

    return is_prerelease(scheme_of(ecosystem), version)
