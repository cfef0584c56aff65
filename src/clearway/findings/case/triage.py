"""The triage queue: findings that are in no case, ranked, each with the reasons for its place (`rank`)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from . import rank

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

MOST = 500  # of those that wait longest and are proven best; what is ranked is shown whole


class Waiting(Struct, frozen=True, kw_only=True):
    """One finding of the queue. `case` is an open case of its package, "" without one."""

    handling: str
    organisation: str
    title: str
    ecosystem: str
    package: str
    release: str
    place: str
    cwe: str
    severity: str
    state: str
    level: int
    received: datetime
    points: int
    why: str
    case: str


def queue(db: Connection, now: datetime) -> list[Waiting]:
    """What waits for a coordinator, as far as the caller sees it: the best rank first, then the longest wait."""
    rows = db.execute(
        """select f.handling, o.slug, f.title, f.ecosystem, f.package, f.release, f.place, f.cwe, f.severity, f.state,
            f.level, f.received,
            (select count(*)::int from clearway.finding_gate g where g.finding = f.finding and g.state = 'missing'),
            (select count(distinct x.org)::int from clearway.finding x where x.live and x.package <> ''
                and (x.ecosystem, x.package, x.place) = (f.ecosystem, f.package, f.place) and x.state <> 'withdrawn'),
            (select count(*)::int from clearway.finding_mark m where m.org = f.org and m.mark = 'valid'),
            (select count(*)::int from clearway.finding_mark m where m.org = f.org and m.mark = 'invalid'),
            coalesce((select c.handling from clearway.desk_case c where (c.ecosystem, c.package) =
                (f.ecosystem, f.package) and f.package <> '' and c.closed is null and c.published is null
                order by c.case_id desc limit 1), '')
        from clearway.finding f join clearway.organisation o on o.org = f.org
        where f.case_id is null and f.live and f.state in ('incomplete', 'queued', 'validating', 'judged')
        order by f.level desc, f.finding limit %s""",
        (MOST,),
    )
    found = []
    for row in rows:
        missing, reporters, valid, invalid, case = row[12:]
        facts = rank.Facts(
            level=row[10], severity=row[8], cwe=row[7], received=row[11], missing=missing,
            reporters=max(1, reporters), valid=valid, invalid=invalid, case_open=bool(case),
        )  # fmt: skip
        stood = rank.rank(facts, now)
        names = [n for n in Waiting.__struct_fields__ if n not in ("points", "why", "case")]
        found.append(
            Waiting(**dict(zip(names, row[:12], strict=True)), points=stood.points, why=stood.why, case=case)
        )
    return sorted(found, key=lambda w: (-w.points, w.received))
