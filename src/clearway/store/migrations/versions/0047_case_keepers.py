"""Who acts in a case is the clearinghouse that keeps it and its parties; what was told of it to whom, once."""

from clearway.store.ddl import before, run

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None

# Every coordinator reads every case: which one flaw is, is seen by all desks. Who acts for the desk is its keeper.
KEEPERS = """
create function clearway.keeps_case(of_org int) returns boolean language sql stable
    security definer set search_path = clearway, pg_temp as $$
    select actor() = 0 or (is_desk() and may('coordinate', of_org)) $$;
create or replace function clearway.case_part(p clearway.case_party) returns text language sql stable
    security definer set search_path = clearway, pg_temp as $$
    select case
        when keeps_case(p.org) then 'desk'
        when p.left_at is not null or p.member is null then ''
        when p.role in ('vendor', 'maintainer', 'patcher')
            and (p.member = any(my_orgs('maintain')) or p.member = any(my_orgs('coordinate'))) then 'vendor'
        when p.role in ('reporter', 'coordinator') and p.member = any(my_orgs('submit')) then 'reporter'
        else '' end $$;
-- An act of a case is its keeper's or a party's; what the desk alone does, the keeper's alone.
create function clearway.case_act_by() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    if keeps_case(new.org) then return new; end if;
    if exists (select from case_transition t where t.machine = new.machine and t.state = new.was and t.act = new.act
                and t.by_whom = '{desk}')
            or not exists (select from case_party p where p.case_id = new.case_id and case_part(p) <> '') then
        raise 'another clearinghouse keeps this case' using errcode = 'CW403';
    end if;
    return new;
end $$;
create trigger case_act_by before insert on clearway.case_act for each row execute function clearway.case_act_by();
create or replace function clearway.thread_audience(which bigint, of_party bigint) returns int language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare c desk_case := locked_case(which); whose int;
begin
    select coalesce(p.member, c.org) into whose from case_party p where p.party = of_party and p.case_id = which;
    if whose is null then raise 'no such party' using errcode = 'CW404'; end if;
    if not keeps_case(c.org) then
        raise 'a coordinator of the clearinghouse that keeps the case opens threads' using errcode = 'CW403';
    end if;
    return make_audience((select clauses from audience where aud = c.aud)
        || make_clause(array[group_of('staff', whose), group_of('desk', 0)], false));
end $$;
-- Puts a finding into a case, or takes it out of it (null). A case that is closed gives it back, and is remembered as
-- the one that it was in, for when that is opened again.
create or replace function clearway.case_finding(which bigint, into_case bigint) returns void language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare f finding := locked_finding(which); c desk_case; held desk_case;
begin
    if not is_desk() then raise 'a coordinator opens cases' using errcode = 'CW403'; end if;
    select * into held from desk_case where case_id = f.case_id;
    if into_case is null then
        if held.case_id is null then return; end if;
        if not keeps_case(held.org) then
            raise 'another clearinghouse keeps this case' using errcode = 'CW403';
        end if;
        if held.released is not null then
            raise 'the case is released: what it is about stays' using errcode = 'CW409';
        end if;
    else
        c := locked_case(into_case);
        if not keeps_case(c.org) then
            raise 'another clearinghouse keeps this case' using errcode = 'CW403';
        end if;
        if held.case_id <> into_case then
            raise 'the finding is in another case' using errcode = 'CW409';
        end if;
        if not f.live then raise 'a trial opens no case' using errcode = 'CW409'; end if;
        if f.state = 'withdrawn' then raise 'the finding is withdrawn' using errcode = 'CW409'; end if;
    end if;
    update finding set case_id = into_case, version = version + 1,
        was_case = case when into_case is null and held.closed is not null then held.case_id end
    where finding = which;
end $$;
revoke execute on function clearway.keeps_case(int), clearway.case_act_by() from public;
grant execute on function clearway.keeps_case(int) to clearway_app;
do $$ declare t text; begin
    foreach t in array array['desk_case', 'case_party', 'case_contact', 'case_act', 'case_proposal', 'case_consent',
            'case_thread', 'case_message', 'case_draft', 'case_document', 'case_letter', 'case_link'] loop
        execute format('drop policy desk_adds on clearway.%I', t);
        execute format('drop policy desk_changes on clearway.%I', t);
        execute format('create policy desk_adds on clearway.%I for insert to clearway_app
            with check ((select clearway.is_desk()) and org = any ((select clearway.my_orgs(''coordinate''))::int[])
                and get_bit((select clearway.my_bits()), aud) = 1)', t);
        execute format('create policy desk_changes on clearway.%I for update to clearway_app
            using ((select clearway.is_desk()) and org = any ((select clearway.my_orgs(''coordinate''))::int[])
                and get_bit((select clearway.my_bits()), aud) = 1)
            with check ((select clearway.is_desk()) and org = any ((select clearway.my_orgs(''coordinate''))::int[])
                and get_bit((select clearway.my_bits()), aud) = 1)', t);
    end loop;
end $$;
"""
KEEPERS_BEFORE = """
do $$ declare t text; begin
    foreach t in array array['desk_case', 'case_party', 'case_contact', 'case_act', 'case_proposal', 'case_consent',
            'case_thread', 'case_message', 'case_draft', 'case_document', 'case_letter', 'case_link'] loop
        execute format('drop policy desk_adds on clearway.%I', t);
        execute format('drop policy desk_changes on clearway.%I', t);
        execute format('create policy desk_adds on clearway.%I for insert to clearway_app
            with check ((select clearway.is_desk()) and get_bit((select clearway.my_bits()), aud) = 1)', t);
        execute format('create policy desk_changes on clearway.%I for update to clearway_app
            using ((select clearway.is_desk()) and get_bit((select clearway.my_bits()), aud) = 1)
            with check ((select clearway.is_desk()) and get_bit((select clearway.my_bits()), aud) = 1)', t);
    end loop;
end $$;
drop trigger case_act_by on clearway.case_act;
drop function clearway.case_act_by();
"""
GIVEN_BACK = """
alter table clearway.finding add column was_case bigint;
create index finding_was_case on clearway.finding (was_case) where was_case is not null;
update clearway.finding f set was_case = f.case_id, case_id = null
from clearway.desk_case c where c.case_id = f.case_id and c.closed is not null and c.released is null;
"""
GIVEN_BACK_BEFORE = """
update clearway.finding set case_id = was_case where case_id is null and was_case is not null;
alter table clearway.finding drop column was_case;
"""
# `told` is the version of the draft whose publication is on the log, `cve_told` the one that the numbering authority
# has; both are the owner's to set. `cve_problem` is what the authority said against it.
TOLD = """
alter table clearway.desk_case
    add column told int not null default 0,
    add column cve_told int not null default 0,
    add column cve_problem text not null default '' check (length(cve_problem) <= 300);
grant update (cve_problem) on clearway.desk_case to clearway_app;
update clearway.desk_case c set
    told = coalesce((select max(d.number) from clearway.case_document d where d.case_id = c.case_id), 0),
    cve_told = case when c.cve_state = 'published' then coalesce((select max(d.number) from clearway.case_document d
        where d.case_id = c.case_id and d.kind = 'cve'), 0) else 0 end
where c.published is not null;
"""
TOLD_BEFORE = """
alter table clearway.desk_case drop column told, drop column cve_told, drop column cve_problem;
"""


def upgrade() -> None:
    """Adds the columns, and puts functions and policies in place of those before."""
    run(GIVEN_BACK, KEEPERS, TOLD)


def downgrade() -> None:
    """Takes them back: every clearinghouse's coordinators act in every case."""
    run(TOLD_BEFORE, KEEPERS_BEFORE)
    for name in ("case_part", "thread_audience", "case_finding"):
        run(before("0019_cases", name))
    run("drop function clearway.keeps_case(int)", GIVEN_BACK_BEFORE)
