"""An index for the triage queue: what waits, in its order."""

from clearway.store.ddl import run

revision = "0038"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run(
        """
-- In the order of the queue: the best proven first, of these the oldest; with what says who may see it, so that no row
-- is looked at that is not shown.
create index finding_waiting on clearway.finding (level desc, finding) include (aud) where case_id is null and live
    and state in ('incomplete', 'queued', 'validating', 'judged');
"""
    )


def downgrade() -> None:
    run("drop index clearway.finding_waiting")
