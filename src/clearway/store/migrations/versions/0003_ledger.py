"""The log: entries, their order, tiles and checkpoints."""

from alembic import op

revision = "0003"
down_revision = "0002"
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
