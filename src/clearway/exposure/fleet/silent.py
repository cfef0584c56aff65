"""One package that an asset's documents write in several ways, where one is silent on what another says: pure.

Tools leave out the architecture, or the source package that it was built from. Where nothing that both say differs,
the silent one means what the other names in full; where one says only the architecture and the other only the source,
the one that names the source, which is what records speak of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .version import key_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearway.records.inventory import Component

_Source = tuple[str, str]  # source package with its version; two empty texts: nothing is said
_Said = tuple[str, _Source]  # architecture, and source
_NONE: _Source = ("", "")


def pairs(components: Mapping[int, Component]) -> dict[int, int]:
    """Which of an asset's versions mean others, by number: silent -> the one that says more.

    Of several that differ in architecture alone the first by name is meant, for what is silent on it is matched as each
    of them is; where they name several source packages nobody knows which one, and the silent one stays by itself. What
    is meant is never silent itself, so the answer is the same in whichever order they came.
    """
    alike: dict[object, dict[_Said, int]] = {}
    for number, c in components.items():
        said = c.arch, (c.source_name, c.source_version)
        several = alike.setdefault(key_of(c, silent=True), {})
        several[said] = min(number, several.get(said, number))
    found: dict[int, int] = {}
    for several in alike.values():
        if len(several) > 1:
            means = _meant(several)
            found |= {several[said]: several[other] for said, other in means.items()}
    return found


def _meant(several: Mapping[_Said, int]) -> dict[_Said, _Said]:
    """As `pairs`, of one package: in time that grows with the number of ways in which it is written."""
    archs = {arch for arch, _ in several if arch}
    sources = {source for _, source in several if any(source)}
    of_arch: dict[str, list[_Said]] = {}
    first: dict[_Source, str] = {}  # the first architecture that a source is built for here
    for arch, source in several:
        if arch and any(source):
            of_arch.setdefault(arch, []).append((arch, source))
            first[source] = min(arch, first.get(source, arch))
    found: dict[_Said, _Said] = {}
    for said in several:
        arch, source = said
        if arch and any(source):
            continue
        if any(source):
            if source in first:
                found[said] = first[source], source
        elif arch:
            full = of_arch.get(arch, ())
            if len(full) == 1:
                found[said] = full[0]
            elif not full and archs == {arch} and len(sources) == 1:
                (only,) = sources
                found[said] = "", only
        elif len(sources) == 1:
            (only,) = sources
            found[said] = first.get(only, ""), only
        elif not sources:
            found[said] = min(archs), _NONE
    return found
