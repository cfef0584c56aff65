"""Whether a text that somebody typed as the version of a thing is one: lists and banners hold bounds and ranges, too.

Most of these would be read as a version by the order that takes any text with a number in it, and a product would be
safe by a comparison that nobody meant. What is doubtful is none; what vendors write beside a version stays one:
"12.1(3)S", "8.0 Update 2", "15.0, build 5", "13.1-49.15".
"""

from __future__ import annotations

import re
from unicodedata import category, normalize

_SHOWN = 40
_MOST = 1024  # characters of a version
_ANY = frozenset(("all", "any", "all versions", "any version"))
# Drupal's "8.x-1.2" is a version.
_WILDCARD = re.compile(r"[*?]|(?:^|\.)x+(?=[. ,;/)]|$)")
# An operator, or what says the same after a number: "7.0+".
_BOUND = re.compile(
    r"[<>]|^[=!~^]|&[lg]t;|\d ?\+(?=[ ,;)]|$)|^pre[ -]?\d"
    r"|^(?:[-–—]|\.\.+) ?v?\d|\d ?(?:[-–—~=:_]|\.\.+)$"  # an open end
)
_BOUND_WORDS = re.compile(
    r"\b(?:earlier|prior|previous(?:ly)?|before|below|under|older|lower|less|later|after|newer|above|over|higher|greater"
    r"|onwards?|upwards?|at least|at most|min(?:imum)?|max(?:imum)?|since|from|until|till|through|thru|between|up ?to"
    r"|and up|except|excluding|including|inclusive|all|any|fixed|affected"
    r"|oder|bis|vor|ab|unter|mindestens|höchstens|(?:älter|aelter|neuer|früher|frueher|höher|hoeher)(?:e[nrs]?)?"
    r"|avant|jusqu|jusque|hasta|antes|fino|prima|menor(?:es)?|mayor(?:es)?|posterior\w*|anterior\w*|ant[ée]rieur\w*"
    r"|ulterior\w*|ult[ée]rieur\w*|post[ée]rieur\w*|preceden\w*|pr[ée]c[ée]den\w*|successiv\w*|inferior\w*"
    r"|inf[ée]rieur\w*|superior\w*|sup[ée]rieur\w*|ouder|eerder|nieuwer|starsz\w*|nowsz\w*)\b"
)
_ARROWS = re.compile("[\u2190-\u21ff\u2794-\u27be\u27f0-\u27ff\u2900-\u297f\u2b00-\u2bff»›]")
_RANGE = re.compile(
    r"\S(?: [-~] ?|[-~] | ?(?:[–—…]|\.\.+) ?)v?\d|\d : v?\d|\bto\b|\d ?[\\=] ?v?\d|\d\.\d+:v?\d+\.\d"
)
# "7.2.1-7.2.9" has two of one length and one beginning. "13.1-49.15" is a build, "5.10.0-8" a revision.
_UNSPACED = re.compile(r"(?<![\w.-])v?(\d+)((?:\.\d+)+)[-_]v?(\d+)((?:\.\d+)+)(?![\w.-])")
_SEPARATORS = re.compile(r"[,;|]| (?:and|or|und|&|/|\+) ")
_SLASHED = re.compile(r"v?\d+(?:\.\d+)*(?:/v?\d+(?:\.\d+)*)+")
_BESIDE = re.compile(r"(?<![\w.])v?\d+(?:\.\d+)+ v?\d+\.\d")
# "Android 12.0", and not "build 12.0".
_DOTTED = re.compile(r"(?!(?:build|patch|rev|revision|sp|update|hotfix|fw|firmware)\b).*?(?<![\w.])v?\d+\.\d")
_NUMBERED = re.compile(r"v?\d")
# Words that vendors, distributions and banners write behind a number; in capitals any short one may be such.
_WORDS = frozenset(
    ("advanced", "alma", "almalinux", "alpha", "alpine", "amazon", "amd", "android", "apr", "april", "arch", "arm",
     "aug", "august", "beta", "bit", "bits", "bugfix", "build", "candidate", "centos", "client", "code", "community",
     "core", "cu", "cumulative", "datacenter", "debian", "dec", "december", "desktop", "dev", "developer",
     "development", "edition", "editions", "education", "el", "embedded", "enterprise", "esr", "essentials",
     "express", "extended", "feature", "feb", "february", "fedora", "final", "fips", "firmware", "fix", "fp",
     "freebsd", "fw", "ga", "general", "gentoo", "git", "gold", "hf", "home", "hotfix", "intel", "ios", "jan",
     "january", "jul", "july", "jun", "june", "kernel", "level", "levels", "linux", "long", "lts", "ltsb", "ltsc",
     "mac", "macos", "maintenance", "mar", "march", "mariadb", "may", "milestone", "mp", "mr", "mu", "netbsd",
     "nightly", "nov", "november", "oct", "october", "openbsd", "opensuse", "oracle", "osx", "pack", "patch",
     "patches", "patchlevel", "pl", "plus", "pre", "premium", "preview", "pro", "production", "professional",
     "protocol", "ps", "raspbian", "rc", "redhat", "rel", "release", "rev", "revision", "rhel", "rocky", "rollup",
     "ru", "security", "sep", "sept", "september", "server", "service", "signed", "sles", "snapshot", "software",
     "solaris", "sp", "stable", "standalone", "standard", "su", "support", "suse", "term", "ubuntu", "ultimate",
     "unix", "update", "ver", "version", "win", "windows", "workstation")
)  # fmt: skip
_BETWEEN_WORDS = re.compile(r"[\s()\[\]{},;/|&]+")
_SHORT = 4  # letters
_RESOURCE = re.compile(r"\d+(?: ?, ?\d+){3}")  # as Windows writes a file's version: "1, 0, 0, 1"


def why_not(text: str, *, packaged: bool = False) -> str:
    """Why `text` is not the version of one thing; "" where it may be one (or says nothing).

    `packaged`: of a package whose ecosystem has an order of its own, in which "1.0-1.1" is a version.
    """
    if len(text) > _MOST:
        return _say(text, "too long for a version", "")
    plain = " ".join(normalize("NFKC", text).replace("\n", ";").split())
    low = plain.lower()
    if low in _ANY or _WILDCARD.search(low):
        return _say(text, "a wildcard")
    if _BOUND.search(low) or any(category(c) == "Sm" and not c.isascii() for c in _ARROWS.sub("", low)):
        return _say(text, "a bound")
    if not any(c.isdigit() for c in low):
        return ""  # words that no order reads
    if _BOUND_WORDS.search(low.replace("_", " ")):
        return _say(text, "a bound")
    interval = low[0] in "[(" and low[-1] in ")]" and "," in low
    if interval or _ARROWS.search(low) or _RANGE.search(low) or (not packaged and _is_range(low)):
        return _say(text, "a range")
    if _is_list(low):
        return _say(text, "several versions", ", not one")
    more = _more(plain)
    return _say(text, "a version with more words", f" ({more[:_SHOWN]!r})") if more else ""


def _say(text: str, what: str, rest: str = ", not a version") -> str:
    return f"{text[:_SHOWN]!r} is {what}{rest}"


def _more(plain: str) -> str:
    """What stands behind a number and is no part of a version that anybody writes: words may turn it into a bound."""
    first = next(n for n, c in enumerate(plain) if c.isdigit())
    for said in _BETWEEN_WORDS.split(plain[first:]):
        word = said.strip(".:-_'\"!")
        if not word.isascii() and any(c.isalpha() and not c.isascii() for c in word):
            return word
        short = word.isupper() and len(word) <= _SHORT
        if len(word) > 1 and word.isalpha() and not short and word.lower() not in _WORDS:
            return word
    return ""


def _is_range(low: str) -> bool:
    found = _UNSPACED.search(low)
    return found is not None and found[1] == found[3] and found[2].count(".") == found[4].count(".")


def _is_list(low: str) -> bool:
    if _RESOURCE.fullmatch(low):
        return False
    parts = [part.strip() for part in _SEPARATORS.split(low) if part.strip()]
    dotted = sum(_DOTTED.match(part) is not None for part in parts)
    if dotted > 1 or (len(parts) > 1 and all(_NUMBERED.match(part) for part in parts)):
        return True
    slashed = low.split("/")
    if _SLASHED.fullmatch(low) and len({part.count(".") for part in slashed}) == 1:
        return True
    return _BESIDE.search(low) is not None
