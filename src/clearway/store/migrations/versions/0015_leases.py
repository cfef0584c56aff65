"""Scan leases: who looks at what, for how long; proofs of control, and what owners say of being scanned."""

from alembic import op

from clearway.store.ddl import run

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# What is looked up stands here under a key that is not in this database (`findings.lease.blind`): addresses keep their
# prefixes and paths their order of containment, and neither says what it is. The scope in words is in `lease` alone,
# for its holder and the desk, and not even there for a sealed lease.
TABLES = """
-- What holds a tree of names together: all below a path lies between the path and the path with "~" behind it.
create type clearway.path_span as range (subtype = text, collation = "C");
create table clearway.lease (
    lease bigint generated always as identity primary key,
    reference text not null unique check (reference ~ '^CWL-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$'),
    org int not null references clearway.organisation,
    aud clearway.audience_id not null,
    person int not null default clearway.actor(),
    activity text not null check (activity in ('source-review', 'fuzzing', 'authenticated', 'port', 'passive')),
    exclusive boolean not null,  -- load on somebody's hosts: nobody else at the same time
    shared boolean not null,  -- others look at it too
    told boolean not null default false,  -- and have been told that somebody does
    sealed boolean not null,
    scope text[] not null default '{}' check (cardinality(scope) <= 32),
    label text not null default '' check (length(label) <= 200),
    sources text[] not null default '{}' check (cardinality(sources) <= 32),
    rate real check (rate > 0),  -- requests a second
    authorisation text not null default '' check (length(authorisation) <= 300),
    asked timestamptz not null default clock_timestamp(),
    starts timestamptz not null,
    until timestamptz not null,  -- of the window that was asked for; reserved while the lease is renewed
    ends timestamptz not null,  -- not renewed by then, it is over
    ttl_s int not null check (ttl_s between 1 and 86400),
    fence bigint not null,
    released timestamptz,
    version int not null default 1,
    check (starts < until and ends <= until)
);
create index lease_org on clearway.lease (org, lease desc);
create index lease_window on clearway.lease (starts);
create index lease_ends on clearway.lease (ends);
create index lease_untold on clearway.lease (lease) where shared and not told;
create table clearway.lease_target (
    lease bigint not null references clearway.lease on delete cascade,
    n smallint not null,
    root text not null,
    net inet,
    path text collate "C",
    live boolean not null,  -- somebody's hosts, and no copy of a program
    exclusive boolean not null,
    held boolean not null default true,
    during tstzrange not null,
    -- None for a network: of nothing, a range would be everything.
    span clearway.path_span generated always as (
        case when path is not null then clearway.path_span(path, path || '~') end) stored,
    primary key (lease, n),
    check ((net is null) <> (path is null)),
    -- Whatever the functions below do: two exclusive grants of one host at one time can't both be rows of this table.
    constraint lease_net_once exclude using gist (net inet_ops with &&, during with &&) where (exclusive and held),
    constraint lease_path_once exclude using gist (span with &&, during with &&) where (exclusive and held)
);
create index lease_target_net on clearway.lease_target using gist (net inet_ops) where held;
create index lease_target_path on clearway.lease_target (path) where held;
create index lease_target_net_ever on clearway.lease_target using gist (net inet_ops);
create index lease_target_path_ever on clearway.lease_target (path);
create table clearway.lease_source (
    lease bigint not null references clearway.lease on delete cascade,
    net inet not null,
    primary key (lease, net)
);
create index lease_source_net on clearway.lease_source using gist (net inet_ops);
-- The last fencing token of each root.
create table clearway.lease_root (root text primary key, fence bigint not null);
create table clearway.lease_rule (
    one text not null, other text not null, live boolean not null,
    outcome text not null check (outcome in ('clear', 'share', 'exclude')),
    primary key (one, other, live)
);
insert into clearway.lease_rule (one, other, live, outcome)
select a, b, live, case when a = 'passive' or b = 'passive' then 'clear'
    when not live then 'share' when a = 'source-review' or b = 'source-review' then 'clear' else 'exclude' end
from unnest(array['source-review', 'fuzzing', 'authenticated', 'port', 'passive']) a,
    unnest(array['source-review', 'fuzzing', 'authenticated', 'port', 'passive']) b, (values (true), (false)) v (live);
-- How many questions an organisation asked in an hour, and of which it was told that others are there. `digest` tells
-- a question that comes again from another one.
create table clearway.lease_pace (
    org int not null, hour timestamptz not null, asked int not null, primary key (org, hour)
);
create table clearway.lease_told (
    org int not null, digest bytea not null, at timestamptz not null default clock_timestamp(),
    primary key (org, digest)
);
create index lease_told_at on clearway.lease_told (org, at);
-- Who has shown that a network or a name is theirs, and what they say of its being scanned.
create table clearway.lease_control (
    control int generated always as identity primary key,
    org int not null references clearway.organisation,
    aud clearway.audience_id not null,
    person int not null default clearway.actor(),
    scope text not null check (length(scope) between 1 and 300),
    method text not null check (method in ('dns-txt', 'well-known')),
    token text not null check (length(token) between 20 and 100),
    begun timestamptz not null default clock_timestamp(),
    proven timestamptz,
    expires timestamptz,
    stance text not null default 'own' check (stance in ('own', 'refuse', 'cap')),
    max_rate real check (max_rate > 0),
    authorised text[] not null default '{}' check (cardinality(authorised) <= 200),  -- organisations, by slug
    ended timestamptz,
    version int not null default 1,
    check ((stance = 'cap') = (max_rate is not null))
);
create index lease_control_org on clearway.lease_control (org, control desc);
create table clearway.lease_control_at (
    control int primary key references clearway.lease_control,
    net inet,
    path text collate "C",
    check ((net is null) <> (path is null))
);
create index lease_control_at_net on clearway.lease_control_at using gist (net inet_ops);
create index lease_control_at_path on clearway.lease_control_at (path);
"""

FUNCTIONS = """
-- A path and all above it. A step is 16 characters and "/".
create function clearway.lease_above(path text) returns text[] language sql immutable parallel safe
    return (select array_agg(left(path, n * 17)) from generate_series(1, length(path) / 17) n);
-- Controls that stand and meet a target: `covers` when the whole target lies in them.
create function clearway.lease_controls(of_net inet, of_path text, at timestamptz)
    returns table (control int, org int, stance text, max_rate real, authorised text[], covers boolean)
    language plpgsql stable set search_path = clearway, pg_temp as $$
#variable_conflict use_column
begin
    if of_net is not null then
        return query select c.control, c.org, c.stance, c.max_rate, c.authorised, a.net >>= of_net
            from lease_control_at a join lease_control c using (control)
            where a.net && of_net and c.proven is not null and c.expires > at and c.ended is null;
    else
        return query select c.control, c.org, c.stance, c.max_rate, c.authorised, length(a.path) <= length(of_path)
            from lease_control_at a join lease_control c using (control)
            where (a.path = any(lease_above(of_path)) or (a.path > of_path and a.path < of_path || '~'))
                and c.proven is not null and c.expires > at and c.ended is null;
    end if;
end $$;
-- Leases of whoever that meet a target in a window, held and not run out at `at`.
create function clearway.lease_met(of_net inet, of_path text, at timestamptz, since timestamptz, til timestamptz)
    returns table (lease bigint, org int, activity text, live boolean, until timestamptz)
    language plpgsql stable set search_path = clearway, pg_temp as $$
#variable_conflict use_column
begin
    if of_net is not null then
        return query select l.lease, l.org, l.activity, t.live, l.until
            from lease_target t join lease l using (lease)
            where t.held and t.net && of_net and l.ends > at and l.released is null
                and l.starts < til and l.until > since;
    else
        return query select l.lease, l.org, l.activity, t.live, l.until
            from lease_target t join lease l using (lease)
            where t.held and (t.path = any(lease_above(of_path)) or (t.path > of_path and t.path < of_path || '~'))
                and l.ends > at and l.released is null and l.starts < til and l.until > since;
    end if;
end $$;
-- How often an organisation may still be told something: 'questions', 'overlaps' or '' for as often as it likes.
create function clearway.lease_bound(of_org int, asked bytea, questions int, tellings int) returns text
    language plpgsql stable set search_path = clearway, pg_temp as $$
begin
    if exists (select from lease_pace p where p.org = of_org and p.hour = date_trunc('hour', clock_timestamp())
            and p.asked >= questions) then
        return 'questions';
    end if;
    if (select count(*) from lease_told t where t.org = of_org and t.digest <> lease_bound.asked
            and t.at > clock_timestamp() - interval '1 day') >= tellings then
        return 'overlaps';
    end if;
    return '';
end $$;
create function clearway.lease_count(of_org int, asked bytea, tells boolean) returns void
    language plpgsql set search_path = clearway, pg_temp as $$
begin
    if tells then
        insert into lease_told as t (org, digest) values (of_org, lease_count.asked)
        on conflict (org, digest) do update set at = excluded.at where t.at < excluded.at - interval '1 hour';
    end if;
    insert into lease_pace as p (org, hour, asked) values (of_org, date_trunc('hour', clock_timestamp()), 1)
    on conflict (org, hour) do update set asked = p.asked + 1;
end $$;
-- One question and its answer; when that is go or share, the lease. Grants below one root come one after the other:
-- each takes the root's lock first, and looks after it has it.
create function clearway.lease_ask(asked jsonb, of_org int, of_aud int, nets inet[], paths text[], lives boolean[],
    roots text[], sources_at inet[], digest bytea) returns jsonb
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    act text := asked->>'activity';
    most int := (asked->>'most')::int;
    who int;
    at timestamptz; since timestamptz; til timestamptz; over timestamptz; token bigint; number bigint;
    said text := 'go'; because text := ''; mine text; r text; alone boolean; shares boolean;
    foreign_refusal boolean; own_proof boolean; cap real; given lease;
begin
    if actor() <> 0 and not (may('submit', of_org) or may('operate', of_org)) then
        raise 'the right to submit or to operate is missing' using errcode = 'CW403';
    end if;
    -- A lease is its organisation's and the desk's, as the last one was; the first one is told which audience that is.
    who := coalesce(of_aud, (select l.aud from lease l where l.org = of_org order by l.lease desc limit 1));
    if who is null then return jsonb_build_object('answer', 'audience'); end if;
    if actor() <> 0 and get_bit(my_bits(), who) is distinct from 1 then
        raise 'that is an audience of others' using errcode = 'CW403';
    end if;
    if not coalesce(cardinality(nets) between 1 and 32 and cardinality(nets) = cardinality(paths)
            and cardinality(nets) = cardinality(lives) and cardinality(nets) = cardinality(roots), false) then
        raise 'a lease has 1 to 32 targets' using errcode = 'CW400';
    end if;
    r := lease_bound(of_org, digest, (asked->>'questions')::int, (asked->>'overlaps')::int);
    if r <> '' then return jsonb_build_object('answer', 'bounded', 'why', r); end if;
    for r in select distinct x collate "C" from unnest(roots) x order by 1 loop
        perform pg_advisory_xact_lock(hashtextextended(r, 1815));
    end loop;
    at := clock_timestamp();
    since := greatest(coalesce((asked->>'starts')::timestamptz, at), at);
    til := coalesce((asked->>'until')::timestamptz, since + make_interval(secs => (asked->>'window_s')::float));
    if til <= since or til > since + interval '31 days' or since > at + interval '92 days' then
        raise 'the window is over, longer than 31 days, or more than 92 days away' using errcode = 'CW400';
    end if;
    select slug into mine from organisation o where o.org = of_org;
    if act <> 'passive' then
        for i in 1 .. cardinality(nets) loop
            continue when not lives[i];
            select bool_or(c.stance = 'refuse' and c.org <> of_org and not mine = any(c.authorised)),
                bool_or(c.covers and (c.org = of_org or mine = any(c.authorised))),
                min(c.max_rate)
            into foreign_refusal, own_proof, cap from lease_controls(nets[i], paths[i], at) c;
            because := case when foreign_refusal then 'opt-out' when own_proof is not true then 'no-proof'
                when cap < coalesce((asked->>'rate')::real, 'infinity'::real) then 'rate' else '' end;
            exit when because <> '';
        end loop;
    end if;
    if because = '' and (select count(*) from (select from lease l where l.org = of_org and l.ends > at
            and l.released is null limit most) h) >= most then
        because := 'too-many';
    end if;
    if because <> '' then
        said := 'refused';
    else
        for i in 1 .. cardinality(nets) loop
            -- What has run out is free. Who renews takes the same locks, so that what is seen here holds.
            if nets[i] is not null then
                update lease_target t set held = false from lease l
                where l.lease = t.lease and t.held and t.net && nets[i] and (l.ends <= at or l.released is not null);
            else
                update lease_target t set held = false from lease l
                where l.lease = t.lease and t.held and (t.path = any(lease_above(paths[i]))
                        or (t.path > paths[i] and t.path < paths[i] || '~'))
                    and (l.ends <= at or l.released is not null);
            end if;
            select max(m.until) filter (where k.outcome = 'exclude'), bool_or(k.outcome = 'share')
            into over, shares
            from lease_met(nets[i], paths[i], at, since, til) m
                join lease_rule k on k.one = act and k.other = m.activity and k.live = m.live;
            alone := over is not null;
            exit when alone;
            if shares then said := 'share'; end if;
        end loop;
        if alone then said := 'wait'; end if;
    end if;
    if said not in ('go', 'share') then
        perform lease_count(of_org, digest, said = 'wait');
        return jsonb_build_object('answer', said, 'aud', who, 'why', because,
            'until', date_trunc('minute', over + interval '59.999999 seconds'));
    end if;
    -- Later than every token that was given below these roots. By the clock, so that it counts nobody's leases.
    select max(f.fence) into token from lease_root f where f.root = any(roots);
    token := greatest(coalesce(token, 0) + 1, (extract(epoch from at) * 1000000)::bigint);
    insert into lease_root as f (root, fence) select distinct x, token from unnest(roots) x
    on conflict (root) do update set fence = excluded.fence;
    insert into lease (reference, org, aud, activity, exclusive, shared, sealed, scope, label, sources, rate,
        authorisation, starts, until, ends, ttl_s, fence)
    values (asked->>'reference', of_org, who, act, exists (select from unnest(lives) x, lease_rule k
            where k.one = act and k.other = act and k.live = x and k.outcome = 'exclude'),
        said = 'share', (asked->>'sealed')::boolean,
        array(select jsonb_array_elements_text(asked->'scope')), asked->>'label',
        array(select jsonb_array_elements_text(asked->'sources')), (asked->>'rate')::real, asked->>'authorisation',
        since, til, least(til, since + make_interval(secs => (asked->>'ttl_s')::float)), (asked->>'ttl_s')::int, token)
    returning * into given;
    number := given.lease;
    insert into lease_target (lease, n, root, net, path, live, exclusive, during)
    select number, x.n, x.root, x.net, x.path, x.live, k.outcome = 'exclude', tstzrange(since, til)
    from unnest(nets, paths, lives, roots) with ordinality x (net, path, live, root, n)
        join lease_rule k on k.one = act and k.other = act and k.live = x.live;
    insert into lease_source (lease, net) select distinct number, x from unnest(sources_at) x;
    perform lease_count(of_org, digest, said = 'share');
    return jsonb_build_object('answer', said, 'aud', who, 'lease', to_jsonb(given) || jsonb_build_object(
        'organisation', mine, 'state', case when given.starts > at then 'planned' else 'held' end));
end $$;
-- A lease of the caller's, locked behind its roots. The desk may hold any.
create function clearway.locked_lease(which text) returns clearway.lease language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare l lease; r text;
begin
    select * into l from lease where reference = which;
    if l.lease is null or (case when actor() = 0 then false else get_bit(my_bits(), l.aud) is distinct from 1 end) then
        raise 'no such lease' using errcode = 'CW404';
    end if;
    if not (case when actor() = 0 then true else may('submit', l.org) or may('operate', l.org) or is_desk() end) then
        raise 'it is not yours to change' using errcode = 'CW403';
    end if;
    for r in select distinct t.root from lease_target t where t.lease = l.lease order by 1 loop
        perform pg_advisory_xact_lock(hashtextextended(r, 1815));
    end loop;
    select * into l from lease where reference = which for update;
    return l;
end $$;
-- Holds a lease for another while; its new end. What has run out is not renewed: it is free, and may be another's.
create function clearway.lease_renew(which text, token bigint, for_s int) returns timestamptz language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare
    l lease := locked_lease(which);
    at timestamptz := clock_timestamp();
    new_end timestamptz;
begin
    if l.fence <> token then raise 'that is not the lease''s fencing token' using errcode = 'CW409'; end if;
    if l.released is not null or l.ends <= at then raise 'the lease is over: ask again' using errcode = 'CW409'; end if;
    update lease set ttl_s = coalesce(for_s, ttl_s), version = version + 1,
        ends = greatest(ends, least(until, greatest(at, starts) + make_interval(secs => coalesce(for_s, ttl_s))))
    where lease = l.lease returning ends into new_end;
    return new_end;
end $$;
-- Gives a lease back, before its end; whether it was held.
create function clearway.lease_release(which text) returns boolean language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare
    l lease := locked_lease(which);
    at timestamptz := clock_timestamp();
begin
    if l.released is not null or l.ends <= at then return false; end if;
    update lease set released = at, version = version + 1 where lease = l.lease;
    update lease_target set held = false where lease = l.lease;
    return true;
end $$;
-- Whether a scan that somebody sees is one of ours. That it is not is told only to who controls what was scanned, and
-- where no lease says anything of it the answer is that nothing is known.
create function clearway.lease_whose(of_org int, source inet, of_net inet, of_path text, seen timestamptz, digest bytea,
    questions int, tellings int) returns jsonb
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    said text := 'unknown'; which text; bound text; mine text; others boolean;
begin
    if actor() <> 0 and not of_org = any(my_orgs('read')) then
        raise 'it is not your organisation' using errcode = 'CW403';
    end if;
    bound := lease_bound(of_org, digest, questions, tellings);
    if bound <> '' then return jsonb_build_object('answer', 'bounded', 'why', bound); end if;
    select l.reference into which
    from lease_source s join lease l using (lease) join lease_target t using (lease)
    where s.net >>= source and l.starts <= seen and seen < least(l.ends, l.released)
        and (case when of_net is not null then t.net >>= of_net else t.path = any(lease_above(of_path)) end)
    order by l.lease desc limit 1;
    if which is not null then
        said := 'ours';
    else
        select slug into mine from organisation o where o.org = of_org;
        if exists (select from lease_controls(of_net, of_path, clock_timestamp()) c
                where c.covers and (c.org = of_org or mine = any(c.authorised))) then
            if of_net is not null then
                select exists (select from lease_target t join lease l using (lease) where t.net >>= of_net
                    and l.starts <= seen and seen < least(l.ends, l.released)) into others;
            else
                select exists (select from lease_target t join lease l using (lease)
                    where t.path = any(lease_above(of_path)) and l.starts <= seen and seen < least(l.ends, l.released))
                into others;
            end if;
            if others or exists (select from lease_source s join lease l using (lease)
                    where s.net >>= source and l.starts <= seen and seen < l.until) then
                said := 'not-ours';
            end if;
        end if;
    end if;
    perform lease_count(of_org, digest, said <> 'unknown');
    return jsonb_build_object('answer', said, 'reference', coalesce(which, ''));
end $$;
-- Begins a proof of control; its number.
create function clearway.lease_control_begin(of_org int, of_aud int, in_words text, by_method text, secret text,
    of_net inet, of_path text) returns int language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare number int;
begin
    if actor() <> 0 and not (may('operate', of_org) or may('maintain', of_org) or may('submit', of_org)) then
        raise 'the right to operate, to maintain or to submit is missing' using errcode = 'CW403';
    end if;
    if actor() <> 0 and get_bit(my_bits(), of_aud) is distinct from 1 then
        raise 'that is an audience of others' using errcode = 'CW403';
    end if;
    if (select count(*) from lease_control c where c.org = of_org and c.ended is null) >= 2000 then
        raise 'an organisation has at most 2,000 proofs at a time' using errcode = 'CW409';
    end if;
    insert into lease_control (org, aud, scope, method, token) values (of_org, of_aud, in_words, by_method, secret)
    returning control into number;
    insert into lease_control_at (control, net, path) values (number, of_net, of_path);
    return number;
end $$;
-- A control of the caller's organisation, locked.
create function clearway.locked_control(which int) returns clearway.lease_control language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare c lease_control;
begin
    select * into c from lease_control where control = which for update;
    if c.control is null
            or (case when actor() = 0 then false else get_bit(my_bits(), c.aud) is distinct from 1 end) then
        raise 'no such proof of control' using errcode = 'CW404';
    end if;
    if not (case when actor() = 0 then true
            else may('operate', c.org) or may('maintain', c.org) or may('submit', c.org) end) then
        raise 'it is another organisation''s' using errcode = 'CW403';
    end if;
    if c.ended is not null then raise 'it is ended' using errcode = 'CW409'; end if;
    return c;
end $$;
-- What the owner says of being scanned. It counts from the proof on.
create function clearway.lease_control_say(which int, wanted text, rate real, allowed text[]) returns int
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare c lease_control := locked_control(which); new_version int;
begin
    if exists (select from unnest(allowed) s where not exists (select from organisation o where o.slug = s)) then
        raise 'there is no such organisation' using errcode = 'CW400';
    end if;
    update lease_control set stance = wanted, max_rate = rate, authorised = allowed, version = version + 1
    where control = c.control returning version into new_version;
    return new_version;
end $$;
create function clearway.lease_control_end(which int) returns int language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare c lease_control := locked_control(which); new_version int;
begin
    update lease_control set ended = clock_timestamp(), version = version + 1 where control = c.control
    returning version into new_version;
    return new_version;
end $$;
do $$ declare f text; begin
    for f in select p.oid::regprocedure from pg_proc p where p.pronamespace = 'clearway'::regnamespace
            and (starts_with(p.proname, 'lease_') or p.proname in ('locked_lease', 'locked_control')) loop
        execute format('revoke execute on function %s from public', f);
    end loop;
end $$;
grant execute on function clearway.lease_ask(jsonb, int, int, inet[], text[], boolean[], text[], inet[], bytea),
    clearway.lease_renew(text, bigint, int), clearway.lease_release(text),
    clearway.lease_whose(int, inet, inet, text, timestamptz, bytea, int, int),
    clearway.lease_control_begin(int, int, text, text, text, inet, text),
    clearway.lease_control_say(int, text, real, text[]), clearway.lease_control_end(int) to clearway_app;
"""

# The tables of what is looked up are nobody's but the owner's: they have no policy and no right for the application.
POLICIES = """
select clearway.govern('clearway.lease');
select clearway.govern('clearway.lease_control');
insert into clearway.log_act (act, app) values ('lease.*', true) on conflict do nothing;
"""

_TABLES = (
    "lease_control_at",
    "lease_control",
    "lease_told",
    "lease_pace",
    "lease_rule",
    "lease_root",
    "lease_source",
    "lease_target",
    "lease",
)


def upgrade() -> None:
    """Creates the tables and their rules."""
    run(TABLES, FUNCTIONS, POLICIES)


def downgrade() -> None:
    """Drops them."""
    op.execute(
        "drop function clearway.lease_control_end(int), clearway.lease_control_say(int, text, real, text[]), "
        "clearway.locked_control(int), clearway.lease_control_begin(int, int, text, text, text, inet, text), "
        "clearway.lease_whose(int, inet, inet, text, timestamptz, bytea, int, int), clearway.lease_release(text), "
        "clearway.lease_renew(text, bigint, int), clearway.locked_lease(text), "
        "clearway.lease_ask(jsonb, int, int, inet[], text[], boolean[], text[], inet[], bytea), "
        "clearway.lease_count(int, bytea, boolean), clearway.lease_bound(int, bytea, int, int), "
        "clearway.lease_met(inet, text, timestamptz, timestamptz, timestamptz), "
        "clearway.lease_controls(inet, text, timestamptz), clearway.lease_above(text)"
    )
    op.execute(f"drop table {', '.join(f'clearway.{table}' for table in _TABLES)}")
    op.execute("drop type clearway.path_span")
    op.execute(
        "delete from clearway.governed where name in "
        "('clearway.lease', 'lease', 'clearway.lease_control', 'lease_control')"
    )
    op.execute("delete from clearway.log_act where act = 'lease.*'")
