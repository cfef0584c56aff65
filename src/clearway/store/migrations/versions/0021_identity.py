"""What scanners say, hung on what an asset holds; documents that are not whole; assets that are over."""

from alembic import op

from clearway.store.ddl import before, run

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

COLUMNS = """
-- Whether an inventory has components that only a scanner's word knows.
alter table clearway.inventory add column reports boolean not null default false;
update clearway.inventory i set reports = true where i.current and exists (
    select from clearway.held h join clearway.package_version v on v.pv = h.pv and v.ecosystem = 'reported'
    where h.asset = i.asset and h.seen >> i.slot & 1 = 1);
create index inventory_reports on clearway.inventory (asset) where current and reports;
-- A witness is a tool, or the family of a format: the same one writes another version of it tomorrow.
update clearway.inventory i set witness = regexp_replace(i.witness, '-[0-9][0-9.]*$', '')
where i.witness = i.format and i.witness ~ '^(cyclonedx|spdx)' and not exists (
    select from clearway.inventory o where o.asset = i.asset and o.slot <> i.slot
        and o.witness = regexp_replace(i.witness, '-[0-9][0-9.]*$', ''));
-- What a scanner's word is about is known by package and flaw, whichever scanner it is: what was decided of it stands.
update clearway.decision d set pv = null where d.ecosystem = 'reported' and d.ended is null;
-- Whether a public record knows the flaw; else it is shown to who may see something that it is in.
alter table clearway.flaw add column known boolean not null default true;
update clearway.flaw f set known = false
where f.aud = 0 and f.kev is null and f.exploitation = '' and f.automatable = '' and f.epss < 0 and f.score < 0
    and exists (select from clearway.answer a where a.flaw = f.flaw and a.basis = 'reported')
    and not exists (select from clearway.answer a where a.flaw = f.flaw and a.basis <> 'reported');
drop policy see on clearway.flaw;
create policy see on clearway.flaw for select to clearway_app using (
    get_bit((select clearway.my_bits()), aud) = 1
    and (known or exists (select from clearway.answer a where a.flaw = flaw.flaw)));
"""

NAMES = """
-- A package's name as tools agree on it: without its group or path, in lower case, with one mark between words.
create function clearway.fleet_bare(name text) returns text language sql immutable
    set search_path = clearway, pg_temp as $$
    select regexp_replace(lower(regexp_replace($1, '^.*[/:]', '')), '[-_.]+', '-', 'g') $$;
-- Whether a version is of that package: by its own name, or by one that records speak of it under.
create function clearway.fleet_named(which int, name text) returns boolean language sql stable
    set search_path = clearway, pg_temp as $$
    select exists (select from package_version v where v.pv = $1 and fleet_bare(v.name) = fleet_bare($2))
        or exists (select from lookup l join package p on p.package = l.package
            where l.pv = $1 and fleet_bare(p.name) = fleet_bare($2)) $$;
-- Whether what a scanner says in the version `word` is about `which`: it names that package, or none.
create function clearway.fleet_hangs(word int, which int) returns boolean language sql stable
    set search_path = clearway, pg_temp as $$
    select coalesce((select fleet_named($2, p.name) from lookup l join package p on p.package = l.package
        where l.pv = $1 and p.ecosystem = 'reported' limit 1), true) $$;
-- Scanners' words that what an asset holds explains: the version, the flaw, and by which version.
create function clearway.fleet_explained(which int[]) returns table (asset int, pv int, flaw int, by_pv int)
    language plpgsql stable set search_path = clearway, pg_temp as $$
begin
    return query execute '
        with here as materialized (
            select h.asset, h.pv, an.flaw, v.ecosystem = ''reported'' as word
            from clearway.held h join clearway.package_version v on v.pv = h.pv
            join clearway.answer an on an.pv = h.pv and an.verdict < 3
            where h.asset = any($1))
        select w.asset, w.pv, w.flaw, o.pv from here w
        join here o on o.asset = w.asset and o.flaw = w.flaw and not o.word
        where w.word and clearway.fleet_hangs(w.pv, o.pv)' using which;
end $$;
"""

TAKE = """
drop function clearway.fleet_take(int, bytea[], text, text, text, text, bytea, bytea, int, text[]);
-- Takes one inventory of an asset. Versions are named by their digests, which only who knows their names can make:
-- holding a version is what opens its row in the dictionary. Not `whole`: what is missing may have been set aside, and
-- stays; so does what has a name in `unread`, of components that could not be read.
create function clearway.fleet_take(
    which int, digests bytea[], witness text, format text, name text, created text, sha256 bytea, raw bytea,
    components int, problems text[], whole boolean, unread text[], reports boolean,
    out inventory bigint, out added int[], out removed int[])
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    a asset := fleet_asset(which);
    pvs int[];
    bit smallint;
    kept int;
begin
    if a.decommissioned <= (fleet_now() at time zone 'utc')::date then
        raise 'the asset was decommissioned on %', a.decommissioned using errcode = 'CW409';
    end if;
    digests := array(select distinct d from unnest(digests) d);
    select coalesce(array_agg(v.pv order by v.pv), '{}') into pvs
    from unnest(digests) d join package_version v on v.digest = d;
    if cardinality(pvs) <> cardinality(digests) then
        raise 'the versions of this inventory are not in the dictionary' using errcode = 'CW409';
    end if;
    select i.slot into bit from inventory i where i.asset = which and i.witness = fleet_take.witness limit 1;
    if bit is null then
        select coalesce(min(s), 30) into bit from generate_series(0, 29) s
        where not exists (select from inventory i where i.asset = which and i.slot = s);
    end if;
    kept := 1 << bit;
    -- Each statement by EXECUTE: its plan fits the number of versions at hand.
    removed := '{}';
    if whole then
        execute 'with gone as (
                update clearway.held h set seen = seen & ~$3 where h.asset = $1 and h.seen & $3 <> 0
                    and not h.pv = any($2)' || case when cardinality(unread) = 0 then '' else ' and not exists (
                        select from unnest($4) u(name) where clearway.fleet_named(h.pv, u.name))' end || '
                returning h.pv, h.seen)
            select coalesce(array_agg(pv order by pv), ''{}'') from gone where seen = 0'
            into removed using which, pvs, kept, unread;
    end if;
    if cardinality(removed) > 0 then
        delete from held h where h.asset = which and h.pv = any(removed);
    end if;
    execute 'update clearway.held h set seen = seen | $3 where asset = $1 and seen & $3 = 0 and pv = any($2)'
        using which, pvs, kept;
    -- The asset's row is locked: nobody else adds to what it holds.
    execute 'with put as (
            insert into clearway.held (asset, pv, aud, seen) select $1, w.pv, $4, $3 from unnest($2) w(pv)
            where w.pv not in (select h.pv from clearway.held h where h.asset = $1) returning pv)
        select coalesce(array_agg(pv), ''{}'') from put' into added using which, pvs, kept, a.aud;
    execute 'insert into clearway.version_use select pv, $2 from unnest($1) pv on conflict do nothing'
        using added, a.aud;
    -- What was said to be fixed, and is seen again by somebody who looked after that, is open.
    with again as (
        update decision d set ended = fleet_now(), ended_why = 'still seen by ' || fleet_take.witness
        from exposure e where e.asset = which and e.gone is null and e.status = 2 and e.pv = any(pvs)
            and d.decision = e.decision returning e.exposure)
    update exposure e set status = 0, decision = null, until = null, version = e.version + 1
    from again where e.exposure = again.exposure;
    -- What is still there of an earlier document that said so, is said by this one.
    reports := reports or (
        (not whole or cardinality(unread) > 0)
        and exists (select from inventory i where i.asset = which and i.slot = bit and i.current and i.reports));
    update inventory i set current = false where i.asset = which and i.slot = bit and i.current;
    insert into inventory (asset, org, aud, slot, witness, format, name, created, sha256, raw, components, problems,
        added, removed, reports)
    values (which, a.org, a.aud, bit, fleet_take.witness, fleet_take.format, fleet_take.name, fleet_take.created,
        fleet_take.sha256, fleet_take.raw, fleet_take.components, fleet_take.problems, added, removed, reports)
    returning inventory.inventory into inventory;
    if exists (select from marked where rec > 0) then
        insert into fleet_pending values (which) on conflict do nothing;
    end if;
end $$;
"""

MISSING = """
drop function clearway.fleet_missing(int);
-- What public answers about an asset's versions have no exposure yet, with the facts that date them. `was` is the
-- earliest detection of the same flaw in the same package on this asset, among exposures that stood until now: an
-- upgrade to another affected version is no new detection, and neither is it one when an inventory shows what a scanner
-- has found before. `stated` is the earliest of `days` on which a tool first saw the flaw `ids` in the package
-- `packages` ('': in any). A scanner's word that what the asset holds explains is nothing of its own. What marked
-- records say is not for the caller to learn here: the owner's jobs match them.
create function clearway.fleet_missing(which int, ids text[], packages text[], days date[]) returns table (
    pv int, flaw int, verdict smallint, id text,
    kev date, kev_due date, automatable text, impact text, ssvc_dated text, was date, stated date)
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    a asset := fleet_asset(which);
    stood boolean := exists (select from exposure o where o.asset = which and o.gone is null);
    reports boolean := exists (select from inventory i where i.asset = which and i.current and i.reports);
    given text := case when cardinality(ids) = 0 then 'null::date' else '(
        select min(g.day) from unnest($2, $3, $4) as g(id, package, day)
        where g.id = f.id and (g.package = '''' or clearway.fleet_named(an.pv, g.package)))' end;
begin
    if not stood and not reports then
        return query execute '
            select an.pv, an.flaw, an.verdict, f.id, f.kev, f.kev_due, f.automatable, f.impact, f.ssvc_dated,
                null::date, ' || given || '
            from clearway.held h
            join clearway.answer an on an.pv = h.pv and an.verdict < 3
            join clearway.flaw f on f.flaw = an.flaw
            where h.asset = $1' using which, ids, packages, days;
    elsif not reports then
        return query execute '
            with stood as materialized (
                select o.flaw, ov.ecosystem, ov.name, min(o.detected) as detected
                from clearway.exposure o join clearway.package_version ov on ov.pv = o.pv
                where o.asset = $1 and o.gone is null group by o.flaw, ov.ecosystem, ov.name)
            select an.pv, an.flaw, an.verdict, f.id,
                f.kev, f.kev_due, f.automatable, f.impact, f.ssvc_dated, s.detected, ' || given || '
            from clearway.held h
            join clearway.answer an on an.pv = h.pv and an.verdict < 3
            join clearway.package_version v on v.pv = h.pv
            join clearway.flaw f on f.flaw = an.flaw
            left join stood s on s.flaw = an.flaw and s.ecosystem = v.ecosystem and s.name = v.name
            where h.asset = $1 and not exists (
                select from clearway.exposure e where e.asset = $1 and e.pv = an.pv and e.flaw = an.flaw and e.via = 0
                    and e.gone is null)' using which, ids, packages, days;
    else
        return query execute '
            with stood as materialized (
                select o.flaw, o.pv, ov.ecosystem, ov.name, min(o.detected) as detected
                from clearway.exposure o join clearway.package_version ov on ov.pv = o.pv
                where o.asset = $1 and o.gone is null group by o.flaw, o.pv, ov.ecosystem, ov.name),
            explained as materialized (select x.pv, x.flaw from clearway.fleet_explained(array[$1]) x)
            select an.pv, an.flaw, an.verdict, f.id,
                f.kev, f.kev_due, f.automatable, f.impact, f.ssvc_dated, (
                    select min(s.detected) from stood s where s.flaw = an.flaw and (
                        (s.ecosystem = v.ecosystem and s.name = v.name)
                        or (s.ecosystem = ''reported'' and v.ecosystem <> ''reported''
                            and clearway.fleet_hangs(s.pv, an.pv))
                        or (s.ecosystem <> ''reported'' and v.ecosystem = ''reported''
                            and clearway.fleet_hangs(an.pv, s.pv)))), ' || given || '
            from clearway.held h
            join clearway.answer an on an.pv = h.pv and an.verdict < 3
            join clearway.package_version v on v.pv = h.pv
            join clearway.flaw f on f.flaw = an.flaw
            where h.asset = $1 and not exists (
                select from clearway.exposure e where e.asset = $1 and e.pv = an.pv and e.flaw = an.flaw and e.via = 0
                    and e.gone is null)
                and not exists (select from explained x where x.pv = an.pv and x.flaw = an.flaw)'
            using which, ids, packages, days;
    end if;
end $$;
"""

EXPOSE = """
-- Records exposures that `fleet_missing` named, with their dates. What is no longer held or answered ends, and so does
-- a scanner's word that what the asset holds explains. The counts are of what public records say.
create or replace function clearway.fleet_expose(
    which int, document bigint, pvs int[], flaws int[], verdicts smallint[], detected date[], hows smallint[],
    dues date[], clocks int[], out appeared bigint[], out ended int)
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    a asset := fleet_asset(which);
    reports boolean := exists (select from inventory i where i.asset = which and i.current and i.reports);
begin
    execute 'with put as (
        insert into clearway.exposure as e
            (first_seen, asset, pv, flaw, via, org, aud, detected, due, clock, verdict, how)
        select (select clearway.fleet_now()), $1, g.pv, g.flaw, 0, $9, $10, g.detected, g.due, g.clock, g.verdict, g.how
        from unnest($2, $3, $4, $5, $6, $7, $8) as g(pv, flaw, verdict, detected, how, due, clock)
        join clearway.held h on h.asset = $1 and h.pv = g.pv
        join clearway.answer an on an.pv = g.pv and an.flaw = g.flaw and an.verdict = g.verdict
        on conflict (asset, pv, flaw, via) do update set gone = null, verdict = excluded.verdict,
            detected = excluded.detected, due = excluded.due, clock = excluded.clock, how = excluded.how,
            status = 0, decision = null, until = null, version = e.version + 1 where e.gone is not null
        returning e.exposure)
        select coalesce(array_agg(exposure), ''{}'') from put'
        into appeared using which, pvs, flaws, verdicts, detected, hows, dues, clocks, a.org, a.aud;
    if exists (select from decision d where d.asset = which and d.ended is null) then
        perform fleet_settle(appeared);
    end if;
    execute 'with over as (
        update clearway.exposure e set gone = (select clearway.fleet_now()), version = version + 1
        where e.asset = $1 and e.gone is null and e.exposure <> all($2) and (
            not exists (select from clearway.held h where h.asset = $1 and h.pv = e.pv)
            or (e.via = 0 and not exists (
                select from clearway.answer an where an.pv = e.pv and an.flaw = e.flaw and an.verdict < 3))' ||
        case when reports then '
            or (e.via = 0 and (e.pv, e.flaw) in (select x.pv, x.flaw from clearway.fleet_explained(array[$1]) x))'
        else '' end || ')
        returning e.via)
        select count(*) from over where via = 0' into ended using which, appeared;
    update inventory i set appeared = cardinality(fleet_expose.appeared), ended = fleet_expose.ended
    where i.inventory = document and i.asset = which;
end $$;

drop function clearway.fleet_detect(int, text[], date[]);
drop function clearway.fleet_flaws(bytea[]);
-- Earlier days of detection on an asset: what stands there counts from them. Of the flaw `ids` in the package
-- `packages` ('': in any) since `days`; of every other flaw in these versions since `day`. Returns how many changed.
create function clearway.fleet_detect(
    which int, ids text[], packages text[], days date[], digests bytea[], day date) returns int language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare
    a asset := fleet_asset(which);
    n int;
begin
    execute 'update clearway.exposure e set detected = w.day, how = 1, version = e.version + 1
        from (
            select o.exposure, min(g.day) as day from clearway.exposure o join clearway.flaw f on f.flaw = o.flaw
            join unnest($2, $3, $4) as g(id, package, day)
                on g.id = f.id and (g.package = '''' or clearway.fleet_named(o.pv, g.package))
            where o.asset = $1 and o.gone is null and o.via = 0 group by o.exposure
            union all
            select o.exposure, $6 from clearway.exposure o join clearway.flaw f on f.flaw = o.flaw
            join clearway.package_version v on v.pv = o.pv
            where o.asset = $1 and o.gone is null and o.via = 0 and $6 is not null and v.digest = any($5)
                and not exists (select from unnest($2, $3) as g(id, package)
                    where g.id = f.id and (g.package = '''' or clearway.fleet_named(o.pv, g.package)))) w
        where e.exposure = w.exposure and e.detected > w.day'
        using which, ids, packages, days, digests, day;
    get diagnostics n = row_count;
    return n;
end $$;
"""

RETIRE = """
-- Ends what stands on an asset that is decommissioned, and brings it back with its dates where it is not any more.
-- Returns how many exposures that changed.
create function clearway.fleet_retire(which int) returns int language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare
    a asset := fleet_asset(which);
    n int;
begin
    if a.decommissioned <= (fleet_now() at time zone 'utc')::date then
        execute 'update clearway.exposure e set gone = (select clearway.fleet_now()), version = version + 1
            where e.asset = $1 and e.gone is null' using which;
        get diagnostics n = row_count;
        return n;
    end if;
    execute 'update clearway.exposure e set gone = null, verdict = an.verdict, version = e.version + 1,
            status = case when o.decision is null then e.status else 0 end,
            decision = case when o.decision is null then e.decision end,
            until = case when o.decision is null then e.until end
        from clearway.exposure x
        join clearway.held h on h.asset = x.asset and h.pv = x.pv
        join clearway.answer an on an.pv = x.pv and an.flaw = x.flaw and an.verdict < 3
        left join clearway.decision o on o.decision = x.decision and o.ended is not null
        where x.exposure = e.exposure and e.asset = $1 and e.via = 0 and e.gone is not null
            and (e.pv, e.flaw) not in (select w.pv, w.flaw from clearway.fleet_explained(array[$1]) w)' using which;
    get diagnostics n = row_count;
    if exists (select from marked where rec > 0) then
        insert into fleet_pending values (which) on conflict do nothing;
    end if;
    return n;
end $$;
"""

RULES = """
revoke execute on function clearway.fleet_bare(text), clearway.fleet_named(int, text), clearway.fleet_hangs(int, int),
    clearway.fleet_explained(int[]),
    clearway.fleet_take(int, bytea[], text, text, text, text, bytea, bytea, int, text[], boolean, text[], boolean),
    clearway.fleet_missing(int, text[], text[], date[]),
    clearway.fleet_detect(int, text[], text[], date[], bytea[], date), clearway.fleet_retire(int) from public;
grant execute on function
    clearway.fleet_take(int, bytea[], text, text, text, text, bytea, bytea, int, text[], boolean, text[], boolean),
    clearway.fleet_missing(int, text[], text[], date[]),
    clearway.fleet_detect(int, text[], text[], date[], bytea[], date), clearway.fleet_retire(int) to clearway_app;
"""

OLD_RULES = """
revoke execute on function
    clearway.fleet_take(int, bytea[], text, text, text, text, bytea, bytea, int, text[]),
    clearway.fleet_missing(int), clearway.fleet_detect(int, text[], date[]), clearway.fleet_flaws(bytea[]) from public;
grant execute on function
    clearway.fleet_take(int, bytea[], text, text, text, text, bytea, bytea, int, text[]),
    clearway.fleet_missing(int), clearway.fleet_detect(int, text[], date[]), clearway.fleet_flaws(bytea[])
    to clearway_app;
drop policy see on clearway.flaw;
create policy see on clearway.flaw for select to clearway_app using (
    get_bit((select clearway.my_bits()), aud) = 1);
alter table clearway.flaw drop column known;
drop index clearway.inventory_reports;
alter table clearway.inventory drop column reports;
"""


def upgrade() -> None:
    """Changes the tables and the acts on them."""
    run(COLUMNS, NAMES, TAKE, MISSING, EXPOSE, RETIRE, RULES)


def downgrade() -> None:
    """Puts back the acts as they were. Flaws that only scanners know are shown to everybody again."""
    op.execute(
        "drop function "
        "clearway.fleet_take(int, bytea[], text, text, text, text, bytea, bytea, int, text[], boolean, text[], "
        "boolean), "
        "clearway.fleet_missing(int, text[], text[], date[]), "
        "clearway.fleet_detect(int, text[], text[], date[], bytea[], date), clearway.fleet_retire(int), "
        "clearway.fleet_explained(int[]), clearway.fleet_hangs(int, int), clearway.fleet_named(int, text), "
        "clearway.fleet_bare(text)"
    )
    names = ("fleet_take", "fleet_missing", "fleet_expose", "fleet_detect", "fleet_flaws")
    run(*(before("0005_fleet", name) for name in names), OLD_RULES)
