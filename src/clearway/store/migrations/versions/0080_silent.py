"""What one witness of an asset is silent on stands for what another says of the same package."""

from clearway.store.ddl import before, run

revision = "0080"
down_revision = "0079"
branch_labels = None
depends_on = None

TABLE = """
-- What witnesses wrote of an asset where that means another version that it holds (`pv` <> `said`), with a bit for the
-- slot of each witness as in `held`; and of such another version who wrote it itself. Written by `fleet_unite` alone.
create table clearway.held_as (
    asset int not null,
    said int not null,
    pv int not null,
    seen int not null,
    primary key (asset, said)
);
"""

APART = """
-- Has each witness of an asset show what it wrote; returns what the asset held until now. `fleet_take` takes the
-- witness's next document, and then `fleet_unite` puts together again what belongs together.
create function clearway.fleet_apart(which int) returns int[] language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare
    a asset := fleet_asset(which);
    was int[] := array(select h.pv from held h where h.asset = which order by h.pv);
begin
    if exists (select from held_as s where s.asset = which) then
        update held h set seen = s.seen from held_as s
        where h.asset = which and s.asset = which and s.said = h.pv and s.pv = h.pv;
        insert into held (asset, pv, aud, seen) select which, s.said, a.aud, s.seen from held_as s
        where s.asset = which and s.pv <> s.said;
        insert into version_use select s.said, a.aud from held_as s where s.asset = which on conflict do nothing;
    end if;
    return was;
end $$;
"""

UNITE = """
-- Has the versions `silent` of an asset stand for `full`, and only these. What is decided and dated of a version that
-- is shown no more under its own name goes with it. Returns what came to the asset and what went, and whether a day of
-- detection moved. `shown` is what the document shows: what was said to be fixed and is in it is open again.
create function clearway.fleet_unite(
    which int, document bigint, was int[], silent int[], "full" int[], shown int[],
    out added int[], out removed int[], out dated boolean)
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    a asset := fleet_asset(which);
    moved_from int[];
    moved_to int[];
    places int[];
    waiting bigint[];
    n int;
begin
    if exists (
        select from unnest(silent, "full") as g(one, other)
        left join held h on h.asset = which and h.pv = g.one left join held k on k.asset = which and k.pv = g.other
        left join package_version v on v.pv = g.one left join package_version w on w.pv = g.other
        where h.pv is null or k.pv is null or g.other = any(silent)
            or (v.ecosystem, v.name, v.version) is distinct from (w.ecosystem, w.name, w.version)) then
        raise 'these are not one package' using errcode = 'CW400';
    end if;
    -- From where to where what hangs on a version goes: first as it was put together until now, then as it is now.
    select coalesce(array_agg(m.o), '{}'), coalesce(array_agg(m.t), '{}') into moved_from, moved_to from (
        select distinct on (c.o) c.o, c.t from (
            select s.pv as o, coalesce(g.other, s.said) as t
            from held_as s left join unnest(silent, "full") as g(one, other) on g.one = s.said
            where s.asset = which and s.pv <> s.said
                and exists (select from held h where h.asset = which and h.pv = s.said)
                and not exists (select from held h where h.asset = which and h.pv = s.pv)
            union all
            select g.one, g.other from unnest(silent, "full") as g(one, other) where g.one = any(was)) c
        where c.o <> c.t order by c.o, c.t) m;
    delete from held_as s where s.asset = which;
    if cardinality(silent) > 0 then
        insert into held_as select which, h.pv, h.pv, h.seen from held h where h.asset = which and h.pv = any("full");
        insert into held_as select which, g.one, g.other, h.seen from unnest(silent, "full") as g(one, other)
        join held h on h.asset = which and h.pv = g.one;
        update held h set seen = h.seen | w.seen from (
            select s.pv, bit_or(s.seen) as seen from held_as s where s.asset = which group by s.pv) w
        where h.asset = which and h.pv = w.pv;
        delete from held h where h.asset = which and h.pv = any(silent);
    end if;
    dated := false;
    if cardinality(moved_from) > 0 then
        update decision d set pv = m.t from unnest(moved_from, moved_to) as m(o, t)
        where d.asset = which and d.pv = m.o and d.ended is null;
        -- Where both stood, the one that stays has the earlier days.
        update exposure e set detected = least(e.detected, x.detected), first_seen = least(e.first_seen, x.first_seen),
            how = case when x.detected < e.detected then x.how else e.how end, version = e.version + 1
        from unnest(moved_from, moved_to) as m(o, t)
        join exposure x on x.asset = which and x.pv = m.o and x.gone is null
        where e.asset = which and e.pv = m.t and e.flaw = x.flaw and e.via = x.via and e.gone is null
            and (x.detected < e.detected or x.first_seen < e.first_seen);
        get diagnostics n = row_count;
        dated := n > 0;
        update exposure e set pv = m.t, version = e.version + 1 from unnest(moved_from, moved_to) as m(o, t)
        where e.asset = which and e.pv = m.o and e.gone is null
            and not exists (select from exposure x where x.asset = which and x.pv = m.t and x.flaw = e.flaw
                and x.via = e.via)
            and (e.via <> 0 or exists (select from answer an where an.pv = m.t and an.flaw = e.flaw
                and an.verdict = e.verdict));
        waiting := array(select e.exposure from exposure e where e.asset = which and e.pv = any(moved_to)
            and e.gone is null and e.status = 0);
        if cardinality(waiting) > 0 then perform fleet_settle(waiting); end if;
    end if;
    if cardinality(silent) > 0 then
        places := array(select g.other from unnest(silent, "full") as g(one, other) where g.one = any(shown)
            union select g.other from unnest("full") as g(other) where g.other = any(shown));
        with again as (
            update decision d set ended = fleet_now(), ended_why = 'still seen by ' || i.witness
            from exposure e, inventory i where e.asset = which and e.gone is null and e.status = 2
                and e.pv = any(places) and d.decision = e.decision
                and i.inventory = fleet_unite.document and i.asset = which
            returning e.exposure)
        update exposure e set status = 0, decision = null, until = null, version = e.version + 1
        from again where e.exposure = again.exposure;
    end if;
    added := array(select h.pv from held h where h.asset = which
        except select unnest(was) except select unnest(moved_to) order by 1);
    removed := array(select unnest(was) except select h.pv from held h where h.asset = which
        except select unnest(moved_from) order by 1);
    update inventory i set added = fleet_unite.added, removed = fleet_unite.removed
    where i.inventory = fleet_unite.document and i.asset = which;
end $$;
revoke execute on function clearway.fleet_apart(int), clearway.fleet_unite(int, bigint, int[], int[], int[], int[])
    from public;
grant execute on function clearway.fleet_apart(int), clearway.fleet_unite(int, bigint, int[], int[], int[], int[])
    to clearway_app;
"""

DETECT = before("0021_identity", "fleet_detect").replace(
    "and v.digest = any($5)",
    """and (v.digest = any($5) or v.pv in (
                    select s.pv from clearway.held_as s join clearway.package_version x on x.pv = s.said
                    where s.asset = $1 and x.digest = any($5)))""",
)


def upgrade() -> None:
    run(TABLE, APART, UNITE, DETECT)


def downgrade() -> None:
    # What is put together stays so until the asset's next documents come.
    run(before("0021_identity", "fleet_detect"))
    run("drop function clearway.fleet_unite(int, bigint, int[], int[], int[], int[])")
    run("drop function clearway.fleet_apart(int)", "drop table clearway.held_as")
