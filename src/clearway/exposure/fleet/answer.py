"""What public records say of a version of the dictionary: asked once, of the `Matcher` that `clearway match` asks.

`put` keeps answers and carries the difference to the exposures of whoever holds the version: what appeared is
dated from today, what ended is gone and stays in the history, and where the same records now mean another
flaw (groups were joined or taken apart) the exposure goes along with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from clearway.records.inventory import Inventory

from . import dictionary, due, told
from .due import SET_RIGHT, Dater, FlawDates, loaded, said, settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    import psycopg

    from clearway.advisories.table import Table
    from clearway.exposure.match import Matcher
    from clearway.exposure.matching import _Rules
    from clearway.records.finding import Finding
    from clearway.records.inventory import Component

REPORTED = "reported"  # the basis of what a scanner's word alone says
VERDICTS = {"affected": 1, "unknown": 2, "not_affected": 3}
_BATCH = 50_000
_FEW = 500


class Answer(NamedTuple):
    """One flaw in one version. `records` say so: those that affirm, or where none does, those that can't tell."""

    pv: int
    flaw: str
    verdict: int
    basis: str
    fixed: tuple[str, ...]
    records: tuple[str, ...]


class Asker:
    """Asks the table about components, with the VEX statements that name a component itself."""

    def __init__(self, table: Table, day: date) -> None:
        from clearway.exposure.match import Matcher

        self.table = table
        self._matcher: Matcher = Matcher(table, as_of=day)
        self._rules: _Rules = []
        if table.has_vex():
            from clearway.exposure.vex import rule

            self._rules = [rule(table, (), day)]
        self._apply = [r(Inventory(name="", format="", components=())) for r in self._rules]

    def ask(self, pv: int, component: Component) -> list[Answer]:
        """The answers about one version, in the matcher's order."""
        if component.ecosystem == "reported":  # a scanner's word alone (`observe`); the flaw stands in `repo`
            flaw = component.repo
            return [Answer(pv, f, 1, REPORTED, (), (flaw,)) for f in self.table.flaws_of(flaw) or (flaw,)]
        found, _ = self._matcher.component(component)
        answers = []
        for finding in found:
            for apply in self._apply:
                finding = apply(finding, component)
            answers.append(
                Answer(
                    pv,
                    finding.flaw,
                    VERDICTS[finding.verdict],
                    finding.basis,
                    finding.fixed,
                    leading(finding),
                )
            )
        return answers


def leading(finding: Finding) -> tuple[str, ...]:
    """The records that a finding rests on."""
    if finding.ids:
        return finding.ids
    unsure = (s.record for s in finding.statements if s.verdict == "unknown" and s.basis != "unstated")
    return tuple(dict.fromkeys(unsure))


def ask(asker: Asker, components: Mapping[int, Component]) -> list[Answer]:
    """The answers about many versions, by pv."""
    asker.table.expect(len(components))
    return [a for pv, component in components.items() for a in asker.ask(pv, component)]


def stored(db: psycopg.Connection[Any], pvs: Sequence[int]) -> dict[int, dict[str, Answer]]:
    """pv -> flaw -> its answer as it stands."""
    found: dict[int, dict[str, Answer]] = {}
    with db.cursor(binary=True) as cursor:
        rows = cursor.execute(
            """select a.pv, f.id, a.verdict, a.basis, a.fixed, a.records
            from unnest(%s::int[]) w(pv) join clearway.answer a using (pv) join clearway.flaw f using (flaw)""",
            (list(pvs),),
        ).fetchall()
        for pv, flaw, verdict, basis, fixed, records in rows:
            found.setdefault(pv, {})[flaw] = Answer(pv, flaw, verdict, basis, tuple(fixed), tuple(records))
    return found


class Put(NamedTuple):
    """What new answers changed: of versions, and of exposures."""

    answers: int
    appeared: int
    ended: int
    moved: int


def put(
    db: psycopg.Connection[Any],
    pvs: Sequence[int],
    answers: Iterable[Answer],
    day: date,
    *,
    held: bool = True,
) -> Put:
    """Makes `answers` all that is said of `pvs`. The owner's transaction. `held` False: nobody holds them yet."""
    given = list(answers)
    # What only a scanner's word knows is no public flaw.
    of = dictionary.flaws(db, {a.flaw for a in given if a.basis != REPORTED})
    of |= dictionary.flaws(db, {a.flaw for a in given if a.flaw not in of}, known=False)
    if not held and len(given) <= _FEW:
        # New versions of one inventory. Whoever made one of them meanwhile asked the same table.
        with db.cursor() as cursor:
            cursor.executemany(
                """insert into clearway.answer (pv, flaw, verdict, basis, fixed, records)
                values (%s, %s, %s, %s, %s, %s) on conflict do nothing""",
                [(a.pv, of[a.flaw], a.verdict, a.basis, list(a.fixed), list(a.records)) for a in given],
            )
        return Put(len(given), 0, 0, 0)
    _stage(db, pvs, given, of)
    ended = 0
    moved: list[tuple[int, int]] = []
    if held:
        db.execute(_KIN)
        moved = db.execute(_MOVE).fetchall()
        joined = db.execute(_JOIN).fetchall()
        told.note(db, "judged", [row[0] for row in db.execute(_VERDICT)])
    changed = db.execute(_DROP).rowcount + db.execute(_CHANGE).rowcount
    changed += db.execute(_ADD).rowcount
    appeared = 0
    if held:
        over = [row[0] for row in db.execute(_END)]
        told.note(db, "ended", over)
        ended = len(over)
        appeared = _appear(db, day)
        if moved:
            _settle_moved(db, moved, day)
        if joined:
            assets, flaws = (sorted(set(column)) for column in zip(*joined, strict=True))
            due.date_again(db, day, assets=assets, flaws=flaws)
        from . import leftover

        said = leftover.settle(db, day)
        appeared, ended = appeared + said.appeared, ended + said.ended
    db.execute("truncate incoming_answer, incoming_pv, kin")
    return Put(changed, appeared, ended, len(moved))


def _settle_moved(db: psycopg.Connection[Any], moved: Sequence[tuple[int, int]], day: date) -> None:
    """What is said of another flaw now is dated by that flaw's facts; what was decided of it stays only where one of
    the records that it was decided on says so still."""
    exposures = [exposure for exposure, _ in moved]
    told.note(db, "moved", exposures)
    db.execute(
        """update clearway.exposure e set status = 0, decision = null, until = null, version = e.version + 1
        from clearway.decision d where e.exposure = any(%s) and d.decision = e.decision and not exists (
            select from clearway.answer a where a.pv = e.pv and a.flaw = e.flaw and a.records && d.records)""",
        (exposures,),
    )
    db.execute("select clearway.fleet_settle(%s)", (exposures,))
    due.date_again(db, day, flaws=sorted({flaw for _, flaw in moved}))


_TEMPORARY = """
create temporary table if not exists incoming_pv (pv int primary key) on commit delete rows;
create temporary table if not exists incoming_answer (
    pv int, flaw int, verdict smallint, basis text, fixed text[], records text[], primary key (pv, flaw)
) on commit delete rows;
create temporary table if not exists kin (pv int, flaw int, was int, ended boolean) on commit delete rows;
"""
# New flaws of a version whose records said another flaw before.
_KIN = """insert into kin
select n.pv, n.flaw, o.flaw, not exists (
        select from incoming_answer s where s.pv = o.pv and s.flaw = o.flaw and s.verdict < 3)
from incoming_answer n join clearway.answer o on o.pv = n.pv and o.flaw <> n.flaw and o.records && n.records
where n.verdict < 3 and o.verdict < 3 and not exists (
    select from clearway.answer e where e.pv = n.pv and e.flaw = n.flaw and e.verdict < 3)"""
# Where the old flaw is over, its exposures go along; of several into one, the earliest detected, with the day
# that somebody set (`how` 2) where there is one.
_MOVE = """update clearway.exposure e set flaw = w.flaw, detected = w.detected, how = w.how, version = version + 1
from (
    select distinct on (x.asset, x.pv, k.flaw) x.exposure, k.flaw,
        first_value(x.detected) over best as detected, first_value(x.how) over best as how
    from kin k join clearway.version_use u on u.pv = k.pv join clearway.held h on h.aud = u.aud and h.pv = k.pv
    join clearway.exposure x on x.asset = h.asset and x.pv = k.pv and x.flaw = k.was and x.via = 0 and x.gone is null
    where k.ended and not exists (
        select from clearway.exposure t where t.asset = x.asset and t.pv = x.pv and t.flaw = k.flaw and t.via = 0)
        -- and of one into several, each exposure goes to the first
        and k.flaw = (select min(l.flaw) from kin l where l.pv = k.pv and l.was = k.was)
    window best as (partition by x.asset, x.pv, k.flaw order by (x.how = 2) desc, x.detected, x.how desc)
    order by x.asset, x.pv, k.flaw, x.detected, x.exposure) w
where e.exposure = w.exposure returning e.exposure, e.flaw"""
# What a flaw that stands already takes in: the day of another one's exposure counts for its own.
_JOIN = """with pairs as materialized (
    select n.pv, n.flaw, o.flaw as was
    from incoming_answer n join clearway.answer o on o.pv = n.pv and o.flaw <> n.flaw and o.records && n.records
    where n.verdict < 3 and o.verdict < 3 and not exists (
        select from incoming_answer s where s.pv = o.pv and s.flaw = o.flaw and s.verdict < 3))
update clearway.exposure e set detected = w.detected, how = w.how, version = version + 1
from (
    select distinct on (t.exposure) t.exposure, x.detected, x.how
    from pairs p join clearway.version_use u on u.pv = p.pv join clearway.held h on h.aud = u.aud and h.pv = p.pv
    join clearway.exposure t on t.asset = h.asset and t.pv = p.pv and t.flaw = p.flaw and t.via = 0 and t.gone is null
    join clearway.exposure x on x.asset = h.asset and x.pv = p.pv and x.flaw = p.was and x.via = 0 and x.gone is null
    order by t.exposure, (x.how = 2) desc, x.detected, x.how desc) w
where e.exposure = w.exposure and (w.how = 2, e.detected) > (e.how = 2, w.detected)
returning e.asset, e.flaw"""
# Beside those whose answer is another, those that have just gone over to a flaw which was not asked about (`_MOVE`).
_VERDICT = """with judged as materialized (
    select n.pv, n.flaw, n.verdict from incoming_answer n join clearway.answer o on o.pv = n.pv and o.flaw = n.flaw
    where n.verdict < 3 and o.verdict <> n.verdict
    union select n.pv, n.flaw, n.verdict from incoming_answer n join kin k on k.pv = n.pv and k.flaw = n.flaw)
update clearway.exposure e set verdict = n.verdict, version = version + 1
from judged n join clearway.version_use u on u.pv = n.pv join clearway.held h on h.aud = u.aud and h.pv = n.pv
where e.asset = h.asset and e.pv = n.pv and e.flaw = n.flaw and e.via = 0 and e.gone is null
    and e.verdict <> n.verdict returning e.exposure"""
_DROP = """delete from clearway.answer o using incoming_pv p where o.pv = p.pv and not exists (
    select from incoming_answer n where n.pv = o.pv and n.flaw = o.flaw)"""
_CHANGE = """update clearway.answer o set verdict = n.verdict, basis = n.basis, fixed = n.fixed, records = n.records
from incoming_answer n where o.pv = n.pv and o.flaw = n.flaw
    and (o.verdict, o.basis, o.fixed, o.records) is distinct from (n.verdict, n.basis, n.fixed, n.records)"""
_ADD = """insert into clearway.answer (pv, flaw, verdict, basis, fixed, records)
select n.* from incoming_answer n where not exists (
    select from clearway.answer o where o.pv = n.pv and o.flaw = n.flaw)"""
_END = """update clearway.exposure e set gone = (select clearway.fleet_now()), version = version + 1
from incoming_pv p join clearway.version_use u on u.pv = p.pv join clearway.held h on h.aud = u.aud and h.pv = p.pv
where e.asset = h.asset and e.pv = p.pv and e.via = 0 and e.gone is null and not exists (
    select from clearway.answer a where a.pv = e.pv and a.flaw = e.flaw and a.verdict < 3)
returning e.exposure"""
_WANTED = """select h.asset, a.pv, a.flaw, a.verdict, s.org, f.id, f.kev, f.kev_due, f.automatable, f.impact,
    f.ssvc_dated, b.detected, b.kept
from incoming_answer a join clearway.version_use u on u.pv = a.pv join clearway.held h on h.aud = u.aud and h.pv = a.pv
join clearway.asset s on s.asset = h.asset
join clearway.flaw f on f.flaw = a.flaw
cross join lateral (
    select coalesce(min(x.detected) filter (where x.how = 2), min(x.detected)) as detected, bool_or(x.how = 2) as kept
    from kin k join clearway.exposure x on x.asset = h.asset and x.pv = a.pv and x.flaw = k.was and x.via = 0
    where k.pv = a.pv and k.flaw = a.flaw) b
where a.verdict < 3 and a.basis <> 'reported' and not exists (
    select from clearway.exposure e
    where e.asset = h.asset and e.pv = a.pv and e.flaw = a.flaw and e.via = 0 and e.gone is null)"""


def _stage(
    db: psycopg.Connection[Any], pvs: Sequence[int], answers: Sequence[Answer], of: Mapping[str, int]
) -> None:
    db.execute(_TEMPORARY)
    with db.cursor() as cursor, cursor.copy("copy incoming_pv from stdin (format binary)") as copy:
        copy.set_types(["int4"])
        for pv in sorted(set(pvs)):
            copy.write_row((pv,))
    with db.cursor() as cursor, cursor.copy("copy incoming_answer from stdin (format binary)") as copy:
        copy.set_types(["int4", "int4", "int2", "text", "text[]", "text[]"])
        for a in answers:
            copy.write_row((a.pv, of[a.flaw], a.verdict, a.basis, list(a.fixed), list(a.records)))
    if len(pvs) > 1_000:
        db.execute("analyze incoming_pv")
        db.execute("analyze incoming_answer")


def _appear(db: psycopg.Connection[Any], day: date) -> int:
    """New exposures of everybody who holds a version of which something new is said."""
    with db.cursor(name="wanted") as cursor:
        cursor.execute(_WANTED)
        made: list[int] = []
        dater = Dater(db, day, loaded(db))
        while rows := cursor.fetchmany(_BATCH):
            made += insert(db, dater, rows)
    settle(db, made)
    return len(made)


def settle(db: psycopg.Connection[Any], made: list[int]) -> None:
    """Gives new exposures the status that decisions and rules say."""
    if made:
        db.execute("select clearway.fleet_settle(%s)", (made,))
        from .rule import apply_to

        apply_to(db, made)


def insert(
    db: psycopg.Connection[Any], dater: Dater, rows: Sequence[tuple[Any, ...]], via: int = 0
) -> list[int]:
    """Exposures, save on assets that are decommissioned; returns their ids.

    A row is (asset, pv, flaw, verdict, org, six facts of the flaw, detected or None, whether somebody
    set that day).
    """
    set_for = settings(db, (r[4] for r in rows), day=dater.day)
    said_of = said(db, (r[0] for r in rows))
    made = []
    for asset, pv, flaw, verdict, org, *facts, was, kept in rows:
        detected = dater.day if was is None or was > dater.day else was
        how = SET_RIGHT if kept and detected == was else 0
        dated = dater.due(set_for[org], FlawDates(*facts), said_of[asset], detected, how)
        made.append((asset, pv, flaw, verdict, detected, dated.due, dated.clock, how))
    columns = list(zip(*made, strict=True))
    found = db.execute(
        """insert into clearway.exposure as e
            (first_seen, asset, pv, flaw, via, org, aud, detected, due, clock, verdict, how)
        select (select clearway.fleet_now()), w.asset, w.pv, w.flaw, %s, s.org,
            case when %s = 0 then s.aud else u.aud end, w.detected, w.due, w.clock, w.verdict, w.how
        from unnest(%s::int[], %s::int[], %s::int[], %s::smallint[], %s::date[], %s::date[], %s::int[],
                %s::smallint[])
            as w(asset, pv, flaw, verdict, detected, due, clock, how)
        join clearway.asset s on s.asset = w.asset and (s.decommissioned is null or s.decommissioned > %s)
        left join (
            select a.aud as own, clearway.meet(array[a.aud::int, m.aud::int]) as aud
            from (select distinct aud from clearway.asset
                where asset = any(%s)) a, clearway.marked m where m.marked = %s) u on u.own = s.aud
        on conflict (asset, pv, flaw, via) do update set gone = null, verdict = excluded.verdict,
            detected = excluded.detected, due = excluded.due, clock = excluded.clock, how = excluded.how,
            status = 0, decision = null, until = null, version = e.version + 1 where e.gone is not null
        returning e.exposure""",
        (via, via, *[list(c) for c in columns], dater.day, list(columns[0]), via),
    )
    appeared = [row[0] for row in found]
    told.note(db, "appeared", appeared)
    return appeared
