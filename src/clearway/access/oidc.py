"""Signing in with an identity provider: OpenID Connect Core 1.0, the authorisation code flow with PKCE.

    1. `begin`: where the browser is sent, and what is kept until it comes back (state, nonce, verifier).
    2. The provider sends the browser back with a code.
    3. `finish`: the code is exchanged, and the ID token held against all that was kept.

Who comes back is known by issuer and subject alone; a mail address proves nothing here. What a provider answers
is hostile until its signature holds: bounded in size, and in time over all that is asked for one step; no redirect
is followed. The provider is the operator's choice, so that it may stand in a network of their own.
"""

from __future__ import annotations

import hmac
import secrets
import time
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from contextlib import contextmanager
from hashlib import sha256, sha384, sha512
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from msgspec import Struct

from clearway.http.outbound import Client, Networks, SlowError
from clearway.http.outbound_url import shown
from clearway.records.errors import AuthenticationError, OutsideError
from clearway.records.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .providers import Provider

# Signatures with a public key only: "none" and keys shared with the client are no proof to us.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
DEADLINE_S = 10.0  # of one step, whatever it asks: somebody waits for the page
_MOST_BYTES = 1 << 20
_LEEWAY_S = 60
_SCOPE = "openid profile email"


class Metadata(Struct, frozen=True):
    """What of a provider's discovery document is used (OpenID Connect Discovery 1.0 §3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    code_challenge_methods_supported: tuple[str, ...] = ()
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class Pending(Struct, frozen=True, kw_only=True):
    """A sign-in under way. `person` is set when a signed-in person binds the account to themselves."""

    provider: str
    state: str
    nonce: str
    verifier: str
    back: str  # the redirect URI, exactly as it was sent
    next: str = "/"
    person: int = 0


class Account(Struct, frozen=True, kw_only=True):
    """Who came back: an account of a provider. Name and mail are what it says, for display."""

    issuer: str
    subject: str
    name: str = ""
    email: str = ""


def begin(provider: Provider, back: str, *, next_path: str = "/", person: int = 0) -> tuple[str, Pending]:
    """Where to send the browser, and what to keep.

    Raises:
        OutsideError: the provider does not answer as one.
    """
    with Asking() as asking:
        about = _metadata(provider, asking)
    kept = Pending(
        provider=provider.id,
        state=secrets.token_urlsafe(24),
        nonce=secrets.token_urlsafe(24),
        verifier=secrets.token_urlsafe(48),
        back=back,
        next=next_path,
        person=person,
    )
    asked = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": back,
        "scope": _SCOPE,
        "state": kept.state,
        "nonce": kept.nonce,
        "code_challenge": _base64url(sha256(kept.verifier.encode()).digest()),  # RFC 7636 §4.2
        "code_challenge_method": "S256",
    }
    joint = "&" if "?" in about.authorization_endpoint else "?"
    return f"{about.authorization_endpoint}{joint}{urlencode(asked)}", kept


def finish(provider: Provider, kept: Pending, answer: Mapping[str, str]) -> Account:
    """Whose account it is, by the provider's signed word.

    Raises:
        AuthenticationError: anything does not fit: the state, the issuer, the signature, a claim.
        OutsideError: the provider does not answer.
    """
    if kept.provider != provider.id or not hmac.compare_digest(answer.get("state", ""), kept.state):
        raise _refused("this answer belongs to another sign-in")
    with Asking() as asking:
        about = _metadata(provider, asking)
        code = _code(about, answer)
        tokens = _exchange(asking, provider, about, kept, code)
        keys = asking.get(about.jwks_uri)
    id_token = tokens.get("id_token")
    if not isinstance(id_token, str):
        raise _refused("the provider sent no ID token")
    claims = _claims(id_token, keys, provider, about, kept)
    _check_access_hash(claims, tokens, id_token)
    return Account(
        issuer=about.issuer,
        subject=str(claims["sub"]),
        name=plain(str(claims.get("name") or ""), 200),
        email=plain(str(claims.get("email") or ""), 254),
    )


def _code(about: Metadata, answer: Mapping[str, str]) -> str:
    # RFC 9207: a provider that says who it is must be the one that was asked.
    said = answer.get("iss", "")
    if (said and said != about.issuer) or (about.authorization_response_iss_parameter_supported and not said):
        raise _refused("another provider answered")
    if answer.get("error"):
        raise _refused(f"the provider says: {plain(answer['error'], 60)}")
    code = answer.get("code", "")
    if not code or len(code) > 4096:
        raise _refused("the provider sent no code")
    return code


def _claims(
    id_token: str, keys: dict[str, Any], provider: Provider, about: Metadata, kept: Pending
) -> dict[str, Any]:
    from joserfc import jwk, jwt
    from joserfc.errors import JoseError

    try:
        token = jwt.decode(id_token, jwk.KeySet.import_key_set(keys), algorithms=list(ALGORITHMS))  # type: ignore[arg-type]
        registry = jwt.JWTClaimsRegistry(
            now=lambda: int(time.time()),
            leeway=_LEEWAY_S,
            iss={"essential": True, "value": about.issuer},
            aud={"essential": True, "value": provider.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": kept.nonce},
        )
        registry.validate(token.claims)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise _refused(f"its ID token does not hold: {plain(str(error), 120)}") from error
    claims = token.claims
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if (several or "azp" in claims) and claims.get("azp") != provider.client_id:
        raise _refused("its ID token was made for another client")
    if not isinstance(claims["sub"], str) or not 1 <= len(claims["sub"]) <= 255:
        raise _refused("its ID token names nobody")
    return dict(claims)


def _check_access_hash(claims: dict[str, Any], tokens: dict[str, Any], id_token: str) -> None:
    """Where the ID token says which access token came with it, it is the one that did (Core §3.1.3.6)."""
    given = claims.get("at_hash")
    if given is None:
        return
    header = msgspec.json.decode(_unpadded(id_token.split(".")[0]))
    digest = {"256": sha256, "384": sha384, "512": sha512}.get(str(header.get("alg", ""))[-3:], sha512)
    whole = digest(str(tokens.get("access_token", "")).encode()).digest()
    if not hmac.compare_digest(_base64url(whole[: len(whole) // 2]), str(given)):
        raise _refused("its ID token speaks of another access token")


def _unpadded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _exchange(
    asking: Asking, provider: Provider, about: Metadata, kept: Pending, code: str
) -> dict[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": kept.back,
        "code_verifier": kept.verifier,
    }
    headers = {}
    if not provider.client_secret:
        form["client_id"] = provider.client_id
    elif "client_secret_basic" in about.token_endpoint_auth_methods_supported:
        pair = f"{quote(provider.client_id, safe='')}:{quote(provider.client_secret, safe='')}"  # RFC 6749 §2.3.1
        headers["authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    else:
        form |= {"client_id": provider.client_id, "client_secret": provider.client_secret}
    return asking.post(about.token_endpoint, form, headers)


def _metadata(provider: Provider, asking: Asking) -> Metadata:
    known = _KNOWN.get(provider.issuer)
    if known is not None and time.monotonic() - known[0] < 600:
        return known[1]
    raw = asking.get(provider.issuer.rstrip("/") + "/.well-known/openid-configuration")
    try:
        about = msgspec.convert(raw, Metadata)
    except msgspec.ValidationError as error:
        raise OutsideError(
            f"the identity provider's discovery can't be read: {error}",
            where=provider.issuer,
            mend=_OTHER_WAY,
        ) from error
    # Discovery §4.3: it must be the issuer that was asked for, to the letter.
    if about.issuer != provider.issuer:
        raise OutsideError(
            "the identity provider calls itself otherwise", where=provider.issuer, mend=_OTHER_WAY
        )
    # What it names must be as safe as the issuer itself: a code or a key must not cross the net in the clear.
    scheme = _scheme(provider.issuer, provider)
    for address in (about.authorization_endpoint, about.token_endpoint, about.jwks_uri):
        if _scheme(address, provider) not in ("https", scheme):
            raise OutsideError(
                "the identity provider names an address without TLS", where=provider.issuer, mend=_OTHER_WAY
            )
    _KNOWN[provider.issuer] = (time.monotonic(), about)
    return about


def _scheme(address: str, provider: Provider) -> str:
    """The scheme of an address of the provider's. Raises OutsideError for what is none, such as "https://["."""
    try:
        return urlsplit(address).scheme
    except ValueError as error:
        raise OutsideError(
            "the identity provider names an address that is none",
            where=shown(provider.issuer),
            mend=_OTHER_WAY,
        ) from error


_KNOWN: dict[str, tuple[float, Metadata]] = {}


class Asking:
    """Asks a provider for what one step needs: `DEADLINE_S` for all of it together."""

    def __init__(self) -> None:
        self._client = Client(_ANYWHERE)
        self._end = time.monotonic() + DEADLINE_S

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, url: str) -> dict[str, Any]:
        """The object that stands at `url`. Raises OutsideError."""
        with _named(url):
            answer = self._client.get(url, _HEADERS, self._left(url), most_bytes=_MOST_BYTES)
        found = _object(answer.body, url) if answer.status == 200 else None
        if found is None:
            raise OutsideError(
                f"the identity provider answered {answer.status}", where=shown(url), mend=_OTHER_WAY
            )
        return found

    def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> dict[str, Any]:
        """What is answered to `form`. Raises OutsideError; AuthenticationError where it is refused."""
        sent = {**_HEADERS, "content-type": "application/x-www-form-urlencoded", **headers}
        with _named(url):
            answer = self._client.post(
                url, urlencode(form).encode(), sent, self._left(url), most_bytes=_MOST_BYTES + 1
            )
        if len(answer.body) > _MOST_BYTES:
            raise OutsideError(
                "the identity provider's answer is too large", where=shown(url), mend=_OTHER_WAY
            )
        found = _object(answer.body, url) if answer.status == 200 else None
        if found is None:  # a code that was used or is not ours
            raise _refused(f"the provider refused the code ({answer.status})")
        return found

    def _left(self, url: str) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise OutsideError(_TOO_SLOW, where=shown(url), mend=_OTHER_WAY)
        return left


_HEADERS = {"accept": "application/json"}
_ANYWHERE = Networks.parse("0.0.0.0/0 ::/0")
_TOO_SLOW = f"the identity provider did not answer within {DEADLINE_S:g} s"
_OTHER_WAY = "try again in a moment, or sign in another way"


@contextmanager
def _named(url: str) -> Iterator[None]:
    """What is wrong with an answer, said of the provider."""
    try:
        yield
    except SlowError as error:
        raise OutsideError(_TOO_SLOW, where=shown(url), mend=_OTHER_WAY) from error
    except OutsideError as error:
        what = f"the identity provider does not answer as one: {error.for_strangers()}"
        raise OutsideError(what, where=shown(url), mend=_OTHER_WAY) from error


def _object(body: bytes, url: str) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise OutsideError(
            "the identity provider does not answer as one: no JSON", where=shown(url), mend=_OTHER_WAY
        ) from error
    return found if isinstance(found, dict) else None


def _refused(why: str) -> AuthenticationError:
    return AuthenticationError(f"signing in failed: {why}", mend="begin again")
