"""A day of detection that was stated wrongly is set right by an operator, and no later document puts it back."""

from alembic import op

from clearway.store.ddl import run, standing

revision = "0093"
down_revision = "0092"
branch_labels = None
depends_on = None

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
revoke execute on function clearway.fleet_redate(bigint, date) from public;
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
    """Makes the act, and has what documents state leave its days alone."""
    text = standing("fleet_detect")
    for was, becomes in _DETECT:
        assert text.count(was) == 1, was
        text = text.replace(was, becomes)
    run(BEGINS, REDATE, text)


def downgrade() -> None:
    """What was set right stays so; a later document may move it again."""
    text = standing("fleet_detect")
    for was, becomes in _DETECT:
        text = text.replace(becomes, was)
    run(text, "update clearway.exposure set how = 1 where how = 2")
    run("update clearway.exposure_history set how = 1 where how = 2")
    op.execute("drop function clearway.fleet_redate(bigint, date)")
    op.execute("drop function clearway.flaw_begins(text)")
