"""Feeds that are pulled, and how each stands."""

from alembic import op

from clearway.store.ddl import run

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES = """
-- One feed as the operator added it, and what is remembered between pulls. Its records stand in `record`
-- whatever becomes of it here.
create table clearway.feed (
    name text primary key check (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    layout text not null check (layout in ('osv', 'kev', 'cve', 'epss', 'csaf', 'file')),
    url text not null check (length(url) between 1 and 4096),
    options jsonb not null default '{}',
    mirrors jsonb not null default '[]',
    every_s int not null check (every_s > 0),
    stale_after_s int not null check (stale_after_s > 0),
    oldest_s int not null default 0 check (oldest_s >= 0),
    state jsonb not null default '{}',
    added timestamptz not null,
    tried timestamptz,
    good timestamptz,
    changed timestamptz,
    dated text not null default '',
    entries bigint not null default 0,
    error text not null default '',
    failures int not null default 0,
    failing_since timestamptz,
    alarmed text not null default '',  -- of what somebody was told already: failing, stale
    not_before timestamptz
);

create table clearway.feed_run (
    run bigint generated always as identity primary key,
    feed text not null references clearway.feed on delete cascade,
    started timestamptz not null,
    ended timestamptz,
    result text not null default 'running'
        check (result in ('running', 'taken', 'unchanged', 'refused', 'failed')),
    error text not null default '',
    size_bytes bigint not null default 0,
    requests int not null default 0,
    counts jsonb not null default '{}',  -- read, new, changed, unchanged, skipped, set_aside
    notes jsonb not null default '[]'
);
create index feed_run_feed on clearway.feed_run (feed, run);

-- One document of a feed that consists of many: by which stamp a change of it is seen, or why it was left out.
create table clearway.feed_item (
    feed text not null references clearway.feed on delete cascade,
    item text not null check (length(item) <= 2000),
    stamp text not null default '',
    problem text not null default '',
    primary key (feed, item)
);
create index feed_item_problem on clearway.feed_item (feed) where problem <> '';

-- How feeds stand is for everybody who is signed in; where they are fetched from is the operator's business.
do $$
declare t text;
begin
    foreach t in array array['feed', 'feed_run', 'feed_item'] loop
        execute format('alter table clearway.%I enable row level security', t);
        execute format('alter table clearway.%I force row level security', t);
        execute format('create policy own on clearway.%I to %I using (true) with check (true)', t, current_user);
    end loop;
end $$;
create policy see on clearway.feed for select to clearway_app using ((select clearway.me()) > 0);
create policy see on clearway.feed_run for select to clearway_app using ((select clearway.me()) > 0);
create policy see on clearway.feed_item for select to clearway_app using ((select clearway.me()) > 0);
grant select (name, layout, every_s, stale_after_s, oldest_s, added, tried, good, changed, dated, entries, error,
    failures, failing_since, not_before) on clearway.feed to clearway_app;
grant select (run, feed, started, ended, result, error, size_bytes, requests, counts) on clearway.feed_run
    to clearway_app;
grant select (feed, problem) on clearway.feed_item to clearway_app;
"""


def upgrade() -> None:
    """Creates the tables of feeds."""
    run(TABLES)


def downgrade() -> None:
    """Drops them. What was taken in from feeds stands."""
    op.execute("drop table clearway.feed_item, clearway.feed_run, clearway.feed")
