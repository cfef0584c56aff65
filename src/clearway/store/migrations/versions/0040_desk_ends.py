"""The desk's loose ends: when a reporter publishes, cases opened again, operators told, proofs for software."""

from clearway.store.ddl import before, run

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

FINDINGS = """
-- The day on which its reporter means to publish.
alter table clearway.finding add column publishes date;
grant insert (publishes) on clearway.finding to clearway_app;
-- Findings and cases are searched too: the follower begins anew.
delete from clearway.search_follower where name = 'kept';
"""

CASES = """
-- An operator who is told under embargo: it reads the case and what of its own is affected, and negotiates nothing.
alter table clearway.case_party drop constraint case_party_role_check;
alter table clearway.case_party add constraint case_party_role_check
    check (role in ('vendor', 'maintainer', 'reporter', 'coordinator', 'patcher', 'operator'));
insert into clearway.case_transition (machine, state, act, next, by_whom) values
    ('report', 'closed', 'reopen', 'received', '{desk}'),
    ('case', 'open', 'close', 'closed', '{desk}'),
    ('case', 'closed', 'reopen', 'open', '{desk}');
-- Which cases take part in matching, and by which facts: for the owner's job alone. It names a case and refers to none,
-- so that the job takes back what a case has caused that is there no more.
create table clearway.case_matching (
    case_id bigint primary key,
    record text not null check (length(record) between 1 and 100),
    facts text not null check (length(facts) between 1 and 100),
    at timestamptz not null default clock_timestamp()
);
alter table clearway.case_matching enable row level security;
alter table clearway.case_matching force row level security;
do $$ begin
    execute format('create policy own on clearway.case_matching to %I using (true) with check (true)', current_user);
end $$;
-- What a case lets take part stays its parties', as all that it holds: its marking is not changed by hand.
create function clearway.keep_case_marking() returns trigger language plpgsql
    set search_path = clearway, pg_temp as $$
begin
    raise 'it is the parties'' of a case: release the case' using errcode = 'CW409';
end $$;
revoke execute on function clearway.keep_case_marking() from public;
create trigger keep_case_marking before update of aud on clearway.marked
    for each row when (old.source = 'case' and old.aud is distinct from new.aud)
    execute function clearway.keep_case_marking();
"""

# A case that is closed moves in no machine but its own: that opens it again.
MOVE = (
    (
        "if c.closed is not null then raise",
        "if c.closed is not null and of_machine <> 'case' then raise",
    ),
    (
        "when 'public' then c.pxa end;",
        "when 'public' then c.pxa when 'case' then case when c.closed is null then 'open' else 'closed' end end;",
    ),
    (
        "    if of_machine = 'embargo' and wanted in",
        """    if wanted = 'reopen' and btrim(because) = '' then
        raise 'say why it is opened again' using errcode = 'CW400';
    end if;
    if of_machine = 'case' then
        update desk_case set closed = case when t.next = 'closed' then clock_timestamp() end where case_id = which;
    end if;
    if of_machine = 'embargo' and wanted in""",
    ),
)

# Of a copy of a program nobody needs a proof to look at it; whoever has shown that it is theirs may say no.
CONTROLS = """
alter table clearway.lease_control drop constraint lease_control_method_check;
alter table clearway.lease_control add constraint lease_control_method_check
    check (method in ('dns-txt', 'well-known', 'repository-file', 'desk'));
-- A coordinator says that a package is that organisation's, and until when; not for an organisation of one's own.
create function clearway.lease_control_confirm(which int, til timestamptz) returns int language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare c lease_control; new_version int;
begin
    select * into c from lease_control where control = which for update;
    if c.control is null
            or (case when actor() = 0 then false else get_bit(my_bits(), c.aud) is distinct from 1 end) then
        raise 'no such proof of control' using errcode = 'CW404';
    end if;
    if not is_desk() then raise 'a coordinator confirms that' using errcode = 'CW403'; end if;
    if actor() <> 0 and c.org = any(my_orgs('read')) then
        raise 'somebody of another organisation confirms that' using errcode = 'CW403';
    end if;
    if c.ended is not null then raise 'it is ended' using errcode = 'CW409'; end if;
    if c.method <> 'desk' then raise 'that is shown by what is put in place' using errcode = 'CW409'; end if;
    if til > clock_timestamp() + interval '400 days' or til < clock_timestamp() then
        raise 'it is confirmed for up to 400 days' using errcode = 'CW400';
    end if;
    update lease_control set proven = coalesce(proven, clock_timestamp()), expires = til, version = version + 1
    where control = which returning version into new_version;
    return new_version;
end $$;
revoke execute on function clearway.lease_control_confirm(int, timestamptz) from public;
grant execute on function clearway.lease_control_confirm(int, timestamptz) to clearway_app;
"""
ASK = (
    ("            continue when not lives[i];\n", ""),
    (
        "because := case when foreign_refusal then 'opt-out' when own_proof",
        "because := case when foreign_refusal then 'opt-out' when not lives[i] then '' when own_proof",
    ),
)


def upgrade() -> None:
    """Adds the columns and the table, and puts the functions in place of those before."""
    run(FINDINGS, CASES, CONTROLS)
    run(_changed(before("0019_cases", "move_case"), MOVE), _changed(before("0015_leases", "lease_ask"), ASK))


def downgrade() -> None:
    """Takes them back; a case that was opened again stays open, and what operators were told ends."""
    run(before("0015_leases", "lease_ask"), before("0019_cases", "move_case"))
    run(
        """
drop function clearway.lease_control_confirm(int, timestamptz);
delete from clearway.lease_control_at where control in (
    select control from clearway.lease_control where method in ('repository-file', 'desk'));
delete from clearway.lease_control where method in ('repository-file', 'desk');
alter table clearway.lease_control drop constraint lease_control_method_check;
alter table clearway.lease_control add constraint lease_control_method_check
    check (method in ('dns-txt', 'well-known'));
drop trigger keep_case_marking on clearway.marked;
drop function clearway.keep_case_marking();
update clearway.exposure e set gone = clock_timestamp(), version = e.version + 1
from clearway.marked m where m.source = 'case' and e.via = m.marked and e.gone is null;
delete from clearway.marked_interval i using clearway.marked m where m.source = 'case' and i.marked = m.marked;
update clearway.marked set rec = -marked where source = 'case' and rec > 0;
drop table clearway.case_matching;
delete from clearway.case_transition where machine = 'case' or act = 'reopen';
update clearway.case_party set role = 'coordinator' where role = 'operator';
alter table clearway.case_party drop constraint case_party_role_check;
alter table clearway.case_party add constraint case_party_role_check
    check (role in ('vendor', 'maintainer', 'reporter', 'coordinator', 'patcher'));
delete from clearway.search_doc where kind in ('finding', 'case');
alter table clearway.finding drop column publishes;
"""
    )


def _changed(text: str, places: tuple[tuple[str, str], ...]) -> str:
    for old, new in places:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text
