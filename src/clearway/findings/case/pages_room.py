"""The case room: embargo clock, status matrix, threads, the way to the advisory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath, QueryParameter
from msgspec import Struct

from clearway.access.reading import reading
from clearway.formats.report_advisory import Draft, Product
from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.pages import Form, done, page
from clearway.records.errors import (
    ConfigError,
    ConflictError,
    InputError,
    NotFoundError,
    PreconditionMissingError,
    StaleError,
    TooLargeError,
    TooManyRequestsError,
)

from .. import kept as findings
from ..assist.settings import assisted
from ..named import CaseText
from . import clock, credits, cve_id, draft, handed, kept, pages_acts, party, release, route, talk, thread
from .api_cases import acted, consented
from .api_shapes import PartyAct
from .at_desk import home_of, now, seen, vault_of
from .pages_parts import (
    ANSWERS,
    EMS,
    FORM,
    PAGE,
    RMS,
    VFDS,
    marking,
    names_of,
    public_words,
    state_words,
    talks,
)
from .view import speaks_as

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar.handlers import HTTPRouteHandler

    from clearway.records.principal import Principal

    from .at_desk import Db
    from .kept import Case
    from .view import CaseView

_R = Request[Any, Any, Any]
Number = Annotated[int, QueryParameter(ge=0, le=2**53)]
_WRONG = (
    InputError, ConflictError, NotFoundError, ConfigError, TooLargeError, TooManyRequestsError, StaleError,
    PreconditionMissingError,
)  # fmt: skip


class Typed(Struct, frozen=True):
    """Every field that a form of the room may have."""

    act: str = ""
    step: str = ""
    answer: str = ""
    why: str = ""
    on_exploitation: str = ""
    until: str = ""
    zone: str = ""
    said: str = ""
    outcome: str = ""
    topic: str = ""
    party: str = ""
    text: str = ""
    role: str = ""
    organisation: str = ""
    name: str = ""
    email: str = ""
    draft: str = ""
    summary: str = ""
    base: str = ""
    sure: str = ""
    cve: str = ""
    phrase: str = ""


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get("/cases/{handling:str}", opt=SIGNED_IN, **PAGE)
    def room(
        request: _R,
        handling: FromPath[CaseText],
        thread: Number = 0,
        before: Number = 0,
    ) -> Response[bytes]:
        """One case; of a `thread` the messages before one. That its threads were read is on the log."""
        return _shown(request, handling, Form(), (thread, before))

    @post("/cases/{handling:str}/parties/{number:int}/contacts", opt=needs("coordinate"), **PAGE)
    def reach(
        request: _R, handling: FromPath[CaseText], number: FromPath[int], data: Annotated[Typed, FORM]
    ) -> Response[bytes]:
        """Adds a mail address of a party."""

        def do(db: Db, case: Case, me: Principal) -> str:
            one = party.reach(db, case, party.one(db, case, number), data.email)
            return f"{one.name}: letters go to that address from now on."

        return did(request, handling, data, do)

    @post("/cases/{handling:str}/parties/{number:int}", opt=SIGNED_IN, **PAGE)
    def act(
        request: _R, handling: FromPath[CaseText], number: FromPath[int], data: Annotated[Typed, FORM]
    ) -> Response[bytes]:
        """An act of one party."""

        def do(db: Db, case: Case, me: Principal) -> str:
            one = party.one(db, case, number)
            does = "escalate" if data.step else "answer" if data.answer else data.act
            wanted = {"act": does, "step": data.step, "answer": data.answer, "why": data.why}
            if does == "ask":
                wanted["text"] = data.text
            acted(db, vault_of(request), case, one, _converted(wanted, PartyAct), me)
            return f"{one.name}: {(data.step or data.answer or data.act).replace('-', ' ')}."

        return did(request, handling, data, do)

    @post("/cases/{handling:str}/parties", opt=needs("coordinate"), **PAGE)
    def join(request: _R, handling: FromPath[CaseText], data: Annotated[Typed, FORM]) -> Response[bytes]:
        """Adds a party."""

        def do(db: Db, case: Case, me: Principal) -> str:
            member = None
            if data.organisation.strip():
                row = db.execute(
                    "select org from clearway.organisation where slug = %s", (data.organisation.strip(),)
                ).fetchone()
                if row is None:
                    raise InputError("no such organisation", where="organisation")
                member = row[0]
            made = party.add(db, case, role=data.role, member=member, name=data.name, email=data.email)
            told = (
                "It is told when you ask it."
                if made.role in party.VENDORS
                else "It sees the case from now on."
            )
            return f"{made.name} is a party. {told}"

        return did(request, handling, data, do)

    @post("/cases/{handling:str}/proposals", opt=SIGNED_IN, **PAGE)
    def propose(request: _R, handling: FromPath[CaseText], data: Annotated[Typed, FORM]) -> Response[bytes]:
        """Proposes when the embargo ends."""

        def do(db: Db, case: Case, me: Principal) -> str:
            until = talk.moment(data.until)
            speaker = (
                None if kept.keeps(db, case) else party.must_speak(speaks_as(me, party.listed(db, case))).id
            )
            talk.propose(
                db,
                case,
                until,
                data.zone.strip(),
                now=now(),
                why=data.why,
                party=speaker,
                vault=vault_of(request),
            )
            return "It is proposed; each party may say whether it agrees."

        return did(request, handling, data, do)

    @post("/cases/{handling:str}/consent", opt=SIGNED_IN, **PAGE)
    def consent(request: _R, handling: FromPath[CaseText], data: Annotated[Typed, FORM]) -> Response[bytes]:
        """What the reader's party says to the proposal, or what a party without an account has told the desk."""

        def do(db: Db, case: Case, me: Principal) -> str:
            if data.party and kept.keeps(db, case):
                speaker = party.one(db, case, _number(data.party))
            else:
                speaker = party.must_speak(speaks_as(me, party.listed(db, case)))
            consented(db, vault_of(request), case, me, data.said, data.why, speaker.id)
            return f"{speaker.name} {data.said}."

        return did(request, handling, data, do)

    @post("/cases/{handling:str}/decision", opt=needs("coordinate"), **PAGE)
    def decide(request: _R, handling: FromPath[CaseText], data: Annotated[Typed, FORM]) -> Response[bytes]:
        """Accepts or refuses the proposal."""

        def do(db: Db, case: Case, me: Principal) -> str:
            if data.outcome == "accept":
                talk.accept(db, case, now=now())
                return "It is agreed. Arm it when there is a draft."
            talk.refuse(db, case, data.why, vault=vault_of(request))
            return "The proposal is refused."

        return did(request, handling, data, do)

    @post("/cases/{handling:str}/threads", opt=needs("coordinate"), **PAGE)
    def open_thread(
        request: _R, handling: FromPath[CaseText], data: Annotated[Typed, FORM]
    ) -> Response[bytes]:
        """Opens a thread."""

        def do(db: Db, case: Case, me: Principal) -> str:
            to = (
                int(data.party)
                if data.party.isascii() and data.party.isdigit() and len(data.party) < 16
                else None
            )
            thread.add(db, vault_of(request), case, data.topic, to=to)
            return "The thread is open."

        return did(request, handling, data, do)

    @post("/cases/{handling:str}/threads/{number:int}", opt=SIGNED_IN, **PAGE)
    def say(
        request: _R, handling: FromPath[CaseText], number: FromPath[int], data: Annotated[Typed, FORM]
    ) -> Response[bytes]:
        """Says something in a thread."""
        vault = vault_of(request)

        def do(db: Db, case: Case, me: Principal) -> str:
            found = thread.one(db, case, number)
            parties = party.listed(db, case)
            speaker = (
                None if kept.keeps(db, case) else party.must_speak(speaks_as(me, parties, found.party)).id
            )
            thread.say(db, vault, case, found, data.text, speaker=speaker)
            return "Sent."

        return did(request, handling, data, do)

    @post("/cases/{handling:str}/drafts", opt=needs("coordinate"), **PAGE)
    def put(request: _R, handling: FromPath[CaseText], data: Annotated[Typed, FORM]) -> Response[bytes]:
        """Keeps the next version of the draft."""
        vault = vault_of(request)

        def do(db: Db, case: Case, me: Principal) -> str:
            base = _number(data.base)
            number = draft.put(
                db, vault, case, draft.decoded(data.draft.encode("utf-8", "replace")), data.summary,
                base=(base,) if base else (), sure=data.sure == "yes",
            )  # fmt: skip
            return f"Version {number} is kept."

        return did(request, handling, data, do)

    @post("/cases/{handling:str}/cve", opt=needs("coordinate"), **PAGE)
    def number_it(request: _R, handling: FromPath[CaseText], data: Annotated[Typed, FORM]) -> Response[bytes]:
        """Notes a CVE id, or asks for one."""
        home = home_of(request)

        def do(db: Db, case: Case, me: Principal) -> str:
            if data.cve.strip():
                noted = cve_id.assign(db, case, data.cve, sure=data.sure == "yes")
                return f"{noted.cve} is noted."
            cve_id.ask(db, case, home)
            return "A CVE id is asked for."

        return did(request, handling, data, do)

    @post("/cases/{handling:str}/arm", opt=needs("coordinate"), **PAGE)
    def arm(request: _R, handling: FromPath[CaseText], data: Annotated[Typed, FORM]) -> Response[bytes]:
        """Arms the end of the embargo."""
        vault, home = vault_of(request), home_of(request)

        def do(db: Db, case: Case, me: Principal) -> str:
            release.arm(db, vault, case, home, now=now(), on_exploitation=data.on_exploitation == "yes")
            return "It is armed."

        return did(request, handling, data, do)

    @post("/cases/{handling:str}/release", opt=needs("coordinate"), **PAGE)
    def let_out(request: _R, handling: FromPath[CaseText], data: Annotated[Typed, FORM]) -> Response[bytes]:
        """Ends the embargo and publishes, or publishes a new version."""
        vault, home = vault_of(request), home_of(request)

        def do(db: Db, case: Case, me: Principal) -> str:
            if case.published is not None:
                release.update(db, vault, case, home, now=now())
                return "The new version is being published."
            if data.phrase.strip() != case.handling:
                raise InputError("type the case's handling id to go on", where="phrase")
            release.release(db, vault, case, home, data.why or "released by hand", now=now())
            return "The embargo has ended; the advisory is being published."

        return did(request, handling, data, do)

    @post("/cases/{handling:str}/standing", opt=needs("coordinate"), **PAGE)
    def stand(request: _R, handling: FromPath[CaseText], data: Annotated[Typed, FORM]) -> Response[bytes]:
        """Closes the case, or opens it again."""

        def do(db: Db, case: Case, me: Principal) -> str:
            if case.closed is None:
                kept.close(db, case, data.why)
                return "The case is closed."
            kept.reopen(db, case, data.why)
            return "The case is open again, where it stood."

        return did(request, handling, data, do)

    return [
        room, reach, act, join, propose, consent, decide, open_thread, say, put, number_it, arm, let_out, stand,
        *pages_acts.handlers(did),
    ]  # fmt: skip


def did(
    request: _R, handling: str, data: Struct, do: Callable[[Db, Case, Principal], str]
) -> Response[bytes]:
    """Does it and goes back to the room; what is wrong is shown there, with what was typed."""
    try:
        with acting(request) as (db, me):
            case = kept.one(db, handling)
            words = do(db, case, me)
    except _WRONG as error:
        if isinstance(error, NotFoundError) and error.what == "no such case":
            raise
        values = {
            k: v for k, v in msgspec.structs.asdict(data).items() if v and k not in ("phrase", "base", "sure")
        }
        field = error.where if error.where in data.__struct_fields__ else ""
        told = f"{error.what}: {error.mend}" if error.mend else error.what
        return _shown(
            request,
            handling,
            Form(values, {field: told}),
            status=412 if isinstance(error, StaleError) else 422,
        )
    return done(request, f"/cases/{handling}", words)


def _number(typed: str) -> int:
    """A party's number as it was typed; 0, which is none, for what is no number."""
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 16 else 0


def _converted(given: dict[str, str], kind: type[PartyAct]) -> PartyAct:
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise InputError("there is no such act", where="act") from error


def _shown(
    request: _R, handling: str, form: Form, older: tuple[int, int] = (0, 0), *, status: int = 422
) -> Response[bytes]:
    vault = vault_of(request)
    with reading(request) as (db, me, note):
        case = kept.one(db, handling)
        one = seen(db, vault_of(request), case, me)
        note(case.subject, [case.aud])
        names = names_of(one)
        said = talks(db, vault, case, names, older=older)
        speaks = speaks_as(me, party.listed(db, case))
        asked = route.of_package(db, case.ecosystem, case.package) if one.desk else []
        skeleton = _skeleton(db, request, case, one) if one.desk else ""
        offered = ""
        if one.desk and any(p.report == "start" and p.role in party.VENDORS for p in one.parties):
            offered = handed.suggested(db, case)
            for handling in one.findings:  # what they say in clear is shown
                note(f"finding/{handling}", findings.audiences(db, [handling]))
    return page(
        request,
        "findings/case/room.html",
        status_code=status if form.errors else 200,
        tlp=marking(one),
        one=one,
        form=form,
        names=names,
        talks=said,
        speaks=speaks,
        asked=asked,
        skeleton=skeleton,
        offered=offered,
        assisted=assisted(home_of(request)),
        zone=me.time_zone,
        proposal_over=one.proposal is not None and one.proposal.until <= now(),
        clock=clock.of(one, now()),
        drawn=clock.drawn(one, now()),
        with_whom=[("", "all parties"), *((str(p.id), f"{p.name} alone") for p in one.parties)],
        ems=EMS, rms=RMS, vfds=VFDS, answers=ANSWERS, pxas=public_words(one.public), said=state_words,
    )  # fmt: skip


def _skeleton(db: Db, request: _R, case: Case, one: CaseView) -> str:
    """The newest draft to go on from, or what the case already knows."""
    if one.drafts:
        found = draft.shown(db, vault_of(request), case)
    else:
        product = Product(purl=case.purl, ecosystem=case.ecosystem, name=case.package, introduced="0")
        named = credits.given(db, home_of(request), case)
        found = Draft(title=case.title, description="…", products=(product,), credits=named)
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
