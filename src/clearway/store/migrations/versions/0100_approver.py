"""Who decides what takes two is told before they try, by the rule that they are held to when they do."""

from clearway.store.ddl import run, standing

revision = "0100"
down_revision = "0099"
branch_labels = None
depends_on = None

RULE = """
-- Why the caller neither approves nor refuses what was asked, with the cure; null where they may.
create function clearway.no_decider(which int) returns text language sql stable security definer
    set search_path = clearway, pg_temp as $$
    select case
        when (select p.kind from person p where p.person = actor()) is distinct from 'person'
            then 'this is a program''s account: a person decides, signed in as themselves'
        when not (may('coordinate', a.org) or may('administer', a.org))
            then 'that is one with the right to coordinate or to administer there: ask an administrator'
        else not_two(a.asked_by, a.asked_hands, actor(), my_hands()) end
    from approval a where a.approval = which $$;
-- Why nobody approves it any more, though it can be refused; null where it can be approved.
create function clearway.asked_no_more(which int) returns text language sql stable security definer
    set search_path = clearway, pg_temp as $$
    select 'who asked has been barred, or has not the right any more: refuse it'
    from approval a where a.approval = which and not exists (
        select from person p join membership m using (person) join role_right r on r.role = m.role
        where p.person = a.asked_by and p.active and m.org = a.org
            and r."right" in ('operate', 'coordinate', 'administer')) $$;
-- Whether a row of audience `was` stays under an embargo that neither the caller nor who asked keeps, so that it is not
-- given the audience `wanted`.
create function clearway.embargo_holds(was int, wanted int, asker int) returns boolean language sql stable
    security definer set search_path = clearway, pg_temp as $$
    select exists (select from audience n, audience w, embargo e where n.aud = was and w.aud = wanted
        and e.clause = any(n.clauses) and e.ended_by is null and not e.clause = any(w.clauses)
        and not may('coordinate', e.org)
        and not exists (select from membership m join role_right r on r.role = m.role
            join person p on p.person = m.person and p.active
            where m.person = asker and m.org = e.org and r."right" = 'coordinate')) $$;
-- Why another marking, which approving carries out, could not be carried out; null where it could, and of what is
-- carried out by itself later.
create function clearway.marking_stop(which int) returns text language plpgsql stable security definer
    set search_path = clearway, pg_temp as $$
declare a approval; wanted int; was int; rule governed;
begin
    select * into a from approval where approval = which and kind = 'marking';
    select * into rule from governed g where g.kind = split_part(a.subject, '/', 1);
    if rule.name is null or jsonb_typeof(a.proposal -> 'was') is distinct from 'number'
            or jsonb_typeof(a.proposal -> 'aud') is distinct from 'number' then
        return null;
    end if;
    was := a.proposal -> 'was'; wanted := a.proposal -> 'aud';
    if not (may(rule."right", a.org) or may('coordinate', a.org) or exists (
            select from membership m join role_right r on r.role = m.role
            join person p on p.person = m.person and p.active
            where m.person = a.asked_by and m.org = a.org and r."right" in (rule."right", 'coordinate'))) then
        return 'the right to change it is missing';
    end if;
    if not within(wanted, was) and embargo_holds(was, wanted, a.asked_by) then
        return 'it is under an embargo, which its keeper ends';
    end if;
    perform marking_guard(rule.kind, split_part(a.subject, '/', 2)::bigint, wanted);
    return null;
exception when sqlstate 'CW409' then return sqlerrm;
end $$;
-- Both, of those approvals that the caller sees and nobody has decided.
create function clearway.approval_stops(which int[]) returns table (approval int, decide text, approve text)
    language sql stable security definer set search_path = clearway, pg_temp as $$
    select a.approval, no_decider(a.approval), coalesce(asked_no_more(a.approval), marking_stop(a.approval))
    from approval a where a.approval = any(which) and a.verdict is null and actor() > 0 and may('read', a.org)
        and (a.kind not in ('marking', 'remark') or a.asked_by = actor() or sees_subject(a.subject)) $$;
revoke execute on function clearway.no_decider(int), clearway.asked_no_more(int), clearway.approval_stops(int[])
    from public;
revoke execute on function clearway.embargo_holds(int, int, int), clearway.marking_stop(int) from public;
grant execute on function clearway.approval_stops(int[]) to clearway_app;
"""

_DECIDER = (
    """        why := case
            when (select p.kind from person p where p.person = actor()) <> 'person'
                then 'this is a program''s account: a person decides, signed in as themselves'
            when not (may('coordinate', asked.org) or may('administer', asked.org))
                then 'that is one with the right to coordinate or to administer there: ask an administrator'
            else not_two(asked.asked_by, asked.asked_hands, actor(), my_hands()) end;
""",
    "        why := no_decider(which);\n",
)
_ASKER = (
    """    if said = 'approved' and not exists (
            select from person p join membership m using (person) join role_right r on r.role = m.role
            where p.person = asked.asked_by and p.active and m.org = asked.org
                and r."right" in ('operate', 'coordinate', 'administer')) then
        raise 'who asked has been barred, or has not the right any more: refuse it' using errcode = 'CW403';
    end if;
""",
    """    if said = 'approved' and asked_no_more(which) is not null then
        raise '%', asked_no_more(which) using errcode = 'CW403';
    end if;
""",
)


_EMBARGO = (
    """        if exists (select from audience n, audience w, embargo e where n.aud = now_aud and w.aud = wanted
                and e.clause = any(n.clauses) and e.ended_by is null and not e.clause = any(w.clauses)
                and not may('coordinate', e.org)
                and not exists (select from membership m join role_right r on r.role = m.role
                    join person p on p.person = m.person and p.active
                    where m.person = asked.asked_by and m.org = e.org and r."right" = 'coordinate')) then
""",
    "        if embargo_holds(now_aud, wanted, asked.asked_by) then\n",
)


def _changed(name: str, *parts: tuple[str, str]) -> str:
    text = standing(name)
    for old, new in parts:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def upgrade() -> None:
    run(RULE, _changed("decide_approval", _DECIDER, _ASKER), _changed("remark", _EMBARGO))


def downgrade() -> None:
    run(
        _changed("decide_approval", *((new, old) for old, new in (_DECIDER, _ASKER))),
        _changed("remark", _EMBARGO[::-1]),
        "drop function clearway.approval_stops(int[]), clearway.marking_stop(int), "
        "clearway.embargo_holds(int, int, int), clearway.asked_no_more(int), clearway.no_decider(int)",
    )
