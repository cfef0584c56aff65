"""What a proposal is made from, as the caller sees it: the finding or the case, and the findings beside it.

Every part is read under the rights of whoever asked: what they may no longer see is not sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from clearway.access import audience
from clearway.access.marking import TLP
from clearway.records.errors import ConflictError, NotFoundError

from .. import kept as findings
from ..case import kept as cases
from ..dedup import edge, rekey
from ..intake import sealed
from .outgoing import MAX_PARTS, Part

if TYPE_CHECKING:
    import psycopg

    from clearway.access.marking import Tlp

    from ..case.kept import Case
    from ..intake.submit import Desk
    from ..kept import Finding
    from .kept import Proposal

    Connection = psycopg.Connection[Any]

OF_CASE = 5  # findings of a case that its summary is made from: those with the most evidence
MOST_BESIDE = MAX_PARTS - 1


class MadeOf(Struct, frozen=True, kw_only=True):
    """What parts are read from: a finding or a case, and the numbers of the findings beside it, in their order."""

    finding: int | None
    case_id: int | None
    given: tuple[int, ...]


def of_case(db: Connection, case: Case) -> list[Finding]:
    """The findings that a summary of the case is made from, the most proven first."""
    found = [findings.one(db, handling) for handling in cases.findings_of(db, case)]
    return sorted(found, key=lambda f: (-f.level, f.id))[:OF_CASE]


def candidates(db: Connection, finding: Finding) -> list[Finding]:
    """Findings that may be one flaw with it: of its product, not one with it already, those that share a key first."""
    group = set(edge.group_of(db, finding.id))
    close = [number for number, _ in rekey.alike(db, finding)]
    rows = db.execute(
        """select finding from clearway.finding where ecosystem = %s and package = %s and package <> ''
            and finding <> %s and live = %s and state not in ('withdrawn', 'closed')
        order by (cwe <> '' and cwe = %s) desc, finding desc limit 100""",
        (finding.ecosystem, finding.package, finding.id, finding.live, finding.cwe),
    )
    wanted = [n for n in dict.fromkeys([*close, *(row[0] for row in rows)]) if n not in group]
    return [findings.by_id(db, number) for number in wanted[:MOST_BESIDE]]


def parts(db: Connection, desk: Desk, found: Proposal | MadeOf) -> list[Part]:
    """The parts of a proposal, the one that it is about first.

    Raises:
        NotFoundError: it, or its key, is not here, or not for the caller.
        IntegrityError: what is kept is not what was sealed.
    """
    if found.finding is not None:
        first = of_finding(db, desk, findings.by_id(db, found.finding), "F1")
    else:
        first = outline_case(db, cases.by_id(db, found.case_id or 0))
    made = [first]
    for number, at in zip(found.given, range(2, MAX_PARTS + 1), strict=False):
        try:
            made.append(of_finding(db, desk, findings.by_id(db, number), f"F{at}"))
        except NotFoundError:
            continue  # withdrawn from the caller's sight meanwhile: its place stays empty
    return made


def outline_case(db: Connection, case: Case) -> Part:
    """A case as it could be sent."""
    return Part(
        ref="C1",
        tlp=_tlp(db, case.aud),
        public=case.released is not None,
        values={"title": case.title, "product": _product(case.ecosystem, case.package, "", case.purl)},
    )


def outline(db: Connection, finding: Finding, ref: str) -> Part:
    """A finding as it could be sent, without what is sealed."""
    return Part(
        ref=ref,
        tlp=_tlp(db, finding.aud),
        public=is_public(db, finding),
        values={
            "title": finding.title,
            "product": _product(finding.ecosystem, finding.package, finding.release, finding.purl),
            "place": finding.place,
            "class": finding.cwe,
            "severity": finding.severity,
        },
    )


def of_finding(db: Connection, desk: Desk, finding: Finding, ref: str) -> Part:
    """A finding as it could be sent. Its report is opened; that it was sent is the entry of the log."""
    found = outline(db, finding, ref)
    try:
        report = sealed.reread(db, desk, finding)
    except ConflictError:  # it came another way, without a document
        return found
    told = {"description": report.description, "reproduction": report.reproduction.steps}
    return replace(found, values={**found.values, **told})


def is_public(db: Connection, finding: Finding) -> bool:
    """Whether the embargo of its case has ended. What is in no case yet is not public."""
    if finding.case_id is None:
        return False
    try:
        return cases.by_id(db, finding.case_id).released is not None
    except NotFoundError:
        return False


def _tlp(db: Connection, aud: int) -> Tlp:
    """The marking of an audience; what has none that is known counts as RED."""
    label = audience.meaning(db, aud).label.removeprefix("TLP:")
    return next((tlp for tlp in TLP if tlp == label), "RED")


def _product(ecosystem: str, package: str, release: str, purl: str) -> str:
    return " ".join(filter(None, (ecosystem, package, release))) or purl
