"""One record's own word on one version, whatever others say: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearway.exposure import judge as judging
from clearway.records.errors import VersionUnreadableError
from clearway.versions import has_keys, key, scheme_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearway.advisories.table import Claim
    from clearway.records.inventory import Component

NEITHER, AFFECTED, UNKNOWN = 0, 1, 2


def word(ecosystem: str, name: str, claims: Sequence[Claim], component: Component) -> int:
    """What a record's claims on the package (`ecosystem`, `name`) say of `component`, which is looked up there."""
    version = version_at(component, ecosystem, name)
    stream = component.module_stream if name == component.name else ""
    own = "Go" if ecosystem == "go-folded" else ecosystem
    scheme = scheme_of(own)
    problem, position = "", None
    if not version:
        problem = "no version is given"
    elif has_keys(scheme):
        try:
            position = key(scheme, version)
        except VersionUnreadableError as error:
            problem = error.what
    said = [
        (c.module and judging.in_stream(c, name, version, stream))
        or judging.weigh(c, own, scheme, version, position, problem)
        for c in claims
    ]
    if position is not None and any(c.status != "affected" for c in claims):
        said = judging.exceptions(claims, said, position)
    if any(s.verdict == "affected" for s in said):
        return AFFECTED
    if problem:  # the component can't be judged at all, which is no word of this record's
        return NEITHER
    return UNKNOWN if any(s.verdict == "unknown" and s.basis != "unstated" for s in said) else NEITHER


def version_at(component: Component, ecosystem: str, name: str) -> str:
    """The version by which a component is looked up in a package: its source's, its commit, or its own."""
    if ecosystem == "commit":
        return component.commit.lower()
    by_source = name != component.name or scheme_of(ecosystem) in ("dpkg", "apk")
    if component.source_name and name == component.source_name and by_source:
        return component.source_version or component.version
    return component.version
