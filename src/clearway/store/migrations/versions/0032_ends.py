"""Bounds and names that told too much: embargoes end within a year."""

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


def upgrade() -> None:
    run(EMBARGOES)


def downgrade() -> None:
    run(before("0023_markings_more", "arm_embargo"))
