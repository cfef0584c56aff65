"""An advisory that is to be published, as its writers take it: `report_csaf`, `report_osv`, `report_cve`.

What nobody has said is left empty and is not made up: no version range without an end that somebody stated, no
severity without a vector. `check` says what lacks before any of the documents can be written, and what would be read
wrongly: ranges are ordered as the ecosystem orders its versions (`clearway.versions`).
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from clearway.records.ecosystem import normal_name
from clearway.records.errors import InputError, VersionUnreadableError
from clearway.records.text import plain
from clearway.versions import compare, scheme_of

from .cvss_vector import score_of
from .purl import identity, parse, to_text
from .report_csaf_tests import RANGE_WORDS

Line = Annotated[str, Meta(max_length=300)]
Prose = Annotated[str, Meta(max_length=20_000)]
Kind = Literal["advisory", "article", "fix", "report", "package", "evidence", "web"]
Role = Literal["finder", "reporter", "analyst", "coordinator", "remediation developer", "tool", "other"]
_CWE = re.compile(r"CWE-[1-9][0-9]{0,5}", re.ASCII)
_SIGNS = re.compile(r"[<>=|*,;]")
_LAID_OUT = {ord(c): None for c in "\n\r\t"}
# C0 and C1 controls, lone surrogates, and the characters of Unicode that turn, embed or override direction (UAX 9 §2).
_UNPRINTED = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}", re.ASCII)


class Product(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One package and which of its versions are affected: from `introduced` ("0": from the first) to before `fixed`, or
    up to and with `last_affected`; or the `versions` that are listed."""

    ecosystem: Annotated[str, Meta(max_length=100)] = ""
    name: Line = ""
    purl: Annotated[str, Meta(max_length=2_000)] = ""  # without a version
    vendor: Line = ""
    introduced: Line = ""
    fixed: Line = ""
    last_affected: Line = ""
    versions: Annotated[tuple[Line, ...], Meta(max_length=500)] = ()

    @property
    def label(self) -> str:
        """As a person reads it."""
        return f"{self.vendor} {self.name}".strip()


class Reference(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something to read, by its http or https URL."""

    url: Annotated[str, Meta(max_length=2_000)]
    kind: Kind = "web"


class Credit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is credited, as they wish to be named."""

    name: Line
    role: Role = "finder"


class Dispute(Struct, frozen=True, kw_only=True):
    """Who disputes the record, and why: it travels with it."""

    party: str
    why: str
    at: datetime


class Involved(Struct, frozen=True, kw_only=True):
    """One vendor's part, in CSAF's words for it."""

    party: str
    status: Literal["completed", "contact_attempted", "disputed", "in_progress", "not_contacted", "open"]
    at: datetime | None = None


class Publisher(Struct, frozen=True, kw_only=True):
    """Who publishes. `namespace` is a URL under its control; `org_id` and `short_name` are the CNA's, "" for none."""

    name: str
    namespace: str
    contact: str = ""
    org_id: str = ""
    short_name: str = ""


class Revision(Struct, frozen=True, kw_only=True):
    """One version of the document: whole numbers from 1."""

    number: int
    at: datetime
    summary: str


class Draft(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What people write of an advisory."""

    title: Annotated[str, Meta(min_length=1, max_length=250)]
    description: Annotated[str, Meta(min_length=1, max_length=20_000)]
    products: Annotated[tuple[Product, ...], Meta(max_length=200)] = ()
    cwe: Annotated[str, Meta(max_length=10)] = ""
    vector: Annotated[str, Meta(max_length=400)] = ""  # CVSS 3.1 or 4.0
    solution: Prose = ""
    workaround: Prose = ""
    references: Annotated[tuple[Reference, ...], Meta(max_length=100)] = ()
    credits: Annotated[tuple[Credit, ...], Meta(max_length=100)] = ()


class Advisory(Struct, frozen=True, kw_only=True):
    """A draft with all that the case knows: what a writer needs, and nothing that a clock or a database says later."""

    id: str  # "CWC-7Q4K-9M2X"
    draft: Draft
    publisher: Publisher
    published: datetime
    revisions: tuple[Revision, ...]
    cve: str = ""
    disputes: tuple[Dispute, ...] = ()
    involved: tuple[Involved, ...] = ()

    @property
    def modified(self) -> datetime:
        """When the newest version was released."""
        return self.revisions[-1].at


def tidied(draft: Draft) -> Draft:
    """`draft` with each product's names from its purl, and the purl without a version.

    Raises:
        InputError: something is wrong or lacks, with its place.
    """
    from msgspec.structs import replace

    products = tuple(_product(p, f"products[{n}]") for n, p in enumerate(draft.products))
    made = replace(draft, title=draft.title.strip(), products=products)
    check(made)
    return made


def check(draft: Draft) -> None:
    """Raises InputError for what no document could be written from, naming the place and the cure."""
    if not draft.title.strip() or not draft.description.strip():
        raise InputError("title and description are needed", where="title")
    if not draft.products:
        raise InputError("no product is named", where="products", mend="name one by its purl")
    _printed(draft)
    for n, product in enumerate(draft.products):
        _range(product, f"products[{n}]")
    _fixed_and_affected(draft.products)
    if draft.cwe and not _CWE.fullmatch(draft.cwe):
        raise InputError("no weakness has that id", where="cwe", mend="such as CWE-787")
    if draft.vector and (
        not draft.vector.startswith(("CVSS:3.1/", "CVSS:4.0/")) or score_of(draft.vector) is None
    ):
        raise InputError("this is no whole vector of CVSS 3.1 or 4.0", where="vector")
    for n, reference in enumerate(draft.references):
        if not is_url(reference.url):
            raise InputError("this is no URL of http or https", where=f"references[{n}].url")
    for n, credit in enumerate(draft.credits):
        if not credit.name.strip():
            raise InputError("nobody is named", where=f"credits[{n}].name")


def is_url(text: str) -> bool:
    """Whether it is a plain URL of http or https that every reader of the documents takes."""
    if not text.isascii() or not text.isprintable() or any(c in text for c in ' <>"{}|\\^`'):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _product(given: Product, place: str) -> Product:
    from msgspec.structs import replace

    given = replace(given, versions=tuple(dict.fromkeys(given.versions)))
    if not given.purl:
        if not given.name.strip() or not (given.ecosystem or given.vendor):
            raise InputError(
                "a product is named by a purl, by ecosystem and name, or by vendor and name", where=place
            )
        return given
    try:
        found = parse(given.purl)
    except InputError as error:
        raise InputError(error.what, where=f"{place}.purl", mend=error.mend) from None
    bare = to_text(replace(found, version="", subpath=""))
    ecosystem, name, _ = identity(found)
    _agrees(given, ecosystem, name, place)
    return replace(
        given, purl=bare, ecosystem=given.ecosystem or ecosystem, name=given.name or name or found.name
    )


def _agrees(given: Product, ecosystem: str, name: str, place: str) -> None:
    """Raises InputError where the purl names another package than ecosystem and name do.

    Matching goes by ecosystem and name, other readers by the purl: one of the two would be told of the wrong package.
    The release of a system may stand in one of them alone ("Debian:12" and a purl without `distro`).
    """
    if not ecosystem:
        return  # the purl's type is of no ecosystem: it says nothing against one
    if given.ecosystem:
        theirs, ours = given.ecosystem.partition(":"), ecosystem.partition(":")
        if theirs[0] != ours[0] or (theirs[2] and ours[2] and theirs[2] != ours[2]):
            raise InputError(
                f"the purl is of {ecosystem}",
                where=f"{place}.ecosystem",
                mend="leave it out, or mend the purl",
            )
    if given.name and normal_name(ecosystem, given.name) != name:
        raise InputError(
            f"the purl names {plain(name, 100)}", where=f"{place}.name", mend="leave it out, or mend the purl"
        )


def _printed(draft: Draft) -> None:
    """Raises InputError for characters that no reader of the documents is to meet: controls, and those that turn the
    direction of what follows. NUL is one that stores refuse; lines and tabs are for prose."""
    lines = [("title", draft.title), ("cwe", draft.cwe), ("vector", draft.vector)]
    for n, p in enumerate(draft.products):
        lines += [(f"products[{n}].{k}", getattr(p, k)) for k in ("ecosystem", "name", "purl", "vendor")]
    lines += [(f"credits[{n}].name", c.name) for n, c in enumerate(draft.credits)]
    prose = [(k, getattr(draft, k)) for k in ("description", "solution", "workaround")]
    for place, text in (*lines, *prose):
        kept = text if (place, text) in lines else text.translate(_LAID_OUT)
        if _UNPRINTED.search(kept):
            raise InputError("it holds a character of control or direction", where=place, mend="take it out")


def _range(product: Product, place: str) -> None:
    if product.fixed and product.last_affected:
        raise InputError("a range ends once: before `fixed`, or with `last_affected`", where=place)
    if (product.fixed or product.last_affected) and not product.introduced:
        raise InputError(
            "the range has no beginning",
            where=f"{place}.introduced",
            mend='give the first affected version; "0" when it is the first of all',
        )
    if not (product.introduced or product.versions):
        raise InputError(
            "which versions are affected is not said",
            where=f"{place}.introduced",
            mend='give the first affected version ("0" when it is the first of all), or list the versions',
        )
    listed = tuple((f"versions[{n}]", v) for n, v in enumerate(product.versions))
    ends = (
        ("introduced", product.introduced),
        ("fixed", product.fixed),
        ("last_affected", product.last_affected),
    )
    scheme = scheme_of(product.ecosystem)
    for name, text in (*ends, *listed):
        if (text or name.startswith("versions")) and (name, text) != ("introduced", "0"):
            _version(scheme, text, f"{place}.{name}")
    _ordered(scheme, product, place)


def _version(scheme: str, text: str, place: str) -> None:
    """Raises InputError for what is no single version that the ecosystem's tools read."""
    if not text or not text.isprintable() or len(text.split()) != 1 or text != text.strip():
        raise InputError("this is no version", where=place)
    if _SIGNS.search(text) or RANGE_WORDS.search(text):
        raise InputError(
            "this is a range, and no version",
            where=place,
            mend="a range is said with introduced and fixed, or introduced and last_affected",
        )
    try:
        compare(scheme, text, text)
    except VersionUnreadableError as error:
        raise InputError(
            f"this is no version of its ecosystem: {error.what}", where=place, mend=error.mend
        ) from None


def _ordered(scheme: str, product: Product, place: str) -> None:
    """Raises InputError for a range that ends before it begins, and for a listed version that is the fixed one."""
    start, fixed, last = product.introduced, product.fixed, product.last_affected
    if start not in ("", "0"):
        if fixed and compare(scheme, start, fixed) >= 0:
            raise InputError(
                "it is fixed before it is introduced", where=f"{place}.fixed", mend="give a later version"
            )
        if last and compare(scheme, start, last) > 0:
            raise InputError(
                "its last affected version is before the first",
                where=f"{place}.last_affected",
                mend="give a later version",
            )
    for n, version in enumerate(product.versions):
        if fixed and compare(scheme, version, fixed) == 0:
            raise InputError("the fixed version is listed as affected", where=f"{place}.versions[{n}]")


def _fixed_and_affected(products: tuple[Product, ...]) -> None:
    """Raises InputError for a version that one range calls fixed and another of the same package affected."""
    for n, one in enumerate(products):
        for other in products:
            same = (one.ecosystem, one.name, one.vendor) == (other.ecosystem, other.name, other.vendor)
            if one is other or not one.fixed or not same or not other.introduced:
                continue
            scheme = scheme_of(one.ecosystem)
            begun = other.introduced == "0" or compare(scheme, other.introduced, one.fixed) <= 0
            ended = (other.fixed and compare(scheme, one.fixed, other.fixed) >= 0) or (
                other.last_affected and compare(scheme, one.fixed, other.last_affected) > 0
            )
            if begun and not ended:
                raise InputError(
                    "this version is affected by another range of the same package",
                    where=f"products[{n}].fixed",
                    mend="give ranges that do not meet",
                )
