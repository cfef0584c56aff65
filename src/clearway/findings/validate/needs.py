"""What a Python release says that it needs, against the wheels that lie beside it (core metadata, `Requires-Dist`).

Names alone are compared. A need whose environment marker does not hold here, or that belongs to an extra, is none
(the specification of dependency specifiers, PEP 508); a marker that can't be read is taken to hold.
"""

from __future__ import annotations

import re

from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName

from . import identity
from . import recipe as r
from .files import Files

_MOST = 1_000  # needs of a release
_MOST_TEXT = 4_000  # characters of one
_NAME = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)")


def lacking(target: r.Target, files: Files) -> int:
    """How many packages the release needs that none of its wheels is; 0 for what is no Python package, or says nothing.

    Raises:
        NotFoundError: a file is not there.
    """
    if not isinstance(target, r.PythonTarget):
        return 0
    there: set[str] = set()
    wanted: set[str] = set()
    for said in identity.metadata(target, files):
        name = identity.plain(said.get("name", [""])[0])
        there.add(name)
        if name == identity.plain(target.name):
            wanted |= {need for text in said.get("requires-dist", [])[:_MOST] if (need := needed(text))}
    return len(wanted - there)


def needed(text: str) -> str:
    """The package that a `Requires-Dist` asks for here, as PEP 503 spells it; "" for none."""
    named, _, marker = text[:_MOST_TEXT].partition(";")
    found = _NAME.match(named)
    if found is None or (marker.strip() and not holds(marker)):
        return ""
    return identity.plain(found[1])


def holds(marker: str) -> bool:
    """Whether an environment marker holds for the interpreter that proofs run under, without any extra."""
    try:
        return Marker(marker).evaluate({"extra": ""})
    except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName, RecursionError):
        return True
