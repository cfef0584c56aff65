"""One rule says who is a second person, in every act that takes two: hands count, and not accounts alone.

So for who decides an appeal, confirms a limit, or confirms by the desk what is somebody's.
"""

from alembic import op

from clearway.store.ddl import run, standing

revision = "0082"
down_revision = "0081"
branch_labels = None
depends_on = None

TABLES = """
-- In whose hands the account was, beside its person's, with which the first of two did it (`credential.hands`).
alter table clearway.finding_mark add column hands int[] not null default '{}';
alter table clearway.mark_appeal add column hands int[] not null default '{}';
alter table clearway.intake_limit add column hands int[] not null default '{}';
alter table clearway.lease_control add column hands int[] not null default '{}';
create function clearway.keep_hands() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    new.hands := my_hands();
    return new;
end $$;
create trigger keep_hands before insert on clearway.finding_mark for each row execute function clearway.keep_hands();
create trigger keep_hands before insert on clearway.mark_appeal for each row execute function clearway.keep_hands();
create trigger keep_hands before insert on clearway.intake_limit for each row execute function clearway.keep_hands();
create trigger keep_hands before insert on clearway.lease_control for each row execute function clearway.keep_hands();
"""

RULE = """
-- Why the caller is no second person beside who did something, with the cure; null where they are one, and for the
-- owner, who answers for the installation. What a program did is done by who made it.
create function clearway.no_second(one int, one_hands int[]) returns text language plpgsql stable security definer
    set search_path = clearway, pg_temp as $$
declare first int := coalesce((select p.made_by from person p where p.person = one and p.kind = 'service'), one);
begin
    if actor() = 0 or coalesce(first, 0) <= 0 then return null; end if;
    if (select p.kind from person p where p.person = actor()) is distinct from 'person' then
        return 'this is a program''s account: a person decides, signed in as themselves';
    end if;
    return not_two(first, one_hands, actor(), my_hands());
end $$;
-- Whether nobody is on both sides: the caller neither is that account, nor has been in it, nor made it, nor the other
-- way round. It asks less than `no_second`: who is a party to something has no part in making its judge sure.
create function clearway.is_apart(one int, one_hands int[]) returns boolean language sql stable security definer
    set search_path = clearway, pg_temp as $$
    select actor() = 0 or one <= 0 or (not (one || one_hands) && (actor() || my_hands())
        and not one = any(makers(actor())) and not actor() = any(makers(one))) $$;
-- Why the caller does not decide an appeal that the desk works on; null where they may.
create function clearway.no_judge(which bigint) returns text language sql stable security definer
    set search_path = clearway, pg_temp as $$
    select case
        when actor() <> 0 and actor() in (m.by_person, a.by_person)
            then 'somebody else than who gave the mark, or appealed, decides'
        when not is_apart(a.by_person, a.hands)
            then 'who appealed and you have been in one account, or one of you made the other''s: somebody decides for '
                'whom that is not so'
        else 'it takes a second person beside who gave the mark, and '
            || replace(no_second(m.by_person, m.hands), 'who asked', 'who gave it') end
    from mark_appeal a join finding_mark m on m.finding_mark = a.finding_mark where a.appeal = which $$;
create or replace function clearway.decides_appeal(which bigint) returns boolean language sql stable
    security definer set search_path = clearway, pg_temp as $$
    select actor() = 0 or exists (select from mark_appeal a
        where a.appeal = which and a.outcome is null and works_finding(a.finding) and no_judge(which) is null) $$;
-- Why the caller does not confirm a limit; null where they may.
create function clearway.no_confirmer(which int) returns text language sql stable security definer
    set search_path = clearway, pg_temp as $$
    select 'it takes a second person beside who set it, and '
        || replace(no_second(l.set_by, l.hands), 'who asked', 'who set it')
    from intake_limit l where l.intake_limit = which and l.ended is null
        and (actor() = 0 or get_bit(my_bits(), l.aud) = 1) $$;
revoke execute on function clearway.keep_hands(), clearway.no_second(int, int[]), clearway.is_apart(int, int[]),
    clearway.no_judge(bigint), clearway.no_confirmer(int) from public;
"""

_JUDGED = (
    "        raise 'somebody else than who gave the mark, or appealed, decides' using errcode = 'CW403';"
)
_JUDGED_WHY = """        raise '%', coalesce(no_judge(which),
            'somebody else than who gave the mark, or appealed, decides') using errcode = 'CW403';"""
_LIMIT = "    if not is_desk() then raise 'a coordinator confirms limits' using errcode = 'CW403'; end if;\n"
_LIMIT_TWO = f"""{_LIMIT}    if holds and no_confirmer(which) is not null then
        raise '%', no_confirmer(which) using errcode = 'CW403';
    end if;
"""
_CONTROL = "    if c.ended is not null then raise 'it is ended' using errcode = 'CW409'; end if;\n"
_CONTROL_TWO = f"""    if no_second(c.person, c.hands) is not null then
        raise 'it takes a second person beside who claims it, and %',
            replace(no_second(c.person, c.hands), 'who asked', 'who claims it') using errcode = 'CW403';
    end if;
{_CONTROL}"""
_PLACES = (
    ("decide_appeal", _JUDGED, _JUDGED_WHY),
    ("confirm_limit", _LIMIT, _LIMIT_TWO),
    ("lease_control_confirm", _CONTROL, _CONTROL_TWO),
)


def _with(name: str, old: str, new: str) -> str:
    text = standing(name)
    assert text.count(old) == 1, name
    return text.replace(old, new)


def upgrade() -> None:
    run(TABLES, RULE, *(_with(*place) for place in _PLACES))


def downgrade() -> None:
    run(
        *(_with(name, new, old) for name, old, new in _PLACES),
        """
create or replace function clearway.decides_appeal(which bigint) returns boolean language sql stable
    security definer set search_path = clearway, pg_temp as $$
    select actor() = 0 or exists (select from mark_appeal a join finding_mark m on m.finding_mark = a.finding_mark
        where a.appeal = which and a.outcome is null and works_finding(a.finding)
            and actor() not in (m.by_person, a.by_person)) $$;
""",
    )
    op.execute(
        "drop function clearway.no_confirmer(int), clearway.no_judge(bigint), clearway.is_apart(int, int[]), "
        "clearway.no_second(int, int[])"
    )
    for table in ("finding_mark", "mark_appeal", "intake_limit", "lease_control"):
        op.execute(f"drop trigger keep_hands on clearway.{table}")
        op.execute(f"alter table clearway.{table} drop column hands")
    op.execute("drop function clearway.keep_hands()")
