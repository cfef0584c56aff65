"""One flaw in one open case, whatever happens at once; whose findings a desk works on; what was said to be affected."""

import re

from clearway.store.ddl import before, run

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None

# Who reads is told by audiences, and every desk reads every finding. Who works on one that is in a case is the house
# that keeps the case.
KEEPERS = """
create function clearway.works_finding(which bigint) returns boolean language sql stable
    security definer set search_path = clearway, pg_temp as $$
    select actor() = 0 or (is_desk() and not exists (select from finding f join desk_case c on c.case_id = f.case_id
        where f.finding = which and not keeps_case(c.org))) $$;
-- Raises for who is no desk, in these words, and for the desk of another house than keeps the finding's case.
create function clearway.check_works(which bigint, words text) returns void language plpgsql stable
    security definer set search_path = clearway, pg_temp as $$
begin
    if not is_desk() then raise '%', words using errcode = 'CW403'; end if;
    if not works_finding(which) then
        raise 'another clearinghouse keeps the case that this finding is in' using errcode = 'CW403';
    end if;
end $$;
revoke execute on function clearway.works_finding(bigint), clearway.check_works(bigint, text) from public;
grant execute on function clearway.works_finding(bigint), clearway.check_works(bigint, text) to clearway_app;
-- Files that a desk adds are for findings that it works on.
drop policy desk on clearway.artefact;
create policy desk on clearway.artefact for insert to clearway_app
    with check ((select clearway.is_desk()) and get_bit((select clearway.my_bits()), aud) = 1
        and clearway.works_finding(finding));
"""
KEEPERS_BEFORE = """
drop policy desk on clearway.artefact;
create policy desk on clearway.artefact for insert to clearway_app
    with check ((select clearway.is_desk()) and get_bit((select clearway.my_bits()), aud) = 1);
drop function clearway.works_finding(bigint), clearway.check_works(bigint, text);
"""

# Which findings are one flaw follows from edges that hang together, so no row stands for a group that could be locked:
# what changes groups, or puts findings into cases, is done one after the other. It is taken before any row is, then a
# case, then its findings: nobody waits for somebody who waits for them.
ONE_CASE = """
create function clearway.hold_flaws() returns void language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    if not is_desk() then raise 'the desk says what is one flaw' using errcode = 'CW403'; end if;
    perform pg_advisory_xact_lock(hashtextextended('clearway flaws', 0));
end $$;
-- The open cases that these findings are in; the handling id of those that the caller may see, '' of others.
create function clearway.open_cases(of_findings bigint[]) returns table (finding bigint, of_case bigint, handling text)
    language plpgsql stable security definer set search_path = clearway, pg_temp as $$
declare bits varbit := case when actor() = 0 then null else my_bits() end;
begin
    if not is_desk() then raise 'the desk says what is one flaw' using errcode = 'CW403'; end if;
    return query select f.finding, c.case_id,
        case when bits is null or get_bit(bits, c.aud) = 1 then c.handling else '' end
    from finding f join desk_case c on c.case_id = f.case_id and c.closed is null where f.finding = any(of_findings);
end $$;
create or replace function clearway.add_finding_edge(first bigint, second bigint, said text, by_what text,
    how_much real, why text, part_of bigint default null) returns bigint language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare
    a finding; b finding; made bigint; l bigint; r bigint;
begin
    if first = second then raise 'a finding is itself' using errcode = 'CW400'; end if;
    perform hold_flaws();
    if actor() <> 0 and by_what <> 'person' then
        raise 'what is found by running is written by the desk''s jobs' using errcode = 'CW403';
    end if;
    -- Locked in one order, whichever was named first.
    a := locked_finding(least(first, second));
    b := locked_finding(greatest(first, second));
    perform check_works(a.finding, ''), check_works(b.finding, '');
    if a.live <> b.live then raise 'a trial is no real report''s duplicate' using errcode = 'CW409'; end if;
    if said in ('contains', 'regression') then l := first; r := second;
    else l := least(first, second); r := greatest(first, second); end if;
    select e.edge into made from finding_edge e
    where e.one = l and e.other = r and e.verdict = said and e.basis = by_what and e.revoked is null
        and e.act is not distinct from part_of;
    if made is not null then return made; end if;
    insert into finding_edge (one, other, aud, verdict, basis, score, reason, act)
    values (l, r, meet(array[a.aud::int, b.aud::int]), said, by_what, how_much, why, part_of) returning edge into made;
    return made;
end $$;
create or replace function clearway.revoke_finding_edge(which bigint, why text, part_of bigint default null)
    returns void language plpgsql security definer set search_path = clearway, pg_temp as $$
declare e finding_edge;
begin
    perform hold_flaws();
    select * into e from finding_edge where edge = which for update;
    if e.edge is null or (case when actor() = 0 then false else get_bit(my_bits(), e.aud) is distinct from 1 end) then
        raise 'no such edge' using errcode = 'CW404';
    end if;
    perform check_works(e.one, ''), check_works(e.other, '');
    if e.revoked is not null then raise 'it was revoked already' using errcode = 'CW409'; end if;
    update finding_edge set revoked = clock_timestamp(), revoked_by = actor(), revoked_why = left(why, 2000),
        revoked_act = part_of
    where edge = which;
end $$;
create or replace function clearway.undo_edge_act(undoes bigint) returns bigint language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare made bigint; base bigint;
begin
    perform hold_flaws();
    with recursive chain (n) as (
        select undoes union select u.undid from chain c join finding_undo u on u.act = c.n)
    select min(n) into base from chain;
    perform check_works(t.n, '') from (
        select e.one as n from finding_edge e where base in (e.act, e.revoked_act)
        union select e.other from finding_edge e where base in (e.act, e.revoked_act)) t;
    made := nextval('clearway.finding_edge_acts');
    insert into finding_undo (act, undid) values (made, undoes);
    return made;
end $$;
-- Puts a finding into a case, or takes it out of it (null). A case that is closed gives it back, and is remembered as
-- the one that it was in, for when that is opened again. Of a case whose end is armed one finding is left.
create or replace function clearway.case_finding(which bigint, into_case bigint) returns void language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare f finding; c desk_case; held desk_case; was bigint;
begin
    if not is_desk() then raise 'a coordinator opens cases' using errcode = 'CW403'; end if;
    perform hold_flaws();
    select case_id into was from finding where finding = which;
    perform from desk_case where case_id = any(array[was, into_case]) order by case_id for update;
    f := locked_finding(which);
    select * into held from desk_case where case_id = f.case_id;
    if into_case is null then
        if held.case_id is null then return; end if;
        if not keeps_case(held.org) then
            raise 'another clearinghouse keeps this case' using errcode = 'CW403';
        end if;
        if held.released is not null then
            raise 'the case is released: what it is about stays' using errcode = 'CW409';
        end if;
        if held.closed is null and exists (select from embargo e where e.embargo = held.embargo and e.ended_by is null
                    and (e.until is not null or e.on_exploitation))
                and not exists (select from finding o where o.case_id = held.case_id and o.finding <> which
                    and o.state <> 'withdrawn') then
            raise 'the end of the case''s embargo is armed, and this is its last finding: disarm it first'
                using errcode = 'CW409';
        end if;
    else
        c := locked_case(into_case);
        if not keeps_case(c.org) then
            raise 'another clearinghouse keeps this case' using errcode = 'CW403';
        end if;
        if c.closed is not null then raise 'the case is closed' using errcode = 'CW409'; end if;
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
revoke execute on function clearway.hold_flaws(), clearway.open_cases(bigint[]) from public;
grant execute on function clearway.hold_flaws(), clearway.open_cases(bigint[]) to clearway_app;
"""

# Which versions the record that it is said to be calls affected, beside the fixes: {"ecosystem", "introduced", "fixed",
# "last_affected", "versions"} of each of its products that is the finding's.
AFFECTED = """
alter table clearway.finding_known add column affected jsonb not null default '[]'
    check (jsonb_typeof(affected) = 'array' and octet_length(affected::text) <= 1048576);
drop function clearway.add_finding_known(bigint, text, text, text[], real, text);
create function clearway.add_finding_known(which bigint, name text, said text, fixes text[], how_much real, why text,
    ranges jsonb) returns bigint language plpgsql security definer set search_path = clearway, pg_temp as $$
declare f finding := locked_finding(which); made bigint;
begin
    perform check_works(f.finding, 'the desk says what is public');
    select k.known into made from finding_known k
    where k.finding = which and k.flaw = name and k.verdict = said and k.revoked is null;
    if made is not null then return made; end if;
    insert into finding_known (finding, org, aud, flaw, verdict, fixed, score, reason, affected)
    values (f.finding, f.org, f.aud, name, said, fixes, how_much, why, ranges) returning known into made;
    return made;
end $$;
revoke execute on function clearway.add_finding_known(bigint, text, text, text[], real, text, jsonb) from public;
grant execute on function clearway.add_finding_known(bigint, text, text, text[], real, text, jsonb) to clearway_app;
"""
AFFECTED_BEFORE = """
drop function clearway.add_finding_known(bigint, text, text, text[], real, text, jsonb);
alter table clearway.finding_known drop column affected;
"""
AFFECTED_RIGHTS = """
revoke execute on function clearway.add_finding_known(bigint, text, text, text[], real, text) from public;
grant execute on function clearway.add_finding_known(bigint, text, text, text[], real, text) to clearway_app;
"""

_DESK = re.compile(r"if not is_desk\(\) then raise ('[^\n]*') using errcode = 'CW403'; end if;")
# What the desk does with one finding: its function and the step that has it, the finding in it, and behind which line
# the test stands; where it is not in place of the old one, what is not there or may not be seen is told first.
_OF_A_FINDING = (
    ("level_finding", "0014_findings", "f.finding", ""),
    ("ask_validation", "0017_validation", "f.finding", ""),
    ("revoke_validations", "0046_withdrawn_evidence", "f.finding", ""),
    ("mark_finding", "0042_marks", "f.finding", ""),
    ("revoke_finding_known", "0018_dedup", "k.finding", "    if k.revoked is not null then"),
    ("decide_appeal", "0042_marks", "a.finding", "    if a.outcome is not null then"),
)
_MOVED = "            else is_desk() end) then"


def upgrade() -> None:
    run(KEEPERS, ONE_CASE, AFFECTED)
    for name, step, finding, behind in _OF_A_FINDING:
        text = before(step, name)
        found = _DESK.findall(text)
        assert len(found) == 1
        test = f"perform check_works({finding}, {found[0]});"
        text = text.replace(behind, f"    {test}\n{behind}", 1) if behind else _DESK.sub(lambda _: test, text)  # noqa: B023
        assert test in text
        run(text)
    text = before("0014_findings", "move_finding")
    assert text.count(_MOVED) == 1
    run(text.replace("reports or is_desk()", "reports or works_finding(which)").replace(
        _MOVED, "            else works_finding(which) end) then"))  # fmt: skip


def downgrade() -> None:
    run(AFFECTED_BEFORE, before("0018_dedup", "add_finding_known"), AFFECTED_RIGHTS)
    run(before("0014_findings", "move_finding"))
    run(*(before(step, name) for name, step, _, _ in _OF_A_FINDING))
    added = before("0018_dedup", "add_finding_edge")
    said = "and e.basis = by_what and e.revoked is null"
    run(
        added.replace(said, f"{said} and e.act is not distinct from part_of"),
        before("0018_dedup", "revoke_finding_edge"),
        before("0045_dedup_evidence", "undo_edge_act"),
        before("0047_case_keepers", "case_finding"),
        "drop function clearway.hold_flaws(), clearway.open_cases(bigint[])",
        KEEPERS_BEFORE,
    )
