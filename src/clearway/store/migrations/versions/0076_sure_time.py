"""Time that somebody can vouch for, and bounds of embargoes and lists that do not count each other."""

from clearway.store.ddl import before, run

revision = "0076"
down_revision = "0075"
branch_labels = None
depends_on = None

CLOCK = """
-- Where the clock of this boot was first believed: drift is counted from there, for what is small from look to look
-- adds up. `unsure_s` is how much of what seems to have passed nobody can vouch for: across restarts of the machine.
alter table clearway.clock_mark add anchor timestamptz, add anchor_up_s double precision not null default 0,
    add unsure_s double precision not null default 0 check (unsure_s >= 0);
update clearway.clock_mark set anchor = nullif(high, '-infinity'), anchor_up_s = up_s;
-- The latest time that has surely come: what is deleted for its age goes by it, and so rather late than early. A mark
-- is some seconds old where a worker lives; where none ever looked, the database's clock is all there is.
create function clearway.now_sure() returns timestamptz language sql stable parallel safe security definer
    set search_path = clearway, pg_temp as $$
    select least(clock_timestamp(), case when isfinite(m.high) then m.high end)
        - make_interval(secs => m.unsure_s) from clock_mark m $$;
revoke execute on function clearway.now_sure() from public;
insert into clearway.log_act (act, app) values ('restore.voided', false);
"""

LISTS = """
-- Lists of recipients and embargoes are bounded each for itself. The parties of an embargo are a list, and stay one
-- when it has ended; a clearinghouse has as many cases as it has.
create or replace function clearway.add_list(keeper int, name text) returns int
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare made int;
begin
    if not (may('coordinate', keeper) or may('administer', keeper)) then
        raise 'the right to coordinate is missing' using errcode = 'CW403';
    end if;
    if (select count(*) from recipient_list l where l.org = keeper
            and not exists (select from embargo e where e.list = l.list)) >= 1000 then
        raise 'an organisation keeps a thousand lists at most' using errcode = 'CW409';
    end if;
    insert into recipient_list (org, name) values (keeper, add_list.name) returning list into made;
    perform group_of('list', made);
    return made;
end $$;
create or replace function clearway.add_embargo(keeper int, name text) returns int
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare parties int; made int; opened int;
begin
    if not may('coordinate', keeper) then
        raise 'the right to coordinate is missing' using errcode = 'CW403';
    end if;
    if (select count(*) from embargo e where e.org = keeper and e.ended_by is null
            and not exists (select from desk_case c where c.embargo = e.embargo)) >= 200 then
        raise 'an organisation keeps two hundred embargoes at once' using errcode = 'CW409';
    end if;
    insert into recipient_list (org, name) values (keeper, add_embargo.name) returning list into parties;
    perform group_of('list', parties);
    made := nextval(pg_get_serial_sequence('clearway.embargo', 'embargo'));
    opened := make_clause(array[group_of('embargo', made), group_of('desk', 0)], true);
    insert into embargo (embargo, name, org, list, clause) overriding system value
    values (made, add_embargo.name, keeper, parties, opened);
    return made;
end $$;
create index embargo_list on clearway.embargo (list);
"""


def upgrade() -> None:
    """Adds the anchor and the time that is sure; counts lists and embargoes apart."""
    run(CLOCK, LISTS)


def downgrade() -> None:
    """Takes both back."""
    run(
        "drop index clearway.embargo_list",
        before("0002_access", "add_list"),
        before("0002_access", "add_embargo"),
        "delete from clearway.log_act where act = 'restore.voided'",
        "drop function clearway.now_sure()",
        "alter table clearway.clock_mark drop anchor, drop anchor_up_s, drop unsure_s",
    )
