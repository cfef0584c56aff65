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
from clearway.records.errors import InputError
from clearway.records.text import plain

from . import cwe_ids, ecosystem_known, report_ranges
from .cvss_vector import score_of
from .purl import identity, parse, to_text

Line = Annotated[str, Meta(max_length=300)]
Prose = Annotated[str, Meta(max_length=20_000)]
Kind = Literal["advisory", "article", "fix", "report", "package", "evidence", "web"]
Role = Literal["finder", "reporter", "analyst", "coordinator", "remediation developer", "tool", "other"]
_CWE = re.compile(r"CWE-[1-9][0-9]{0,5}", re.ASCII)
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
        if product.ecosystem and (reason := ecosystem_known.wrong(product.ecosystem)):
            raise InputError(
                reason, where=f"products[{n}].ecosystem", mend="as OSV spells it, such as Debian:12"
            )
        report_ranges.check(product, f"products[{n}]")
    report_ranges.check_together(draft.products)
    if draft.cwe and (not _CWE.fullmatch(draft.cwe) or cwe_ids.known(int(draft.cwe[4:])) == "none"):
        raise InputError(
            "no weakness has that id",
            where="cwe",
            mend="a weakness of the Common Weakness Enumeration, such as CWE-787; a category or a view is none",
        )
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


def doubts(draft: Draft) -> dict[str, str]:
    """What of a draft that passes `check` can't be known here, by its place: for somebody to look at and say yes to."""
    found = {
        f"products[{n}].ecosystem": said
        for n, product in enumerate(draft.products)
        if (said := ecosystem_known.doubt(product.ecosystem))
    }
    if draft.cwe and cwe_ids.known(int(draft.cwe[4:])) == "unknown":
        found["cwe"] = f"{draft.cwe} is newer than what is known here (CWE {cwe_ids.VERSION})"
    return found


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
