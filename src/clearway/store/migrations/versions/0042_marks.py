"""One row a mark, with appeals that name theirs; withdrawn bytes may come again; a report does not wait for itself."""

from clearway.store.ddl import before, run

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

TABLES = """
-- Each mark is a row of its own and stays: the newest of a finding counts, and an appeal is against one of them.
alter table clearway.finding_mark add column finding_mark bigint generated always as identity;
alter table clearway.finding_mark drop constraint finding_mark_pkey;
alter table clearway.finding_mark add primary key (finding_mark), add unique (finding_mark, finding);
create index finding_mark_newest on clearway.finding_mark (finding, finding_mark desc);
alter table clearway.mark_appeal add column finding_mark bigint;
update clearway.mark_appeal a set finding_mark = m.finding_mark from clearway.finding_mark m
where m.finding = a.finding;
alter table clearway.mark_appeal alter column finding_mark set not null,
    add foreign key (finding_mark, finding) references clearway.finding_mark (finding_mark, finding);
drop index clearway.mark_appeal_open;
create unique index mark_appeal_open on clearway.mark_appeal (finding_mark) where outcome is null;
-- What was withdrawn may be sent again, and is then another finding.
alter table clearway.finding drop constraint finding_org_live_digest_key;
create unique index finding_same on clearway.finding (org, live, digest) where state <> 'withdrawn';
"""

FUNCTIONS = """
-- A coordinator says how a finding counts; the mark's number. While an appeal is open nobody replaces what it is about.
create function clearway.mark_finding(which bigint, said text, because text) returns bigint language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare f finding := locked_finding(which); made bigint;
begin
    if not is_desk() then raise 'a coordinator says how findings count' using errcode = 'CW403'; end if;
    if exists (select from mark_appeal a where a.finding = f.finding and a.outcome is null) then
        raise 'an appeal is open: it is decided first' using errcode = 'CW409';
    end if;
    insert into finding_mark (finding, org, aud, mark, why) values (f.finding, f.org, f.aud, said, left(because, 2000))
    returning finding_mark into made;
    return made;
end $$;
-- The reporter appeals against the newest mark of a finding, once; the appeal's number.
create function clearway.appeal_mark(which bigint, because text) returns bigint language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare f finding := locked_finding(which); newest bigint; made bigint;
begin
    if not (case when actor() = 0 then true else f.org = any(my_orgs('submit')) end) then
        raise 'its reporter appeals' using errcode = 'CW403';
    end if;
    select m.finding_mark into newest from finding_mark m where m.finding = f.finding
    order by m.finding_mark desc limit 1;
    if newest is null then
        raise 'nothing was said of this finding that could be appealed' using errcode = 'CW409';
    end if;
    if exists (select from mark_appeal a where a.finding_mark = newest) then
        raise 'there was an appeal against this already' using errcode = 'CW409';
    end if;
    insert into mark_appeal (finding, finding_mark, org, aud, why)
    values (f.finding, newest, f.org, f.aud, left(because, 4000)) returning appeal into made;
    return made;
end $$;
-- A coordinator decides an appeal who neither gave the mark that it is against, nor made it.
create or replace function clearway.decide_appeal(which bigint, verdict text, because text) returns bigint
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare a mark_appeal; marker int; bits varbit := case when actor() = 0 then null else my_bits() end;
begin
    if not is_desk() then raise 'a coordinator decides appeals' using errcode = 'CW403'; end if;
    select * into a from mark_appeal where appeal = which for update;
    if a.appeal is null or (bits is not null and get_bit(bits, a.aud) is distinct from 1) then
        raise 'no such appeal' using errcode = 'CW404';
    end if;
    if a.outcome is not null then raise 'the appeal is decided' using errcode = 'CW409'; end if;
    select by_person into marker from finding_mark m where m.finding_mark = a.finding_mark;
    if actor() <> 0 and actor() in (marker, a.by_person) then
        raise 'somebody else than who gave the mark, or appealed, decides' using errcode = 'CW403';
    end if;
    update mark_appeal set outcome = verdict, reason = left(because, 4000), decided = clock_timestamp(),
        decided_by = actor() where appeal = which;
    return a.finding;
end $$;
drop function clearway.sent_lately(int, text, text);
-- How many reports of a product the caller's organisation has sent in the last seven days, which had their turn: its
-- own alone, and without the one that is asked about.
create function clearway.sent_lately(of_org int, of_ecosystem text, of_package text, but bigint) returns bigint
    language sql stable security definer set search_path = clearway, pg_temp as $$
    select count(*) from finding f where f.org = of_org and f.live and f.ecosystem = of_ecosystem
        and f.package = of_package and f.finding <> but and f.state not in ('received', 'withdrawn')
        and not exists (select from finding_gate g
            where g.finding = f.finding and g.gate = 'turn' and g.state = 'waits')
        and f.received > clock_timestamp() - interval '7 days'
        and case when actor() = 0 then true else f.org = any((select my_orgs('submit'))::int[]) end $$;
revoke execute on function clearway.mark_finding(bigint, text, text), clearway.appeal_mark(bigint, text),
    clearway.sent_lately(int, text, text, bigint) from public;
grant execute on function clearway.mark_finding(bigint, text, text), clearway.appeal_mark(bigint, text),
    clearway.sent_lately(int, text, text, bigint) to clearway_app;
"""

# Both are written by these functions alone.
RULES = """
revoke insert, update on clearway.finding_mark, clearway.mark_appeal from clearway_app;
revoke insert (finding, org, aud, mark, why), update (mark, why) on clearway.finding_mark from clearway_app;
revoke insert (finding, org, aud, why) on clearway.mark_appeal from clearway_app;
drop policy desk_adds on clearway.finding_mark;
drop policy desk_changes on clearway.finding_mark;
drop policy against on clearway.mark_appeal;
"""

BACK = """
drop function clearway.mark_finding(bigint, text, text), clearway.appeal_mark(bigint, text),
    clearway.sent_lately(int, text, text, bigint);
-- Of several marks the newest is left, with the appeals against it.
delete from clearway.mark_appeal a where exists (select from clearway.finding_mark m
    where m.finding = a.finding and m.finding_mark > a.finding_mark);
delete from clearway.finding_mark o where exists (select from clearway.finding_mark m
    where m.finding = o.finding and m.finding_mark > o.finding_mark);
drop index clearway.mark_appeal_open;
alter table clearway.mark_appeal drop column finding_mark;
create unique index mark_appeal_open on clearway.mark_appeal (finding) where outcome is null;
alter table clearway.finding_mark drop column finding_mark;
alter table clearway.finding_mark add primary key (finding);
drop index clearway.finding_same;
-- Of the same bytes one finding may be left with their hash: not one that was withdrawn and sent again.
update clearway.finding f set digest = sha256(f.digest || convert_to(f.handling, 'UTF8'))
where f.state = 'withdrawn' and exists (select from clearway.finding o where o.org = f.org and o.live = f.live
    and o.digest = f.digest and o.finding > f.finding);
alter table clearway.finding add constraint finding_org_live_digest_key unique (org, live, digest);
grant insert (finding, org, aud, mark, why), update (mark, why) on clearway.finding_mark to clearway_app;
grant insert (finding, org, aud, why) on clearway.mark_appeal to clearway_app;
create policy desk_adds on clearway.finding_mark for insert to clearway_app
    with check ((select clearway.is_desk()) and get_bit((select clearway.my_bits()), aud) = 1);
create policy desk_changes on clearway.finding_mark for update to clearway_app
    using ((select clearway.is_desk()) and get_bit((select clearway.my_bits()), aud) = 1)
    with check ((select clearway.is_desk()) and get_bit((select clearway.my_bits()), aud) = 1);
create policy against on clearway.mark_appeal as restrictive for insert to clearway_app
    with check (exists (select from clearway.finding_mark m where m.finding = mark_appeal.finding));
"""

BACK_GRANTS = """
revoke execute on function clearway.sent_lately(int, text, text) from public;
grant execute on function clearway.sent_lately(int, text, text) to clearway_app;
"""


def upgrade() -> None:
    """Splits marks into rows of their own."""
    run(TABLES, FUNCTIONS, RULES)


def downgrade() -> None:
    """Leaves the newest mark of each finding."""
    run(
        BACK,
        before("0023_markings_more", "decide_appeal"),
        before("0016_intake", "sent_lately"),
        BACK_GRANTS,
    )
