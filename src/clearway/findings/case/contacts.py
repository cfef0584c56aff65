"""How to reach who maintains something: security.txt (RFC 9116) and a repository's security policy.

What is found is a suggestion for a coordinator: whoever can write a repository's file can name any address in it. A
contact says where it was read, and where a redirect has led (RFC 9116 §5.2). Fetching goes through `http.outbound`, so
neither can lead to a place that this installation does not connect to.
"""

from __future__ import annotations

import re
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from clearway.records.errors import InputError, OutsideError, UpstreamError
from clearway.records.text import plain

from .mail import checked_address

if TYPE_CHECKING:
    from clearway.http.outbound import Client

MAX_BYTES = 64 << 10  # of one file
DEADLINE_S = 15.0  # of one file
TOTAL_S = 40.0  # of all that is looked at; a page waits for it
_HOST = re.compile(
    r"(?=.{4,253}$)([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]", re.ASCII
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_MAILS = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,5}", re.ASCII)
# OpenPGP's frame around a text that is signed in clear (RFC 9580 §7, RFC 9116 §2.3).
_SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE = "-----BEGIN PGP SIGNATURE-----"
_SIGNATURE_ENDS = "-----END PGP SIGNATURE-----"
_POLICIES = ("SECURITY.md", ".github/SECURITY.md", "docs/SECURITY.md")


class Contact(Struct, frozen=True, kw_only=True):
    """One way to reach somebody, and where it is said."""

    email: str = ""
    url: str = ""
    source: str
    signed: bool = False  # it stands in a text with an OpenPGP signature, which is not checked here

    @property
    def why(self) -> str:
        """Where it is said, and that it stands in a signed text; in words."""
        return f"{self.source}, signed (not checked here)" if self.signed else self.source


class SecurityTxt(Struct, frozen=True, kw_only=True):
    """What a security.txt says. `expired` ones are not to be relied on (RFC 9116 §2.5.5)."""

    contacts: tuple[Contact, ...] = ()
    expires: datetime | None = None
    policy: str = ""
    languages: str = ""
    canonical: tuple[
        str, ...
    ] = ()  # where it says that it stands; elsewhere it is not to be trusted (§2.5.2)
    signed: bool = False  # it has an OpenPGP signature, which is not checked here

    def expired(self, now: datetime) -> bool:
        """Whether it has expired, or does not say when it does."""
        return self.expires is None or self.expires <= now


def read_security_txt(data: bytes, source: str) -> SecurityTxt:
    """What the file says; lines that say nothing known are passed over, and of an address the first alone counts.

    Of a file that is signed in clear only what is signed counts: anybody on the way could have put lines around it.

    Raises:
        InputError: it is no text, its signature's frame is broken, or it has no contact.
    """
    try:
        text = data[:MAX_BYTES].decode("utf-8-sig")  # a BOM is none of the grammar, and is common
    except UnicodeDecodeError:
        raise InputError("security.txt is no UTF-8", where=source) from None
    lines = text.splitlines()
    inside = _inside(lines, source)
    signed = inside is not None
    found: dict[tuple[str, str], Contact] = {}
    expires: list[datetime] = []
    said: dict[str, str] = {}
    canonical: list[str] = []
    for line in lines if inside is None else inside:
        name, colon, value = line.partition(":")
        field, value = name.strip().lower(), value.strip()
        if not colon or line.lstrip().startswith("#") or not value or len(value) > 2_000:
            continue
        if field == "contact" and (contact := _contact(value, source, signed=signed)) is not None:
            if len(found) < 10:
                found.setdefault((contact.email.casefold(), contact.url), contact)
        elif field == "expires" and (at := _moment(value)) is not None:
            expires.append(at)
        elif field == "canonical" and len(canonical) < 20:
            canonical.append(value)
        elif field in ("policy", "preferred-languages"):
            said.setdefault(field, plain(value, 300))
    if not found:
        raise InputError("security.txt names no contact", where=source, mend="RFC 9116 §2.5.3")
    return SecurityTxt(
        contacts=tuple(found.values()),
        expires=expires[0] if len(expires) == 1 else None,  # RFC 9116 §2.5.5: never more than once
        policy=said.get("policy", ""),
        languages=said.get("preferred-languages", ""),
        canonical=tuple(canonical),
        signed=signed,
    )


def _inside(lines: list[str], source: str) -> list[str] | None:
    """The lines that a signature in clear covers, without dash-escapes (RFC 9580 §7.1); None for a file without one.

    Raises:
        InputError: one frame does not hold them: none ends it, or there are several.
    """
    marks = [line.rstrip() for line in lines]
    if not any(mark in (_SIGNED, _SIGNATURE) for mark in marks):
        return None
    frame = [n for n, mark in enumerate(marks) if mark in (_SIGNED, _SIGNATURE, _SIGNATURE_ENDS)]
    if [marks[n] for n in frame] != [_SIGNED, _SIGNATURE, _SIGNATURE_ENDS] or "" not in marks[
        frame[0] : frame[1]
    ]:
        raise InputError(
            "security.txt has an OpenPGP frame that is broken", where=source, mend="sign the whole file, once"
        )
    begins = marks.index("", frame[0]) + 1  # after the armour's headers
    return [line.removeprefix("- ") for line in lines[begins : frame[1]]]


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


def places(domain: str = "", repository: str = "", *, port: int = 443) -> tuple[str, ...]:
    """Where to look, in order: a domain's security.txt, a repository's policies. `port` is where web servers listen.

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
    return tuple(found if port == 443 else [_at_port(url, port) for url in found])


def look(
    client: Client, domain: str = "", repository: str = "", *, now: datetime, port: int = 443
) -> tuple[list[Contact], list[str]]:
    """(contacts, notes): what is found, and what was looked at without a result. One file of each is enough.

    Raises:
        InputError: as `places`.
    """
    found: list[Contact] = []
    notes: list[str] = []
    done: set[bool] = set()  # whether a security.txt, whether a policy has named somebody
    ends = time.monotonic() + TOTAL_S
    with tempfile.TemporaryDirectory(prefix="clearway-") as folder:
        for number, url in enumerate(places(domain, repository, port=port)):
            is_txt = url.endswith("security.txt")
            if is_txt in done:
                continue
            left = ends - time.monotonic()
            if left <= 0:
                notes.append(f"{url}: not looked at, the others took too long")
                continue
            try:
                data, source = _fetched(client, url, Path(folder) / str(number), min(DEADLINE_S, left))
                named = _named(data, url, source, notes, now) if is_txt else read_policy(data, source)
                if not named:
                    notes.append(f"{source}: names nobody to be relied on")
                    continue
                known = {(c.email.casefold(), c.url) for c in found}
                found += [c for c in named if (c.email.casefold(), c.url) not in known]
                done.add(is_txt)
            except (UpstreamError, InputError) as error:
                # An inner address that a name leads to is told to nobody who chose the name.
                what = error.for_strangers() if isinstance(error, OutsideError) else error.what
                notes.append(f"{url}: {plain(what, 120)}")
    return found, notes


def _fetched(client: Client, url: str, path: Path, deadline_s: float) -> tuple[bytes, str]:
    """The file, and where it was read: with the address that a redirect has led to."""
    got = client.get_to_file(url, path, max_bytes=MAX_BYTES, deadline_s=deadline_s)
    return path.read_bytes(), url if got.url == url else f"{url}, redirected to {plain(got.url, 300)}"


def _named(data: bytes, url: str, source: str, notes: list[str], now: datetime) -> tuple[Contact, ...]:
    """The contacts of a security.txt; () where it says that it stands elsewhere."""
    said = read_security_txt(data, source)
    if said.canonical and url not in said.canonical:
        notes.append(
            f"{source}: says that it stands elsewhere, and is not to be trusted here (RFC 9116 §2.5.2)"
        )
        return ()
    if said.expired(now):
        notes.append(f"{source}: has expired, or does not say when")
    return said.contacts


def _at_port(url: str, port: int) -> str:
    host, slash, path = url.removeprefix("https://").partition("/")
    return f"https://{host}:{port}{slash}{path}"


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


def _contact(value: str, source: str, *, signed: bool) -> Contact | None:
    """A contact is a URI; a bare address is none, though many files have one (RFC 9116 §2.5.3)."""
    scheme = value.partition(":")[0].lower()
    if scheme == "mailto":
        value = unquote(value[7:].partition("?")[0])
    elif scheme == "https":
        return Contact(url=plain(value, 500), source=source, signed=signed)
    try:
        return Contact(email=checked_address(value), source=source, signed=signed)
    except InputError:
        return None


def _moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
