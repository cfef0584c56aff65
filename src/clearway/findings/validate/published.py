"""Whether a recipe's releases agree with what is published of its flaw: OSV and CVE records, read as plain JSON. Pure.

The recipe says "this release has it, that one has not"; so does each record that names the flaw, by ranges and lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from clearway.records.advisory import Event
from clearway.versions import intervals, scheme_of
from clearway.versions.ranges import contains

from . import identity
from .recipe import PythonTarget, Recipe, Target

# Where a record names the packages of a target, whose versions are then in that order. Bitnami's and the CVE List's
# names and versions are upstream's; a record is looked at for its id, never for its name.
_PYTHON = ("PyPI", "Bitnami", "CVE")
_C = ("Debian",)  # of a fix that is Debian's
_BOUND = re.compile(r"(<=|<|>=)\s*([\w.+-]+)")


def names(record: Mapping[str, Any], recipe: Recipe) -> bool:
    """Whether a record is about one of the recipe's flaws, by id or alias."""
    return bool({record.get("id"), *record.get("aliases", ())} & set(recipe.ids))


def disagreements(recipe: Recipe, records: Iterable[Mapping[str, Any]]) -> tuple[int, list[str]]:
    """How many records name the flaw for the recipe's package, and in which of them a release is said otherwise.

    A program in C is held against Debian's records, by its version there: upstream's release comes before each of
    Debian's of it, and one without some of its patches before it (deb-version(7)).
    """
    count, against = 0, []
    for record in records:
        if not names(record, recipe):
            continue
        said = [a for a in record.get("affected", ()) if _same(a.get("package", {}), recipe.target)]
        if not said:
            continue
        count += 1
        for target, expected in ((recipe.target, True), (recipe.patched, False)):
            if target is None:
                continue
            if any(_covers(a, target) for a in said) is not expected:
                word = "not affected" if expected else "affected"
                against.append(f"{record['id']}: {target.name} {target.version} is {word}")
    return count, against


def of_cve(record: Mapping[str, Any]) -> dict[str, Any]:
    """A CVE record (JSON 5) in the shape of an OSV record, with what its ranges say; "n/a" says nothing."""
    affected = []
    for one in record.get("containers", {}).get("cna", {}).get("affected", ()):
        ranges = [r for version in one.get("versions", ()) if (r := _events(version))]
        if ranges:
            name = str(one.get("product", "")).rpartition("/")[2]
            affected.append({"package": {"ecosystem": "CVE", "name": name}, "ranges": ranges})
    return {"id": record.get("cveMetadata", {}).get("cveId", ""), "affected": affected}


def _events(version: Mapping[str, Any]) -> dict[str, Any] | None:
    """A range of a CVE record: `version` to `lessThan`, or both as ">= 4.4.0, < 4.66.3" in `version`."""
    if version.get("status") != "affected":
        return None
    start, bounds = str(version.get("version", "")), {}
    for sign, at in _BOUND.findall(start):
        bounds[sign] = at
    if not bounds:
        bounds = {">=": start, "<": version.get("lessThan", ""), "<=": version.get("lessThanOrEqual", "")}
    end = {"fixed": bounds["<"]} if bounds.get("<") else {"last_affected": bounds.get("<=")}
    if not next(iter(end.values())):
        return None
    first = bounds.get(">=", "0")
    first = first if re.match(r"\d", first) else "0"
    return {"type": "ECOSYSTEM", "events": [{"introduced": first}, end]}


def _same(package: Mapping[str, Any], target: Target) -> bool:
    places, at = (_PYTHON, "PyPI") if isinstance(target, PythonTarget) else (_C, "Debian")
    place = str(package.get("ecosystem", "")).partition(":")[0]
    return place in places and identity.same_package(at, str(package.get("name", "")), target.name)


def _covers(affected: Mapping[str, Any], target: Target) -> bool:
    scheme = scheme_of("PyPI" if isinstance(target, PythonTarget) else "Debian")
    version = identity.base(target.version)
    if version != target.version:  # patches are left out: it comes before the release that has them
        version += "~"
    for one in affected.get("ranges", ()):
        if one.get("type") not in ("ECOSYSTEM", "SEMVER"):
            continue
        events = [Event(kind=kind, version=at) for event in one["events"] for kind, at in event.items()]
        if contains(scheme, version, intervals(scheme, events)) is not None:
            return True
    return version in affected.get("versions", ())
