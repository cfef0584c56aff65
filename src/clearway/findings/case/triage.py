"""The triage queue: findings that are in no case, ranked, each with the reasons for its place (`rank`)."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

from clearway.records.errors import TooLargeError
from clearway.store.scalar import scalar

from ..dedup import edge
from . import rank

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

MOST = 500  # that are told
_RANKED = 2_000  # that are ranked: those with the most points by what each of them says of itself


class Waiting(Struct, frozen=True, kw_only=True):
    """One finding of the queue. `case` is an open case of the same flaw (`same_flaw`) or of its package, or "".

    `elsewhere`: another clearinghouse keeps the case of the same flaw, so it is put into none by the caller.
    """

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
    same_flaw: bool = False
    elsewhere: bool = False
    reasons: tuple[rank.Reason, ...] = ()  # what `points` is the sum of, the heaviest first


def queue(db: Connection, now: datetime) -> list[Waiting]:
    """What waits for a coordinator, as far as the caller sees it: the best rank first, then the longest wait.

    Of more than are ranked, those are that have the most points of their own, whatever others say of them; of those,
    the best are told, and `waiting` says how many there are.

    Each fact is asked once for all that wait, in a statement of its own: together in one, policies keep the planner
    from knowing how many rows there will be, and it answers in hundreds of milliseconds instead of ten.
    """
    rows = db.execute(
        """select f.finding, f.org, f.handling, o.slug, f.title, f.ecosystem, f.package, f.release, f.place, f.cwe,
            f.severity, f.state, f.level, f.received, f.publishes
        from clearway.finding f join clearway.organisation o on o.org = f.org
        where f.finding in (select w.finding from clearway.finding w
            where w.case_id is null and w.live and w.state in ('incomplete', 'queued', 'validating', 'judged')
            order by case when w.level < 1 then 0 else 25 + 5 * least(w.level, 6) end
                + coalesce((%(claimed)s::jsonb ->> w.severity)::int, 0)
                + case when w.cwe = any(%(runs_code)s) then 5 else 0 end
                + least(10, extract(day from %(now)s - w.received)::int)
                + case when w.publishes is null then 0
                    else greatest(0, 20 - greatest(0, w.publishes - (%(now)s at time zone 'UTC')::date)) end
                desc, w.finding limit %(most)s)""",
        {
            "claimed": msgspec.json.encode(rank.CLAIMED).decode(), "runs_code": sorted(rank.RUNS_CODE), "now": now,
            "most": _RANKED,
        },
    ).fetchall()  # fmt: skip
    lines = [(row[0], row[1], dict(zip(_FACTS, row[2:-1], strict=True))) for row in rows]
    publishes = {row[0]: row[-1] for row in rows}
    public = _known(db, [number for number, _, _ in lines])
    missing = _missing(db, [number for number, _, _ in lines])
    reporters = _reporters(db, [facts for _, _, facts in lines])
    marks = _marks(db, {org for _, org, _ in lines})
    cases = _cases(db, [facts for _, _, facts in lines])
    twins = _twins(db, [number for number, _, _ in lines])
    ranked = []
    for number, org, facts in lines:
        case, keeps = twins.get(number, ("", True))
        case = case or cases.get((facts["ecosystem"], facts["package"]), "")
        valid, invalid = marks.get(org, (0, 0))
        day = publishes[number]
        known = rank.Facts(
            level=facts["level"], severity=facts["severity"], cwe=facts["cwe"], received=facts["received"],
            missing=missing.get(number, 0), reporters=reporters.get(_place(facts), 1), valid=valid, invalid=invalid,
            case_open=bool(case), known=public.get(number, ""),
            embargo_days=None if day is None else (day - now.date()).days,
        )  # fmt: skip
        told = {**facts, "case": case, "same_flaw": number in twins, "elsewhere": not keeps}
        ranked.append((rank.points(known, now), known, told))
    ranked.sort(key=lambda one: (-one[0], one[1].received))
    return [_told(told, rank.rank(known, now)) for _, known, told in ranked[:MOST]]


def _told(facts: dict[str, Any], stood: rank.Rank) -> Waiting:
    return Waiting(**facts, points=stood.points, why=stood.why, reasons=stood.reasons)


def waiting(db: Connection) -> int:
    """How many wait, as far as the caller sees them."""
    return scalar(
        db,
        """select count(*) from clearway.finding w
        where w.case_id is null and w.live and w.state in ('incomplete', 'queued', 'validating', 'judged')""",
    )


_FACTS = tuple(
    n
    for n in Waiting.__struct_fields__
    if n not in ("points", "why", "case", "same_flaw", "elsewhere", "reasons")
)


def _place(facts: dict[str, Any]) -> tuple[str, str, str]:
    return facts["ecosystem"], facts["package"], facts["place"]


def _missing(db: Connection, findings: list[int]) -> dict[int, int]:
    """At how many gates something is missing, of findings that lack any."""
    rows = db.execute(
        """select finding, count(*)::int from clearway.finding_gate
        where finding = any(%s) and state = 'missing' group by finding""",
        (findings,),
    )
    return dict(rows.fetchall())


def _known(db: Connection, findings: list[int]) -> dict[int, Literal["is", "returns"]]:
    """Of findings that the desk has said are public flaws, or that are the return of one that was fixed, which."""
    rows = db.execute(
        """select e.one, 'returns', 0 as known from clearway.finding_edge e
        where e.one = any(%(of)s) and e.verdict = 'regression' and e.revoked is null
        union all select k.finding, k.verdict, k.known from clearway.finding_known k
        where k.finding = any(%(of)s) and k.verdict in ('is', 'returns') and k.revoked is null order by known""",
        {"of": findings},
    )
    return {number: verdict for number, verdict, _ in rows}  # the newest word counts


def _reporters(db: Connection, lines: list[dict[str, Any]]) -> dict[tuple[str, str, str], int]:
    """How many organisations reported about each package and place."""
    places = sorted({_place(facts) for facts in lines if facts["package"]})
    rows = db.execute(
        """select distinct p.n, x.org from unnest(%s::text[], %s::text[], %s::text[]) with ordinality
            p (ecosystem, package, place, n) join clearway.finding x using (ecosystem, package, place)
        where x.live and x.state <> 'withdrawn'""",
        tuple([place[n] for place in places] for n in range(3)),
    )
    counted = Counter(place for place, _ in rows)
    return {place: max(1, counted[n]) for n, place in enumerate(places, 1)}


def _marks(db: Connection, orgs: set[int]) -> dict[int, tuple[int, int]]:
    """How many findings of each organisation counted as valid and as invalid; marks under appeal, and those that an
    appeal took away, do not count."""
    rows = db.execute(
        """select m.org, count(*) filter (where m.mark = 'valid')::int, count(*) filter (where m.mark = 'invalid')::int
        from (select distinct on (finding) finding_mark, org, mark from clearway.finding_mark where org = any(%s)
            order by finding, finding_mark desc) m
        where not exists (select from clearway.mark_appeal a where a.finding_mark = m.finding_mark
            and a.outcome is distinct from 'refused')
        group by m.org""",
        (sorted(orgs),),
    )
    return {org: (valid, invalid) for org, valid, invalid in rows}


def _twins(db: Connection, findings: list[int]) -> dict[int, tuple[str, bool]]:
    """The open case of each of these findings whose flaw has one, and whether the caller's clearinghouse keeps it."""
    try:
        groups = edge.groups_of(db, findings)
    except TooLargeError:
        return {}  # each of them says so when it is opened
    together = sorted({n for group in groups.values() if len(group) > 1 for n in group})
    rows = db.execute(
        """select f.finding, c.handling, clearway.keeps_case(c.org) from clearway.finding f
            join clearway.desk_case c using (case_id)
        where f.finding = any(%s) and c.closed is null""",
        (together,),
    )
    cases = {n: (case, keeps) for n, case, keeps in rows}
    return {n: cases[m] for n in findings for m in groups[n] if m in cases}


def _cases(db: Connection, lines: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """The newest open case of each package that has one."""
    packages = sorted({(facts["ecosystem"], facts["package"]) for facts in lines if facts["package"]})
    rows = db.execute(
        """select c.ecosystem, c.package, c.handling from unnest(%s::text[], %s::text[]) p (ecosystem, package)
            join clearway.desk_case c using (ecosystem, package)
        where c.closed is null and c.published is null order by c.case_id""",
        tuple([package[n] for package in packages] for n in range(2)),
    )
    return {(ecosystem, package): handling for ecosystem, package, handling in rows}
