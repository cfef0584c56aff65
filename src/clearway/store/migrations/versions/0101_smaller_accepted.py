"""A catalogue that was taken though it lists much less: what stood before is no measure of those that follow it."""

from clearway.store.ddl import run

revision = "0101"
down_revision = "0100"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run("alter table clearway.catalogue add column smaller boolean not null default false")


def downgrade() -> None:
    run("alter table clearway.catalogue drop column smaller")
