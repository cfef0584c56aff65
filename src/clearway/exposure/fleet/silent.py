"""One package that two witnesses of an asset show, where one is silent on what the other says: pure.

Tools leave out the architecture, or the source package that it was built from. Where nothing that both say differs,
the silent one means what the other names in full.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .version import key_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearway.records.inventory import Component

_Said = tuple[str, tuple[str, str]]  # architecture, and source package with its version


def pairs(components: Mapping[int, Component]) -> dict[int, int]:
    """Which of an asset's versions mean others, by number: silent -> the one that says more.

    Of several that differ in architecture alone the first by name is meant, for what is silent on it is matched as each
    of them is; where they name several source packages nobody knows which one, and the silent one stays by itself. What
    is meant is never silent itself, so the answer is the same in whichever order they came.
    """
    alike: dict[object, list[tuple[_Said, int]]] = {}
    for number, c in components.items():
        said = c.arch, (c.source_name, c.source_version)
        alike.setdefault(key_of(c, silent=True), []).append((said, number))
    found: dict[int, int] = {}
    for several in alike.values():
        for said, number in several:
            richer = [(s, n) for s, n in several if _says_more(s, said)]
            full = [(s, n) for s, n in richer if not any(_says_more(other, s) for other, _ in richer)]
            if full and len({source for (_, source), _ in full}) == 1:
                found[number] = min(full)[1]
    return found


def _says_more(one: _Said, other: _Said) -> bool:
    """Whether `one` says all that `other` does, and more."""
    return one != other and (not other[0] or one[0] == other[0]) and (not any(other[1]) or one[1] == other[1])
