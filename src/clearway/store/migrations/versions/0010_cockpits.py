"""What the pages of data, search and directives need beside the rooms' own tables; and when digests were sent."""

from alembic import op

from clearway.store.ddl import run

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLES = """
-- How far each follower of the index has come (owner only): a generation of the compiled table, a number of an event.
create table clearway.search_follower (
    name text primary key,
    reached text not null
);
-- The last digest of each person (owner only): none is sent twice for one period.
create table clearway.digest_sent (
    person int primary key references clearway.person on delete cascade,
    period text not null,
    at timestamptz not null default clock_timestamp()
);
-- Who may not administer this installation is refused by the task itself.
insert into clearway.job_allowed (task, own) values ('feeds.pull_now', false);
"""

FUNCTIONS = """
-- Whether the caller administers this installation: the organisation that runs it.
create function clearway.may_house() returns boolean language sql stable security definer
    set search_path = clearway, pg_temp as $$
    select exists (select from organisation o where o.house and o.active and may('administer', o.org)) $$;
-- What was set aside quotes places and values of records of which nobody knows the marking: it is for who runs this.
alter table clearway.set_aside enable row level security;
alter table clearway.set_aside force row level security;
do $$ begin
    execute format('create policy own on clearway.set_aside to %I using (true) with check (true)', current_user);
end $$;
create policy see on clearway.set_aside for select to clearway_app using ((select clearway.may_house()));
grant select on clearway.set_aside to clearway_app;
create index set_aside_received on clearway.set_aside (received, id);
-- How many there are is for everybody who is signed in: a gap in the data that is not told is a false answer.
create function clearway.set_aside_count() returns bigint language sql stable security definer
    set search_path = clearway, pg_temp as $$
    select case when me() > 0 then (select count(*) from set_aside) end $$;
-- What is marked anew is found by its new readers alone, from the same commit on.
create function clearway.search_follows_marking() returns trigger language plpgsql security definer
    set search_path = clearway, pg_temp as $$
begin
    update search_doc set aud = new.aud
    where kind = tg_argv[0] and ref = to_jsonb(new) ->> tg_argv[1] and org = new.org;
    return null;
end $$;
create trigger search_follows_marking after update of aud on clearway.asset for each row
    when (old.aud is distinct from new.aud) execute function clearway.search_follows_marking('asset', 'asset');
create trigger search_follows_marking after update of aud on clearway.triage for each row
    when (old.aud is distinct from new.aud) execute function clearway.search_follows_marking('triage', 'triage');
create trigger search_follows_marking after update of aud on clearway.directive_report for each row
    when (old.aud is distinct from new.aud) execute function clearway.search_follows_marking('report', 'report');
create trigger search_follows_marking after update of aud on clearway.directive_version for each row
    when (old.aud is distinct from new.aud)
    execute function clearway.search_follows_marking('directive', 'version_id');
revoke execute on function clearway.may_house(), clearway.set_aside_count(), clearway.search_follows_marking()
    from public;
grant execute on function clearway.may_house(), clearway.set_aside_count() to clearway_app;
"""


def upgrade() -> None:
    """Creates the tables and functions."""
    run(TABLES, FUNCTIONS)


def downgrade() -> None:
    """Drops them."""
    for table in ("asset", "triage", "directive_report", "directive_version"):
        op.execute(f"drop trigger search_follows_marking on clearway.{table}")
    op.execute("drop policy see on clearway.set_aside")
    op.execute("drop policy own on clearway.set_aside")
    op.execute("alter table clearway.set_aside no force row level security")
    op.execute("revoke select on clearway.set_aside from clearway_app")
    op.execute("alter table clearway.set_aside disable row level security")
    op.execute("drop index clearway.set_aside_received")
    op.execute("drop function clearway.search_follows_marking()")
    op.execute("drop function clearway.set_aside_count()")
    op.execute("drop function clearway.may_house()")
    op.execute("delete from clearway.job_allowed where task = 'feeds.pull_now'")
    op.execute("drop table clearway.digest_sent, clearway.search_follower")
