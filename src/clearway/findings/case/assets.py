"""Which assets an embargoed case touches: matched inside PostgreSQL, and told to its parties of their own fleets alone.

    claims    what the case says of versions: its newest draft's products; of packages that no draft names, the releases
              on which a finding of it has fired here, and nothing of the others
    follow    brings the matching up to the cases that are open and unpublished, and takes back what others have caused
    listed    a reader's own exposures to it, by their own rights

What a case says of an asset is for who may see both: the audience of such an exposure is the meet of the two
(`exposure.fleet.marked`). No compiled table, no Parquet file and no figure has it. When the case is published, the
public record takes its place: its exposures are everybody's who has the asset, dated by what is public.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway.advisories.claims import claims_of
from clearway.advisories.vendors import bundled
from clearway.exposure.fleet import listing, marked
from clearway.exposure.fleet.follow import alone as fleet_alone
from clearway.exposure.fleet.wanted import Filter
from clearway.formats.report_osv import osv_id
from clearway.records.advisory import Advisory, Affected, Event, Range
from clearway.records.errors import ClearwayError

from . import draft, kept

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    import psycopg

    from clearway.advisories.claims import ClaimRow
    from clearway.exposure.fleet.listing import ExposureLine
    from clearway.formats.report_advisory import Product

    from ..vault import Vault
    from .kept import Case

    Connection = psycopg.Connection[Any]

SOURCE = "case"
MOST = 50  # lines of one case; the rest is in the list of exposures
_AT_ONCE = 200  # cases of one turn
_UNTRIED = "no other release was tried here"


class Fired(Struct, frozen=True, kw_only=True):
    """A release on which a finding of the case has fired here."""

    ecosystem: str
    package: str
    release: str


def claims(record: str, products: Iterable[Product], fired: Iterable[Fired]) -> tuple[ClaimRow, ...]:
    """What a case says of versions, as matching takes it; () when it names no product that inventories have. Pure."""
    said = [_of_product(p) for p in products]
    named = {(a.ecosystem, a.name) for a in said}
    releases: dict[tuple[str, str], list[str]] = {}
    for one in fired:
        if one.ecosystem and one.package and one.release and (one.ecosystem, one.package) not in named:
            releases.setdefault((one.ecosystem, one.package), []).append(one.release)
    said += [
        Affected(ecosystem=ecosystem, name=name, versions=tuple(dict.fromkeys(found)), unread=(_UNTRIED,))
        for (ecosystem, name), found in releases.items()
    ]
    made = Advisory(id=record, source=SOURCE, format="osv", affected=tuple(said), tlp="RED")
    return claims_of(made, bundled())


def follow(owner: Connection, vault: Vault, day: date) -> int:
    """Brings the matching up to the cases; how many took part anew or for the last time. As the owner.

    A case whose draft this home has no key for is left as it was: another worker may have it.
    """
    changed = 0
    for number, record in owner.execute(
        """select m.case_id, m.record from clearway.case_matching m left join clearway.desk_case c using (case_id)
        where c.case_id is null or c.closed is not null or c.published is not null order by 1 limit %s""",
        (_AT_ONCE,),
    ).fetchall():
        marked.end(owner, SOURCE, record)
        owner.execute("delete from clearway.case_matching where case_id = %s", (number,))
        changed += 1
    waiting = _waiting(owner)
    if waiting:  # an inventory that is taken meanwhile would be met by neither
        fleet_alone(owner)
    for number in waiting:
        changed += match_case(owner, vault, kept.by_id(owner, number), day)
    return changed


def match_case(owner: Connection, vault: Vault, case: Case, day: date) -> bool:
    """Lets one case take part as it says now; whether it could be read here."""
    record = osv_id(case.handling)
    fired = _fired(owner, case)
    try:
        products = draft.read(owner, vault, case).products if draft.listed(owner, case) else ()
    except ClearwayError:
        return False
    marked.take_claims(
        owner,
        SOURCE,
        record,
        case.id,
        name_of(case),
        claims(record, products, fired),
        case.aud,
        case.org,
        day,
    )
    owner.execute(
        """insert into clearway.case_matching (case_id, record, facts) values (%s, %s, %s)
        on conflict (case_id) do update set facts = excluded.facts, at = clock_timestamp()""",
        (case.id, record, _facts(owner, case.id)),
    )
    return True


def name_of(case: Case) -> str:
    """The id by which lists know the case's flaw: its CVE id, where it has one, else the handling id."""
    return case.cve if case.cve and case.cve_state in ("reserved", "published") else case.handling


def listed(db: Connection, case: Case) -> tuple[tuple[ExposureLine, ...], bool]:
    """The reader's own exposures to the case's flaw, by due date, at most `MOST`; and whether there are more."""
    names = tuple(dict.fromkeys((name_of(case), case.handling, osv_id(case.handling))))
    page = listing.page(db, Filter(flaw=names[0], flaws=names[1:]), limit=MOST)
    return page.lines, page.after is not None


def _of_product(product: Product) -> Affected:
    events = [
        ("introduced", product.introduced),
        ("fixed", product.fixed),
        ("last_affected", product.last_affected),
    ]
    found = tuple(Event(kind, version) for kind, version in events if version)  # type: ignore[arg-type]
    kind = "ECOSYSTEM" if product.ecosystem else "VENDOR"
    ranges = (Range(type=kind, events=found),) if product.introduced else ()  # type: ignore[arg-type]
    if product.ecosystem:
        return Affected(
            ecosystem=product.ecosystem, name=product.name, purl=product.purl, ranges=ranges,
            versions=product.versions,
        )  # fmt: skip
    return Affected(vendor=product.vendor, product=product.name, ranges=ranges, versions=product.versions)


# What decides of a case's claims, in one text: the draft's number, the flaw's id, and where its findings have fired.
_SAID = """coalesce((select max(d.number) from clearway.case_draft d where d.case_id = c.case_id), 0)::text || ' '
    || c.cve || ' ' || c.cve_state || ' ' || coalesce((select string_agg(distinct f.ecosystem || chr(31) || f.package
        || chr(31) || f.release, chr(30)) from clearway.finding f
        where f.case_id = c.case_id and f.level >= 1 and f.state <> 'withdrawn'), '')"""


def _waiting(owner: Connection) -> list[int]:
    """Open, unpublished cases that say something else than what takes part; the oldest first."""
    rows = owner.execute(
        f"""select c.case_id from clearway.desk_case c left join clearway.case_matching m using (case_id)
        where c.closed is null and c.published is null
            and encode(sha256(convert_to({_SAID}, 'UTF8')), 'hex') is distinct from m.facts
        order by c.case_id limit %s""",  # noqa: S608 - of constants
        (_AT_ONCE,),
    )
    return [number for (number,) in rows]


def _facts(owner: Connection, number: int) -> str:
    row = owner.execute(
        f"select {_SAID} from clearway.desk_case c where c.case_id = %s",  # noqa: S608 - of constants
        (number,),
    ).fetchone()
    assert row is not None
    return sha256(row[0].encode()).hexdigest()


def _fired(owner: Connection, case: Case) -> list[Fired]:
    rows = owner.execute(
        """select distinct ecosystem, package, release from clearway.finding
        where case_id = %s and level >= 1 and state <> 'withdrawn' order by 1, 2, 3""",
        (case.id,),
    )
    return [Fired(ecosystem=e, package=p, release=r) for e, p, r in rows]
