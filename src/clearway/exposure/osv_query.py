"""OSV queries, pure: from what a client sent to the records that affirm. Matching is `judge`'s own.

The wire format has no word for *unknown*. One query that can't be judged is an error; in a batch it
answers `{}`, as a package without flaws does, and a response header names its position.
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from clearway.formats import purl as purls
from clearway.records.ecosystem import OSV_ECOSYSTEMS, base, normal_ecosystem, normal_name
from clearway.records.errors import InputError, UsageError, VersionUnreadableError

from .judge import judge

if TYPE_CHECKING:
    from clearway.advisories.table import Table

PAGE = 1_000  # records in one answer, as OSV.dev
MAX_QUERIES = 1_000  # in one batch, as OSV.dev

_COMMIT = "commit"  # what the table calls the ecosystem whose packages are single commits
_HEX = frozenset("0123456789abcdef")
_DIGEST_BYTES = 9

# Protocol-buffer JSON: a member that is null or "" is the same as one that is absent.
_Text = Annotated[str, Meta(max_length=1024)] | None
_PurlText = Annotated[str, Meta(max_length=8192)] | None


class Package(Struct, frozen=True):
    """A package: `ecosystem` as OSV spells it ("PyPI", "Debian:12") and `name`, or `purl` instead of both."""

    ecosystem: _Text = None
    name: _Text = None
    purl: _PurlText = None


class Query(Struct, frozen=True):
    """What to look for: a package, with or without `version`; or the full id of a git `commit`.

    The version is given once, in `version` or in the purl. `page_token` continues an answer.
    """

    package: Package | None = None
    version: _Text = None
    commit: _Text = None
    page_token: Annotated[str, Meta(max_length=4096)] | None = None


class Asked(Struct, frozen=True):
    """A query in the table's own spelling. `version` "" asks for every record about the package."""

    ecosystem: str
    name: str
    version: str
    problem: str = ""  # why it can't be judged: no ecosystem is known for it

    @property
    def digest(self) -> bytes:
        """Which question this is: a page token holds for one question only."""
        text = "\0".join((self.ecosystem, self.name, self.version))
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()


class Answer(Struct, frozen=True):
    """The records that affirm, as record id -> a source that affirms, ids in order.

    `unknown` says why nothing is known where no record affirms and silence proves nothing.
    """

    records: dict[str, str]
    unknown: str = ""
    unreadable: bool = False  # it is the version that can't be read


def interpret(query: Query, where: str = "") -> Asked:
    """What `query` asks for; `where` is its place in the request.

    Raises:
        UsageError: it asks for nothing, or says the same thing twice.
        InputError: the purl or the commit can't be read.
    """
    package = query.package or Package()
    version, commit = query.version or "", query.commit or ""
    if commit:
        if version or package != Package():
            raise UsageError(
                "a commit is asked for by itself", where=where, mend="leave `package` and `version` out"
            )
        if len(commit) not in (40, 64) or not _HEX.issuperset(commit.lower()):
            raise InputError(
                "this is not a full git commit id", where=where, mend="give all 40 (or 64) hex digits"
            )
        return Asked(_COMMIT, commit.lower(), commit.lower())
    if package.purl:
        return _by_purl(package, version, where)
    if not package.name or not package.ecosystem:
        raise UsageError(
            "a package needs its ecosystem and its name: nothing is matched by a bare name",
            where=where,
            mend="give `package` as {ecosystem, name} or {purl}, or give `commit`",
        )
    ecosystem = normal_ecosystem(package.ecosystem)
    known = base(ecosystem) in OSV_ECOSYSTEMS
    problem = "" if known else f"no ecosystem is called {package.ecosystem[:60]!r}"
    return Asked(ecosystem, normal_name(ecosystem, package.name), version, problem)


def _by_purl(package: Package, version: str, where: str) -> Asked:
    if package.name or package.ecosystem:
        raise UsageError(
            "the package is named twice", where=where, mend="give the purl, or ecosystem and name"
        )
    try:
        parsed = purls.parse(package.purl or "")
    except InputError as error:
        raise InputError(error.what, where=where, mend=error.mend) from None
    if parsed.version and version:
        raise UsageError(
            "the version is given twice", where=where, mend="give it in the purl or in `version`"
        )
    ecosystem, name, own = purls.identity(parsed)
    problem = "" if ecosystem else "the purl names no package of a known ecosystem"
    return Asked(ecosystem, name, own or version, problem)


def answer(table: Table, asked: Asked) -> Answer:
    """Every record of the table that affirms what was asked.

    With a version, by `judge`; without one, every record that calls some version affected.
    """
    if asked.problem:
        return Answer({}, asked.problem)
    found: dict[str, str] = {}
    unknown = ""
    unreadable = False
    if asked.version:
        judged = judge(table, asked.ecosystem, asked.name, asked.version)
        unreadable = bool(judged.problem)
        for said in judged.statements:
            if said.verdict == "affected":
                found.setdefault(said.record, said.source)
            elif said.verdict == "unknown":
                unknown = said.reason
    else:
        for claim in table.claims(asked.ecosystem, asked.name):
            if claim.status == "affected":
                found.setdefault(claim.record, claim.source)
    if found:
        return Answer(dict(sorted(found.items())))
    if not unknown:
        covered = table.coverage(asked.ecosystem)
        unknown = "" if covered.covered else covered.reason
    return Answer({}, unknown, unreadable)


def judged_or_error(asked: Asked, found: Answer) -> Answer:
    """`found`, for the answer to one query.

    Raises:
        VersionUnreadableError: its version has no place in its ecosystem's order.
        InputError: no ecosystem of that name is known.
    """
    if found.unreadable:
        raise VersionUnreadableError(
            found.unknown, where="version", mend=f"give a version as {base(asked.ecosystem)} spells them"
        )
    if asked.problem:
        raise InputError(
            asked.problem, where="package", mend="use an ecosystem of the OSV schema, in its spelling"
        )
    return found


class Page(Struct, frozen=True):
    """Part of an answer; `token` asks for the next one, "" at the end."""

    ids: tuple[str, ...]
    token: str = ""


def page(asked: Asked, found: Answer, token: str | None, room: int = PAGE, where: str = "") -> Page:
    """The page that `token` asks for, of at most `room` records.

    Pages are in order of record ids, so a token stays good when the table is replaced meanwhile.

    Raises:
        InputError: the token is not one of ours, or is another question's.
    """
    ids = list(found.records)
    start = bisect_right(ids, _read_token(asked, token, where)) if token else 0
    chosen = tuple(ids[start : start + room])
    if start + len(chosen) >= len(ids):
        return Page(chosen)
    last = chosen[-1] if chosen else ids[start - 1] if start else ""
    return Page(chosen, base64.urlsafe_b64encode(asked.digest + last.encode()).decode())


def _read_token(asked: Asked, token: str, where: str) -> str:
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
        if raw[:_DIGEST_BYTES] == asked.digest:
            return raw[_DIGEST_BYTES:].decode()
    except (binascii.Error, ValueError):
        pass
    raise InputError(
        "the page token is not one for this query",
        where=f"{where}.page_token" if where else "page_token",
        mend="send the query again without it",
    )
