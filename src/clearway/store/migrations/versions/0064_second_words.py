"""Who is no second person is told by which rule, and what would make them one."""

from clearway.store.ddl import before, run

revision = "0064"
down_revision = "0063"
branch_labels = None
depends_on = None

WHY = """
-- Why these two are not two persons (`are_two`), with the cure; null where they are. It is said to `other`.
create function clearway.not_two(one int, other int) returns text language sql stable security definer
    set search_path = clearway, pg_temp as $$
    select case
        when are_two(one, other) then null
        when one = other
            then 'you asked for it yourself: somebody else who coordinates or administers there decides'
        when one = any(makers(other)) or other = any(makers(one))
            then 'one of you made the account of the other, or of who made it: somebody decides for whom that is not so'
        else 'both accounts were made by the same person, so that each needs a passkey or a provider''s account of its '
            || 'own: ' || case
                when exists (select from identity where person = other) then 'who asked adds one'
                when exists (select from identity where person = one) then 'add one'
                else 'add one, and so does who asked' end || ' under Your account' end $$;
create or replace function clearway.decide_approval(which int, said text) returns void
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare asked approval; why text;
begin
    select * into asked from approval where approval = which for update;
    if asked.approval is null or actor() <= 0 or not may('read', asked.org) then
        raise 'nothing of that name is here' using errcode = 'CW404';
    end if;
    if said is null or said not in ('approved', 'refused', 'withdrawn') then
        raise 'no such verdict' using errcode = 'CW400';
    end if;
    if asked.verdict is not null then raise 'it has been decided' using errcode = 'CW409'; end if;
    if said = 'withdrawn' and asked.asked_by <> actor() then
        raise 'only who asked may withdraw' using errcode = 'CW403';
    end if;
    if said <> 'withdrawn' then
        why := case
            when (select p.kind from person p where p.person = actor()) <> 'person'
                then 'this is a program''s account: a person decides, signed in as themselves'
            when not (may('coordinate', asked.org) or may('administer', asked.org))
                then 'that is one with the right to coordinate or to administer there: ask an administrator'
            else not_two(asked.asked_by, actor()) end;
        if why is not null then
            raise 'it takes a second person, and %', why using errcode = 'CW403';
        end if;
    end if;
    update approval set verdict = said, decided_by = actor(), decided_at = clock_timestamp() where approval = which;
end $$;
revoke execute on function clearway.not_two(int, int) from public;
"""


def upgrade() -> None:
    run(WHY)


def downgrade() -> None:
    run(before("0020_signers", "decide_approval"), "drop function clearway.not_two(int, int)")
