"""Which exposures each inventory made and ended; of many days of detection each is looked up by its flaw."""

from clearway.store.ddl import before, run

revision = "0079"
down_revision = "0078"
branch_labels = None
depends_on = None

COLUMNS = """
-- The exposures that it made appear and ended, the first 2,000 of each; null where it was taken before that was kept.
alter table clearway.inventory add column appeared_as bigint[], add column ended_as bigint[];
"""

# A report of thousands of flaws states a day of each: to go through all for each answer takes the square of that.
MISSING = """
create or replace function clearway.fleet_missing(which int, ids text[], packages text[], days date[]) returns table (
    pv int, flaw int, verdict smallint, id text,
    kev date, kev_due date, automatable text, impact text, ssvc_dated text, was date, stated date)
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    a asset := fleet_asset(which);
    stood boolean := exists (select from exposure o where o.asset = which and o.gone is null);
    reports boolean := exists (select from inventory i where i.asset = which and i.current and i.reports);
    told jsonb := (
        select jsonb_object_agg(x.id, x.days) from (
            select g.id, jsonb_agg(jsonb_build_array(g.package, g.day)) as days
            from unnest($2, $3, $4) as g(id, package, day) group by g.id) x);
    given text := case when cardinality(ids) = 0 then 'null::date' else '(
        select min((g.said ->> 1)::date) from jsonb_array_elements($2 -> f.id) as g(said)
        where g.said ->> 0 = '''' or clearway.fleet_named(an.pv, g.said ->> 0))' end;
begin
    if not stood and not reports then
        return query execute '
            select an.pv, an.flaw, an.verdict, f.id, f.kev, f.kev_due, f.automatable, f.impact, f.ssvc_dated,
                null::date, ' || given || '
            from clearway.held h
            join clearway.answer an on an.pv = h.pv and an.verdict < 3
            cross join lateral (select * from clearway.flaw x where x.flaw = an.flaw offset 0) f
            where h.asset = $1' using which, told;
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
            cross join lateral (select * from clearway.flaw x where x.flaw = an.flaw offset 0) f
            left join stood s on s.flaw = an.flaw and s.ecosystem = v.ecosystem and s.name = v.name
            where h.asset = $1 and not exists (
                select from clearway.exposure e where e.asset = $1 and e.pv = an.pv and e.flaw = an.flaw and e.via = 0
                    and e.gone is null)' using which, told;
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
            cross join lateral (select * from clearway.flaw x where x.flaw = an.flaw offset 0) f
            where h.asset = $1 and not exists (
                select from clearway.exposure e where e.asset = $1 and e.pv = an.pv and e.flaw = an.flaw and e.via = 0
                    and e.gone is null)
                and not exists (select from explained x where x.pv = an.pv and x.flaw = an.flaw)'
            using which, told;
    end if;
end $$;
"""

EXPOSE = """
create or replace function clearway.fleet_expose(
    which int, document bigint, pvs int[], flaws int[], verdicts smallint[], detected date[], hows smallint[],
    dues date[], clocks int[], out appeared bigint[], out ended int)
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    went bigint[];
    a asset := fleet_asset(which);
    reports boolean := exists (select from inventory i where i.asset = which and i.current and i.reports);
    -- Of an asset's first inventory nobody else has seen what it holds yet, so nobody else can have recorded any of it.
    stood boolean := exists (select from inventory i where i.asset = which and i.inventory <> document);
begin
    execute 'with put as (
        insert into clearway.exposure as e
            (first_seen, asset, pv, flaw, via, org, aud, detected, due, clock, verdict, how)
        select (select clearway.fleet_now()), $1, g.pv, g.flaw, 0, $9, $10, g.detected, g.due, g.clock, g.verdict, g.how
        from unnest($2, $3, $4, $5, $6, $7, $8) as g(pv, flaw, verdict, detected, how, due, clock)
        join clearway.held h on h.asset = $1 and h.pv = g.pv
        join clearway.answer an on an.pv = g.pv and an.flaw = g.flaw and an.verdict = g.verdict
        ' || case when stood then 'on conflict (asset, pv, flaw, via) do update set gone = null,
            verdict = excluded.verdict, detected = excluded.detected, due = excluded.due, clock = excluded.clock,
            how = excluded.how, status = 0, decision = null, until = null, version = e.version + 1
            where e.gone is not null' else '' end || '
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
        returning e.exposure, e.via)
        select coalesce(array_agg(exposure), ''{}'') from over where via = 0' into went using which, appeared;
    ended := cardinality(went);
    update inventory i set appeared = cardinality(fleet_expose.appeared), ended = fleet_expose.ended,
        appeared_as = fleet_expose.appeared[:2000], ended_as = went[:2000]
    where i.inventory = document and i.asset = which;
end $$;
"""


def upgrade() -> None:
    run(COLUMNS, MISSING, EXPOSE)


def downgrade() -> None:
    run(*(before("0036_taking", name) for name in ("fleet_missing", "fleet_expose")))
    run("alter table clearway.inventory drop column appeared_as, drop column ended_as")
