"""Signing in and out: the pages and what they post to.

Whatever the way, it ends the same: a session with a new secret, in a cookie that scripts can't read and other
sites can't send, and the end of the session that the browser had before. What is begun (a provider, a passkey)
is kept for ten minutes under a cookie of its own, so that nobody can be signed in as somebody else by a link.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlsplit

from litestar import Request, Response, Router, get, post
from litestar.datastructures import Cookie
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath, FromQuery, JSONBody
from msgspec import Struct

from clearway.http.acting import (
    IN_PERSON,
    SIGNED_IN,
    acting,
    doorkeeper,
    over_https,
    secret_in,
    viewer,
)
from clearway.http.guard import PUBLIC
from clearway.http.pages import Form, page
from clearway.http.ratelimit import spend_sign_in
from clearway.http.session_cookie import SESSION_COOKIE_PLAIN
from clearway.http.threads import outside
from clearway.records.errors import (
    AuthenticationError,
    ClearwayError,
    ConfigError,
    NotFoundError,
    OutsideError,
)
from clearway.store.principal import key_of
from clearway.store.scalar import scalar

from . import attempt, audience, credential, invitation, oidc, passkey
from .marking import own
from .providers import SignIn

if TYPE_CHECKING:
    import psycopg

    from .secret import Made

log = logging.getLogger("clearway.access")

ATTEMPT_COOKIE = "clearway-attempt"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_LONGEST_NEXT = 1000
_Asked = Request[Any, Any, Any]
_PAGE: dict[str, Any] = {"sync_to_thread": True, "include_in_schema": False}
_PROVIDER = outside("signing in")  # an identity provider is asked
_RETRY_S = 10
_FORM = Body(media_type=RequestEncodingType.URL_ENCODED)


class PasskeyAnswer(Struct, frozen=True):
    """What `navigator.credentials` gave the page; `label` names a new one."""

    credential: dict[str, Any]
    label: str = ""


class Landed(Struct, frozen=True):
    """Where the browser goes next."""

    next: str


class Code(Struct, frozen=True):
    """The form of a one-time code."""

    code: str = ""
    next: str = "/"


def routes(settings: SignIn) -> Router:
    """Sign-in and sign-out under `settings`."""

    def owner(request: _Asked) -> Any:
        return doorkeeper(request).pool.owner()

    @get("/sign-in", opt=PUBLIC, **_PAGE)
    def choices(request: _Asked, next: FromQuery[str] = "/") -> Response[bytes]:
        """The ways to sign in."""
        return _choices(request, settings, Form({"next": local(next)}))

    @post("/sign-in/code", opt=PUBLIC, **_PAGE)
    def by_code(request: _Asked, data: Annotated[Code, _FORM]) -> Response[bytes]:
        """Signs in with a one-time code."""
        origin(request, settings)  # a code works once: what can fail comes before it is used
        spend_sign_in(request.scope, f"code {invitation.normal(data.code[:100])}")
        try:
            with owner(request) as db:
                made = invitation.accept(db, data.code[:100], now=_now())
        except AuthenticationError as error:
            form = Form({"next": local(data.next)}, {"code": f"{error.what}: {error.mend}"})
            return _choices(request, settings, form, status_code=401)
        to = "/settings/account" if local(data.next) == "/" else local(data.next)
        return _enter(request, settings, made, to)

    @get("/sign-in/with/{provider:str}", opt={**PUBLIC, **_PROVIDER}, **_PAGE)
    def to_provider(request: _Asked, provider: FromPath[str], next: FromQuery[str] = "/") -> Response[bytes]:
        """Sends the browser to an identity provider."""
        try:
            return _to_provider(request, settings, provider, local(next), 0)
        except OutsideError as error:
            return _another_way(request, settings, error, local(next))

    @post("/settings/account/bind/{provider:str}", opt={**IN_PERSON, **_PROVIDER}, **_PAGE)
    def bind(request: _Asked, provider: FromPath[str]) -> Response[bytes]:
        """The page from which a signed-in person goes to a provider, to bind an account of theirs.

        Not a redirect: browsers hold a form's redirects against `form-action` too.
        """
        me = viewer(request)
        assert me is not None
        sent = _to_provider(request, settings, provider, "/settings/account", me.person)
        shown = page(
            request, "access/bind.html", to=sent.headers["location"], provider=_provider(settings, provider)
        )
        shown.cookies.extend(sent.cookies)
        return shown

    @get("/sign-in/back/{provider:str}", opt={**PUBLIC, **_PROVIDER}, **_PAGE)
    def back(request: _Asked, provider: FromPath[str]) -> Response[bytes]:
        """Takes the browser back from an identity provider."""
        chosen = _provider(settings, provider)
        now = _now()
        try:
            with owner(request) as db:
                kept = attempt.take(db, _attempt(request), "oidc", oidc.Pending, now=now)
            if kept.person:
                _still_here(request, kept.person)
            account = oidc.finish(chosen, kept, dict(request.query_params.items()))
            with owner(request) as db:
                came = _bound(db, account, kept.person, now, doorkeeper(request).key(request))
                made = credential.make_session(db, came.person, by="oidc", now=now, hands=came.hands)
        except AuthenticationError as error:
            form = Form({"next": "/"}, {"": f"{error.what}. {error.mend}".strip(" .") + "."})
            return _choices(request, settings, form, status_code=401)
        except OutsideError as error:
            return _another_way(request, settings, error, kept.next)
        return _enter(request, settings, made, kept.next)

    @post("/sign-in/passkey/options", opt=PUBLIC, **_PAGE, status_code=200)
    def passkey_options(request: _Asked, next: FromQuery[str] = "/") -> Response[bytes]:
        """What a browser needs to ask its owner for a passkey."""
        options, kept = passkey.sign_in(origin(request, settings), local(next))
        return _begun(request, settings, "passkey", kept, options)

    @post("/sign-in/passkey", opt=PUBLIC, status_code=200, **_PAGE)
    def by_passkey(request: _Asked, data: JSONBody[PasskeyAnswer]) -> Response[Landed]:
        """Signs in with a passkey."""
        now = _now()
        spend_sign_in(request.scope, f"passkey {str(data.credential.get('id', ''))[:2_000]}")
        with owner(request) as db:
            kept = attempt.take(db, _attempt(request), "passkey", passkey.Pending, now=now)
        with owner(request) as db:
            came = passkey.signed_in(db, kept, data.credential, now=now)
            made = credential.make_session(db, came.person, by="passkey", now=now, hands=came.hands)
        answer = Response(Landed(kept.next))
        _replace_session(request, settings, made, answer)
        return answer

    @post(
        "/settings/account/passkeys/options",
        opt=IN_PERSON,
        sync_to_thread=True,
        include_in_schema=False,
        status_code=200,
    )
    def new_passkey(request: _Asked) -> Response[bytes]:
        """What a browser needs to make a passkey for the person who is signed in."""
        me = viewer(request)
        assert me is not None
        with owner(request) as db:
            options, kept = passkey.register(db, origin(request, settings), me.person, me.name)
        return _begun(request, settings, "passkey-new", kept, options)

    @post(
        "/settings/account/passkeys",
        opt=IN_PERSON,
        sync_to_thread=True,
        include_in_schema=False,
        status_code=201,
    )
    def add_passkey(request: _Asked, data: JSONBody[PasskeyAnswer]) -> Landed:
        """Binds a new passkey to the person who is signed in."""
        me = viewer(request)
        assert me is not None
        with owner(request) as db:
            kept = attempt.take(db, _attempt(request), "passkey-new", passkey.Pending, now=_now())
            if kept.person != me.person:
                raise AuthenticationError("somebody else began this", mend="begin again")
            home = me.memberships[0].org if me.memberships else 0
            key = doorkeeper(request).key(request)
            passkey.registered(db, kept, data.credential, data.label, org=home, key=key)
        return Landed("/settings/account")

    @post("/sign-out", opt=SIGNED_IN, **_PAGE)
    def leave(request: _Asked) -> Response[bytes]:
        """Ends this session."""
        me = viewer(request)
        assert me is not None
        with acting(request) as (db, _):
            credential.revoke(db, me.credential_id)
        return _left(request, settings)

    @post("/sign-out/everywhere", opt=SIGNED_IN, **_PAGE)
    def leave_everywhere(request: _Asked, data: Annotated[dict[str, str], _FORM]) -> Response[bytes]:
        """Ends every session of the person, and with `tokens` every token."""
        with acting(request) as (db, _):
            credential.sign_out(db, everything=data.get("tokens") == "yes")
        return _left(request, settings)

    return Router(
        "/",
        route_handlers=[
            choices,
            by_code,
            to_provider,
            bind,
            back,
            passkey_options,
            by_passkey,
            new_passkey,
            add_passkey,
            leave,
            leave_everywhere,
        ],
    )


def local(path: str) -> str:
    """`path` if it leads to a page of ours, else "/": a link must not send anybody elsewhere after signing in."""
    fine = path.startswith("/") and not path.startswith(("//", "/\\")) and len(path) <= _LONGEST_NEXT
    if not fine or "\\" in path or not path.isprintable() or urlsplit(path).netloc:
        return "/"
    return quote(path, safe="/?&=#%:+,;@!$'()*~[]")  # a header takes no other letters


def origin(request: _Asked, settings: SignIn) -> str:
    """Where the browser thinks it is: the configured address, or this machine.

    Raises:
        ConfigError: it was reached under another name, and none is configured.
    """
    if settings.base_url:
        parts = urlsplit(settings.base_url)
        return f"{parts.scheme}://{parts.netloc}"
    host = request.headers.get("host", "")
    name = urlsplit(f"http://{host}").hostname
    if name not in _LOOPBACK:
        raise ConfigError(
            "this installation's own address is not configured", where="sign-in.toml", mend="set base_url"
        )
    return f"http://{host}"


def _now() -> datetime:
    return datetime.now(UTC)


def _provider(settings: SignIn, provider: str) -> Any:
    found = settings.of(provider)
    if found is None:
        raise NotFoundError("no such identity provider")
    return found


def _to_provider(
    request: _Asked, settings: SignIn, provider: str, next_path: str, person: int
) -> Response[bytes]:
    chosen = _provider(settings, provider)
    back = f"{settings.base_url.rstrip('/')}/sign-in/back/{chosen.id}"
    url, kept = oidc.begin(chosen, back, next_path=next_path, person=person)
    with doorkeeper(request).pool.owner() as db:
        secret = attempt.begin(db, "oidc", kept, now=_now())
    answer = Response(b"", status_code=303, headers={"location": url})
    answer.set_cookie(_cookie(request, settings, ATTEMPT_COOKIE, secret, int(attempt.LIFE.total_seconds())))
    return answer


def _begun(request: _Asked, settings: SignIn, kind: str, kept: Struct, options: str) -> Response[bytes]:
    with doorkeeper(request).pool.owner() as db:
        secret = attempt.begin(db, kind, kept, now=_now())
    answer = Response(options.encode(), media_type="application/json")
    answer.set_cookie(_cookie(request, settings, ATTEMPT_COOKIE, secret, int(attempt.LIFE.total_seconds())))
    return answer


def _attempt(request: _Asked) -> str:
    name = f"__Host-{ATTEMPT_COOKIE}" if over_https(request) else ATTEMPT_COOKIE
    return request.cookies.get(name) or ""


def _still_here(request: _Asked, person: int) -> None:
    """Passes while this browser's session is `person`'s, by what the database knows now and not by what is remembered.

    Raises:
        AuthenticationError: it has ended, or is somebody else's.
    """
    me = viewer(request)
    with acting(request) as (db, _):
        now = db.execute("select clearway.me()").fetchone()
    if me is None or me.credential != "session" or now != (person,):
        raise AuthenticationError("you have signed out since", mend="Sign in, and bind the account again")


def _bound(
    db: psycopg.Connection[Any], account: oidc.Account, person: int, now: datetime, key: str
) -> credential.Came:
    """Whose account it is; with `person`, who came with `key`, it becomes theirs where it is nobody's yet.

    Beside the hands of who bound it stands the proof that the provider knows them (`credential.hands_of`).
    """
    from clearway import ledger

    row = db.execute(
        """update clearway.identity i set last_used = %s from clearway.person p
        where i.kind = 'oidc' and i.issuer = %s and i.subject = %s and p.person = i.person and p.active
        returning i.person, i.hands, i.identity""",
        (now, account.issuer, account.subject),
    ).fetchone()
    if row is not None:
        if person and row[0] != person:
            raise AuthenticationError("that account belongs to somebody else here")
        return credential.Came(int(row[0]), [*row[1], -row[2]])
    if not person:
        raise AuthenticationError(
            "nobody here has that account", mend="ask an administrator for a one-time code, and bind it then"
        )
    hands = [who for who in credential.hands_of(db, key) if who > 0]  # this one is its own proof
    bound = scalar(
        db,
        """insert into clearway.identity (person, kind, issuer, subject, label, last_used, hands)
        values (%s, 'oidc', %s, %s, %s, %s, %s) returning identity""",
        (person, account.issuer, account.subject, account.email or account.name, now, hands),
    )
    home = credential.home_of(db, person)
    told = {"issuer": account.issuer}
    ledger.append_as(db, key, "account.bound", f"person/{person}", told, aud=audience.of(db, own(home)))
    return credential.Came(person, [*hands, -bound])


def _enter(request: _Asked, settings: SignIn, made: Made, to: str) -> Response[bytes]:
    answer = Response(b"", status_code=303, headers={"location": to})
    _replace_session(request, settings, made, answer)
    return answer


def _replace_session(request: _Asked, settings: SignIn, made: Made, answer: Response[Any]) -> None:
    """The new session's cookie; the session that the browser had before ends."""
    kind, secret = secret_in(request)
    if kind == "session":
        key = key_of(secret)
        door = doorkeeper(request)
        with door.pool.owner() as db:
            db.execute(
                "update clearway.credential set revoked = now() where key_hash = sha256(%s) and kind = 'session'",
                (bytes.fromhex(key),),
            )
        door.forget(key)
    life = int(credential.SESSION_LIFE.total_seconds())
    answer.set_cookie(_cookie(request, settings, SESSION_COOKIE_PLAIN, made.secret, life))
    answer.set_cookie(_cookie(request, settings, ATTEMPT_COOKIE, "", 0))


def _left(request: _Asked, settings: SignIn) -> Response[bytes]:
    doorkeeper(request).forget(doorkeeper(request).key(request))
    answer = Response(b"", status_code=303, headers={"location": "/sign-in"})
    answer.set_cookie(_cookie(request, settings, SESSION_COOKIE_PLAIN, "", 0))
    return answer


def _cookie(request: _Asked, settings: SignIn, name: str, value: str, seconds: int) -> Cookie:
    """Over HTTPS a cookie of the whole host (`__Host-`), which no other page of the site can plant."""
    secure = origin(request, settings).startswith("https:")
    return Cookie(
        key=f"__Host-{name}" if secure else name,
        value=value,
        path="/",
        httponly=True,
        secure=secure,
        samesite="lax",
        max_age=seconds,
    )


def _another_way(request: _Asked, settings: SignIn, error: OutsideError, next_path: str) -> Response[bytes]:
    """The ways to sign in, with what did not answer."""
    log.warning("signing in with a provider failed: %s", error)
    form = Form({"next": next_path}, {"": f"{error.where}: {error.for_strangers()}; {error.mend}."})
    shown = _choices(request, settings, form, status_code=503)
    shown.headers["retry-after"] = str(_RETRY_S)
    return shown


def _choices(request: _Asked, settings: SignIn, form: Form, *, status_code: int = 200) -> Response[bytes]:
    try:
        passkeys = bool(passkey.relying_party(origin(request, settings)))
    except ClearwayError:
        passkeys = False
    return page(
        request,
        "access/sign_in.html",
        form=form,
        providers=settings.provider,
        passkeys=passkeys,
        status_code=status_code,
    )
