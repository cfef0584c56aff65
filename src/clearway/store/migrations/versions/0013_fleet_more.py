"""More of the kept fleet: the directive that governs, what documents say of flaws, and what was kept of an asset."""

from alembic import op

from clearway.store.ddl import run

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

GOVERNED = """
-- When it became known here that a version or an address ends: a date of an earlier day is replayed without that.
alter table clearway.directive_version add column revoked_at timestamptz;
alter table clearway.directive_address add column until_at timestamptz;
create function clearway.keep_directive_end() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    if tg_table_name = 'directive_version' then
        new.revoked_at := case when new.revoked is null then null else clock_timestamp() end;
    else
        new.until_at := case when new.until is null then null else clock_timestamp() end;
    end if;
    return new;
end $$;
create trigger keep_end before update of revoked on clearway.directive_version for each row
    when (old.revoked is distinct from new.revoked) execute function clearway.keep_directive_end();
create trigger keep_end before update of until on clearway.directive_address for each row
    when (old.until is distinct from new.until) execute function clearway.keep_directive_end();
create index directive_version_imported on clearway.directive_version (org) where imported;

-- Under which versions of which directives organisations stand on a day, as it was known before `known` (null: as it is
-- known now): the version of each authority that addresses them, and those that they imported. Told to who reads or
-- operates for the organisation, and to the owner; the same to all of them.
create function clearway.directives_of(orgs int[], day date, known timestamptz) returns table (
    org int, directive text, version_id bigint, version text, sha256 bytea, authority int, standing text, since date,
    imported boolean)
    language plpgsql stable security definer set search_path = clearway, pg_temp as $$
declare
    mine int[] := orgs;
    their int[];
begin
    if actor() <> 0 then  -- the owner has no principal to ask about
        their := my_orgs('read') || my_orgs('operate');
        mine := array(select o from unnest(orgs) o where o = any(their));
    end if;
    return query
        select a.recipient, a.directive, v.version_id, v.version, v.sha256, a.org, a.standing, a.since, false
        from directive_address a
        join lateral (
            select * from directive_version w
            where w.org = a.org and w.directive = a.directive and not w.imported and w.issued <= day
                and (known is null or w.issued_at < known)
            order by w.issued desc, w.version_id desc limit 1) v
            on not coalesce(v.revoked <= day and (known is null or v.revoked_at is null or v.revoked_at < known), false)
        where a.recipient = any(mine) and a.since <= day and (known is null or a.made < known)
            and (a.until is null or a.until > day or (known is not null and a.until_at >= known))
        union all
        (select distinct on (w.org, w.directive)
            w.org, w.directive, w.version_id, w.version, w.sha256, w.org, 'adopted', w.issued, true
        from directive_version w
        where w.org = any(mine) and w.imported and w.issued <= day and (known is null or w.issued_at < known)
        order by w.org, w.directive, w.issued desc, w.version_id desc);
end $$;
-- A version's document with its signature. To be addressed is to be shown it, whatever is marked afterwards; and who
-- sees an exposure sees by which rule it is dated.
create function clearway.directive_document(which bigint, out document bytea, out signature bytea, out public bytea,
    out sha256 bytea) language plpgsql stable security definer set search_path = clearway, pg_temp as $$
declare
    kept directive_version;
    their int[];
    bits varbit;
begin
    select * into kept from directive_version v where v.version_id = which;
    if actor() <> 0 then
        their := my_orgs('read') || my_orgs('operate');
        bits := my_bits();
        if not (coalesce(get_bit(bits, kept.aud) = 1, false) or exists (
                select from directive_address a where a.org = kept.org and a.directive = kept.directive
                    and not kept.imported and a.recipient = any(their))
            or exists (select from clock c join exposure e on e.clock = c.clock
                where c.version_id = which and c.clock < 0 and get_bit(bits, e.aud) = 1)) then
            return;
        end if;
    end if;
    document := kept.document;
    signature := kept.signature;
    public := kept.public;
    sha256 := kept.sha256;
end $$;

-- A rule that dates names the version that it stands in; null: the table that ships. What an imported version names is
-- known to its organisation alone: such rules have negative numbers, and are read through an exposure that they date.
alter table clearway.clock add column version_id bigint, add column version text not null default '';
do $$
declare old text;
begin
    select conname into old from pg_constraint where conrelid = 'clearway.clock'::regclass and contype = 'u';
    execute format('alter table clearway.clock drop constraint %I', old);
end $$;
alter table clearway.clock add constraint clock_rule
    unique nulls not distinct (directive, policy, retier, tier, "row", basis, forensic, version_id);
create index exposure_own_clock on clearway.exposure (clock) where clock < 0;
create index exposure_history_own_clock on clearway.exposure_history (clock) where clock < 0;
drop policy see on clearway.clock;
-- A function, so that the policy costs the planner nothing for the many rules that everybody may read.
create function clearway.sees_clock(which int) returns boolean language plpgsql stable security definer
    set search_path = clearway, pg_temp as $$
declare bits varbit := my_bits();
begin
    return exists (select from exposure e where e.clock = which and e.clock < 0 and get_bit(bits, e.aud) = 1)
        or exists (select from exposure_history h where h.clock = which and h.clock < 0 and get_bit(bits, h.aud) = 1);
end $$;
create policy see on clearway.clock for select to clearway_app using (clock > 0 or clearway.sees_clock(clock));
create function clearway.fleet_clock(
    directive text, policy text, retier text, tier text, rank int, "row" int, basis text, forensic boolean,
    version_id bigint)
    returns int language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    made int;
    stands directive_version;
begin
    if actor() < 0 then raise 'sign in first' using errcode = 'CW403'; end if;
    if greatest(length($1), length($2), length($3), length($4)) > 100 or length($7) > 1000 then
        raise 'no rule has names as long as these' using errcode = 'CW400';
    end if;
    if version_id is not null then
        select * into stands from directive_version v where v.version_id = $9 and v.directive = $1;
        if stands.version_id is null then raise 'no such version' using errcode = 'CW404'; end if;
    end if;
    for attempt in 1..2 loop
        select c.clock into made from clock c where (c.directive, c.policy, c.retier, c.tier, c.basis, c.forensic)
            = ($1, $2, $3, $4, $7, $8) and c."row" is not distinct from $6 and c.version_id is not distinct from $9;
        exit when made is not null;
        perform pg_advisory_xact_lock(hashtextextended('clearway clock', 0));
    end loop;
    if made is null then
        made := nextval(pg_get_serial_sequence('clearway.clock', 'clock'));
        insert into clock as c
            (clock, directive, policy, retier, tier, rank, "row", basis, forensic, version_id, version)
        overriding system value
        values (case when stands.imported then -made else made end, $1, $2, $3, $4, $5, $6, $7, $8, $9,
            coalesce(stands.version, ''))
        returning c.clock into made;
    end if;
    return made;
end $$;
create or replace function clearway.fleet_clock(
    directive text, policy text, retier text, tier text, rank int, "row" int, basis text, forensic boolean)
    returns int language sql security definer set search_path = clearway, pg_temp as $$
    select fleet_clock($1, $2, $3, $4, $5, $6, $7, $8, null) $$;

-- Organisations whose dates are to be counted anew, and how far that has come (owner only). Who issues or addresses
-- only adds to it, and waits for nobody.
create table clearway.fleet_ruling (
    ruling bigint generated always as identity primary key,
    org int not null references clearway.organisation on delete cascade,
    after int not null default 0,  -- assets up to this number are done
    under text not null default '',  -- by which setting, as `fleet_ruled` names it
    noted timestamptz not null default clock_timestamp()
);
create index fleet_ruling_org on clearway.fleet_ruling (org);
-- Under what an organisation's dates were last counted as a whole (owner only).
create table clearway.fleet_ruled (
    org int primary key references clearway.organisation on delete cascade,
    under text not null
);
create function clearway.note_ruling() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    if tg_table_name = 'directive_address' then
        insert into fleet_ruling (org) values (new.recipient);
    elsif new.imported then
        insert into fleet_ruling (org) values (new.org);
    else
        insert into fleet_ruling (org) select distinct a.recipient from directive_address a
        where a.org = new.org and a.directive = new.directive;
    end if;
    return null;
end $$;
create trigger note_ruling after insert or update of until on clearway.directive_address
    for each row execute function clearway.note_ruling();
create trigger note_ruling after insert or update of revoked on clearway.directive_version
    for each row execute function clearway.note_ruling();
"""

KEPT = """
-- What was kept of an asset from then on, beside how exposed it is (`asset_exposure`): written whatever changed it.
create table clearway.asset_said (
    statement bigint generated always as identity primary key,
    asset int not null references clearway.asset,
    org int not null,
    aud clearway.audience_id not null,
    name text not null,
    owner text not null,
    sub_organisation text not null,
    environment text not null,
    kind text not null,
    edge boolean not null,
    end_of_support date,
    eos_listed boolean,
    identifiers text[] not null,
    addresses text[] not null,
    names text[] not null,
    decommissioned date,
    said_by text not null default '' check (length(said_by) <= 300),
    person int not null default 0,
    recorded timestamptz not null default clearway.fleet_now()
);
create index asset_said_asset on clearway.asset_said (asset, recorded);
insert into clearway.asset_said (asset, org, aud, name, owner, sub_organisation, environment, kind, edge,
    end_of_support, eos_listed, identifiers, addresses, names, decommissioned, recorded)
select asset, org, aud, name, owner, sub_organisation, environment, kind, edge, end_of_support, eos_listed, identifiers,
    addresses, names, decommissioned, created from clearway.asset order by asset;
select clearway.govern('clearway.asset_said');
-- Who said so, where it is not who did it: `clearway.said_by`, for the transaction.
create function clearway.keep_asset_said() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    insert into asset_said (asset, org, aud, name, owner, sub_organisation, environment, kind, edge, end_of_support,
        eos_listed, identifiers, addresses, names, decommissioned, said_by, person)
    values (new.asset, new.org, new.aud, new.name, new.owner, new.sub_organisation, new.environment, new.kind, new.edge,
        new.end_of_support, new.eos_listed, new.identifiers, new.addresses, new.names, new.decommissioned,
        left(coalesce(current_setting('clearway.said_by', true), ''), 300), greatest(actor(), 0));
    return null;
end $$;
create trigger keep_said after insert on clearway.asset for each row execute function clearway.keep_asset_said();
create trigger keep_said_again after update on clearway.asset for each row
    when ((old.name, old.owner, old.sub_organisation, old.environment, old.kind, old.edge, old.end_of_support,
            old.eos_listed, old.identifiers, old.addresses, old.names, old.decommissioned)
        is distinct from
        (new.name, new.owner, new.sub_organisation, new.environment, new.kind, new.edge, new.end_of_support,
            new.eos_listed, new.identifiers, new.addresses, new.names, new.decommissioned))
    execute function clearway.keep_asset_said();
"""

STATED = """
-- VEX that came with an inventory: its statements and its own product, so that they are asked again when something
-- new is said of what the asset holds.
create table clearway.inventory_vex (
    inventory bigint primary key references clearway.inventory on delete cascade,
    asset int not null,
    org int not null,
    aud clearway.audience_id not null,
    product text not null,  -- type/namespace/name of the document's own product, or ''
    stated boolean not null,  -- it has statements of its own
    body bytea not null check (octet_length(body) <= 67108864)
);
create index inventory_vex_asset on clearway.inventory_vex (asset);
create index inventory_vex_product on clearway.inventory_vex (product);
select clearway.govern('clearway.inventory_vex');
-- Assets of which such statements are to be asked again (owner only).
create table clearway.fleet_vexing (asset int primary key references clearway.asset on delete cascade);
-- The document that said so; null: a person or rule did. Of two that hold, a person's or rule's is the status.
alter table clearway.decision add column document bigint;
create index decision_document on clearway.decision (asset) where document is not null and ended is null;

-- Keeps what an inventory brought of VEX. The caller has taken the inventory in.
create function clearway.fleet_keep_vex(which bigint, product text, stated boolean, body bytea) returns void
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    a asset := fleet_asset((select i.asset from inventory i where i.inventory = which));
begin
    insert into inventory_vex (inventory, asset, org, aud, product, stated, body)
    values (which, a.asset, a.org, a.aud, left(fleet_keep_vex.product, 1000), fleet_keep_vex.stated,
        fleet_keep_vex.body)
    on conflict (inventory) do update
        set product = excluded.product, stated = excluded.stated, body = excluded.body;
end $$;

-- Makes these all that current documents say of an asset's exposures: `which_exposures[n]` is not affected by the word
-- of `documents[n]`. What a person or a rule has decided stays; what no document says any more is as it was before.
create function clearway.fleet_vex(
    which int, which_exposures bigint[], documents bigint[], why text[], details text[],
    out made bigint[], out ended bigint[])
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare a asset := fleet_asset(which);
begin
    execute 'with over as (
        update clearway.decision d set ended = (select clearway.fleet_now()),
            ended_why = ''the newest inventory no longer says so''
        where d.asset = $1 and d.ended is null and d.document is not null and not exists (
            select from unnest($2, $3, $4, $5) as w(exposure, document, why, detail)
            join clearway.exposure e on e.exposure = w.exposure and e.decision = d.decision
            join clearway.inventory i on i.inventory = w.document
            join clearway.inventory j on j.inventory = d.document
            where i.asset = $1 and i.slot = j.slot and (w.why, w.detail) = (d.justification, d.detail))
        returning d.decision),
    back as (
        update clearway.exposure e set status = 0, decision = null, until = null, version = e.version + 1
        from over where e.asset = $1 and e.decision = over.decision returning e.exposure)
    select coalesce(array_agg(exposure order by exposure), ''{}'') from back'
    into ended using which, which_exposures, documents, why, details;
    if cardinality(ended) > 0 then perform fleet_settle(ended); end if;
    execute 'with mine as (
        select e.exposure, e.pv, v.ecosystem, v.name, coalesce(an.records, array[f.id]) as records, w.document, w.why,
            w.detail
        from unnest($2, $3, $4, $5) as w(exposure, document, why, detail)
        join clearway.exposure e on e.exposure = w.exposure and e.asset = $1 and e.gone is null and e.via = 0
            and e.decision is null
        join clearway.inventory i on i.inventory = w.document and i.asset = $1 and i.current
        join clearway.package_version v on v.pv = e.pv join clearway.flaw f on f.flaw = e.flaw
        left join clearway.answer an on an.pv = e.pv and an.flaw = e.flaw
        order by e.exposure for update of e),
    put as (
        insert into clearway.decision (org, aud, asset, ecosystem, name, pv, records, status, justification, detail,
            person, document)
        select $6, $7, $1, ecosystem, name, pv, records, 3, left(why, 100), left(detail, 4000), 0, document from mine
        returning decision, pv, records, document, detail),
    done as (
        update clearway.exposure e set status = 3, decision = d.decision, until = null, version = e.version + 1
        from mine m join put d on d.pv = m.pv and d.records = m.records and d.document = m.document
        where e.exposure = m.exposure returning e.exposure)
    select coalesce(array_agg(distinct exposure order by exposure), ''{}'') from done'
    into made using which, which_exposures, documents, why, details, a.org, a.aud;
    ended := array(select x from unnest(ended) x where x <> all(made));
end $$;

-- As before, and what a person or rule decided goes before what a document says.
create or replace function clearway.fleet_settle(which bigint[]) returns int language plpgsql
    set search_path = clearway, pg_temp as $$
declare n int;
begin
    execute 'update clearway.exposure e set status = w.status, decision = w.decision, until = w.until,
            version = e.version + 1
        from (
            select distinct on (x.exposure) x.exposure, d.status, d.decision, d.until
            from clearway.exposure x
            join clearway.decision d on d.asset = x.asset and d.ended is null and (d.pv is null or d.pv = x.pv)
            join clearway.package_version v on v.pv = x.pv and v.ecosystem = d.ecosystem and v.name = d.name
            left join clearway.answer an on x.via = 0 and an.pv = x.pv and an.flaw = x.flaw
            left join clearway.marked m on m.marked = x.via
            where x.exposure = any($1) and x.gone is null and d.records && coalesce(an.records, array[m.record])
                and (d.document is null or x.via = 0)
            order by x.exposure, d.document is not null, d.decision desc) w
        where e.exposure = w.exposure and e.decision is distinct from w.decision' using which;
    get diagnostics n = row_count;
    return n;
end $$;
"""

WEEK = """
-- What is open, affected and due by a day, of what the caller sees: how many, how many of them before `day`, and the
-- first of them by date. It tests audiences itself: behind a policy an index on an expression is walked from its start,
-- because PostgreSQL calls no COALESCE leakproof. Counting stops after `most`; the first are then not all there are.
create function clearway.fleet_due(
    until date, day date, of_org int, most int, firsts int, out total bigint, out late bigint, out first bigint[])
    language plpgsql stable security definer set search_path = clearway, pg_temp as $$
declare
    bits varbit := case when actor() = 0 then null else my_bits() end;
    mine int[] := case when actor() = 0 then null else my_audiences(64) end;
    wanted constant text := 'e.gone is null and e.status = 0 and e.verdict = 1
        and coalesce(e.due, ''infinity''::date) <= $1 and ($2 is null or e.org = $2)
        and (e.via = 0 or not exists (
            select from clearway.exposure p where p.asset = e.asset and p.pv = e.pv and p.flaw = e.flaw and p.via = 0
                and p.gone is null and p.verdict = 1 and ($3 is null or get_bit($3, p.aud) = 1)))';
    one constant text := 'select e.exposure, e.due as at from clearway.exposure e where ';
    walk text := one || wanted;
begin
    if mine is not null then
        walk := 'select x.* from unnest($7::int[]) m(aud) cross join lateral (' || one || 'e.aud = m.aud and '
            || wanted || ' order by coalesce(e.due, ''infinity''::date), e.exposure limit $4) x';
    elsif bits is not null then
        walk := walk || ' and get_bit($3, e.aud) = 1';
    end if;
    execute 'with seen as materialized (' || walk || ' limit $4)
        select count(*), count(*) filter (where at < $5), (array_agg(exposure order by at, exposure))[1:$6] from seen'
        into total, late, first using until, of_org, bits, most, day, firsts, mine;
end $$;
"""

FOLLOWING = """
-- As before, for what is kept beside an asset too.
create or replace function clearway.follow_asset_marking() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    update asset_exposure set aud = new.aud where asset = new.asset;
{more}    update inventory set aud = new.aud where asset = new.asset;
    update held set aud = new.aud where asset = new.asset;
    update decision set aud = new.aud where asset = new.asset;
    insert into version_use select distinct pv, new.aud from held where asset = new.asset on conflict do nothing;
    insert into version_use select distinct pv, new.aud from exposure where asset = new.asset on conflict do nothing;
    update exposure set aud = new.aud where asset = new.asset and via = 0;
    update exposure e set aud = meet(array[new.aud::int, m.aud::int]) from marked m
    where e.asset = new.asset and e.via = m.marked;
    update exposure_history h set aud = e.aud from exposure e
    where e.asset = new.asset and h.exposure = e.exposure and h.aud <> e.aud;
    return null;
end $$;
"""
_MORE = """    update asset_said set aud = new.aud where asset = new.asset;
    update inventory_vex set aud = new.aud where asset = new.asset;
"""

RULES = """
revoke execute on function clearway.keep_directive_end(), clearway.directives_of(int[], date, timestamptz),
    clearway.directive_document(bigint), clearway.note_ruling(), clearway.keep_asset_said(),
    clearway.fleet_due(date, date, int, int, int), clearway.sees_clock(int),
    clearway.fleet_clock(text, text, text, text, int, int, text, boolean, bigint),
    clearway.fleet_keep_vex(bigint, text, boolean, bytea),
    clearway.fleet_vex(int, bigint[], bigint[], text[], text[]) from public;
grant execute on function clearway.directives_of(int[], date, timestamptz), clearway.directive_document(bigint),
    clearway.fleet_due(date, date, int, int, int), clearway.sees_clock(int),
    clearway.fleet_clock(text, text, text, text, int, int, text, boolean, bigint),
    clearway.fleet_keep_vex(bigint, text, boolean, bytea),
    clearway.fleet_vex(int, bigint[], bigint[], text[], text[]) to clearway_app;
"""


def upgrade() -> None:
    """Creates the tables, their rules and their acts."""
    run(GOVERNED, KEPT, STATED, WEEK, FOLLOWING.format(more=_MORE), RULES)


OLD = """
create or replace function clearway.fleet_settle(which bigint[]) returns int language plpgsql
    set search_path = clearway, pg_temp as $$
declare n int;
begin
    execute 'update clearway.exposure e set status = w.status, decision = w.decision, until = w.until,
            version = e.version + 1
        from (
            select distinct on (x.exposure) x.exposure, d.status, d.decision, d.until
            from clearway.exposure x
            join clearway.decision d on d.asset = x.asset and d.ended is null and (d.pv is null or d.pv = x.pv)
            join clearway.package_version v on v.pv = x.pv and v.ecosystem = d.ecosystem and v.name = d.name
            left join clearway.answer an on x.via = 0 and an.pv = x.pv and an.flaw = x.flaw
            left join clearway.marked m on m.marked = x.via
            where x.exposure = any($1) and x.gone is null and d.records && coalesce(an.records, array[m.record])
            order by x.exposure, d.decision desc) w
        where e.exposure = w.exposure and e.decision is distinct from w.decision' using which;
    get diagnostics n = row_count;
    return n;
end $$;
create or replace function clearway.fleet_clock(
    directive text, policy text, retier text, tier text, rank int, "row" int, basis text, forensic boolean)
    returns int language plpgsql security definer set search_path = clearway, pg_temp as $$
declare made int;
begin
    for attempt in 1..2 loop
        select c.clock into made from clock c where (c.directive, c.policy, c.retier, c.tier, c.basis, c.forensic)
            = ($1, $2, $3, $4, $7, $8) and c."row" is not distinct from $6;
        exit when made is not null;
        perform pg_advisory_xact_lock(hashtextextended('clearway clock', 0));
    end loop;
    if made is null then
        insert into clock as c (directive, policy, retier, tier, rank, "row", basis, forensic)
        values ($1, $2, $3, $4, $5, $6, $7, $8) returning c.clock into made;
    end if;
    return made;
end $$;
-- Dates of versions go back to the rules without one, until they are counted anew.
drop policy see on clearway.clock;
create policy see on clearway.clock for select to clearway_app using (true);
drop index clearway.exposure_own_clock;
drop index clearway.exposure_history_own_clock;
alter table clearway.clock drop constraint clock_rule;
create temporary table plain_clock on commit drop as
    select c.clock as was, first_value(c.clock) over (
        partition by directive, policy, retier, tier, "row", basis, forensic
        order by version_id is not null, clock desc) as now
    from clearway.clock c;
alter table clearway.exposure disable trigger keep_history;
update clearway.exposure_history h set clock = p.now from plain_clock p where h.clock = p.was and p.now <> p.was;
update clearway.exposure e set clock = p.now from plain_clock p where e.clock = p.was and p.now <> p.was;
delete from clearway.clock c using plain_clock p where c.clock = p.was and p.now <> p.was;
-- What documents said is no longer said.
update clearway.exposure e set status = 0, decision = null, until = null, version = e.version + 1
from clearway.decision d where d.decision = e.decision and d.document is not null;
alter table clearway.exposure enable trigger keep_history;
delete from clearway.decision where document is not null;
alter table clearway.decision drop column document;
alter table clearway.clock drop column version_id, drop column version;
alter table clearway.clock add unique nulls not distinct (directive, policy, retier, tier, "row", basis, forensic);
"""


def downgrade() -> None:
    """Drops them, with what documents said and what was kept of assets."""
    for trigger, table in (
        ("keep_said", "asset"),
        ("keep_said_again", "asset"),
        ("note_ruling", "directive_address"),
        ("note_ruling", "directive_version"),
        ("keep_end", "directive_address"),
        ("keep_end", "directive_version"),
    ):
        op.execute(f"drop trigger {trigger} on clearway.{table}")
    run(OLD, FOLLOWING.format(more=""))
    op.execute(
        "drop function clearway.keep_directive_end(), clearway.directives_of(int[], date, timestamptz), "
        "clearway.directive_document(bigint), clearway.note_ruling(), clearway.keep_asset_said(), "
        "clearway.fleet_due(date, date, int, int, int), clearway.sees_clock(int), "
        "clearway.fleet_clock(text, text, text, text, int, int, text, boolean, bigint), "
        "clearway.fleet_keep_vex(bigint, text, boolean, bytea), "
        "clearway.fleet_vex(int, bigint[], bigint[], text[], text[])"
    )
    op.execute("drop index clearway.directive_version_imported")
    op.execute("alter table clearway.directive_version drop column revoked_at")
    op.execute("alter table clearway.directive_address drop column until_at")
    tables = ("inventory_vex", "fleet_vexing", "asset_said", "fleet_ruled", "fleet_ruling")
    op.execute(f"drop table {', '.join(f'clearway.{table}' for table in tables)}")
    names = ", ".join(f"'clearway.{table}', '{table}'" for table in tables)
    op.execute(f"delete from clearway.governed where name in ({names})")  # noqa: S608  constants
