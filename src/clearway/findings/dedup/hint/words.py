"""A description as terms: what it says of a flaw, without the names that databases gave it. Pure.

Ids, links and commit hashes are taken out: two descriptions that name the same id need no hint, and one that copies
another's links would count as evidence what is none.
"""

from __future__ import annotations

import re
from collections import Counter

MOST = 16 << 10  # characters of a text that are looked at

_MASKED = re.compile(
    r"https?://\S+|www\.\S+"
    r"|\bGHSA(?:-\w{4}){3}\b"
    r"|\b(?:CVE|PYSEC|OSV|GO|BIT|RUSTSEC|PSF|DSA|DLA|USN|RHSA|HSEC|EEF|ALSA|CWE|CWF)-[\w-]{0,40}?\d[\w-]{0,40}"
    r"|\b[0-9a-f]{7,64}\b",
    re.IGNORECASE,
)
_TERM = re.compile(r"[A-Za-z0-9_][\w./:\-]*\w|\w")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_VERSION = re.compile(r"^v?\d+(?:\.\d+)+(?:[-.]?(?:a|b|rc|alpha|beta|dev|post|patch)[\d.]*)?$")
_ENDINGS = ("ations", "ation", "ities", "ments", "ment", "ings", "ing", "edly", "ed", "ies", "es", "s", "ly")
_STOP = frozenset(
    (  # noqa: SIM905
        "a an and are as at be been before but by can could do does for from has have how if in into is it "
        "its may of on or other prior same than that the their then there these this through to up via was "
        "were when where which who will with would versions version issue vulnerability vulnerabilities "
        "attacker attackers allows allow affected fix fixed patched patch users user also not any all upgrade "
        "release released later earlier using used "
    ).split()
)
# One word for what databases call by several names. The classes are those of CWE, as people write them.
_CLASSES: tuple[tuple[str, str], ...] = (
    ("xss", r"cross[- ]site scripting|\bxss\b|html injection|inject arbitrary (?:web )?script"),
    ("sqli", r"sql injection|\bsqli\b"),
    ("csrf", r"cross[- ]site request forgery|\bcsrf\b"),
    ("ssrf", r"server[- ]side request forgery|\bssrf\b"),
    ("traversal", r"(?:path|directory) traversal|\.\./|zip slip"),
    ("overflow", r"(?:buffer|heap|stack)[- ](?:based )?(?:buffer )?overflow|out[- ]of[- ]bounds|oob (?:read|write)"),
    ("integer", r"integer (?:overflow|underflow|truncation)|divi(?:de|sion) by (?:zero|0)|floating point exception"),
    ("use-after-free", r"use[- ]after[- ]free|double[- ]free|dangling"),
    ("null", r"null[- ](?:pointer|ptr|dereference)|nil (?:pointer )?dereference|nullptr"),
    ("assert", r"assertion failure|check[- ]fail|check`[- ]fail|reachable assertion|\bpanics?\b"),
    ("uninitialised", r"uninitiali[sz]ed"),
    ("redos", r"redos|regular expression"),
    ("dos", r"denial[- ]of[- ]service|\bdos\b|(?:memory|cpu|resource) (?:exhaustion|consumption)|infinite loop"),
    ("deserialise", r"deseriali[sz]|unpickl|\bpickle|yaml\.load"),
    ("command", r"(?:command|code|argument|template) injection|arbitrary (?:code|command)|\brce\b|code execution"),
    ("redirect", r"open redirect"),
    ("smuggling", r"request smuggling|crlf|header injection|response splitting"),
    ("xxe", r"\bxxe\b|external entit"),
    ("race", r"race condition|toctou|symlink"),
    ("authentication", r"authenticat|impersonat|session fixation|password reset"),
    ("authorisation", r"authori[sz]ation|access control|privilege|permission|bypass"),
    ("disclosure", r"information (?:disclosure|exposure|leak)|sensitive information|cleartext|plaintext|leak"),
    ("crypto", r"timing attack|side[- ]channel|signature|cryptograph|certificate|cipher|entropy|\btls\b"),
    ("clickjacking", r"clickjack"),
    ("pollution", r"prototype pollution"),
)  # fmt: skip
_CLASS = tuple((name, re.compile(pattern, re.IGNORECASE)) for name, pattern in _CLASSES)


class Terms:
    """What a description says, cut up.

    `terms` count every word and part of a name; `names` are what looks like code or a path; `versions` what looks like
    a version; `classes` which kinds of flaw its words name.
    """

    __slots__ = ("classes", "names", "terms", "versions")

    def __init__(self, text: str) -> None:
        text = _MASKED.sub(" ", text[:MOST])
        self.terms: Counter[str] = Counter()
        names: set[str] = set()
        versions: set[str] = set()
        for found in _TERM.finditer(text):
            word = found[0].strip("./:-_")
            if _VERSION.match(word):
                versions.add(word.lstrip("vV"))
                continue
            lower = word.lower()
            if _is_name(word):
                names.add(lower)
                self.terms[lower] += 1
                last = re.split(r"[/.:]", lower)[-1]
                if last != lower and len(last) > 2:
                    names.add(last)
                for part in _PART.findall(word):
                    self._add(part.lower())
            else:
                self._add(lower)
        self.names = frozenset(names)
        self.versions = frozenset(versions)
        self.classes = frozenset(name for name, pattern in _CLASS if pattern.search(text))

    def _add(self, word: str) -> None:
        if len(word) > 1 and word not in _STOP and not word.isdigit():
            self.terms[stem(word)] += 1


def stem(word: str) -> str:
    """The word without its ending, when four letters are left."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def _is_name(word: str) -> bool:
    return (
        any(c in word[1:] for c in "_/.:")
        or (any(c.isupper() for c in word[1:]) and not word.isupper())
        or (any(c.isdigit() for c in word) and any(c.isalpha() for c in word))
    )
