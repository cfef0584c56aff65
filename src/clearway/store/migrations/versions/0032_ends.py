"""Bounds and names that told too much: embargoes end within a year, dates follow at once and say so."""

from clearway.store.ddl import before, run

revision = "0032"
down_revision = "0028"
branch_labels = None
depends_on = None

EMBARGOES = """
-- Arms it; without an hour and without `early`, disarms it: nothing ends it then but a coordinator's own act.
create or replace function clearway.arm_embargo(which int, ends timestamptz, early boolean) returns void
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare armed boolean := ends is not null or early;
begin
    if ends <= now_marked() then raise 'that hour has passed' using errcode = 'CW400'; end if;
    -- A day more than the application says, whose clock may be another.
    if ends > now_marked() + interval '367 days' then
        raise 'that hour is over a year away' using errcode = 'CW400';
    end if;
    update embargo set until = ends, on_exploitation = early, armed_by = case when armed then nullif(actor(), 0) end,
        armed_at = case when armed then clock_timestamp() end, frozen = '', version = version + 1
    where embargo = which and ended_by is null and may('coordinate', org);
    if not found then raise 'nothing of that name is here' using errcode = 'CW404'; end if;
end $$;
"""

RULINGS = """
-- Wakes who dates anew, in the moment that what was issued or addressed is committed.
create function clearway.wake_ruling() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    perform pg_notify('clearway_ruling', '');
    return null;
end $$;
create trigger wake_ruling after insert on clearway.fleet_ruling
    for each statement execute function clearway.wake_ruling();
-- Since when dates of these organisations are to be counted anew: of those that the caller reads or operates for.
create function clearway.fleet_redating(orgs int[]) returns table (org int, since timestamptz)
    language plpgsql stable security definer set search_path = clearway, pg_temp as $$
declare their int[] := case when actor() = 0 then orgs else my_orgs('read') || my_orgs('operate') end;
begin
    return query select r.org, min(r.noted) from fleet_ruling r
        where r.org = any(orgs) and r.org = any(their) group by r.org;
end $$;
revoke execute on function clearway.wake_ruling(), clearway.fleet_redating(int[]) from public;
grant execute on function clearway.fleet_redating(int[]) to clearway_app;
"""


def upgrade() -> None:
    run(EMBARGOES, RULINGS)


def downgrade() -> None:
    run(
        "drop trigger wake_ruling on clearway.fleet_ruling; drop function clearway.wake_ruling(), "
        "clearway.fleet_redating(int[])",
        before("0023_markings_more", "arm_embargo"),
    )
