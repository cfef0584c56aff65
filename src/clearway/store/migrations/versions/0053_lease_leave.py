"""Leases: an answer, its entry and its event are one statement; what an owner takes back is over at that moment.

Of the time that an answer took, most went into asking anew who asks, and into statements of their own for entry and
event. A refusal is of what comes to the owner's hosts: so of passive looking too that names addresses it comes from.
"""

from clearway.store.ddl import before, run

revision = "0053"
down_revision = "0051"
branch_labels = None
depends_on = None

PARTS = """
-- How many an organisation holds is asked with each question: by its own, and not over all that anybody holds.
create index lease_standing on clearway.lease (org, ends) where released is null and not lapsed;
-- Writes one event, for the functions of the database: who says it, and to whom, is judged by them (`emit`).
create function clearway.event_put(kind text, subject text, org int, aud int, body jsonb) returns bigint
    language plpgsql set search_path = clearway, pg_temp as $$
declare
    made bigint;
    first boolean := current_setting('clearway.emitting', true) is distinct from pg_current_xact_id()::text;
begin
    if first then
        perform pg_advisory_xact_lock_shared(x'636c6576'::int, (event_last() & 2147483647)::int);
        perform set_config('clearway.emitting', pg_current_xact_id()::text, true);
    end if;
    made := nextval('event_seq');
    insert into event (seq, kind, subject, org, aud, body)
    values (made, event_put.kind, event_put.subject, event_put.org, event_put.aud, coalesce(event_put.body, '{}'));
    -- NOTIFY takes a lock of the whole server at commit, so of several transactions that emit at once one does it
    -- for all: the woken reader sees by the locks that others are not done, and looks again. With eight writers that
    -- is some 4,700 commits a second instead of 1,000.
    if first and pg_try_advisory_xact_lock(x'636c6577'::int, 0) then
        perform pg_notify('clearway_event', '');
    end if;
    return made;
end $$;
create or replace function clearway.emit(kind text, subject text, org int, aud int, body jsonb default '{}')
    returns bigint language plpgsql security definer set search_path = clearway, pg_temp as $$
begin
    if actor() is null or actor() = -1 or (actor() <> 0 and get_bit(my_bits(), emit.aud) is distinct from 1) then
        raise 'an event goes only to an audience that its author is of' using errcode = 'CW403';
    end if;
    if not speaks_for(emit.org) then
        raise 'an event is in the name of its author''s own organisation' using errcode = 'CW403';
    end if;
    return event_put(emit.kind, emit.subject, emit.org, emit.aud, emit.body);
end $$;
-- As `log_put`, of what the installation does by itself in somebody's transaction: who reads it isn't told in whose.
create function clearway.log_own(act text, subject text, content text, aud int) returns bigint
    language plpgsql set search_path = clearway, pg_temp as $$
declare
    moment timestamptz := clock_timestamp();
    salts bytea := sha512(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
    made bigint;
begin
    perform pg_current_xact_id();  -- before the entry has its number: see `log_put`
    insert into log_entry (aud, actor, credential, act, subject, at, header_salt, content, content_salt,
        header_hash, content_hash)
    values (log_own.aud, 0, 0, log_own.act, log_own.subject, moment, substr(salts, 1, 32), log_own.content,
        substr(salts, 33, 32),
        sha256('clearway/header/1:'::bytea || substr(salts, 1, 32)
            || convert_to(log_header(log_own.act, 0, moment, 0, log_own.subject), 'UTF8')),
        sha256('clearway/content/1:'::bytea || substr(salts, 33, 32) || convert_to(log_own.content, 'UTF8')))
    returning entry into made;
    return made;
end $$;
"""

OWNERS = """
drop function clearway.lease_refused(int, text, real, inet[], text[], boolean[], timestamptz), clearway.lease_hear(int);
-- Why an organisation may not do that there, by what owners say now: 'opt-out', 'no-proof', 'rate' or ''. `reaches`:
-- whether it names addresses that it comes from. `proven`: of which targets it has shown control, or was authorised by
-- who has; `capped`: whether some owner caps the rate.
create function clearway.lease_refused(of_org int, act text, reaches boolean, of_rate real, nets inet[], paths text[],
    lives boolean[], at timestamptz, out because text, out proven boolean[], out capped boolean) language plpgsql stable
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
        -- Who only looks on needs no leave; whose packets come to hosts that nobody may scan does not only look on.
        because := case when foreign_refusal and (act <> 'passive' or (reaches and lives[i])) then 'opt-out'
            when act = 'passive' or not lives[i] then '' when own_proof is not true
            then 'no-proof' when cap < coalesce(of_rate, 'infinity'::real) then 'rate' else '' end;
        exit when because <> '';
        capped := capped or (act <> 'passive' and lives[i] and cap is not null);
    end loop;
end $$;
-- Whether somebody's proof gave an organisation leave for a target at a time, by who is authorised now.
create function clearway.lease_leave(of_org int, of_net inet, of_path text, at timestamptz) returns boolean
    language plpgsql stable set search_path = clearway, pg_temp as $$
begin
    return exists (select from lease_control_at a join lease_control c using (control)
        where (case when of_net is not null then a.net >>= of_net else a.path = any(lease_above(of_path)) end)
            and c.proven is not null and c.expires > at and (c.ended is null or c.ended > at)
            and (c.org = of_org or (select o.slug from organisation o where o.org = of_org) = any(c.authorised)));
end $$;
-- Looks at the leases that meet a control, whose owner's word has changed or whose proof has run out, withdraws those
-- that would be refused today, and tells holders and owner; how many. The oldest keep their place below a cap. It looks
-- at the `most` oldest: what others hold, however much, must not keep an owner's word from being said in time. Where
-- there may be more, the control stays to be heard, by the next minute's job.
create function clearway.lease_hear(which int, most int default null) returns int language plpgsql
    set search_path = clearway, pg_temp as $$
declare
    c lease_control; a lease_control_at; l lease; at timestamptz;
    nets inet[]; paths text[]; lives boolean[]; because text; peak numeric; seen int := 0; ended int := 0;
    of_others boolean := false; gone timestamptz;
begin
    select * into a from lease_control_at x where x.control = which;
    select * into c from lease_control x where x.control = which;
    if a.control is null or c.control is null then return 0; end if;
    -- All that meets it has its root.
    perform lease_lock(array[lease_root_of(a.net, a.path, c.scope !~ '^(pkg:|git[+])')]);
    at := clock_timestamp();
    select * into c from lease_control x where x.control = which for update;
    for l in select x.* from lease x where x.lease in (
            select m.lease from lease_met(a.net, a.path, at, at, 'infinity') m)
            and (x.activity <> 'passive' or exists (select from lease_source s where s.lease = x.lease))
            order by x.lease limit most loop
        seen := seen + 1;
        select array_agg(t.net order by n), array_agg(t.path order by n), array_agg(t.live order by n)
        into nets, paths, lives from lease_target t where t.lease = l.lease;
        because := (lease_refused(l.org, l.activity, exists (select from lease_source s where s.lease = l.lease),
            l.rate, nets, paths, lives, at)).because;
        if because = '' and l.activity <> 'passive' and true = any(lives) and c.max_rate is not null
                and c.proven is not null and c.expires > at and c.ended is null then
            peak := (lease_load(a.net, a.path, at, l.starts, l.until, l.lease)).peak;
            if peak + l.rate::numeric > c.max_rate::numeric then because := 'rate'; end if;
        end if;
        continue when because = '';
        -- A proof that ran out ended it then, whenever somebody looks.
        gone := case when because = 'no-proof' and c.ended is null and c.expires <= at and c.expires > c.heard
            then greatest(c.expires, l.asked) else at end;
        update lease x set released = gone, withdrawn = because, version = x.version + 1 where x.lease = l.lease;
        update lease_target x set held = false where x.lease = l.lease;
        perform log_own('lease.withdrawn', 'lease/' || l.reference, format('{"why":%s}', to_json(because)), l.aud);
        perform event_put('lease.withdrawn', 'lease/' || l.reference, l.org, l.aud,
            jsonb_build_object('reference', l.reference, 'why', because));
        of_others := of_others or l.org <> c.org;
        ended := ended + 1;
    end loop;
    update lease_control x set heard = case when seen = most then x.heard else at end,
        withdrew = case when of_others then at else x.withdrew end,
        version = x.version + of_others::int
    where x.control = which;
    if of_others then  -- neither whose nor how many
        perform log_own('lease.control_heard', 'lease-control/' || which, '', c.aud);
        perform event_put('lease.control_heard', 'lease-control/' || which, c.org, c.aud,
            jsonb_build_object('control', which));
    end if;
    return ended;
end $$;
-- Takes the lock of a control's root, if the caller is of it, before its row is locked: in the order of `lease_hear`.
create function clearway.lease_control_lock(which int) returns void language plpgsql
    set search_path = clearway, pg_temp as $$
begin
    perform lease_lock(array_agg(lease_root_of(a.net, a.path, c.scope !~ '^(pkg:|git[+])')))
    from lease_control_at a join lease_control c using (control)
    where a.control = which and (case when actor() = 0 then true else get_bit(my_bits(), c.aud) = 1 end)
    having count(*) > 0;
end $$;
-- What the owner says of being scanned. It counts from the proof on, and ends at once what others hold against it.
create or replace function clearway.lease_control_say(which int, wanted text, rate real, allowed text[]) returns int
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare c lease_control;
begin
    perform lease_control_lock(which);
    c := locked_control(which);
    if exists (select from unnest(allowed) s where not exists (select from organisation o where o.slug = s)) then
        raise 'there is no such organisation' using errcode = 'CW400';
    end if;
    update lease_control set stance = wanted, max_rate = rate, authorised = allowed, version = version + 1
    where control = c.control;
    perform lease_hear(which, 2000);
    return (select x.version from lease_control x where x.control = which);
end $$;
create or replace function clearway.lease_control_end(which int) returns int
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare c lease_control;
begin
    perform lease_control_lock(which);
    c := locked_control(which);
    update lease_control set ended = clock_timestamp(), version = version + 1 where control = c.control;
    perform lease_hear(which, 2000);
    return (select x.version from lease_control x where x.control = which);
end $$;
"""

ASK = """
-- One question and its answer; when that is go or share, the lease; its entry of the log, and its event. Grants below
-- one root come one after the other: each takes the root's lock first, and looks after it has it. `hosts` says which
-- paths are of somebody's hosts: a path is hidden under a key that is not here, and does not say so itself. Of networks
-- it is known. Plans are made once, for whatever scope and however few rows there were then: by index.
create or replace function clearway.lease_ask(asked jsonb, of_org int, of_aud int, nets inet[], paths text[],
    hosts boolean[], sources_at inet[]) returns jsonb
    language plpgsql security definer set search_path = clearway, pg_temp
    set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
    me int := actor();
    act text := asked->>'activity';
    of_rate real := (asked->>'rate')::real;
    ttl int := (asked->>'ttl_s')::int;
    closed boolean := coalesce((asked->>'sealed')::boolean, true);
    who int; lives boolean[]; roots text[]; digest bytea; bound jsonb;
    at timestamptz; since timestamptz; til timestamptz; over timestamptz; token bigint;
    said text := 'go'; because text := ''; mine text; above text[]; shares boolean; stale boolean; stands record;
    given lease; shown text; most int;
begin
    if me <> 0 and not coalesce(of_org = any(my_orgs('submit')) or of_org = any(my_orgs('operate')), false) then
        raise 'the right to submit or to operate is missing' using errcode = 'CW403';
    end if;
    -- A lease is its organisation's and the desk's, as the last one was; the first one is told which audience that is.
    who := coalesce(of_aud, (select l.aud from lease l where l.org = of_org order by l.lease desc limit 1));
    if who is null then return jsonb_build_object('answer', 'audience'); end if;
    if me <> 0 and get_bit(my_bits(), who) is distinct from 1 then
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
    perform lease_lock(roots);  -- what is read from here on is as its last holder left it
    at := clock_timestamp();
    since := greatest(coalesce((asked->>'starts')::timestamptz, at), at);
    til := coalesce((asked->>'until')::timestamptz, since + interval '4 hours');
    if til <= since or til > since + interval '31 days' or since > at + interval '92 days' then
        raise 'the window is over, longer than 31 days, or more than 92 days away' using errcode = 'CW400';
    end if;
    select * into stands from lease_refused(of_org, act, cardinality(sources_at) > 0, of_rate, nets, paths,
        lives, at);
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
            -- One look at all that meets it: what is in the way, what is shared, and whether some of it has run out.
            if nets[i] is not null then
                select max(l.until) filter (where x.there and k.outcome = 'exclude'),
                    bool_or(x.there and k.outcome = 'share'), bool_or(x.gone)
                into over, shares, stale
                from lease_target t join lease l using (lease)
                    join lease_rule k on k.one = act and k.other = l.activity and k.live = t.live
                    cross join lateral (select l.ends <= at or l.released is not null as gone, l.ends > at
                        and l.released is null and l.starts < til and l.until > since as there) x
                where t.held and t.net && nets[i];
            else
                above := lease_above(paths[i]);
                select max(l.until) filter (where x.there and k.outcome = 'exclude'),
                    bool_or(x.there and k.outcome = 'share'), bool_or(x.gone)
                into over, shares, stale
                from lease_target t join lease l using (lease)
                    join lease_rule k on k.one = act and k.other = l.activity and k.live = t.live
                    cross join lateral (select l.ends <= at or l.released is not null as gone, l.ends > at
                        and l.released is null and l.starts < til and l.until > since as there) x
                where t.held and (t.path = any(above) or (t.path > paths[i] and t.path < paths[i] || '~'));
            end if;
            if stale then perform lease_free(nets[i], paths[i], at); end if;
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
    select slug into mine from organisation o where o.org = of_org;
    -- The entry's content is canonical JSON (RFC 8785): its keys in order, its texts escaped as to_json does.
    if said not in ('go', 'share') then
        perform lease_count(of_org, digest, said = 'wait');
        perform log_put('lease.answered', 'organisation/' || mine, format('{"activity":%s,"answer":%s,"why":%s}',
            to_json(act), to_json(said), to_json(because)), who);
        return jsonb_build_object('answer', said, 'aud', who, 'why', because, 'most', most,
            'until', date_trunc('minute', over + interval '59.999999 seconds'));
    end if;
    -- Later than every token that was given below these roots. By the clock, so that it counts nobody's leases.
    select max(f.fence) into token from lease_root f where f.root = any(roots);
    token := greatest(coalesce(token, 0) + 1, (extract(epoch from at) * 1000000)::bigint);
    insert into lease_root as f (root, fence) select distinct x, token from unnest(roots) x
    on conflict (root) do update set fence = excluded.fence;
    insert into lease (reference, org, aud, person, activity, exclusive, shared, sealed, scope, label, sources, rate,
        authorisation, starts, until, ends, ttl_s, fence)
    values (asked->>'reference', of_org, who, me, act, exists (select from unnest(lives) x, lease_rule k
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
    shown := case when given.starts > at then 'planned' else 'held' end;
    perform log_put('lease.granted', 'lease/' || given.reference, format(
        '{"activity":%s,"answer":%s,"authorisation":%s,"scope":[%s],"sealed":%s,"until":"%s"}',
        to_json(act), to_json(said), to_json(given.authorisation),
        (select string_agg(to_json(x)::text, ',' order by n) from unnest(given.scope) with ordinality u (x, n)),
        to_json(closed), to_char(til at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')), who);
    perform event_put('lease.granted', 'lease/' || given.reference, of_org, who,
        jsonb_build_object('reference', given.reference, 'state', shown));
    return jsonb_build_object('answer', said, 'aud', who, 'lease',
        to_jsonb(given) || jsonb_build_object('organisation', mine, 'state', shown));
end $$;
"""

HOLD = """
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
        because := (lease_refused(l.org, l.activity, exists (select from lease_source s where s.lease = l.lease),
            l.rate, nets, paths, lives, at)).because;
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

WHOSE = """
-- Whether a scan that somebody sees is of a participant: 'ours' where its leave to scan that was proven, 'withdrawn'
-- where that leave had been taken back or had run out by then, 'claimed' where a participant says so without, as
-- anybody can. That it is not is told only to who controls what was scanned; where no lease says anything of it,
-- nothing is known.
create or replace function clearway.lease_whose(of_org int, source inet, of_net inet, of_path text, seen timestamptz)
    returns jsonb language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    said text := 'unknown'; which text; bound jsonb; mine text; others boolean;
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
    select l.reference, w.word into which, said
    from lease_source s join lease l using (lease) join lease_target t using (lease)
        cross join lateral (select case when l.withdrawn <> '' and seen >= l.released then 'withdrawn'
            when not t.proven then 'claimed'
            -- Who only looks on goes on looking without a proof, and then it is word alone.
            when l.activity = 'passive' then case when lease_leave(l.org, t.net, t.path, seen) then 'ours'
                else 'claimed' end
            -- An owner's word ends leases as it is said; a proof runs out by itself.
            when l.released is null and l.ends > clock_timestamp() and not lease_leave(l.org, t.net, t.path, seen)
                then 'withdrawn'
            else 'ours' end as word) w
    where s.net >>= source and l.starts <= seen
        and seen < case when l.withdrawn <> '' then l.until else least(l.ends, l.released) end
        and (case when of_net is not null then t.net >>= of_net else t.path = any(lease_above(of_path)) end)
    order by array_position(array['ours', 'withdrawn', 'claimed'], w.word), l.lease desc limit 1;
    if which is null then
        said := 'unknown';
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

RIGHTS = """
revoke execute on function clearway.event_put(text, text, int, int, jsonb), clearway.log_own(text, text, text, int),
    clearway.lease_refused(int, text, boolean, real, inet[], text[], boolean[], timestamptz),
    clearway.lease_leave(int, inet, text, timestamptz), clearway.lease_hear(int, int), clearway.lease_control_lock(int)
    from public;
"""
NEW = """
drop function clearway.lease_refused(int, text, boolean, real, inet[], text[], boolean[], timestamptz),
    clearway.lease_leave(int, inet, text, timestamptz), clearway.lease_hear(int, int), clearway.lease_control_lock(int),
    clearway.event_put(text, text, int, int, jsonb), clearway.log_own(text, text, text, int);
drop index clearway.lease_standing;
"""
OLD_RIGHTS = """
revoke execute on function
    clearway.lease_refused(int, text, real, inet[], text[], boolean[], timestamptz), clearway.lease_hear(int)
    from public;
"""
_BEFORE = ("lease_refused", "lease_hear", "lease_ask", "lease_renew", "lease_whose")


def upgrade() -> None:
    """Puts the functions in place of those before."""
    run(PARTS, OWNERS, ASK, HOLD, WHOSE, RIGHTS)


def downgrade() -> None:
    """Takes them back; a lease that was withdrawn stays so."""
    run(before("0023_markings_more", "emit"), NEW)
    run(*(before("0041_lease_words", name) for name in _BEFORE))
    run(*(before("0015_leases", name) for name in ("lease_control_say", "lease_control_end")), OLD_RIGHTS)
