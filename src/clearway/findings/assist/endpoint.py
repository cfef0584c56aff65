"""One call to an OpenAI-compatible endpoint: `POST {url}/chat/completions`, through the checked client.

What goes wrong is told by what a person can do about it, and never in the endpoint's own words: an error that quotes
the request would quote the report.

    UpstreamError   try later: nobody answers, it is slow, 429, 5xx
    ConfigError     the administrator mends it: the address, the key, the model, what it takes
    InputError      the answer is none: cut off, withheld, not of the protocol
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from clearway.http.outbound import Client, Pace, RefusedError, StatusError, TooMuchError
from clearway.records.errors import ConfigError, InputError

from .settings import FILE

if TYPE_CHECKING:
    from .settings import Settings

MAX_ANSWER_BYTES = 256 << 10
_MAX_TOKENS = 10_000_000  # of one call, as an endpoint may claim


class Completion(Struct, frozen=True):
    """The model's text, and the tokens that the endpoint says it took; None where it says nothing that can be."""

    text: str
    tokens: int | None


class _Message(Struct):
    content: str | None = None


class _Choice(Struct):
    message: _Message
    finish_reason: str | None = None


class _Usage(Struct):
    total_tokens: int = -1


class _Answer(Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


def address(settings: Settings) -> str:
    """Where a request goes."""
    return f"{settings.url.rstrip('/')}/chat/completions"


def complete(settings: Settings, key: str, body: bytes) -> Completion:
    """What the model says to `body`; raises as this file's head says."""
    # To think is not to be silent: the whole time is for the first byte.
    with Client(settings.networks, pace=Pace(idle_s=float(settings.timeout_s))) as outside:
        return ask(outside, settings, key, body)


def ask(outside: Client, settings: Settings, key: str, body: bytes) -> Completion:
    """As `complete`, with a client of the caller's."""
    headers = {"content-type": "application/json", "accept": "application/json"}
    if key:
        headers["authorization"] = f"Bearer {key}"
    try:
        answer = outside.post(
            address(settings),
            body,
            headers,
            float(settings.timeout_s),
            most_bytes=MAX_ANSWER_BYTES + 1,
        )
    except RefusedError as error:
        raise ConfigError(
            f"the endpoint may not be reached: {error.what}",
            where=FILE,
            mend="`allow` names networks that may be, beside public ones",
        ) from None
    _check(answer.status, settings, answer.retry_after_s)
    if len(answer.body) > MAX_ANSWER_BYTES:
        raise TooMuchError("the endpoint's answer is too large", where=settings.origin)
    return _read(answer.body)


def _check(status: int, settings: Settings, retry_after_s: float | None) -> None:
    if status == 200:
        return
    if status in (401, 403):
        raise ConfigError("the endpoint refuses the key", where=FILE, mend="see key_file")
    if status == 404:
        raise ConfigError("the endpoint has no such model or address", where=FILE, mend="see url and model")
    if status in (400, 413, 415, 422):
        raise ConfigError(
            f"the endpoint does not take the request ({status})",
            where=FILE,
            mend='try structured = "object" or "none", or a smaller prompt_chars',
        )
    if 300 <= status < 400:
        raise ConfigError("the endpoint sends elsewhere, which is not followed", where=FILE, mend="see url")
    raise StatusError(status, settings.origin, retry_after_s)


def _read(body: bytes) -> Completion:
    try:
        said = msgspec.json.decode(body, type=_Answer)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise InputError("the endpoint's answer is not of the protocol", where="answer") from None
    if not said.choices:
        raise InputError("the endpoint's answer has no choice", where="answer")
    first = said.choices[0]
    if first.finish_reason == "length":
        raise InputError(
            "the model's answer was cut off",
            where="answer",
            mend="answer_tokens bounds it; a larger one may do",
        )
    if first.finish_reason == "content_filter" or not first.message.content:
        raise InputError("the model gave no answer", where="answer")
    tokens = said.usage.total_tokens if said.usage else -1
    return Completion(first.message.content, tokens if 0 <= tokens <= _MAX_TOKENS else None)
