"""Whose name a directive has; what waits until it is taken note of; what a revocation brings back."""

from alembic import op

from clearway.store.ddl import before, run

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None

TIED = """
-- By the word of the installation's owner this organisation issues this directive, though the name ships with the
-- product or another authority has used it. Everybody may know.
create table clearway.directive_authority (
    directive text not null check (directive ~ '^[a-z0-9][a-z0-9.-]{0,62}$'),
    org int not null references clearway.organisation,
    tied timestamptz not null default clock_timestamp(),
    primary key (directive, org)
);
alter table clearway.directive_authority enable row level security;
alter table clearway.directive_authority force row level security;
do $own$ begin
    execute format(
        'create policy own on clearway.directive_authority to %I using (true) with check (true)', current_user
    );
end $own$;
create policy see on clearway.directive_authority for select to clearway_app using (true);
grant select on clearway.directive_authority to clearway_app;
insert into clearway.log_act (act, app) values ('directive.tied', false), ('directive.untied', false);

-- Whether an organisation may issue a directive as far as others that issue it are concerned. Those who issue one name
-- at once come one after the other.
create function clearway.may_issue(of_org int, named text) returns boolean language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('clearway directive ' || named, 0));
    return exists (select from directive_authority t where t.org = of_org and t.directive = named)
        or not exists (select from directive_version v
            where v.directive = named and v.org <> of_org and not v.imported);
end $$;
revoke execute on function clearway.may_issue(int, text) from public;
grant execute on function clearway.may_issue(int, text) to clearway_app;
create policy tied on clearway.directive_version as restrictive for insert to clearway_app
    with check (imported or clearway.may_issue(org, directive));
"""

# What was issued before stands as it did: the dates of days past do not change.
AWAITS = """
alter table clearway.directive_version add column awaits boolean not null default false;
alter table clearway.directive_version alter column awaits set default true;
create trigger note_ruling after insert on clearway.directive_acknowledgement
    for each row execute function clearway.note_ruling();
create or replace function clearway.note_ruling() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    if tg_table_name = 'directive_address' then
        insert into fleet_ruling (org) values (new.recipient);
    elsif tg_table_name = 'directive_acknowledgement' then
        insert into fleet_ruling (org) values (new.org);
    elsif new.imported then
        insert into fleet_ruling (org) values (new.org);
    else
        insert into fleet_ruling (org) select distinct a.recipient from directive_address a
        where a.org = new.org and a.directive = new.directive;
    end if;
    return null;
end $$;
"""

# As 0013 has it, but for two things. A version that is revoked leaves those before it standing. And of each authority
# come all versions from the last one on that was taken note of: which of them governs is told by their tables.
BEARING = """
drop function clearway.directives_of(int[], date, timestamptz);
create function clearway.directives_of(orgs int[], day date, known timestamptz) returns table (
    org int, directive text, version_id bigint, version text, sha256 bytea, authority int, standing text, since date,
    imported boolean, taken boolean, issued date)
    language plpgsql stable security definer set search_path = clearway, pg_temp as $$
declare
    mine int[] := orgs;
    their int[];
begin
    if actor() <> 0 then  -- the owner has no principal to ask about
        their := my_orgs('read') || my_orgs('operate');
        mine := array(select o from unnest(orgs) o where o = any(their));
    end if;
    return query
        select a.recipient, a.directive, v.version_id, v.version, v.sha256, a.org, a.standing, a.since, false,
            v.noted, v.issued
        from directive_address a
        join lateral (
            with standing as (
                select w.version_id, w.version, w.sha256, w.issued, not w.awaits or exists (
                    select from directive_acknowledgement k where k.org = a.recipient
                        and k.version_id = w.version_id and (known is null or k.at < known)
                        and (k.at at time zone 'UTC')::date <= day) as noted
                from directive_version w
                where w.org = a.org and w.directive = a.directive and not w.imported and w.issued <= day
                    and (known is null or w.issued_at < known) and not coalesce(
                        w.revoked <= day and (known is null or w.revoked_at is null or w.revoked_at < known), false))
            (select * from standing s where s.noted order by s.issued desc, s.version_id desc limit 1)
            union
            (select * from standing s order by s.issued desc, s.version_id desc limit 50)) v on true
        where a.recipient = any(mine) and a.since <= day and (known is null or a.made < known)
            and (a.until is null or a.until > day or (known is not null and a.until_at >= known))
        union all
        (select distinct on (w.org, w.directive)
            w.org, w.directive, w.version_id, w.version, w.sha256, w.org, 'adopted', w.issued, true, true, w.issued
        from directive_version w
        where w.org = any(mine) and w.imported and w.issued <= day and (known is null or w.issued_at < known)
        order by w.org, w.directive, w.issued desc, w.version_id desc);
end $$;
revoke execute on function clearway.directives_of(int[], date, timestamptz) from public;
grant execute on function clearway.directives_of(int[], date, timestamptz) to clearway_app;
"""


def upgrade() -> None:
    """Creates the table and its rule, and makes the functions anew."""
    run(TIED, AWAITS, BEARING)


def downgrade() -> None:
    """As it was: the newest version alone governs, at once."""
    op.execute("drop trigger note_ruling on clearway.directive_acknowledgement")
    op.execute("drop function clearway.directives_of(int[], date, timestamptz)")
    run(before("0013_fleet_more", "note_ruling"), before("0013_fleet_more", "directives_of"))
    run(
        """revoke execute on function clearway.directives_of(int[], date, timestamptz) from public;
        grant execute on function clearway.directives_of(int[], date, timestamptz) to clearway_app;
        drop policy tied on clearway.directive_version;
        drop function clearway.may_issue(int, text);
        alter table clearway.directive_version drop column awaits;
        delete from clearway.log_act where act in ('directive.tied', 'directive.untied');
        drop table clearway.directive_authority;"""
    )
