"""Reports: made from the fleet's rows, kept as they were made, and shared with an authority by an act."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, field

from clearway import ledger
from clearway.records.errors import (
    ConflictError,
    ForbiddenError,
    InputError,
    IntegrityError,
    NotFoundError,
    TooLargeError,
    UsageError,
)
from clearway.records.text import plain

from ..attestation import AddressReport, Attested, address_report, read_address_report
from ..compliance import Compliance, SharedReport, compliance
from ..directive import Directive
from ..duties import duties
from ..duties import names as of_edge_devices
from ..files import load
from ..files import names as shipping
from ..governing import governing, rivals
from ..lifecycle import LifecycleReport, lifecycle_report
from ..reports.counts import Counts
from ..reports.period import Kind, period_of
from ..reports.remediation import Options, RemediationReport, as_json, remediation_report
from .addresses import acknowledgements, addressed
from .governing import bearing, table_of
from .issues import coming, last_version
from .who import Org, acting_in, authority_of, between, now, organisation, tell

if TYPE_CHECKING:
    import psycopg

    from clearway.records.principal import Principal

    from ..reports.provider import Provider

Report = RemediationReport | AddressReport | LifecycleReport
LARGEST = 256 << 20  # bytes of a kept report; the table holds it to the same
_LEFT_OUT = "Items marked for fewer readers than all members of the organisation are not in this report."


class Kept(Struct, frozen=True, kw_only=True):
    """One kept report without its body. `shared_with` is the slug of the authority that sees it, "" for nobody."""

    id: int
    organisation: str
    kind: Kind
    directive: str
    directive_version: str
    as_of: date
    sha256: str
    shared_with: str
    submitted: datetime
    by: str
    counts: Counts = field(default_factory=dict)


_SELECT = """select r.report, o.slug, r.kind, r.directive, r.directive_version, r.as_of, encode(r.sha256, 'hex'),
    coalesce(a.slug, ''), r.submitted, r.by_name, r.counts
    from clearway.directive_report r join clearway.organisation o on o.org = r.org
    left join clearway.organisation a on a.org = r.authority"""


def make(
    db: psycopg.Connection[Any],
    provider: Provider,
    org: Org,
    kind: Kind,
    directive: str,
    as_of: date,
    *,
    attested: Attested | None = None,
) -> Report:
    """The report of an organisation as of a day; nothing is kept. The same facts and day give the same report.

    Raises:
        NotFoundError: no such directive.
        UsageError: a kind that the directive does not ask for.
        InputError: rows that contradict each other.
    """
    if kind == "lifecycle":
        rule = duties(directive)
        return lifecycle_report(
            rule,
            provider.edge_devices(db, org.org, as_of),
            as_of=as_of,
            organisation=org.slug,
            organisation_name=org.name,
        )
    table = in_force(db, org, directive, as_of)
    if kind == "addresses":
        return address_report(
            table.id,
            provider.assets(db, org.org, as_of),
            as_of=as_of,
            organisation=org.slug,
            organisation_name=org.name,
            previous=_previous(db, org, directive, as_of),
            attested=attested,
        )
    return _remediation(db, provider, org, kind, table, as_of)


def draft(
    db: psycopg.Connection[Any], provider: Provider, org: Org, kind: Kind, directive: str, as_of: date
) -> Report:
    """As `make`, for somebody to read: that is an entry in the log, for all members of the organisation.

    Raises: as `make`.
    """
    made = make(db, provider, org, kind, directive, as_of)
    ledger.append_read(db, [f"org/{org.org}/draft/{directive}/{kind}"], between(db, org.org))
    return made


def in_force(db: psycopg.Connection[Any], org: Org, directive: str, as_of: date) -> Directive:
    """The table an organisation reports under.

    That is the version which an authority addressed to it, else the one that it imported, else the one that ships,
    as it was known at the end of that day: an act of a later day changes no report of an earlier one.

    Raises:
        NotFoundError: neither is there.
        ConflictError: two authorities address different versions of it to the organisation.
        IntegrityError: the stored document is not what was signed.
    """
    found = bearing(db, [org.org], as_of, end_of(as_of))[org.org]
    others = rivals(found, directive)
    if others:
        raise ConflictError(
            f"{len(others)} versions of {directive} are addressed to {org.slug}", where=str(as_of)
        )
    chosen = governing(found, directive)
    if chosen is not None:
        return table_of(db, chosen.version_id, chosen.sha256)
    if directive in shipping():
        return load(directive)
    if directive in of_edge_devices():
        raise NotFoundError(f"{directive} asks for one report, of edge devices", mend="its kind is lifecycle")
    known = {*shipping(), *of_edge_devices(), *(one.directive for one in found)}
    raise NotFoundError(f"no directive {plain(directive, 80)!r}", mend=f"one of: {', '.join(sorted(known))}")


def _check_addressed(db: psycopg.Connection[Any], org: Org, authority: Org, directive: str) -> None:
    """Raises ForbiddenError where that authority has never addressed the directive to the organisation."""
    row = db.execute(
        """select exists (select from clearway.directive_address a
            where a.org = %s and a.recipient = %s and a.directive = %s)""",
        (authority.org, org.org, directive),
    ).fetchone()
    if not (row and row[0]):
        raise ForbiddenError(
            f"{authority.slug} has not addressed {directive} to {org.slug}",
            where="share_with",
            mend="a report is shared with who asks for it: leave that out, or have the authority address it first",
        )


def end_of(day: date) -> datetime:
    """The first moment after a UTC day. Raises InputError for the calendar's last."""
    try:
        return datetime.combine(day + timedelta(days=1), time(), UTC)
    except OverflowError:
        raise InputError(f"{day} is the calendar's last day", mend="give an earlier day") from None


def _remediation(
    db: psycopg.Connection[Any], provider: Provider, org: Org, kind: Kind, table: Directive, as_of: date
) -> RemediationReport:
    chosen = provider.options(db, org.org, table.id, as_of)
    made = remediation_report(
        kind,
        table,
        provider.rows(db, org.org, table, as_of, since=period_of(kind, as_of).first),
        as_of=as_of,
        options=Options(
            organisation=org.slug, organisation_name=org.name, policy=chosen.policy, retier=chosen.retier
        ),
        assets=(
            a
            for a in provider.assets(db, org.org, as_of)
            if a.decommissioned is None or a.decommissioned > as_of
        ),
    )
    return msgspec.structs.replace(made, notes=(*made.notes, _LEFT_OUT))


def _previous(db: psycopg.Connection[Any], org: Org, directive: str, as_of: date) -> AddressReport | None:
    """The last kept inventory of an earlier quarter."""
    row = db.execute(
        """select report, body from clearway.directive_report
        where org = %s and directive = %s and kind = 'addresses' and as_of < %s
        order by as_of desc, report desc limit 1""",
        (org.org, directive, period_of("addresses", as_of).first),
    ).fetchone()
    return None if row is None else read_address_report(row[1], f"report/{row[0]}")


def submit(
    db: psycopg.Connection[Any],
    me: Principal,
    slug: str,
    report: Report,
    *,
    share_with: str = "",
    expected: str = "",
    today: date | None = None,
) -> Kept:
    """Keeps a report as it is; with `share_with`, that authority sees it from now on, and else nobody outside.

    The same report given again in the same marking is the one that is kept already. `expected` is the SHA-256,
    in hexadecimal, of the report that somebody read and means; "" for any. `today` (None: the database's day, in UTC)
    is the last day that may be reported on or attested to.

    Raises:
        ConflictError: it is not the report that is expected: a fact has changed since.
        ForbiddenError: without the right to operate, or the authority has not addressed this organisation.
        InputError: the report is another organisation's, or speaks of a day to come.
        NotFoundError: no such authority.
    """
    org = acting_in(db, me, slug, "operate")
    if report.organisation != org.slug:
        raise InputError(f"a report of {report.organisation}", where="organisation", mend="submit your own")
    if isinstance(report, AddressReport) and report.attested is None:
        raise UsageError(
            "nobody attests to it", where="attested", mend="say who does, in which function, and when"
        )
    _of_days_past(report, today or now(db).date())
    authority = authority_of(organisation(db, share_with)) if share_with else None
    aud = between(db, org.org, *([authority.org] if authority is not None else []))
    body = as_json(report)
    if len(body) > LARGEST:
        raise TooLargeError(f"a report of {len(body):,} bytes", where="report", mend=f"at most {LARGEST:,}")
    name, number = _under(db, org, report)
    if authority is not None:
        _check_addressed(db, org, authority, name)
    digest = hashlib.sha256(body).digest()
    if expected and digest.hex() != expected:
        raise ConflictError(
            "the report is no longer what was read", where="sha256", mend="read the draft again"
        )
    counts = report.counts if isinstance(report, RemediationReport) else {}
    row = db.execute(
        """insert into clearway.directive_report (org, aud, authority, directive, directive_version, kind, as_of,
            sha256, body, counts, by_name)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s)
        on conflict (org, directive, kind, as_of, sha256, aud) do nothing returning report""",
        (
            org.org,
            aud,
            None if authority is None else authority.org,
            name,
            number,
            report.report,
            report.as_of,
            digest,
            body,
            msgspec.json.encode(counts).decode(),
            plain(me.name, 200),
        ),
    ).fetchone()
    if row is not None:
        tell(
            db,
            "directive.reported",
            f"report/{row[0]}",
            {
                "organisation": org.slug,
                "directive": name,
                "kind": report.report,
                "as_of": report.as_of.isoformat(),
                "sha256": digest.hex(),
                "shared_with": share_with or None,
            },
            org=org.org,
            aud=aud,
        )
        return one(db, int(row[0]))
    found = db.execute(
        f"""{_SELECT} where r.org = %s and r.directive = %s and r.kind = %s and r.as_of = %s and r.sha256 = %s
        and r.aud = %s""",
        (org.org, name, report.report, report.as_of, digest, aud),
    ).fetchone()
    assert found is not None
    return _kept(found)


def _of_days_past(report: Report, today: date) -> None:
    """Raises InputError for what nobody can know yet: it would count as in time on days to come."""
    if report.as_of > today:
        raise InputError(
            f"{report.as_of} lies in the future", where="as_of", mend=f"report on {today} or before"
        )
    if isinstance(report, AddressReport) and report.attested is not None and report.attested.on > today:
        raise InputError(
            f"attested on {report.attested.on}, which lies in the future",
            where="attested.on",
            mend=f"give {today}",
        )


def one(db: psycopg.Connection[Any], report: int) -> Kept:
    """One kept report. Raises NotFoundError."""
    row = db.execute(f"{_SELECT} where r.report = %s", (report,)).fetchone()
    if row is None:
        raise NotFoundError("no such report", where=f"report/{report}")
    return _kept(row)


def audience_of(db: psycopg.Connection[Any], report: int) -> int:
    """Who may read a kept report. Raises NotFoundError."""
    row = db.execute("select aud::int from clearway.directive_report where report = %s", (report,)).fetchone()
    if row is None:
        raise NotFoundError("no such report", where=f"report/{report}")
    return int(row[0])


def body(db: psycopg.Connection[Any], report: int) -> bytes:
    """A kept report's bytes; reading them is an entry in the log.

    Raises:
        NotFoundError: there is none that the caller may see.
        IntegrityError: the stored bytes do not have their hash.
    """
    row = db.execute(
        "select body, sha256, aud from clearway.directive_report where report = %s", (report,)
    ).fetchone()
    if row is None:
        raise NotFoundError("no such report", where=f"report/{report}")
    if hashlib.sha256(row[0]).digest() != row[1]:
        raise IntegrityError("the stored report does not have its hash", where=f"report/{report}")
    ledger.append_read(db, [f"report/{report}"], int(row[2]))
    return bytes(row[0])


def read_body(data: bytes, kind: Kind, place: str = "report") -> Report:
    """A report from its JSON. Raises InputError naming `place`."""
    types: dict[str, Any] = {"addresses": AddressReport, "lifecycle": LifecycleReport}
    try:
        found: Report = msgspec.json.decode(data, type=types.get(kind, RemediationReport))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"not a report: {error}", where=place) from error
    return found


def listed(
    db: psycopg.Connection[Any],
    *,
    org: str = "",
    directive: str = "",
    kind: str = "",
    before: int = 0,
    limit: int = 50,
) -> tuple[Kept, ...]:
    """The reports that the caller may see, newest first, at most `limit`; `before` is the id to go on from."""
    rows = db.execute(
        f"""{_SELECT} where (%(org)s = '' or o.slug = %(org)s) and (%(directive)s = '' or r.directive = %(directive)s)
        and (%(kind)s = '' or r.kind = %(kind)s) and (%(before)s = 0 or r.report < %(before)s)
        order by r.report desc limit %(limit)s""",
        {
            "org": org,
            "directive": directive,
            "kind": kind,
            "before": before,
            "limit": max(1, min(limit, 500)),
        },
    )
    return tuple(_kept(row) for row in rows)


def seen_by_authority(
    db: psycopg.Connection[Any], me: Principal, slug: str, directive: str, as_of: date
) -> Compliance:
    """Compliance across the organisations that the authority has addressed, from what each has shared with it.

    Raises:
        ForbiddenError: not an authority, or without the right to direct.
        NotFoundError: it had issued no such directive by that day.
    """
    org = authority_of(acting_in(db, me, slug, "direct"))
    issued = last_version(db, directive, org.slug, as_of)
    try:
        asked = duties(directive).reports
    except NotFoundError:  # a directive of which only the table is known
        asked = ()
    rows = db.execute(
        """select distinct on (org, kind) org, kind, as_of, (submitted at time zone 'UTC')::date,
            encode(sha256, 'hex'), counts, report, aud::int
        from clearway.directive_report
        where authority = %s and directive = %s and as_of <= %s and (submitted at time zone 'UTC')::date <= %s
        order by org, kind, as_of desc, report desc""",
        (org.org, directive, as_of, as_of),
    ).fetchall()
    shared = [
        SharedReport(org=r[0], kind=r[1], as_of=r[2], received=r[3], sha256=r[4], counts=r[5]) for r in rows
    ]
    by_aud: dict[int, list[str]] = {}
    for row in rows:
        by_aud.setdefault(row[7], []).append(f"report/{row[6]}")
    for aud, subjects in sorted(by_aud.items()):
        ledger.append_read(db, subjects, aud)
    next_one = coming(db, directive, org.slug, as_of)
    view = compliance(
        directive,
        issued.version,
        asked,
        addressed(db, org.org, directive),
        acknowledgements(db, org.org, directive),
        shared,
        as_of=as_of,
        revoked=issued.revoked,
    )
    if next_one is None:
        return view
    return msgspec.structs.replace(view, comes=next_one.version, begins=next_one.begins)


def _under(db: psycopg.Connection[Any], org: Org, report: Report) -> tuple[str, str]:
    if isinstance(report, RemediationReport):
        return report.directive.id, report.directive.version
    if isinstance(report, LifecycleReport):
        return report.directive, report.version
    return report.directive, in_force(db, org, report.directive, report.as_of).version


def _kept(row: Any) -> Kept:
    return Kept(
        id=row[0],
        organisation=row[1],
        kind=row[2],
        directive=row[3],
        directive_version=row[4],
        as_of=row[5],
        sha256=row[6],
        shared_with=row[7],
        submitted=row[8],
        by=row[9],
        counts=row[10],
    )
