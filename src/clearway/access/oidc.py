"""Signing in with an identity provider: OpenID Connect Core 1.0, the authorisation code flow with PKCE.

    1. `begin`: where the browser is sent, and what is kept until it comes back (state, nonce, verifier).
    2. The provider sends the browser back with a code.
    3. `finish`: the code is exchanged, and the ID token held against all that was kept.

Who comes back is known by issuer and subject alone; a mail address proves nothing here. What a provider answers
is hostile until its signature holds: bounded in size and time, no redirect followed.
"""

from __future__ import annotations

import hmac
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256, sha384, sha512
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from msgspec import Struct

from clearway.records.errors import AuthenticationError, UpstreamError
from clearway.records.text import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from .providers import Provider

# Signatures with a public key only: "none" and keys shared with the client are no proof to us.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_TIMEOUT_S = 10.0
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
        UpstreamError: the provider does not answer as one.
    """
    about = _metadata(provider)
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
        UpstreamError: the provider does not answer.
    """
    if kept.provider != provider.id or not hmac.compare_digest(answer.get("state", ""), kept.state):
        raise _refused("this answer belongs to another sign-in")
    about = _metadata(provider)
    # RFC 9207: a provider that says who it is must be the one that was asked.
    said = answer.get("iss", "")
    if (said and said != about.issuer) or (about.authorization_response_iss_parameter_supported and not said):
        raise _refused("another provider answered")
    if answer.get("error"):
        raise _refused(f"the provider says: {plain(answer['error'], 60)}")
    code = answer.get("code", "")
    if not code or len(code) > 4096:
        raise _refused("the provider sent no code")
    with _client() as client:
        tokens = _exchange(client, provider, about, kept, code)
        keys = _json(client.build_request("GET", about.jwks_uri), client)
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
    client: httpx.Client, provider: Provider, about: Metadata, kept: Pending, code: str
) -> dict[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": kept.back,
        "code_verifier": kept.verifier,
    }
    auth = None
    if not provider.client_secret:
        form["client_id"] = provider.client_id
    elif "client_secret_basic" in about.token_endpoint_auth_methods_supported:
        auth = (quote(provider.client_id, safe=""), quote(provider.client_secret, safe=""))
    else:
        form |= {"client_id": provider.client_id, "client_secret": provider.client_secret}
    request = client.build_request("POST", about.token_endpoint, data=form)
    return _json(request, client, auth=auth)


def _metadata(provider: Provider) -> Metadata:
    known = _KNOWN.get(provider.issuer)
    if known is not None and time.monotonic() - known[0] < 600:
        return known[1]
    with _client() as client:
        address = provider.issuer.rstrip("/") + "/.well-known/openid-configuration"
        raw = _json(client.build_request("GET", address), client)
    try:
        about = msgspec.convert(raw, Metadata)
    except msgspec.ValidationError as error:
        raise UpstreamError(
            f"the identity provider's discovery can't be read: {error}", where=provider.issuer
        ) from error
    # Discovery §4.3: it must be the issuer that was asked for, to the letter.
    if about.issuer != provider.issuer:
        raise UpstreamError("the identity provider calls itself otherwise", where=provider.issuer)
    # What it names must be as safe as the issuer itself: a code or a key must not cross the net in the clear.
    scheme = urlsplit(provider.issuer).scheme
    for address in (about.authorization_endpoint, about.token_endpoint, about.jwks_uri):
        if urlsplit(address).scheme not in ("https", scheme):
            raise UpstreamError("the identity provider names an address without TLS", where=provider.issuer)
    _KNOWN[provider.issuer] = (time.monotonic(), about)
    return about


_KNOWN: dict[str, tuple[float, Metadata]] = {}


def _client() -> httpx.Client:
    import httpx

    return httpx.Client(timeout=_TIMEOUT_S, follow_redirects=False, trust_env=False)


def _json(request: httpx.Request, client: httpx.Client, *, auth: Any = None) -> dict[str, Any]:
    import httpx

    where = f"{request.url.scheme}://{request.url.netloc.decode()}"
    try:
        answer = client.send(request, stream=True, **({"auth": auth} if auth else {}))
        try:
            body = bytearray()
            for part in answer.iter_bytes():
                body += part
                if len(body) > _MOST_BYTES:
                    raise UpstreamError("the identity provider's answer is too large", where=where)
        finally:
            answer.close()
        found = msgspec.json.decode(bytes(body)) if answer.status_code == 200 else None
    except (httpx.HTTPError, msgspec.DecodeError, RecursionError) as error:
        raise UpstreamError("the identity provider does not answer as one", where=where) from error
    if not isinstance(found, dict):
        if request.method == "POST":  # a code that was used or is not ours
            raise _refused(f"the provider refused the code ({answer.status_code})")
        raise UpstreamError(f"the identity provider answered {answer.status_code}", where=where)
    return found


def _refused(why: str) -> AuthenticationError:
    return AuthenticationError(f"signing in failed: {why}", mend="begin again")
