"""What a narrowed token may not do to people, and who counts as a second person."""

from alembic import op

from clearway.store.ddl import before, run

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

FUNCTIONS = """
-- Whether the principal's credential carries every right that a role would give; the owner's does.
create function clearway.carries(what text) returns boolean language plpgsql stable security definer
    set search_path = clearway, pg_temp as $$
begin
    if actor() = 0 then return true; end if;  -- without a principal: what follows would not even be planned
    return exists (select from credential c where c.credential = my_credential()
        and (c.scopes is null or not exists (
            select from role_right r where r.role = what and not r."right" = any(c.scopes))));
end $$;
-- The person, who made it, who made that one …
create function clearway.makers(who int) returns int[] language sql stable security definer
    set search_path = clearway, pg_temp as $$
    with recursive chain(person, made_by) as (
        select p.person, p.made_by from person p where p.person = who
        union select p.person, p.made_by from chain c join person p on p.person = c.made_by)
    select array_agg(person) from chain $$;
-- Whether two accounts may sign as two persons: neither has made the other, at whatever remove; and where one has made
-- both, each has been bound to a passkey or a provider's account since (who makes an account can use its code).
create function clearway.are_two(one int, other int) returns boolean language sql stable security definer
    set search_path = clearway, pg_temp as $$
    select one <> other and not one = any(makers(other)) and not other = any(makers(one))
        and (not makers(one) && makers(other) or (
            exists (select from identity where person = one)
            and exists (select from identity where person = other))) $$;

create or replace function clearway.invite(who int, in_org int, hashed bytea, ends timestamptz) returns void
    language plpgsql security definer set search_path = clearway, pg_temp as $$
begin
    if not exists (select from membership m join person p using (person)
            where m.person = who and m.org = in_org and p.kind = 'person' and p.active)
            or not (may('administer', in_org) or may('administer', house())) then
        raise 'nothing of that name is here' using errcode = 'CW404';
    end if;
    -- A code is a session with every right of that person, which outlives what it was made with.
    if (case when actor() = 0 then false else not is_whole() end) then
        raise 'a narrowed token invites nobody' using errcode = 'CW403';
    end if;
    if who = actor() then
        raise 'nobody invites themselves: add a passkey to your account' using errcode = 'CW403';
    end if;
    -- A code signs in as that person. An organisation's administrator gives one to whom they made, before the first
    -- sign-in; later, or for somebody of other organisations too, it is for the installation's administrators.
    if not may('administer', house()) and (
            exists (select from person where person = who and made_in is distinct from in_org)
            or exists (select from membership where person = who and org <> in_org)
            or exists (select from identity where person = who)
            or exists (select from credential where person = who and kind = 'session')) then
        raise 'they have signed in, or belong elsewhere too: ask an administrator of the installation'
            using errcode = 'CW403';
    end if;
    update invitation set used = clock_timestamp() where person = who and used is null;
    insert into invitation (code_hash, person, expires) values (hashed, who, ends);
end $$;
create or replace function clearway.grant_role(who int, where_org int, what text) returns boolean
    language plpgsql security definer set search_path = clearway, pg_temp as $$
begin
    perform must_administer(where_org);
    if not exists (select from role_right where role = what) then
        raise 'no such role' using errcode = 'CW400';
    end if;
    if not carries(what) then
        raise 'a narrowed token gives no role with rights that it has not' using errcode = 'CW403';
    end if;
    if not exists (select from person p where p.person = who and p.kind <> 'public'
            and (p.kind = 'person' or p.org = where_org)
            -- Of those that others made, only the installation's administrators make members: else an administrator
            -- could learn who is registered, and invite them to be taken over.
            and (p.made_in = where_org or may('administer', house()) or exists (
                select from membership m where m.person = who and m.org = where_org))) then
        raise 'nothing of that name is here' using errcode = 'CW404';
    end if;
    insert into membership (person, org, role, by_person) values (who, where_org, what, actor())
    on conflict do nothing;
    perform rebadge(who);
    return true;
end $$;
create or replace function clearway.decide_approval(which int, said text) returns void
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare asked approval;
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
    if said <> 'withdrawn' and (not are_two(asked.asked_by, actor())
            or not (may('coordinate', asked.org) or may('administer', asked.org))
            or (select p.kind from person p where p.person = actor()) <> 'person') then
        raise 'it takes a second person with the right to decide' using errcode = 'CW403';
    end if;
    update approval set verdict = said, decided_by = actor(), decided_at = clock_timestamp() where approval = which;
end $$;
create or replace function clearway.sign_out(everything boolean) returns int
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare n int;
begin
    if actor() <= 0 then raise 'nobody is signed in' using errcode = 'CW403'; end if;
    if not is_whole() then
        raise 'a narrowed token ends no sessions' using errcode = 'CW403';
    end if;
    update credential set revoked = clock_timestamp()
    where person = actor() and revoked is null and (kind = 'session' or everything);
    get diagnostics n = row_count;
    return n;
end $$;
create or replace function clearway.in_embargo(which int) returns boolean language sql stable security definer
    set search_path = clearway, pg_temp as $$
    select exists (
        select from credential c join person p on p.person = c.person
        join badge b on b.badge = case when c.org is not null then c.badge else p.badge end
        where c.credential = my_credential() and (c.scopes is null or 'read' = any(c.scopes)) and b.grps && array(
            select grp from grp where (kind = 'embargo' and ref = which) or kind = 'desk')) $$;
-- A webhook is sent what its person may see, also when what it was made with has ended.
create function clearway.webhook_needs_whole() returns trigger language plpgsql security definer
    set search_path = clearway, pg_temp as $$
begin
    if actor() > 0 then
        if exists (select from credential c where c.credential = my_credential()
                and (c.scopes is not null or c.org <> new.org)) then
            raise 'a narrowed token makes no webhook: it would be told all that its person may see'
                using errcode = 'CW403';
        end if;
    end if;
    return new;
end $$;
create trigger needs_whole before insert on clearway.webhook
    for each row execute function clearway.webhook_needs_whole();
revoke execute on function clearway.carries(text), clearway.makers(int), clearway.are_two(int, int),
    clearway.webhook_needs_whole() from public;
"""


_BEFORE = ("invite", "grant_role", "decide_approval", "sign_out", "in_embargo")


def upgrade() -> None:
    run(FUNCTIONS)


def downgrade() -> None:
    op.execute("drop trigger needs_whole on clearway.webhook")
    run(*(before("0002_access", name) for name in _BEFORE))
    op.execute(
        "drop function clearway.webhook_needs_whole(), clearway.are_two(int, int), clearway.makers(int), "
        "clearway.carries(text)"
    )
