"""Whom to ask about a package: the directory of vendors, the most exact line first. Pure but for its queries.

A line is an ecosystem ("" for any) and a name, or a beginning of names that ends in `*` ("@acme/*"). "Debian" is every
release of Debian, "Debian:12" that one. Names are compared as their ecosystem does (PyPI by PEP 503), whichever way a
line or a report writes them. A receiver that has set limits for a package, confirmed by a coordinator, is asked too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway import ledger
from clearway.access import audience
from clearway.access.marking import GREEN_AUD, Marking
from clearway.formats.purl import asked_ecosystem, identity, parse, spelled, spelled_name
from clearway.records.ecosystem import base
from clearway.records.errors import ForbiddenError, InputError, NotFoundError
from clearway.records.text import plain

from ..intake import limit

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

    Connection = psycopg.Connection[Any]


class Route(Struct, frozen=True, kw_only=True):
    """One line of the directory. `member` is the vendor's organisation here, None where it is reached by mail."""

    id: int
    ecosystem: str
    pattern: str
    member: int | None
    name: str
    email: str
    source: str


class Asked(Struct, frozen=True, kw_only=True):
    """Somebody to ask, and why."""

    member: int | None
    name: str
    email: str
    why: str


_SELECT = """select route, ecosystem, pattern, member, name, email, source from clearway.vendor_route
    where ended is null"""


def score(route: Route, ecosystem: str, package: str) -> int:
    """How exactly a line fits: 0 when it does not; a release of an ecosystem and a whole name fit best."""
    theirs = spelled(route.ecosystem) or route.ecosystem
    if theirs not in ("", ecosystem, base(ecosystem)):
        return 0
    named = 1 if not theirs else 3 if ":" in theirs else 2
    pattern, package = spelled_pattern(ecosystem, route.pattern), spelled_name(ecosystem, package)
    if pattern.endswith("*"):
        begins = pattern[:-1]
        return len(begins) * 4 + named if package.startswith(begins) else 0
    return 1_000_000 + named if pattern == package else 0


def spelled_pattern(ecosystem: str, pattern: str) -> str:
    """A line's pattern in the one spelling of names of `ecosystem`; what follows a slash stays behind it."""
    begins, star = (pattern[:-1], "*") if pattern.endswith("*") else (pattern, "")
    name = spelled_name(ecosystem, begins)
    return name + "/" * (bool(star) and begins.endswith("/") and not name.endswith("/")) + star


def best(routes: Iterable[Route], ecosystem: str, package: str) -> list[Route]:
    """The lines that fit most exactly; several where they fit alike."""
    scored = [(score(r, ecosystem, package), r) for r in routes]
    top = max((s for s, _ in scored), default=0)
    return [r for s, r in scored if s == top and top > 0]


def of_purl(db: Connection, purl: str) -> list[Asked]:
    """Whom to ask about what a purl names. Raises InputError for what is none."""
    ecosystem, name, _ = identity(parse(purl))
    return of_package(db, ecosystem, name)


def of_package(db: Connection, ecosystem: str, package: str) -> list[Asked]:
    """Whom to ask about a package: the directory's lines, and receivers whose limits for it are confirmed."""
    found = [
        Asked(
            member=r.member,
            name=r.name,
            email=r.email,
            why=f"the directory's line {r.ecosystem} {r.pattern}".strip(),
        )
        for r in best(listed(db), ecosystem, package)
    ]
    known = {a.member for a in found}
    for each in limit.of_product(db, ecosystem, package) if package else ():
        row = db.execute(
            "select org, name from clearway.organisation where slug = %s", (each.organisation,)
        ).fetchone()
        if row is not None and row[0] not in known:
            found.append(
                Asked(member=row[0], name=row[1], email="", why="it has set limits for this package")
            )
    return found


def listed(db: Connection) -> list[Route]:
    """The directory."""
    rows = db.execute(f"{_SELECT} order by ecosystem, pattern, route")
    return [Route(**dict(zip(Route.__struct_fields__, row, strict=True))) for row in rows]


def add(
    db: Connection, org: int, *, ecosystem: str, pattern: str, name: str, member: int | None = None, email: str = "",
    source: str = "",
) -> Route:  # fmt: skip
    """A new line of the directory, kept by the clearinghouse `org`.

    Raises:
        InputError: nothing is named, the ecosystem is none, a `*` stands elsewhere than at the end, or nobody can be
            reached.
        NotFoundError: there is no such organisation.
        ForbiddenError: the caller is no coordinator.
    """
    from .mail import checked_address

    known = asked_ecosystem(ecosystem)
    text = plain(spelled_pattern(known, pattern.strip()), 300)
    if not text.strip("*/") or "*" in text[:-1]:
        raise InputError(
            "name a package, or how names begin",
            where="pattern",
            mend="such as example or @acme/*: one * at the end",
        )
    if (member is None) == (not email.strip()):
        raise InputError("give an organisation here, or a mail address", where="email")
    address = checked_address(email) if email.strip() else ""
    # A mail address is the coordinators', as a party's addresses are; whom of those here one asks is for everybody.
    aud = audience.of(db, Marking(tlp="AMBER+STRICT", org=org)) if address else GREEN_AUD
    if member is not None:
        vendor = db.execute("select name from clearway.organisation where org = %s", (member,)).fetchone()
        if vendor is None:
            raise NotFoundError("no such organisation", where="organisation")
        name = name.strip() or vendor[0]
    row = db.execute(
        """insert into clearway.vendor_route (org, aud, ecosystem, pattern, member, name, email, source)
        values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing returning route""",
        (org, aud, plain(known, 100), text, member, plain(name.strip() or address, 200), address,
         plain(source, 200)),
    ).fetchone()  # fmt: skip
    if row is None:
        raise InputError("that line is there already", where="pattern")
    ledger.append(db, "route.added", f"route/{row[0]}", {"ecosystem": known, "pattern": text}, aud=aud)
    return next(r for r in listed(db) if r.id == row[0])


def end(db: Connection, number: int) -> None:
    """Takes a line out.

    Raises:
        NotFoundError: there is none of that number.
        ForbiddenError: the caller is no coordinator.
    """
    held = db.execute(
        "select aud::int from clearway.vendor_route where route = %s and ended is null", (number,)
    ).fetchone()
    if held is None:
        raise NotFoundError("no such line", where=f"route/{number}")
    row = db.execute(
        "update clearway.vendor_route set ended = clock_timestamp() where route = %s returning 1", (number,)
    ).fetchone()
    if row is None:
        raise ForbiddenError("a coordinator does that", where=f"route/{number}")
    ledger.append(db, "route.ended", f"route/{number}", {}, aud=held[0])
