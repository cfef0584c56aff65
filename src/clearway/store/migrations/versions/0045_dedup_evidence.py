"""What of evidence makes keys, acts that are undone in any order, and two acts that say the same."""

from clearway.store.ddl import before, run

revision = "0045"
down_revision = "0042"
branch_labels = None
depends_on = None

TABLES = """
-- Whether a proof ran under our harness on files that the desk knows, and how much of its log, from the first byte on,
-- is the sanitizer's own report: what keys are made of.
alter table clearway.validation add column uncapped boolean not null default false;
alter table clearway.validation add column reported int not null default 0 check (reported >= 0);
update clearway.validation set uncapped = true where state = 'done' and level >= 2;
-- What speaks of a finding besides its facts, as a number that grows with each change of it.
alter table clearway.finding_keyed add column evidence bigint not null default -1;
-- Two acts may say the same of two findings: while one of them is undone, the other stands.
drop index clearway.finding_edge_standing;
create unique index finding_edge_standing on clearway.finding_edge (one, other, verdict, basis, coalesce(act, 0))
    where revoked is null;
create index finding_edge_revoked_act on clearway.finding_edge (revoked_act) where revoked_act is not null;
-- Which act undoes which; an undo that is undone itself leaves what it undid as it was.
create table clearway.finding_undo (
    act bigint primary key,
    undid bigint not null check (undid < act),
    at timestamptz not null default clock_timestamp(),
    by_person int not null default clearway.actor()
);
create index finding_undo_undid on clearway.finding_undo (undid);
alter table clearway.finding_undo enable row level security;
alter table clearway.finding_undo force row level security;
do $$ begin
    execute format('create policy own on clearway.finding_undo to %I using (true) with check (true)', current_user);
end $$;
"""

FUNCTIONS = """
-- The number of the act that undoes another; by the desk.
create function clearway.undo_edge_act(undoes bigint) returns bigint language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare made bigint;
begin
    if not is_desk() then raise 'the desk says what is one flaw' using errcode = 'CW403'; end if;
    made := nextval('clearway.finding_edge_acts');
    insert into finding_undo (act, undid) values (made, undoes);
    return made;
end $$;
-- Which acts undo which, of all that hang together with these; for the desk.
create function clearway.edge_undos(of_acts bigint[]) returns table (act bigint, undid bigint) language plpgsql stable
    security definer set search_path = clearway, pg_temp as $$
begin
    if not is_desk() then raise 'the desk says what is one flaw' using errcode = 'CW403'; end if;
    return query with recursive met (n) as (
        select unnest(of_acts)
        union select v.n from met m join finding_undo u on m.n in (u.act, u.undid)
        cross join lateral (values (u.act), (u.undid)) v (n))
    select u.act, u.undid from finding_undo u where u.act in (select m.n from met m);
end $$;
revoke execute on function clearway.undo_edge_act(bigint), clearway.edge_undos(bigint[]) from public;
grant execute on function clearway.undo_edge_act(bigint), clearway.edge_undos(bigint[]) to clearway_app;
"""

_ADD = ("add_finding_edge", "and e.basis = by_what and e.revoked is null")


def upgrade() -> None:
    """Adds the columns, the table and its functions."""
    run(TABLES, FUNCTIONS)
    text = before("0018_dedup", _ADD[0])
    assert text.count(_ADD[1]) == 1
    run(text.replace(_ADD[1], f"{_ADD[1]} and e.act is not distinct from part_of"))


def downgrade() -> None:
    """Takes them back; of what several acts say, the first stands."""
    run(
        before("0018_dedup", _ADD[0]),
        """
update clearway.finding_edge e set revoked = clock_timestamp(), revoked_by = 0, revoked_why = 'said twice'
where e.revoked is null and exists (select from clearway.finding_edge f where f.revoked is null and f.edge < e.edge
    and (f.one, f.other, f.verdict, f.basis) = (e.one, e.other, e.verdict, e.basis));
drop index clearway.finding_edge_standing;
create unique index finding_edge_standing on clearway.finding_edge (one, other, verdict, basis) where revoked is null;
drop index clearway.finding_edge_revoked_act;
drop function clearway.undo_edge_act(bigint), clearway.edge_undos(bigint[]);
drop table clearway.finding_undo;
alter table clearway.finding_keyed drop column evidence;
alter table clearway.validation drop column uncapped, drop column reported;
""",
    )
