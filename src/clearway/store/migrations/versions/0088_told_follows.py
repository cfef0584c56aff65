"""What was told of a thing follows its marking, whatever it is changed to; a triage is seen by whom its asset is."""

from clearway.store.ddl import before, run, standing

revision = "0088"
down_revision = "0087"
branch_labels = None
depends_on = None

# Events and entries of the log have the audience of the moment at which they were told. This is the one place that
# knows under which subjects a thing, and what is derived from it, is spoken of; a trigger on each table whose marking
# can be changed calls it, so that no function that changes one can leave it out.
TOLD = """
create index event_subject on clearway.event (subject);

-- The audience of an organisation's own people.
create function clearway.own_audience(of_org int) returns int language plpgsql set search_path = clearway, pg_temp as $$
begin
    if of_org is null then return null; end if;
    return make_audience(array[make_clause(array[group_of('staff', of_org)], false)]);
end $$;
-- The subjects under which a thing and what is derived from it are told of: the audience that each has now, and whose.
create function clearway.told_of(of_kind text, id bigint, now_aud int, keeper int)
    returns table (subject text, aud int, org int) language plpgsql stable set search_path = clearway, pg_temp as $$
begin
    return query select of_kind || '/' || id, now_aud, keeper;
    if of_kind = 'asset' then
        return query select 'asset/' || id || '/exposures', now_aud, keeper
            union all select 'inventory/' || i.inventory, i.aud::int, i.org from inventory i where i.asset = id
            union all select 'exposure/' || e.exposure, e.aud::int, e.org from exposure e where e.asset = id;
    elsif of_kind = 'marked' then
        return query select 'exposure/' || e.exposure, e.aud::int, e.org from exposure e where e.via = id;
    elsif of_kind = 'directive' then
        return query select 'directive/' || v.directive || '/' || v.version, now_aud, keeper
            from directive_version v where v.version_id = id;
    end if;
end $$;
-- The audience of an entry of the log about what only `bound` may see. Of an organisation's log its own people lose
-- nothing, or an act could be hidden from its auditors: where some of them may not see it, it is theirs alone.
create function clearway.told_fit(was int, bound int, own int) returns int language plpgsql
    set search_path = clearway, pg_temp as $$
begin
    if was = bound or within(was, bound) then return was; end if;
    return meet(array[was, case when own is null or within(own, bound) then bound else own end]);
end $$;
-- Whether an act on several exposures names one of these ("exposure/97"). It may be on more of them than it names: then
-- it may be on these. The text of its JSON is looked at, not read: no content makes this fail, and in somebody's
-- words every quotation mark has a backslash before it.
create function clearway.told_names(content text, those text[]) returns boolean language sql immutable
    set search_path = clearway, pg_temp as $$
    select case
        when content !~ '"exposures": ?[[][0-9, ]*[]]' or content !~ '"count": ?[0-9]{1,9}[,}]' then true
        when substring(content from '"count": ?([0-9]+)')::int > (
            select count(*) from regexp_matches(substring(content from '"exposures": ?[[]([0-9, ]*)'), '[0-9]+', 'g'))
            then true
        else exists (
            select from regexp_matches(substring(content from '"exposures": ?[[]([0-9, ]*)'), '[0-9]+', 'g') n
            join unnest(those) t on t = 'exposure/' || n[1]) end $$;
-- Takes every event, and every entry of the log, about a thing and what is derived from it to an audience of which
-- everybody may see the thing now.
create function clearway.follow_told(of_kind text, id bigint, now_aud int, keeper int) returns void language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare
    subjects text[]; bounds int[]; orgs int[]; owns int[]; several record;
    -- Two authorities may have one name for a directive each.
    by_event constant text := case when of_kind = 'directive' then ' and e.org is not distinct from $3[1]' else '' end;
    by_entry constant text := case when of_kind = 'directive' then ' and (e.content is null
        or strpos(e.content, ''"organisation":'' || (
            select to_json(o.slug) from clearway.organisation o where o.org = $3[1])) > 0)' else '' end;
begin
    select array_agg(t.subject), array_agg(t.aud), array_agg(t.org) into subjects, bounds, orgs
    from told_of(of_kind, id, now_aud, keeper) t;
    select array_agg(w.own order by n.ord) into owns
    from unnest(orgs) with ordinality as n(org, ord)
    left join (select d.org, own_audience(d.org) as own from (select distinct unnest(orgs) as org) d) w using (org);
    -- By EXECUTE: planned for as many subjects as there are.
    execute 'update clearway.event e set aud = clearway.meet(array[e.aud::int, b.aud])
        from unnest($1, $2) as b(subject, aud) where e.subject = b.subject and e.aud <> b.aud
            and not clearway.within(e.aud, b.aud)' || by_event using subjects, bounds, orgs;
    execute 'update clearway.log_entry e set aud = clearway.told_fit(e.aud, b.aud, b.own)
        from unnest($1, $2, $4) as b(subject, aud, own) where e.subject = b.subject and e.aud <> b.aud
            and e.aud <> clearway.told_fit(e.aud, b.aud, b.own)' || by_entry using subjects, bounds, orgs, owns;
    -- What was decided of several exposures at once.
    for several in select b.aud as bound, b.org, b.own, array_agg(b.subject) as those
            from unnest(subjects, bounds, orgs, owns) as b(subject, aud, org, own)
            where b.subject ^@ 'exposure/' group by 1, 2, 3 loop
        execute 'update clearway.event e set aud = clearway.meet(array[e.aud::int, $1]) where e.subject = $2
                and not clearway.within(e.aud, $1) and clearway.told_names(e.body::text, $3)'
            using several.bound, 'org/' || several.org || '/exposures', several.those;
        execute 'update clearway.log_entry e set aud = clearway.told_fit(e.aud, $1, $4) where e.subject = $2
                and e.aud <> clearway.told_fit(e.aud, $1, $4)
                and coalesce(clearway.told_names(e.content, $3), true)'
            using several.bound, 'org/' || several.org || '/exposures', several.those, several.own;
    end loop;
end $$;
create function clearway.told_follows_marking() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    if not same_audience(old.aud, new.aud) then
        perform follow_told(tg_argv[0], (to_jsonb(new) ->> tg_argv[1])::bigint, new.aud, coalesce(new.org, house()));
    end if;
    return null;
end $$;
-- Its name comes after those of the triggers that take derived rows along: triggers run in the order of their names.
do $$
declare g record;
begin
    for g in select name, kind, key_column from clearway.governed where kind is not null loop
        execute format('create trigger told_follows_marking after update of aud on %s for each row
            when (old.aud is distinct from new.aud) execute function clearway.told_follows_marking(%L, %L)',
            case when strpos(g.name, '.') > 0 then g.name else 'clearway.' || g.name end, g.kind, g.key_column);
    end loop;
end $$;
"""

TRIAGES = """
-- The audience of a triage that is `marked` so: of whom may also see the asset of the fleet that it is about.
create function clearway.triage_audience(of_org int, asset text, marked int) returns int language plpgsql
    set search_path = clearway, pg_temp as $$
declare bound int;
begin
    if asset ~* '^\\s*asset/[0-9]{1,9}\\s*$' then
        select a.aud into bound from asset a
        where a.asset = substring(triage_audience.asset from '[0-9]+')::int and a.org = of_org for share;
    end if;
    if bound is null or within(marked, bound) then return marked; end if;
    return meet(array[marked, bound]);
end $$;
create function clearway.triage_under_asset() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    new.aud := triage_audience(new.org, new.asset, new.aud);
    return new;
end $$;
create trigger under_asset before insert on clearway.triage
    for each row execute function clearway.triage_under_asset();
-- Triages of an asset go with it. One that was narrowed by itself stays as narrow.
create function clearway.follow_asset_triages() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare own int; was int; t record;
begin
    for t in select triage, aud::int from triage
            where org = new.org and asset ~* ('^\\s*asset/0*' || new.asset || '\\s*$') order by triage for update loop
        own := coalesce(own, own_audience(new.org));
        was := coalesce(was, meet(array[own, old.aud::int]));
        update triage set aud = meet(array[case when same_audience(t.aud, was) then own else t.aud end, new.aud::int])
        where triage = t.triage;
    end loop;
    return null;
end $$;
create trigger follow_marking_triages after update of aud on clearway.asset
    for each row when (old.aud is distinct from new.aud) execute function clearway.follow_asset_triages();
"""

VERSIONS = """
-- Versions that an asset holds whose marking was changed, in the audience that it had: who may read their names by
-- that may do so no longer, unless something else of that audience has them (owner only).
create table clearway.version_left (
    pv int not null,
    was clearway.audience_id not null,
    primary key (pv, was)
);
create function clearway.leave_versions() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    if tg_table_name = 'asset' then
        insert into version_left select h.pv, old.aud from held h where h.asset = new.asset
            union select e.pv, old.aud from exposure e where e.asset = new.asset and e.via = 0
            union select v.pv, meet(array[old.aud::int, m.aud::int]) from (
                select distinct e.pv, e.via from exposure e where e.asset = new.asset and e.via <> 0) v
                join marked m on m.marked = v.via
        on conflict do nothing;
    else
        insert into version_left select v.pv, meet(array[v.aud, old.aud::int]) from (
            select distinct e.pv, a.aud::int as aud from exposure e join asset a using (asset)
            where e.via = new.marked) v
        on conflict do nothing;
    end if;
    return null;
end $$;
create trigger leave_versions after update of aud on clearway.asset
    for each row when (old.aud is distinct from new.aud) execute function clearway.leave_versions();
create trigger leave_versions after update of aud on clearway.marked
    for each row when (old.aud is distinct from new.aud) execute function clearway.leave_versions();
"""

# What was told before this step, and triages that were opened before it.
BEFORE = """
update clearway.triage t set aud = clearway.triage_audience(t.org, t.asset, t.aud)
where t.asset ~* '^\\s*asset/[0-9]{1,9}\\s*$' and t.aud <> clearway.triage_audience(t.org, t.asset, t.aud);
do $$
declare g record; row record; those bigint[];
begin
    for g in select regexp_replace(name, '^clearway[.]', '') as name, kind, key_column from clearway.governed
            where kind is not null loop
        those := array(select distinct substring(e.subject from '[0-9]+$')::bigint from clearway.log_entry e
            where e.act = 'marking.changed' and e.subject ~ ('^' || g.kind || '/[0-9]{1,18}$'));
        for row in execute format('select %1$I::bigint as id, aud::int, coalesce(org, clearway.house()) as org
                from clearway.%2$I where %1$I = any($1) order by 1', g.key_column, g.name) using those loop
            perform clearway.follow_told(g.kind, row.id, row.aud, row.org);
        end loop;
        if g.kind = 'asset' then
            insert into clearway.version_left select u.pv, u.aud from clearway.version_use u
            where u.pv in (select h.pv from clearway.held h where h.asset = any(those)
                    union select e.pv from clearway.exposure e where e.asset = any(those))
                and not exists (select from clearway.held h where h.aud = u.aud and h.pv = u.pv);
        end if;
    end loop;
end $$;
"""

RIGHTS = """
revoke execute on function clearway.own_audience(int), clearway.told_of(text, bigint, int, int),
    clearway.told_fit(int, int, int), clearway.told_names(text, text[]),
    clearway.follow_told(text, bigint, int, int), clearway.told_follows_marking(),
    clearway.triage_audience(int, text, int), clearway.triage_under_asset(),
    clearway.follow_asset_triages(), clearway.leave_versions() from public;
"""

_FOLLOWED = """    if narrower and not within(now_aud, wanted) then
        -- What was told of it while it was wider is for whom it is now. Of its log the keeper's own people lose
        -- nothing, or an act could be hidden from their auditors.
        logged := case when within(own_aud, wanted) then wanted else own_aud end;
        update event e set aud = wanted where e.subject = subj and e.aud <> wanted and within(now_aud, e.aud);
        update log_entry e set aud = logged where e.subject = subj and e.aud <> logged
            and within(now_aud, e.aud) and within(logged, e.aud);
    end if;
"""
_GUARD = """    if which_kind = 'marked' and wanted = 0 then"""
_GUARDED = f"""    if which_kind = 'triage' and exists (select from triage t
            where t.triage = id and triage_audience(t.org, t.asset, wanted) <> wanted) then
        raise 'it says what its asset does: it is for those alone who may see that' using errcode = 'CW409';
    end if;
{_GUARD}"""


def _remade(name: str, *changes: tuple[str, str]) -> str:
    text = standing(name)
    for was, becomes in changes:
        assert text.count(was) == 1, (name, was)
        text = text.replace(was, becomes)
    return text


def upgrade() -> None:
    run(
        TOLD,
        TRIAGES,
        VERSIONS,
        _remade(
            "remark", (_FOLLOWED, ""), (" own_aud int; logged int; subj text;", " own_aud int; subj text;")
        ),
        # It locks the asset while it looks.
        _remade("marking_guard", (_GUARD, _GUARDED), (" STABLE", " VOLATILE")),
        RIGHTS,
        BEFORE,
    )


def downgrade() -> None:
    run(
        "do $$ declare g record; begin\n"
        "    for g in select tgrelid::regclass as tab from pg_trigger where tgname = 'told_follows_marking' loop\n"
        "        execute format('drop trigger told_follows_marking on %s', g.tab);\n"
        "    end loop;\n"
        "end $$",
        "drop trigger leave_versions on clearway.asset",
        "drop trigger leave_versions on clearway.marked",
        "drop trigger follow_marking_triages on clearway.asset",
        "drop trigger under_asset on clearway.triage",
        before("0012_lowering", "marking_guard"),
        _remade(
            "remark",
            ("    perform log_put('marking.changed'", f"{_FOLLOWED}    perform log_put('marking.changed'"),
            (" own_aud int; subj text;", " own_aud int; logged int; subj text;"),
        ),
        "drop function clearway.leave_versions(), clearway.follow_asset_triages(), clearway.triage_under_asset(), "
        "clearway.triage_audience(int, text, int), clearway.told_follows_marking(), "
        "clearway.follow_told(text, bigint, int, int), clearway.told_names(text, text[]), "
        "clearway.told_fit(int, int, int), clearway.told_of(text, bigint, int, int), clearway.own_audience(int)",
        "drop table clearway.version_left",
        "drop index clearway.event_subject",
    )
