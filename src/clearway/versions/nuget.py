"""NuGet: one to four numbers, then SemVer identifiers that ignore case; metadata does not count."""

from __future__ import annotations

from .semver import semver_key


def nuget_key(version: str) -> bytes:
    """The key of a NuGet version (NuGet.Versioning, `VersionComparer.VersionRelease`)."""
    return semver_key(version.lower())
