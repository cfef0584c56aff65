"""*Your account*: name, time zone and digest; how you sign in; your tokens and sessions."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import UNSET, Struct

from clearway import ledger
from clearway.http.acting import IN_PERSON, SIGNED_IN, acting, doorkeeper, viewer
from clearway.http.pages import Form, done, page
from clearway.records import zones
from clearway.records.errors import ClearwayError, ConflictError, ForbiddenError, InputError, NotFoundError

from . import audience, credential, invitation, passkey, person
from .api_parts import number
from .marking import own
from .pages_parts import FORM, LIVES, PAGE, REACH, Sent, names, text, whole, wrong
from .pages_people import make_token, token_page
from .sign_in import origin

_R = Request[Any, Any, Any]
_REFUSED = (InputError, ConflictError, ForbiddenError, NotFoundError)
DIGESTS = {"weekly": "every week", "daily": "every day", "never": "never"}
DESK_MAIL = {"never": "never", "at-once": "at once", "digest": "once a day"}
_ACCOUNT = "/settings/account"


class Identity(Struct, frozen=True, kw_only=True):
    """One way to sign in: a passkey, or an account of an identity provider."""

    identity: int
    kind: str
    issuer: str
    label: str
    created: Any
    last_used: Any
    hands: tuple[
        str, ...
    ]  # who had a hand in the codes by way of which it was bound, as far as the reader may know


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(_ACCOUNT, opt=SIGNED_IN, **PAGE)
    def account(request: _R) -> Response[bytes]:
        """The page."""
        return _account(request)

    @post(_ACCOUNT, opt=SIGNED_IN, **PAGE)
    def change(request: _R, data: Annotated[Sent, FORM]) -> Response[bytes]:
        """Changes name, time zone, digest and letters."""
        try:
            with acting(request) as (db, me):
                before = person.one(db, me.person)
                version = whole(text(data, "version")) or 0
                person.change(
                    db,
                    me.person,
                    version,
                    name=text(data, "name"),
                    time_zone=text(data, "time_zone"),
                    digest=text(data, "digest"),
                    desk_mail=text(data, "desk_mail") or UNSET,
                )
        except _REFUSED as error:
            return _account(request, about=wrong(data, error, "name", "time_zone", "digest", "desk_mail"))
        _forget(request)
        back = {
            "version": str(version + 1), "name": before.name, "time_zone": before.time_zone, "digest": before.digest,
            "desk_mail": before.desk_mail,
        }  # fmt: skip
        return done(request, _ACCOUNT, "Your account is changed.", undo=_ACCOUNT, fields=back)

    @post(f"{_ACCOUNT}/tokens", opt=SIGNED_IN, **PAGE)
    def token(request: _R, data: Annotated[Sent, FORM]) -> Response[bytes]:
        """Makes a token; its secret is on the page that it leads to, and nowhere else."""
        try:
            with acting(request) as (db, me):
                org = whole(text(data, "org"))
                if org is not None and all(m.org != org for m in me.memberships):
                    raise InputError("that organisation is not yours", where="org")
                made = make_token(db, me.person, data, org)
        except _REFUSED as error:
            return _account(request, tokening=wrong(data, error, "label", "reach"))
        return token_page(request, made, text(data, "label"), me.name, f"{_ACCOUNT}#tokens")

    @post(f"{_ACCOUNT}/credentials/{{which:int}}/revoke", opt=SIGNED_IN, **PAGE)
    def revoke(request: _R, which: FromPath[int]) -> Response[bytes]:
        """Ends a token or session of one's own."""
        with acting(request) as (db, me):
            mine = next(
                (
                    c
                    for c in credential.listed(db, person=me.person)
                    if c.credential == which and not c.revoked
                ),
                None,
            )
            if mine is None:
                raise NotFoundError("nothing of yours has that number, or it has ended")
            credential.revoke(db, mine.credential)
        words = (
            f"The token {mine.label} is revoked; its next request is refused."
            if mine.kind == "token"
            else "That session has ended."
        )
        return done(request, f"{_ACCOUNT}#{mine.kind}s", words)

    @post(f"{_ACCOUNT}/identities/{{which:int}}/remove", opt=IN_PERSON, **PAGE)
    def remove(request: _R, which: FromPath[int]) -> Response[bytes]:
        """Takes a way to sign in away."""
        me = viewer(request)
        assert me is not None
        with doorkeeper(request).pool.owner() as owner:
            row = owner.execute(
                "delete from clearway.identity where identity = %s and person = %s returning kind, label",
                (number(which), me.person),
            ).fetchone()
            if row is None:
                raise NotFoundError("nothing of yours has that number")
            act = "passkey.removed" if row[0] == "passkey" else "account.unbound"
            home = me.memberships[0].org if me.memberships else 0
            ledger.append_as(
                owner,
                doorkeeper(request).key(request),
                act,
                f"person/{me.person}",
                {"identity": which},
                aud=audience.of(owner, own(home)) if home else 1,
            )
        return done(request, f"{_ACCOUNT}#sign-in", f"{row[1] or row[0]} no longer signs you in.")

    return [account, change, token, revoke, remove]


def _account(request: _R, *, about: Form | None = None, tokening: Form | None = None) -> Response[bytes]:
    settings = request.app.state.get("sign_in")
    with acting(request) as (db, me):
        mine = person.one(db, me.person)
        held = [c for c in credential.listed(db, person=me.person) if c.revoked is None]
        rows = db.execute(
            "select identity, kind, issuer, label, created, last_used, hands from clearway.identity "
            "where person = %s order by identity",
            (me.person,),
        ).fetchall()
        now = db.execute("select clearway.now_marked()").fetchone()
        told = invitation.recoveries(db)
        known = names(db, {who for row in rows for who in row[6] if who > 0})
    assert now is not None
    held = [c for c in held if c.expires > now[0]]
    try:
        can_passkey = bool(settings is not None and passkey.relying_party(origin(request, settings)))
    except ClearwayError:
        can_passkey = False
    identities = [
        Identity(identity=a, kind=b, issuer=c, label=d, created=e, last_used=f, hands=_named(g, known))
        for a, b, c, d, e, f, g in rows
    ]
    bound = {i.issuer for i in identities if i.kind == "oidc"}
    return page(
        request,
        "access/account.html",
        status_code=422 if about is not None or tokening is not None else 200,
        me=me,
        org_options=[(str(m.org), m.name) for m in me.memberships],
        mine=mine,
        about=about or Form(),
        tokening=tokening or Form(),
        tokens=[c for c in held if c.kind == "token"],
        sessions=[c for c in held if c.kind == "session"],
        identities=identities,
        recoveries=told,
        providers=[p for p in (settings.provider if settings else ()) if p.issuer not in bound],
        passkeys=can_passkey,
        zones=[(zone, zone.replace("_", " ")) for zone in sorted(zones.names())],
        digests=list(DIGESTS.items()),
        desk_mails=list(DESK_MAIL.items()),
        reach=[(key, label) for key, (label, _) in REACH.items()],
        lives=list(LIVES.items()),
    )


def _named(hands: list[int], known: dict[int, str]) -> tuple[str, ...]:
    others = {known.get(who, "somebody elsewhere") for who in hands if who > 0}
    return tuple(sorted(others))


def _forget(request: _R) -> None:
    """The name and zone of the page's head are asked for again."""
    door = doorkeeper(request)
    door.forget(door.key(request))
