"""That no flaw is in two open cases is held by the database itself, whoever says what is one flaw, and how."""

from clearway.store.ddl import before, run, standing

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None

# What was changed in this transaction is looked at once, at its end or when `set constraints` asks for it: an act may
# be of many edges, and only all of them together say which findings are one. The lock of `hold_flaws` is kept until
# then, so that what is looked at is what stands; and it is of no use to who reads as of an earlier moment.
TABLES = """
-- Findings of which something was said in this transaction: none of others, which wait for the lock.
create table clearway.flaw_touched (finding bigint primary key references clearway.finding on delete cascade);
alter table clearway.flaw_touched enable row level security;
alter table clearway.flaw_touched force row level security;
do $$ begin
    execute format('create policy own on clearway.flaw_touched to %I using (true) with check (true)', current_user);
end $$;
alter table clearway.flaw_lock add column most int not null default 5000;  -- findings that are followed for a group
"""

GROUPS = """
create or replace function clearway.hold_flaws() returns void language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    if not is_desk() then raise 'the desk says what is one flaw' using errcode = 'CW403'; end if;
    if current_setting('transaction_isolation') <> 'read committed' then
        raise 'what is one flaw is said in a transaction that is read committed' using errcode = 'CW409';
    end if;
    perform from flaw_lock for update;
end $$;
-- The findings that hang together with these by what says `same`, themselves first; no more than `most`.
create function clearway.flaw_reach(of_findings bigint[], most int) returns setof bigint language sql stable
    set search_path = clearway, pg_temp as $$
    with recursive met (finding) as (
        select unnest(of_findings)
        union select n.finding from met m cross join lateral (
            select e.other from finding_edge e where e.one = m.finding and e.revoked is null and e.verdict = 'same'
            union all select e.one from finding_edge e
            where e.other = m.finding and e.revoked is null and e.verdict = 'same') n (finding))
    select finding from met limit most $$;
-- The groups of these findings, each named by its least: as findings/dedup/cluster.py has them. A person's word is read
-- before a cross-run's, and that before a key's; of each, what keeps apart before what joins. `kept` holds pairs of
-- groups that may not become one, the lesser in the upper half.
create function clearway.flaw_groups(of_findings bigint[]) returns table (finding bigint, flaw bigint)
    language plpgsql stable set search_path = clearway, pg_temp as $$
declare
    met bigint[] := array(select distinct u.n from unnest(of_findings) u (n) order by u.n);
    label int[] := array(select generate_series(1, cardinality(met)));
    kept bigint[] := '{}';
    e record; l int; g int;
begin
    for e in
        select distinct case d.basis when 'person' then 0 when 'cross-run' then 1 else 2 end as whose,
            d.verdict = 'same' as joins, least(a.n, b.n)::int as a, greatest(a.n, b.n)::int as b
        from unnest(met) with ordinality a (finding, n)
        join finding_edge d on d.one = a.finding and d.revoked is null
            and d.verdict in ('same', 'different', 'contains')
        join unnest(met) with ordinality b (finding, n) on b.finding = d.other
        order by 1, 2, 3, 4
    loop
        l := least(label[e.a], label[e.b]);
        g := greatest(label[e.a], label[e.b]);
        continue when l = g;
        if not e.joins then
            kept := kept || ((l::bigint << 32) | g);
        elsif not ((l::bigint << 32) | g) = any(kept) then
            label := array_replace(label, g, l);
            if cardinality(kept) > 0 then
                kept := array(select distinct (least(s.x, s.y) << 32) | greatest(s.x, s.y) from (
                    select case k >> 32 when g then l else k >> 32 end as x,
                        case k & 4294967295 when g then l else k & 4294967295 end as y
                    from unnest(kept) k) s);
            end if;
        end if;
    end loop;
    return query select met[n], met[label[n]] from generate_subscripts(met, 1) n;
end $$;
revoke execute on function clearway.flaw_reach(bigint[], int), clearway.flaw_groups(bigint[]) from public;
"""

APART = """
create function clearway.flaw_touch() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    perform hold_flaws();
    if tg_table_name = 'finding_edge' then
        insert into flaw_touched values (new.one), (new.other) on conflict do nothing;
    elsif tg_table_name = 'finding' then
        insert into flaw_touched values (new.finding) on conflict do nothing;
    else
        insert into flaw_touched select f.finding from finding f where f.case_id = new.case_id on conflict do nothing;
    end if;
    return null;
end $$;
-- Makes what a run or a key says of two findings something that is to be looked at.
create function clearway.flaw_likely(which bigint, because text) returns void language plpgsql
    set search_path = clearway, pg_temp as $$
declare e finding_edge;
begin
    select * into e from finding_edge where edge = which;
    perform revoke_finding_edge(which, because);
    perform add_finding_edge(e.one, e.other, 'likely', e.basis, e.score, left(e.reason, 1900) || '; ' || because);
end $$;
-- A person is refused. To the desk's jobs, which say what runs and keys show, nobody listens: what would bring two open
-- cases together becomes `likely`, the newest first, for a coordinator to decide; what persons have said stands.
create function clearway.flaw_apart() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare touched bigint[]; met bigint[]; bound int; cases bigint[]; named text; which bigint;
begin
    if not exists (select from flaw_touched t where t.finding = new.finding) then return null; end if;
    with gone as (delete from flaw_touched returning finding) select array_agg(gone.finding) into touched from gone;
    select cardinality(touched) + l.most into bound from flaw_lock l;
    met := array(select flaw_reach(touched, bound + 1));
    if cardinality(met) > bound then
        if actor() <> 0 then
            raise 'too much is joined to it' using errcode = 'CW409', hint = 'split it into its parts first';
        end if;
        perform flaw_likely(e.edge, 'more is joined to them than can be looked at') from finding_edge e
        where e.revoked is null and e.verdict = 'same' and e.basis <> 'person' and e.one = any(touched)
            and e.other = any(touched) and e.at >= transaction_timestamp();
        return null;
    end if;
    while (select count(distinct f.case_id) > 1 from finding f join desk_case c on c.case_id = f.case_id
        where f.finding = any(met) and c.closed is null)
    loop
        if actor() <> 0 then
            select array_agg(distinct c.case_id) into cases from flaw_groups(met) g
            join finding f on f.finding = g.finding join desk_case c on c.case_id = f.case_id and c.closed is null
            group by g.flaw having count(distinct c.case_id) > 1 limit 1;
            if cases is null then return null; end if;
            select string_agg(s.handling, ', ' order by s.handling) into named from (select c.handling from desk_case c
                where c.case_id = any(cases) and get_bit(my_bits(), c.aud) = 1 order by c.handling limit 10) s;
            raise 'the same flaw would be in % open cases%', cardinality(cases), coalesce(': ' || named, '')
                using errcode = 'CW409',
                hint = 'take the findings out of all but one of them, close it, or split them off, first';
        end if;
        with g as materialized (select * from flaw_groups(met)),
            twice as (select g.flaw from g join finding f on f.finding = g.finding
                join desk_case c on c.case_id = f.case_id and c.closed is null
                group by g.flaw having count(distinct c.case_id) > 1)
        select e.edge into which from finding_edge e join g a on a.finding = e.one
            join g b on b.finding = e.other and b.flaw = a.flaw
        where a.flaw in (select flaw from twice) and e.revoked is null and e.verdict = 'same' and e.basis <> 'person'
        order by e.basis = 'cross-run', e.edge desc limit 1;
        if which is null then return null; end if;
        perform flaw_likely(which, 'they are in two open cases');
    end loop;
    return null;
end $$;
revoke execute on function clearway.flaw_touch(), clearway.flaw_likely(bigint, text), clearway.flaw_apart() from public;
create trigger flaw_touch after insert or update of revoked on clearway.finding_edge for each row
    when (new.verdict in ('same', 'different', 'contains')) execute function clearway.flaw_touch();
create trigger flaw_touch_new after insert on clearway.finding for each row
    when (new.case_id is not null) execute function clearway.flaw_touch();
create trigger flaw_touch after update of case_id on clearway.finding for each row
    when (new.case_id is not null and new.case_id is distinct from old.case_id) execute function clearway.flaw_touch();
create trigger flaw_touch after update of closed on clearway.desk_case for each row
    when (new.closed is null and old.closed is not null) execute function clearway.flaw_touch();
create constraint trigger flaw_apart after insert on clearway.flaw_touched deferrable initially deferred
    for each row execute function clearway.flaw_apart();
"""
APART_BEFORE = """
drop trigger flaw_touch on clearway.finding_edge;
drop trigger flaw_touch_new on clearway.finding;
drop trigger flaw_touch on clearway.finding;
drop trigger flaw_touch on clearway.desk_case;
drop table clearway.flaw_touched;
drop function clearway.flaw_apart(), clearway.flaw_likely(bigint, text), clearway.flaw_touch(),
    clearway.flaw_groups(bigint[]), clearway.flaw_reach(bigint[], int);
alter table clearway.flaw_lock drop column most;
"""

# A case that is opened again is taken after the lock, as by all others.
MOVE = (
    ("    c desk_case := locked_case(which);", "    c desk_case;"),
    ("begin\n", "begin\n    if of_machine = 'case' and is_desk() then perform hold_flaws(); end if;\n"
     "    c := locked_case(which);\n"),
)  # fmt: skip


def upgrade() -> None:
    move = standing("move_case")
    for old, new in MOVE:
        assert move.count(old) == 1, old
        move = move.replace(old, new)
    run(TABLES, GROUPS, APART, move)


def downgrade() -> None:
    move = standing("move_case")
    for old, new in MOVE:
        move = move.replace(new, old)
    held = before("0055_one_case", "hold_flaws").replace(
        "perform pg_advisory_xact_lock(hashtextextended('clearway flaws', 0));",
        "perform from flaw_lock for update;",
    )
    run(move, APART_BEFORE, held)
