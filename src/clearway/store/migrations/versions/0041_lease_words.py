"""Leases: a renewal is bound by the owner's word of that day, a cap is of the sum of rates, bounds are the database's.

Two exclusive leases of one host were possible where the sweep, or a clock that was set back, met a renewal: what has
run out is freed under the locks of its roots alone, stays over whatever the clock says, and is not renewed.
"""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from clearway.store.ddl import before, run

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

TABLES = """
-- Of one organisation: questions in an hour; distinct ones in a day whose answer told that others are there; leases.
create table clearway.lease_limit (
    one boolean primary key default true check (one),
    questions int not null default 5000 check (questions > 0),
    tellings int not null default 200 check (tellings > 0),
    held int not null default 2000 check (held > 0)
);
insert into clearway.lease_limit default values;
alter table clearway.lease add column lapsed boolean not null default false;  -- its scope was freed: over for good
-- What the owner's word made of it, before its end.
alter table clearway.lease add column withdrawn text not null default ''
    check (withdrawn in ('', 'opt-out', 'no-proof', 'rate'));
-- Whether a proof covered the target when it was granted: for load it did always, for passive looking it need not.
alter table clearway.lease_target add column proven boolean not null default false;
update clearway.lease_target t set proven = true from clearway.lease l
where l.lease = t.lease and t.live and l.activity <> 'passive';
-- Who claimed half of the addresses there are spoke for others.
delete from clearway.lease_source where masklen(net) < case family(net) when 4 then 24 else 48 end;
-- When its owner's word changed, when leases were last looked at for it, and when others' were last withdrawn.
alter table clearway.lease_control add column spoken timestamptz not null default clock_timestamp(),
    add column heard timestamptz not null default '-infinity', add column withdrew timestamptz;
create function clearway.lease_control_spoken() returns trigger language plpgsql
    set search_path = clearway, pg_temp as $$
begin
    new.spoken := clock_timestamp();
    return new;
end $$;
create trigger lease_control_spoken before update of stance, max_rate, authorised, proven, expires, ended
    on clearway.lease_control for each row execute function clearway.lease_control_spoken();
"""

HELPERS = """
-- What two scopes that meet are sure to have in common: an IPv4 /8 or IPv6 /16, a name's last two labels, or the first
-- step of a path.
create function clearway.lease_root_of(net inet, path text, live boolean) returns text language sql immutable
    return case when net is not null then network(set_masklen(net, case family(net) when 4 then 8 else 16 end))::text
        else left(path, case when live then 34 else 17 end) end;
-- Takes the locks of roots, in one order whatever collation the database has.
create function clearway.lease_lock(roots text[]) returns void language plpgsql
    set search_path = clearway, pg_temp as $$
declare r text;
begin
    for r in select distinct x collate "C" from unnest(roots) x order by 1 loop
        perform pg_advisory_xact_lock(hashtextextended(r, 1815));
    end loop;
end $$;
-- Frees what has run out of these targets. For who holds the locks of their roots: a renewal takes them as well, so
-- that what is seen here holds. The lease is over from then on, even for a clock that was set back; a row that is
-- locked meanwhile stays as it is, since a lease whose target is free is not renewed either.
create function clearway.lease_free(of_net inet, of_path text, at timestamptz) returns int language plpgsql
    set search_path = clearway, pg_temp as $$
declare freed bigint[];
begin
    if of_net is not null then
        with f as (update lease_target t set held = false from lease l
            where l.lease = t.lease and t.held and t.net && of_net and (l.ends <= at or l.released is not null)
            returning t.lease)
        select array_agg(f.lease) into freed from f;
    else
        with f as (update lease_target t set held = false from lease l
            where l.lease = t.lease and t.held and (t.path = any(lease_above(of_path))
                    or (t.path > of_path and t.path < of_path || '~'))
                and (l.ends <= at or l.released is not null)
            returning t.lease)
        select array_agg(f.lease) into freed from f;
    end if;
    if freed is null then return 0; end if;
    update lease set lapsed = true
    where lease in (select l.lease from lease l where l.lease = any(freed) and l.released is null and not l.lapsed
        order by l.lease for update skip locked);
    return cardinality(freed);
end $$;
-- Why an organisation may not do that there, by what owners say now: 'opt-out', 'no-proof', 'rate' or ''. `proven`: of
-- which targets it has shown control, or was authorised by who has; `capped`: whether some owner caps the rate.
create function clearway.lease_refused(of_org int, act text, of_rate real, nets inet[], paths text[], lives boolean[],
    at timestamptz, out because text, out proven boolean[], out capped boolean) language plpgsql stable
    set search_path = clearway, pg_temp as $$
declare mine text; foreign_refusal boolean; own_proof boolean; cap real;
begin
    because := '';
    capped := false;
    select slug into mine from organisation o where o.org = of_org;
    for i in 1 .. cardinality(nets) loop
        select bool_or(c.stance = 'refuse' and c.org <> of_org and not mine = any(c.authorised)),
            bool_or(c.covers and (c.org = of_org or mine = any(c.authorised))),
            min(c.max_rate)
        into foreign_refusal, own_proof, cap from lease_controls(nets[i], paths[i], at) c;
        proven[i] := lives[i] and own_proof is true;
        continue when act = 'passive';
        because := case when foreign_refusal then 'opt-out' when not lives[i] then '' when own_proof is not true
            then 'no-proof' when cap < coalesce(of_rate, 'infinity'::real) then 'rate' else '' end;
        exit when because <> '';
        capped := capped or (lives[i] and cap is not null);
    end loop;
end $$;
-- The greatest sum of rates of the leases that meet a scope, at any moment of a window, and until when the last of them
-- is reserved; of leases that are older than `older`, where one is named.
create function clearway.lease_load(of_net inet, of_path text, at timestamptz, since timestamptz, til timestamptz,
    older bigint, out peak numeric, out over timestamptz) language plpgsql stable
    set search_path = clearway, pg_temp as $$
begin
    with met as (
        select distinct l.lease, coalesce(l.rate, 1000000)::numeric as rate, greatest(l.starts, since) as a,
            least(l.until, til) as b, l.until
        from lease_met(of_net, of_path, at, since, til) m join lease l on l.lease = m.lease
        where m.live and m.activity <> 'passive' and (older is null or m.lease < older)
    ), change as (select a as t, rate as by from met union all select b, -rate from met),
    -- What ends in a moment makes room for what begins in it.
    run as (select sum(by) over (order by t, by rows unbounded preceding) as s from change)
    select coalesce((select max(s) from run), 0), (select max(until) from met) into peak, over;
end $$;
"""

BOUNDS = """
-- Whether an organisation has asked enough for now: null, or the answer that says so.
create function clearway.lease_bound(of_org int, asked bytea) returns jsonb language plpgsql stable
    set search_path = clearway, pg_temp as $$
declare lim lease_limit;
begin
    select * into lim from lease_limit;
    if exists (select from lease_pace p where p.org = of_org and p.hour = date_trunc('hour', clock_timestamp())
            and p.asked >= lim.questions) then
        return jsonb_build_object('answer', 'bounded', 'why', 'questions', 'most', lim.questions);
    end if;
    if asked is not null and (select count(*) from lease_told t where t.org = of_org and t.digest <> lease_bound.asked
            and t.at > clock_timestamp() - interval '1 day') >= lim.tellings then
        return jsonb_build_object('answer', 'bounded', 'why', 'overlaps', 'most', lim.tellings);
    end if;
    return null;
end $$;
-- A question that is answered from public records alone: counted as any other.
create function clearway.lease_asked(of_org int) returns jsonb language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare bound jsonb;
begin
    if actor() <> 0 and not (may('submit', of_org) or may('operate', of_org)) then
        raise 'the right to submit or to operate is missing' using errcode = 'CW403';
    end if;
    bound := lease_bound(of_org, null);
    if bound is null then perform lease_count(of_org, null, false); end if;
    return coalesce(bound, '{}');
end $$;
"""

ASK = """
-- One question and its answer; when that is go or share, the lease. Grants below one root come one after the other:
-- each takes the root's lock first, and looks after it has it. `hosts` says which paths are of somebody's hosts: a path
-- is hidden under a key that is not here, and does not say so itself. Of networks it is known.
create function clearway.lease_ask(asked jsonb, of_org int, of_aud int, nets inet[], paths text[], hosts boolean[],
    sources_at inet[]) returns jsonb
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    act text := asked->>'activity';
    of_rate real := (asked->>'rate')::real;
    ttl int := (asked->>'ttl_s')::int;
    closed boolean := coalesce((asked->>'sealed')::boolean, true);
    who int; lives boolean[]; roots text[]; digest bytea; bound jsonb;
    at timestamptz; since timestamptz; til timestamptz; over timestamptz; token bigint;
    said text := 'go'; because text := ''; mine text; shares boolean; stands record; given lease; most int;
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
            and cardinality(nets) = cardinality(hosts) and cardinality(sources_at) <= 32, false) then
        raise 'a lease has 1 to 32 targets, and up to 32 sources' using errcode = 'CW400';
    end if;
    select array_agg(x.net is not null or x.host order by n),
        array_agg(lease_root_of(x.net, x.path, x.net is not null or x.host)),
        sha256(convert_to(act || ' ' || coalesce(of_rate::text, '') || ' ' ||
            string_agg(coalesce(x.net::text, x.path), ' ' order by n), 'UTF8'))
    into lives, roots, digest from unnest(nets, paths, hosts) with ordinality x (net, path, host, n)
    where (x.net is null) <> (x.path is null) and x.host is not null
        and (x.net is null or masklen(x.net) >= case family(x.net) when 4 then 8 else 16 end)
        and (x.path is null or x.path ~ '^([a-z2-7]{16}/){1,24}$');
    if cardinality(lives) is distinct from cardinality(nets) or exists (select from unnest(sources_at) x
            where masklen(x) < case family(x) when 4 then 24 else 48 end) then
        raise 'a target or a source is too wide, or can''t be read' using errcode = 'CW400';
    end if;
    if not coalesce(exists (select from lease_rule k where k.one = act)
            and not (act in ('authenticated', 'port') and false = any(lives))
            and ttl between 1 and 86400 and (of_rate is null or of_rate between 0.001 and 1000000), false) then
        raise 'the activity, the rate or the time to live can''t be used' using errcode = 'CW400';
    end if;
    bound := lease_bound(of_org, digest);
    if bound is not null then return bound; end if;
    perform lease_lock(roots);
    at := clock_timestamp();
    since := greatest(coalesce((asked->>'starts')::timestamptz, at), at);
    til := coalesce((asked->>'until')::timestamptz, since + interval '4 hours');
    if til <= since or til > since + interval '31 days' or since > at + interval '92 days' then
        raise 'the window is over, longer than 31 days, or more than 92 days away' using errcode = 'CW400';
    end if;
    select * into stands from lease_refused(of_org, act, of_rate, nets, paths, lives, at);
    because := stands.because;
    select held into most from lease_limit;
    if because = '' and (select count(*) from (select from lease l where l.org = of_org and l.ends > at
            and l.released is null and not l.lapsed limit most) h) >= most then
        because := 'too-many';
    end if;
    if because <> '' then
        said := 'refused';
    else
        for i in 1 .. cardinality(nets) loop
            perform lease_free(nets[i], paths[i], at);
            select max(m.until) filter (where k.outcome = 'exclude'), bool_or(k.outcome = 'share')
            into over, shares
            from lease_met(nets[i], paths[i], at, since, til) m
                join lease_rule k on k.one = act and k.other = m.activity and k.live = m.live;
            if over is not null then said := 'wait'; end if;
            exit when said = 'wait';
            if shares then said := 'share'; end if;
        end loop;
        -- An owner's cap is of all that reaches what is the owner's, whoever sends it.
        if said <> 'wait' and stands.capped then
            select max(w.over) into over
            from unnest(nets, paths, lives) x (net, path, live)
                cross join lateral lease_controls(x.net, x.path, at) c
                join lease_control_at a on a.control = c.control
                cross join lateral lease_load(a.net, a.path, at, since, til, null) w
            where x.live and c.max_rate is not null and w.peak + of_rate::numeric > c.max_rate::numeric;
            if over is not null then said := 'wait'; because := 'rate-taken'; end if;
        end if;
    end if;
    if said not in ('go', 'share') then
        perform lease_count(of_org, digest, said = 'wait');
        return jsonb_build_object('answer', said, 'aud', who, 'why', because, 'most', most,
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
        said = 'share', closed,
        case when closed then '{}' else array(select left(x, 1000)
            from jsonb_array_elements_text(asked->'scope') x) end,
        asked->>'label',
        case when closed then '{}' else array(select left(x, 100)
            from jsonb_array_elements_text(asked->'sources') x) end,
        of_rate, asked->>'authorisation', since, til, least(til, since + make_interval(secs => ttl)), ttl, token)
    returning * into given;
    insert into lease_target (lease, n, root, net, path, live, exclusive, during, proven)
    select given.lease, x.n, x.root, x.net, x.path, x.live, k.outcome = 'exclude', tstzrange(since, til), x.proven
    from unnest(nets, paths, lives, roots, stands.proven) with ordinality x (net, path, live, root, proven, n)
        join lease_rule k on k.one = act and k.other = act and k.live = x.live;
    insert into lease_source (lease, net) select distinct given.lease, x from unnest(sources_at) x;
    perform lease_count(of_org, digest, said = 'share');
    select slug into mine from organisation o where o.org = of_org;
    return jsonb_build_object('answer', said, 'aud', who, 'lease', to_jsonb(given) || jsonb_build_object(
        'organisation', mine, 'state', case when given.starts > at then 'planned' else 'held' end));
end $$;
"""

HOLD = """
-- A lease of the caller's, locked behind its roots. The desk may hold any.
create or replace function clearway.locked_lease(which text) returns clearway.lease language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare l lease;
begin
    select * into l from lease where reference = which;
    if l.lease is null or (case when actor() = 0 then false else get_bit(my_bits(), l.aud) is distinct from 1 end) then
        raise 'no such lease' using errcode = 'CW404';
    end if;
    if not (case when actor() = 0 then true else may('submit', l.org) or may('operate', l.org) or is_desk() end) then
        raise 'it is not yours to change' using errcode = 'CW403';
    end if;
    perform lease_lock(array(select t.root from lease_target t where t.lease = l.lease));
    select * into l from lease where reference = which for update;
    return l;
end $$;
-- Holds a lease for another while; its new end. What has run out is not renewed: it is free, and may be another's. Nor
-- is what its owner would refuse today.
create or replace function clearway.lease_renew(which text, token bigint, for_s int) returns timestamptz
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    l lease := locked_lease(which);
    at timestamptz := clock_timestamp();
    new_end timestamptz; nets inet[]; paths text[]; lives boolean[]; whole boolean; because text;
begin
    if l.fence <> token then raise 'that is not the lease''s fencing token' using errcode = 'CW409'; end if;
    if for_s not between 1 and 86400 then
        raise 'a lease lives 1 to 86,400 s between renewals' using errcode = 'CW400';
    end if;
    select array_agg(t.net order by n), array_agg(t.path order by n), array_agg(t.live order by n), bool_and(t.held)
    into nets, paths, lives, whole from lease_target t where t.lease = l.lease;
    because := l.withdrawn;
    if because = '' then
        if l.released is not null or l.lapsed or l.ends <= at or not whole then
            raise 'the lease is over: ask again' using errcode = 'CW409';
        end if;
        because := (lease_refused(l.org, l.activity, l.rate, nets, paths, lives, at)).because;
    end if;
    if because <> '' then
        raise '%', case because when 'opt-out' then 'the owner does not want it scanned any more'
            when 'rate' then 'the owner takes less than its rate now: ask again with less'
            else 'nobody shows any more that these hosts are its holder''s to scan' end using errcode = 'CW409';
    end if;
    update lease set ttl_s = coalesce(for_s, ttl_s), version = version + 1,
        ends = greatest(ends, least(until, greatest(at, starts) + make_interval(secs => coalesce(for_s, ttl_s))))
    where lease = l.lease returning ends into new_end;
    return new_end;
end $$;
"""

WORDS = """
-- Looks at the leases that meet a control, whose owner's word has changed or whose proof has run out, and withdraws
-- those that would be refused today: which. The oldest keep their place below a cap.
create function clearway.lease_hear(which int) returns table (reference text, org int, aud int, why text)
    language plpgsql set search_path = clearway, pg_temp as $$
#variable_conflict use_column
declare
    c lease_control; a lease_control_at; l lease; at timestamptz;
    nets inet[]; paths text[]; lives boolean[]; because text; peak numeric; some_are boolean := false;
begin
    select * into a from lease_control_at x where x.control = which;
    select * into c from lease_control x where x.control = which;
    if a.control is null or c.control is null then return; end if;
    -- All that meets it has its root.
    perform lease_lock(array[lease_root_of(a.net, a.path, c.scope !~ '^(pkg:|git[+])')]);
    at := clock_timestamp();
    select * into c from lease_control x where x.control = which for update;
    for l in select x.* from lease x where x.activity <> 'passive' and x.lease in (
            select m.lease from lease_met(a.net, a.path, at, at, 'infinity') m) order by x.lease loop
        select array_agg(t.net order by n), array_agg(t.path order by n), array_agg(t.live order by n)
        into nets, paths, lives from lease_target t where t.lease = l.lease;
        because := (lease_refused(l.org, l.activity, l.rate, nets, paths, lives, at)).because;
        if because = '' and true = any(lives) and c.max_rate is not null and c.proven is not null and c.expires > at
                and c.ended is null then
            peak := (lease_load(a.net, a.path, at, l.starts, l.until, l.lease)).peak;
            if peak + l.rate::numeric > c.max_rate::numeric then because := 'rate'; end if;
        end if;
        if because <> '' then
            update lease x set released = at, withdrawn = because, version = x.version + 1 where x.lease = l.lease;
            update lease_target x set held = false where x.lease = l.lease;
            some_are := some_are or l.org <> c.org;
            reference := l.reference; org := l.org; aud := l.aud; why := because;
            return next;
        end if;
    end loop;
    update lease_control x set heard = at, withdrew = case when some_are then at else x.withdrew end,
        version = x.version + some_are::int
    where x.control = which;
end $$;
-- Frees what has run out, as far as nobody is at work there; how many targets. A part at a time: each holds the locks
-- of its roots until the transaction ends.
create function clearway.lease_sweep() returns int language plpgsql set search_path = clearway, pg_temp as $$
declare old bigint; r text; free boolean; n int; freed int := 0;
begin
    for old in select distinct x.lease from (
            select t.lease from lease_target t join lease l using (lease)
            where t.held and (l.ends <= clock_timestamp() or l.released is not null) order by t.lease limit 1000) x
            order by x.lease loop
        free := true;
        for r in select distinct t.root collate "C" from lease_target t where t.lease = old order by 1 loop
            free := free and pg_try_advisory_xact_lock(hashtextextended(r, 1815));
            exit when not free;
        end loop;
        continue when not free;
        update lease_target t set held = false where t.lease = old and t.held
            and exists (select from lease x where x.lease = old
                and (x.ends <= clock_timestamp() or x.released is not null));
        get diagnostics n = row_count;
        freed := freed + n;
        update lease set lapsed = true where n > 0 and released is null
            and lease in (select x.lease from lease x where x.lease = old for update skip locked);
    end loop;
    return freed;
end $$;
"""

WHOSE = """
-- Whether a scan that somebody sees is of a participant: 'ours' where its leave to scan that was proven, 'claimed'
-- where a participant says so without, as anybody can. That it is not is told only to who controls what was scanned;
-- where no lease says anything of it, nothing is known.
create function clearway.lease_whose(of_org int, source inet, of_net inet, of_path text, seen timestamptz)
    returns jsonb language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    said text := 'unknown'; which text; sure boolean; bound jsonb; mine text; others boolean;
    digest bytea := sha256(convert_to(concat_ws(' ', 'whose', source, of_net, of_path), 'UTF8'));
begin
    if actor() <> 0 and not of_org = any(my_orgs('read')) then
        raise 'it is not your organisation' using errcode = 'CW403';
    end if;
    if masklen(source) < (case family(source) when 4 then 32 else 128 end) or (of_net is null) = (of_path is null)
            or (of_path is not null and of_path !~ '^([a-z2-7]{16}/){1,24}$') then
        raise 'one address and one target are wanted' using errcode = 'CW400';
    end if;
    bound := lease_bound(of_org, digest);
    if bound is not null then return bound; end if;
    select l.reference, t.proven into which, sure
    from lease_source s join lease l using (lease) join lease_target t using (lease)
    where s.net >>= source and l.starts <= seen and seen < least(l.ends, l.released)
        and (case when of_net is not null then t.net >>= of_net else t.path = any(lease_above(of_path)) end)
    order by t.proven desc, l.lease desc limit 1;
    if which is not null then
        said := case when sure then 'ours' else 'claimed' end;
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
                    where s.net >>= source and l.starts <= seen and seen < least(l.ends, l.released)) then
                said := 'not-ours';
            end if;
        end if;
    end if;
    perform lease_count(of_org, digest, said <> 'unknown');
    return jsonb_build_object('answer', said, 'reference', coalesce(which, ''));
end $$;
"""

OLD = """
drop function clearway.lease_ask(jsonb, int, int, inet[], text[], boolean[], text[], inet[], bytea),
    clearway.lease_whose(int, inet, inet, text, timestamptz, bytea, int, int),
    clearway.lease_bound(int, bytea, int, int);
"""
RIGHTS = """
do $$ declare f text; begin
    for f in select p.oid::regprocedure from pg_proc p where p.pronamespace = 'clearway'::regnamespace
            and p.proname in ('lease_root_of', 'lease_lock', 'lease_free', 'lease_refused', 'lease_load', 'lease_bound',
                'lease_asked', 'lease_ask', 'lease_hear', 'lease_sweep', 'lease_whose', 'lease_control_spoken') loop
        execute format('revoke execute on function %s from public', f);
    end loop;
end $$;
grant execute on function clearway.lease_ask(jsonb, int, int, inet[], text[], boolean[], inet[]),
    clearway.lease_asked(int), clearway.lease_whose(int, inet, inet, text, timestamptz) to clearway_app;
"""
NEW = """
drop trigger lease_control_spoken on clearway.lease_control;
drop function clearway.lease_ask(jsonb, int, int, inet[], text[], boolean[], inet[]), clearway.lease_asked(int),
    clearway.lease_whose(int, inet, inet, text, timestamptz), clearway.lease_bound(int, bytea),
    clearway.lease_hear(int), clearway.lease_sweep(), clearway.lease_load(inet, text, timestamptz, timestamptz,
        timestamptz, bigint),
    clearway.lease_refused(int, text, real, inet[], text[], boolean[], timestamptz),
    clearway.lease_free(inet, text, timestamptz), clearway.lease_control_spoken();
"""
BACK = """
drop function clearway.lease_lock(text[]), clearway.lease_root_of(inet, text, boolean);
do $$ declare f text; begin
    for f in select p.oid::regprocedure from pg_proc p where p.pronamespace = 'clearway'::regnamespace
            and p.proname in ('lease_bound', 'lease_ask', 'lease_whose') loop
        execute format('revoke execute on function %s from public', f);
    end loop;
end $$;
grant execute on function clearway.lease_ask(jsonb, int, int, inet[], text[], boolean[], text[], inet[], bytea),
    clearway.lease_whose(int, inet, inet, text, timestamptz, bytea, int, int) to clearway_app;
alter table clearway.lease_control drop column spoken, drop column heard, drop column withdrew;
alter table clearway.lease_target drop column proven;
alter table clearway.lease drop column lapsed, drop column withdrawn;
drop table clearway.lease_limit;
"""


def upgrade() -> None:
    """Puts the functions in place of those before."""
    run(OLD, TABLES, HELPERS, BOUNDS, ASK, HOLD, WORDS, WHOSE, RIGHTS)


def downgrade() -> None:
    """Takes them back; a lease that was withdrawn stays given back."""
    run(NEW)
    step = _step("0040_desk_ends")
    run(
        *(
            before("0015_leases", name)
            for name in ("lease_bound", "lease_whose", "locked_lease", "lease_renew")
        )
    )
    run(step._changed(before("0015_leases", "lease_ask"), step.ASK), BACK)


def _step(name: str) -> Any:
    found = spec_from_file_location(f"clearway_step_{name}", Path(__file__).with_name(f"{name}.py"))
    assert found is not None
    assert found.loader is not None
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return module
