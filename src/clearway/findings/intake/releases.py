"""Whether a text names a release that was shipped: a version, and nothing that moves. Pure.

What moves is a branch, `latest`, a build of the night; what was never shipped is a commit, though a full commit hash
counts beside the version that holds it: it says more exactly what was looked at. That a release of that name exists is
not asked here, for no list knows all: whoever builds it finds out.
"""

from __future__ import annotations

import re

from clearway.records.errors import VersionUnreadableError
from clearway.versions import has_keys, is_generic, key, scheme_of

MISSING = "no release is named on which it was reproduced: give a version that was shipped"
_MOVES = "a branch, a tag that moves or a build of the day is no release: reproduce it on a version that was shipped"
_COMMIT = (
    "a commit is no release: name the shipped version that holds it as the product's, beside the full hash"
)
_SHORT = (
    "part of a commit hash is no release: give a version that was shipped, with the full hash in place of it"
)
_NO_VERSION = (
    "that is no version as its ecosystem writes them: give one that was shipped, as it was published"
)
_NO_NAME = "that names no version: give one that was shipped, such as 1.2.3"

# Words of what moves, and of what says that nothing is known. A name that holds one of them is no release.
_WORDS = frozenset({
    "main", "master", "trunk", "head", "heads", "origin", "remotes", "refs", "branch", "default", "tip", "latest",
    "newest", "current", "today", "nightly", "weekly", "daily", "edge", "canary", "rolling", "snapshot", "dev",
    "devel", "develop", "development", "unstable", "staging", "unreleased", "next", "wip", "git", "svn", "hg",
    "commit", "sha", "revision", "hash", "unknown", "none", "null", "nil", "nan", "na", "tbd", "tba", "todo", "any",
    "all", "every", "various", "undefined", "unspecified",
})  # fmt: skip
# Behind a version's numbers these say that it is no release yet; others ("canary.5", "next.2") are published so.
_UNSHIPPED = frozenset({
    "git", "svn", "hg", "dev", "devel", "snapshot", "nightly", "unreleased", "main", "master", "trunk", "head",
    "current",
})  # fmt: skip
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.IGNORECASE)
_PART_OF_HASH = re.compile(r"(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}", re.IGNORECASE)
_NUMBERED = re.compile(r"v?\.?[0-9]", re.IGNORECASE)
_WORD = re.compile(r"[a-z]+", re.IGNORECASE)
_TAG = re.compile(r"^refs/tags/")
# A tag of a part of a repository, as Go's modules have: "sdk/core/v1.2.3".
_PART_TAG = re.compile(r"^[\w.-]+(?:/[\w.-]+)*/(v[0-9][^/]*)$")
_DISTROS = frozenset({"dpkg", "rpm", "apk", "pacman"})


def wrong(shown_on: str, stated: str, ecosystem: str) -> str:
    """What is wrong with the release on which a flaw was shown, and how to mend it; "" when it is one.

    `shown_on` is what the reproduction says, `stated` the product's release; one of them may be empty. The words quote
    neither.
    """
    said, stated = shown_on.strip(), stated.strip()
    if _HASH.fullmatch(said):
        return _COMMIT if _wrong(stated, ecosystem) else ""
    return _wrong(said or stated, ecosystem)


def _wrong(name: str, ecosystem: str) -> str:
    if not name:
        return MISSING
    if _HASH.fullmatch(name):
        return _COMMIT
    if _PART_OF_HASH.fullmatch(name):
        return _SHORT
    scheme = scheme_of(ecosystem)
    name = _TAG.sub("", name)
    tag = _PART_TAG.match(name)
    if tag and (is_generic(scheme) or scheme == "go") and not _words(name) & _WORDS:
        name = tag[1]
    if _NUMBERED.match(name):
        # Distributions do ship what they name after a day of a repository: "1.2+git20240101-1".
        if _words(name) & _UNSHIPPED and scheme not in _DISTROS:
            return _MOVES
    elif _words(name) & _WORDS:
        return _MOVES
    if not any(c.isdigit() for c in name) or not name[0].isalnum() or "/" in name:
        return _NO_NAME
    return "" if _reads(scheme, name) else _NO_VERSION


def _words(name: str) -> frozenset[str]:
    """The words in a name, in lower case: "gitlab-16.1" has "gitlab" and no "git"."""
    return frozenset(word.lower() for word in _WORD.findall(name))


def _reads(scheme: str, name: str) -> bool:
    if not has_keys(scheme):
        return True
    try:
        key(scheme, name)
    except VersionUnreadableError:
        return False
    return True
