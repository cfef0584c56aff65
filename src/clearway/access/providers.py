"""Who may say who a person is: the identity providers of `sign-in.toml`, and this installation's own address."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from clearway.records.errors import ConfigError

FILE_VARIABLE = "CLEARWAY_SIGN_IN_FILE"
_NAME = "sign-in.toml"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Provider(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One OpenID provider. The secret is in the file, or in one of its own (`client_secret_file`)."""

    id: str
    name: str
    issuer: str
    client_id: str
    client_secret: str = ""
    client_secret_file: str = ""

    def __repr__(self) -> str:
        return f"Provider({self.id}, {self.issuer})"


class SignIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How people sign in. `base_url` is where browsers reach this installation; "" on one machine alone."""

    base_url: str = ""
    provider: tuple[Provider, ...] = ()

    def of(self, provider: str) -> Provider | None:
        """The provider of that id."""
        return next((p for p in self.provider if p.id == provider), None)


def read(home: Path) -> SignIn:
    """The settings of a home, or of the file that CLEARWAY_SIGN_IN_FILE names; none at all is fine.

    Raises:
        ConfigError: the file can't be read, or says something that can't be.
    """
    named = os.environ.get(FILE_VARIABLE, "").strip()
    path = Path(named) if named else home / _NAME
    if not named and not path.exists():
        return SignIn()
    try:
        found = msgspec.convert(tomllib.loads(path.read_text("utf-8")), SignIn)
        _check(found, str(path))
        return msgspec.structs.replace(found, provider=tuple(_whole(p, path) for p in found.provider))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"the sign-in settings can't be used: {error}", where=str(path)) from error


def _check(found: SignIn, where: str) -> None:
    ids = [p.id for p in found.provider]
    if len(set(ids)) != len(ids) or not all(i.isidentifier() for i in ids):
        raise ConfigError("each provider needs an id of its own, of letters and digits", where=where)
    for address in (*((found.base_url,) if found.base_url else ()), *(p.issuer for p in found.provider)):
        if not _is_safe(address):
            raise ConfigError(
                f"{address!r} is no https address", where=where, mend="http is for this machine alone"
            )
    if found.provider and not found.base_url:
        raise ConfigError(
            "base_url is missing: a provider sends browsers back there",
            where=where,
            mend='base_url = "https://…"',
        )


def _is_safe(address: str) -> bool:
    parts = urlsplit(address)
    by_scheme = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    return by_scheme and bool(parts.hostname) and not (parts.username or parts.query or parts.fragment)


def _whole(provider: Provider, path: Path) -> Provider:
    if not provider.client_secret_file:
        return provider
    secret = (path.parent / provider.client_secret_file).read_text("utf-8").strip()
    return msgspec.structs.replace(provider, client_secret=secret)
