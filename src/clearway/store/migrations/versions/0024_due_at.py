"""A due date that lists are ordered and bounded by: a column passes below a row-level policy, an expression doesn't."""

from clearway.store.ddl import run

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run(
        """
drop index clearway.exposure_due, clearway.exposure_due_all;
-- Without a date: after all others.
alter table clearway.exposure add column due_at date not null
    generated always as (coalesce(due, 'infinity'::date)) stored;
create index exposure_due on clearway.exposure (aud, due_at, exposure) where gone is null;
create index exposure_due_all on clearway.exposure (due_at, exposure) where gone is null;
"""
    )


def downgrade() -> None:
    run(
        """
alter table clearway.exposure drop column due_at;
create index exposure_due on clearway.exposure (aud, coalesce(due, 'infinity'::date), exposure) where gone is null;
create index exposure_due_all on clearway.exposure (coalesce(due, 'infinity'::date), exposure) where gone is null;
"""
    )
