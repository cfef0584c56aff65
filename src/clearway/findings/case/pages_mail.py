"""A case by mail alone: what is behind the one-time link of a letter, without an account.

A link is looked at without being used up; opening it is a form. What is done here is done as the owner, in the name of
the party whose link it is, and nothing else can be reached with it. Pages of a link are not kept by anybody between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, Response, get, post
from litestar.params import FromPath, Parameter
from msgspec import Struct

from clearway import ledger
from clearway.http.acting import doorkeeper
from clearway.http.guard import PUBLIC
from clearway.http.pages import Form, Tlp, page
from clearway.records.errors import (
    ConflictError,
    InputError,
    NotFoundError,
    TooLargeError,
    TooManyRequestsError,
)

from . import draft, kept, mail, party, talk, thread
from .at_desk import now, vault_of
from .pages_parts import ANSWERS, FORM, PAGE, RMS, talks

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

    from .at_desk import Db
    from .kept import Case
    from .party import Party

_R = Request[Any, Any, Any]
Token = Annotated[str, Parameter(max_length=200)]
OPTIONS = (
    ("", "Only a message"),
    ("investigating", "We are looking into it"),
    ("accept", "Accepted: we are affected"),
    ("not-affected", "We are not affected"),
    ("fix-ready", "A fix is ready"),
    ("dispute", "We dispute it (give reasons)"),
    ("agrees", "We agree to the day that is proposed"),
    ("disagrees", "We do not agree to the day that is proposed"),
)
# Who is no vendor has nothing to say of a product.
_ANYBODY = ("", "agrees", "disagrees")


class Reply(Struct, frozen=True):
    """The form behind a link."""

    act: str = ""
    text: str = ""


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get("/case-mail/stop/{token:str}", opt=PUBLIC, **PAGE)
    def ask_stop(request: _R, token: FromPath[Token]) -> Response[bytes]:
        """A button: a program that follows links stops nothing."""
        return _page(request, "stop", token, "Stop letters")

    @post("/case-mail/stop/{token:str}", opt=PUBLIC, **PAGE)
    def stop(request: _R, token: FromPath[Token]) -> Response[bytes]:
        """One click, from the page or from a mail program (RFC 8058)."""
        with doorkeeper(request).pool.owner() as db:
            mail.stop(db, vault_of(request), token, now())
        return _page(request, "done", token, "Stopped", "No more letters are sent about this case.")

    @get("/case-mail/{token:str}", opt=PUBLIC, **PAGE)
    def look(request: _R, token: FromPath[Token]) -> Response[bytes]:
        """Says whether the link can be opened, and nothing of the case."""
        with doorkeeper(request).pool.owner() as db:
            found = mail.look(db, vault_of(request), token, now())
        return _page(request, "look" if found.fresh else "used", token, "A case")

    @post("/case-mail/{token:str}", opt=PUBLIC, **PAGE)
    def opened(request: _R, token: FromPath[Token]) -> Response[bytes]:
        """Uses the link up and shows the case to its party."""
        try:
            with doorkeeper(request).pool.owner() as db:
                found = mail.look(db, vault_of(request), token, now(), use=True)
                return _open(request, db, found, Form())
        except ConflictError:
            return _page(request, "used", token, "A case")

    @post("/case-mail/{token:str}/again", opt=PUBLIC, **PAGE)
    def again(request: _R, token: FromPath[Token]) -> Response[bytes]:
        """Sends a new link to the address that the old one went to."""
        with doorkeeper(request).pool.owner() as db:
            mail.ask_again(db, vault_of(request), token, now())
        return _page(request, "done", token, "On its way", "A new link is on its way to the same address.")

    @post("/case-mail/{token:str}/answer", opt=PUBLIC, **PAGE)
    def answer(request: _R, token: FromPath[Token], data: Annotated[Reply, FORM]) -> Response[bytes]:
        """The party's answer; the page then carries the next link."""
        vault = vault_of(request)
        owner = doorkeeper(request).pool.owner
        try:
            with owner() as db:
                found = mail.look(db, vault, token, now(), use=True)
        except ConflictError:
            return _page(request, "used", token, "A case")
        form = Form()
        try:
            with owner() as db:
                case = kept.by_id(db, found.case_id)
                answered(db, vault, case, party.one(db, case, found.party), data.act, data.text)
        except (InputError, ConflictError, NotFoundError, TooLargeError, TooManyRequestsError) as error:
            told = f"{error.what}: {error.mend}" if error.mend else error.what
            form = Form({"act": data.act, "text": data.text}, {"": told})
        with owner() as db:
            return _open(request, db, found, form, "" if form.errors else "Sent. Thank you.")

    return [ask_stop, stop, look, opened, again, answer]


def options_of(one: Party) -> tuple[tuple[str, str], ...]:
    """What a party may answer, each with its words."""
    return tuple(o for o in OPTIONS if one.role in party.VENDORS or o[0] in _ANYBODY)


def answered(db: Db, vault: Any, case: Case, one: Party, act: str, text: str) -> None:
    """What a party without an account says: an act of its own line, consent, a message. The owner's transaction.

    Its words are a message to the coordinators alone. Only a dispute's are reasons that all parties read.

    Raises:
        InputError: there is no such act, or nothing is said, or a dispute gives no reasons.
        ConflictError: the act is none of its state.
    """
    words = text.strip()
    if act not in (key for key, _ in options_of(one)):
        raise InputError("there is no such answer", where="act")
    if not act and not words:
        raise InputError("nothing is said", where="text")
    ledger.append(db, "party.answered_by_mail", case.subject, {"party": one.id, "act": act}, aud=case.aud)
    if act in ("agrees", "disagrees"):
        proposal = talk.opened(db, case)
        if proposal is None:
            raise InputError("no day is proposed", where="act")
        talk.consent(db, case, proposal, one.id, act)
    elif act in ("investigating", "not-affected"):
        party.answer(db, case, one, act)
    elif act:
        party.act(db, case, one, act, words[:4000] if act == "dispute" else "", vault=vault)
    if words:
        mine = next((t for t in thread.listed(db, case) if t.party == one.id), None)
        mine = mine or thread.add(db, vault, kept.by_id(db, case.id), f"With {one.name}"[:200], to=one.id)
        thread.say(db, vault, kept.by_id(db, case.id), mine, words, speaker=one.id)


def _open(request: _R, db: Db, found: mail.Opened, form: Form, words: str = "") -> Response[bytes]:
    vault = vault_of(request)
    case = kept.by_id(db, found.case_id)
    one = party.one(db, case, found.party)
    parties = party.listed(db, case)
    proposal = talk.opened(db, case)
    shown = draft.read(db, vault, case) if draft.listed(db, case) else None
    ledger.append(db, "party.read_by_mail", case.subject, {"party": one.id}, aud=case.aud)
    return _page(
        request,
        "open",
        mail.make_link(db, vault, one.id, now(), found.contact),
        case.handling,
        words,
        form=form,
        one=case,
        party=one,
        proposal=proposal,
        stands=RMS[one.rm],
        answer=ANSWERS[one.answer],
        shown=shown,
        talks=talks(db, vault, case, {p.id: p.name for p in parties}, only=one.id),
        names={p.id: p.name for p in parties},
        options=options_of(one),
    )


def _page(
    request: _R, step: str, token: str, title: str, words: str = "", *, form: Form | None = None, **more: Any
) -> Response[bytes]:
    made = page(
        request,
        "findings/case/letter.html",
        status_code=422 if form is not None and form.errors else 200,
        step=step,
        token=token,
        title=title,
        words=words,
        form=form or Form(),
        # Like the room's: what stands on the page is for the parties, whoever holds the link.
        tlp=None
        if step != "open"
        else Tlp("RED", "under embargo: for you alone")
        if more["one"].released is None
        else Tlp("AMBER+STRICT", "for the parties of this case and the coordinators"),
        **more,
    )
    # Whoever follows a link out of here does not learn the token, and no cache keeps the page. With "no-referrer" the
    # page's own forms would be sent as from nowhere ("Origin: null"), and refused.
    made.headers["referrer-policy"] = "same-origin"
    made.headers["cache-control"] = "no-store"
    return made
