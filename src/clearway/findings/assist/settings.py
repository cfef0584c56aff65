"""Which model drafts, and what it may be sent: `assist.toml` in the home. Without the file nothing is ever sent.

url = "http://127.0.0.1:8080/v1"     # OpenAI-compatible: POST {url}/chat/completions
model = "small-1"
place = "inside"                     # who runs it: "inside" the house, or "outside" (the default; https alone)
allow = "127.0.0.1"                  # networks that it may be reached in, beside public ones
key_file = "assist.key"              # or CLEARWAY_ASSIST_KEY; mode 0600; without either no key is sent
structured = "schema"                # response_format: "schema", "object" or "none"
day_requests = 200
day_tokens = 200000

[send]                               # which fields of what marking may be sent; what is not named stays here
"AMBER+STRICT" = ["title", "product", "place", "class", "severity", "description"]
RED = ["title", "product"]

What is under embargo goes to an endpoint inside the house alone, whatever `[send]` says.
"""

from __future__ import annotations

import os
import tomllib
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from clearway.access.marking import TLP, Tlp
from clearway.http.outbound import Networks, RefusedError, checked_url
from clearway.records.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

FILE = "assist.toml"
KEY_VARIABLE = "CLEARWAY_ASSIST_KEY"
Field = Literal["title", "product", "place", "class", "severity", "description", "reproduction"]
# In the order in which they are sent and told.
FIELDS: tuple[Field, ...] = ("title", "product", "place", "class", "severity", "description", "reproduction")
_MAX_FILE_BYTES = 64 << 10
_MAX_KEY_BYTES = 4_096


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The endpoint and the bounds. `key` is filled from the environment or the key's file, never from this one."""

    url: Annotated[str, Meta(min_length=1, max_length=500)]
    model: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")]
    place: Literal["inside", "outside"] = "outside"
    allow: Annotated[str, Meta(max_length=2_000)] = ""
    key_file: Annotated[str, Meta(max_length=500)] = ""
    structured: Literal["schema", "object", "none"] = "schema"
    timeout_s: Annotated[int, Meta(ge=1, le=600)] = 120
    answer_tokens: Annotated[int, Meta(ge=50, le=8_000)] = 1_000
    prompt_chars: Annotated[int, Meta(ge=500, le=200_000)] = 12_000
    day_requests: Annotated[int, Meta(ge=0, le=1_000_000)] = 200
    day_tokens: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 200_000
    keep_days: Annotated[int, Meta(ge=1, le=365)] = 14
    send: dict[Tlp, tuple[Field, ...]] = {}

    def __repr__(self) -> str:
        return f"Settings({self.origin}, {self.model}, {self.place})"

    @property
    def inside(self) -> bool:
        """Whether the house runs the endpoint, as its administrator declares."""
        return self.place == "inside"

    @property
    def origin(self) -> str:
        """The endpoint as the log and the pages name it: scheme, host and port."""
        url = checked_url(self.url)
        return f"{url.scheme}://{url.netloc.decode('ascii')}"

    @property
    def networks(self) -> Networks:
        """What may be reached beside public addresses."""
        return Networks.parse(self.allow, FILE)

    def fields(self, tlp: Tlp) -> tuple[Field, ...]:
        """What of content with that marking may be sent, in the order of `FIELDS`; () for nothing."""
        named = self.send.get(tlp, ())
        return tuple(f for f in FIELDS if f in named)


def read(home: Path) -> Settings:
    """The settings of a home.

    Raises:
        ConfigError: there are none (the assistance is off), or they can't be used.
    """
    path = home / FILE
    try:
        raw = path.read_bytes()
        if len(raw) > _MAX_FILE_BYTES:
            raise ConfigError("the settings are too long", where=str(path))
        found = msgspec.convert(tomllib.loads(raw.decode()), Settings)
    except FileNotFoundError:
        raise ConfigError(
            "the assistance is off", where=str(path), mend="see docs/howto/assistance.md to turn it on"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"the settings of the assistance can't be used: {error}", where=str(path)) from None
    _check(found, str(path))
    return found


def assisted(home: Path) -> bool:
    """Whether the assistance is on; whether its settings can be used shows when they are."""
    return (home / FILE).exists()


def known(home: Path) -> Settings | None:
    """The settings, None where the assistance is off."""
    return read(home) if assisted(home) else None


def key(home: Path, settings: Settings) -> str:
    """The endpoint's key, "" when it needs none. Read when it is sent, and kept nowhere.

    Raises:
        ConfigError: the key's file can't be read, is open to others, or holds no key.
    """
    given = os.environ.get(KEY_VARIABLE, "").strip()
    if not given and settings.key_file:
        given = _from_file(home / settings.key_file)
    if given and not (given.isascii() and given.isprintable() and " " not in given):
        raise ConfigError(
            "the endpoint's key is no key", where=settings.key_file or KEY_VARIABLE, mend="one line of ASCII"
        )
    return given


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise ConfigError(
                    "the endpoint's key can be read by others", where=str(path), mend="chmod go= the file"
                )
            return file.read(_MAX_KEY_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the endpoint's key can't be read: {type(error).__name__}", where=str(path), mend="see key_file"
        ) from None


def _check(settings: Settings, place: str) -> None:
    try:
        url = checked_url(settings.url)
    except RefusedError as error:
        raise ConfigError(f"url: {error.what}", where=place, mend="give http(s)://host/v1") from None
    if url.query or url.fragment:
        raise ConfigError("url has a query or a fragment", where=place, mend="give http(s)://host/v1")
    if url.scheme != "https" and not settings.inside:
        raise ConfigError(
            "an endpoint outside the house is reached by https alone",
            where=place,
            mend='use https, or say place = "inside" when the house runs it',
        )
    _ = settings.networks  # read now, so that a mistake is told here
    if unknown := set(settings.send) - set(TLP):
        raise ConfigError(f"no such marking: {sorted(unknown)[0]}", where=place, mend=", ".join(TLP))
