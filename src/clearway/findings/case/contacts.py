"""How to reach who maintains something: security.txt (RFC 9116) and a repository's security policy.

What is found is a suggestion for a coordinator: whoever can write a repository's file can name any address in it.
Fetching goes through `http.outbound`, so neither can lead to a place that this installation does not connect to.
"""

from __future__ import annotations

import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from clearway.records.errors import InputError, UpstreamError
from clearway.records.text import plain

from .mail import checked_address

if TYPE_CHECKING:
    from clearway.http.outbound import Client

MAX_BYTES = 64 << 10  # of one file
DEADLINE_S = 15.0
_HOST = re.compile(
    r"(?=.{4,253}$)([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]", re.ASCII
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_MAILS = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,5}", re.ASCII)
_POLICIES = ("SECURITY.md", ".github/SECURITY.md", "docs/SECURITY.md")


class Contact(Struct, frozen=True, kw_only=True):
    """One way to reach somebody, and where it is said."""

    email: str = ""
    url: str = ""
    source: str


class SecurityTxt(Struct, frozen=True, kw_only=True):
    """What a security.txt says. `expired` ones are not to be relied on (RFC 9116 §2.5.5)."""

    contacts: tuple[Contact, ...] = ()
    expires: datetime | None = None
    policy: str = ""
    languages: str = ""
    signed: bool = False  # it has an OpenPGP signature, which is not checked here

    def expired(self, now: datetime) -> bool:
        """Whether it has expired, or does not say when it does."""
        return self.expires is None or self.expires <= now


def read_security_txt(data: bytes, source: str) -> SecurityTxt:
    """What the file says; lines that say nothing known are passed over.

    Raises:
        InputError: it is no text, or has no contact.
    """
    try:
        text = data[:MAX_BYTES].decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("security.txt is no UTF-8", where=source) from None
    found: list[Contact] = []
    expires: list[datetime] = []
    said: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        field, value = name.strip().lower(), value.strip()
        if not colon or line.lstrip().startswith("#") or not value or len(value) > 2_000:
            continue
        if field == "contact" and (contact := _contact(value, source)) is not None and len(found) < 10:
            found.append(contact)
        elif field == "expires" and (at := _moment(value)) is not None:
            expires.append(at)
        elif field in ("policy", "preferred-languages"):
            said.setdefault(field, plain(value, 300))
    if not found:
        raise InputError("security.txt names no contact", where=source, mend="RFC 9116 §2.5.3")
    return SecurityTxt(
        contacts=tuple(found),
        expires=expires[0] if len(expires) == 1 else None,  # RFC 9116 §2.5.5: never more than once
        policy=said.get("policy", ""),
        languages=said.get("preferred-languages", ""),
        signed=text.lstrip().startswith("-----BEGIN PGP SIGNED MESSAGE-----"),
    )


def read_policy(data: bytes, source: str) -> tuple[Contact, ...]:
    """Mail addresses that a security policy names, each once, at most five."""
    text = data[:MAX_BYTES].decode("utf-8", "replace")
    found: list[Contact] = []
    for each in dict.fromkeys(m.group().rstrip(".") for m in _MAILS.finditer(text)):
        try:
            found.append(Contact(email=checked_address(each), source=source))
        except InputError:
            continue
        if len(found) == 5:
            break
    return tuple(found)


def places(domain: str = "", repository: str = "") -> tuple[str, ...]:
    """Where to look, in order: a domain's security.txt, a repository's policies.

    Raises:
        InputError: it is no domain, or no repository at a host whose files can be read so.
    """
    found: list[str] = []
    if domain:
        host = domain.strip().lower().rstrip(".")
        if not _HOST.fullmatch(host):
            raise InputError("this is no domain", where="domain", mend="such as example.org")
        found += [f"https://{host}/.well-known/security.txt", f"https://{host}/security.txt"]
    if repository:
        found += _policies(repository)
    return tuple(found)


def look(
    client: Client, domain: str = "", repository: str = "", *, now: datetime
) -> tuple[list[Contact], list[str]]:
    """(contacts, notes): what is found, and what was looked at without a result. One domain's file is enough.

    Raises:
        InputError: as `places`.
    """
    found: list[Contact] = []
    notes: list[str] = []
    with tempfile.TemporaryDirectory(prefix="clearway-") as folder:
        for number, url in enumerate(places(domain, repository)):
            is_txt = url.endswith("security.txt")
            if found and (is_txt or any(c.source.startswith("https://raw.") for c in found)):
                continue
            path = Path(folder) / str(number)
            try:
                client.get_to_file(url, path, max_bytes=MAX_BYTES, deadline_s=DEADLINE_S)
                data = path.read_bytes()
                if is_txt:
                    said = read_security_txt(data, url)
                    if said.expired(now):
                        notes.append(f"{url}: has expired, or does not say when")
                    found += said.contacts
                elif policy := read_policy(data, url):
                    found += policy
                else:
                    notes.append(f"{url}: names no mail address")
            except (UpstreamError, InputError) as error:
                notes.append(f"{url}: {plain(error.what, 120)}")
    return found, notes


def _policies(repository: str) -> list[str]:
    try:
        parts = urlsplit(repository.strip())
    except ValueError:
        raise InputError("this is no repository", where="repository") from None
    names = [p.removesuffix(".git") for p in parts.path.split("/") if p]
    if parts.scheme != "https" or len(names) < 2 or not all(_NAME.fullmatch(n) for n in names[:2]):
        raise InputError(
            "this is no repository", where="repository", mend="such as https://github.com/owner/name"
        )
    owner, name = names[:2]
    if parts.hostname == "github.com":
        return [f"https://raw.githubusercontent.com/{owner}/{name}/HEAD/{file}" for file in _POLICIES]
    if parts.hostname in ("gitlab.com", "codeberg.org"):
        return [f"https://{parts.hostname}/{owner}/{name}/raw/HEAD/{file}" for file in _POLICIES]
    raise InputError("files of that host can't be read so", where="repository", mend="give a domain instead")


def _contact(value: str, source: str) -> Contact | None:
    """A contact is a URI; a bare address is none, though many files have one (RFC 9116 §2.5.3)."""
    scheme = value.partition(":")[0].lower()
    if scheme == "mailto":
        value = unquote(value[7:].partition("?")[0])
    elif scheme == "https":
        return Contact(url=plain(value, 500), source=source)
    try:
        return Contact(email=checked_address(value), source=source)
    except InputError:
        return None


def _moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
