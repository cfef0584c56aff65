"""How an exposure was includes its version, since when it was known and whose word its day was; a day is set right."""

from alembic import op

from clearway.store.ddl import before, run, standing

revision = "0092"
down_revision = "0091"
branch_labels = None
depends_on = None

COLUMNS = """
alter table clearway.exposure_history add column pv int, add column how smallint, add column first_seen timestamptz;
-- What was before is not known any more: from here on it does not change.
update clearway.exposure_history h set pv = e.pv, how = e.how, first_seen = e.first_seen
from clearway.exposure e where e.exposure = h.exposure;
alter table clearway.exposure_history alter column pv set not null, alter column how set not null,
    alter column first_seen set not null;
"""

KEEP = """
create or replace function clearway.keep_exposure_history() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    -- EXECUTE: a plan that was cached for one row must not meet a million (reference: markings, trap 4)
    execute 'insert into clearway.exposure_history (exposure, until, aud, gone, flaw, detected, due, clock, decision,
            accepted_until, status, verdict, pv, how, first_seen)
        select o.exposure, (select clearway.fleet_now()), o.aud, o.gone, o.flaw, o.detected, o.due, o.clock, o.decision,
            o.until, o.status, o.verdict, o.pv, o.how, o.first_seen
        from before o join after n using (exposure)
        where (o.gone, o.flaw, o.detected, o.due, o.clock, o.decision, o.until, o.status, o.verdict, o.pv, o.how,
                o.first_seen)
            is distinct from
            (n.gone, n.flaw, n.detected, n.due, n.clock, n.decision, n.until, n.status, n.verdict, n.pv, n.how,
                n.first_seen)
        on conflict (exposure, until) do nothing';
    return null;
end $$;
"""


BEGINS = """
-- The first day on which that flaw can have been detected: of a CVE the first of its id's year.
create function clearway.flaw_begins(id text) returns date language sql immutable as $$
    select case when id ~* '^CVE-[12][0-9]{3}-' then greatest(make_date(substr(id, 5, 4)::int, 1, 1), '1999-01-01')
        else '1999-01-01'::date end $$;
"""

REDATE = """
-- Sets the day on which an exposure was detected, whichever was kept: `how` 2 says that no document changes it any
-- more while it stands. Returns the day that it replaces.
create function clearway.fleet_redate(which bigint, day date) returns date language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare
    e exposure;
    a asset;
begin
    select * into e from exposure x where x.exposure = which;
    if e.exposure is null or (actor() <> 0 and get_bit(my_bits(), e.aud) is distinct from 1) then
        raise 'no such exposure' using errcode = 'CW404';
    end if;
    a := fleet_asset(e.asset);
    select * into e from exposure x where x.exposure = which for update;
    if e.gone is not null then
        raise 'this exposure is over' using errcode = 'CW409';
    end if;
    if day is null or day > (fleet_now() at time zone 'UTC')::date
            or day < (select flaw_begins(f.id) from flaw f where f.flaw = e.flaw) then
        raise 'it cannot have been detected on that day' using errcode = 'CW400';
    end if;
    update exposure x set detected = day, how = 2, version = x.version + 1 where x.exposure = which;
    return e.detected;
end $$;
revoke execute on function clearway.fleet_redate(bigint, date), clearway.flaw_begins(text) from public;
grant execute on function clearway.fleet_redate(bigint, date) to clearway_app;
"""
_DETECT = (
    (
        "where e.exposure = w.exposure and e.detected > w.day'",
        "where e.exposure = w.exposure and e.detected > w.day and e.how <> 2'",
    ),
    ("select o.exposure, $6 from", "select o.exposure, greatest($6, clearway.flaw_begins(f.id)) from"),
    (
        "select o.exposure, min(g.day) as day from",
        "select o.exposure, greatest(min(g.day), min(clearway.flaw_begins(f.id))) as day from",
    ),
)


def upgrade() -> None:
    """Keeps in the history all that a report of an earlier day shows; what documents state leaves a set day alone."""
    run(COLUMNS, KEEP)
    text = standing("fleet_detect")
    for was, becomes in _DETECT:
        assert text.count(was) == 1, was
        text = text.replace(was, becomes)
    run(BEGINS, REDATE, text)


def downgrade() -> None:
    """As it was: of these the present alone. What was set right stays so, until a later document moves it again."""
    text = standing("fleet_detect")
    for was, becomes in _DETECT:
        text = text.replace(becomes, was)
    run(text, "update clearway.exposure set how = 1 where how = 2")
    op.execute("drop function clearway.fleet_redate(bigint, date)")
    op.execute("drop function clearway.flaw_begins(text)")
    run(before("0005_fleet", "keep_exposure_history"))
    run("alter table clearway.exposure_history drop column pv, drop column how, drop column first_seen")
