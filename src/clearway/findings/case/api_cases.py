"""Routes of cases: the queue, opening, the parties and their acts, the embargo's talk, threads."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Struct

from clearway.access.reading import as_file, audiences, reading
from clearway.http import etag
from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.acts import done_once
from clearway.http.filters import flag, text
from clearway.http.idempotency import Made
from clearway.http.listing import Listing, paths
from clearway.http.openapi import READ, WRITE, gives
from clearway.store.keyset import Column, Source

from .. import kept as findings
from ..named import CaseText, HandlingText
from . import handed, kept, party, talk, thread, triage
from .api_shapes import (
    Decided,
    Desk,
    NewCase,
    NewContact,
    NewMessage,
    NewParty,
    NewProposal,
    NewThread,
    Numbered,
    PartyAct,
    Queue,
    QueueLine,
    Removed,
    Said,
    Talk,
)
from .at_desk import now, seen, told, vault_of
from .view import CaseView, speaks_as

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

    from clearway.http.acts import Db
    from clearway.records.principal import Principal

    from ..vault import Vault
    from .kept import Case

_R = Request[Any, Any, Any]
Before = Annotated[int, QueryParameter(ge=0, le=2**53, description="messages before that one; 0: the newest")]


class CaseLine(Struct, frozen=True, kw_only=True):
    """One case in the list."""

    handling: str
    title: str
    ecosystem: str
    package: str
    embargo: str
    public: str
    until: datetime | None
    cve: str
    published: datetime | None
    closed: datetime | None
    opened: datetime
    changed: datetime


CASES = Listing(
    "cases",
    CaseLine,
    Source(
        "c.handling, c.title, c.ecosystem, c.package, c.em as embargo, c.pxa as public, c.until, c.cve, c.published, "
        "c.closed, c.opened, c.changed",
        "clearway.desk_case c",
    ),
    sorts={
        "opened": Column("c.opened", "timestamptz"),
        "changed": Column("c.changed", "timestamptz"),
        "until": Column("coalesce(c.until, 'infinity')", "timestamptz"),
    },
    tie=Column("c.case_id", "bigint"),
    aud="c.aud",
    default="until",
    filters={
        "embargo": text("c.em = any(%s)"),
        "package": text("c.package = any(%s)"),
        "cve": text("c.cve = any(%s)"),
        "closed": flag("(c.closed is not null) = any(%s)"),
        "published": flag("(c.published is not null) = any(%s)"),
    },
)


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(
        paths("/cases"),
        opt=SIGNED_IN,
        sync_to_thread=True,
        operation_class=CASES.operation,
        summary="Cases",
        responses=CASES.responses,
    )
    def listed(request: _R) -> Response[bytes]:
        """Those that the caller is a party to; for coordinators all."""
        return as_file(request, CASES)

    @get(
        "/cases/triage", opt=needs("coordinate"), sync_to_thread=True, summary="The triage queue",
        responses=gives(Queue, *READ),
    )  # fmt: skip
    def queue(request: _R) -> Response[bytes]:
        """Findings in no case, ranked, each with the reasons for its place."""
        with reading(request) as (db, me, note):
            found = Queue(waiting=triage.queue(db, now()), total=triage.waiting(db))
            note.listed("triage", "", findings.audiences(db, (one.handling for one in found.waiting)))
        return etag.response(request, msgspec.json.encode(found), me, "application/json")

    @get(
        "/cases/mine", opt=needs("maintain"), sync_to_thread=True, summary="A maintainer's queue",
        responses=gives(Desk, *READ),
    )  # fmt: skip
    def mine(request: _R) -> Response[bytes]:
        """Reports that wait for the caller's organisations to act, the oldest first."""
        with reading(request) as (db, me, note):
            found = party.queue_of(db, me.orgs("maintain"))
            note.listed("cases-mine", "", audiences(db, "case_party", "party", (q.party.id for q in found)))
            lines = [
                QueueLine(
                    case=q.case, party=q.party.id, product=q.party.product, report=q.party.rm,
                    vendor=q.party.vfd, answer=q.party.answer, asked=q.party.asked,
                )
                for q in found
            ]  # fmt: skip
        return etag.response(request, msgspec.json.encode(Desk(waiting=lines)), me, "application/json")

    @post(
        "/cases", opt=needs("coordinate"), sync_to_thread=True, summary="Open a case",
        responses=gives(CaseView, *WRITE, status=201),
    )  # fmt: skip
    def add(request: _R, data: JSONBody[NewCase]) -> Response[bytes]:
        """From findings; an embargo of its own holds from now on, and the reporters are its parties."""

        def act(db: Db, me: Principal) -> Made:
            chosen = [findings.one(db, h) for h in dict.fromkeys(data.findings)]
            made = kept.add(db, kept.desk_of(me), chosen, data.title, along=data.along)
            return told(db, vault_of(request), made, me, 201)

        return done_once(request, act)

    @get(
        "/cases/{handling:str}", opt=SIGNED_IN, sync_to_thread=True, summary="One case",
        responses=gives(CaseView, *READ),
    )  # fmt: skip
    def one(request: _R, handling: FromPath[CaseText]) -> Response[bytes]:
        """Its machines, the status matrix, the open proposal, threads, drafts and history."""
        with reading(request) as (db, me, note):
            case = kept.one(db, handling)
            found = seen(db, vault_of(request), case, me)
            note(case.subject, [case.aud])
        return etag.thing(request, found, me, found.version)

    @post(
        "/cases/{handling:str}/findings/{finding:str}", opt=needs("coordinate"), sync_to_thread=True, status_code=200,
        summary="Put a finding into the case", responses=gives(CaseView, *WRITE),
    )  # fmt: skip
    def take(
        request: _R,
        handling: FromPath[CaseText],
        finding: FromPath[HandlingText],
        along: FromQuery[bool] = False,
    ) -> Response[bytes]:
        """`along` with what else is the same flaw and in no case; without, that is refused and named."""

        def act(db: Db, me: Principal) -> Made:
            case = kept.one(db, handling)
            kept.take(db, case, findings.one(db, finding), along=along)
            return told(db, vault_of(request), case, me)

        return done_once(request, act)

    @post(
        "/cases/{handling:str}/findings/{finding:str}/removal", opt=needs("coordinate"), sync_to_thread=True,
        status_code=200, summary="Take a finding out of the case", responses=gives(CaseView, *WRITE),
    )  # fmt: skip
    def take_out(
        request: _R,
        handling: FromPath[CaseText],
        finding: FromPath[HandlingText],
        data: JSONBody[Removed],
    ) -> Response[bytes]:
        """It waits in triage again; its reporter is no party any more when it has no other finding in the case. Not of
        a case that is released: what is public stays as it is."""

        def act(db: Db, me: Principal) -> Made:
            case = kept.one(db, handling)
            kept.take_out(db, case, findings.one(db, finding), data.why)
            return told(db, vault_of(request), case, me)

        return done_once(request, act)

    @post(
        "/cases/{handling:str}/parties", opt=needs("coordinate"), sync_to_thread=True, status_code=201,
        summary="Add a party", responses=gives(Numbered, *WRITE, status=201),
    )  # fmt: skip
    def join(request: _R, handling: FromPath[CaseText], data: JSONBody[NewParty]) -> Response[bytes]:
        """A vendor sees the case once it is asked, others from now on; a mail address is for the coordinators alone."""

        def act(db: Db, me: Principal) -> Made:
            case = kept.one(db, handling)
            made = party.add(
                db, case, role=data.role, member=data.organisation, name=data.name, email=data.email,
                product=data.product, source=data.source,
            )  # fmt: skip
            if data.ask:
                party.ask(db, kept.by_id(db, case.id), made, level=kept.level_of(db, case))
                handed.tell(db, vault_of(request), case, made, data.text)
            return Made(record=Numbered(made.id))

        return done_once(request, act)

    @post(
        "/cases/{handling:str}/parties/{number:int}/acts", opt=SIGNED_IN, sync_to_thread=True, status_code=200,
        summary="An act of a party", responses=gives(CaseView, *WRITE),
    )  # fmt: skip
    def party_act(
        request: _R, handling: FromPath[CaseText], number: FromPath[int], data: JSONBody[PartyAct]
    ) -> Response[bytes]:
        """By the party's own organisation, or by the desk. A dispute gives its reasons, and travels with the record."""

        def act(db: Db, me: Principal) -> Made:
            case = kept.one(db, handling)
            acted(db, vault_of(request), case, party.one(db, case, number), data, me)
            return told(db, vault_of(request), case, me)

        return done_once(request, act)

    @post(
        "/cases/{handling:str}/parties/{number:int}/contacts", opt=needs("coordinate"), sync_to_thread=True,
        status_code=200, summary="Another mail address of a party", responses=gives(CaseView, *WRITE),
    )  # fmt: skip
    def reach(
        request: _R, handling: FromPath[CaseText], number: FromPath[int], data: JSONBody[NewContact]
    ) -> Response[bytes]:
        """Letters go to it from now on; a link that was sent to another is renewed there alone."""

        def act(db: Db, me: Principal) -> Made:
            case = kept.one(db, handling)
            party.reach(db, case, party.one(db, case, number), data.email, data.source)
            return told(db, vault_of(request), case, me)

        return done_once(request, act)

    @post(
        "/cases/{handling:str}/embargo/proposals", opt=SIGNED_IN, sync_to_thread=True, status_code=200,
        summary="Propose when the embargo ends", responses=gives(CaseView, *WRITE),
    )  # fmt: skip
    def propose(request: _R, handling: FromPath[CaseText], data: JSONBody[NewProposal]) -> Response[bytes]:
        """By any party, or the desk; where a day is agreed, to revise it."""

        def act(db: Db, me: Principal) -> Made:
            case = kept.one(db, handling)
            speaker = (
                None if kept.keeps(db, case) else party.must_speak(speaks_as(me, party.listed(db, case))).id
            )
            talk.propose(
                db,
                case,
                talk.moment(data.until),
                data.zone,
                now=now(),
                why=data.why,
                party=speaker,
                vault=vault_of(request),
            )
            return told(db, vault_of(request), case, me)

        return done_once(request, act)

    @post(
        "/cases/{handling:str}/embargo/consent", opt=SIGNED_IN, sync_to_thread=True, status_code=200,
        summary="Agree or disagree", responses=gives(CaseView, *WRITE),
    )  # fmt: skip
    def consent(request: _R, handling: FromPath[CaseText], data: JSONBody[Said]) -> Response[bytes]:
        """What the caller's party says to the open proposal."""

        def act(db: Db, me: Principal) -> Made:
            case = kept.one(db, handling)
            consented(db, vault_of(request), case, me, data.said, data.why, data.party)
            return told(db, vault_of(request), case, me)

        return done_once(request, act)

    @post(
        "/cases/{handling:str}/embargo/decision", opt=needs("coordinate"), sync_to_thread=True, status_code=200,
        summary="Accept or refuse a proposal", responses=gives(CaseView, *WRITE),
    )  # fmt: skip
    def decide(request: _R, handling: FromPath[CaseText], data: JSONBody[Decided]) -> Response[bytes]:
        """By a coordinator. What is accepted is agreed; it ends nothing until it is armed."""

        def act(db: Db, me: Principal) -> Made:
            case = kept.one(db, handling)
            if data.outcome == "accept":
                talk.accept(db, case, now=now())
            else:
                talk.refuse(db, case, data.why, vault=vault_of(request))
            return told(db, vault_of(request), case, me)

        return done_once(request, act)

    @post(
        "/cases/{handling:str}/threads", opt=needs("coordinate"), sync_to_thread=True, status_code=201,
        summary="Open a thread", responses=gives(Numbered, *WRITE, status=201),
    )  # fmt: skip
    def open_thread(request: _R, handling: FromPath[CaseText], data: JSONBody[NewThread]) -> Response[bytes]:
        """Of all parties, or of one with the coordinators."""

        def act(db: Db, me: Principal) -> Made:
            case = kept.one(db, handling)
            return Made(
                record=Numbered(
                    thread.add(
                        db, vault_of(request), case, data.topic, to=data.party, product=data.product
                    ).id
                )
            )

        return done_once(request, act)

    @get(
        "/cases/{handling:str}/threads/{number:int}", opt=SIGNED_IN, sync_to_thread=True,
        summary="What was said in a thread", responses=gives(Talk, *READ),
    )  # fmt: skip
    def read(
        request: _R, handling: FromPath[CaseText], number: FromPath[int], before: Before = 0
    ) -> Response[bytes]:
        """Sealed until it is read; that it was read is on the log. The newest 500 messages; `before` goes on."""
        vault = vault_of(request)
        with acting(request) as (db, me):
            case = kept.one(db, handling)
            found = thread.one(db, case, number)
            said = Talk(
                thread=found.id,
                topic=thread.titled(vault, case, found).topic,
                messages=thread.read(db, vault, case, found, before=before),
            )
        return etag.response(request, msgspec.json.encode(said), me, "application/json")

    @post(
        "/cases/{handling:str}/threads/{number:int}/messages", opt=SIGNED_IN, sync_to_thread=True, status_code=201,
        summary="Say something", responses=gives(Numbered, *WRITE, status=201),
    )  # fmt: skip
    def say(
        request: _R, handling: FromPath[CaseText], number: FromPath[int], data: JSONBody[NewMessage]
    ) -> Response[bytes]:
        """In the name of the caller's party, or as the desk."""
        vault = vault_of(request)

        def act(db: Db, me: Principal) -> Made:
            case = kept.one(db, handling)
            found = thread.one(db, case, number)
            speaker = (
                data.party
                if kept.keeps(db, case)
                else party.must_speak(speaks_as(me, party.listed(db, case), found.party)).id
            )
            return Made(record=Numbered(thread.say(db, vault, case, found, data.text, speaker=speaker)))

        return done_once(request, act)

    return [
        listed, queue, mine, add, one, take, take_out, join, party_act, reach, propose, consent, decide, open_thread,
        read, say,
    ]  # fmt: skip


def acted(db: Db, vault: Vault, case: Case, one: party.Party, data: PartyAct, me: Principal) -> None:
    """Does what `data` names for a party; raises as `party` does."""
    if data.act in ("ask", "escalate", "leave"):
        kept.check_keeper(db, case)
    if data.act == "ask":
        party.ask(db, case, one, level=kept.level_of(db, case))
        handed.tell(db, vault, case, one, data.text)
    elif data.act == "escalate":
        party.take_step(db, case, one, data.step, now())
    elif data.act == "leave":
        party.leave(db, case, one, data.why)
    elif data.act == "answer":
        party.answer(db, case, one, data.answer, data.why, vault=vault)
    else:
        party.act(db, case, one, data.act, data.why, vault=vault)


def consented(
    db: Db, vault: Vault, case: Case, me: Principal, said: str, why: str, number: int | None
) -> None:
    """Records consent for the caller's party, or for the one that the desk names."""
    from clearway.records.errors import InputError, NotFoundError

    proposal = talk.opened(db, case)
    if proposal is None:
        raise NotFoundError("no proposal is open", where=case.subject)
    if number is None:
        if kept.keeps(db, case):
            raise InputError("say for which party", where="party")
        number = party.must_speak(speaks_as(me, party.listed(db, case))).id
    talk.consent(db, case, proposal, number, said, why, vault=vault)
