"""What a flaw is called: the title of a record about the flaw itself, before that of an update that mends it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearway.versions import scheme_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .table_flaws import Flaw, RecordNote

# Version orders of distributions: what speaks in them is an erratum ("Important: firefox security update").
_DISTRIBUTIONS = frozenset({"rpm", "dpkg", "apk"})
_NOT_A_PACKAGE = frozenset({"vendor", "vendor-unreviewed", "cpe", "git", "commit", "go-folded"})


def title_of(flaw: Flaw, notes: Iterable[RecordNote]) -> str:
    """The title among `notes` that says what the flaw is; "" where no record has one.

    First that of a CVE record, then of GitHub's advisory, of the ecosystem's own database or the vendor, and of a
    distribution's erratum. A record about several flaws comes after all that are about this one.
    """
    titled = [n for n in notes if n.title.strip()]
    best = min(titled, key=lambda n: _rank(n, bundles=(n.source, n.id) in flaw.bundled_by), default=None)
    return best.title.strip() if best is not None else ""


def _rank(note: RecordNote, *, bundles: bool) -> tuple[bool, int]:
    if note.format == "cve":
        return bundles, 0
    if note.id.startswith("GHSA-"):
        return bundles, 1
    schemes = {scheme_of(e) for e, _ in note.packages if e not in _NOT_A_PACKAGE}
    return bundles, 3 if schemes & _DISTRIBUTIONS else 2
