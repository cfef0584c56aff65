"""What came back from the model, read strictly, and made plain. Pure.

The answer is a stranger's text twice over: the model's, and through it the report's. So: an exact type, bounds on each
text, no control characters, no links, no id that was not given. What it names that it was not told is said beside it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from clearway.formats.reported_parts import prose
from clearway.records.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .outgoing import Kind

MAX_TEXT = 4_000
MAX_DOUBTS = 10
MAX_QUESTIONS = 5  # asked for; a small model would go on with the list until it is cut off
_MAX_CHARS = 64 << 10
_FENCE = re.compile(r"\A\s*```(?:json)?[ \t]*\n(.*?)\n?```\s*\Z", re.DOTALL)
_MARKED_LINK = re.compile(r"!?\[([^\]\n]{0,300})\]\([^)\n]{0,2000}\)")
# Without word boundaries: what is glued to other letters is still read as a link by somebody.
_LINK = re.compile(
    r"(?:[a-z][a-z0-9+.-]{0,20}://|www\.|(?:javascript|vbscript|mailto)\s*:|data:\w+/|file:/|(?<![\w:/])//(?=\w))\S*",
    re.IGNORECASE,
)
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}")
_HANDLING = re.compile(r"CW[FC]-[0-9A-Z]{4}-[0-9A-Z]{4}", re.IGNORECASE)
# What a reader would look up, and so must come from the report: ids of other databases, classes, versions.
_NAMED = re.compile(
    r"\b(?:CVE-\d{4}-\d{4,19}|GHSA(?:-[0-9a-z]{4}){3}|CWE-\d{1,5}|\d{1,6}(?:\.\d{1,6}){1,4})\b", re.IGNORECASE
)
TAKEN_OUT = "[taken out]"

Line = Annotated[str, Meta(max_length=500)]


class Summary(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A summary as the model gives it."""

    summary: Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
    impact: Annotated[str, Meta(max_length=MAX_TEXT)] = ""
    open_questions: Annotated[tuple[Line, ...], Meta(max_length=10)] = ()


class Duplicate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One finding that the model takes for the same flaw, by the name that it was given there."""

    finding: Annotated[str, Meta(max_length=100)]
    reason: Line


class Duplicates(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which findings may be the same flaw, as the model gives it."""

    duplicates: Annotated[tuple[Duplicate, ...], Meta(max_length=50)]


class Pair(Struct, frozen=True, kw_only=True):
    """One finding and why it may be the same flaw. `finding` is a name that was given."""

    finding: str
    reason: str


class Drafted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A proposal: what it says, made plain, and what a reader should doubt. A summary or pairs, never both."""

    summary: str = ""
    impact: str = ""
    open_questions: tuple[str, ...] = ()
    pairs: tuple[Pair, ...] = ()
    doubts: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The summary as one text, to go on from."""
        return "\n\n".join(part for part in (self.summary, self.impact) if part)


def schema(kind: Kind, refs: Sequence[str]) -> dict[str, Any]:
    """The JSON schema of an answer, in the part of the language that endpoints take (`strict`)."""
    text = {"type": "string"}
    if kind == "summary":
        questions = {"type": "array", "items": text, "maxItems": MAX_QUESTIONS}
        return _object(summary=text, impact=text, open_questions=questions)
    named = {"type": "string", "enum": list(refs)} if refs else text
    pairs = {"type": "array", "items": _object(finding=named, reason=text), "maxItems": len(refs)}
    return _object(duplicates=pairs)


def read(kind: Kind, said: str, refs: Sequence[str], sent: str) -> Drafted:
    """The proposal that the model's text is. `refs` are the names it was given, `sent` is what it was told.

    Raises:
        InputError: it is not of the type; nothing of it is quoted.
    """
    if len(said) > _MAX_CHARS:
        raise InputError("the model's answer is too long", where="answer")
    fenced = _FENCE.match(said)
    raw = (fenced[1] if fenced else said).strip()
    doubts: list[str] = []
    if kind == "summary":
        told = _decoded(raw, Summary)
        found = Drafted(
            summary=_plain(told.summary, doubts),
            impact=_plain(told.impact, doubts),
            open_questions=tuple(filter(None, (_plain(q, doubts) for q in told.open_questions))),
        )
        if not found.summary:
            raise InputError("the model's answer has no summary", where="answer")
    else:
        pairs: dict[str, str] = {}
        for one in _decoded(raw, Duplicates).duplicates:
            if one.finding not in refs:
                doubts.append("it named a finding that it was not given; that is left out")
            elif one.finding not in pairs:
                pairs[one.finding] = _plain(one.reason, doubts) or "no reason given"
        found = Drafted(pairs=tuple(Pair(finding=ref, reason=why) for ref, why in pairs.items()))
    doubts += _unfounded(found, sent)
    return msgspec.structs.replace(found, doubts=tuple(dict.fromkeys(doubts))[:MAX_DOUBTS])


_T = TypeVar("_T", bound=Struct)


def _decoded(raw: str, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        raise InputError(
            "the model's answer is not of the form that was asked for",
            where="answer",
            mend="another model, or another `structured`, may keep to it",
        ) from None


def _plain(text: str, doubts: list[str]) -> str:
    """`text` as data: lines without control characters, links, addresses and handling ids."""
    found = prose(text, MAX_TEXT)
    if "\ufffd" in found and "\ufffd" not in text:
        doubts.append("it had control characters")
    found = _MARKED_LINK.sub(r"\1 " + TAKEN_OUT, found)
    for pattern, what in (
        (_LINK, "it had a link, which is taken out"),
        (_MAIL, "it had a mail address, which is taken out"),
        (_HANDLING, "it named a handling id that it was not given, which is taken out"),
    ):
        found = pattern.sub(TAKEN_OUT, found)
        if TAKEN_OUT in found and pattern.search(text):
            doubts.append(what)
    return found.strip()


def _unfounded(found: Drafted, sent: str) -> list[str]:
    """What it names that it was not told."""
    known = {name.upper() for name in _NAMED.findall(sent)}
    texts = (found.summary, found.impact, *found.open_questions, *(p.reason for p in found.pairs))
    named = dict.fromkeys(name for text in texts for name in _NAMED.findall(text))
    return [f"it names {name}, which it was not told" for name in named if name.upper() not in known]


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
