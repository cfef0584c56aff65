"""A case as those who may see it are shown it: its three machines, the status matrix, what is open, what was done."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from clearway.access import embargo

from . import assets, draft, escalate, handed, kept, mail, party, states, talk, thread
from .draft import Version
from .kept import Acted
from .talk import Proposal
from .thread import Thread

if TYPE_CHECKING:
    import psycopg

    from clearway.records.principal import Principal

    from ..vault import Vault
    from .kept import Case

    Connection = psycopg.Connection[Any]


class Line(Struct, frozen=True, kw_only=True):
    """One line of the status matrix. `may` are the acts open to the caller, `due` the escalation's step that is due."""

    id: int
    role: str
    organisation: str
    name: str
    by_mail: bool
    report: str
    vendor: str
    answer: str
    answer_why: str
    waits: str
    asked: datetime | None
    answered: datetime | None
    step: str
    due: str
    stopped: bool
    mine: bool
    may: tuple[str, ...]
    unread: bool = False  # it was told of the flaw, and there is nothing that it may read of it
    letter: str = ""  # the newest, for the desk: "waits", or "failed: " and why; "" once it was sent


class AssetLine(Struct, frozen=True, kw_only=True):
    """One of the reader's assets with a component that the case is about; `unknown` where that can't be told yet."""

    exposure: int
    asset: int
    asset_name: str
    component: str
    version: str
    verdict: str
    status: str
    due: date | None


class CaseView(Struct, frozen=True, kw_only=True):
    """One case. `ends` is when the embargo was armed to end, `until` when it was agreed to, `ended` when it has;
    `released` when the case has followed it, `published` when its documents were there. `listed`: its id, where a
    catalogue of exploited vulnerabilities had that before it was noted or the embargo armed. `desk`: whether the caller
    acts in it for the clearinghouse that keeps it."""

    handling: str
    title: str
    ecosystem: str
    package: str
    purl: str
    embargo: str
    public: str
    until: datetime | None
    zone: str
    ends: datetime | None
    ended: datetime | None
    on_exploitation: bool
    frozen: str
    listed: tuple[str, ...]
    unviable: str
    orphan: str
    cve: str
    cve_state: str
    cve_problem: str  # what the numbering authority said against it, for the desk
    released: datetime | None
    published: datetime | None
    closed: datetime | None
    opened: datetime
    changed: datetime
    desk: bool
    findings: tuple[str, ...]
    assets: tuple[AssetLine, ...]  # of the reader's own fleet
    more_assets: bool
    parties: tuple[Line, ...]
    proposal: Proposal | None
    threads: tuple[Thread, ...]
    drafts: tuple[Version, ...]
    history: tuple[Acted, ...]
    version: int


def speaks_as(me: Principal, case_parties: list[party.Party], only: int | None = None) -> party.Party | None:
    """The party in whose name the caller speaks: the first that is one of its organisations.

    `only`: in a thread with that party, that one where it is one of them; an organisation may be vendor and reporter.
    """
    vendors, reporters = me.orgs("maintain") + me.orgs("coordinate"), me.orgs("submit")
    mine = [
        p
        for p in case_parties
        # An operator is told, and negotiates nothing.
        if p.role != "operator" and p.member in (vendors if p.role in party.VENDORS else reporters)
    ]
    return next((p for p in mine if p.id == only), mine[0] if mine else None)


def view(db: Connection, vault: Vault, case: Case, me: Principal, now: datetime) -> CaseView:
    """`case` as far as the caller may see it."""
    held = embargo.one(db, case.embargo)
    desk = kept.keeps(db, case)
    letters = mail.letters_of(db, case) if desk else {}
    same = {
        n: getattr(case, n)
        for n in CaseView.__struct_fields__
        if n in case.__struct_fields__ and n not in ("embargo", "cve_problem")
    }
    touched, more = assets.listed(db, case)
    mine = {m.org for m in me.memberships}
    threads, drafts = tuple(thread.listed(db, case)), tuple(draft.listed(db, case))
    return CaseView(
        **same,
        assets=tuple(AssetLine(component=x.name, **{n: getattr(x, n) for n in _OF_LINE}) for x in touched),
        more_assets=more,
        embargo=case.em,
        public=case.pxa,
        cve_problem=case.cve_problem if desk else "",
        ends=held.until,
        ended=held.ended_at,
        listed=held.listed,
        on_exploitation=held.on_exploitation,
        frozen=held.frozen,
        unviable=states.unviable(case.pxa) if case.em not in ("exited",) else "",
        desk=desk,
        findings=tuple(kept.findings_of(db, case)),
        parties=tuple(
            replace(
                _line(p, p.reasons(vault, case), me, now, desk=desk, letter=letters.get(p.id, "")),
                unread=handed.nothing_for(p, threads, drafts) and (desk or p.member in mine),
            )
            for p in party.listed(db, case)
        ),
        proposal=talk.shown(db, vault, case),
        threads=tuple(thread.titled(vault, case, t) for t in threads),
        drafts=drafts,
        history=tuple(kept.history(db, vault, case)),
    )


_OF_LINE = tuple(n for n in AssetLine.__struct_fields__ if n != "component")


def _line(one: party.Party, why: str, me: Principal, now: datetime, *, desk: bool, letter: str) -> Line:
    mine = speaks_as(me, [one]) is not None
    may: tuple[str, ...] = ()
    if (desk or mine) and one.role in party.VENDORS:
        who: states.Who = "desk" if desk else "vendor"
        may = states.allowed("report", one.rm, who) + states.allowed("vendor", one.vfd, who)
        if one.rm in ("received", "invalid"):
            may = ("accept", *may)
        may = tuple(a for a in may if a != "notify")
    return Line(
        id=one.id,
        role=one.role,
        organisation=one.organisation,
        name=one.name,
        by_mail=one.by_mail,
        report=one.rm,
        vendor=one.vfd,
        answer=one.answer,
        answer_why=why,
        waits=one.waits,
        asked=one.asked,
        answered=one.answered,
        step=one.step,
        due=escalate.due(one.standing, now) if desk else "",
        letter=letter,
        stopped=one.stopped is not None,
        mine=mine,
        may=may,
    )
