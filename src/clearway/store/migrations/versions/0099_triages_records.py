"""A forensic triage is seen by whom the marked record is that says what it is about, whatever becomes of the record."""

from __future__ import annotations

from clearway.store.ddl import before, run, standing

revision = "0099"
down_revision = "0098"
branch_labels = None
depends_on = None

LINKS = """
-- 0: a public record said that the asset has the flaw when it was opened, or the fleet does not know of it. Else the
-- marked record, in that version of it, that did.
alter table clearway.triage add via int not null default 0;
create index triage_via on clearway.triage (via) where via > 0;
"""

FUNCTIONS = """
-- Who may see a marked record in the version `via` and every later one; null for none. Version `but` counts as marked
-- `so`, or not at all.
create function clearway.record_audience(via int, but int default 0, so int default null) returns int language plpgsql
    set search_path = clearway, pg_temp as $$
declare auds int[];
begin
    select array_agg(case when v.marked = but then so else v.aud end) into auds
    from marked m join marked v on v.source = m.source and v.record = m.record and v.marked >= m.marked
    where m.marked = record_audience.via and (v.marked <> but or so is not null);
    return case when auds is not null then meet(auds) end;
end $$;
-- The asset of the fleet that a triage is about, by its number; null for none.
create function clearway.triage_asset(asset text) returns int language sql immutable as $$
    select case when asset ~* '^\\s*asset/[0-9]{1,9}\\s*$' then substring(asset from '[0-9]+')::int end $$;
-- Of what `sees` opens (null: of everything) and was found by then, what says that the asset has the flaw: 0 where a
-- public record does, else the marked one that most may read.
create function clearway.triage_via(of_org int, asset text, flaw text, component text, sees varbit, by_then timestamptz)
    returns int language sql volatile set search_path = clearway, pg_temp as $$
    with saying as (
        select e.via, e.aud::int as aud, e.first_seen <= by_then as timely, coalesce(nullif(v.purl, ''),
            v.ecosystem || ':' || v.name || '@' || v.version) = triage_via.component as named
        from exposure e join flaw f using (flaw) join package_version v using (pv)
        where e.asset = triage_asset(triage_via.asset) and e.org = of_org
            and (f.id = triage_via.flaw or f.id in (select r.new from flaw_redirect r where r.old = triage_via.flaw))
            and (sees is null or get_bit(sees, e.aud) = 1)
    )
    select coalesce((select s.via from saying s order by s.named desc, s.timely desc, s.via <> 0,
        (select count(*) from saying o where within(o.aud, s.aud)) desc, s.via desc limit 1), 0) $$;
drop function clearway.triage_audience(int, text, int);
-- The audience of a triage that is `marked` so: of whom may also see the asset of the fleet that it is about, and the
-- record by whose word it is. Neither is marked anew meanwhile.
create function clearway.triage_audience(of_org int, asset text, via int, marked int) returns int language plpgsql
    set search_path = clearway, pg_temp as $$
declare fit int := triage_audience.marked; bound int;
begin
    select a.aud into bound from asset a where a.asset = triage_asset(triage_audience.asset) and a.org = of_org
    for share;
    if bound is not null and not within(fit, bound) then fit := meet(array[fit, bound]); end if;
    if triage_audience.via > 0 then
        perform from marked m join marked v on v.source = m.source and v.record = m.record and v.marked >= m.marked
        where m.marked = triage_audience.via order by v.marked for share of v;
        bound := record_audience(triage_audience.via);
        if bound is not null and not within(fit, bound) then fit := meet(array[fit, bound]); end if;
    end if;
    return fit;
end $$;
create or replace function clearway.triage_under_asset() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare sees varbit;
begin
    if actor() <> 0 then sees := my_bits(); end if;
    new.via := triage_via(new.org, new.asset, new.flaw, new.component, sees, 'infinity');
    new.aud := triage_audience(new.org, new.asset, new.via, new.aud);
    return new;
end $$;
-- Triages of an asset go with it. One that was narrowed by itself stays as narrow.
create or replace function clearway.follow_asset_triages() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare own int; bound int; t record;
begin
    for t in select triage, aud::int, via from triage
            where org = new.org and triage_asset(asset) = new.asset order by triage for update loop
        own := coalesce(own, own_audience(new.org));
        bound := record_audience(t.via);
        update triage set aud = meet(array_remove(array[
            case when same_audience(t.aud, meet(array_remove(array[own, old.aud::int, bound], null))) then own
                else t.aud end, new.aud::int, bound], null))
        where triage = t.triage;
    end loop;
    return null;
end $$;
-- And with the record by whose word they are, when that is marked anew or comes in a new version.
create function clearway.follow_record_triages() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare own int; placed int; was int; bound int; t record;
begin
    if tg_op = 'INSERT' then  -- whoever is opening one by an earlier version has done so, or reads this one
        perform from marked m where m.source = new.source and m.record = new.record and m.marked < new.marked
        order by m.marked for no key update;
    end if;
    for t in select triage, aud::int, via, org, asset from triage where via in (select m.marked from marked m
            where m.source = new.source and m.record = new.record and m.marked <= new.marked)
            order by triage for update loop
        was := record_audience(t.via, new.marked, case when tg_op = 'UPDATE' then old.aud end);
        bound := record_audience(t.via);
        own := own_audience(t.org);
        select a.aud into placed from asset a where a.asset = triage_asset(t.asset) and a.org = t.org;
        update triage set aud = meet(array_remove(array[
            case when same_audience(t.aud, meet(array_remove(array[own, placed, was], null))) then own
                else t.aud end, placed, bound], null))
        where triage = t.triage;
    end loop;
    return null;
end $$;
create trigger follow_marking_triages after update of aud on clearway.marked
    for each row when (old.aud is distinct from new.aud) execute function clearway.follow_record_triages();
create trigger follow_version_triages after insert on clearway.marked
    for each row execute function clearway.follow_record_triages();
revoke execute on function clearway.record_audience(int, int, int), clearway.triage_asset(text),
    clearway.triage_via(int, text, text, text, varbit, timestamptz),
    clearway.triage_audience(int, text, int, int), clearway.follow_record_triages() from public;
"""

# Those that were opened before, by what said so then.
BEFORE = """
update clearway.triage t set via = found.via
from (select t.triage, clearway.triage_via(t.org, t.asset, t.flaw, t.component, null, t.opened) as via
    from clearway.triage t where clearway.triage_asset(t.asset) is not null) found
where found.triage = t.triage and found.via > 0;
update clearway.triage t set aud = clearway.triage_audience(t.org, t.asset, t.via, t.aud)
where t.via > 0 and t.aud <> clearway.triage_audience(t.org, t.asset, t.via, t.aud);
"""

_GUARD = ("triage_audience(t.org, t.asset, wanted)", "triage_audience(t.org, t.asset, t.via, wanted)")


def upgrade() -> None:
    """Binds each triage to its record, and takes those that were left behind along."""
    run(LINKS, FUNCTIONS, _guard(*_GUARD), BEFORE)


def downgrade() -> None:
    """Takes it back; what was narrowed stays so."""
    run(
        "drop trigger follow_marking_triages on clearway.marked",
        "drop trigger follow_version_triages on clearway.marked",
        "drop function clearway.follow_record_triages(), clearway.triage_audience(int, text, int, int)",
        # As it is written there: a backslash is two.
        *(
            before("0088_told_follows", name).replace("\\\\", "\\")
            for name in ("triage_audience", "triage_under_asset", "follow_asset_triages")
        ),
        _guard(*_GUARD[::-1]),
        "drop function clearway.triage_via(int, text, text, text, varbit, timestamptz), "
        "clearway.triage_asset(text), clearway.record_audience(int, int, int)",
        "revoke execute on function clearway.triage_audience(int, text, int) from public",
        "alter table clearway.triage drop column via",
    )


def _guard(old: str, new: str) -> str:
    text = standing("marking_guard")
    assert text.count(old) == 1
    return text.replace(old, new)
