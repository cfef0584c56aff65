"""What is decided of a package holds however its next documents write it, and its exposures go along."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgspec
from alembic import op

from clearway.store.ddl import before, run, standing

revision = "0091"
down_revision = "0090"
branch_labels = None
depends_on = None

_BATCH = 20_000

COLUMNS = """
-- What tools leave out of a package's name, and a digest of all else by which versions of one name are told apart.
alter table clearway.package_version add column arch text not null default '', add column source text not null
    default '', add column apart text not null default '';
"""

# Nothing that both say differs.
SAME = """(w.ecosystem, w.name, w.version, w.apart) = (v.ecosystem, v.name, v.version, v.apart)
                and v.ecosystem <> all(array[{none}]) and (v.arch = w.arch or v.arch = {nothing} or w.arch = {nothing})
                and (v.source = w.source or v.source = {nothing} or w.source = {nothing})"""
_PLAIN = SAME.format(none="'', 'reported'", nothing="''")
_COLUMNS = "w.pv, w.ecosystem, w.name, w.version, w.apart, w.arch, w.source"
_QUOTED = _PLAIN.replace("'", "''")

ALIKE = """
-- Whether two versions may be one package that is written in two ways.
create function clearway.fleet_alike(one int, other int) returns boolean language sql stable cost 1000
    set search_path = clearway, pg_temp as $$
    select one = other or exists (
        select from package_version v join package_version w
            on {same}
        where v.pv = one and w.pv = other) $$;
revoke execute on function clearway.fleet_alike(int, int) from public;
grant execute on function clearway.fleet_alike(int, int) to clearway_app;
""".replace("{same}", _PLAIN)

UNITE = """
-- Has the versions `silent` of an asset stand for `full`, and only these. What is shown no more under the name that it
-- had, and is shown as one that may be the same, was written anew: its exposures go along to one of which the flaw is
-- said too, where what was decided of them holds for that. Returns what came to the asset and what went, and whether a
-- day of detection moved. `shown` is what the document shows: what was said to be fixed and is in it is open again.
create or replace function clearway.fleet_unite(
    which int, document bigint, was int[], silent int[], "full" int[], shown int[],
    out added int[], out removed int[], out dated boolean)
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    a asset := fleet_asset(which);
    kin_from int[] := '{}';
    kin_to int[] := '{}';
    going bigint[] := '{}';
    lead bigint[];
    lead_to int[];
    past bigint[];
    past_to int[];
    places int[] := '{}';
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
    removed := array(select unnest(was) except select h.pv from held h where h.asset = which);
    dated := false;
    if cardinality(removed) > 0 then
        -- EXECUTE: its plan fits the number of versions at hand.
        execute 'with there as materialized (
                select {columns} from clearway.held h
                join clearway.package_version w on w.pv = h.pv where h.asset = $1),
            gone as materialized (select {columns} from clearway.package_version w where w.pv = any($2))
            select coalesce(array_agg(v.pv), ''{}''), coalesce(array_agg(w.pv), ''{}'')
            from gone v join there w on {same}' into kin_from, kin_to using which, removed;
    end if;
    if cardinality(kin_from) > 0 then
        -- The one meant comes first, then the first by name.
        select coalesce(array_agg(c.exposure), '{}'), coalesce(array_agg(c.t), '{}') into going, places from (
            select distinct on (e.exposure) e.exposure, k.t
            from unnest(kin_from, kin_to) as k(o, t)
            join exposure e on e.asset = which and e.pv = k.o and e.gone is null
            join package_version w on w.pv = k.t
            left join unnest(silent, "full") as g(one, other) on g.one = k.o and g.other = k.t
            left join decision d on d.decision = e.decision
            where (e.via <> 0 or exists (
                    select from answer an where an.pv = k.t and an.flaw = e.flaw and an.verdict < 3))
                and (d.pv is null or d.pv = k.o or fleet_alike(d.pv, k.t))
            order by e.exposure, g.other is null, w.purl, k.t) c;
    end if;
    if cardinality(going) > 0 then
        -- Of several for one place the first goes there, where none stands. What stood there before and is over has its
        -- place in return.
        select coalesce(array_agg(l.exposure), '{}'), coalesce(array_agg(l.t), '{}') into lead, lead_to from (
            select distinct on (g.t, e.flaw, e.via) e.exposure, g.t
            from unnest(going, places) as g(exposure, t) join exposure e on e.exposure = g.exposure
            where not exists (select from exposure x where x.asset = which and x.pv = g.t and x.flaw = e.flaw
                and x.via = e.via and x.gone is null)
            order by g.t, e.flaw, e.via, e.exposure) l;
        select coalesce(array_agg(x.exposure), '{}'), coalesce(array_agg(e.pv), '{}') into past, past_to
        from unnest(lead, lead_to) as l(exposure, t) join exposure e on e.exposure = l.exposure
        join exposure x on x.asset = which and x.pv = l.t and x.flaw = e.flaw and x.via = e.via;
        if cardinality(past) > 0 then
            update exposure x set pv = -x.pv where x.exposure = any(past);
        end if;
        update exposure e set pv = l.t, version = e.version + 1, verdict = coalesce((
            select an.verdict from answer an where e.via = 0 and an.pv = l.t and an.flaw = e.flaw), e.verdict)
        from unnest(lead, lead_to) as l(exposure, t) where e.exposure = l.exposure;
        if cardinality(past) > 0 then
            update exposure x set pv = o.pv from unnest(past, past_to) as o(exposure, pv) where x.exposure = o.exposure;
        end if;
        -- Where one stands already, it has the earlier days of both, and the other is no more: nothing has ended.
        if cardinality(lead) < cardinality(going) then
            update exposure x set detected = least(x.detected, m.detected), first_seen = least(x.first_seen, m.first),
                how = case when m.detected < x.detected then m.how else x.how end, version = x.version + 1
            from (
                select g.t, e.flaw, e.via, min(e.detected) as detected, min(e.first_seen) as first,
                    (array_agg(e.how order by e.detected, e.how desc))[1] as how
                from unnest(going, places) as g(exposure, t)
                join exposure e on e.exposure = g.exposure and e.pv <> g.t group by g.t, e.flaw, e.via) m
            where x.asset = which and x.pv = m.t and x.flaw = m.flaw and x.via = m.via and x.gone is null
                and (m.detected < x.detected or m.first < x.first_seen);
            get diagnostics n = row_count;
            dated := n > 0;
            update exposure e set gone = fleet_now(), version = e.version + 1 where e.exposure = any(going)
                and e.exposure <> all(lead);
        end if;
        perform fleet_settle(array(select x.exposure from exposure x where x.asset = which and x.pv = any(places)
            and x.gone is null));
    end if;
    if cardinality(silent) > 0 or cardinality(going) > 0 then
        places := array(select g.other from unnest(silent, "full") as g(one, other) where g.one = any(shown)
            union select p from unnest("full" || places) p where p = any(shown));
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
        except select unnest(was) except select unnest(kin_to) order by 1);
    removed := array(select unnest(removed) except select unnest(kin_from) order by 1);
    update inventory i set added = fleet_unite.added, removed = fleet_unite.removed
    where i.inventory = fleet_unite.document and i.asset = which;
end $$;
""".replace("{same}", _QUOTED).replace("{columns}", _COLUMNS)
REWRITTEN = """
-- Whether `fleet_unite` has something to do where an asset has one witness, whose newest document lacks `removed`:
-- something was put together until now, or is there still by the same name and version.
create function clearway.fleet_rewritten(which int, removed int[]) returns boolean language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare
    a asset := fleet_asset(which);
    found boolean := exists (select from held_as s where s.asset = which);
begin
    if not found and cardinality(removed) > 0 then
        execute 'with gone as materialized (
                select v.ecosystem, v.name, v.version from clearway.package_version v where v.pv = any($2))
            select exists (select from clearway.held h join clearway.package_version v on v.pv = h.pv
                join gone g using (name, version, ecosystem) where h.asset = $1)' into found using which, removed;
    end if;
    return found;
end $$;
revoke execute on function clearway.fleet_rewritten(int, int[]) from public;
grant execute on function clearway.fleet_rewritten(int, int[]) to clearway_app;
"""

# What is decided of one holds for the other; that it was fixed is known of what was seen to be, and of nothing else.
SETTLE = """
create or replace function clearway.fleet_settle(which bigint[]) returns int language plpgsql
    set search_path = clearway, pg_temp as $$
declare n int;
begin
    execute 'with mine as materialized (
            select x.exposure, x.asset, x.pv, x.flaw, x.via, x.decision from clearway.exposure x
            where x.exposure = any($1) and x.gone is null),
        kin as materialized (
            select distinct p.asset, v.pv, w.pv as other
            from (select distinct asset, pv from mine) p join clearway.package_version v on v.pv = p.pv
            join (select distinct k.asset, k.pv from clearway.decision k
                where k.ended is null and k.asset in (select asset from mine)) o on o.asset = p.asset and o.pv <> p.pv
            join clearway.package_version w on w.pv = o.pv
                and {same}),
        -- By each record: a package may have thousands of flaws, and as many decisions.
        says as materialized (
            select x.exposure, x.asset, x.pv, x.via, x.decision, v.ecosystem, v.name, r.record
            from mine x join clearway.package_version v on v.pv = x.pv
            left join clearway.answer an on x.via = 0 and an.pv = x.pv and an.flaw = x.flaw
            left join clearway.marked m on m.marked = x.via
            cross join lateral unnest(coalesce(an.records, array[m.record])) as r(record)),
        holds as materialized (
            select d.asset, d.ecosystem, d.name, d.pv, d.decision, d.status, d.until, d.document, r.record
            from (select distinct asset, ecosystem, name from says) p
            join clearway.decision d using (asset, ecosystem, name) cross join lateral unnest(d.records) as r(record)
            where d.ended is null)
        update clearway.exposure e set status = w.status, decision = w.decision, until = w.until,
            version = e.version + 1
        from (
            select distinct on (x.exposure) x.exposure, d.status, d.decision, d.until
            from says x join holds d using (asset, record, ecosystem, name)
            where (d.document is null or x.via = 0) and (d.pv is null or d.pv = x.pv or d.decision = x.decision
                or (d.status <> 2 and (x.asset, x.pv, d.pv) in (select asset, pv, other from kin)))
            order by x.exposure, d.document is not null, d.decision desc) w
        where e.exposure = w.exposure and e.decision is distinct from w.decision' using which;
    get diagnostics n = row_count;
    return n;
end $$;
""".replace("{same}", _QUOTED)
MARK = ("(d.pv is null or e.pv = d.pv)", "(d.pv is null or e.pv = d.pv or clearway.fleet_alike(d.pv, e.pv))")
# One on which another exposure rests stays for that one.
DECIDE = (
    (
        "        old as (\n",
        "        others as materialized (\n"
        "            select o.decision from clearway.exposure o where o.gone is null and o.decision is not null\n"
        "                and o.exposure not in (select exposure from mine) and o.asset in (\n"
        "                    select m.asset from mine m join clearway.exposure e using (exposure)\n"
        "                    where e.decision is not null)),\n"
        "        old as (\n",
    ),
    (
        "and d.ended is null and d.pv = e.pv",
        "and d.ended is null and d.pv is not null\n"
        "                and d.decision not in (select decision from others)",
    ),
)


def _made_anew(name: str, *changes: tuple[str, str]) -> None:
    text = standing(name)
    for was, becomes in changes:
        assert text.count(was) == 1, was
        text = text.replace(was, becomes)
    run(text)


def _said() -> Iterator[tuple[int, str, str, str]]:
    """Of each version that has something to say: its number, architecture, source, and what else tells it apart."""
    last = 0
    while True:
        rows = (
            op.get_bind()
            .exec_driver_sql(
                "select pv, component from clearway.package_version where pv > %s order by pv limit %s",
                (last, _BATCH),
            )
            .all()
        )
        if not rows:
            return
        last = rows[-1][0]
        for pv, body in rows:
            found = _columns(msgspec.msgpack.decode(bytes(body)))
            if any(found):
                yield pv, *found


def _columns(c: dict[str, Any]) -> tuple[str, str, str]:
    """As `exposure.fleet.version` makes them."""
    source = c.get("source_name", ""), c.get("source_version", "")
    names = tuple(c.get(k, "") for k in ("commit", "repo", "module_stream", "vendor"))
    cpes, problem = tuple(c.get("cpes", ())), c.get("problem", "")
    rest = msgspec.msgpack.encode((names, cpes, problem))
    apart = sha256(rest).hexdigest()[:32] if any((*names, cpes, problem)) else ""
    return c.get("arch", ""), "@".join(source) if any(source) else "", apart


def _fill() -> None:
    rows: list[tuple[int, str, str, str]] = []
    for row in _said():
        rows.append(row)
        if len(rows) == _BATCH:
            _put(rows)
            rows = []
    _put(rows)


def _put(rows: list[tuple[int, str, str, str]]) -> None:
    if rows:
        op.get_bind().exec_driver_sql(
            "update clearway.package_version v set arch = w.arch, source = w.source, apart = w.apart"
            " from unnest(%s::int[], %s::text[], %s::text[], %s::text[]) as w(pv, arch, source, apart)"
            " where v.pv = w.pv",
            tuple([list(column) for column in zip(*rows, strict=True)]),
        )


def upgrade() -> None:
    run(COLUMNS)
    _fill()
    run(ALIKE, UNITE, REWRITTEN, SETTLE)
    _made_anew("mark_decisions", MARK)
    _made_anew("fleet_decide", *DECIDE)


def downgrade() -> None:
    for name, changes in (("fleet_decide", DECIDE), ("mark_decisions", (MARK,))):
        _made_anew(name, *((becomes, was) for was, becomes in changes))
    run(before("0013_fleet_more", "fleet_settle"), before("0080_silent", "fleet_unite"))
    run("drop function clearway.fleet_rewritten(int, int[])", "drop function clearway.fleet_alike(int, int)")
    run("alter table clearway.package_version drop column arch, drop column source, drop column apart")
