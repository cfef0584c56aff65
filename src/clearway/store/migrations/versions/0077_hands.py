"""Whose hands an account has been in: who recovered it is no second person beside it, and administering is not reading.

Who administers the installation brings nobody into an organisation that has an administrator of its own, and makes
nobody its client. What a barred person asked for is withdrawn.
"""

from alembic import op

from clearway.store.ddl import before, run

revision = "0077"
down_revision = "0076"
branch_labels = None
depends_on = None

TABLES = """
-- `hands`: who beside its person may be at work with it. A code for an account that somebody else made, or that has had
-- a way in of its own, leaves its maker's there; what is begun, bound or made with it inherits them.
alter table clearway.credential add column hands int[] not null default '{}',
    -- The token that the home's files hold: whoever has it owns the home.
    add column machine boolean not null default false;
alter table clearway.identity add column hands int[] not null default '{}';
alter table clearway.person add column hands int[] not null default '{}',  -- of who made it
    add column came_in timestamptz;  -- when it first had a session: these are deleted in time
alter table clearway.approval add column asked_hands int[] not null default '{}',
    add column decided_hands int[] not null default '{}';
alter table clearway.invitation add column made_by int, add column hands int[] not null default '{}',
    add column recovers boolean not null default false,
    add column accepted timestamptz;  -- `used` is also when it was made void
update clearway.person p set came_in = least(
    (select min(c.created) from clearway.credential c where c.person = p.person and c.kind = 'session'),
    (select min(i.created) from clearway.identity i where i.person = p.person));
update clearway.credential c set machine = true
where c.kind = 'token' and c.by_person is null and c.label = 'this machine''s commands';
-- Nobody knows who made those that are out.
update clearway.invitation i set used = clock_timestamp()
from clearway.person p where i.used is null and p.person = i.person and p.came_in is not null;
insert into clearway.log_act (act, app, needs) values ('person.recovered', true, '{administer}');
grant select (hands) on clearway.credential to clearway_app;
grant select (hands) on clearway.identity to clearway_app;
"""

HANDS = """
create function clearway.my_hands() returns int[] language plpgsql stable security definer
    set search_path = clearway, pg_temp as $$
begin
    if actor() = 0 then return '{}'; end if;
    return coalesce((select c.hands from credential c where c.credential = my_credential()), '{}');
end $$;
-- The person, who made it and in whose hands they were, who made those …
create or replace function clearway.makers(who int) returns int[] language sql stable security definer
    set search_path = clearway, pg_temp as $$
    with recursive chain(person) as (
        select p.person from person p where p.person = who
        union select m.maker from chain c join person p on p.person = c.person
            cross join lateral unnest(p.made_by || p.hands) m(maker) where m.maker is not null)
    select array_agg(person) from chain $$;
drop function clearway.not_two(int, int);
drop function clearway.are_two(int, int);
-- Whether two accounts, each in these hands beside its own, may sign as two persons: nobody is on both sides; neither
-- has made the other, at whatever remove; and where one has made both, each has been bound to a passkey or a provider's
-- account since (who makes an account can use its code).
create function clearway.are_two(one int, one_hands int[], other int, other_hands int[]) returns boolean
    language sql stable security definer set search_path = clearway, pg_temp as $$
    select not (one || one_hands) && (other || other_hands)
        and not one = any(makers(other)) and not other = any(makers(one))
        and (not makers(one) && makers(other) or (
            exists (select from identity where person = one)
            and exists (select from identity where person = other))) $$;
-- Why they are not, with the cure; null where they are. It is said to `other`.
create function clearway.not_two(one int, one_hands int[], other int, other_hands int[]) returns text
    language sql stable security definer set search_path = clearway, pg_temp as $$
    select case
        when are_two(one, one_hands, other, other_hands) then null
        when one = other
            then 'you asked for it yourself: somebody else who coordinates or administers there decides'
        when (one || one_hands) && (other || other_hands)
            then 'one of you came in again by a one-time code that the other made, or both by codes of one person: '
                || 'somebody decides for whom that is not so'
        when one = any(makers(other)) or other = any(makers(one))
            then 'one of you made the account of the other, or of who made it: somebody decides for whom that is not so'
        else 'both accounts were made by the same person, so that each needs a passkey or a provider''s account of its '
            || 'own: ' || case
                when exists (select from identity where person = other) then 'who asked adds one'
                when exists (select from identity where person = one) then 'add one'
                else 'add one, and so does who asked' end || ' under Your account' end $$;
"""

CODES = """
drop function clearway.invite(int, int, bytea, timestamptz);
-- A new code for a member whom the caller administers; the codes before it end. Whether it recovers an account that
-- was somebody's already.
create function clearway.invite(who int, in_org int, hashed bytea, ends timestamptz) returns boolean
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare target person; again boolean; maker int := nullif(actor(), 0);
begin
    select p.* into target from person p join membership m using (person)
    where m.person = who and m.org = in_org and p.kind = 'person' and p.active limit 1;
    if target.person is null or not (may('administer', in_org) or may('administer', house())) then
        raise 'nothing of that name is here' using errcode = 'CW404';
    end if;
    -- A code is a session with every right of that person, which outlives what it was made with.
    if (case when actor() = 0 then false else not is_whole() end) then
        raise 'a narrowed token invites nobody' using errcode = 'CW403';
    end if;
    if who = actor() then
        raise 'nobody invites themselves: add a passkey to your account' using errcode = 'CW403';
    end if;
    -- A code signs in as that person. An organisation's administrator gives one to whom they or another of theirs made,
    -- before the first sign-in; later, or for somebody of other organisations too, it is for the installation's
    -- administrators.
    again := target.came_in is not null or exists (select from identity where person = who)
        or exists (select from credential where person = who and kind = 'session');
    if not may('administer', house()) and (target.made_in is distinct from in_org or again
            or exists (select from membership where person = who and org <> in_org)) then
        raise 'they have signed in, or belong elsewhere too: ask an administrator of the installation'
            using errcode = 'CW403';
    end if;
    again := again or target.made_by is distinct from maker;
    update invitation set used = clock_timestamp() where person = who and used is null;
    insert into invitation (code_hash, person, expires, made_by, hands, recovers)
    values (hashed, who, ends, maker,
        sorted(my_hands() || case when again and maker > 0 then array[maker] else '{}' end), again);
    return again;
end $$;
-- The codes that others made to come in again as the caller, the newest first: by whom, and when somebody came by it.
create function clearway.my_recoveries() returns table (made timestamptz, by_name text, came timestamptz)
    language plpgsql stable security definer set search_path = clearway, pg_temp as $$
begin
    if actor() <= 0 then return; end if;
    return query select i.created, coalesce(p.name, 'this installation''s owner'), i.accepted
        from invitation i left join person p on p.person = i.made_by
        where i.person = actor() and i.recovers order by i.invitation desc limit 5;
end $$;
"""

# As it was, with whose hands it came from.
_MADE = "        with_token, nullif(actor(), 0), last, add_credential.signed_in_by)\n"
_COLUMNS = "parent, by_person, expires,\n        signed_in_by)"


def _add_credential() -> str:
    text = before("0002_access", "add_credential")
    assert _MADE in text
    assert _COLUMNS in text
    return (
        text.replace(_COLUMNS, "parent, by_person, expires,\n        signed_in_by, hands)")
        .replace(_MADE, _MADE.replace("signed_in_by)", "signed_in_by, my_hands())"))
        .replace(
            "    return made;\n",
            "    if add_credential.kind = 'session' then\n"
            "        update person p set came_in = coalesce(p.came_in, clock_timestamp()) where p.person = who;\n"
            "    end if;\n    return made;\n",
        )
    )


BRINGING = """
-- Whether an organisation has an administrator of its own who may come in.
create function clearway.administered(which int) returns boolean language sql stable security definer
    set search_path = clearway, pg_temp as $$
    select exists (select from membership m join person p using (person)
        where m.org = which and m.role = 'administrator' and p.active and p.kind = 'person') $$;
-- Whether the caller brings people and clients into an organisation: its own administrators do, and who owns the home.
create function clearway.brings(which int) returns boolean language plpgsql stable security definer
    set search_path = clearway, pg_temp as $$
begin
    if may('administer', which) then return true; end if;
    return may('administer', house())
        and exists (select from credential c where c.credential = my_credential() and c.machine);
end $$;
-- Passes for who brings people into an organisation. Who administers the installation names the first administrator of
-- one that has none, and no more: administering people is no right to read.
create function clearway.must_bring(which int, first boolean) returns void language plpgsql stable security definer
    set search_path = clearway, pg_temp as $$
begin
    if brings(which) then return; end if;
    if administered(which) then
        raise 'its own administrators add people and clients and give roles there: ask one of them, or do it on the '
            'machine of the home by clearway access' using errcode = 'CW403';
    end if;
    if not first then
        raise 'it has no administrator: name its first one, who adds the others' using errcode = 'CW403';
    end if;
end $$;
create or replace function clearway.add_person(kind text, name text, email text, for_org int) returns int
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare made int;
begin
    perform must_administer(for_org);
    if add_person.kind not in ('person', 'service') then raise 'no such kind' using errcode = 'CW400'; end if;
    perform must_bring(for_org, add_person.kind = 'person');
    insert into person (kind, name, email, org, made_in, made_by, hands)
    values (add_person.kind, add_person.name, add_person.email,
        case when add_person.kind = 'service' then for_org end, for_org, nullif(actor(), 0), my_hands())
    returning person into made;
    perform rebadge(made);
    return made;
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
    if not brings(where_org) then
        perform from organisation where org = where_org for update;  -- the first is one
        perform must_bring(where_org, what = 'administrator' and exists (
            select from person p where p.person = who and p.kind = 'person' and p.active));
        if who = actor() or who = any(my_hands())
                or exists (select from credential c where c.person = who and actor() = any(c.hands))
                or exists (select from identity i where i.person = who and actor() = any(i.hands))
                or exists (select from invitation i where i.person = who and actor() = any(i.hands)) then
            raise 'nobody makes an administrator there of themselves, or of an account that a code of theirs lets into'
                using errcode = 'CW403';
        end if;
    end if;
    insert into membership (person, org, role, by_person) values (who, where_org, what, actor())
    on conflict do nothing;
    perform rebadge(who);
    return true;
end $$;
create or replace function clearway.set_client(client_org int, provider_org int, is_client boolean) returns void
    language plpgsql security definer set search_path = clearway, pg_temp as $$
begin
    perform must_administer(provider_org);
    if is_client then
        perform must_bring(provider_org, false);
        insert into client_of values (client_org, provider_org) on conflict do nothing;
    else
        delete from client_of where client = client_org and provider = provider_org;
    end if;
    perform rebadge(person) from (select distinct person from membership where org = client_org) m;
end $$;
"""

DECIDING = """
create or replace function clearway.ask_approval(keeper int, kind text, subject text, proposal jsonb, why text)
    returns int language plpgsql security definer set search_path = clearway, pg_temp as $$
declare made int;
begin
    if (select p.kind from person p where p.person = actor()) is distinct from 'person' then
        raise 'an approval is asked for by a person' using errcode = 'CW403';
    end if;
    if actor() <= 0 or not (may('operate', keeper) or may('coordinate', keeper) or may('administer', keeper)) then
        raise 'nothing of that name is here' using errcode = 'CW404';
    end if;
    insert into approval (org, kind, subject, proposal, why, asked_by, asked_hands)
    values (keeper, ask_approval.kind, ask_approval.subject, ask_approval.proposal, ask_approval.why, actor(),
        my_hands())
    returning approval into made;
    return made;
end $$;
create or replace function clearway.decide_approval(which int, said text) returns void
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare asked approval; why text;
begin
    -- Who asked isn't barred meanwhile; in the order in which barring locks.
    perform from person p where p.person = (select a.asked_by from approval a where a.approval = which) for share;
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
            else not_two(asked.asked_by, asked.asked_hands, actor(), my_hands()) end;
        if why is not null then
            raise 'it takes a second person, and %', why using errcode = 'CW403';
        end if;
    end if;
    if said = 'approved' and not exists (
            select from person p join membership m using (person) join role_right r on r.role = m.role
            where p.person = asked.asked_by and p.active and m.org = asked.org
                and r."right" in ('operate', 'coordinate', 'administer')) then
        raise 'who asked has been barred, or has not the right any more: refuse it' using errcode = 'CW403';
    end if;
    update approval set verdict = said, decided_by = actor(), decided_hands = my_hands(),
        decided_at = clock_timestamp() where approval = which;
end $$;
create or replace function clearway.set_active(who int, is_active boolean) returns void
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare gone approval;
begin
    perform must_administer(house());
    perform from organisation where house for update;
    update person set active = is_active, version = version + 1 where person = who and kind <> 'public';
    if not found then raise 'nothing of that name is here' using errcode = 'CW404'; end if;
    if not exists (select from membership m join person p using (person)
            where m.org = house() and m.role = 'administrator' and p.active) then
        raise 'the last administrator can''t be removed' using errcode = 'CW409';
    end if;
    if not is_active then
        update credential set revoked = clock_timestamp() where person = who and revoked is null;
        perform end_children(array(select c.credential from credential c where c.person = who));
        update invitation set used = clock_timestamp() where person = who and used is null;
        -- What they asked for and nobody has decided is asked for by nobody now.
        for gone in select * from approval a where a.asked_by = who and a.verdict is null
                order by a.approval for update loop
            update approval set verdict = 'withdrawn', decided_by = nullif(actor(), 0), decided_at = clock_timestamp()
            where approval = gone.approval;
            perform log_put('approval.withdrawn', 'approval/' || gone.uid, '{"barred":' || who || ',"kind":'
                || to_json(gone.kind) || ',"subject":' || to_json(gone.subject) || '}',
                make_audience(array[make_clause(array[group_of('staff', gone.org)], false)]));
        end loop;
    end if;
    perform rebadge(who);
end $$;
"""

_KEEPER = """                and not exists (select from membership m join role_right r on r.role = m.role
                    where m.person = asked.asked_by"""


def _remark() -> str:
    text = before("0012_lowering", "remark")
    assert _KEEPER in text
    return text.replace(
        _KEEPER,
        """                and not exists (select from membership m join role_right r on r.role = m.role
                    join person p on p.person = m.person and p.active
                    where m.person = asked.asked_by""",
    )


RIGHTS = """
revoke execute on function clearway.my_hands(), clearway.are_two(int, int[], int, int[]),
    clearway.not_two(int, int[], int, int[]), clearway.invite(int, int, bytea, timestamptz), clearway.my_recoveries(),
    clearway.administered(int), clearway.brings(int), clearway.must_bring(int, boolean) from public;
grant execute on function clearway.invite(int, int, bytea, timestamptz), clearway.my_recoveries() to clearway_app;
"""


def upgrade() -> None:
    run(TABLES, HANDS, CODES, _add_credential(), BRINGING, DECIDING, _remark(), RIGHTS)


def downgrade() -> None:
    op.execute("drop function clearway.invite(int, int, bytea, timestamptz)")
    op.execute(
        "drop function clearway.not_two(int, int[], int, int[]), clearway.are_two(int, int[], int, int[]), "
        "clearway.my_recoveries()"
    )
    run(
        *(before("0020_signers", name) for name in ("makers", "are_two", "invite", "grant_role")),
        *(before("0064_second_words", name) for name in ("not_two", "decide_approval")),
        *(
            before("0002_access", name)
            for name in ("add_credential", "add_person", "set_client", "ask_approval")
        ),
        before("0023_markings_more", "set_active"),
        before("0012_lowering", "remark"),
        """
revoke execute on function clearway.are_two(int, int), clearway.not_two(int, int),
    clearway.invite(int, int, bytea, timestamptz) from public;
grant execute on function clearway.invite(int, int, bytea, timestamptz) to clearway_app;
""",
    )
    op.execute(
        "drop function clearway.must_bring(int, boolean), clearway.brings(int), clearway.administered(int), "
        "clearway.my_hands()"
    )
    op.execute("delete from clearway.log_act where act = 'person.recovered'")
    op.execute("alter table clearway.credential drop column hands, drop column machine")
    op.execute("alter table clearway.identity drop column hands")
    op.execute("alter table clearway.person drop column hands, drop column came_in")
    op.execute("alter table clearway.approval drop column asked_hands, drop column decided_hands")
    op.execute(
        "alter table clearway.invitation drop column made_by, drop column hands, drop column recovers, "
        "drop column accepted"
    )
