"""Sending mail: the settings of a home, and one message over SMTP with what went wrong told apart.

`mail.toml` in the home, or the file that CLEARWAY_MAIL_FILE names:

    host = "smtp.example.org"
    port = 587                        # 465 with security = "tls"
    security = "starttls"             # "tls", or "none" on this machine alone
    sender = "Clearway <clearway@example.org>"
    base_url = "https://clearway.example.org"
    username = "clearway"
    password_file = "smtp-password"   # or CLEARWAY_SMTP_PASSWORD; never on a command line
"""

from __future__ import annotations

import os
import smtplib
import ssl
import tomllib
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from clearway.http import trusted
from clearway.records.errors import ConfigError, InputError, UpstreamError
from clearway.records.text import plain

if TYPE_CHECKING:
    from datetime import datetime

FILE_VARIABLE = "CLEARWAY_MAIL_FILE"
PASSWORD_VARIABLE = "CLEARWAY_SMTP_PASSWORD"  # noqa: S105 - the name of a variable
TIMEOUT_S = 20.0
_NAME = "mail.toml"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How mail is sent. `details`: whether a digest may name what is marked above TLP:GREEN."""

    host: str
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: str
    base_url: str
    username: str = ""
    password: str = ""
    password_file: str = ""
    ca_file: str = ""
    details: bool = False
    hour: int = 7  # of the day in each reader's own time zone, from when on digests go out

    def __repr__(self) -> str:
        return f"Settings({self.host}:{self.port}, {self.security})"  # without the password


def read(home: Path) -> Settings | None:
    """The settings; None where there is no file, and so no mail.

    Raises:
        ConfigError: the file can't be read, or would send mail where others can read it.
    """
    named = os.environ.get(FILE_VARIABLE, "").strip()
    path = Path(named) if named else home / _NAME
    if not named and not path.exists():
        return None
    try:
        found = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Settings)
        password = os.environ.get(PASSWORD_VARIABLE, "") or found.password
        if found.password_file and not password:
            password = (path.parent / found.password_file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"the mail settings can't be used: {error}", where=str(path)) from error
    _check(found, str(path))
    return msgspec.structs.replace(found, password=password)


def _check(settings: Settings, place: str) -> None:
    if settings.security == "none" and settings.host not in _LOOPBACK:
        raise ConfigError(
            "mail would leave this machine unencrypted",
            where=place,
            mend='say security = "starttls" or "tls"',
        )
    parts = urlsplit(settings.base_url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ConfigError("base_url is no address of this installation", where=place)
    if "@" not in parseaddr(settings.sender)[1]:
        raise ConfigError(
            "sender is no address", where=place, mend='such as "Clearway <clearway@example.org>"'
        )
    if not 0 <= settings.hour <= 23 or not 1 <= settings.port <= 65_535:
        raise ConfigError("hour is 0 to 23, port 1 to 65535", where=place)


def message(
    settings: Settings,
    *,
    to: str,
    name: str,
    subject: str,
    text: str,
    html: str,
    reference: str,
    unsubscribe: str,
    at: datetime,
) -> EmailMessage:
    """One message with both bodies. `reference` makes its id: the same message sent again is known as that.

    Raises:
        InputError: the address is none, or a header would break out of its line.
    """
    # RFC 5322 §2.1.1 lets a line have 998 characters: at the customary 78 an address in `List-Unsubscribe` would become
    # an encoded word, which no mail program takes for the URI that it looks for there (RFC 2369 §2, RFC 8058 §3.1).
    made = EmailMessage(policy=SMTP.clone(max_line_length=998))
    try:
        display, sender = parseaddr(settings.sender)
        made["From"] = Address(display_name=display, addr_spec=sender)
        made["To"] = Address(display_name=plain(name, 100), addr_spec=to.strip())
        made["Subject"] = plain(subject, 180)
        made["Date"] = format_datetime(at)
        made["Message-ID"] = f"<{reference}@{sender.rpartition('@')[2]}>"
        made["List-Unsubscribe"] = f"<{unsubscribe}>"
        made["Auto-Submitted"] = "auto-generated"
        made.set_content(text)
        made.add_alternative(html, subtype="html")
    except (ValueError, IndexError, MessageError) as error:
        raise InputError(
            f"no mail can be made for that address: {plain(str(error), 120)}", where="email"
        ) from error
    return made


def send(settings: Settings, letter: EmailMessage) -> None:
    """Hands a message to the server; returns once it has taken it.

    Raises:
        UpstreamError: the server does not answer, is not who it should be, or asks to try again later.
        InputError: it refuses this recipient or message for good.
        ConfigError: it refuses our credentials, or has no encryption though it should; `ca_file` can't be read.
    """
    context = _trusting(settings)
    try:
        if settings.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.host, settings.port, timeout=TIMEOUT_S, context=context
            )
        else:
            server = smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT_S)
        with server:
            if settings.security == "starttls":
                server.starttls(context=context)
            if settings.username:
                server.login(settings.username, settings.password)
            server.send_message(letter)
    except smtplib.SMTPAuthenticationError as error:
        raise ConfigError(
            f"the mail server refuses the login ({error.smtp_code})",
            where=settings.host,
            mend="see mail.toml",
        ) from None
    except smtplib.SMTPNotSupportedError as error:
        raise ConfigError(
            f"the mail server can't do that: {plain(str(error), 120)}", where=settings.host
        ) from None
    except smtplib.SMTPRecipientsRefused as error:
        code = max((answer[0] for answer in error.recipients.values()), default=0)
        raise _refused(code, "the recipient", settings.host) from None
    except smtplib.SMTPResponseException as error:
        raise _refused(error.smtp_code, "the message", settings.host) from None
    except ssl.SSLError as error:
        raise UpstreamError(
            f"the mail server's certificate or encryption does not hold: {error.reason or 'no reason'}",
            where=settings.host,
            mend="see host and ca_file in mail.toml",
        ) from None
    except (smtplib.SMTPException, OSError) as error:
        raise UpstreamError(
            f"the mail server does not answer: {type(error).__name__}", where=settings.host
        ) from None


def _trusting(settings: Settings) -> ssl.SSLContext | None:
    """Whose certificates are believed; None where nothing is encrypted."""
    if settings.security == "none":
        return None
    try:
        return trusted.context(settings.ca_file)
    except OSError as error:
        raise ConfigError(
            "no certificate authority can be read there",
            where=plain(settings.ca_file) or "the system's certificates",
            mend="give the path of a PEM file as ca_file in mail.toml",
        ) from error


def _refused(code: int, what: str, host: str) -> InputError | UpstreamError:
    """A refusal of 5xx is for good (RFC 5321 §4.2.1); 4xx asks to come again."""
    if 500 <= code < 600:
        return InputError(f"the mail server refuses {what} for good ({code})", where=host)
    return UpstreamError(f"the mail server asks to send {what} later ({code})", where=host)
