"""With which fixes two findings were cross-run: a new one, of either or of the same flaw, starts the run anew."""

from clearway.store.ddl import run

revision = "0075"
down_revision = "0074"
branch_labels = None
depends_on = None

CROSSED = """
create table clearway.finding_crossed (
    one bigint not null references clearway.finding on delete cascade,
    other bigint not null references clearway.finding on delete cascade,
    rule text not null check (length(rule) <= 60),
    fixes text[] not null check (cardinality(fixes) <= 100),  -- finding:recipe:patch of each that had reached E3
    at timestamptz not null default clock_timestamp(),
    primary key (one, other),
    check (one < other)
);
create index finding_crossed_other on clearway.finding_crossed (other);
alter table clearway.finding_crossed enable row level security;
alter table clearway.finding_crossed force row level security;
do $$ begin
    execute format('create policy own on clearway.finding_crossed to %I using (true) with check (true)', current_user);
end $$;
"""


def upgrade() -> None:
    """Adds the table; pairs that were run before are run again by the present rule."""
    run(CROSSED)


def downgrade() -> None:
    """Drops it."""
    run("drop table clearway.finding_crossed;")
