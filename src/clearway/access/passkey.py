"""Passkeys (W3C Web Authentication, level 3): a key pair that a device keeps, bound to this installation's host.

Registration and signing in both go: `options` for the browser, what is kept until it answers, and the check
of what it answers. A passkey is discoverable: nobody types a name.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct

from clearway import ledger
from clearway.records.errors import AuthenticationError, InputError

from . import audience, credential
from .marking import own
from .secret import label_of

if TYPE_CHECKING:
    from datetime import datetime

    import psycopg

_NAME = "Clearway"


class Pending(Struct, frozen=True, kw_only=True):
    """What is kept between the two halves. `person` registers; 0 signs in."""

    challenge: str  # base64url
    origin: str
    person: int = 0
    next: str = "/"


def relying_party(origin: str) -> str:
    """The host that passkeys are bound to.

    Raises:
        InputError: browsers keep no passkeys for that origin: it is neither https nor this machine.
    """
    parts = urlsplit(origin)
    host = parts.hostname or ""
    if not (parts.scheme == "https" or host == "localhost"):
        raise InputError(
            "passkeys need https, or the name localhost",
            where=origin,
            mend="open the page as http://localhost",
        )
    return host


def register(owner: psycopg.Connection[Any], origin: str, person: int, name: str) -> tuple[str, Pending]:
    """Options (JSON) for `navigator.credentials.create`, and what to keep."""
    from webauthn import generate_registration_options, options_to_json
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        PublicKeyCredentialDescriptor,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    known = owner.execute(
        "select subject from clearway.identity where kind = 'passkey' and person = %s", (person,)
    ).fetchall()
    row = owner.execute("select uid from clearway.person where person = %s", (person,)).fetchone()
    assert row is not None
    options = generate_registration_options(
        rp_id=relying_party(origin),
        rp_name=_NAME,
        user_id=row[0].bytes,
        user_name=name,
        user_display_name=name,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=_bytes(subject)) for (subject,) in known],
    )
    return options_to_json(options), Pending(challenge=_text(options.challenge), origin=origin, person=person)


def registered(
    owner: psycopg.Connection[Any], kept: Pending, answer: dict[str, Any], label: str, *, org: int, key: str
) -> int:
    """Keeps the new passkey of the person who began, whose session's key is `key`; its number.

    Raises:
        AuthenticationError: the answer does not fit the challenge, the origin or the host.
    """
    from webauthn import verify_registration_response
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        verified = verify_registration_response(
            credential=answer,
            expected_challenge=_bytes(kept.challenge),
            expected_rp_id=relying_party(kept.origin),
            expected_origin=kept.origin,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise AuthenticationError("the passkey's answer does not hold", mend="begin again") from error
    row = owner.execute(
        """insert into clearway.identity (person, kind, issuer, subject, public_key, sign_count, label, hands)
        values (%s, 'passkey', %s, %s, %s, %s, %s, %s) on conflict do nothing returning identity""",
        (
            kept.person,
            relying_party(kept.origin),
            _text(verified.credential_id),
            verified.credential_public_key,
            verified.sign_count,
            label_of(label) or "passkey",
            credential.hands_of(owner, key),
        ),
    ).fetchone()
    if row is None:
        raise AuthenticationError("this passkey is bound already")
    ledger.append_as(
        owner,
        key,
        "passkey.added",
        f"person/{kept.person}",
        {"identity": row[0]},
        aud=audience.of(owner, own(org)),
    )
    return int(row[0])


def sign_in(origin: str, next_path: str) -> tuple[str, Pending]:
    """Options (JSON) for `navigator.credentials.get`, and what to keep."""
    from webauthn import generate_authentication_options, options_to_json
    from webauthn.helpers.structs import UserVerificationRequirement

    options = generate_authentication_options(
        rp_id=relying_party(origin), user_verification=UserVerificationRequirement.REQUIRED
    )
    return options_to_json(options), Pending(
        challenge=_text(options.challenge), origin=origin, next=next_path
    )


def signed_in(
    owner: psycopg.Connection[Any], kept: Pending, answer: dict[str, Any], *, now: datetime
) -> credential.Came:
    """Whose passkey answered, and in whose session it was bound.

    Raises:
        AuthenticationError: it is not known here, its owner is barred, the answer does not hold, or its counter
            went back, as a copied key's does.
    """
    from webauthn import verify_authentication_response
    from webauthn.helpers.exceptions import WebAuthnException

    row = owner.execute(
        """select i.identity, i.public_key, i.sign_count, i.person, i.hands from clearway.identity i
        join clearway.person p using (person)
        where i.kind = 'passkey' and i.issuer = %s and i.subject = %s and p.active for update of i""",
        (relying_party(kept.origin), str(answer.get("id", ""))[:1500].replace("\0", "")),
    ).fetchone()
    if row is None or kept.person:
        raise AuthenticationError("this passkey is not known here", mend="sign in another way")
    try:
        verified = verify_authentication_response(
            credential=answer,
            expected_challenge=_bytes(kept.challenge),
            expected_rp_id=relying_party(kept.origin),
            expected_origin=kept.origin,
            credential_public_key=bytes(row[1]),
            credential_current_sign_count=int(row[2]),
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise AuthenticationError("the passkey's answer does not hold", mend="begin again") from error
    owner.execute(
        "update clearway.identity set sign_count = %s, last_used = %s where identity = %s",
        (verified.new_sign_count, now, row[0]),
    )
    return credential.Came(int(row[3]), row[4])


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
