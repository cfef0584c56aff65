"""The kept fleet: assets, inventories, exposures."""

from alembic import op

from clearway.store.ddl import run

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

DICTIONARIES = """
-- The time of what is recorded here. The owner may set it, to bring the history of another system along; what an
-- application says of the time is not heard.
create function clearway.fleet_now() returns timestamptz language sql stable
    set search_path = clearway, pg_temp as $$
    select case when actor() = 0 then coalesce(
        nullif(current_setting('clearway.fleet_time', true), '')::timestamptz, clock_timestamp())
    else clock_timestamp() end $$;
-- Names and versions, each once for all organisations. Who may read one is who may read a row that uses it.
create table clearway.package (
    package int generated always as identity primary key,
    ecosystem text not null,
    name text not null,
    unique (ecosystem, name)
);
-- A component with everything that can change a verdict: release, source package, module stream, architecture, commit.
-- `component` is that as msgpack, so that it can be judged again. `plain`: one name to look it up by, a version with
-- a key, and nothing special, so that interval comparison alone decides.
create table clearway.package_version (
    pv int generated always as identity primary key,
    digest bytea not null unique check (octet_length(digest) = 32),
    ecosystem text not null,
    name text not null,
    version text not null,
    purl text not null,
    component bytea not null,
    plain boolean not null
);
-- The packages under which advisories may speak of a version, in the order of `nth`, and where it stands in that
-- package's order: null when the order is not one of keys or the version can't be read. With `unless`, only while no
-- record speaks of that package: an rpm is looked up by its source where nothing names what is installed.
create table clearway.lookup (
    package int not null references clearway.package,
    pv int not null references clearway.package_version,
    nth smallint not null,
    unless int references clearway.package,
    key bytea
);
create index lookup_key on clearway.lookup (package, key);
create index lookup_unless on clearway.lookup (unless) where unless is not null;
create index lookup_pv on clearway.lookup (pv);
-- In which audiences a version was ever held: what opens its row in the dictionary. Written from rows of the
-- dictionary, which are never deleted: a reference would lock, and so write, each of them again.
create table clearway.version_use (
    pv int not null,
    aud clearway.audience_id not null,
    primary key (pv, aud)
);

-- Flaws and their public facts: every flaw of the compiled table, whether or not somebody has it, so that a row says
-- nothing about any fleet. A flaw that only marked records know carries their audience.
create table clearway.flaw (
    flaw int generated always as identity primary key,
    id text not null,
    aud clearway.audience_id not null default 0,
    kev date,
    kev_due date,
    exploitation text not null default '',
    automatable text not null default '',
    impact text not null default '',
    ssvc_dated text not null default '',
    epss real not null default -1,  -- -1: none, which sorts last
    score real not null default -1,
    unique (id, aud)
);
create index flaw_epss on clearway.flaw (epss desc, flaw);
create index flaw_score on clearway.flaw (score desc, flaw);
create index flaw_kev on clearway.flaw (coalesce(kev, '-infinity'::date) desc, flaw);
-- What was known of a flaw before: the facts that decide due dates, and until when they were all that was known.
create table clearway.flaw_history (
    flaw int not null references clearway.flaw,
    until timestamptz not null,
    kev date,
    kev_due date,
    automatable text not null,
    impact text not null,
    ssvc_dated text not null,
    primary key (flaw, until)
);
-- An id that no longer leads a group, for ever: where it went.
create table clearway.flaw_redirect (
    old text not null,
    new text not null,
    since timestamptz not null default clearway.fleet_now(),
    primary key (old, new)
);
-- What the public records say of a version: worked out once for everybody who has it. verdict: 1 affected, 2 unknown,
-- 3 taken back by VEX.
create table clearway.answer (
    pv int not null references clearway.package_version,
    flaw int not null references clearway.flaw,
    verdict smallint not null check (verdict between 1 and 3),
    basis text not null,
    fixed text[] not null,
    records text[] not null,
    primary key (pv, flaw)
);
create index answer_flaw on clearway.answer (flaw, pv);
create index answer_records on clearway.answer using gin (records);
-- Which advisories the answers stand for: the newest row is how things are, the others how they were.
create table clearway.fleet_state (
    state int generated always as identity primary key,
    at timestamptz not null default clearway.fleet_now(),
    base text not null,
    generation bigint not null,
    rows bytea not null default '',  -- of the changes beside the table that were followed: a hash
    kev_loaded boolean not null,
    ssvc_loaded boolean not null
);
-- A rule of a directive that gave a date: few rows, many dates.
create table clearway.clock (
    clock int generated always as identity primary key,
    directive text not null,
    policy text not null,
    retier text not null,
    tier text not null,
    rank int not null,
    "row" int,
    basis text not null,
    forensic boolean not null,
    unique nulls not distinct (directive, policy, retier, tier, "row", basis, forensic)
);
"""

ASSETS = """
create table clearway.asset (
    asset int generated always as identity primary key,
    org int not null references clearway.organisation,
    aud clearway.audience_id not null,
    name text not null check (length(name) between 1 and 300),
    owner text not null default '' check (length(owner) <= 300),
    sub_organisation text not null default '' check (length(sub_organisation) <= 300),
    environment text not null default 'unknown' check (environment in ('production', 'development', 'unknown')),
    kind text not null default '' check (length(kind) <= 100),
    exposure text not null default 'unknown' check (exposure in ('public', 'internal', 'unknown')),
    edge boolean not null default false,  -- BOD 26-02
    end_of_support date,
    eos_listed boolean,
    identifiers text[] not null default '{}',  -- image digests, serial numbers, cloud ids
    addresses text[] not null default '{}',
    names text[] not null default '{}',  -- DNS
    created timestamptz not null default clearway.fleet_now(),
    decommissioned date,
    version int not null default 1,
    unique (org, name)
);
create index asset_identifiers on clearway.asset using gin (identifiers);
create index asset_aud on clearway.asset (aud, asset);
-- How exposed an asset is, since which day, who said so, and when that became known here.
create table clearway.asset_exposure (
    statement bigint generated always as identity primary key,
    asset int not null references clearway.asset,
    org int not null,
    aud clearway.audience_id not null,
    exposure text not null check (exposure in ('public', 'internal', 'unknown')),
    since date not null,
    said_by text not null check (length(said_by) <= 300),
    person int not null default 0,
    recorded timestamptz not null default clearway.fleet_now()
);
create index asset_exposure_asset on clearway.asset_exposure (asset, recorded);

-- One document about an asset, as it came. Of each witness (the tool that made it) the newest is current.
create table clearway.inventory (
    inventory bigint generated always as identity primary key,
    asset int not null references clearway.asset,
    org int not null,
    aud clearway.audience_id not null,
    slot smallint not null check (slot between 0 and 30),
    witness text not null,
    format text not null,
    name text not null,
    created text not null default '',
    received timestamptz not null default clearway.fleet_now(),
    sha256 bytea not null check (octet_length(sha256) = 32),
    raw bytea not null,  -- compressed with Zstandard
    components int not null,
    problems text[] not null default '{}',
    added int[] not null,  -- versions that no witness had shown before
    removed int[] not null,  -- versions that no witness shows any more
    appeared int not null default 0,  -- exposures
    ended int not null default 0,
    current boolean not null default true
);
alter table clearway.inventory alter column raw set storage external;
create index inventory_asset on clearway.inventory (asset, inventory);
create index inventory_aud on clearway.inventory (aud, inventory desc);
-- What an asset holds now. `seen` has a bit for the slot of each witness that shows it. Written by `fleet_take` alone,
-- from rows of the tables it names: references would cost as much as the rows.
create table clearway.held (
    asset int not null,
    pv int not null,
    aud clearway.audience_id not null,
    seen int not null,
    primary key (asset, pv)
);
-- Whoever looks for the holders of a version takes its audiences from `version_use`: rows of one inventory then lie
-- side by side in this index, and not each on another page, which costs most of all when it is written.
create index held_use on clearway.held (aud, pv, asset);

-- What an organisation says of exposures: of one component of one asset and of what certain records say of it.
-- `pv` null: whatever the component's version. Decisions hang on records, so they outlive a regrouping of flaws.
create table clearway.decision (
    decision int generated always as identity primary key,
    org int not null,
    aud clearway.audience_id not null,
    asset int not null references clearway.asset,
    ecosystem text not null,
    name text not null,
    pv int references clearway.package_version,
    records text[] not null,
    status smallint not null check (status between 0 and 4),
    justification text not null default '',
    detail text not null default '' check (length(detail) <= 4000),
    until date,
    person int not null,
    rule int,
    at timestamptz not null default clearway.fleet_now(),
    ended timestamptz,
    ended_why text not null default ''
);
create index decision_asset on clearway.decision (asset) where ended is null;
create table clearway.fleet_rule (
    rule int generated always as identity primary key,
    org int not null references clearway.organisation,
    aud clearway.audience_id not null,
    name text not null check (length(name) between 1 and 300),
    matches jsonb not null,
    status smallint not null check (status between 0 and 4),
    justification text not null default '',
    detail text not null default '' check (length(detail) <= 4000),
    until date,
    person int not null default 0,
    created timestamptz not null default clearway.fleet_now(),
    ended timestamptz,
    version int not null default 1
);
create index fleet_rule_org on clearway.fleet_rule (org) where ended is null;
-- By which rule an organisation's dates are counted, from when on.
create table clearway.fleet_setting (
    setting int generated always as identity primary key,
    org int not null references clearway.organisation,
    aud clearway.audience_id not null,
    directive text not null default 'bod-26-04',
    policy text not null default '',
    retier text not null default '',
    recorded timestamptz not null default clearway.fleet_now()
);
create index fleet_setting_org on clearway.fleet_setting (org, recorded);

-- A marked record that takes part in matching; `via` of an exposure names it.
create table clearway.marked (
    marked int generated always as identity primary key,
    rec bigint not null unique,
    record text not null,
    source text not null,
    aud clearway.audience_id not null,
    flaw int not null references clearway.flaw,
    taken timestamptz not null default clearway.fleet_now()
);
create table clearway.marked_interval (
    marked int not null references clearway.marked on delete cascade,
    package int not null references clearway.package,
    lo bytea,  -- null: only judging one by one tells (`body`)
    hi bytea,
    fixed text not null default '',
    body bytea not null
);
create index marked_interval_package on clearway.marked_interval (package);
-- Assets of which something changed that marked records may bear on. Who changed it need not know of them: the owner's
-- job looks here.
create table clearway.fleet_pending (asset int primary key references clearway.asset);
"""

EXPOSURES = """
-- One flaw in one component of one asset. A row is never deleted: `gone` says since when it is no more.
-- status: 0 open, 1 mitigated, 2 fixed, 3 not affected, 4 accepted. verdict: 1 affected, 2 unknown.
-- via: 0 for what public records say, else the marked record that says so. how: 0 first seen here, 1 given. Written
-- from joins with the tables it names, which keep their rows: references would cost more than the rows.
create table clearway.exposure (
    exposure bigint generated always as identity primary key,
    first_seen timestamptz not null default clearway.fleet_now(),
    gone timestamptz,
    asset int not null,
    pv int not null,
    flaw int not null,
    via int not null default 0,
    org int not null,
    aud clearway.audience_id not null,
    detected date not null,
    due date,
    clock int not null,
    decision int,
    until date,
    version int not null default 1,
    status smallint not null default 0 check (status between 0 and 4),
    verdict smallint not null check (verdict in (1, 2)),
    how smallint not null default 0
);
create unique index exposure_what on clearway.exposure (asset, pv, flaw, via);
-- Lists of one audience, and of all; what has no due date comes last.
create index exposure_due on clearway.exposure (aud, coalesce(due, 'infinity'::date), exposure) where gone is null;
create index exposure_due_all on clearway.exposure (coalesce(due, 'infinity'::date), exposure) where gone is null;
create index exposure_flaw on clearway.exposure (aud, flaw, exposure) where gone is null;
create index exposure_flaw_all on clearway.exposure (flaw) where gone is null;
-- How an exposure was until then, whenever anything that is shown of it changed.
create table clearway.exposure_history (
    exposure bigint not null references clearway.exposure,
    until timestamptz not null,
    aud clearway.audience_id not null,
    gone timestamptz,
    flaw int not null,
    detected date not null,
    due date,
    clock int not null,
    decision int,
    accepted_until date,
    status smallint not null,
    verdict smallint not null,
    primary key (exposure, until)
);

create function clearway.keep_exposure_history() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    -- EXECUTE: a plan that was cached for one row must not meet a million (reference: markings, trap 4)
    execute 'insert into clearway.exposure_history
        select o.exposure, (select clearway.fleet_now()), o.aud, o.gone, o.flaw, o.detected, o.due, o.clock, o.decision,
            o.until, o.status, o.verdict
        from before o join after n using (exposure)
        where (o.gone, o.flaw, o.detected, o.due, o.clock, o.decision, o.until, o.status, o.verdict)
            is distinct from
            (n.gone, n.flaw, n.detected, n.due, n.clock, n.decision, n.until, n.status, n.verdict)
        on conflict (exposure, until) do nothing';
    return null;
end $$;
create trigger keep_history after update on clearway.exposure
    referencing old table as before new table as after
    for each statement execute function clearway.keep_exposure_history();

create function clearway.keep_flaw_history() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    execute 'insert into clearway.flaw_history
        select o.flaw, (select clearway.fleet_now()), o.kev, o.kev_due, o.automatable, o.impact, o.ssvc_dated
        from before o join after n using (flaw)
        where (o.kev, o.kev_due, o.automatable, o.impact, o.ssvc_dated)
            is distinct from (n.kev, n.kev_due, n.automatable, n.impact, n.ssvc_dated)
        on conflict (flaw, until) do nothing';
    return null;
end $$;
create trigger keep_history after update on clearway.flaw
    referencing old table as before new table as after
    for each statement execute function clearway.keep_flaw_history();

create function clearway.date_marked_later() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    insert into fleet_pending select new.asset where exists (
        select from exposure e where e.asset = new.asset and e.via > 0 and e.gone is null) on conflict do nothing;
    return null;
end $$;
create trigger date_marked_later after insert on clearway.asset_exposure
    for each row execute function clearway.date_marked_later();

-- What is derived from an asset follows its marking; what a marked record says of it is for who may see both.
create function clearway.follow_asset_marking() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    update asset_exposure set aud = new.aud where asset = new.asset;
    update inventory set aud = new.aud where asset = new.asset;
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
create trigger follow_marking after update of aud on clearway.asset
    for each row when (old.aud is distinct from new.aud) execute function clearway.follow_asset_marking();
"""

ACTS = """
-- The asset, locked, for a caller who may see it and operate for its organisation; an error otherwise.
create function clearway.fleet_asset(which int) returns clearway.asset language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare found_asset asset;
begin
    select * into found_asset from asset where asset = which for update;
    if found_asset.asset is null
            or (actor() <> 0 and get_bit(my_bits(), found_asset.aud) is distinct from 1) then
        raise 'nothing of that name is here' using errcode = 'CW404';
    end if;
    if not may('operate', found_asset.org) then
        raise 'the right to operate is missing' using errcode = 'CW403';
    end if;
    return found_asset;
end $$;

-- Takes one inventory of an asset. Versions are named by their digests, which only who knows their names can make:
-- holding a version is what opens its row in the dictionary.
create function clearway.fleet_take(
    which int, digests bytea[], witness text, format text, name text, created text, sha256 bytea, raw bytea,
    components int, problems text[], out inventory bigint, out added int[], out removed int[])
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    a asset := fleet_asset(which);
    pvs int[];
    bit smallint;
    kept int;
begin
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
    execute 'with gone as (
            update clearway.held h set seen = seen & ~$3 where h.asset = $1 and h.seen & $3 <> 0
                and not h.pv = any($2) returning h.pv, h.seen)
        select coalesce(array_agg(pv order by pv), ''{}'') from gone where seen = 0'
        into removed using which, pvs, kept;
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
    update inventory i set current = false where i.asset = which and i.slot = bit and i.current;
    insert into inventory (asset, org, aud, slot, witness, format, name, created, sha256, raw, components, problems,
        added, removed)
    values (which, a.org, a.aud, bit, fleet_take.witness, fleet_take.format, fleet_take.name, fleet_take.created,
        fleet_take.sha256, fleet_take.raw, fleet_take.components, fleet_take.problems, added, removed)
    returning inventory.inventory into inventory;
    if exists (select from marked where rec > 0) then
        insert into fleet_pending values (which) on conflict do nothing;
    end if;
end $$;

-- What public answers about an asset's versions have no exposure yet, with the facts that date them. `was` is the
-- earliest detection of the same flaw in the same package on this asset, among exposures that stood until now: an
-- upgrade to another affected version is no new detection. What marked records say is not for the caller to learn
-- here: the owner's jobs match them.
create function clearway.fleet_missing(which int) returns table (
    pv int, flaw int, verdict smallint, id text,
    kev date, kev_due date, automatable text, impact text, ssvc_dated text, was date)
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare a asset := fleet_asset(which);
begin
    if not exists (select from exposure o where o.asset = which and o.gone is null) then
        return query execute '
            select an.pv, an.flaw, an.verdict, f.id, f.kev, f.kev_due, f.automatable, f.impact, f.ssvc_dated,
                null::date
            from clearway.held h
            join clearway.answer an on an.pv = h.pv and an.verdict < 3
            join clearway.flaw f on f.flaw = an.flaw
            where h.asset = $1' using which;
        return;
    end if;
    return query execute '
        with stood as materialized (
            select o.flaw, ov.ecosystem, ov.name, min(o.detected) as detected
            from clearway.exposure o join clearway.package_version ov on ov.pv = o.pv
            where o.asset = $1 and o.gone is null group by o.flaw, ov.ecosystem, ov.name)
        select an.pv, an.flaw, an.verdict, f.id,
            f.kev, f.kev_due, f.automatable, f.impact, f.ssvc_dated, s.detected
        from clearway.held h
        join clearway.answer an on an.pv = h.pv and an.verdict < 3
        join clearway.package_version v on v.pv = h.pv
        join clearway.flaw f on f.flaw = an.flaw
        left join stood s on s.flaw = an.flaw and s.ecosystem = v.ecosystem and s.name = v.name
        where h.asset = $1 and not exists (
            select from clearway.exposure e where e.asset = $1 and e.pv = an.pv and e.flaw = an.flaw and e.via = 0
                and e.gone is null)' using which;
end $$;

-- The newest decision that holds for each of these exposures is its status: one about the same component of the same
-- asset (and its version, where it names one) that hangs on a record which now says it. For the owner's use.
create function clearway.fleet_settle(which bigint[]) returns int language plpgsql
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

-- Records exposures that `fleet_missing` named, with their dates. What is no longer held or answered ends. The counts
-- are of what public records say.
create function clearway.fleet_expose(
    which int, document bigint, pvs int[], flaws int[], verdicts smallint[], detected date[], hows smallint[],
    dues date[], clocks int[], out appeared bigint[], out ended int)
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare a asset := fleet_asset(which);
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
                select from clearway.answer an where an.pv = e.pv and an.flaw = e.flaw and an.verdict < 3)))
        returning e.via)
        select count(*) from over where via = 0' into ended using which, appeared;
    update inventory i set appeared = cardinality(fleet_expose.appeared), ended = fleet_expose.ended
    where i.inventory = document and i.asset = which;
end $$;

-- An earlier day on which a scan had seen these flaws on an asset: what stands there counts from it. Returns how many.
create function clearway.fleet_detect(which int, ids text[], days date[]) returns int language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare
    a asset := fleet_asset(which);
    n int;
begin
    execute 'update clearway.exposure e set detected = w.day, how = 1, version = e.version + 1
        from unnest($2, $3) as w(id, day) join clearway.flaw f on f.id = w.id
        where e.asset = $1 and e.flaw = f.flaw and e.gone is null and e.via = 0 and e.detected > w.day'
        using which, ids, days;
    get diagnostics n = row_count;
    return n;
end $$;

-- Dates exposures that the caller operates; returns how many changed.
create function clearway.fleet_date(which bigint[], dues date[], clocks int[]) returns int
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    who int := actor();
    orgs int[] := case when who = 0 then null else my_orgs('operate') end;
    n int;
begin
    execute 'update clearway.exposure e set due = w.due, clock = w.clock, version = e.version + 1
        from unnest($1, $2, $3) as w(exposure, due, clock)
        where e.exposure = w.exposure and e.gone is null and ($4 = 0 or e.org = any($5))
            and (e.due, e.clock) is distinct from (w.due, w.clock)' using which, dues, clocks, who, orgs;
    get diagnostics n = row_count;
    return n;
end $$;

-- Gives exposures a status. They must be ones that the caller sees and operates; others are passed over. One decision
-- is kept for each; returns the exposures that changed.
create function clearway.fleet_decide(
    which bigint[], said smallint, why text, detail text, ends date, any_version boolean, by_rule int)
    returns bigint[] language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    who int := actor();
    orgs int[] := case when who = 0 then null else my_orgs('operate') end;
    bits varbit := case when who = 0 then null else my_bits() end;
    done bigint[];
begin
    if who < 0 then raise 'sign in first' using errcode = 'CW403'; end if;
    execute '
        with mine as (
            select e.exposure, e.asset, e.pv, e.org, e.aud, v.ecosystem, v.name,
                coalesce(an.records, array[m.record], array[f.id]) as records
            from clearway.exposure e join clearway.package_version v using (pv)
            join clearway.flaw f on f.flaw = e.flaw
            left join clearway.answer an on e.via = 0 and an.pv = e.pv and an.flaw = e.flaw
            left join clearway.marked m on m.marked = e.via
            where e.exposure = any($1) and e.gone is null
                and ($8 = 0 or (e.org = any($9) and get_bit($10, e.aud) = 1))
            order by e.exposure for update of e),
        old as (
            update clearway.decision d set ended = (select clearway.fleet_now()), ended_why = ''superseded''
            from clearway.exposure e where e.exposure in (select exposure from mine)
                and d.decision = e.decision and d.ended is null and d.pv = e.pv),
        made as (
            insert into clearway.decision (org, aud, asset, ecosystem, name, pv, records, status, justification,
                detail, until, person, rule)
            select org, aud, asset, ecosystem, name, case when $6 then null else pv end, records, $2, $3, $4, $5, $8, $7
            from mine returning decision, asset, ecosystem, name, records, pv),
        put as (
            update clearway.exposure e set status = $2, decision = d.decision, until = $5, version = e.version + 1
            from mine m join made d on d.asset = m.asset and d.ecosystem = m.ecosystem and d.name = m.name
                and d.records = m.records and (d.pv is null or d.pv = m.pv)
            where e.exposure = m.exposure returning e.exposure)
        select coalesce(array_agg(distinct exposure order by exposure), ''{}'') from put'
    into done using which, said, why, detail, ends, any_version, by_rule, who, orgs, bits;
    return done;
end $$;

-- The flaws that public records say of these versions, for who knows their digests.
create function clearway.fleet_flaws(digests bytea[]) returns text[] language sql stable
    security definer set search_path = clearway, pg_temp as $$
    select coalesce(array_agg(distinct f.id), '{}') from unnest(digests) d
    join package_version v on v.digest = d and v.ecosystem <> 'reported'
    join answer a on a.pv = v.pv and a.verdict < 3 join flaw f on f.flaw = a.flaw and f.aud = 0 $$;

-- The dictionary number of a rule that dates: looked up, and made when it is new.
create function clearway.fleet_clock(
    directive text, policy text, retier text, tier text, rank int, "row" int, basis text, forensic boolean)
    returns int language plpgsql security definer set search_path = clearway, pg_temp as $$
declare made int;
begin
    for attempt in 1..2 loop
        select c.clock into made from clock c where (c.directive, c.policy, c.retier, c.tier, c.basis, c.forensic)
            = ($1, $2, $3, $4, $7, $8) and c."row" is not distinct from $6;
        exit when made is not null;
        -- One at a time makes new ones, so that two who need the same several never wait for each other.
        perform pg_advisory_xact_lock(hashtextextended('clearway clock', 0));
    end loop;
    if made is null then
        insert into clock as c (directive, policy, retier, tier, rank, "row", basis, forensic)
        values ($1, $2, $3, $4, $5, $6, $7, $8) returning c.clock into made;
    end if;
    return made;
end $$;
"""

RULES = """
select clearway.govern('clearway.flaw');
select clearway.govern('clearway.marked');
select clearway.govern('clearway.asset', 'operate');
select clearway.govern('clearway.asset_exposure', 'operate', 'statement');
select clearway.govern('clearway.inventory');
select clearway.govern('clearway.held');
select clearway.govern('clearway.decision');
select clearway.govern('clearway.fleet_rule', 'operate');
select clearway.govern('clearway.fleet_setting', 'operate');
select clearway.govern('clearway.exposure');
select clearway.govern('clearway.exposure_history');
select clearway.govern('clearway.version_use');
revoke update, delete on clearway.asset_exposure from clearway_app;

-- Dictionaries: through a row that uses them.
do $$
declare t text;
begin
    foreach t in array array['package_version', 'answer'] loop
        execute format('alter table clearway.%I enable row level security', t);
        execute format('alter table clearway.%I force row level security', t);
        execute format('create policy own on clearway.%I to %I using (true) with check (true)', t, current_user);
        execute format('create policy see on clearway.%I for select to clearway_app using (exists (
            select from clearway.version_use u where u.pv = %I.pv))', t, t);
        execute format('grant select on clearway.%I to clearway_app', t);
    end loop;
    -- Facts of flaws that everybody may read, and the few rules that date.
    foreach t in array array['flaw_redirect', 'clock', 'fleet_state'] loop
        execute format('alter table clearway.%I enable row level security', t);
        execute format('alter table clearway.%I force row level security', t);
        execute format('create policy own on clearway.%I to %I using (true) with check (true)', t, current_user);
        execute format('create policy see on clearway.%I for select to clearway_app using (true)', t);
        execute format('grant select on clearway.%I to clearway_app', t);
    end loop;
end $$;
alter table clearway.flaw_history enable row level security;
alter table clearway.flaw_history force row level security;
do $$
begin
    execute format('create policy own on clearway.flaw_history to %I using (true) with check (true)', current_user);
end $$;
create policy see on clearway.flaw_history for select to clearway_app using (
    exists (select from clearway.flaw f where f.flaw = flaw_history.flaw));
grant select on clearway.flaw_history to clearway_app;

revoke execute on function clearway.fleet_now() from public;
grant execute on function clearway.fleet_now() to clearway_app;
revoke execute on function clearway.keep_exposure_history(), clearway.keep_flaw_history(),
    clearway.follow_asset_marking(), clearway.date_marked_later() from public;
revoke execute on function clearway.fleet_asset(int), clearway.fleet_settle(bigint[]),
    clearway.fleet_take(int, bytea[], text, text, text, text, bytea, bytea, int, text[]),
    clearway.fleet_missing(int),
    clearway.fleet_expose(int, bigint, int[], int[], smallint[], date[], smallint[], date[], int[]),
    clearway.fleet_date(bigint[], date[], int[]), clearway.fleet_detect(int, text[], date[]),
    clearway.fleet_flaws(bytea[]),
    clearway.fleet_decide(bigint[], smallint, text, text, date, boolean, int),
    clearway.fleet_clock(text, text, text, text, int, int, text, boolean) from public;
grant execute on function
    clearway.fleet_take(int, bytea[], text, text, text, text, bytea, bytea, int, text[]),
    clearway.fleet_missing(int),
    clearway.fleet_expose(int, bigint, int[], int[], smallint[], date[], smallint[], date[], int[]),
    clearway.fleet_date(bigint[], date[], int[]), clearway.fleet_detect(int, text[], date[]),
    clearway.fleet_flaws(bytea[]),
    clearway.fleet_decide(bigint[], smallint, text, text, date, boolean, int),
    clearway.fleet_clock(text, text, text, text, int, int, text, boolean) to clearway_app;
"""

TABLES = (
    "fleet_pending, marked_interval, marked, exposure_history, exposure, fleet_setting, fleet_rule, decision, held, "
    "inventory, asset_exposure, asset, clock, fleet_state, answer, flaw_redirect, flaw_history, flaw, version_use, "
    "lookup, package_version, package"
)


def upgrade() -> None:
    """Creates the tables, their rules and their acts."""
    run(DICTIONARIES, ASSETS, EXPOSURES, ACTS, RULES)


def downgrade() -> None:
    """Drops them, and with them every fleet."""
    named = [name.strip() for name in TABLES.split(",")]
    op.execute(
        "drop function clearway.fleet_take(int, bytea[], text, text, text, text, bytea, bytea, int, text[]), "
        "clearway.fleet_missing(int), clearway.fleet_asset(int), "
        "clearway.fleet_expose(int, bigint, int[], int[], smallint[], date[], smallint[], date[], int[]), "
        "clearway.fleet_date(bigint[], date[], int[]), clearway.fleet_detect(int, text[], date[]), "
        "clearway.fleet_settle(bigint[]), "
        "clearway.fleet_flaws(bytea[]), "
        "clearway.fleet_decide(bigint[], smallint, text, text, date, boolean, int), "
        "clearway.fleet_clock(text, text, text, text, int, int, text, boolean)"
    )
    op.execute("drop table " + ", ".join(f"clearway.{name}" for name in named))
    op.execute(
        "drop function clearway.keep_exposure_history(), clearway.keep_flaw_history(), "
        "clearway.follow_asset_marking(), clearway.date_marked_later(), clearway.fleet_now()"
    )
    for name in named:
        op.execute(f"delete from clearway.governed where name in ('clearway.{name}', '{name}')")  # noqa: S608
