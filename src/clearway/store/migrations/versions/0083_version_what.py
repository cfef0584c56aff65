"""A version's ecosystem and package stand in an index: lists that ask it of many read no page of the table."""

from clearway.store.ddl import run

revision = "0083"
down_revision = "0082"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run("create index package_version_what on clearway.package_version (pv) include (ecosystem, name)")


def downgrade() -> None:
    run("drop index clearway.package_version_what")
