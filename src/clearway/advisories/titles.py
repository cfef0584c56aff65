"""What a flaw is called: the title of a record about the flaw itself, before that of an update that mends it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearway.versions import scheme_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .table_flaws import Flaw, RecordNote

# Version orders of distributions: what speaks in them is an erratum ("Important: firefox security update").
_DISTRIBUTIONS = frozenset({"rpm", "dpkg", "apk"})
_OF_UPDATES = (False, 2)  # what ranks after this speaks of an update, or of several flaws


def title_of(flaw: Flaw, notes: Iterable[RecordNote]) -> str:
    """The title among `notes` that says what the flaw is; "" where no record has one.

    First that of a CVE record, then of GitHub's advisory, of the ecosystem's own database or the vendor, then its name
    in CISA's catalogue, and at last that of a distribution's erratum, which is called as the update. A record about
    several flaws comes after all of these that are about this one.
    """
    titled = sorted(
        (
            (_rank(n, bundles=(n.source, n.id) in flaw.bundled_by), n.title.strip())
            for n in notes
            if n.title.strip()
        ),
        key=lambda found: found[0],
    )
    named = flaw.kev.name.strip() if flaw.kev is not None else ""
    if named and (not titled or titled[0][0] > _OF_UPDATES):
        return named
    return titled[0][1] if titled else ""


def _rank(note: RecordNote, *, bundles: bool) -> tuple[bool, int]:
    if note.format == "cve":
        return bundles, 0
    if note.id.startswith("GHSA-"):
        return bundles, 1
    schemes = {scheme_of(e) for e, _ in note.packages}
    return bundles, 3 if schemes & _DISTRIBUTIONS else 2
