"""A kept answer is not given again to who lost sight of something by another marking since."""

from clearway.store.ddl import changed, run

revision = "0109"
down_revision = "0108"
branch_labels = None
depends_on = None

TABLE = """
-- That a row of one audience was given another which not everybody is in who was in the first, or that a newer version
-- of a record has such a one. What follows it (an asset's exposures, its triages, what a record says) is for the
-- meeting of its parents' audiences, so that this says of it too.
create table clearway.remarked (
    remarked bigint generated always as identity primary key,
    was int not null,
    became int not null,
    by_xact xid8 not null default pg_current_xact_id(),
    at timestamptz not null default clock_timestamp()
);
create index remarked_at on clearway.remarked (at);
-- What the work that an answer tells of could read at its earliest. Answers without it are of the step before.
alter table clearway.idempotency add column reading pg_snapshot;
alter table clearway.idempotency alter column reading set default pg_current_snapshot();
-- Whether a row that the caller's audiences could see went to one that they can't, after `since`, or in the hour before
-- by a transaction that `reading` did not see: it was under way still. Numbers alone would tell nothing in a database
-- that was restored, which counts its transactions anew.
create function clearway.lost_since(reading pg_snapshot, since timestamptz) returns boolean language sql stable
    parallel safe security definer
begin atomic
    select reading is null or exists (
        select from clearway.remarked r, (select clearway.my_bits() as bits) m
        where r.at > since - interval '1 hour' and (r.at > since or not pg_visible_in_snapshot(r.by_xact, reading))
            and case when r.was < length(m.bits) then get_bit(m.bits, r.was) = 1 else false end
            and case when r.became < length(m.bits) then get_bit(m.bits, r.became) = 0 else true end);
end;
-- The audiences of either; new ones are added at the end.
create function clearway.either_sight(one varbit, other varbit) returns varbit language sql immutable strict
    parallel safe
begin atomic
    select (one || repeat('0', greatest(0, length(other) - length(one)))::varbit)
        | (other || repeat('0', greatest(0, length(one) - length(other)))::varbit);
end;
revoke all on function clearway.lost_since(pg_snapshot, timestamptz) from public;
revoke all on function clearway.either_sight(varbit, varbit) from public;
grant execute on function clearway.lost_since(pg_snapshot, timestamptz), clearway.either_sight(varbit, varbit)
    to clearway_app;
create function clearway.version_marked_away() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    insert into remarked (was, became)
    select distinct m.aud, new.aud from marked m
    where m.source = new.source and m.record = new.record and m.marked < new.marked and not within(m.aud, new.aud);
    return null;
end $$;
create trigger version_marked_away after insert on clearway.marked
    for each row execute function clearway.version_marked_away();
revoke execute on function clearway.version_marked_away() from public;
"""
_GUARD = "    perform marking_guard(rule.kind, id, wanted);\n"
_KEPT = f"""{_GUARD}    if not within(now_aud, wanted) then
        insert into remarked (was, became) values (now_aud, wanted);
    end if;
"""  # noqa: S608 - of constants


def upgrade() -> None:
    run(TABLE, changed("remark", (_GUARD, _KEPT, 1)))


def downgrade() -> None:
    run(
        changed("remark", (_KEPT, _GUARD, 1)),
        "drop trigger version_marked_away on clearway.marked",
        "drop function clearway.version_marked_away(), clearway.lost_since(pg_snapshot, timestamptz), "
        "clearway.either_sight(varbit, varbit)",
        "alter table clearway.idempotency drop column reading",
        "drop table clearway.remarked",
    )
