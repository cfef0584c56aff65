"""What a review of markings found: writes above one's marking, forged acts and events, audiences used up, an embargo
that names its flaws and can be disarmed, and what a token of a person left behind in a service's name."""

from alembic import op

from clearway.store.ddl import before, run

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

TOKENS = """
-- Ends what was made with these credentials, at whatever remove and in whoever's name: a person's token makes tokens
-- of the services that they administer.
create function clearway.end_children(which int[]) returns int language plpgsql security definer
    set search_path = clearway, pg_temp as $$
declare n int;
begin
    with recursive child as (
        select c.credential from credential c where c.parent = any(which)
        union select c.credential from credential c join child on c.parent = child.credential
    ) update credential set revoked = clock_timestamp()
    where credential in (select credential from child) and revoked is null;
    get diagnostics n = row_count;
    return n;
end $$;
create or replace function clearway.revoke_credential(which int) returns void
    language plpgsql security definer set search_path = clearway, pg_temp as $$
begin
    update credential c set revoked = clock_timestamp()
    from person p where c.credential = which and p.person = c.person and c.kind <> 'public' and c.revoked is null
        and (actor() = 0 or (actor() = c.person and (is_whole() or c.credential = my_credential()))
            or (p.kind = 'service' and may('administer', p.org)) or may('administer', house()));
    if not found then raise 'nothing of that name is here' using errcode = 'CW404'; end if;
    perform end_children(array[which]);
end $$;
create or replace function clearway.sign_out(everything boolean) returns int
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare n int; ended int[];
begin
    if actor() <= 0 then raise 'nobody is signed in' using errcode = 'CW403'; end if;
    if not is_whole() then
        raise 'a narrowed token ends no sessions' using errcode = 'CW403';
    end if;
    -- Also of those that ended before: what was made with them ends here at the latest.
    ended := array(select c.credential from credential c
        where c.person = actor() and (c.kind = 'session' or everything));
    update credential c set revoked = clock_timestamp() where c.credential = any(ended) and c.revoked is null;
    get diagnostics n = row_count;
    return n + end_children(ended);
end $$;
create or replace function clearway.set_active(who int, is_active boolean) returns void
    language plpgsql security definer set search_path = clearway, pg_temp as $$
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
    end if;
    perform rebadge(who);
end $$;
"""

LOG = """
-- Whether the caller may speak in an organisation's name, whatever its credential's scopes; the owner may.
create function clearway.speaks_for(which int) returns boolean language plpgsql stable security definer
    set search_path = clearway, pg_temp as $$
begin
    if actor() = 0 or which is null then return true; end if;
    return exists (
        select from credential c join membership m on m.person = c.person and (c.org is null or c.org = m.org)
        join organisation o on o.org = m.org and o.active
        where c.credential = my_credential() and (m.org = which
            -- Who runs the desk tells of what others reported; who runs the installation, of whom they administer.
            or (o.kind = 'clearinghouse' and m.role = 'coordinator') or (o.house and m.role = 'administrator')));
end $$;
"""

# As in 0003 and 0012, with the audience tested. The credential is still looked up once.
_LOOKED = """        by_credential := my_credential();
        who := coalesce((select person from credential where credential = by_credential), -1);
        by_credential := case when who > 0 then by_credential else 0 end;
"""
_CHECKED = """        by_credential := my_credential();
        select c.person, coalesce(get_bit(b.bits, case when wanted_aud between 0 and 65535 then wanted_aud end) = 1
                or exists (select from membership m join organisation o on o.org = m.org and o.active and o.house
                    where m.person = c.person and m.role = 'administrator' and (c.org is null or c.org = o.org)), false)
            into who, sees
        from credential c join person p on p.person = c.person
        join badge b on b.badge = case when c.org is not null then c.badge else p.badge end
        where c.credential = by_credential;
        if coalesce(who, -1) <= 0 then
            raise 'only who is signed in logs an act' using errcode = 'CW403';
        end if;
        if not coalesce((select app from log_act where act = wanted_act),
                (select app from log_act where act = split_part(wanted_act, '.', 1) || '.*'), false) then
            raise 'the application logs no such act' using errcode = 'CW403';
        end if;
        if not exists (select from audience where aud = wanted_aud) then
            raise 'no such audience' using errcode = 'CW400';
        end if;
        -- By what the person sees, not the token: an act of one that reads nothing is on the log all the same. Who
        -- administers the installation acts on organisations without being of them.
        if not sees then
            raise 'an entry is for an audience that its author is of' using errcode = 'CW403';
        end if;
"""

EVENTS = """
create or replace function clearway.emit(kind text, subject text, org int, aud int, body jsonb default '{}')
    returns bigint language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    made bigint;
    first boolean := current_setting('clearway.emitting', true) is distinct from pg_current_xact_id()::text;
begin
    if actor() is null or actor() = -1 or (actor() <> 0 and get_bit(my_bits(), emit.aud) is distinct from 1) then
        raise 'an event goes only to an audience that its author is of' using errcode = 'CW403';
    end if;
    if not speaks_for(emit.org) then
        raise 'an event is in the name of its author''s own organisation' using errcode = 'CW403';
    end if;
    if first then
        perform pg_advisory_xact_lock_shared(x'636c6576'::int, (event_last() & 2147483647)::int);
        perform set_config('clearway.emitting', pg_current_xact_id()::text, true);
    end if;
    made := nextval('event_seq');
    insert into event (seq, kind, subject, org, aud, body)
    values (made, emit.kind, emit.subject, emit.org, emit.aud, coalesce(emit.body, '{}'));
    -- NOTIFY takes a lock of the whole server at commit, so of several transactions that emit at once one does it
    -- for all: the woken reader sees by the locks that others are not done, and looks again. With eight writers that
    -- is some 4,700 commits a second instead of 1,000.
    if first and pg_try_advisory_xact_lock(x'636c6577'::int, 0) then
        perform pg_notify('clearway_event', '');
    end if;
    return made;
end $$;
"""

BADGES = """
create or replace function clearway.fleet_date(which bigint[], dues date[], clocks int[]) returns int language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare
    who int := actor();
    orgs int[] := case when who = 0 then null else my_orgs('operate') end;
    bits varbit := case when who = 0 then null else my_bits() end;
    n int;
begin
    execute 'update clearway.exposure e set due = w.due, clock = w.clock, version = e.version + 1
        from unnest($1, $2, $3) as w(exposure, due, clock)
        where e.exposure = w.exposure and e.gone is null
            and ($4 = 0 or (e.org = any($5) and get_bit($6, e.aud) = 1))
            and (e.due, e.clock) is distinct from (w.due, w.clock)' using which, dues, clocks, who, orgs, bits;
    get diagnostics n = row_count;
    return n;
end $$;
-- Whether the caller may write a document of the search: who sees the thing, if it is there, and what is said of it
-- already; and never for more than may see those.
create function clearway.may_index(of_kind text, of_ref text, of_org int, of_aud int) returns boolean
    language plpgsql stable security definer set search_path = clearway, pg_temp as $$
declare
    bits varbit; rule governed; seen int;
begin
    if actor() = 0 then return true; end if;
    bits := my_bits();
    select aud into seen from search_doc where kind = of_kind and ref = of_ref and org = of_org;
    if seen is not null and (get_bit(bits, seen) is distinct from 1 or not within(of_aud, seen)) then
        return false;
    end if;
    select * into rule from governed where regexp_replace(name, '^.*[.]', '') = of_kind;
    if rule.name is null or of_ref !~ '^[0-9]{1,18}$' then return true; end if;
    execute format('select aud from %s where %I = $1', rule.name::regclass, rule.key_column)
        into seen using of_ref::bigint;
    return seen is null or (get_bit(bits, seen) = 1 and within(of_aud, seen));
end $$;
create or replace function clearway.put_doc(of_kind text, of_ref text, of_org int, of_aud int, of_title text,
    of_path text, of_terms text[]) returns void language plpgsql security definer
    set search_path = clearway, pg_temp as $$
begin
    if not may('operate', of_org) and not may('submit', of_org) and not may('coordinate', of_org) then
        raise 'that is not yours to write' using errcode = 'CW403';
    end if;
    if actor() <> 0 then
        if get_bit(my_bits(), of_aud) is distinct from 1 or of_path !~ '^/[^/]'
            or not may_index(of_kind, of_ref, of_org, of_aud) then
            raise 'that is not yours to write' using errcode = 'CW403';
        end if;
    end if;
    insert into search_doc (kind, ref, org, aud, title, path, terms)
    values (of_kind, of_ref, of_org, of_aud, of_title, of_path, array_to_tsvector(of_terms))
    on conflict (kind, ref, org) do update set aud = excluded.aud, title = excluded.title, path = excluded.path,
        terms = excluded.terms;
end $$;
create or replace function clearway.drop_doc(of_kind text, of_ref text, of_org int) returns void language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare bits varbit := case when actor() = 0 then null else my_bits() end;
begin
    if not may('operate', of_org) and not may('submit', of_org) and not may('coordinate', of_org) then
        raise 'that is not yours to write' using errcode = 'CW403';
    end if;
    delete from search_doc where kind = of_kind and ref = of_ref and org = of_org
        and (bits is null or get_bit(bits, aud) = 1);
end $$;
-- Limits and appeals: as before, and nothing that the caller may not see.
create or replace function clearway.confirm_limit(which int, holds boolean) returns int language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare new_version int; bits varbit := case when actor() = 0 then null else my_bits() end;
begin
    if not is_desk() then raise 'a coordinator confirms limits' using errcode = 'CW403'; end if;
    update intake_limit l set confirmed = case when holds then clock_timestamp() end,
        confirmed_by = case when holds then actor() end,
        ended = case when holds then l.ended else clock_timestamp() end, version = version + 1
    where intake_limit = which and ended is null and (bits is null or get_bit(bits, l.aud) = 1)
    returning version into new_version;
    if new_version is null then raise 'no such limit' using errcode = 'CW404'; end if;
    return new_version;
end $$;
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
    select by_person into marker from finding_mark where finding = a.finding;
    if actor() <> 0 and marker = actor() then
        raise 'somebody else than who gave the mark decides' using errcode = 'CW403';
    end if;
    update mark_appeal set outcome = verdict, reason = left(because, 4000), decided = clock_timestamp(),
        decided_by = actor() where appeal = which;
    return a.finding;
end $$;
"""

QUOTAS = """
-- On whose account a clause or audience was made; null: the owner's, and what the program needs.
alter table clearway.clause add column by_org int references clearway.organisation;
alter table clearway.audience add column by_org int references clearway.organisation;
create index clause_by_org on clearway.clause (by_org) where by_org is not null;
create index audience_by_org on clearway.audience (by_org) where by_org is not null;
-- The organisation that answers for what the caller makes: the first of theirs. Null for the owner.
create function clearway.on_account(of_what regclass) returns int language plpgsql stable security definer
    set search_path = clearway, pg_temp as $$
declare mine int; n int;
begin
    if actor() = 0 then return null; end if;
    if actor() < 0 then raise 'sign in first' using errcode = 'CW403'; end if;
    select min(m.org) into mine from credential c
    join membership m on m.person = c.person and (c.org is null or c.org = m.org)
    join organisation o on o.org = m.org and o.active where c.credential = my_credential();
    if mine is null then
        raise 'who belongs to no organisation makes no audiences' using errcode = 'CW403';
    end if;
    execute format('select count(*) from %s where by_org = $1', of_what) into n using mine;
    if n >= 2000 then
        raise 'an organisation has two thousand audiences of its own making' using errcode = 'CW409';
    end if;
    return mine;
end $$;
-- Whether a clause is one of the few that each organisation has of itself: its members, its clients, and the desk.
create function clearway.of_one_org(groups int[]) returns boolean language sql stable
    set search_path = clearway, pg_temp as $$
    select count(distinct g.ref) filter (where g.kind in ('staff', 'clients')) <= 1
        and bool_and(g.kind in ('staff', 'clients', 'desk', 'community')) from grp g where g.grp = any(groups) $$;
create or replace function clearway.intern_clause(wanted int[]) returns int language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare account int; made int;
begin
    if actor() = -1 then raise 'sign in first' using errcode = 'CW403'; end if;
    if exists (select from grp where grp = any(wanted) and kind = 'embargo') then
        raise 'that is an embargo, and this is none' using errcode = 'CW409';
    end if;
    if not exists (select from clause where grps = sorted(wanted)) and not of_one_org(wanted)
        and not exists (select from unnest(wanted) g where g not in (select grp from grp)) then
        account := on_account('clause');
    end if;
    made := make_clause(wanted, false);
    if account is not null then
        update clause set by_org = account where clause = made and by_org is null;
    end if;
    return made;
end $$;
create or replace function clearway.intern_audience(wanted int[]) returns int language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare account int; found_aud int;
begin
    if actor() = -1 then raise 'sign in first' using errcode = 'CW403'; end if;
    if not exists (select from audience where clauses = absorbed(wanted))
        and not exists (select from clause c where cardinality(wanted) = 1 and c.clause = any(wanted)
            and not c.embargo and of_one_org(c.grps))
        and not exists (select from unnest(wanted) w where w is null or w not in (select clause from clause)) then
        account := on_account('audience');
    end if;
    found_aud := make_audience(wanted);
    if account is not null then
        update audience set by_org = account where aud = found_aud and by_org is null;
    end if;
    return found_aud;
end $$;
create or replace function clearway.meet(parents int[]) returns int language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare
    distinct_parents int[] := sorted(parents);
    wanted int[];
begin
    if cardinality(distinct_parents) = 0 then raise 'a meet of nothing'; end if;
    if cardinality(distinct_parents) = 1 then return distinct_parents[1]; end if;
    if cardinality(distinct_parents) <> (select count(*) from audience where aud = any(distinct_parents)) then
        raise 'no such audience';
    end if;
    select coalesce(array_agg(distinct c), '{}') into wanted
    from audience a, unnest(a.clauses) c where a.aud = any(distinct_parents);
    return intern_audience(wanted);
end $$;
"""

EMBARGOES = """
-- The flaws that an embargo is about, for its parties, the desk, and those who coordinate where it is kept.
create table clearway.embargo_flaw (
    embargo int not null references clearway.embargo,
    id text not null check (id ~ '^[A-Za-z0-9][A-Za-z0-9._:/-]{2,99}$'),
    by_person int not null,
    named timestamptz not null default clock_timestamp(),
    primary key (embargo, id)
);
create index embargo_flaw_id on clearway.embargo_flaw (upper(id));
alter table clearway.embargo_flaw enable row level security;
alter table clearway.embargo_flaw force row level security;
do $$ begin
    execute format('create policy own on clearway.embargo_flaw to %I using (true) with check (true)', current_user);
end $$;
create policy see on clearway.embargo_flaw for select to clearway_app using (
    clearway.in_embargo(embargo) or exists (select from clearway.embargo e where e.embargo = embargo_flaw.embargo
        and e.org = any((select clearway.my_orgs('coordinate'))::int[])));
grant select on clearway.embargo_flaw to clearway_app;
-- Says that an embargo is about a flaw, or no longer; whether that was new.
create function clearway.name_flaw(which int, flaw text, is_about boolean) returns boolean language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare kept embargo; n int;
begin
    select * into kept from embargo where embargo = which for update;
    if kept.embargo is null or kept.ended_by is not null or not may('coordinate', kept.org) then
        raise 'no such embargo of yours, or it has ended' using errcode = 'CW404';
    end if;
    if flaw is null or flaw !~ '^[A-Za-z0-9][A-Za-z0-9._:/-]{2,99}$' then
        raise 'that is no id of a flaw' using errcode = 'CW400';
    end if;
    if is_about then
        if (select count(*) from embargo_flaw f where f.embargo = which) >= 100 then
            raise 'an embargo is about a hundred flaws at most' using errcode = 'CW409';
        end if;
        insert into embargo_flaw (embargo, id, by_person) values (which, flaw, actor()) on conflict do nothing;
    else
        delete from embargo_flaw f where f.embargo = which and f.id = flaw;
    end if;
    get diagnostics n = row_count;
    if n > 0 then update embargo set version = version + 1 where embargo = which; end if;
    return n > 0;
end $$;
-- Arms it; without an hour and without `early`, disarms it: nothing ends it then but a coordinator's own act.
create or replace function clearway.arm_embargo(which int, ends timestamptz, early boolean) returns void
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare armed boolean := ends is not null or early;
begin
    if ends <= now_marked() then raise 'that hour has passed' using errcode = 'CW400'; end if;
    update embargo set until = ends, on_exploitation = early, armed_by = case when armed then nullif(actor(), 0) end,
        armed_at = case when armed then clock_timestamp() end, frozen = '', version = version + 1
    where embargo = which and ended_by is null and may('coordinate', org);
    if not found then raise 'nothing of that name is here' using errcode = 'CW404'; end if;
end $$;
"""

FIGURES = """
-- The one way by which a figure leaves that is made of rows of several organisations which its reader may not see: the
-- sum of what each contributes, in tens. Null where fewer than five contribute, or one of them is over four fifths of
-- it: who is one of them, or knows some, must not work the others out. Also null where nobody does, since that would
-- tell of each of them.
create function clearway.disclosed(counts bigint[]) returns bigint language sql immutable parallel safe as $$
    select case when count(*) >= 5 and max(c) * 5 <= sum(c) * 4 then (floor(sum(c) / 10) * 10)::bigint end
    from unnest(counts) c where c > 0 $$;
-- What stands open across all fleets, counted once a day: no two figures of one day differ by a question more. The
-- cells don't overlap, and no sum of them is kept: a hidden one can't be had by taking away.
create table clearway.figure (
    day date not null,
    kev boolean not null,
    state text not null check (state in ('overdue', 'due', 'undated', 'handled')),
    n bigint,
    primary key (day, kev, state)
);
alter table clearway.figure enable row level security;
alter table clearway.figure force row level security;
do $$ begin
    execute format('create policy own on clearway.figure to %I using (true) with check (true)', current_user);
end $$;
create policy see on clearway.figure for select to clearway_app using (true);
grant select on clearway.figure to clearway_app;
-- For the owner's job. What only marked records say is in no figure.
create function clearway.count_figures(on_day date) returns int language plpgsql
    set search_path = clearway, pg_temp as $$
declare n int;
begin
    insert into figure (day, kev, state, n)
    with counted as (
        select f.kev is not null as kev, e.org, count(*) as n,
            case when e.status <> 0 then 'handled' when e.due is null then 'undated'
                when e.due < on_day then 'overdue' else 'due' end as state
        from exposure e join flaw f on f.flaw = e.flaw and f.aud = 0 and f.known
        where e.gone is null and e.via = 0 and e.verdict = 1 group by 1, 2, 4)
    select on_day, k.kev, s.state, disclosed(array(
        select c.n from counted c where c.kev = k.kev and c.state = s.state))
    from (values (false), (true)) k(kev), unnest(array['overdue', 'due', 'undated', 'handled']) s(state)
    on conflict do nothing;
    get diagnostics n = row_count;
    return n;
end $$;
"""

RIGHTS = """
revoke execute on function clearway.end_children(int[]), clearway.speaks_for(int),
    clearway.may_index(text, text, int, int), clearway.on_account(regclass), clearway.of_one_org(int[]),
    clearway.name_flaw(int, text, boolean), clearway.disclosed(bigint[]), clearway.count_figures(date) from public;
grant execute on function clearway.name_flaw(int, text, boolean) to clearway_app;
"""


def upgrade() -> None:
    run(TOKENS, LOG, _log_append(), EVENTS, BADGES, QUOTAS, EMBARGOES, FIGURES, RIGHTS)


def downgrade() -> None:
    op.execute("drop table clearway.embargo_flaw, clearway.figure")
    op.execute("drop function clearway.count_figures(date), clearway.disclosed(bigint[])")
    run(
        _log_append_before(),
        *(before("0002_access", name) for name in _OF_ACCESS),
        before("0005_fleet", "fleet_date"),
        before("0006_http", "emit"),
        before("0009_search", "put_doc"),
        before("0009_search", "drop_doc"),
        before("0016_intake", "confirm_limit"),
        before("0016_intake", "decide_appeal"),
        before("0020_signers", "sign_out"),
    )
    op.execute("alter table clearway.clause drop column by_org")
    op.execute("alter table clearway.audience drop column by_org")
    op.execute(
        "drop function clearway.name_flaw(int, text, boolean), clearway.on_account(regclass), "
        "clearway.of_one_org(int[]), "
        "clearway.may_index(text, text, int, int), clearway.speaks_for(int), clearway.end_children(int[])"
    )


_OF_ACCESS = ("revoke_credential", "set_active", "intern_clause", "intern_audience", "meet", "arm_embargo")
_ACTS_KNOWN = """        if not coalesce((select app from log_act where act = wanted_act),
                (select app from log_act where act = split_part(wanted_act, '.', 1) || '.*'), false) then
            raise 'the application logs no such act' using errcode = 'CW403';
        end if;
"""


def _log_append() -> str:
    text = before("0003_ledger", "log_append")
    assert _LOOKED in text
    return text.replace(_LOOKED, _CHECKED).replace(
        "    moment timestamptz", "    sees boolean;\n    moment timestamptz", 1
    )


def _log_append_before() -> str:
    text = before("0003_ledger", "log_append")
    return text.replace(_LOOKED, _LOOKED + _ACTS_KNOWN)
