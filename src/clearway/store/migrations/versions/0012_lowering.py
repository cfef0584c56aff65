"""Lowering and narrowing a marking, audiences that are given back, and which acts the application may log."""

from alembic import op

from clearway.store.ddl import before, run

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TABLES = """
-- What a person can name when they change a marking: "asset", "report". A derived table's rows follow their parents'.
alter table clearway.governed add column kind text unique, add column derived boolean not null default false;
update clearway.governed g set kind = w.kind from (values ('asset', 'asset'), ('directive_report', 'report'),
    ('directive_version', 'directive'), ('triage', 'triage'), ('fleet_rule', 'rule'), ('webhook', 'webhook'),
    ('marked', 'marked')) as w(name, kind) where g.name in (w.name, 'clearway.' || w.name);
update clearway.governed g set derived = true where regexp_replace(g.name, '^clearway[.]', '') in
    ('asset_exposure', 'triage_event', 'directive_acknowledgement', 'directive_address', 'directive_key');
update clearway.governed set "right" = 'coordinate' where name in ('marked', 'clearway.marked');
-- Who answers for a marked record; null: the installation.
alter table clearway.marked add column org int references clearway.organisation;

-- Groups of one: a person, and those who may read an organisation's log.
alter table clearway.grp drop constraint grp_kind_check;
alter table clearway.grp add constraint grp_kind_check
    check (kind in ('community', 'desk', 'staff', 'clients', 'list', 'embargo', 'person', 'auditors'));

-- `moved`: rows that carried it were moved to the audience that says the same without what was released. `retired`:
-- nothing referred to it then. `waits`: the transactions that were under way after that, which may know it from before.
alter table clearway.audience add column made timestamptz not null default clock_timestamp(),
    add column moved timestamptz, add column retired timestamptz, add column waits text[];
-- Numbers that were given back. `ready` once nobody can hold one any more: decision 0018.
create table clearway.audience_free (
    number int primary key,
    freed timestamptz not null default clock_timestamp(),
    waits text[],
    ready boolean not null default false
);

-- Acts that the log takes from the application: an act by its name, or all of a noun ("asset.*"). What is not here, the
-- owner alone may say; a room adds its nouns with its tables.
create table clearway.log_act (
    act text primary key check (act ~ '^[a-z][a-z0-9_-]*([.][a-z][a-z0-9_-]*)*([.][*])?$'),
    app boolean not null
);
insert into clearway.log_act (act, app)
select noun || '.*', true from unnest(array[
    'account', 'approval', 'asset', 'client', 'content', 'credential', 'decision', 'directive', 'embargo', 'exposure',
    'fleet', 'inventory', 'list', 'note', 'organisation', 'passkey', 'person', 'role', 'rule', 'search', 'service',
    'session', 'setting', 'sign_in', 'token', 'triage', 'view', 'webhook',
    -- of the rooms to come
    'advisory', 'agent', 'artefact', 'assessment', 'bank', 'candidate', 'case', 'catalogue', 'challenge',
    'determination', 'dossier', 'duplicate', 'edge', 'enrolment', 'evidence', 'finding', 'gate', 'image', 'intake',
    'lease', 'message', 'model', 'party', 'patch', 'receipt', 'recipe', 'release', 'reporter', 'rollout', 'run',
    'scan', 'submission', 'thread', 'validation', 'vendor', 'verdict', 'window']) noun;
insert into clearway.log_act (act, app) values
    -- What only the owner's jobs and commands do, though their nouns are the application's too.
    ('embargo.frozen', false), ('session.begun', false), ('restore.sessions_ended', false),
    ('feeds.pull_asked', true), ('feed.pull_asked', true), ('ledger.verification_asked', true);
"""

GROUPS = """
create or replace function clearway.groups_of(who int, only_org int default null) returns int[] language sql stable
    set search_path = clearway, pg_temp as $$
    with home as (
        select m.org, o.kind, array_agg(m.role) as roles
        from membership m join organisation o on o.org = m.org and o.active
        where m.person = who and (only_org is null or m.org = only_org) group by m.org, o.kind
    ), lists as (
        select l.list from list_member l
        where (l.person = who and only_org is null) or l.org in (select org from home)
    )
    select sorted(array(
        -- One is oneself without belonging anywhere.
        select g.grp from grp g where (g.kind = 'person' and g.ref = who and only_org is null)
            or (exists (select from home) and (
                g.kind = 'community'
                or (g.kind = 'desk' and exists (
                    select from home where home.kind = 'clearinghouse' and 'coordinator' = any(home.roles)))
                or (g.kind = 'staff' and g.ref in (select org from home))
                or (g.kind = 'auditors' and exists (select from home join role_right r on r.role = any(home.roles)
                    where home.org = g.ref and r."right" = 'audit'))
                or (g.kind = 'clients' and g.ref in (
                    select c.provider from client_of c where c.client in (select org from home)))
                or (g.kind = 'list' and g.ref in (select list from lists))
                or (g.kind = 'embargo' and g.ref in (select e.embargo from embargo e join lists using (list))))))) $$;

create function clearway.audience_label(which int) returns text language sql stable
    security definer set search_path = clearway, pg_temp as $$
    select case
        when a.clauses = '{}' then 'TLP:CLEAR'
        when exists (select from clause c where c.clause = any(a.clauses) and c.embargo and c.released_by is null)
            then 'TLP:RED'
        when exists (select from clause c join grp g on g.grp = any(c.grps)
            where c.clause = any(a.clauses) and not c.embargo and g.kind in ('list', 'staff', 'person', 'auditors')
                and not exists (select from grp d where d.grp = any(c.grps) and d.kind = 'desk'))
            then 'TLP:RED'
        when (select count(*) from clause c where c.clause = any(a.clauses) and not c.embargo and c.clause <> 1) > 1
            then 'TLP:RED'
        when exists (select from clause c join grp g on g.grp = any(c.grps)
            where c.clause = any(a.clauses) and g.kind = 'clients') then 'TLP:AMBER'
        when exists (select from clause c join grp g on g.grp = any(c.grps)
            where c.clause = any(a.clauses) and g.kind = 'staff') then 'TLP:AMBER+STRICT'
        when 1 = any(a.clauses) then 'TLP:GREEN'
        else 'TLP:CLEAR' end
    from audience a where a.aud = which $$;
create or replace function clearway.audience_words(which int) returns jsonb language sql stable
    security definer set search_path = clearway, pg_temp as $$
    select jsonb_build_object('aud', a.aud, 'label', audience_label(a.aud),
        'clauses', coalesce((
            select jsonb_agg(jsonb_strip_nulls(jsonb_build_object('kept', (
                    select e.embargo from embargo e where e.clause = c.clause))) || jsonb_build_object(
                'embargo', c.embargo, 'released', c.released_by is not null,
                'groups', (select jsonb_agg(case g.kind
                    when 'community' then 'everybody who is signed in'
                    when 'desk' then 'the coordinators'
                    when 'staff' then 'members of ' || coalesce(o.name, '?')
                    when 'auditors' then 'auditors of ' || coalesce(o.name, '?')
                    when 'clients' then 'clients of ' || coalesce(o.name, '?')
                    when 'person' then coalesce(w.name, '?')
                    when 'list' then 'recipients on the list ' || coalesce(l.name, '?')
                    else 'parties to the embargo ' || coalesce(e.name, '?') end order by g.grp)
                    from grp g
                    left join organisation o on g.kind in ('staff', 'clients', 'auditors') and o.org = g.ref
                    left join person w on g.kind = 'person' and w.person = g.ref
                    left join recipient_list l on g.kind = 'list' and l.list = g.ref
                    left join embargo e on g.kind = 'embargo' and e.embargo = g.ref
                    where g.grp = any(c.grps)),
                'mine', (select jsonb_agg(g.grp = any(coalesce((
                        select b.grps from person p join badge b on b.badge = p.badge where p.person = actor()), '{}'))
                    order by g.grp) from grp g where g.grp = any(c.grps))) order by c.clause)
            from clause c where c.clause = any(a.clauses)), '[]'))
    from audience a
    where a.aud = which and (actor() = 0 or get_bit(my_bits(), which) = 1) $$;

-- The audience of what is about the caller alone: themself, and who may read the log of the installation.
create function clearway.my_own_audience() returns int language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare
    who int := actor();
    fresh_person boolean := not exists (select from grp where kind = 'person' and ref = who);
    fresh_auditors boolean := not exists (select from grp where kind = 'auditors' and ref = house());
    made int;
begin
    if who <= 0 then raise 'sign in first' using errcode = 'CW403'; end if;
    made := make_audience(array[make_clause(
        array_remove(array[group_of('person', who),
            case when house() is not null then group_of('auditors', house()) end], null), false)]);
    if fresh_person then perform rebadge(who); end if;
    if fresh_auditors then
        perform rebadge(m.person) from (
            select distinct s.person from membership s join role_right r on r.role = s.role and r."right" = 'audit'
            where s.org = house() order by 1) m;
    end if;
    return made;
end $$;
"""

LOG = """
-- As it was: now for the functions of the database alone.
alter function clearway.log_append(text, text, text, int, bytea) rename to log_put;
revoke execute on function clearway.log_put(text, text, text, int, bytea) from clearway_app;
-- Takes a witness's signature line. Whether it holds is checked before, and again by every reader; that it is that
-- witness's key, of that time, and not in the way of another, is checked here.
create or replace function clearway.log_cosign(
    of_size bigint, by_name text, by_key bytea, signed_line text, said timestamptz)
    returns void language plpgsql security definer set search_path = clearway, pg_temp as $$
declare body bytea;
begin
    if not exists (select from log_witness w where w.name = by_name
                and w.vkey ^@ (by_name || '+' || encode(by_key, 'hex') || '+'))
        or not exists (select from log_checkpoint c where c.size = of_size) then
        raise 'no such checkpoint or witness' using errcode = 'CW404';
    end if;
    -- A line of a signed note: an em dash, the name, base64 of the key's id and the signature (C2SP signed-note); that
    -- begins with the time, in eight bytes (C2SP tlog-cosignature).
    if not signed_line ^@ ('— ' || by_name || ' ') or length(signed_line) > 8192
        or substr(signed_line, length(by_name) + 4) !~ '^[A-Za-z0-9+/]+={0,2}$'
        or (length(signed_line) - length(by_name) - 3) % 4 <> 0 then
        raise 'that is no line of a co-signature' using errcode = 'CW400';
    end if;
    body := decode(substr(signed_line, length(by_name) + 4), 'base64');
    if substr(body, 1, 4) <> by_key or substr(body, 5, 8) <> int8send(floor(extract(epoch from said))::bigint) then
        raise 'the co-signature is of another key or time' using errcode = 'CW400';
    end if;
    insert into log_cosignature (size, name, key_id, line, at) values (of_size, by_name, by_key, signed_line, said)
    on conflict (size, name, key_id) do nothing;
end $$;
"""

REMARK = """
-- Whether belonging to an organisation, in any role, opens an audience.
create function clearway.org_opens(which int, wanted int) returns boolean language sql stable
    set search_path = clearway, pg_temp as $$
    select opens(array(select g.grp from grp g where g.kind = 'community'
            or (g.kind = 'staff' and g.ref = which)
            or (g.kind = 'clients' and g.ref in (select provider from client_of where client = which))
            or (g.kind = 'list' and g.ref in (select list from list_member where org = which))
            or (g.kind = 'embargo' and g.ref in (
                select e.embargo from embargo e join list_member m on m.list = e.list and m.org = which))), a.clauses)
    from audience a where a.aud = wanted $$;
-- What was said to somebody stays said: it can't be marked so that they no longer see it.
create function clearway.marking_guard(which_kind text, id bigint, wanted int) returns void language plpgsql stable
    set search_path = clearway, pg_temp as $$
begin
    if which_kind = 'report' and exists (select from directive_report r
            where r.report = id and r.authority is not null and not org_opens(r.authority, wanted)) then
        raise 'the authority that it was handed to goes on seeing it' using errcode = 'CW409';
    end if;
    if which_kind = 'directive' and exists (
            select from directive_version v join directive_address a on a.org = v.org and a.directive = v.directive
            where v.version_id = id and a.until is null and not org_opens(a.recipient, wanted)) then
        raise 'those to whom the directive is addressed go on seeing it' using errcode = 'CW409';
    end if;
    if which_kind = 'marked' and wanted = 0 then
        raise 'a record that is public is taken in as such, and matched from the table' using errcode = 'CW409';
    end if;
end $$;

-- Changes the audience of one row, and logs it. Narrowing takes the table's right in the row's organisation; anything
-- else also takes an approval by a second person of exactly this change, and out of an embargo that has not ended the
-- right to coordinate where it is kept.
create or replace function clearway.remark(target regclass, id bigint, wanted int, approved int default null)
    returns void language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    rule governed; asked approval; now_aud int; keeper int; narrower boolean; own_aud int; logged int; subj text;
begin
    select * into rule from governed where name = target::text and "right" <> '' and not derived;
    if rule.name is null then raise 'the audience of this table can''t be changed' using errcode = 'CW403'; end if;
    execute format('select aud, org from %s where %I = $1 for update', target, rule.key_column)
        into now_aud, keeper using id;
    -- One error for what is not there and what may not be seen.
    if now_aud is null or (actor() <> 0 and get_bit(my_bits(), now_aud) is distinct from 1) then
        raise 'nothing of that name is here' using errcode = 'CW404';
    end if;
    keeper := coalesce(keeper, house());
    subj := coalesce(rule.kind, target::text) || '/' || id;
    select * into asked from approval a
    where a.approval = approved and a.kind in ('remark', 'marking') and a.verdict = 'approved' and a.used is null
        and a.org = keeper and a.subject in (target::text || '/' || id, subj)
        and a.proposal -> 'aud' = to_jsonb(wanted) and a.proposal -> 'was' = to_jsonb(now_aud) for update;
    if not (may(rule."right", keeper) or may('coordinate', keeper)
            -- Who approved carries it out with the right of who asked.
            or (asked.decided_by = actor() and exists (
                select from membership m join role_right r on r.role = m.role
                join person p on p.person = m.person and p.active
                where m.person = asked.asked_by and m.org = keeper and r."right" in (rule."right", 'coordinate')))) then
        raise 'the right to change it is missing' using errcode = 'CW403';
    end if;
    -- Its rows would be out of reach for everybody: also of what was given back meanwhile.
    if not exists (select from audience where aud = wanted and retired is null) then
        raise 'no such audience' using errcode = 'CW404';
    end if;
    narrower := within(wanted, now_aud);
    if not narrower then
        if asked.approval is null then
            raise 'a wider audience needs the approval of a second person' using errcode = 'CW403';
        end if;
        if exists (select from audience n, audience w, embargo e where n.aud = now_aud and w.aud = wanted
                and e.clause = any(n.clauses) and e.ended_by is null and not e.clause = any(w.clauses)
                and not may('coordinate', e.org)
                and not exists (select from membership m join role_right r on r.role = m.role
                    where m.person = asked.asked_by and m.org = e.org and r."right" = 'coordinate')) then
            raise 'it is under an embargo, which its keeper ends' using errcode = 'CW403';
        end if;
        update approval set used = clock_timestamp() where approval = asked.approval;
    end if;
    perform marking_guard(rule.kind, id, wanted);
    execute format('update %s set aud = $1%s where %I = $2', target,
        case when exists (select from pg_attribute where attrelid = target and attname = 'version'
            and atttypid = 'int'::regtype and not attisdropped) then ', version = version + 1' else '' end,
        rule.key_column) using wanted, id;
    -- What is found by its words is found by those who see it, from this statement on.
    update search_doc set aud = wanted where kind = regexp_replace(target::text, '^.*[.]', '') and ref = id::text;
    if keeper is null then return; end if;
    own_aud := make_audience(array[make_clause(array[group_of('staff', keeper)], false)]);
    if narrower and not within(now_aud, wanted) then
        -- What was told of it while it was wider is for whom it is now. Of its log the keeper's own people lose
        -- nothing, or an act could be hidden from their auditors.
        logged := case when within(own_aud, wanted) then wanted else own_aud end;
        update event e set aud = wanted where e.subject = subj and e.aud <> wanted and within(now_aud, e.aud);
        update log_entry e set aud = logged where e.subject = subj and e.aud <> logged
            and within(now_aud, e.aud) and within(logged, e.aud);
    end if;
    perform log_put('marking.changed', subj, '{"approval":' || coalesce(asked.approval::text, 'null')
        || ',"aud":' || wanted || ',"from":"' || audience_label(now_aud) || '","to":"' || audience_label(wanted)
        || '","was":' || now_aud || '}', own_aud);
end $$;
"""

FOLLOW = """
create function clearway.same_audience(one int, other int) returns boolean language sql stable
    set search_path = clearway, pg_temp as $$ select within(one, other) and within(other, one) $$;
-- A decision about what a marked record says is for who may see the asset and the record.
create function clearway.mark_decisions(which int[]) returns void language plpgsql
    set search_path = clearway, pg_temp as $$
begin
    execute 'with fit as (
            select d.decision, clearway.meet(array[a.aud::int] || array(
                select distinct m.aud::int from clearway.marked m
                where m.record = any(d.records) and exists (select from clearway.exposure e
                    where e.asset = d.asset and e.via = m.marked and (d.pv is null or e.pv = d.pv)))) as aud
            from clearway.decision d join clearway.asset a on a.asset = d.asset where d.asset = any($1))
        update clearway.decision d set aud = fit.aud from fit where fit.decision = d.decision and d.aud <> fit.aud'
    using which;
end $$;
-- After `follow_marking`, which takes what is derived from an asset along: decisions, and the versions of exposures, so
-- that who read one under another marking reads it again.
create function clearway.follow_asset_marking_further() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    perform mark_decisions(array[new.asset]);
    if not same_audience(old.aud, new.aud) then
        execute 'update clearway.exposure set version = version + 1 where asset = $1' using new.asset;
    end if;
    return null;
end $$;
create trigger follow_marking_further after update of aud on clearway.asset
    for each row when (old.aud is distinct from new.aud) execute function clearway.follow_asset_marking_further();
-- What a marked record says of assets follows its marking, and so does a flaw that it alone knows.
create function clearway.follow_marked_marking() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare own int; known int;
begin
    if same_audience(old.aud, new.aud) then return null; end if;
    if exists (select from flaw f where f.flaw = new.flaw and f.aud <> 0) then
        select f.flaw into known from flaw f join flaw o on o.flaw = new.flaw and o.id = f.id
        where f.aud in (0, new.aud::int) order by f.aud limit 1;
        if known is null and exists (select from marked m where m.flaw = new.flaw and m.marked <> new.marked) then
            insert into flaw (id, aud, kev, kev_due, exploitation, automatable, impact, ssvc_dated, epss, score)
            select id, new.aud, kev, kev_due, exploitation, automatable, impact, ssvc_dated, epss, score
            from flaw where flaw = new.flaw returning flaw into known;
        end if;
        if known is null then
            update flaw set aud = new.aud where flaw = new.flaw;
        elsif known <> new.flaw then
            update marked set flaw = known where marked = new.marked;
            execute 'update clearway.exposure set flaw = $1, version = version + 1 where via = $2'
                using known, new.marked;
        end if;
    end if;
    for own in select distinct a.aud from exposure e join asset a using (asset) where e.via = new.marked loop
        execute 'update clearway.exposure e set aud = clearway.meet($1), version = e.version + 1
            from clearway.asset a where e.via = $2 and a.asset = e.asset and a.aud = $3'
            using array[own, new.aud::int], new.marked, own;
    end loop;
    update exposure_history h set aud = e.aud from exposure e
    where e.via = new.marked and h.exposure = e.exposure and h.aud <> e.aud;
    perform mark_decisions(array(select distinct asset from exposure where via = new.marked));
    return null;
end $$;
create trigger follow_marking after update of aud on clearway.marked
    for each row when (old.aud is distinct from new.aud) execute function clearway.follow_marked_marking();
create function clearway.follow_webhook_marking() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    update webhook_delivery set aud = new.aud where webhook = new.webhook;
    return null;
end $$;
create trigger follow_marking after update of aud on clearway.webhook
    for each row when (old.aud is distinct from new.aud) execute function clearway.follow_webhook_marking();
"""

GIVEN_BACK = """
create or replace function clearway.make_audience(wanted int[]) returns int language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare
    canonical int[] := absorbed(wanted);
    found_aud int;
    gone timestamptz;
begin
    if wanted is null
        or exists (select from unnest(wanted) w where w is null or w not in (select clause from clause)) then
        raise 'no such clause' using errcode = 'CW404';
    end if;
    select aud, retired into found_aud, gone from audience where clauses = canonical;
    if found_aud is null or gone is not null then
        perform intern_lock();
        select aud, retired into found_aud, gone from audience where clauses = canonical;
        if gone is not null then
            -- It is wanted again: whoever gives numbers back finds this when it has the lock.
            update audience set retired = null, waits = null where aud = found_aud;
        elsif found_aud is null then
            delete from audience_free where number = (select min(number) from audience_free where ready)
            returning number into found_aud;
            if found_aud is null then
                select coalesce(greatest((select max(aud) from audience),
                    (select max(number) from audience_free)) + 1, 0) into found_aud;
            end if;
            if found_aud > 65535 then
                raise 'all 65,536 audiences are in use' using errcode = 'CW409';
            end if;
            insert into audience (aud, clauses) values (found_aud, canonical);
            update badge set bits = set_bit(bits, found_aud, 1), few = with_few(few, array[found_aud])
            where opens(grps, canonical);
        end if;
    end if;
    return found_aud;
end $$;
-- As before, now that not every number below the greatest is an audience's: each has the place of its number, and one
-- that was given up has a 0.
create or replace function clearway.badge_of(held int[]) returns int language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare
    canonical int[] := sorted(held);
    found_badge int;
begin
    select badge into found_badge from badge where grps = canonical;
    if found_badge is null then
        perform intern_lock();
        select badge into found_badge from badge where grps = canonical;
        if found_badge is null then
            -- As `opens` says it, for every audience at once.
            with open_clauses as materialized (
                select c.clause from clause c where c.released_by is not null
                union
                select c.clause from clause c cross join lateral unnest(c.grps) g(grp)
                    join unnest(canonical) h(grp) using (grp)
            ), closed as materialized (
                select distinct u.aud
                from (select a.aud, x.clause from audience a cross join lateral unnest(a.clauses) x(clause)) u
                    left join open_clauses o using (clause)
                where o.clause is null
            ), o as materialized (
                select n.aud, a.aud is not null and c.aud is null as opened
                from generate_series(0, (select max(aud)::int from audience)) n(aud)
                    left join audience a on a.aud = n.aud left join closed c on c.aud = n.aud
            )
            insert into badge (grps, bits, few)
            select canonical, rpad(string_agg(case when o.opened then '1' else '0' end, '' order by o.aud), 65536, '0')
                    ::varbit,
                with_few('{}', array_agg(o.aud order by o.aud) filter (where o.opened))
            from o returning badge into found_badge;
        end if;
    end if;
    return found_badge;
end $$;

-- All below is for the owner's jobs.
create function clearway.audience_columns() returns table (tab regclass, col name) language sql stable
    set search_path = clearway, pg_temp as $$
    select a.attrelid::regclass, a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid
    where a.atttypid = 'clearway.audience_id'::regtype and not a.attisdropped and c.relkind in ('r', 'p')
        and c.oid <> 'clearway.audience'::regclass order by c.relname $$;
-- Every audience that a row carries, or that an approval still to be used names.
create function clearway.used_audiences() returns int[] language plpgsql
    set search_path = clearway, pg_temp as $$
declare t record; part int[]; found int[] := '{0,1}';
begin
    for t in select * from audience_columns() loop
        execute format('select array_agg(distinct %I::int) from %s', t.col, t.tab) into part;
        found := found || coalesce(part, '{}');
    end loop;
    return sorted(found || array(
        select floor(n::text::numeric)::int from approval a, unnest(array[a.proposal -> 'aud', a.proposal -> 'was']) n
        where a.used is null and (a.verdict is null or a.verdict = 'approved')
            and case when jsonb_typeof(n) = 'number' then n::text::numeric between 0 and 65535 else false end));
end $$;
-- Audiences with an embargo that has ended, and the ones that say the same without it.
create function clearway.audience_moves() returns table (was int, becomes int) language plpgsql
    set search_path = clearway, pg_temp as $$
declare one audience;
begin
    for one in select * from audience a where a.moved is null and a.clauses && array(
            select c.clause from clause c where c.released_by is not null) order by a.aud loop
        was := one.aud;
        becomes := make_audience(one.clauses);
        return next;
    end loop;
end $$;
-- Moves up to `most` rows; returns how many. A row that would then be one too many of its kind stays where it is.
create function clearway.move_rows(target regclass, col name, was int, becomes int, most int) returns int
    language plpgsql set search_path = clearway, pg_temp as $$
declare n int := 0; place tid;
begin
    if target = 'version_use'::regclass then
        with batch as (select ctid from version_use u where u.aud = was limit most for update),
            gone as (delete from version_use u using batch where u.ctid = batch.ctid returning u.pv),
            put as (insert into version_use select pv, becomes from gone on conflict do nothing)
        select count(*) into n from gone;
        return n;
    end if;
    if target = 'triage_event'::regclass then return 0; end if;  -- follows its triage, by its key
    begin
        execute format('with batch as (select ctid from %1$s where %2$I = $1 limit $3 for update)
            update %1$s t set %2$I = $2 from batch where t.ctid = batch.ctid', target, col) using was, becomes, most;
        get diagnostics n = row_count;
    exception when unique_violation then
        n := 0;
        for place in execute format('select ctid from %s where %I = $1', target, col) using was loop
            begin
                execute format('update %s set %I = $1 where ctid = $2', target, col) using becomes, place;
                n := n + 1;
            exception when unique_violation then null;
            end;
        end loop;
    end;
    return n;
end $$;
create function clearway.transactions_under_way() returns text[] language sql volatile
    set search_path = clearway, pg_temp as $$
    select array(select l.virtualtransaction from pg_locks l
        where l.locktype = 'virtualxid' and l.pid is distinct from pg_backend_pid()) $$;
-- First step: those that nothing refers to. What is looked up again is not retired any more.
create function clearway.retire_audiences(unused_for interval) returns int language plpgsql
    set search_path = clearway, pg_temp as $$
declare used int[] := used_audiences(); n int;
begin
    update audience set retired = null, waits = null
    where retired is not null and aud in (select unnest(used));
    update audience set moved = null where moved is not null and aud in (select unnest(used));
    update audience set retired = clock_timestamp(), waits = null
    where retired is null and made < clock_timestamp() - unused_for and aud not in (select unnest(used));
    get diagnostics n = row_count;
    return n;
end $$;
-- Second step, in a transaction of its own: who may still know a number from before it was retired or freed.
create function clearway.note_waits() returns void language plpgsql
    set search_path = clearway, pg_temp as $$
declare held text[] := transactions_under_way();
begin
    update audience set waits = held where retired is not null and waits is null;
    update audience_free set waits = held where not ready and waits is null;
end $$;
-- Third step: when all of those have ended and still nothing refers to it, an audience is given up, and no badge has
-- its bit. Fourth: after the same again, its number can be another's.
create function clearway.reclaim_audiences(rest interval, out given_up int, out ready int) language plpgsql
    set search_path = clearway, pg_temp as $$
declare
    held text[]; used int[]; wanted int[]; resting int[]; gone int[]; before timestamptz := clock_timestamp() - rest;
begin
    given_up := 0;
    ready := 0;
    -- One that was prepared holds no lock that tells when it began.
    if exists (select from pg_prepared_xacts where database = current_database()) then return; end if;
    held := transactions_under_way();
    wanted := array(select aud from audience a where a.retired < before and a.waits is not null
        and not a.waits && held);
    resting := array(select number from audience_free f where f.freed < before and f.waits is not null and not f.ready
        and not f.waits && held);
    if cardinality(wanted) + cardinality(resting) = 0 then return; end if;
    used := used_audiences();  -- after those have ended: what they wrote is seen
    perform intern_lock();
    delete from audience a where a.aud = any(wanted) and a.retired is not null and a.aud not in (select unnest(used));
    gone := array(select w from unnest(wanted) w where w not in (select aud from audience));
    given_up := cardinality(gone);
    if given_up > 0 then
        update badge b set bits = clear_bits(b.bits, gone),
            few = case when few is not null then array(select n from unnest(few) n where n <> all(gone) order by n) end;
        insert into audience_free (number) select unnest(gone);
    end if;
    -- One that a row carries all the same is seen by nobody, and is never another's.
    update audience_free f set ready = true where f.number = any(resting) and f.number not in (select unnest(used));
    get diagnostics ready = row_count;
end $$;
create function clearway.clear_bits(bits varbit, places int[]) returns varbit
    language plpgsql immutable parallel safe as $$
declare place int;
begin
    foreach place in array places loop bits := set_bit(bits, place, 0); end loop;
    return bits;
end $$;
"""

GRANTS = """
revoke execute on function clearway.audience_label(int), clearway.my_own_audience(),
    clearway.log_append(text, text, text, int, bytea), clearway.log_put(text, text, text, int, bytea),
    clearway.org_opens(int, int), clearway.marking_guard(text, bigint, int), clearway.same_audience(int, int),
    clearway.mark_decisions(int[]), clearway.follow_asset_marking_further(), clearway.follow_marked_marking(),
    clearway.follow_webhook_marking(), clearway.audience_columns(), clearway.used_audiences(),
    clearway.audience_moves(), clearway.move_rows(regclass, name, int, int, int), clearway.transactions_under_way(),
    clearway.retire_audiences(interval), clearway.note_waits(), clearway.reclaim_audiences(interval),
    clearway.clear_bits(varbit, int[]) from public;
grant execute on function clearway.log_append(text, text, text, int, bytea), clearway.my_own_audience() to clearway_app;
"""


_CHECK = """
        if not coalesce((select app from log_act where act = wanted_act),
                (select app from log_act where act = split_part(wanted_act, '.', 1) || '.*'), false) then
            raise 'the application logs no such act' using errcode = 'CW403';
        end if;
"""


def upgrade() -> None:
    """Adds what lowering, the log's list of acts and giving numbers back need."""
    run(TABLES, GROUPS, LOG, _checking(), GIVEN_BACK, REMARK, FOLLOW, GRANTS)


def downgrade() -> None:
    """Takes it away, and puts back the functions that were there before.

    Groups of one stay, and what was logged for them: nobody is in them any more.
    """
    op.execute("drop trigger follow_marking on clearway.marked")
    op.execute("drop trigger follow_marking on clearway.webhook")
    op.execute("drop trigger follow_marking_further on clearway.asset")
    op.execute("drop function clearway.log_append(text, text, text, int, bytea)")
    op.execute("alter function clearway.log_put(text, text, text, int, bytea) rename to log_append")
    op.execute("grant execute on function clearway.log_append(text, text, text, int, bytea) to clearway_app")
    run(
        *(
            before("0002_access", name)
            for name in ("groups_of", "audience_words", "make_audience", "badge_of", "remark")
        ),
        before("0003_ledger", "log_cosign"),
    )
    op.execute(
        "drop function clearway.follow_marked_marking(), clearway.follow_webhook_marking(), "
        "clearway.follow_asset_marking_further(), "
        "clearway.mark_decisions(int[]), clearway.same_audience(int, int), "
        "clearway.marking_guard(text, bigint, int), clearway.org_opens(int, int), clearway.my_own_audience(), "
        "clearway.audience_label(int), clearway.reclaim_audiences(interval), clearway.note_waits(), "
        "clearway.retire_audiences(interval), clearway.transactions_under_way(), "
        "clearway.move_rows(regclass, name, int, int, int), clearway.audience_moves(), "
        "clearway.used_audiences(), clearway.audience_columns(), clearway.clear_bits(varbit, int[])"
    )
    op.execute("drop table clearway.log_act, clearway.audience_free")
    op.execute(
        "alter table clearway.audience drop column made, drop column moved, drop column retired, drop column waits"
    )
    op.execute("alter table clearway.marked drop column org")
    op.execute("update clearway.governed set \"right\" = '' where name in ('marked', 'clearway.marked')")
    op.execute("alter table clearway.governed drop column kind, drop column derived")


def _checking() -> str:
    """`log_append` as it was, but that it takes from the application only acts that are its to say.

    Not a call of the other within this one: that costs more than the check.
    """
    known = "        by_credential := case when who > 0 then by_credential else 0 end;\n"
    text = before("0003_ledger", "log_append")
    assert known in text
    return text.replace(known, known + _CHECK)
