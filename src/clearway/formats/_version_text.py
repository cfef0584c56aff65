"""Version statements that people wrote: "< 1.2.3", "1.0 and prior", "All versions < V2.0 SP1".

Only what has one reading is read; everything else stays text, so that a verdict can say why it is unknown.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

from msgspec import Struct

from clearway.records.advisory import Event

# Words that state no version. A lower end that is one of them is not stated; it is not "0".
NOTHING = frozenset(
    (
        "",
        "n/a",
        "na",
        "n.a.",
        "-",
        "--",
        "unspecified",
        "not specified",
        "unknown",
        "none",
        "null",
        "various",
        "multiple",
        "other",
        "see references",
        "see description",
        "see advisory",
        "tbd",
        "?",
    )
)
_EVERYTHING = frozenset(
    ("*", "all", "all versions", "all version", "all versions affected", "any", "any version")
)
_MAX_CHARS = 200

# A version as people write it: "1.2.3", "V4.4 SP3 HF5", "15.2(1)GC", "R12". One blank before a suffix word.
_SUFFIX = (
    r"(?: (?:SP|SR|Update|Upd|HF|Hotfix|MP|Patch|Build|Rev|R|P|U|FP|CU|RU|SU|beta|rc)[ ._-]?[\w.]{1,20})"
)
_VERSION = r"(?:[A-Za-z]{0,3}[._-]?|V )\d[\w.+~:()\\-]{0,79}" + _SUFFIX + "{0,4}"
_IS_VERSION = re.compile(_VERSION, re.IGNORECASE | re.ASCII)
_OPERATOR = re.compile(r"(<=|=<|>=|=>|==|<|>|=|≤|≥)")
_SAME = {"=<": "<=", "≤": "<=", "=>": ">=", "≥": ">=", "==": "="}
_LEAD = re.compile(
    r"(?:all )?(?:(?:firmware|software|bios|hardware|supported) )?versions?:? *", re.IGNORECASE
)
_WILDCARD = re.compile(r"([vV]?)(\d{1,9}(?:\.\d{1,9}){0,5})\.[xX*]")
_LATER = r"later|above|newer|higher|onwards?|up"
_EARLIER = r"prior|earlier|below|older|lower|previous"
_PHRASES: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern.replace("V!", f"({_VERSION})"), re.IGNORECASE | re.ASCII), lower, upper)
    for pattern, lower, upper in (
        (r"(?:before|prior to|earlier than|lower than|below)(?: version)? V!", "", "fixed"),
        (r"(?:through|up to and including|up to \(including\))(?: version)? V!", "", "last_affected"),
        (rf"V! (?:and|or)(?: all)? (?:{_EARLIER})(?: versions?)?\.?", "", "last_affected"),
        (rf"V! (?:and|or)(?: all)? (?:{_LATER})(?: versions?)?\.?", "introduced", ""),
        (r"(?:from )?V! (?:through|up to and including)(?: version)? V!", "introduced", "last_affected"),
        (r"V! [-–] V!", "introduced", "last_affected"),
        (r"(?:from )?V! (?:before|prior to)(?: version)? V!", "introduced", "fixed"),
    )
)


class Reading(Struct, frozen=True):
    """What a text says. `ranges` are event lists; all empty and `understood`: it states no version."""

    ranges: tuple[tuple[Event, ...], ...] = ()
    versions: tuple[str, ...] = ()
    understood: bool = True
    scheme: str = ""  # of a `vers:` text


_FROM_START = Event("introduced", "0")
_ALL = Reading(ranges=((_FROM_START,),))
_UNREAD = Reading(understood=False)


@lru_cache(maxsize=8192)
def read(text: str) -> Reading:
    """The one reading of `text`, else `understood` False.

    "< 2" and "2 and prior" state all that is lower, hence `introduced` "0". ">" has no exact event and
    stays unread; so do "up to X" (with or without X?) and lower ends that overlap.
    """
    if len(text) > _MAX_CHARS:
        return _UNREAD
    t = " ".join(text.split())
    low = t.lower()
    if low in NOTHING:
        return Reading()
    if low in _EVERYTHING:
        return _ALL
    if low.startswith("vers:"):
        return _vers(t)
    if _IS_VERSION.fullmatch(t):
        return _wildcard(t) or Reading(versions=(t,))
    t = _LEAD.sub("", t, count=1) if _LEAD.match(t) else t
    if _OPERATOR.search(t):
        return _comparators(t)
    return _phrase(t) or _wildcard(t) or _list(t)


def is_bound(text: str) -> bool:
    """Whether `text` can end a range: some vendor's version, not words, wildcards or an address."""
    return (
        0 < len(text) <= 80
        and any(c.isdigit() for c in text)
        and not any(c in "<>=,;|*" for c in text)
        and "://" not in text
        and text.count(" ") <= 3
        and text.isprintable()
    )


def after_wildcard(text: str) -> str:
    """The first version beyond "6.6.*" ("6.7"); "" when `text` is no such pattern."""
    found = _WILDCARD.fullmatch(text)
    if found is None:
        return ""
    head, _, last = found[2].rpartition(".")
    return f"{found[1]}{head}{'.' if head else ''}{int(last) + 1}"


def _vers(t: str) -> Reading:
    """A `vers:` range; "all" and unknown schemes, which real advisories use, are read alike."""
    scheme, slash, rest = t[5:].partition("/")
    rest = unquote(rest).strip()
    if not slash or not rest:
        return _UNREAD
    if rest == "*":
        return _ALL
    if not _OPERATOR.search(rest):
        versions = tuple(part.strip() for part in rest.split("|"))
        good = all(is_bound(version) for version in versions)
        return Reading(versions=versions, scheme=scheme.lower()) if good else _UNREAD
    found = _comparators(rest)
    return Reading(found.ranges, found.versions, found.understood, "" if scheme == "all" else scheme.lower())


def _comparators(t: str) -> Reading:
    """Lower and upper ends in turn: ">= 1.0, < 1.4 | >= 2.0, < 2.1"."""
    first, *rest = _OPERATOR.split(t)
    first = first.strip(" ,|")
    if first:  # "1.0 < 1.4": from 1.0 on, below 1.4
        if len(rest) != 2 or rest[0] not in ("<", "<=") or not _IS_VERSION.fullmatch(first):
            return _UNREAD
        rest = [">=", first, *rest]
    ranges: list[tuple[Event, ...]] = []
    versions: list[str] = []
    lower: Event | None = None
    for at in range(0, len(rest), 2):
        operator = _SAME.get(rest[at], rest[at])
        value = re.sub(r"[ ,|;&]+(?:and|or)?[ ,|]*$", "", rest[at + 1].strip(), flags=re.IGNORECASE).strip()
        value = re.sub(r"^versions? ", "", value, flags=re.IGNORECASE)
        if not _IS_VERSION.fullmatch(value) or "*" in value:
            return _UNREAD
        if operator == "=" and lower is None:
            versions.append(value)
        elif operator == ">=" and lower is None:
            lower = Event("introduced", value)
        elif operator in ("<", "<=") and (lower is not None or not ranges):
            end = Event("fixed" if operator == "<" else "last_affected", value)
            ranges.append((lower or _FROM_START, end))
            lower = None
        else:
            return _UNREAD
    if lower is not None:
        ranges.append((lower,))
    return Reading(ranges=tuple(ranges), versions=tuple(versions))


def _phrase(t: str) -> Reading | None:
    for pattern, lower, upper in _PHRASES:
        found = pattern.fullmatch(t)
        if found is None:
            continue
        start = Event("introduced", found[1]) if lower else _FROM_START
        if not upper:
            return Reading(ranges=((start,),))
        end = Event("fixed" if upper == "fixed" else "last_affected", found[found.re.groups])
        return Reading(ranges=((start, end),))
    return None


def _wildcard(t: str) -> Reading | None:
    found = _WILDCARD.fullmatch(t)
    if found is None:
        return None
    start = Event("introduced", found[1] + found[2])
    return Reading(ranges=((start, Event("limit", after_wildcard(t))),))


def _list(t: str) -> Reading:
    parts = [part for part in re.split(r"(?:,? and |[,|;]| or )", t) if part.strip()]
    versions = tuple(part.strip() for part in parts)
    if 0 < len(versions) <= 50 and all(
        _IS_VERSION.fullmatch(v) and not _WILDCARD.fullmatch(v) for v in versions
    ):
        return Reading(versions=versions)
    if " " not in t and is_bound(t):
        return Reading(versions=(t,))
    return _UNREAD
