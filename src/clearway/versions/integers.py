"""Lists of integers: CRAN and Bioconductor, Hackage and GHC. Longer is higher: 1.0 < 1.0.0."""

from __future__ import annotations

import re

from ._encode import INTEGER, unreadable

_END = "\x01"

_CRAN = re.compile(r"[0-9]+(?:[.-][0-9]+)*", re.ASCII)  # R, `package_version`
_HACKAGE = re.compile(r"[0-9]+(?:\.[0-9]+)*", re.ASCII)  # Cabal, `Distribution.Types.Version`


def cran_key(version: str) -> bytes:
    """The key of an R package version; `.` and `-` separate alike."""
    if _CRAN.fullmatch(version) is None:
        unreadable(version, "is not an R package version")
    return ("".join([INTEGER[part] for part in version.replace("-", ".").split(".")]) + _END).encode()


def hackage_key(version: str) -> bytes:
    """The key of a Haskell package or GHC version."""
    if _HACKAGE.fullmatch(version) is None:
        unreadable(version, "is not a Haskell package version")
    return ("".join([INTEGER[part] for part in version.split(".")]) + _END).encode()
