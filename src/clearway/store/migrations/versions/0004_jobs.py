"""Jobs, their steps and their progress."""

from alembic import op

revision = "0004"
down_revision = "0003"
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
