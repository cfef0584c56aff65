"""Exposures whose directive asks to look for traces first, and how far the workbooks about them are."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway.directives.component import package_of
from clearway.directives.kept import triages
from clearway.directives.kept.who import now
from clearway.directives.triage_flags import volatile

from . import patched
from .shown import REPORTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

_MOST = 200


class Trace(Struct, frozen=True, kw_only=True):
    """One exposure that asks for a forensic triage. `book` is the number of the newest workbook about it, 0 for none.

    `evidence`: that workbook has volatile evidence. `component` is the name that a workbook takes. `reporter` is the
    tool that says so where it names no package, "" where one is named.
    """

    exposure: int
    org: str  # its short name
    asset: int
    asset_name: str
    flaw: str
    component: str
    kev: date | None
    directive: str
    book: int = 0
    evidence: bool = False
    reporter: str = ""

    @property
    def package(self) -> str:
        """The component as people read it, "" where no package is named."""
        return "" if self.reporter else package_of(self.component, self.flaw)


class Traces(Struct, frozen=True):
    """How many exposures ask for it, and the first 200 of them. `directive` is the one that asks, "" for none."""

    total: int = 0
    items: tuple[Trace, ...] = ()

    @property
    def directive(self) -> str:
        return self.items[0].directive if self.items else ""

    @property
    def bare(self) -> int:
        """How many have no volatile evidence: what is past the first 200 counts as such."""
        return self.total - sum(item.evidence for item in self.items)


def traces(db: psycopg.Connection[Any], exposures: Sequence[int]) -> Traces:
    """Those of these exposures that ask for a forensic triage, and are there."""
    rows = db.execute(
        """select e.exposure, e.asset, a.name, f.id, v.purl, v.ecosystem, v.name, v.version, f.kev, c.directive,
            o.slug, case when v.ecosystem = %s then (
                select i.witness from clearway.held h join clearway.inventory i on i.asset = h.asset and i.current
                where h.asset = e.asset and h.pv = e.pv and h.seen >> i.slot & 1 = 1 order by i.slot limit 1) end,
            count(*) over ()
        from clearway.exposure e join clearway.clock c on c.clock = e.clock and c.forensic
        join clearway.asset a on a.asset = e.asset join clearway.flaw f on f.flaw = e.flaw
        join clearway.package_version v on v.pv = e.pv join clearway.organisation o on o.org = e.org
        where e.exposure = any(%s) and e.gone is null order by e.exposure limit %s""",
        (REPORTED, list(exposures), _MOST),
    ).fetchall()
    if not rows:
        return Traces()
    books: dict[tuple[str, str, str], triages.Triage] = {}
    for kept in triages.about(db, (row[1] for row in rows), now=now(db)):
        subject = kept.book.subject
        books.setdefault((subject.asset, subject.flaw, subject.component), kept)
    items = []
    for (
        exposure,
        asset,
        name,
        flaw,
        purl,
        ecosystem,
        package,
        version,
        kev,
        directive,
        org,
        witness,
        _,
    ) in rows:
        named = patched.names(purl, ecosystem, package, version)
        book = next((b for n in named if (b := books.get((f"asset/{asset}", flaw, n))) is not None), None)
        items.append(
            Trace(
                exposure=exposure, org=org, asset=asset, asset_name=name, flaw=flaw, component=purl or named[1],
                kev=kev, directive=directive, book=book.id if book else 0,
                evidence=book is not None and bool(volatile(book.book)),
                reporter=(witness or "a scanner") if ecosystem == REPORTED and package == flaw else "",
            )
        )  # fmt: skip
    return Traces(rows[0][-1], tuple(items))
